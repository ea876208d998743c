use super::packing::Packing;
use super::{Precision, split};
use crate::data::{Dataset, ElementType, Matrix};
use crate::math::{Affine, ResidualSums};

/// How a matrix's elements are brought to the device: e as (e − pivot)·scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Passage {
    /// How they lie there.
    pub(super) packing: Packing,
    /// What is taken off in f64, before f32 has to hold the rest: 0 unless the
    /// elements have more digits than f32 and lie far from 0 for their spread.
    pub(super) pivot: f64,
    /// A power of two: other than 1 only for weights too large or too small for
    /// f32 sums.
    pub(super) scale: f64,
    /// A point near the mean of what is on the device.
    pub(super) middle: f32,
}

/// What the passes of a dataset read: X, T, weights and bits for holes, as far
/// as there are any, and how each lies on the device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Inputs {
    pub(super) x: Passage,
    /// Like X where there is no T.
    pub(super) t: Passage,
    pub(super) weights: Option<Passage>,
    pub(super) has_holes: bool,
    has_t: bool,
}

/// Standard deviations from 0 at which a mean counts as far: nearer, taking it
/// off would gain no more than two bits, and cost those that were exact theirs.
const FAR: f64 = 4.0;

/// Mean weights within these powers of two of 1 stay as they are.
const WEIGHT_BITS: f64 = 20.0;

impl Inputs {
    /// Looks at some elements from all over the data.
    pub(super) fn of(data: &Dataset) -> Self {
        let x = Passage::of_values(data.x(), data);
        Self {
            x,
            t: data.t().map_or(x, |t| Passage::of_values(t, data)),
            weights: data.weights().map(|weights| Passage::of_weights(weights, data)),
            has_holes: data.validity().is_some(),
            has_t: data.t().is_some(),
        }
    }

    /// What there is of X, T and weights.
    fn passages(&self) -> impl Iterator<Item = Passage> {
        [Some(self.x), self.has_t.then_some(self.t), self.weights].into_iter().flatten()
    }

    /// Bytes of buffers for so many pairs, without the bits.
    pub(super) fn padded_bytes(&self, elements: usize) -> u64 {
        self.passages().map(|passage| passage.packing.padded_bytes(elements)).sum()
    }

    /// Bytes that a pass reads for each pair.
    pub(super) fn pair_bytes(&self) -> usize {
        self.passages().map(|passage| passage.packing.size()).sum()
    }

    /// W and b for what is on the device: with p and q the pivots of X and T,
    /// x·W + b − t = (x − p)·W + (b + p·W − q) − (t − q).
    pub(super) fn to_device(self, at: Affine) -> Affine {
        Affine { bias: at.bias + at.weight.mul_add(self.x.pivot, -self.t.pivot), ..at }
    }

    /// The other way round.
    pub(super) fn from_device(self, at: Affine) -> Affine {
        Affine { bias: at.bias - at.weight.mul_add(self.x.pivot, -self.t.pivot), ..at }
    }

    /// W and b that predict from what is on the device.
    pub(super) fn to_predict(self, at: Affine) -> Affine {
        Affine { bias: at.weight.mul_add(self.x.pivot, at.bias), ..at }
    }

    /// The sums over the data behind those over what is on the device, whose n
    /// and Σ w the device doesn't know.
    pub(super) fn sums(self, sums: ResidualSums, data: &Dataset) -> ResidualSums {
        let scale = self.weights.map_or(1.0, |weights| weights.scale);
        let (rr, rx, r) = (sums.rr / scale, sums.rx / scale, sums.r / scale);
        let rx = if self.x.pivot == 0.0 { rx } else { self.x.pivot.mul_add(r, rx) };
        ResidualSums { n: data.valid_len(), weight_sum: data.weight_sum(), rr, rx, r }
    }

    /// A point as the kernels want W and b.
    pub(super) fn model(self, at: Affine, precision: Precision) -> [u8; 16] {
        let at = self.to_device(at);
        match precision {
            Precision::Fast | Precision::Compensated => bytemuck::cast([split(at.weight), split(at.bias)]),
            Precision::F64 => bytemuck::cast([at.weight, at.bias]),
        }
    }
}

impl Passage {
    /// Of X or T.
    fn of_values(matrix: &Matrix, data: &Dataset) -> Self {
        let (packing, sample) = (Packing::of(matrix.element()), Sample::of(matrix, data));
        let has_more_digits = packing == Packing::F32 && !matrix.element().is_exact_in_f32();
        let pivot = if has_more_digits { sample.pivot(matrix.element()) } else { 0.0 };
        Self { packing, pivot, scale: 1.0, middle: split(sample.mean - pivot)[0] }
    }

    fn of_weights(matrix: &Matrix, data: &Dataset) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let mean = data.weight_sum() / data.valid_len() as f64;
        let bits = mean.log2().round();
        if bits.abs() <= WEIGHT_BITS {
            return Self { packing: Packing::of(matrix.element()), pivot: 0.0, scale: 1.0, middle: 1.0 };
        }
        // Within f64 as well; what then leaves f32 is found on the way there.
        let scale = (-bits.clamp(-1000.0, 1000.0)).exp2();
        Self { packing: Packing::F32, pivot: 0.0, scale, middle: 1.0 }
    }

    /// Whether elements are sent as they are, or rounded to f32 and no more.
    pub(super) fn is_plain(&self) -> bool {
        self.pivot == 0.0 && self.scale == 1.0
    }

    /// An element on its way to the device, before f32 rounds it.
    pub(super) fn apply(&self, element: f64) -> f64 {
        (element - self.pivot) * self.scale
    }
}

