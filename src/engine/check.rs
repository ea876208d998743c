//! The check of an engine: its passes against those of the [`Reference`]. Nothing
//! is timed or tuned that was not first checked.

use std::time::Instant;

use super::{Engine, EngineError, Reference, TermScales};
use crate::array::Problem;
use crate::math::{Affine, Evaluation, Moments};

/// The largest relative error that passes unless the user says otherwise:
/// a hundred times the rounding of f32, a thousandth of what a lost partial
/// sum or a wrong element would be.
pub const TOLERANCE: f64 = 1e-5;

/// W and b at which engines are compared with the reference. No float equals any
/// of these numbers, and each of their products is rounded: round ones, such as
/// 0.5, would hide the digits that an engine loses elsewhere.
pub const POINTS: [Affine; 3] = [
    Affine { weight: 1.3, bias: -0.4 },
    Affine { weight: 0.7, bias: 0.3 },
    Affine { weight: -0.618_034, bias: 0.577_216 },
];

/// Elements of X brought to f64 at a time.
const CHUNK_ELEMENTS: usize = 1 << 14;

/// The reference's results, with which engines are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceResult {
    /// The result at the first W and b.
    pub first: PointResult,
    /// The results at the other W and b.
    pub others: Vec<PointResult>,
    /// The moments of the data.
    pub moments: Moments,
    /// Seconds of a pass of the reference.
    pub seconds: f64,
}

/// The reference's result at some W and b.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointResult {
    /// W and b.
    pub at: Affine,
    /// Loss and gradients there.
    pub evaluation: Evaluation,
    /// The sizes that errors of loss and gradients are relative to.
    pub scales: TermScales,
}

/// The errors of an engine's passes, each at the W and b where it is largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassErrors {
    /// The error of the loss, relative to the loss, or what bounds its scale; see [`TermScales`].
    pub loss: f64,
    /// The error of ∂L/∂W, relative to (2/N)·Σ|r·x|.
    pub grad_weight: f64,
    /// The error of ∂L/∂b, relative to (2/N)·Σ|r|.
    pub grad_bias: f64,
    /// The largest error of a moment, relative to its size: of Mxx and Mtt to
    /// themselves, of Mxt to √(Mxx·Mtt), of a mean to the root of the mean square.
    pub moments: f64,
    /// The largest error of an element of Y, relative to the largest |Y|.
    pub forward: f64,
    /// The largest error of an element of Y.
    pub forward_max_abs: f64,
}

/// An engine's result that is not the reference's.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{what} is off by {error:.1e} relative to the reference, beyond the tolerance {tolerance}")]
pub struct Mismatch {
    /// The result.
    pub what: &'static str,
    /// Its relative error.
    pub error: f64,
    /// The largest error that passes.
    pub tolerance: f64,
}

impl Mismatch {
    /// Passes a relative error within the tolerance, which NaN never is.
    ///
    /// # Errors
    /// [`Mismatch`] for any other.
    pub fn check(what: &'static str, error: f64, tolerance: f64) -> Result<(), Self> {
        if error <= tolerance { Ok(()) } else { Err(Self { what, error, tolerance }) }
    }
}

impl PassErrors {
    /// Passes errors within the tolerance.
    ///
    /// # Errors
    /// [`Mismatch`] for the first that is not.
    pub fn check(&self, tolerance: f64) -> Result<(), Mismatch> {
        let errors = [
            ("the loss", self.loss),
            ("∂L/∂W", self.grad_weight),
            ("∂L/∂b", self.grad_bias),
            ("a moment", self.moments),
            ("Y", self.forward),
        ];
        errors.into_iter().try_for_each(|(what, error)| Mismatch::check(what, error, tolerance))
    }
}

impl ReferenceResult {
    /// Computes the results at the first of these W and b and at the others.
    ///
    /// # Errors
    /// Those of the reference's passes.
    pub fn of(data: &Problem, first: Affine, others: &[Affine]) -> Result<Self, EngineError> {
        let mut reference = Reference::new(data);
        let (moments, mut seconds) = (reference.all_moments()?, f64::INFINITY);
        let mut at = |at| {
            let started = Instant::now();
            let evaluation = Evaluation::from_sums(&reference.loss_sums_at(at)?);
            seconds = started.elapsed().as_secs_f64().min(seconds);
            Ok::<_, EngineError>(PointResult { at, evaluation, scales: TermScales::of(&reference, at)? })
        };
        let (first, others) = (at(first)?, others.iter().map(|&other| at(other)).collect::<Result<_, _>>()?);
        Ok(Self { first, others, moments, seconds })
    }

