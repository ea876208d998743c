use super::Precision;
use super::abi::WindowUniform;
use super::buffers::split;
use super::coarse::Sizes;
use super::packing::Packing;
use super::plan::Dispatch;
use crate::array::{Array, ElementType, Problem};
use crate::math::{Affine, Double, Line, LossSums, Readings};

/// The passage of an array's elements to the device: e becomes
/// ((e − whole) − fraction)·scale. Whole and fraction are the host's shift; the
/// device's own is on top of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passage {
    /// Their form there.
    pub(super) packing: Packing,
    /// The shift of whole numbers of 64 bits, before f64 has to hold the rest; 0
    /// for all others.
    pub(super) whole: i128,
    /// The shift in f64, before f32 has to hold the rest: 0 unless the elements
    /// have more digits than f32 and lie far from 0 for their spread.
    pub(super) fraction: f64,
    /// A power of two: other than 1 only for weights too large or too small for
    /// f32 sums.
    pub(super) scale: f64,
    /// A point near the mean of what is on the device, about which moments are
    /// summed there; 0 if that is near 0 for the spread.
    pub(super) device_shift: f32,
    /// The standard deviation of some elements from all over the data, however
    /// much these weigh.
    pub(super) spread: f64,
    /// Whether residuals and predictions in f32 take that shift too.
    pub(super) is_far: bool,
    /// The size of the device's elements, less the shift of residuals: a power
    /// of two.
    pub(super) size: f32,
}

/// The inputs of a problem's passes: X, T, weights and validity bits, as far as
/// there are any, and the form of each on the device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Inputs {
    pub(super) x: Passage,
    /// Like X where there is no T.
    pub(super) t: Passage,
    pub(super) weights: Option<Passage>,
    pub(super) has_validity: bool,
    has_t: bool,
}

/// Standard deviations from 0 at which a mean is far: taking it off gains two
/// bits or more. It costs a subtraction on the device, and, on the host, elements
/// that were exact in f32 their exactness.
const FAR: f64 = 4.0;

/// The same for moments, for which it costs nothing.
const OFF_ZERO: f64 = 1.0;

/// Mean weights within these powers of two of 1 stay as they are.
const WEIGHT_BITS: f64 = 20.0;

impl Inputs {
    /// Looks at some elements from all over the data, which f64 holds if they are
    /// read so.
    pub(super) fn of(data: &Problem, readings: &Readings) -> Self {
        let x = Passage::of_values(data.x(), data, readings.x.shift);
        Self {
            x,
            t: data.t().map_or(x, |t| Passage::of_values(t, data, readings.t.shift)),
            weights: data.weights().map(|weights| Passage::of_weights(weights, data)),
            has_validity: data.validity().is_some(),
            has_t: data.t().is_some(),
        }
    }

    /// X, T and weights, as far as there are any.
    fn passages(&self) -> impl Iterator<Item = Passage> {
        [Some(self.x), self.has_t.then_some(self.t), self.weights].into_iter().flatten()
    }

    /// Bytes of buffers for so many pairs, without the bits.
    pub(super) fn padded_bytes(&self, elements: usize) -> u64 {
        self.passages().map(|passage| passage.packing.padded_bytes(elements)).sum()
    }

    /// Groups of four pairs that buffers of so many bytes hold, of X, of T and, as
    /// far as there are any, of weights and bits.
    pub(super) fn groups(&self, x: u64, t: u64, weights: Option<u64>, validity: Option<u64>) -> u64 {
        let weights = self.weights.zip(weights).map(|(weights, bytes)| weights.packing.groups(bytes));
        let validity = validity.filter(|_| self.has_validity).map(|bytes| bytes * 8 / 4);
        let both = self.x.packing.groups(x).min(self.t.packing.groups(t));
        [weights, validity].into_iter().flatten().fold(both, u64::min)
    }

    /// Bytes that a pass reads for each pair.
    pub(super) fn pair_bytes(&self) -> usize {
        self.passages().map(|passage| passage.packing.size()).sum()
    }

    /// W and b that predict from the device's elements, less X's shift.
    pub(super) fn to_predict(self, at: Affine) -> Affine {
        let shift = self.x.host_shift().plus(f64::from(self.x.residual_shift()));
        Affine { bias: shift.times(at.weight).plus(at.bias).value(), ..at }
    }

    /// The shift of residuals with a precision.
    pub(super) fn shift(&self, precision: Precision) -> ResidualShift {
        let of = |passage: Passage| match precision {
            Precision::Fast => passage.host_shift().plus(f64::from(passage.residual_shift())),
            // They have the digits to compute about 0.
            Precision::Compensated | Precision::F64 => passage.host_shift(),
        };
        ResidualShift { x: of(self.x), t: of(self.t) }
    }

