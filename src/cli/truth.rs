use std::time::Instant;

use crate::data::Dataset;
use crate::engine::{Engine, EngineError, Reference, TermScales};
use crate::math::{Affine, Evaluation, Moments};

/// The largest relative error that passes unless the user says otherwise:
/// a hundred times the rounding of f32, a thousandth of what a lost partial
/// sum or a wrong element would be.
pub(super) const TOLERANCE: f64 = 1e-5;

/// What the reference found at some W and b, which every engine is held
/// against.
pub(super) struct Truth {
    pub(super) at: Affine,
    pub(super) evaluation: Evaluation,
    pub(super) scales: TermScales,
    pub(super) moments: Moments,
    /// How long the reference's pass took.
    pub(super) seconds: f64,
}

/// How far an engine's passes are from the truth.
pub(super) struct Errors {
    /// Relative to the loss, or what bounds its scale; see [`TermScales`].
    pub(super) loss: f64,
    /// Relative to (2/N)·Σ|r·x|.
    pub(super) grad_weight: f64,
    /// Relative to (2/N)·Σ|r|.
    pub(super) grad_bias: f64,
    /// The largest of a moment, relative to its size; see [`moments_error`].
    pub(super) moments: f64,
    /// The largest of an element of Y, relative to the largest |Y|.
    pub(super) forward: f64,
    /// The largest of an element of Y.
    pub(super) forward_max_abs: f64,
}

impl Errors {
    /// The first error that is beyond the tolerance, and what it is of.
    pub(super) fn beyond(&self, tolerance: f64) -> Option<(&'static str, f64)> {
        let errors = [
            ("the loss", self.loss),
            ("∂L/∂W", self.grad_weight),
            ("∂L/∂b", self.grad_bias),
            ("a moment", self.moments),
            ("Y", self.forward),
        ];
        errors.into_iter().find(|(_, error)| is_beyond(*error, tolerance))
    }
}

/// Whether an error is too large. A NaN is within no tolerance.
pub(super) fn is_beyond(error: f64, tolerance: f64) -> bool {
    error.is_nan() || error > tolerance
}

impl Truth {
    /// Asks the reference.
    pub(super) fn of(data: &Dataset, at: Affine) -> Result<Self, EngineError> {
        let mut reference = Reference::new(data);
        let started = Instant::now();
        let evaluation = Evaluation::from_sums(&reference.residual_sums(at)?);
        let seconds = started.elapsed().as_secs_f64();
        let (scales, moments) = (reference.term_scales(at)?, reference.moments()?);
        Ok(Self { at, evaluation, scales, moments, seconds })
    }

    /// Runs every pass on an engine and says how far off they are.
    pub(super) fn errors(&self, data: &Dataset, engine: &mut dyn Engine) -> Result<Errors, EngineError> {
        let got = Evaluation::from_sums(&engine.residual_sums(self.at)?);
        let forward = self.forward_error(data, engine)?;
        let want = &self.evaluation;
        Ok(Errors {
            loss: relative(got.loss - want.loss, self.scales.loss),
            grad_weight: relative(got.grad_weight - want.grad_weight, self.scales.grad_weight),
            grad_bias: relative(got.grad_bias - want.grad_bias, self.scales.grad_bias),
            moments: moments_error(&engine.moments()?, &self.moments),
            forward: relative(forward.max_error, forward.max_value),
            forward_max_abs: forward.max_error,
        })
    }

    /// The engine's Y against x·W + b in f64, element by element.
    fn forward_error(&self, data: &Dataset, engine: &mut dyn Engine) -> Result<ForwardError, EngineError> {
        let mut worst = ForwardError { max_error: 0.0, max_value: 0.0 };
        let (mut start, mut xs) = (0, Vec::new());
        engine.forward(self.at, &mut |ys| {
            xs.resize(ys.len(), 0f64);
            data.x().read(data.order(), start, &mut xs);
            let counts = |k: usize| data.validity().is_none_or(|validity| validity.contains(k));
            for (_, (&x, &y)) in (start..).zip(xs.iter().zip(ys)).filter(|(k, _)| counts(*k)) {
                let want = self.at.apply(x);
                let error = (f64::from(y) - want).abs();
                worst.max_value = worst.max_value.max(want.abs());
                // `max` would swallow a NaN.
                worst.max_error =
                    if error > worst.max_error || error.is_nan() { error } else { worst.max_error };
            }
            start += ys.len();
            Ok(())
        })?;
        if start != data.len() {
            worst.max_error = f64::NAN;
        }
        Ok(worst)
    }
}

struct ForwardError {
    max_error: f64,
    max_value: f64,
}

/// The largest error of a moment: of Mxx and Mtt relative to themselves, of Mxt
/// to √(Mxx·Mtt), and of a mean to the root of the mean square. Where data hardly
/// differ from their mean, in less than [`TermScales::CANCELLED`] of it, that
/// share of it bounds the sizes from below: f32 has no more digits of them.
fn moments_error(got: &Moments, want: &Moments) -> f64 {
    if !want.is_finite() {
        // Squares beyond f64 are so for every engine.
        return if got.is_finite() { f64::NAN } else { 0.0 };
    }
    let square = |mean: f64, squares: f64| {
        let floor = TermScales::CANCELLED * mean;
        squares.max(want.weight_sum * floor * floor)
    };
    let (xx, tt) = (square(want.x_mean, want.xx), square(want.t_mean, want.tt));
    let root = |mean: f64, squares: f64| (mean * mean + squares / want.weight_sum).sqrt();
    let errors = [
        relative(got.xx - want.xx, xx),
        relative(got.tt - want.tt, tt),
        relative(got.xt - want.xt, (xx * tt).sqrt()),
        relative(got.x_mean - want.x_mean, root(want.x_mean, want.xx)),
        relative(got.t_mean - want.t_mean, root(want.t_mean, want.tt)),
    ];
    // `max` would swallow a NaN.
    errors.into_iter().fold(0.0, |worst, error| if error > worst || error.is_nan() { error } else { worst })
}

/// An error relative to a size; none at all is none, whatever the size.
pub(super) fn relative(error: f64, size: f64) -> f64 {
    if error == 0.0 { 0.0 } else { (error / size).abs() }
}
