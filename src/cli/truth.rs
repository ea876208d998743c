use std::time::Instant;

use crate::array::Problem;
use crate::engine::{Engine, EngineError, Reference, TermScales};
use crate::math::{Affine, Evaluation, Moments};

/// The largest relative error that passes unless the user says otherwise:
/// a hundred times the rounding of f32, a thousandth of what a lost partial
/// sum or a wrong element would be.
pub(super) const TOLERANCE: f64 = 1e-5;

/// W and b that engines are held against the reference at. No computer has any
/// of these numbers as they are written, and none of their products is without
/// rounding: at round ones, such as 0.5, what an engine loses elsewhere is not
/// seen.
pub(super) const POINTS: [Affine; 3] = [
    Affine { weight: 1.3, bias: -0.4 },
    Affine { weight: 0.7, bias: 0.3 },
    Affine { weight: -0.618_034, bias: 0.577_216 },
];

/// Elements of X brought to f64 at a time.
const CHUNK_ELEMENTS: usize = 1 << 14;

/// What the reference found, which every engine is held against.
pub(super) struct Truth {
    pub(super) first: TruthAt,
    /// At other W and b.
    pub(super) others: Vec<TruthAt>,
    pub(super) moments: Moments,
    /// How long a pass of the reference took.
    pub(super) seconds: f64,
}

/// What the reference found at some W and b.
pub(super) struct TruthAt {
    pub(super) at: Affine,
    pub(super) evaluation: Evaluation,
    pub(super) scales: TermScales,
}

/// How far an engine's passes are from the truth, each at the W and b where it
/// is worst.
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
    /// Asks the reference, at the first of these W and b and then at the others.
    pub(super) fn of(data: &Problem, first: Affine, others: &[Affine]) -> Result<Self, EngineError> {
        let mut reference = Reference::new(data);
        let (moments, mut seconds) = (reference.all_moments()?, f64::INFINITY);
        let mut at = |at| {
            let started = Instant::now();
            let evaluation = Evaluation::from_sums(&reference.loss_sums_at(at)?);
            seconds = started.elapsed().as_secs_f64().min(seconds);
            Ok::<_, EngineError>(TruthAt { at, evaluation, scales: TermScales::of(&reference, at)? })
        };
        let (first, others) = (at(first)?, others.iter().map(|&other| at(other)).collect::<Result<_, _>>()?);
        Ok(Self { first, others, moments, seconds })
    }

    /// Asks the reference at [`POINTS`].
    pub(super) fn of_points(data: &Problem) -> Result<Self, EngineError> {
        let [first, others @ ..] = POINTS;
        Self::of(data, first, &others)
    }

    /// Runs every pass on an engine and says how far off they are. Y is computed
    /// at the first W and b only.
    pub(super) fn errors(&self, data: &Problem, engine: &mut dyn Engine) -> Result<Errors, EngineError> {
        let (mut loss, mut grad_weight, mut grad_bias) = (0.0, 0.0, 0.0);
        let forward = forward_error(self.first.at, data, engine)?;
        for TruthAt { at, evaluation: want, scales } in std::iter::once(&self.first).chain(&self.others) {
            let got = Evaluation::from_sums(&engine.loss_sums_at(*at)?);
            loss = worse(loss, relative(got.loss - want.loss, scales.loss));
            grad_weight =
                worse(grad_weight, relative(got.grad_weight - want.grad_weight, scales.grad_weight));
            grad_bias = worse(grad_bias, relative(got.grad_bias - want.grad_bias, scales.grad_bias));
        }
        Ok(Errors {
            loss,
            grad_weight,
            grad_bias,
            moments: moments_error(&engine.all_moments()?, &self.moments),
            forward: relative(forward.max_error, forward.max_value),
            forward_max_abs: forward.max_error,
        })
    }
}

/// The engine's Y against x·W + b in f64, element by element.
fn forward_error(at: Affine, data: &Problem, engine: &mut dyn Engine) -> Result<ForwardError, EngineError> {
    let mut worst = ForwardError { max_error: 0.0, max_value: 0.0 };
    let (mut start, mut xs) = (0, vec![0f64; CHUNK_ELEMENTS]);
    engine.predict(at, &mut |ys| {
        for ys in ys.chunks(CHUNK_ELEMENTS) {
            let xs = &mut xs[..ys.len()];
            data.x().read(data.order(), start, xs);
            let counts = |k: usize| data.validity().is_none_or(|validity| validity.contains(k));
            for (_, (&x, &y)) in (start..).zip(xs.iter().zip(ys)).filter(|(k, _)| counts(*k)) {
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
    let (xx, tt) = (square(want.x_mean, want.xx), square(want.t_mean, want.tt));
    let root = |mean: f64, squares: f64| (mean * mean + squares / want.weight_sum).sqrt();
    let errors = [
        relative(got.xx - want.xx, xx),
        relative(got.tt - want.tt, tt),
        relative(got.xt - want.xt, (xx * tt).sqrt()),
        relative(got.x_mean - want.x_mean, root(want.x_mean, want.xx)),
        relative(got.t_mean - want.t_mean, root(want.t_mean, want.tt)),
    ];
    errors.into_iter().fold(0.0, worse)
}

/// An error relative to a size; none at all is none, whatever the size.
pub(super) fn relative(error: f64, size: f64) -> f64 {
    if error == 0.0 { 0.0 } else { (error / size).abs() }
}
