use std::ops::Range;

use super::buffers::split;
use super::packing::Packing;
use crate::array::{Array, ElementType, Problem};
use crate::math::Double;

/// The passage of the elements of a run of X or T to the device: e becomes
/// (e − whole) − fraction there. Whole and fraction are the host's shift; the
/// device's own is on top of it.
///
/// Runs are looked at one by one, and nothing else is: what is taken off
/// elements decides how their sums are rounded, and sums of a run have the same
/// bits in whatever company it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Passage {
    /// The shift of whole numbers of 64 bits, before f64 has to hold the rest; 0
    /// for all others.
    pub(super) whole: i128,
    /// The shift in f64, before f32 has to hold the rest: 0 unless the elements
    /// have more digits than f32 and lie far from 0 for their spread.
    pub(super) fraction: f64,
    /// A point near the mean of what is on the device, about which moments are
    /// summed there; 0 if that is near 0 for the spread.
    pub(super) device_shift: f32,
    /// Whether residuals and predictions in f32 take that shift too.
    pub(super) is_far: bool,
    /// The size of the device's elements, less the shift of residuals: a power
    /// of two.
    pub(super) size: f32,
    /// The standard deviation of some elements, however much these weigh.
    pub(super) spread: f64,
}

/// Standard deviations from 0 at which a mean is far: taking it off gains two
/// bits or more. It costs a subtraction on the device, and, on the host, elements
/// that were exact in f32 their exactness.
const FAR: f64 = 4.0;

/// The same for moments, for which it costs nothing.
const OFF_ZERO: f64 = 1.0;

impl Passage {
    /// The passage of a run, of which f64 holds the elements less `whole`.
    pub(super) fn of(matrix: &Array, data: &Problem, run: &Range<usize>, whole: i128) -> Self {
        let (element, sample) = (matrix.element(), Sample::of(matrix, data, run, whole));
        let has_more_digits = Packing::of(element) == Packing::F32 && !element.is_exact_in_f32();
        let fraction = if has_more_digits { sample.point(element, FAR) } else { 0.0 };
        Self::less(element, sample, whole, fraction)
    }

    /// The passage of a run with a shift on the host that is given.
    pub(super) fn with_host_shift(
        matrix: &Array,
        data: &Problem,
        run: &Range<usize>,
        (whole, fraction): (i128, f64),
    ) -> Self {
        Self::less(matrix.element(), Sample::of(matrix, data, run, whole), whole, fraction)
    }

    fn less(element: ElementType, sample: Sample, whole: i128, fraction: f64) -> Self {
        let rest = Sample { mean: sample.mean - fraction, ..sample };
        let device_shift = split(rest.point(element, OFF_ZERO))[0];
        // What is beyond f32 is found when it is sent.
        let device_shift = if device_shift.is_finite() { device_shift } else { 0.0 };
        let is_far = rest.mean.abs() >= FAR * rest.deviation;
        let off = if is_far { rest.mean - f64::from(device_shift) } else { rest.mean };
        let size = power_of_two(off.hypot(rest.deviation));
        Self { whole, fraction, device_shift, is_far, size, spread: sample.deviation }
    }

    /// The shift that residuals and predictions in f32 take on the device.
    pub(super) fn residual_shift(&self) -> f32 {
        if self.is_far { self.device_shift } else { 0.0 }
    }

    /// Whether elements are sent as they are, or rounded to f32 and no more.
    pub(super) fn is_plain(&self) -> bool {
        self.whole == 0 && self.fraction == 0.0
    }

    /// The whole shift on the host.
    pub(super) fn host_shift(&self) -> Double {
        Double::whole(self.whole).plus(self.fraction)
    }
}

/// The power of two at or below a size, or one that f32 has with room to spare.
fn power_of_two(size: f64) -> f32 {
    const MOST: f64 = 60.0;
    split(size.log2().floor().clamp(-MOST, MOST).exp2())[0]
}

/// Some valid elements, from all over an array.
#[derive(Debug, Clone, Copy)]
struct Sample {
    mean: f64,
    deviation: f64,
}

