use std::ops::Range;

use rayon::prelude::*;

use super::{Notice, chunks};
use crate::array::{Array, ElementType, Order, Problem};
use crate::math::{Affine, Double, LossSums, Moments, Reading, Readings, exponent_of, scaled};

/// How an engine reads X, T and the weights of its data.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    /// X and T.
    pub(super) readings: Readings,
    /// The power of two that weights are multiplied with; even, so that it has
    /// a root.
    pub(super) weight_exponent: i32,
    /// The powers of two of the largest elements of X and T as they are read
    /// without one, once they were looked for; none where all are 0.
    largest: Option<[Option<i32>; 2]>,
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
    pub(super) fn of(data: &Problem) -> Self {
        let shift = |matrix: &Array| {
            // Predictions are made from elements as f64 has them.
            data.t()?;
            let first = data.next_valid(0)?;
            if rounded(data, matrix, 0) == 0 {
                return None;
            }
            matrix.whole_at(data.order(), first)
        };
        let reading = |matrix: &Array| Reading { shift: shift(matrix).unwrap_or(0), exponent: 0 };
        let readings = Readings { x: reading(data.x()), t: data.t().map(reading).unwrap_or_default() };
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let weight = exponent_of(data.weight_sum() / data.valid_len() as f64);
        let weight_exponent = if weight.abs() > SAFE_WEIGHTS { -(weight & !1) } else { 0 };
        Self { readings, weight_exponent, largest: None }
    }

    /// Whether every number is read as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.readings == Readings::default() && self.weight_exponent == 0
    }

    /// The weights of the elements from number `start` on, as they are read: 1
    /// where there are none, and any number for what is not finite.
    pub(super) fn read_weights(&self, data: &Problem, order: Order, start: usize, out: &mut [f64]) {
        match data.weights() {
            Some(weights) => weights.read(order, start, out),
            None => out.fill(1.0),
        }
        self.scale_weights(out);
    }

    /// Brings stored weights to those that sums are made with.
    pub(super) fn scale_weights(&self, weights: &mut [f64]) {
        if self.weight_exponent != 0 {
            weights.iter_mut().for_each(|weight| *weight = scaled(*weight, self.weight_exponent));
        }
    }

    /// The same with X and T multiplied with these powers of two.
    pub(super) fn in_units(&self, [x, t]: [i32; 2]) -> Self {
        let readings = Readings {
            x: Reading { exponent: x, ..self.readings.x },
            t: Reading { exponent: t, ..self.readings.t },
        };
        Self { readings, ..*self }
    }

    /// How moments are to be found, if the pass that found these, with numbers
    /// as they are, came near the ends of the range of f64. Then looks at all
    /// elements.
    pub(super) fn for_moments(&mut self, data: &Problem, moments: &Moments) -> Option<Self> {
        let squares = [moments.xx, moments.tt].map(|squares| squares / moments.weight_sum);
        if squares.into_iter().all(is_safe) {
            return None;
        }
        let largest = self.largest(data);
        self.other_units(largest.map(|largest| largest.map_or(0, unit)))
    }

    /// How residuals at a W and b are to be summed, if the pass that found
    /// these sums, with numbers as they are, came near the ends of the range of
    /// f64: so that neither x·W nor b nor t is large. The data's size alone
    /// does not tell, as W and b may be far from it.
    pub(super) fn for_residuals(&mut self, data: &Problem, at: Affine, sums: &LossSums) -> Option<Self> {
        if is_safe(sums.rr / sums.weight_sum) {
            return None;
        }
        let [x, t] = self.largest(data);
        let there = self.in_units([0; 2]).readings.model(at);
        let rise = size_of(there.weight).zip(x).map(|(weight, x)| weight + x);
        let parts = rise.max(size_of(there.bias)).max(t);
        self.other_units([x, parts].map(|largest| largest.map_or(0, unit)))
    }

    fn other_units(&self, units: [i32; 2]) -> Option<Self> {
        (units != [0; 2]).then(|| self.in_units(units))
    }

    fn largest(&mut self, data: &Problem) -> [Option<i32>; 2] {
        let readings = self.in_units([0; 2]).readings;
        let find = || {
            let of = |matrix: &Array, reading| size_of(largest(data, matrix, reading));
            [of(data.x(), readings.x), data.t().and_then(|t| of(t, readings.t))]
        };
        *self.largest.get_or_insert_with(find)
    }

    /// A notice for each matrix with elements that are not exact in f64, as they
    /// are read.
    pub(super) fn notices(&self, data: &Problem) -> Vec<Notice> {
        let shifts = [Some(self.readings.x.shift), data.t().map(|_| self.readings.t.shift), None];
        let shifts = shifts.into_iter().enumerate().filter(|(k, shift)| *k == 2 || shift.is_some());
        let rounded = |(matrix, (_, shift)): (&Array, (usize, Option<i128>))| Notice::Rounded {
            label: matrix.label().to_owned(),
            from: matrix.element(),
            to: ElementType::F64,
            shift: Double::whole(shift.unwrap_or(0)).value(),
            count: rounded(data, matrix, shift.unwrap_or(0)),
            n: matrix.len() as u64,
        };
        data.matrices()
            .zip(shifts)
            .map(rounded)
            .filter(|notice| !matches!(notice, Notice::Rounded { count: 0, .. }))
            .collect()
    }
}

/// Whether a mean of squares comes from squares that are normal numbers.
fn is_safe(square: f64) -> bool {
    square.is_finite() && square > 0.0 && exponent_of(square).abs() <= SAFE_SQUARES
}

/// The power of two of a number's size; 0 has none.
fn size_of(value: f64) -> Option<i32> {
    (value != 0.0).then(|| exponent_of(value))
}

/// The power of two that brings numbers of such a size near 1; 0 if their
/// squares are within f64 anyway.
fn unit(size: i32) -> i32 {
    if size.abs() > SAFE_EXPONENT { -size } else { 0 }
}

/// The elements from number `start` on, as they are to be read; any number for
/// what is not finite. What rounding to f64 takes goes to `rests`, if wanted.
pub(super) fn read(
    matrix: &Array,
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

/// The number of valid elements that f64 rounds once `shift` was taken off them.
fn rounded(data: &Problem, matrix: &Array, shift: i128) -> u64 {
    const CHUNK: usize = 1 << 14;
    let all = matrix.rounded_to_f64(shift);
    // What stands in the place of a missing value is no number of the data.
    let Some(validity) = data.validity().filter(|_| all > 0) else { return all };
    let (order, mut count) = (data.order(), 0);
    let (mut values, mut rests) = (vec![0.0; CHUNK], vec![0.0; CHUNK]);
    for range in chunks(0..data.len(), CHUNK) {
        let rests = &mut rests[..range.len()];
        matrix.read_shifted(order, range.start, shift, &mut values[..range.len()], Some(rests));
        let is_lost = |(k, rest): &(usize, &f64)| **rest != 0.0 && validity.contains(range.start + k);
        count += rests.iter().enumerate().filter(is_lost).count() as u64;
        matrix.release(order, range);
    }
    count
}

/// The largest size of a valid element, as it is read.
fn largest(data: &Problem, matrix: &Array, reading: Reading) -> f64 {
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
