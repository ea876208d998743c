use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::{CHUNK, Notice, SumsAt, chunks};
use crate::array::{Array, ElementType, Order, Problem};
use crate::math::{
    Affine, Double, LossSums, Moments, Reading, Readings, SumsAccumulator, exponent_of, scaled,
};

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

/// Facts about the data that an engine finds once. Each chunk is looked at by
/// itself, so that its results do not depend on others.
#[derive(Debug)]
pub(super) struct Facts {
    x: ArrayFacts,
    t: ArrayFacts,
}

/// Facts about an array.
#[derive(Debug, Default)]
struct ArrayFacts {
    /// The chunks of which f64 does not hold all whole numbers of 64 bits: a
    /// first valid element is taken off those, as a whole number. None, if there
    /// is no such chunk.
    shifted: Vec<bool>,
    /// The number of valid elements that are not exact in f64, as they are read.
    rounded: u64,
    /// The sizes of the chunks that were asked for.
    sizes: Vec<OnceLock<Option<i32>>>,
}

impl ArrayFacts {
    fn of(data: &Problem, array: &Array) -> Self {
        let sizes = chunks(0..data.len(), CHUNK).map(|_| OnceLock::new()).collect();
        if !is_wide(array) {
            return Self { sizes, ..Self::default() };
        }
        // Predictions are made from elements as f64 has them.
        let takes_shifts = data.t().is_some();
        let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
        // Both scans of a chunk are one way through memory.
        let scans = all.into_par_iter().map(|chunk| {
            let plain = rounded(data, array, 0, &chunk);
            let is_shifted = takes_shifts && plain > 0;
            let shift = is_shifted.then(|| first_whole(data, array, &chunk)).flatten();
            let count = shift.map_or(plain, |shift| rounded(data, array, shift, &chunk));
            array.release(data.order(), chunk);
            (is_shifted, count)
        });
        let (mut shifted, counts): (Vec<bool>, Vec<u64>) = scans.unzip();
        if !shifted.contains(&true) {
            shifted = Vec::new();
        }
        Self { shifted, rounded: counts.iter().sum(), sizes }
    }

    /// The way to read a run, which lies within a chunk.
    fn reading(&self, data: &Problem, array: &Array, run: &Range<usize>) -> Reading {
        let is_shifted = self.shifted.get(run.start / CHUNK).is_some_and(|is_shifted| *is_shifted);
        let shift = is_shifted.then(|| first_whole(data, array, run)).flatten();
        Reading { shift: shift.unwrap_or(0), exponent: 0 }
    }

    /// The power of two of the largest valid element of a run, which lies within
    /// a chunk; 0 has none. A whole chunk is gone through once, however many
    /// passes ask for it.
    fn size(&self, data: &Problem, array: &Array, run: &Range<usize>) -> Option<i32> {
        let find = || size_of(largest(data, array, run));
        let start = run.start / CHUNK * CHUNK;
        let is_whole = *run == (start..data.len().min(start + CHUNK));
        match self.sizes.get(run.start / CHUNK).filter(|_| is_whole) {
            Some(size) => *size.get_or_init(find),
            None => find(),
        }
    }
}

impl Facts {
    /// The facts about X and T; chunks are gone through only if they hold whole
    /// numbers of 64 bits.
    pub(super) fn of(data: &Problem) -> Self {
        let of = |array| ArrayFacts::of(data, array);
        Self { x: of(data.x()), t: data.t().map(of).unwrap_or_default() }
    }

    /// Whether every number is read as it is, wherever its range allows it.
    pub(super) fn is_plain(&self) -> bool {
        self.x.shifted.is_empty() && self.t.shifted.is_empty()
    }

    /// Whether f64 holds sums of numbers as they are, and the squares in them.
    pub(super) fn holds(&self, sums: &LossSums) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let weight = sums.weight_sum / sums.n as f64;
        sums.n == 0 || (is_safe(sums.rr / sums.weight_sum) && weight_exponent(weight) == 0)
    }

    /// The frame of a run, which lies within a chunk.
    pub(super) fn frame(&self, data: &Problem, run: &Range<usize>) -> Frame {
        if self.is_plain() {
            return Frame::default();
        }
        let x = self.x.reading(data, data.x(), run);
        let t = data.t().map(|t| self.t.reading(data, t, run)).unwrap_or_default();
        Frame { readings: Readings { x, t }, ..Frame::default() }
    }

    /// The sums over a run at a W and b, by a pass in the frame that the first one
    /// shows to be right.
    pub(super) fn sums_of(
        &self,
        data: &Problem,
        run: &Range<usize>,
        at: Affine,
        pass: impl Fn(&Frame) -> SumsAccumulator,
    ) -> SumsAt {
        let mut frame = self.frame(data, run);
        let mut sums = pass(&frame);
        if let Some(other) = frame.for_residuals(data, self, run, at, &sums.total()) {
            frame = other;
            sums = pass(&frame);
        }
        SumsAt { at, sums: sums.of_readings(&frame.readings, frame.weight_exponent) }
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

    /// A notice for each array with elements that are not exact in f64, as they
    /// are read.
    pub(super) fn notices(&self, data: &Problem) -> Vec<Notice> {
        let first = self.frame(data, &(0..CHUNK.min(data.len()))).readings;
        all_notices(data, &first, [self.x.rounded, self.t.rounded])
    }
}

