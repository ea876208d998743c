//! Fits of data of which there are only the moments.

use std::ops::ControlFlow;
use std::time::Instant;

use super::host::{HostStepper, Replay};
use super::{ClosedForm, ConfigError, Fit, FitError, GradientDescent, State, StepsPerSubmit};
use crate::engine::EngineKind;
use crate::math::{Evaluation, LineKind, Loss, Moments, scaled};

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
        if self.loss != Loss::Squared {
            return Err(ConfigError::LossMoments(self.loss).into());
        }
        let started = Instant::now();
        let mut stepper = HostStepper::new(Replay::of(moments), self.coordinates)
            .at_height(self.progress.height)
            .fixing(self.fixed);
        // The moments have the range of f64, whichever engine they come from.
        self.follow(&mut stepper, EngineKind::Cpu, StepsPerSubmit::Auto, started, observe)
    }
}

impl ClosedForm {
    /// The line that moments determine, and the mean squared error and its gradients
    /// there as they have them. `observe` sees that one state.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit) but for a pass's.
    pub fn of_moments(
        self,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let started = Instant::now();
        let line = self.kind.of(moments).ok_or_else(|| self.undetermined(moments))?;
        let model = line.affine();
        let evaluation = if self.kind == LineKind::LeastSquares {
            let loss = scaled(moments.least_squares_rr() / moments.weight_sum, -2 * moments.units()[1]);
            Evaluation { loss, ..Evaluation::default() }
        } else {
            moments.quadratic().evaluate(model)
        };
        Ok(Fit::in_closed_form(model, evaluation, moments.n, started, observe))
    }
}