/// Some elements that count, from all over a matrix.
struct Sample {
    mean: f64,
    deviation: f64,
}

impl Sample {
    const PLACES: usize = 64;
    const ELEMENTS: usize = 16;

    fn of(matrix: &Matrix, data: &Dataset) -> Self {
        let (order, n) = (data.order(), data.len());
        let mut values = Vec::with_capacity(Self::PLACES * Self::ELEMENTS);
        for place in 0..Self::PLACES.min(n) {
            let start = place * (n / Self::PLACES);
            let mut run = [0f64; Self::ELEMENTS];
            let run = &mut run[..Self::ELEMENTS.min(n - start)];
            matrix.read(order, start, run);
            let counts = |k: usize| data.validity().is_none_or(|validity| validity.contains(k));
            values.extend((start..).zip(&*run).filter(|(k, _)| counts(*k)).map(|(_, &value)| value));
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
        let mean_of = |term: &dyn Fn(f64) -> f64| values.iter().map(|&v| term(v - first)).sum::<f64>() / count;
        let off = mean_of(&|d| d);
        Self { mean: first + off, deviation: (mean_of(&|d| d * d) - off * off).max(0.0).sqrt() }
    }

    /// What to take off elements of a type: 0 if they are near 0, else about
    /// their mean. On the lattice of a power of two below their deviation, so
    /// that those that lie on a coarser one, such as whole numbers, have short
    /// differences.
    fn pivot(&self, element: ElementType) -> f64 {
        if !(self.mean.is_finite() && self.deviation.is_finite()) || self.mean.abs() < FAR * self.deviation {
            return 0.0;
        }
        if self.deviation == 0.0 {
            return self.mean;
        }
        let unit = self.deviation.log2().floor().exp2();
        let unit = if element.is_float() { unit } else { unit.max(1.0) };
        let pivot = (self.mean / unit).round() * unit;
        if pivot.is_finite() { pivot } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pivot(values: &[f64], element: ElementType) -> f64 {
        Sample::of_values(values).pivot(element)
    }

    #[test]
    fn only_what_is_far_from_0_is_taken_off() {
        // Mean 2.5, deviation √1.25.
        assert_eq!(pivot(&[1.0, 2.0, 3.0, 4.0], ElementType::F64), 0.0);
        // Mean 1000.25 and deviation √(35/16) = 1.48: on the lattice of 1.
        let far = [999.0, 1000.0, 1003.0, 999.0];
        assert_eq!(pivot(&far, ElementType::F64), 1000.0);
        assert_eq!(pivot(&far.map(|v| v / 1024.0), ElementType::F64), 1000.0 / 1024.0);
        assert_eq!(pivot(&far.map(|v| -v), ElementType::I32), -1000.0);
        // Whole numbers stay whole.
        assert_eq!(pivot(&[7.0, 7.0, 7.0, 8.0], ElementType::I64), 7.0);
        assert_eq!(pivot(&[0.1; 7], ElementType::F64), 0.1);
        assert_eq!(pivot(&[], ElementType::F64), 0.0);
        assert_eq!(pivot(&[f64::MAX, -f64::MAX, f64::MAX], ElementType::F64), 0.0);
    }

    /// x = 1002, 1004 about 1000 and t = 505 about 500, W = 2, b = −1500:
    /// r = 2·1002 − 1500 − 505 = −1, and 2·2 + (2000 − 1500 − 500) − 5 = −1.
    #[test]
    fn residuals_are_those_of_the_data() {
        let passage = |pivot| Passage { packing: Packing::F32, pivot, scale: 1.0, middle: 0.0 };
        let inputs = Inputs {
            x: passage(1000.0),
            t: passage(500.0),
            weights: Some(Passage { scale: 0.5, ..passage(0.0) }),
            has_holes: false,
            has_t: true,
        };
        let at = Affine::new(2.0, -1500.0);
        let there = inputs.to_device(at);
        assert_eq!(there, Affine::new(2.0, 0.0));
        assert_eq!(inputs.from_device(there), at);
        assert_eq!(inputs.to_predict(at).apply(2.0), at.apply(1002.0));

        // Of weights 2 and 4, halved: r = −1 and 3.
        let column = |label, values: [f64; 2]| Matrix::from_vec(label, &[2], values.to_vec());
        let rules =
            crate::data::HoleRules { weights: Some(column("w", [2.0, 4.0])), ..Default::default() };
        let (x, t) = (column("x", [1002.0, 1004.0]), column("t", [505.0, 505.0]));
        let data = Dataset::pair_with(x, t, u64::MAX, rules).unwrap();
        let sums = ResidualSums { rr: 1.0 + 2.0 * 9.0, rx: -2.0 + 2.0 * 12.0, r: -1.0 + 6.0, ..Default::default() };
        let want = ResidualSums {
            n: 2,
            weight_sum: 6.0,
            rr: 2.0 + 4.0 * 9.0,
            rx: -2.0 * 1002.0 + 12.0 * 1004.0,
            r: -2.0 + 12.0,
        };
        assert_eq!(inputs.sums(sums, &data), want);
    }
}
