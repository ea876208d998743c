//! Robust weights of residuals, and the median of residuals by counting.

use std::fmt;
use std::str::FromStr;

/// The weight that a residual has in reweighted least squares, by its size u in
/// units of the [scale](Self::SCALE) of all residuals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RobustWeight {
    /// 1 up to k, and k/u beyond: every residual counts, the large ones by their
    /// sign alone (P. J. Huber, 1964).
    Huber(f64),
    /// (1 − (u/c)²)² up to c, and 0 beyond: Tukey's biweight (A. E. Beaton, J. W.
    /// Tukey, 1974).
    Tukey(f64),
    /// 1 up to k, and 0 beyond: outliers are removed.
    Clip(f64),
}

impl RobustWeight {
    /// Huber's, with 95 % of the efficiency of least squares on normal residuals.
    pub const HUBER: Self = Self::Huber(1.345);
    /// Tukey's, likewise.
    pub const TUKEY: Self = Self::Tukey(4.685);
    /// Three standard deviations of normal residuals.
    pub const CLIP: Self = Self::Clip(3.0);

    /// The median of |r| over the standard deviation of normal residuals, Φ⁻¹(¾):
    /// the scale of residuals is their median size over this.
    pub const SCALE: f64 = 0.674_489_750_196_081_7;

    /// The weight of a residual of size u ≥ 0.
    #[must_use]
    #[inline]
    pub fn of(self, u: f64) -> f64 {
        match self {
            Self::Huber(k) => k / u.max(k),
            Self::Tukey(c) => {
                let share = 1.0 - (u / c) * (u / c);
                if u <= c { share * share } else { 0.0 }
            }
            Self::Clip(k) => f64::from(u8::from(u <= k)),
        }
    }

    /// ψ′(u) of ψ(u) = u·ω(u), for u ≥ 0; at a corner that from below.
    #[must_use]
    pub fn slope(self, u: f64) -> f64 {
        match self {
            Self::Huber(k) | Self::Clip(k) => f64::from(u8::from(u <= k)),
            Self::Tukey(c) => {
                let square = (u / c) * (u / c);
                if u <= c { (1.0 - square) * (1.0 - 5.0 * square) } else { 0.0 }
            }
        }
    }

    /// The method's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Huber(_) => "huber",
            Self::Tukey(_) => "tukey",
            Self::Clip(_) => "clip",
        }
    }

    /// The residual from which weights fall, or residuals are removed.
    #[must_use]
    pub fn constant(self) -> f64 {
        match self {
            Self::Huber(k) | Self::Tukey(k) | Self::Clip(k) => k,
        }
    }
}

/// The reason why a text names no robust weight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected huber, tukey or clip, with a positive number after a colon for another constant: huber:2")]
pub struct RobustWeightError;

impl FromStr for RobustWeight {
    type Err = RobustWeightError;

    fn from_str(text: &str) -> Result<Self, RobustWeightError> {
        let (name, constant) = match text.split_once(':') {
            None => (text, None),
            Some((name, constant)) => (name, Some(constant.parse().map_err(|_| RobustWeightError)?)),
        };
        if constant.is_some_and(|constant: f64| !(constant > 0.0 && constant.is_finite())) {
            return Err(RobustWeightError);
        }
        let or = |default: Self| constant.unwrap_or(default.constant());
        match name {
            "huber" => Ok(Self::Huber(or(Self::HUBER))),
            "tukey" => Ok(Self::Tukey(or(Self::TUKEY))),
            "clip" => Ok(Self::Clip(or(Self::CLIP))),
            _ => Err(RobustWeightError),
        }
    }
}

impl fmt::Display for RobustWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.name(), self.constant())
    }
}

/// A range of sizes, which are f64 ≥ 0, by their bits, whose order is theirs:
/// [`BUCKETS`](Self::BUCKETS) neighbouring buckets of 2ˢ bit patterns each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeRange {
    /// The bits of the least size.
    pub first: u64,
    /// s.
    pub shift: u32,
}

impl SizeRange {
    /// The buckets that a pass counts in: their counts fit into the first-level
    /// cache, and six passes tell a median from any other f64.
    pub const BUCKETS: usize = 1 << 11;

    /// All sizes.
    pub const ALL: Self = Self { first: 0, shift: 52 };

    /// The bits of a size, and 0 for −0.
    #[must_use]
    #[inline]
    pub fn bits(size: f64) -> u64 {
        size.abs().to_bits()
    }

    /// The bits that follow the last bucket.
    #[must_use]
    pub fn end(self) -> u64 {
        self.first.saturating_add((Self::BUCKETS as u64) << self.shift)
    }

