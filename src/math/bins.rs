//! Histograms: bins of equal width, and what falls into them.

/// Bins of equal width along an axis, as NumPy's `histogram` has them: each holds
/// its left edge, and the last one its right edge too.
#[derive(Debug, Clone, PartialEq)]
pub struct BinAxis {
    edges: Vec<f64>,
    per_unit: f64,
}

impl BinAxis {
    /// So many bins, at least one, from `low` to `high`. Of a single value the bins
    /// reach ½ to either side, or as far as it takes to tell them apart.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand bins")]
    pub fn new(low: f64, high: f64, bins: usize) -> Self {
        let bins = bins.max(1);
        let (low, high) =
            if low < high && low.is_finite() && high.is_finite() { (low, high) } else { around(low) };
        // NumPy's `linspace`; half of each where the difference is beyond f64.
        let (width, n) = (high - low, bins as f64);
        let edge = |k: usize| {
            if width.is_finite() {
                k as f64 * (width / n) + low
            } else {
                2.0 * (k as f64 * ((high / 2.0 - low / 2.0) / n) + low / 2.0)
            }
        };
        let mut edges: Vec<f64> = (0..bins).map(edge).collect();
        edges.push(high);
        let per_unit = n / width;
        Self { edges, per_unit: if per_unit.is_finite() { per_unit } else { 0.0 } }
    }

    /// The number of bins.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.edges.len() - 1
    }

    /// The edges, one more than bins.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// The first and the last edge.
    #[must_use]
    pub fn range(&self) -> [f64; 2] {
        [self.edges[0], self.edges[self.bins()]]
    }

    /// The middle of a bin.
    #[must_use]
    pub fn middle(&self, bin: usize) -> f64 {
        self.edges[bin] / 2.0 + self.edges[bin + 1] / 2.0
    }

    /// The bin of a value; none outside the range.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bins, and checked against their edges"
    )]
    pub fn bin(&self, value: f64) -> Option<usize> {
        let [low, high] = self.range();
        if !(low..=high).contains(&value) {
            return None;
        }
        let last = self.bins() - 1;
        let near = (((value - low) * self.per_unit) as usize).min(last);
        let is_in = |k: usize| self.edges[k] <= value && (value < self.edges[k + 1] || k == last);
        if is_in(near) {
            return Some(near);
        }
        Some((self.edges.partition_point(|&edge| edge <= value).max(1) - 1).min(last))
    }
}

/// The range of the bins of a single value.
fn around(value: f64) -> (f64, f64) {
    /// Far from 0 a half is lost to rounding, or leaves bins without width: 2⁻³².
    const SHARE: f64 = 1.0 / 4_294_967_296.0;
    let value = if value.is_finite() { value } else { 0.0 };
    let half = 0.5f64.max(value.abs() * SHARE);
    (value - half, value + half)
}

/// A two-dimensional histogram: the number of values in each bin and, of weighted
/// ones, the sum of their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    x: BinAxis,
    y: BinAxis,
    counts: Vec<u64>,
    /// Empty without weights.
    weights: Vec<f64>,
    outside: u64,
}

impl Bins {
    /// Empty bins.
    #[must_use]
    pub fn new(x: BinAxis, y: BinAxis, is_weighted: bool) -> Self {
        let cells = x.bins() * y.bins();
        let weights = if is_weighted { vec![0.0; cells] } else { Vec::new() };
        Self { x, y, counts: vec![0; cells], weights, outside: 0 }
    }

    /// Puts a value into its bin.
    pub fn add(&mut self, x: f64, y: f64, weight: f64) {
        let Some((column, row)) = self.x.bin(x).zip(self.y.bin(y)) else {
            self.outside += 1;
            return;
        };
        let cell = row * self.x.bins() + column;
        self.counts[cell] += 1;
        if let Some(sum) = self.weights.get_mut(cell) {
            *sum += weight;
        }
    }