    /// The sizes of X and T less the shift of residuals.
    pub(super) fn sizes(&self) -> Sizes {
        Sizes { x: self.x.size, t: self.t.size }
    }

    /// Whether the device takes a shift off X or T.
    pub(super) fn is_shifted(&self) -> bool {
        self.x.residual_shift() != 0.0 || self.t.residual_shift() != 0.0
    }

    /// The factor of the device's weights.
    pub(super) fn weight_scale(&self) -> f64 {
        self.weights.map_or(1.0, |weights| weights.scale)
    }
}

impl WindowUniform {
    /// The window of a dispatch, whose partial sums start at number
    /// `first_partial`.
    pub(super) fn new(dispatch: &Dispatch, first_partial: u32, inputs: &Inputs) -> Self {
        let Dispatch { elements, invocations, run, .. } = *dispatch;
        let [x_shift, t_shift] = [inputs.x, inputs.t].map(|passage| passage.residual_shift());
        Self { elements, invocations, run, first_partial, zero: 0, x_shift, t_shift, unused: 0 }
    }
}

/// The shift (p, q) of X and T that residuals are computed with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ResidualShift {
    pub(super) x: Double,
    pub(super) t: Double,
}

impl ResidualShift {
    /// p·W − q.
    fn rise(self, weight: impl Into<Double>) -> Double {
        self.x.times(weight).minus(self.t)
    }

    /// W and b about it: x·W + b − t = (x − p)·W + (b + p·W − q) − (t − q).
    pub(super) fn shifted(self, at: Affine) -> Affine {
        Affine { bias: self.rise(at.weight).plus(at.bias).value(), ..at }
    }

    /// The same of a line, which has more digits: from (x₀, y₀) about it,
    /// (y₀ − q) − (x₀ − p)·W.
    pub(super) fn shifted_line(self, line: &Line) -> Affine {
        let bias = line.y.minus(self.t).minus(line.x.minus(self.x).times(line.weight));
        Affine { weight: line.weight.value(), bias: bias.value() }
    }

    /// The other way round.
    pub(super) fn unshifted(self, at: Affine) -> Affine {
        Affine { bias: Double::from(at.bias).minus(self.rise(at.weight)).value(), ..at }
    }

    /// Σ r·x from sums with (x − p): Σ r·(x − p) + p·Σ r.
    pub(super) fn unshifted_sums(self, sums: LossSums) -> LossSums {
        self.sums_about(0.0.into(), sums)
    }

    /// Σ r·(x − x₀) from sums with (x − p).
    pub(super) fn sums_about(self, x: Double, sums: LossSums) -> LossSums {
        let off = self.x.minus(x);
        if off.value() == 0.0 {
            sums
        } else {
            LossSums { rx: off.times(sums.r).plus(sums.rx).value(), ..sums }
        }
    }
}

impl Passage {
    /// The passage of X or T.
    fn of_values(matrix: &Array, data: &Problem, whole: i128) -> Self {
        let (element, sample) = (matrix.element(), Sample::of(matrix, data, whole));
        let packing = Packing::of(element);
        let has_more_digits = packing == Packing::F32 && !element.is_exact_in_f32();
        let fraction = if has_more_digits { sample.point(element, FAR) } else { 0.0 };
        let rest = Sample { mean: sample.mean - fraction, ..sample };
        let device_shift = split(rest.point(element, OFF_ZERO))[0];
        // What is beyond f32 is found when it is sent.
        let device_shift = if device_shift.is_finite() { device_shift } else { 0.0 };
        let is_far = rest.mean.abs() >= FAR * rest.deviation;
        let off = if is_far { rest.mean - f64::from(device_shift) } else { rest.mean };
        let size = power_of_two(off.hypot(rest.deviation));
        Self { packing, whole, fraction, scale: 1.0, device_shift, spread: sample.deviation, is_far, size }
    }