    /// The narrowest range about some bits that reaches 2ʷ on both sides.
    #[must_use]
    pub fn about(bits: u64, width: u32) -> Self {
        let shift = (width + 1).saturating_sub(Self::BUCKETS.ilog2()).min(52);
        let half = (Self::BUCKETS as u64) << shift >> 1;
        Self { first: bits.saturating_sub(half), shift }
    }

    /// The range of one of the buckets.
    fn within(self, bucket: usize) -> Self {
        let first = self.first + ((bucket as u64) << self.shift);
        Self { first, shift: self.shift.saturating_sub(Self::BUCKETS.ilog2()) }
    }
}

/// The weights of the elements whose residuals are of sizes in a range, by bucket:
/// whole numbers, so that they are the same however they are added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeCounts {
    /// The count of sizes below the range.
    pub below: u64,
    /// The counts of sizes in each bucket.
    pub buckets: Vec<u64>,
    /// The count of sizes beyond the range.
    pub beyond: u64,
    /// The bits of the least size beyond the range; the largest number if there is
    /// none.
    pub next: u64,
}

impl Default for SizeCounts {
    fn default() -> Self {
        Self { below: 0, buckets: vec![0; SizeRange::BUCKETS], beyond: 0, next: u64::MAX }
    }
}

impl SizeCounts {
    /// Counts a size.
    #[inline]
    pub fn add(&mut self, range: SizeRange, size: f64, weight: u64) {
        let bits = SizeRange::bits(size);
        if bits < range.first {
            self.below += weight;
            return;
        }
        let bucket = (bits - range.first) >> range.shift;
        match usize::try_from(bucket).ok().and_then(|bucket| self.buckets.get_mut(bucket)) {
            Some(count) => *count += weight,
            None if weight > 0 => {
                self.beyond += weight;
                self.next = self.next.min(bits);
            }
            None => {}
        }
    }

    /// The counts of the elements of both.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        self.below += other.below;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(count, other)| *count += other);
        self.beyond += other.beyond;
        self.next = self.next.min(other.next);
        self
    }

    fn total(&self) -> u64 {
        self.below + self.buckets.iter().sum::<u64>() + self.beyond
    }
}

/// The search for the median of sizes by counting them in ever narrower ranges,
/// without sorting or keeping them (a selection by radix).
///
/// The median is the mean of the lower and the upper one: the least size with at
/// least half of all weight at or below it, and the least with more than half. Of
/// elements without weights these are the middle ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MedianSearch {
    range: SizeRange,
}

impl MedianSearch {
    /// A search that begins with a range.
    #[must_use]
    pub fn from(range: SizeRange) -> Self {
        Self { range }
    }

    /// The range to count next.
    #[must_use]
    pub fn range(&self) -> SizeRange {
        self.range
    }

