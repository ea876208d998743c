use std::ops::Range;

use rayon::prelude::*;

use super::{Notice, chunks};
use crate::data::{Dataset, ElementType, Matrix, Order};
use crate::math::{Double, Moments, Reading, Readings, exponent_of, scaled};

/// How an engine reads X, T and the weights of its data.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    /// X and T.
    pub(super) readings: Readings,
    /// The power of two that weights are multiplied with; even, so that it has
    /// a root.
    pub(super) weight_exponent: i32,
    /// Whether it was looked whether squares stay within f64.
    is_scaled: bool,
}

/// Within these powers of two of 1, squares and products of numbers, and of
/// what is left of them after cancellation, are normal numbers.
const SAFE_EXPONENT: i32 = 400;

/// Mean squares within these powers of two of 1 come from squares that are
/// normal numbers.
const SAFE_SQUARES: i32 = 700;

/// Mean weights within these powers of two of 1 leave them so.
const SAFE_WEIGHTS: i32 = 200;

impl Frame {
    /// Takes the first valid element off whole numbers of 64 bits that are not
    /// exact in f64. Without a pass over others.
    pub(super) fn of(data: &Dataset) -> Self {
        let shift = |matrix: &Matrix| {
            // Predictions are made from elements as f64 has them.
            data.t()?;
            let first = data.next_valid(0)?;
            if matrix.rounded_to_f64(0) == 0 {
                return None;
            }
            matrix.whole_at(data.order(), first)
        };
        let reading = |matrix: &Matrix| Reading { shift: shift(matrix).unwrap_or(0), exponent: 0 };
        let readings = Readings { x: reading(data.x()), t: data.t().map(reading).unwrap_or_default() };
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let weight = exponent_of(data.weight_sum() / data.valid_len() as f64);
        let weight_exponent = if weight.abs() > SAFE_WEIGHTS { -(weight & !1) } else { 0 };
        Self { readings, weight_exponent, is_scaled: false }
    }

    /// Whether every number is read as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.readings == Readings::default() && self.weight_exponent == 0
    }

    /// The weights of the elements from number `start` on, as they are read: 1
    /// where there are none, and any number for what is not finite.
    pub(super) fn read_weights(&self, data: &Dataset, order: Order, start: usize, out: &mut [f64]) {
        match data.weights() {
            Some(weights) => weights.read(order, start, out),
            None => out.fill(1.0),
        }
        if self.weight_exponent != 0 {
            out.iter_mut().for_each(|weight| *weight = scaled(*weight, self.weight_exponent));
        }
    }

    /// Whether squares have left the range of f64, or come near its ends, in a
    /// pass that found these mean squares.
    pub(super) fn may_leave_range(&self, mean_squares: &[f64]) -> bool {
        let is_safe =
            |square: &f64| square.is_finite() && *square > 0.0 && exponent_of(*square).abs() <= SAFE_SQUARES;
        !self.is_scaled && !mean_squares.iter().all(is_safe)
    }

    /// Like [`may_leave_range`](Self::may_leave_range), of moments.
    pub(super) fn may_lose(&self, moments: &Moments) -> bool {
        self.may_leave_range(&[moments.xx, moments.tt].map(|squares| squares / moments.weight_sum))
    }

    /// Looks at all elements, and scales X or T by a power of two if they
    /// are so large or so small that their squares leave the range of f64.
    /// Whether that changed anything.
    pub(super) fn scale(&mut self, data: &Dataset) -> bool {
        self.is_scaled = true;
        let exponent = |matrix: &Matrix, reading: Reading| {
            let largest = exponent_of(largest(data, matrix, reading));
            Reading { exponent: if largest.abs() > SAFE_EXPONENT { -largest } else { 0 }, ..reading }
        };
        let before = self.readings;
        self.readings.x = exponent(data.x(), before.x);
        if let Some(t) = data.t() {
            self.readings.t = exponent(t, before.t);
        }
        self.readings != before
    }

    /// A notice for each matrix with elements that are not exact in f64, as they
    /// are read.
    pub(super) fn notices(&self, data: &Dataset) -> Vec<Notice> {
        let shifts = [Some(self.readings.x.shift), data.t().map(|_| self.readings.t.shift), None];
        let shifts = shifts.into_iter().enumerate().filter(|(k, shift)| *k == 2 || shift.is_some());
        let rounded = |(matrix, (_, shift)): (&Matrix, (usize, Option<i128>))| Notice::Rounded {
            label: matrix.label().to_owned(),
            from: matrix.element(),
            to: ElementType::F64,
            shift: Double::whole(shift.unwrap_or(0)).value(),
            count: matrix.rounded_to_f64(shift.unwrap_or(0)),
            n: matrix.len() as u64,
        };
        data.matrices()
            .zip(shifts)
            .map(rounded)
            .filter(|notice| !matches!(notice, Notice::Rounded { count: 0, .. }))
            .collect()
    }
}

/// The elements from number `start` on, as they are to be read; any number for
/// what is not finite. What rounding to f64 takes goes to `rests`, if wanted.
pub(super) fn read(
    matrix: &Matrix,
    reading: Reading,
    order: Order,
    start: usize,
    out: &mut [f64],
    mut rests: Option<&mut [f64]>,
) {
    matrix.read_shifted(order, start, reading.shift, out, rests.as_deref_mut());
    if reading.exponent != 0 {
        out.iter_mut().for_each(|value| *value = scaled(*value, reading.exponent));
        rests.into_iter().flatten().for_each(|rest| *rest = scaled(*rest, reading.exponent));
    }
}

/// The largest size of a valid element, as it is read.
fn largest(data: &Dataset, matrix: &Matrix, reading: Reading) -> f64 {
    const CHUNK: usize = 1 << 14;
    let (order, n) = (data.order(), data.len());
    let of_chunk = |values: &mut Vec<f64>, range: Range<usize>| {
        values.resize(range.len(), 0.0);
        matrix.read_shifted(order, range.start, reading.shift, values, None);
        let counts = |k: usize| data.validity().is_none_or(|validity| validity.contains(range.start + k));
        let valid = values.iter().enumerate().filter(|(k, value)| counts(*k) && value.is_finite());
        valid.fold(0.0, |most, (_, value)| value.abs().max(most))
    };
    let runs: Vec<_> = chunks(0..n, matrix.run_elements()).collect();
    runs.into_par_iter()
        .map(|run| {
            let mut values = Vec::new();
            let most =
                chunks(run.clone(), CHUNK).map(|range| of_chunk(&mut values, range)).fold(0.0, f64::max);
            matrix.release(order, run);
            most
        })
        .reduce(|| 0.0, f64::max)
}
