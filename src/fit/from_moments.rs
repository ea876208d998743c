//! Fits of data of which there are only the moments.

use std::ops::ControlFlow;
use std::time::Instant;

use super::exact::undetermined;
use super::host::{HostStepper, Replay};
use super::{Exact, Fit, FitError, GradientDescent, State, StepsPerSubmit, StopReason};
use crate::engine::EngineKind;
use crate::math::{Evaluation, Moments, scaled};

impl GradientDescent {
    /// Descends from the moments as [`replay`](Self::replay) does, but without a
    /// pass at the end: loss and gradients are those of the moments.
    ///
    /// # Errors
    /// The errors of [`fit`](Self::fit).
    pub fn replay_moments(
        &self,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        self.check()?;
        let started = Instant::now();
        let mut stepper = HostStepper::new(Replay::of(moments), self.coordinates);
        self.follow(&mut stepper, EngineKind::Cpu, StepsPerSubmit::Auto, started, observe)
    }
}

impl Exact {
    /// The line that moments determine, and its loss as they have it. `observe`
    /// sees that one state.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit) but for a pass's.
    pub fn of_moments(
        self,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let started = Instant::now();
        let model = moments.line().ok_or_else(|| undetermined(moments))?.affine();
        let loss = scaled(moments.least_squares_rr() / moments.weight_sum, -2 * moments.units()[1]);
        let evaluation = Evaluation { loss, ..Evaluation::default() };
        let interrupted = observe(&State { step: 0, model, evaluation }).is_break();
        let seconds = started.elapsed().as_secs_f64();
        Ok(Fit {
            model,
            evaluation,
            steps: 0,
            stop_reason: if interrupted { StopReason::Interrupted } else { StopReason::Exact },
            n: moments.n,
            seconds,
            step_median_seconds: seconds,
        })
    }
}