    /// The median, once the counts in [`range`](Self::range) tell it; else the range
    /// is narrower, or elsewhere, afterwards. 0 of nothing.
    pub fn narrow(&mut self, counts: &SizeCounts) -> Option<f64> {
        let total = counts.total();
        if total == 0 {
            return Some(0.0);
        }
        let half = total.div_ceil(2);
        if counts.below >= half {
            // Both medians may be apart, this one before the range.
            self.range = SizeRange::ALL;
            return None;
        }
        let mut sum = counts.below;
        let within = counts.buckets.iter().position(|count| {
            sum += count;
            sum >= half
        });
        let Some(bucket) = within else {
            self.range = SizeRange::ALL;
            return None;
        };
        if self.range.shift > 0 {
            self.range = self.range.within(bucket);
            return None;
        }
        let lower = self.range.first + bucket as u64;
        let upper = if 2 * sum > total {
            lower
        } else {
            let later = counts.buckets[bucket + 1..].iter().position(|&count| count > 0);
            later.map_or(counts.next, |further| lower + 1 + further as u64)
        };
        Some(f64::midpoint(f64::from_bits(lower), f64::from_bits(upper)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_by_hand() {
        for (method, weights) in [
            (RobustWeight::Huber(2.0), [1.0, 1.0, 1.0, 0.5]),
            (RobustWeight::Tukey(2.0), [1.0, 0.5625, 0.0, 0.0]),
            (RobustWeight::Clip(2.0), [1.0, 1.0, 1.0, 0.0]),
        ] {
            assert_eq!([0.0, 1.0, 2.0, 4.0].map(|u| method.of(u)), weights, "{method}");
            assert_eq!(method.of(f64::INFINITY), 0.0);
        }
    }

    /// ψ of Tukey's at c = 2 is u·(1 − u²/4)², so ψ′(1) = 9/16 − 1·3/4 = −3/16 and ψ′(2) = 0.
    #[test]
    fn slopes_by_hand() {
        for (method, slopes) in [
            (RobustWeight::Huber(2.0), [1.0, 1.0, 1.0, 0.0]),
            (RobustWeight::Tukey(2.0), [1.0, -0.1875, 0.0, 0.0]),
            (RobustWeight::Clip(2.0), [1.0, 1.0, 1.0, 0.0]),
        ] {
            assert_eq!([0.0, 1.0, 2.0, 4.0].map(|u| method.slope(u)), slopes, "{method}");
        }
        // Halfway between, they are the differences of ψ.
        for method in [RobustWeight::HUBER, RobustWeight::TUKEY] {
            for u in [0.3, 1.0, 2.2, 4.0, 6.0] {
                let psi = |u: f64| u * method.of(u);
                let slope = (psi(u + 1e-6) - psi(u - 1e-6)) / 2e-6;
                assert!((slope - method.slope(u)).abs() < 1e-8, "{method}, {u}: {slope}");
            }
        }
    }

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        assert_eq!("tukey".parse(), Ok(RobustWeight::TUKEY));
        for text in ["huber:1.345", "tukey:4.0", "clip:2.5"] {
            assert_eq!(text.parse::<RobustWeight>().unwrap().to_string(), text);
        }
        for text in ["", "mad", "huber:", "huber:0", "clip:-1", "tukey:nan", "tukey:inf", "clip:3:4"] {
            assert!(text.parse::<RobustWeight>().is_err(), "{text}");
        }
    }

    fn median(sizes: &[(f64, u64)], start: SizeRange) -> (f64, u32) {
        let mut search = MedianSearch::from(start);
        for passes in 1..40 {
            let mut counts = SizeCounts::default();
            sizes.iter().for_each(|&(size, weight)| counts.add(search.range(), size, weight));
            if let Some(median) = search.narrow(&counts) {
                return (median, passes);
            }
        }
        panic!("no end")
    }

    /// Sizes over many orders, 0 and subnormal numbers among them, odd and even.
    #[test]
    fn the_median_is_that_of_sorted_sizes() {
        let sizes: Vec<f64> = (0..1000u32)
            .map(|k| {
                let k = k.wrapping_mul(2_654_435_761) >> 12;
                f64::from(k % 997) * 10f64.powi(i32::try_from(k % 640).unwrap() - 320)
            })
            .collect();
        for n in [1, 2, 3, 10, 999, 1000] {
            let mut sorted = sizes[..n].to_vec();
            sorted.sort_by(f64::total_cmp);
            let want = f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
            let sizes: Vec<_> = sizes[..n].iter().map(|&size| (-size, 1)).collect();
            assert_eq!(median(&sizes, SizeRange::ALL), (want, 6), "{n}");
            for width in [0, 5, 30, 62] {
                for near in [want, want * 1.5, 1e300, 0.0] {
                    let start = SizeRange::about(near.to_bits(), width);
                    assert_eq!(median(&sizes, start).0, want, "{n}, from {near:e}, {width}");
                }
            }
        }
        // Nearly known, it takes few passes.
        let sizes: Vec<_> = sizes[..999].iter().map(|&size| (size, 1)).collect();
        let (want, _) = median(&sizes, SizeRange::ALL);
        assert!(median(&sizes, SizeRange::about(want.to_bits(), 10)).1 <= 2);
    }

    /// 1, 2, 3 with weights 1, 1, 2: half of the weight is at or below 2, so the
    /// median is between 2 and 3; with 1, 1, 3 it is 3; nothing counts 0 times.
    #[test]
    fn a_weight_is_a_number_of_elements() {
        let weighted = |weights: [u64; 3]| {
            let sizes = [(1.0, weights[0]), (2.0, weights[1]), (3.0, weights[2]), (1e9, 0)];
            median(&sizes, SizeRange::ALL).0
        };
        assert_eq!(weighted([1, 1, 2]), 2.5);
        assert_eq!(weighted([1, 1, 3]), 3.0);
        assert_eq!(weighted([1, 0, 1]), 2.0);
        assert_eq!(weighted([0, 0, 0]), 0.0);
    }

    /// The middle ones are far apart, so that the upper is beyond the last range.
    #[test]
    fn an_even_median_reaches_beyond_its_range() {
        assert_eq!(median(&[(1.0, 1), (3e200, 1)], SizeRange::ALL).0, 1.5e200);
    }

    #[test]
    fn counts_merge() {
        let range = SizeRange { first: 1f64.to_bits(), shift: 52 };
        let sizes = [0.5, 1.0, 1.5, 2.0, 1e3, f64::INFINITY];
        let count = |sizes: &[f64]| {
            let mut counts = SizeCounts::default();
            sizes.iter().for_each(|&size| counts.add(range, size, 2));
            counts
        };
        assert_eq!(count(&sizes[..2]).merge(&count(&sizes[2..])), count(&sizes));
        assert_eq!((count(&sizes).below, &count(&sizes).buckets[..2]), (2, &[4, 2][..]));
    }
}