    fn of_weights(matrix: &Array, data: &Problem) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let mean = data.weight_sum() / data.valid_len() as f64;
        let bits = mean.log2().round();
        if bits.abs() <= WEIGHT_BITS {
            return Self {
                packing: Packing::of(matrix.element()),
                whole: 0,
                fraction: 0.0,
                scale: 1.0,
                device_shift: 0.0,
                spread: 0.0,
                is_far: false,
                size: 1.0,
            };
        }
        // Within f64 as well; what then leaves f32 is found on the way there.
        let scale = (-bits.clamp(-1000.0, 1000.0)).exp2();
        Self {
            packing: Packing::F32,
            whole: 0,
            fraction: 0.0,
            scale,
            device_shift: 0.0,
            spread: 0.0,
            is_far: false,
            size: 1.0,
        }
    }

    /// The shift that residuals and predictions in f32 take on the device.
    pub(super) fn residual_shift(&self) -> f32 {
        if self.is_far { self.device_shift } else { 0.0 }
    }

    /// Whether elements are sent as they are, or rounded to f32 and no more.
    pub(super) fn is_plain(&self) -> bool {
        self.whole == 0 && self.fraction == 0.0 && self.scale == 1.0
    }

    /// The whole shift on the host.
    pub(super) fn host_shift(&self) -> Double {
        Double::whole(self.whole).plus(self.fraction)
    }

    /// An element, less the shift, on its way to the device, before f32 rounds
    /// it.
    pub(super) fn apply(&self, element: f64) -> f64 {
        (element - self.fraction) * self.scale
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
    const PLACES: usize = 64;
    const ELEMENTS: usize = 16;

    fn of(matrix: &Array, data: &Problem, shift: i128) -> Self {
        /// The golden ratio's fraction: its multiples spread over an interval
        /// evenly, and meet no row or column of an image twice.
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let (order, n) = (data.order(), data.len());
        let mut values = Vec::with_capacity(Self::PLACES * Self::ELEMENTS);
        // Of few elements, all from one place.
        let (places, elements) =
            if n > Self::PLACES * Self::ELEMENTS { (Self::PLACES, Self::ELEMENTS) } else { (1, n) };
        for place in 0..places {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place somewhere in the matrix"
            )]
            let start = ((place as f64 * GOLDEN).fract() * n as f64) as usize;
            let mut next = start.min(n - 1);
            for _ in 0..elements {
                let Some(k) = data.next_valid(next) else { break };
                let mut value = [0f64];
                matrix.read_shifted(order, k, shift, &mut value, None);
                values.push(value[0]);
                next = k + 1;
            }
        }
        // The system may have mapped far more around what was read.
        matrix.release(order, 0..n);
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
        let sample = Sample::of(data.x(), &data, 0);
        assert!((sample.mean - 1000.0).abs() < 0.1 && sample.deviation < 1.0, "{sample:?}");
        let masked = |valid: std::ops::Range<usize>| {
            let mask: Vec<u8> = (0..1000).map(|k| u8::from(valid.contains(&k))).collect();
            let x: Vec<f64> = (0..1000).map(f64::from).collect();
            let column = |label| Array::from_vec(label, &[1000], x.clone());
            let mask = Some(Array::from_vec("mask", &[1000], mask).into());
            let rules = crate::array::ValidityRules { mask, ..Default::default() };
            let data = Problem::builder(column("x")).target(column("t")).rules(rules).build().unwrap();
            Sample::of(data.x(), &data, 0)
        };
        // The last element alone is found from everywhere.
        let last = masked(999..1000);
        assert_eq!((last.mean, last.deviation), (999.0, 0.0));
        assert_eq!((masked(0..1).mean, masked(250..253).mean), (0.0, 251.0));
    }

    /// 64 pairs are 16 groups of four: 256 bytes of f32, 64 of u8, 8 of bits. The
    /// shortest buffer decides.
    #[test]
    fn the_shortest_buffer_says_how_many_pairs_there_are() {
        let passage = |packing| Passage {
            packing,
            whole: 0,
            fraction: 0.0,
            scale: 1.0,
            device_shift: 0.0,
            spread: 0.0,
            is_far: false,
            size: 1.0,
        };
        let inputs = Inputs {
            x: passage(Packing::F32),
            t: passage(Packing::U8),
            weights: Some(passage(Packing::F32)),
            has_validity: true,
            has_t: true,
        };
        for ([x, t, weights, validity], groups) in [
            ([256, 64, 256, 8], 16),
            ([240, 64, 256, 8], 15),
            ([256, 60, 256, 8], 15),
            ([256, 64, 240, 8], 15),
            ([256, 64, 256, 4], 8),
        ] {
            assert_eq!(inputs.groups(x, t, Some(weights), Some(validity)), groups);
        }
        let plain = Inputs { weights: None, has_validity: false, ..inputs };
        assert_eq!(plain.groups(256, 64, Some(0), Some(0)), 16);
    }

    /// x = 1002, 1004 about 1000 and t = 505 about 500, W = 2, b = −1500:
    /// r = 2·1002 − 1500 − 505 = −1, and 2·2 + (2000 − 1500 − 500) − 5 = −1.
    #[test]
    fn residuals_are_those_of_the_data() {
        let shift = ResidualShift { x: 1000.0.into(), t: 500.0.into() };
        let at = Affine::new(2.0, -1500.0);
        assert_eq!(shift.shifted(at), Affine::new(2.0, 0.0));
        assert_eq!(shift.unshifted(shift.shifted(at)), at);
        // r = −1 and 3.
        let sums = LossSums { n: 2, weight_sum: 2.0, rr: 10.0, rx: -2.0 + 12.0, r: 2.0 };
        let want = LossSums { rx: -1002.0 + 3.0 * 1004.0, ..sums };
        assert_eq!(shift.unshifted_sums(sums), want);
    }
}
