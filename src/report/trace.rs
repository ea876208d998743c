use crate::fit::State;

/// The course of a descent: its states or, of one with many steps, some of them,
/// evenly spaced, and always the first and the last.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    kept: Vec<State>,
    last: Option<State>,
    /// Every so many steps one is kept, a power of two; 0 stands for 1.
    stride: u64,
}

impl Trace {
    /// The most states that are kept.
    pub const MOST: usize = 1024;

    /// Adds the next state.
    pub fn add(&mut self, state: &State) {
        self.last = Some(*state);
        let stride = self.stride.max(1);
        if !state.step.is_multiple_of(stride) {
            return;
        }
        self.kept.push(*state);
        if self.kept.len() >= Self::MOST {
            self.stride = 2 * stride;
            let stride = self.stride;
            self.kept.retain(|state| state.step.is_multiple_of(stride));
        }
    }

    /// The states that were kept, in order.
    #[must_use]
    pub fn states(&self) -> Vec<State> {
        let mut states = self.kept.clone();
        states.extend(self.last.filter(|last| states.last() != Some(last)));
        states
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;
    use crate::fit::Progress;
    use crate::math::{Affine, Evaluation};

    #[test]
    fn the_first_and_the_last_state_and_even_steps_between_are_kept() {
        let mut trace = Trace::default();
        assert!(trace.states().is_empty());
        for step in 0..10_002 {
            trace.add(&State {
                step,
                model: Affine::new(step as f64, 0.0),
                evaluation: Evaluation::default(),
                progress: Progress::default(),
            });
        }
        let steps: Vec<u64> = trace.states().iter().map(|state| state.step).collect();
        assert!(steps.len() > Trace::MOST / 2 && steps.len() <= Trace::MOST, "{}", steps.len());
        assert_eq!((steps[0], steps[steps.len() - 1]), (0, 10_001));
        let strides: Vec<u64> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(strides[..strides.len() - 1].iter().all(|&stride| stride == 16), "{strides:?}");
    }
}