/// One frame for all elements, of an engine that needs no more than that.
pub(super) fn whole_readings(data: &Problem) -> Readings {
    let reading = |array: &Array| {
        let is_rounded = data.t().is_some() && rounded_elements(data, array, 0) > 0;
        let shift = is_rounded.then(|| first_whole(data, array, &(0..data.len()))).flatten();
        Reading { shift: shift.unwrap_or(0), exponent: 0 }
    };
    Readings { x: reading(data.x()), t: data.t().map(reading).unwrap_or_default() }
}

/// A notice for each array with elements that are not exact in f64, all of them
/// read in one way.
pub(super) fn notices(data: &Problem, readings: &Readings) -> Vec<Notice> {
    let x = rounded_elements(data, data.x(), readings.x.shift);
    let t = data.t().map_or(0, |t| rounded_elements(data, t, readings.t.shift));
    all_notices(data, readings, [x, t])
}

/// The notices of so many rounded elements of X and T, and those of the weights.
fn all_notices(data: &Problem, readings: &Readings, [x, t]: [u64; 2]) -> Vec<Notice> {
    let notice = |array: &Array, reading: Reading, count: u64| {
        (count > 0).then(|| Notice::Rounded {
            label: array.label().to_owned(),
            from: array.element(),
            to: ElementType::F64,
            shift: Double::whole(reading.shift).value(),
            count,
            n: array.len() as u64,
        })
    };
    let all = [
        notice(data.x(), readings.x, x),
        data.t().and_then(|array| notice(array, readings.t, t)),
        data.weights().and_then(|array| notice(array, Reading::default(), rounded_elements(data, array, 0))),
    ];
    all.into_iter().flatten().collect()
}

/// True if an array holds whole numbers of 64 bits, of which f64 does not hold
/// all.
fn is_wide(array: &Array) -> bool {
    matches!(array.element(), ElementType::U64 | ElementType::I64)
}

/// The first valid element of a run, of whole numbers of 64 bits.
fn first_whole(data: &Problem, array: &Array, run: &Range<usize>) -> Option<i128> {
    array.whole_at(data.order(), data.first_valid(run)?)
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
const SCAN_ELEMENTS: usize = 1 << 14;

/// The number of valid elements of an array that f64 rounds once a shift was
/// taken off them.
fn rounded_elements(data: &Problem, array: &Array, shift: i128) -> u64 {
    if !is_wide(array) {
        return 0;
    }
    let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
    let counts = all.into_par_iter().map(|chunk| {
        let count = rounded(data, array, shift, &chunk);
        array.release(data.order(), chunk);
        count
    });
    counts.sum()
}

/// The same of a range. Its memory is not given back.
fn rounded(data: &Problem, array: &Array, shift: i128, range: &Range<usize>) -> u64 {
    let (mut values, mut rests) = (vec![0.0; SCAN_ELEMENTS], vec![0.0; SCAN_ELEMENTS]);
    let mut count = 0;
    for part in chunks(range.clone(), SCAN_ELEMENTS) {
        let rests = &mut rests[..part.len()];
        array.read_shifted(data.order(), part.start, shift, &mut values[..part.len()], Some(rests));
        // Whatever stands in the place of a missing value is no number of the data.
        let is_lost = |(k, rest): &(usize, &f64)| **rest != 0.0 && is_valid(data, part.start + k);
        count += rests.iter().enumerate().filter(is_lost).count() as u64;
    }
    count
}

/// The largest size of a valid element of a range.
fn largest(data: &Problem, array: &Array, range: &Range<usize>) -> f64 {
    let mut values = vec![0f64; SCAN_ELEMENTS.min(range.len())];
    let mut most = 0f64;
    for part in chunks(range.clone(), SCAN_ELEMENTS) {
        let values = &mut values[..part.len()];
        array.read(data.order(), part.start, values);
        for (k, value) in values.iter().enumerate() {
            // Few are larger than all before; the others need no other look.
            if value.abs() > most && value.is_finite() && is_valid(data, part.start + k) {
                most = value.abs();
            }
        }
    }
    most
}

fn is_valid(data: &Problem, k: usize) -> bool {
    data.validity().is_none_or(|validity| validity.contains(k))
}

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small numbers, or rounding is meant"
)]
mod tests {
    use super::*;
    use crate::math::PivotSums;

