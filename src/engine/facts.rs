use std::ops::Range;
use std::sync::OnceLock;

use super::frame::Frame;
use super::scan::{first_whole, largest, rounded, rounded_elements, size_of};
use super::{CHUNK, Notice, chunks};
use crate::array::parallel;
use crate::array::{Array, ElementType, Problem};
use crate::math::{Double, Reading, Readings};

/// Facts about the data that an engine finds once. Each chunk is looked at by
/// itself, so that its results do not depend on others.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) x: ArrayFacts,
    pub(super) t: ArrayFacts,
}

/// Facts about an array.
#[derive(Debug, Default)]
pub(super) struct ArrayFacts {
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
        if !array.is_wide_integer() {
            return Self { sizes, ..Self::default() };
        }
        // Predictions are made from elements as f64 has them.
        let takes_shifts = data.t().is_some();
        let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
        // Both scans of a chunk are one way through memory.
        let scans = parallel::map(all.len(), |k| {
            let chunk = all[k].clone();
            let plain = rounded(data, array, 0, &chunk);
            let is_shifted = takes_shifts && plain > 0;
            let shift = is_shifted.then(|| first_whole(data, array, &chunk)).flatten();
            let count = shift.map_or(plain, |shift| rounded(data, array, shift, &chunk));
            array.release(data.order(), chunk);
            (is_shifted, count)
        });
        let (mut shifted, counts): (Vec<bool>, Vec<u64>) = scans.into_iter().unzip();
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
    pub(super) fn size(&self, data: &Problem, array: &Array, run: &Range<usize>) -> Option<i32> {
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

    /// The frame of a run, which lies within a chunk.
    pub(super) fn frame(&self, data: &Problem, run: &Range<usize>) -> Frame {
        if self.is_plain() {
            return Frame::default();
        }
        let x = self.x.reading(data, data.x(), run);
        let t = data.t().map(|t| self.t.reading(data, t, run)).unwrap_or_default();
        Frame { readings: Readings { x, t }, ..Frame::default() }
    }

    /// A notice for each array with elements that are not exact in f64, as they
    /// are read.
    pub(super) fn notices(&self, data: &Problem) -> Vec<Notice> {
        let first = self.frame(data, &(0..CHUNK.min(data.len()))).readings;
        all_notices(data, &first, [self.x.rounded, self.t.rounded])
    }
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

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small numbers, or rounding is meant"
)]
mod tests {
    use super::*;
    use crate::math::Moments;
    use crate::math::ShiftedSums;

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
        let moments =
            Moments::from_shifted_sums(&ShiftedSums { n: 1, weight_sum: 1.0, ..ShiftedSums::default() });
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

    /// Every other element of the first chunk is rounded as it is, and none less
    /// the first; none of the second is; one of the third is either way.
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
    }
}
