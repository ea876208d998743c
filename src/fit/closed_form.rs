use std::ops::ControlFlow;
use std::time::Instant;

use super::exact::undetermined;
use super::refine::hides;
use super::{Exact, Fit, FitError, State};
use crate::engine::{Digits, Engine};
use crate::math::{Evaluation, LineKind, Moments};

/// A line of any kind in closed form, from the moments of the data; the
/// least-squares line as [`Exact`] finds it.
///
/// ```
/// use linfit::array::{Problem, Array};
/// use linfit::engine::{Cpu, Engine};
/// use linfit::fit::ClosedForm;
/// use linfit::math::LineKind;
/// use std::ops::ControlFlow;
///
/// let x = Array::from_vec("x", &[3], vec![-1.0, 0.0, 1.0]);
/// let t = Array::from_vec("t", &[3], vec![-1.0, 1.0, 3.0]); // 2·x + 1
/// let data = Problem::pair(x, t)?;
/// let mut engine = Cpu::new(&data);
/// let moments = engine.all_moments()?;
/// let rma = ClosedForm { kind: LineKind::ReducedMajorAxis };
/// let fit = rma.fit(&mut engine, &moments, &mut |_| ControlFlow::Continue(()))?;
/// assert!((fit.model.weight - 2.0).abs() < 1e-15 && fit.model.bias == 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClosedForm {
    /// The kind of line.
    pub kind: LineKind,
}

impl ClosedForm {
    /// The line that the engine's moments determine and, by one pass more, the
    /// mean squared error and its gradients there. `observe` sees that one state.
    ///
    /// # Errors
    /// Those of [`Exact::fit`]; [`FitError::NoLine`].
    pub fn fit(
        self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        if self.kind == LineKind::LeastSquares {
            return Exact.fit(engine, moments, observe);
        }
        let started = Instant::now();
        let line = self.kind.of(moments).ok_or_else(|| self.undetermined(moments))?;
        let model = line.affine();
        let evaluation = if hides(moments, model) {
            line.evaluation(&engine.sums_about(&line, Digits::Double)?)
        } else {
            Evaluation::from_sums(&engine.loss_sums_at(model)?)
        };
        Ok(Fit::in_closed_form(model, evaluation, moments.n, started, observe))
    }

    /// The reason why no single line is the best of its kind.
    pub(super) fn undetermined(self, moments: &Moments) -> FitError {
        let lacks_spread = moments.n < 2 || (moments.is_finite() && moments.xx == 0.0);
        match self.kind {
            LineKind::ReducedMajorAxis | LineKind::Deming { .. } if !lacks_spread && moments.is_finite() => {
                FitError::NoLine(self.kind)
            }
            LineKind::ThroughOrigin { .. } | LineKind::Offset { .. } if moments.is_finite() => {
                FitError::NoLine(self.kind)
            }
            _ => undetermined(moments),
        }
    }
}