    /// Three chunks, the last one short, of zeros but for two elements.
    fn zeros() -> Problem {
        let n = 2 * CHUNK + 5;
        let mut values = vec![0.0; n];
        (values[CHUNK + 3], values[2 * CHUNK + 4]) = (-1e-200, 1e200);
        let column = |label, values: Vec<f64>| Array::from_vec(label, &[n as u64], values);
        Problem::pair(column("x", values.clone()), column("t", values)).unwrap()
    }

    #[test]
    fn a_chunk_is_gone_through_for_its_size_once() {
        let data = zeros();
        let facts = Facts::of(&data);
        let known = |facts: &Facts| facts.x.sizes.iter().map(|size| size.get().copied()).collect::<Vec<_>>();
        assert_eq!(known(&facts), [None; 3], "nobody asked");
        let moments = Moments::from_pivot_sums(&PivotSums { n: 1, weight_sum: 1.0, ..PivotSums::default() });
        let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
        for _ in 0..2 {
            let frames = all.iter().map(|run| Frame::default().for_moments(&data, &facts, run, &moments));
            let units = frames.map(|frame| frame.map(|frame| frame.readings.x.exponent));
            assert_eq!(units.collect::<Vec<_>>(), [None, Some(665), Some(-664)]);
            assert_eq!(known(&facts), [Some(None), Some(Some(-665)), Some(Some(664))]);
        }
        // What is known is taken for what is there.
        facts.x.sizes.iter().for_each(|size| assert!(size.set(Some(0)).is_err()));
        let marked = Facts::of(&data);
        marked.x.sizes[1].set(Some(500)).unwrap();
        let frame = Frame::default().for_moments(&data, &marked, &all[1], &moments).unwrap();
        assert_eq!(frame.readings.x.exponent, -500);
    }

    /// A run of a fit that has only some of the chunk's elements is not the chunk.
    #[test]
    fn a_part_of_a_chunk_has_a_size_of_its_own() {
        let data = zeros();
        let facts = Facts::of(&data);
        assert_eq!(facts.x.size(&data, data.x(), &(CHUNK..2 * CHUNK)), Some(-665));
        assert_eq!(facts.x.size(&data, data.x(), &(CHUNK..CHUNK + 3)), None);
        assert_eq!(facts.x.size(&data, data.x(), &(2 * CHUNK..2 * CHUNK + 4)), None);
        assert_eq!(facts.x.size(&data, data.x(), &(2 * CHUNK..data.len())), Some(664));
    }

    /// Of the first chunk, every other element is rounded as it is and none less
    /// the first; of the second, none; of the third, one either way.
    #[test]
    fn rounded_elements_are_counted_as_they_are_read() {
        let n = 2 * CHUNK + 3;
        let mut values: Vec<i64> = (0..n as i64).map(|k| (1 << 60) + k).collect();
        values[CHUNK..2 * CHUNK].iter_mut().enumerate().for_each(|(k, value)| *value = k as i64);
        values[2 * CHUNK..].copy_from_slice(&[0, 1, (1 << 60) + 1]);
        let t = vec![0f64; n];
        let column = Array::from_vec("x", &[n as u64], values);
        let data = Problem::pair(column, Array::from_vec("t", &[n as u64], t)).unwrap();
        let facts = Facts::of(&data);
        assert_eq!((&facts.x.shifted[..], facts.x.rounded), (&[true, false, true][..], 1));
        assert_eq!((&facts.t.shifted[..], facts.t.rounded), (&[][..], 0));
        let notices = facts.notices(&data);
        let [Notice::Rounded { shift, count: 1, .. }] = &notices[..] else { panic!("{notices:?}") };
        assert_eq!(*shift, 2f64.powi(60));
        // Less the first of all, small numbers are rounded, too.
        let readings = whole_readings(&data);
        assert_eq!(readings.x.shift, 1 << 60);
        let notices = super::notices(&data, &readings);
        let [Notice::Rounded { count, .. }] = &notices[..] else { panic!("{notices:?}") };
        let small = values_rounded(1 << 60, (0..CHUNK as i128).chain([0, 1]));
        assert_eq!(*count, small);
    }

    fn values_rounded(shift: i128, values: impl Iterator<Item = i128>) -> u64 {
        values.filter(|value| (value - shift) as f64 as i128 != value - shift).count() as u64
    }
}
