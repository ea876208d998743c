use std::ops::ControlFlow;
use std::time::Instant;

use super::refine::{hides, refined};
use super::{Fit, FitError, State};
use crate::engine::Engine;
use crate::math::{Evaluation, Moments, scaled};

/// The least-squares line in closed form: W = Mxt/Mxx, b = t̄ − W·x̄, where
/// the gradients are 0 and the loss is least.
///
/// ```
/// use linfit::array::{Problem, Array};
/// use linfit::engine::{Cpu, Engine};
/// use linfit::fit::Exact;
/// use std::ops::ControlFlow;
///
/// let x = Array::from_vec("x", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
/// let t = Array::from_vec("t", &[2, 2], vec![3.0, 5.0, 7.0, 9.0]); // 2·x + 1
/// let data = Problem::pair(x, t)?;
/// let mut engine = Cpu::new(&data);
/// let moments = engine.all_moments()?;
/// let fit = Exact.fit(&mut engine, &moments, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!((fit.model.weight, fit.model.bias), (2.0, 1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exact;

impl Exact {
    /// The line that the engine's moments determine, and, by one pass more,
    /// the loss and gradients there. `observe` sees that one state.
    ///
    /// Loss and gradients are those of the least-squares line itself where the
    /// rounding of b, or of W·x + b, would be seen in them; [`Fit::model`] has
    /// its W and b to the digits of f64.
    ///
    /// # Errors
    /// [`FitError::NoSpread`], [`FitError::OneElement`]: no line is better
    /// than every other. [`FitError::MomentsOverflow`].
    pub fn fit(
        self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let started = Instant::now();
        let mut line = moments.line().ok_or_else(|| undetermined(moments))?;
        let evaluation = if hides(moments, line.affine()) {
            let exact = engine.host_moments()?.unwrap_or(*moments);
            let (rr, refined) = refined(engine, &exact, exact.line().unwrap_or(line))?;
            line = refined;
            let loss = scaled(rr / exact.weight_sum, -2 * exact.units()[1]);
            Evaluation { loss, ..Evaluation::default() }
        } else {
            Evaluation::from_sums(&engine.loss_sums_at(line.affine())?)
        };
        Ok(Fit::in_closed_form(line.affine(), evaluation, moments.n, started, observe))
    }
}

/// The reason why no single line is the best.
pub(super) fn undetermined(moments: &Moments) -> FitError {
    if moments.n < 2 {
        FitError::OneElement
    } else if moments.is_finite() && moments.xx == 0.0 {
        FitError::NoSpread(moments.x_mean())
    } else if let Some(exponent) = moments.weight_digits() {
        FitError::LineBeyondRange(exponent)
    } else {
        FitError::MomentsOverflow
    }
}