    /// Computes the results at [`POINTS`].
    ///
    /// # Errors
    /// Those of the reference's passes.
    pub fn of_points(data: &Problem) -> Result<Self, EngineError> {
        let [first, others @ ..] = POINTS;
        Self::of(data, first, &others)
    }

    /// Runs every pass on an engine and finds their errors. Y is computed at the
    /// first W and b only.
    ///
    /// # Errors
    /// Those of the engine's passes.
    pub fn errors_of(&self, data: &Problem, engine: &mut dyn Engine) -> Result<PassErrors, EngineError> {
        let (mut loss, mut grad_weight, mut grad_bias) = (0.0, 0.0, 0.0);
        let forward = forward_error(self.first.at, data, engine)?;
        for PointResult { at, evaluation: want, scales } in std::iter::once(&self.first).chain(&self.others) {
            let got = Evaluation::from_sums(&engine.loss_sums_at(*at)?);
            loss = worse(loss, relative(got.loss - want.loss, scales.loss));
            grad_weight =
                worse(grad_weight, relative(got.grad_weight - want.grad_weight, scales.grad_weight));
            grad_bias = worse(grad_bias, relative(got.grad_bias - want.grad_bias, scales.grad_bias));
        }
        Ok(PassErrors {
            loss,
            grad_weight,
            grad_bias,
            moments: moments_error(&engine.all_moments()?, &self.moments),
            forward: relative(forward.max_error, forward.max_value),
            forward_max_abs: forward.max_error,
        })
    }
}

/// The errors of the engine's Y against x·W + b in f64, element by element.
fn forward_error(at: Affine, data: &Problem, engine: &mut dyn Engine) -> Result<ForwardError, EngineError> {
    let mut worst = ForwardError { max_error: 0.0, max_value: 0.0 };
    let (mut start, mut xs) = (0, vec![0f64; CHUNK_ELEMENTS]);
    engine.predict(at, &mut |ys| {
        for ys in ys.chunks(CHUNK_ELEMENTS) {
            let xs = &mut xs[..ys.len()];
            data.x().read(data.order(), start, xs);
            let is_valid = |k: usize| data.validity().is_none_or(|validity| validity.contains(k));
            for (_, (&x, &y)) in (start..).zip(xs.iter().zip(ys)).filter(|(k, _)| is_valid(*k)) {
                let want = at.apply(x);
                worst.max_value = worst.max_value.max(want.abs());
                worst.max_error = worse(worst.max_error, (f64::from(y) - want).abs());
            }
            data.x().release(data.order(), start..start + ys.len());
            start += ys.len();
        }
        Ok(())
    })?;
    if start != data.len() {
        worst.max_error = f64::NAN;
    }
    Ok(worst)
}

/// The larger of two errors; `max` would swallow a NaN.
fn worse(error: f64, other: f64) -> f64 {
    if error.is_nan() || error >= other { error } else { other }
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
    let (xx, tt) = (square(want.x_mean(), want.xx), square(want.t_mean(), want.tt));
    let root = |mean: f64, squares: f64| (mean * mean + squares / want.weight_sum).sqrt();
    let errors = [
        relative(got.xx - want.xx, xx),
        relative(got.tt - want.tt, tt),
        relative(got.xt - want.xt, (xx * tt).sqrt()),
        relative(got.x_mean() - want.x_mean(), root(want.x_mean(), want.xx)),
        relative(got.t_mean() - want.t_mean(), root(want.t_mean(), want.tt)),
    ];
    errors.into_iter().fold(0.0, worse)
}

/// An error relative to a size; no error is none, whatever the size.
#[must_use]
pub fn relative(error: f64, size: f64) -> f64 {
    if error == 0.0 { 0.0 } else { (error / size).abs() }
}