impl Sample {
    /// Some elements of a run, or all of few.
    fn of(matrix: &Array, data: &Problem, run: &Range<usize>, shift: i128) -> Self {
        /// The golden ratio's fraction: its multiples spread over an interval
        /// evenly, and meet no row or column of an image twice.
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        const PLACES: usize = 16;
        const ELEMENTS: usize = 4;
        /// Elements of which all are looked at.
        const FEW: usize = 256;
        let (order, n) = (data.order(), run.len());
        let (places, elements) = if n > FEW { (PLACES, ELEMENTS) } else { (1, n) };
        let mut values = Vec::with_capacity(places * elements);
        let mut near = vec![0f64; elements];
        for place in 0..places {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place somewhere in the run"
            )]
            let start = ((place as f64 * GOLDEN).fract() * n as f64) as usize;
            let mut next = run.start + start.min(n.saturating_sub(elements));
            if data.validity().is_none() {
                matrix.read_shifted(order, next, shift, &mut near, None);
                values.extend_from_slice(&near);
                continue;
            }
            for _ in 0..elements {
                let Some(k) = data.first_valid(&(next..run.end)) else { break };
                let mut value = [0f64];
                matrix.read_shifted(order, k, shift, &mut value, None);
                values.push(value[0]);
                next = k + 1;
            }
        }
        if values.is_empty()
            && let Some(k) = data.first_valid(run)
        {
            let mut value = [0f64];
            matrix.read_shifted(order, k, shift, &mut value, None);
            values.push(value[0]);
        }
        Self::of_values(&values)
    }

    /// About the first of them, so that equal ones have exactly their mean. No
    /// values at all are as good as zeros.
    #[expect(clippy::cast_precision_loss, reason = "there are at most 1,024")]
    fn of_values(values: &[f64]) -> Self {
        let first = values.first().copied().unwrap_or_default();
        let count = values.len().max(1) as f64;
        let mean_of =
            |term: &dyn Fn(f64) -> f64| values.iter().map(|&v| term(v - first)).sum::<f64>() / count;
        let off = mean_of(&|d| d);
        let variance = mean_of(&|d| d * d) - off * off;
        // NaN, of squares beyond f64, is no number to be the larger one.
        let variance = if variance.is_nan() { f64::INFINITY } else { variance.max(0.0) };
        Self { mean: first + off, deviation: variance.sqrt() }
    }

    /// A point about the mean to take off elements of a type, or 0 if the mean
    /// is less than `far` deviations from there. On the lattice of a power of
    /// two below the deviation, so that elements that lie on a finer one, such
    /// as whole numbers, have short differences.
    fn point(&self, element: ElementType, far: f64) -> f64 {
        if !(self.mean.is_finite() && self.deviation.is_finite()) || self.mean.abs() < far * self.deviation {
            return 0.0;
        }
        if self.deviation == 0.0 {
            return self.mean;
        }
        let unit = self.deviation.log2().floor().exp2();
        let unit = if element.is_float() { unit } else { unit.max(1.0) };
        let point = (self.mean / unit).round() * unit;
        if point.is_finite() { point } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;

    fn shift_of(values: &[f64], element: ElementType) -> f64 {
        Sample::of_values(values).point(element, FAR)
    }

    #[test]
    fn only_what_is_far_from_0_is_taken_off() {
        // Mean 2.5, deviation √1.25.
        assert_eq!(shift_of(&[1.0, 2.0, 3.0, 4.0], ElementType::F64), 0.0);
        // Mean 1000.25 and deviation 1.64: on the lattice of 1.
        let far = [999.0, 1000.0, 1003.0, 999.0];
        assert_eq!(shift_of(&far, ElementType::F64), 1000.0);
        assert_eq!(shift_of(&far.map(|v| v / 1024.0), ElementType::F64), 1000.0 / 1024.0);
        assert_eq!(shift_of(&far.map(|v| -v), ElementType::I32), -1000.0);
        // Whole numbers stay whole.
        assert_eq!(shift_of(&[7.0, 7.0, 7.0, 8.0], ElementType::I64), 7.0);
        assert_eq!(shift_of(&[0.1; 7], ElementType::F64), 0.1);
        assert_eq!(shift_of(&[], ElementType::F64), 0.0);
        assert_eq!(shift_of(&[f64::MAX, -f64::MAX, f64::MAX], ElementType::F64), 0.0);
        assert_eq!(shift_of(&[1.0, 2.0, -1e300, 4.0], ElementType::F64), 0.0);
    }

    /// 1000 ± 1 but for the left quarter, which is nodata: every place that is
    /// sampled first finds valid elements.
    #[test]
    fn missing_values_are_no_part_of_a_sample() {
        let value = |k: u32| if k % 64 < 16 { f64::NAN } else { 999.0 + f64::from(k % 3) };
        let x: Vec<f64> = (0..64 * 64).map(value).collect();
        let matrix = |label| Array::from_vec(label, &[64, 64], x.clone());
        let rules = crate::array::ValidityRules {
            x_nodata: Some(f64::NAN),
            t_nodata: Some(f64::NAN),
            ..Default::default()
        };
        let data = Problem::builder(matrix("x")).target(matrix("t")).rules(rules).build().unwrap();
        let sample = Sample::of(data.x(), &data, &(0..data.len()), 0);
        assert!((sample.mean - 1000.0).abs() < 0.1 && sample.deviation < 1.0, "{sample:?}");
        let masked = |valid: std::ops::Range<usize>| {
            let mask: Vec<u8> = (0..1000).map(|k| u8::from(valid.contains(&k))).collect();
            let x: Vec<f64> = (0..1000).map(f64::from).collect();
            let column = |label| Array::from_vec(label, &[1000], x.clone());
            let mask = Some(Array::from_vec("mask", &[1000], mask).into());
            let rules = crate::array::ValidityRules { mask, ..Default::default() };
            let data = Problem::builder(column("x")).target(column("t")).rules(rules).build().unwrap();
            Sample::of(data.x(), &data, &(0..data.len()), 0)
        };
        // The last element alone is found from everywhere.
        let last = masked(999..1000);
        assert_eq!((last.mean, last.deviation), (999.0, 0.0));
        assert_eq!((masked(0..1).mean, masked(250..253).mean), (0.0, 251.0));
    }
}