    /// Adds the contents of other bins over the same axes.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        debug_assert!(self.x == other.x && self.y == other.y, "bins of other axes");
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        self.weights.iter_mut().zip(&other.weights).for_each(|(sum, weight)| *sum += weight);
        self.outside += other.outside;
        self
    }

    /// The axis of the columns.
    #[must_use]
    pub fn x(&self) -> &BinAxis {
        &self.x
    }

    /// The axis of the rows.
    #[must_use]
    pub fn y(&self) -> &BinAxis {
        &self.y
    }

    /// The numbers of values, row by row of y.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of values in all bins.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The number of values outside the range of either axis.
    #[must_use]
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// The size of a bin's contents: the sum of weights or, without weights, the
    /// number of values.
    #[must_use]
    pub fn size(&self, column: usize, row: usize) -> f64 {
        self.sizes(row * self.x.bins() + column)
    }

    /// The sizes of all columns, whatever the row.
    #[must_use]
    pub fn columns(&self) -> Vec<f64> {
        (0..self.x.bins()).map(|x| (0..self.y.bins()).map(|y| self.size(x, y)).sum()).collect()
    }

    /// The sizes of all rows, whatever the column.
    #[must_use]
    pub fn rows(&self) -> Vec<f64> {
        (0..self.y.bins()).map(|y| (0..self.x.bins()).map(|x| self.size(x, y)).sum()).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    fn sizes(&self, cell: usize) -> f64 {
        self.weights.get(cell).copied().unwrap_or(self.counts[cell] as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binned(axis: &BinAxis, values: &[f64]) -> Vec<u64> {
        let mut bins = Bins::new(axis.clone(), BinAxis::new(0.0, 1.0, 1), false);
        values.iter().for_each(|&value| bins.add(value, 0.5, 1.0));
        bins.counts().to_vec()
    }

    /// `numpy.histogram([1, 2, 2.5, 3, 4], 3)`: edges 1, 2, 3, 4 and counts 1, 2, 2.
    #[test]
    fn the_last_bin_holds_its_right_edge() {
        let axis = BinAxis::new(1.0, 4.0, 3);
        assert_eq!(axis.edges(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(binned(&axis, &[1.0, 2.0, 2.5, 3.0, 4.0]), [1, 2, 2]);
        assert_eq!([0.999, 4.001, f64::NAN].map(|value| axis.bin(value)), [None; 3]);
    }

    /// `numpy.histogram` of 0, 0.1, …, 1 in ten bins: the edges 3·0.1 and 6·0.1,
    /// 7·0.1 lie above the numbers 0.3, 0.6, 0.7, which fall into the bins before.
    #[test]
    fn edges_decide_and_not_quotients() {
        let axis = BinAxis::new(0.0, 1.0, 10);
        let values = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
        assert_eq!(binned(&axis, &values), [1, 1, 2, 0, 1, 2, 1, 0, 1, 2]);
    }

    #[test]
    fn odd_ranges_have_bins() {
        assert_eq!(BinAxis::new(7.0, 7.0, 2).edges(), [6.5, 7.0, 7.5]);
        for (low, high) in [
            (1e17, 1e17),
            (-1.7e308, 1.7e308),
            (5e-324, 1e-323),
            (0.0, 5e-324),
            (1e15, 1e15 + 0.25),
            (-0.0, 0.0),
        ] {
            let axis = BinAxis::new(low, high, 100);
            assert!(axis.edges().is_sorted() && axis.edges().iter().all(|edge| edge.is_finite()), "{low}");
            for value in [low, high, low / 2.0 + high / 2.0] {
                let bin = axis.bin(value).unwrap();
                assert!(axis.edges()[bin] <= value && value <= axis.edges()[bin + 1], "{low} {value}");
            }
        }
    }

    #[test]
    fn weights_and_marginals_add_up() {
        let (x, y) = (BinAxis::new(0.0, 2.0, 2), BinAxis::new(0.0, 3.0, 3));
        let mut bins = Bins::new(x, y, true);
        for (x, y, w) in [(0.5, 0.5, 2.0), (1.5, 0.5, 0.25), (2.0, 3.0, 0.5), (0.5, 4.0, 9.0)] {
            bins.add(x, y, w);
        }
        let twice = bins.clone().merge(&bins);
        assert_eq!((twice.total(), twice.outside()), (6, 2));
        assert_eq!((twice.columns(), twice.rows()), (vec![4.0, 1.5], vec![4.5, 0.0, 1.0]));
        assert_eq!(twice.size(1, 2), 1.0);
    }
}
