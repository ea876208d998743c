use super::{DescentRule, EngineError, StepOutcome, StepState};
use crate::array::{Batch, Batches};
use crate::math::{Affine, Double, Evaluation, Loss};

/// The most evaluations that a stepper is asked for at a time.
pub const MOST_EVALUATIONS: u32 = 1024;

/// Takes the steps of a gradient descent, many for one call.
///
/// An [`Engine`](super::Engine) computes passes and knows nothing of learning
/// rates, which is enough for big data. But a device answers only after a round
/// trip, which takes as long as the arithmetic of about a million elements:
/// asked after every step, it would spend most of its time on the way. So an
/// engine may offer this second seam, and take the steps where its data are, by
/// the same [`DescentRule`] as the host. A solver has steppers of its own for
/// the other ways to an evaluation, and one loop over all of them.
pub trait Stepper {
    /// Goes to a state, from where [`advance`](Self::advance) goes on by `rule`.
    ///
    /// # Errors
    /// An error of the device.
    fn resume(&mut self, rule: &DescentRule, from: &StepState) -> Result<(), EngineError>;

    /// Goes to a start, before the first step.
    ///
    /// # Errors
    /// Those of [`resume`](Self::resume).
    fn start(&mut self, rule: &DescentRule, at: Affine) -> Result<(), EngineError> {
        self.resume(rule, &StepState::start(at))
    }

    /// Goes over to another loss, before a start; false if there are no steps on it
    /// here.
    fn descend_on(&mut self, loss: Loss) -> bool {
        loss == Loss::Squared
    }

    /// Evaluates at the current W and b and takes the step that follows, once
    /// for each learning rate η in `rates`, or until an evaluation says that no
    /// step follows. Returns what was evaluated, in order. There are at least
    /// one rate and at most [`MOST_EVALUATIONS`], and the numbers are the same
    /// however many there are at a time.
    ///
    /// # Errors
    /// An error of the device; a table of rates that it can't work by.
    fn advance(&mut self, rates: &[f64]) -> Result<Vec<Evaluated>, EngineError>;

    /// Goes to a state, from where [`advance_over`](Self::advance_over) goes on by
    /// `rule` over such batches; false if there are no steps over them here.
    ///
    /// # Errors
    /// An error of the device.
    fn resume_over(
        &mut self,
        rule: &DescentRule,
        from: &StepState,
        batches: &Batches,
    ) -> Result<bool, EngineError> {
        let _ = (rule, from, batches);
        Ok(false)
    }

    /// Evaluates over each batch at the W and b that the one before led to, and takes
    /// the step that follows, at its rate. Returns what was evaluated, in order, up to
    /// a divergence. There are at least one batch and at most [`MOST_EVALUATIONS`], each
    /// with a valid element.
    ///
    /// # Errors
    /// Those of [`advance`](Self::advance).
    fn advance_over(&mut self, steps: &[(Batch<'_>, f64)]) -> Result<Vec<Evaluated>, EngineError> {
        Err(EngineError::Stalled { taken: 0, wanted: u32::try_from(steps.len()).unwrap_or(u32::MAX) })
    }

    /// True if steps at this rate have all the digits that they should have.
    fn takes_rate(&self, rate: f64) -> bool {
        let _ = rate;
        true
    }

    /// The number of elements; known after the first evaluation.
    fn elements(&self) -> u64;
}

/// An evaluation of W and b, and its outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluated {
    /// W and b.
    pub model: Affine,
    /// The velocity with which a descent came there.
    pub velocity: Affine,
    /// The prediction at x̄, of which b is what is left, in coordinates that hold
    /// it instead of b.
    pub height: Option<Double>,
    /// Loss and gradients there.
    pub evaluation: Evaluation,
    /// The outcome: a step, or the reason why none follows.
    pub outcome: StepOutcome,
}
