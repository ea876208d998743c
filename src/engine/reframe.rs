//! The frame in which a pass over a run has the range of f64: that of the run, or
//! another where the numbers of a first pass came near its ends.

use std::ops::Range;

use super::SumsAt;
use super::facts::{ArrayFacts, Facts};
use super::frame::Frame;
use super::scan::{largest, size_of};
use crate::array::{Array, ElementType, Problem};
use crate::math::{Affine, Loss, LossSums, Moments, SumsAccumulator, exponent_of};

/// Within these powers of two of 1, squares and products of numbers, and of
/// what is left of them after cancellation, are normal numbers.
const SAFE_EXPONENT: i32 = 400;

/// Mean squares within these powers of two of 1 come from squares that are
/// normal numbers.
const SAFE_SQUARES: i32 = 700;

/// Mean weights within these powers of two of 1 leave them so.
const SAFE_WEIGHTS: i32 = 200;

impl Frame {
    /// The frame in which the moments of a run are to be found, if the pass that
    /// found these, with numbers as they are, came near the ends of the range of
    /// f64. Looks at elements of the run then, and at nothing else.
    pub(super) fn for_moments(
        &self,
        data: &Problem,
        facts: &Facts,
        run: &Range<usize>,
        moments: &Moments,
    ) -> Option<Self> {
        if moments.n == 0 {
            return None;
        }
        let squares_and_means = [(moments.xx, moments.x_mean()), (moments.tt, moments.t_mean())];
        let is_fine = |(squares, mean): (f64, f64)| {
            let square = squares / moments.weight_sum;
            // Differences from such a mean are 0 or have squares within f64.
            let is_constant = square < 1.0 && mean != 0.0 && exponent_of(mean).abs() <= SAFE_EXPONENT;
            is_safe(square) || is_constant
        };
        let units = (!squares_and_means.into_iter().all(is_fine)).then(|| {
            // Numbers of other types than f64 are within its range with their squares.
            let size = |array: &Array, facts: &ArrayFacts| match array.element() {
                ElementType::F64 => facts.size(data, array, run),
                _ => None,
            };
            let sizes = [size(data.x(), &facts.x), data.t().and_then(|t| size(t, &facts.t))];
            sizes.map(|size| size.map_or(0, unit))
        });
        self.other(data, run, units, moments.n, moments.weight_sum)
    }

    /// The frame in which residuals of a run at a W and b are to be summed, if
    /// the pass that found these sums, with numbers as they are, came near the
    /// ends of the range of f64: so that neither x·W nor b nor t is large. The
    /// data's size alone does not tell, as W and b may be far from it.
    pub(super) fn for_residuals(
        &self,
        data: &Problem,
        facts: &Facts,
        run: &Range<usize>,
        at: Affine,
        sums: &LossSums,
    ) -> Option<Self> {
        if sums.n == 0 {
            return None;
        }
        let units = (!is_safe(sums.rr / sums.weight_sum)).then(|| {
            let x = facts.x.size(data, data.x(), run);
            let t = data.t().and_then(|t| facts.t.size(data, t, run));
            let there = self.readings.model(at);
            let rise = size_of(there.weight).zip(x).map(|(weight, x)| weight + x);
            let parts = rise.max(size_of(there.bias)).max(t);
            [x, parts].map(|size| size.map_or(0, unit))
        });
        self.other(data, run, units, sums.n, sums.weight_sum)
    }

    /// Another frame than this, in which all numbers are as they are: in these
    /// units, and with weights near 1.
    fn other(
        &self,
        data: &Problem,
        run: &Range<usize>,
        units: Option<[i32; 2]>,
        n: u64,
        weight_sum: f64,
    ) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let mean = weight_sum / n as f64;
        let size = match data.weights() {
            Some(weights) if !mean.is_finite() => largest(data, weights, run),
            _ => mean,
        };
        let frame =
            Self { weight_exponent: weight_exponent(size), ..self.in_units(units.unwrap_or_default()) };
        (frame != *self).then_some(frame)
    }
}

impl Facts {
    /// The sums of a loss over a run at a W and b, by a pass in the frame that the
    /// first one shows to be right.
    pub(super) fn sums_of(
        &self,
        data: &Problem,
        run: &Range<usize>,
        at: Affine,
        loss: Loss,
        pass: impl Fn(&Frame) -> SumsAccumulator,
    ) -> SumsAt {
        let mut frame = self.frame(data, run);
        let mut sums = pass(&frame);
        if let Some(other) = frame.for_residuals(data, self, run, at, &sums.total()) {
            frame = other;
            sums = pass(&frame);
        }
        SumsAt { at, loss, sums: sums.of_readings(&frame.readings, frame.weight_exponent) }
    }

    /// The moments of a run, found likewise.
    pub(super) fn moments_of(
        &self,
        data: &Problem,
        run: &Range<usize>,
        pass: impl Fn(&Frame) -> Moments,
    ) -> Moments {
        let mut frame = self.frame(data, run);
        let mut moments = pass(&frame);
        if let Some(other) = frame.for_moments(data, self, run, &moments) {
            frame = other;
            moments = pass(&frame);
        }
        moments.of_readings(&frame.readings, frame.weight_exponent)
    }
}

/// Whether f64 holds sums of numbers as they are, and the squares in them.
pub(super) fn holds(sums: &LossSums) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    let weight = sums.weight_sum / sums.n as f64;
    sums.n == 0 || (is_safe(sums.rr / sums.weight_sum) && weight_exponent(weight) == 0)
}

/// The power of two that brings weights of such a size near 1; 0 if sums with
/// them are within f64 anyway.
fn weight_exponent(size: f64) -> i32 {
    let exponent = exponent_of(size);
    if exponent.abs() > SAFE_WEIGHTS { -(exponent & !1) } else { 0 }
}

/// Whether a mean of squares comes from squares that are normal numbers.
fn is_safe(square: f64) -> bool {
    square.is_finite() && square > 0.0 && exponent_of(square).abs() <= SAFE_SQUARES
}

/// The power of two that brings numbers of such a size near 1; 0 if their
/// squares are within f64 anyway.
fn unit(size: i32) -> i32 {
    if size.abs() > SAFE_EXPONENT { -size } else { 0 }
}
