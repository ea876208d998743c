use std::ops::Range;

use rayon::prelude::*;

use super::{CHUNK, Notice, chunks};
use crate::array::{Array, ElementType, Order, Problem};
use crate::math::{Affine, Double, LossSums, Moments, Reading, Readings, exponent_of, scaled};

/// The way in which an engine reads X, T and the weights of some elements.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    /// X and T.
    pub(super) readings: Readings,
    /// The power of two that weights are multiplied with; even, so that it has
    /// a root.
    pub(super) weight_exponent: i32,
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
    /// Whether every number is read as it is.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
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

    /// The frame in which the moments of a run are to be found, if the pass that
    /// found these, with numbers as they are, came near the ends of the range of
    /// f64. Looks at all elements of the run then, and at nothing else.
    pub(super) fn for_moments(&self, data: &Problem, run: &Range<usize>, moments: &Moments) -> Option<Self> {
        if moments.n == 0 {
            return None;
        }
        let sides = [(moments.xx, moments.x_mean()), (moments.tt, moments.t_mean())];
        let is_fine = |(squares, mean): (f64, f64)| {
            let square = squares / moments.weight_sum;
            // Differences from such a mean are 0 or have squares within f64.
            let is_constant = square < 1.0 && mean != 0.0 && exponent_of(mean).abs() <= SAFE_EXPONENT;
            is_safe(square) || is_constant
        };
        let units = (!sides.into_iter().all(is_fine)).then(|| {
            let [x, t] = [Some(data.x()), data.t()].map(|array| size_of(largest(data, array?, run)));
            [x, t].map(|size| size.map_or(0, unit))
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
        run: &Range<usize>,
        at: Affine,
        sums: &LossSums,
    ) -> Option<Self> {
        if sums.n == 0 {
            return None;
        }
        let units = (!is_safe(sums.rr / sums.weight_sum)).then(|| {
            let [x, t] = [Some(data.x()), data.t()].map(|array| size_of(largest(data, array?, run)));
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

/// The runs of which f64 does not hold all whole numbers of 64 bits: a first
/// valid element is taken off those, as a whole number. Each chunk is looked at
/// by itself, so that its results do not depend on others.
#[derive(Debug)]
pub(super) struct Shifts {
    /// For each chunk; `None` if there is no such chunk.
    x: Option<Vec<bool>>,
    t: Option<Vec<bool>>,
}

impl Shifts {
    /// Looks for such elements.
    pub(super) fn of(data: &Problem) -> Self {
        let of = |array: &Array| {
            // Predictions are made from elements as f64 has them.
            data.t().filter(|_| array.rounded_to_f64(0) > 0)?;
            let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
            Some(all.into_par_iter().map(|chunk| rounded(data, array, 0, chunk) > 0).collect())
        };
        Self { x: of(data.x()), t: data.t().and_then(of) }
    }

    /// The frame of a run, which lies within a chunk.
    pub(super) fn frame(&self, data: &Problem, run: &Range<usize>) -> Frame {
        let reading = |flags: &Option<Vec<bool>>, array: Option<&Array>| {
            let is_shifted = flags.as_ref().is_some_and(|flags| flags[run.start / CHUNK]);
            let shift = array.filter(|_| is_shifted).and_then(|array| first_whole(data, array, run));
            Reading { shift: shift.unwrap_or(0), exponent: 0 }
        };
        if self.x.is_none() && self.t.is_none() {
            return Frame::default();
        }
        let readings = Readings { x: reading(&self.x, Some(data.x())), t: reading(&self.t, data.t()) };
        Frame { readings, ..Frame::default() }
    }

    /// A notice for each array with elements that are not exact in f64, as they
    /// are read.
    pub(super) fn notices(&self, data: &Problem) -> Vec<Notice> {
        notices(data, |chunk| self.frame(data, &chunk).readings)
    }
}

/// One frame for all elements, of an engine that needs no more than that.
pub(super) fn whole_readings(data: &Problem) -> Readings {
    let reading = |array: &Array| {
        let is_rounded = data.t().is_some() && rounded_elements(data, array, |_| 0) > 0;
        let shift = is_rounded.then(|| first_whole(data, array, &(0..data.len()))).flatten();
        Reading { shift: shift.unwrap_or(0), exponent: 0 }
    };
    Readings { x: reading(data.x()), t: data.t().map(reading).unwrap_or_default() }
}

/// A notice for each array with elements that are not exact in f64, as chunks of
/// it are read.
pub(super) fn notices(data: &Problem, readings: impl Fn(Range<usize>) -> Readings + Sync) -> Vec<Notice> {
    let x = |chunk| readings(chunk).x.shift;
    let t = |chunk| readings(chunk).t.shift;
    let notice = |array: &Array, shift: &(dyn Fn(Range<usize>) -> i128 + Sync)| {
        let count = rounded_elements(data, array, shift);
        (count > 0).then(|| Notice::Rounded {
            label: array.label().to_owned(),
            from: array.element(),
            to: ElementType::F64,
            shift: Double::whole(shift(0..CHUNK.min(data.len()))).value(),
            count,
            n: array.len() as u64,
        })
    };
    let all = [
        notice(data.x(), &x),
        data.t().and_then(|array| notice(array, &t)),
        data.weights().and_then(|array| notice(array, &|_| 0)),
    ];
    all.into_iter().flatten().collect()
}

/// The first valid element of a run, of whole numbers of 64 bits.
fn first_whole(data: &Problem, array: &Array, run: &Range<usize>) -> Option<i128> {
    let first = data.next_valid(run.start).filter(|first| run.contains(first))?;
    array.whole_at(data.order(), first)
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
    array: &Array,
    reading: Reading,
    order: Order,
    start: usize,
    out: &mut [f64],
    mut rests: Option<&mut [f64]>,
) {
    array.read_shifted(order, start, reading.shift, out, rests.as_deref_mut());
    if reading.exponent != 0 {
        out.iter_mut().for_each(|value| *value = scaled(*value, reading.exponent));
        rests.into_iter().flatten().for_each(|rest| *rest = scaled(*rest, reading.exponent));
    }
}

/// Elements read at a time where they are only looked at.
const LOOK_ELEMENTS: usize = 1 << 14;

/// The number of valid elements of an array that f64 rounds once the shift of
/// their chunk was taken off them.
fn rounded_elements(data: &Problem, array: &Array, shift: impl Fn(Range<usize>) -> i128 + Sync) -> u64 {
    if array.rounded_to_f64(0) == 0 {
        return 0;
    }
    let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
    all.into_par_iter().map(|chunk| rounded(data, array, shift(chunk.clone()), chunk)).sum()
}

/// The same of a range.
fn rounded(data: &Problem, array: &Array, shift: i128, range: Range<usize>) -> u64 {
    let (mut values, mut rests) = (vec![0.0; LOOK_ELEMENTS], vec![0.0; LOOK_ELEMENTS]);
    let mut count = 0;
    for part in chunks(range, LOOK_ELEMENTS) {
        let rests = &mut rests[..part.len()];
        array.read_shifted(data.order(), part.start, shift, &mut values[..part.len()], Some(rests));
        // Whatever stands in the place of a missing value is no number of the data.
        let is_lost = |(k, rest): &(usize, &f64)| **rest != 0.0 && is_valid(data, part.start + k);
        count += rests.iter().enumerate().filter(is_lost).count() as u64;
        array.release(data.order(), part);
    }
    count
}

/// The largest size of a valid element of a range.
fn largest(data: &Problem, array: &Array, range: &Range<usize>) -> f64 {
    let mut values = vec![0f64; LOOK_ELEMENTS.min(range.len())];
    let mut most = 0f64;
    for part in chunks(range.clone(), LOOK_ELEMENTS) {
        let values = &mut values[..part.len()];
        array.read(data.order(), part.start, values);
        let valid = values
            .iter()
            .enumerate()
            .filter(|(k, value)| value.is_finite() && is_valid(data, part.start + k));
        most = valid.fold(most, |most, (_, value)| value.abs().max(most));
    }
    most
}

fn is_valid(data: &Problem, k: usize) -> bool {
    data.validity().is_none_or(|validity| validity.contains(k))
}
