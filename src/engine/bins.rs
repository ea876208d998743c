//! Passes for pictures: the extremes of the data, and histograms of them. They are
//! computed on the host, whatever the engine.

use super::EngineError;
use super::pairs::{Pair, fold};
use crate::array::{Order, Problem, Shape};
use crate::math::{Affine, BinAxis, Bins};

/// The least and the largest of some numbers over the valid pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// The range of x.
    pub x: [f64; 2],
    /// The range of t.
    pub t: [f64; 2],
    /// The range of the residuals x·W + b − t.
    pub residual: [f64; 2],
}

impl Default for Extremes {
    fn default() -> Self {
        let none = [f64::INFINITY, f64::NEG_INFINITY];
        Self { x: none, t: none, residual: none }
    }
}

impl Extremes {
    fn add(&mut self, pair: &Pair) {
        for (extremes, value) in self.all().into_iter().zip([pair.x, pair.t, pair.residual]) {
            *extremes = [extremes[0].min(value), extremes[1].max(value)];
        }
    }

    fn merge(mut self, mut other: Self) -> Self {
        for (extremes, [low, high]) in self.all().into_iter().zip(other.all().map(|of| *of)) {
            *extremes = [extremes[0].min(low), extremes[1].max(high)];
        }
        self
    }

    fn all(&mut self) -> [&mut [f64; 2]; 3] {
        [&mut self.x, &mut self.t, &mut self.residual]
    }
}

/// The bins that a pass fills.
#[derive(Debug, Clone)]
pub struct BinPlan {
    /// W and b of the residuals.
    pub at: Affine,
    /// The bins of t against x: the axis of x, and that of t.
    pub t_of_x: [BinAxis; 2],
    /// The bins of residuals against x.
    pub residual_of_x: [BinAxis; 2],
    /// The bins of residuals alone, as fine as quantiles need.
    pub residuals: BinAxis,
    /// The most rows and columns of the blocks whose mean residual is found.
    pub blocks: [usize; 2],
}

/// The bins of a plan, filled.
#[derive(Debug, Clone)]
pub struct Binned {
    /// T against X.
    pub t_of_x: Bins,
    /// Residuals against X.
    pub residual_of_x: Bins,
    /// Residuals alone, in one row.
    pub residuals: Bins,
    /// The sizes of the residuals below and above these bins.
    pub beyond: [f64; 2],
    /// The mean residual of blocks of neighbouring elements.
    pub blocks: BlockMeans,
}

/// Mean residuals of blocks of neighbours: of an array with rows and columns by
/// rectangles, one over the other where it has more axes, of any other by runs.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockMeans {
    /// Rows and columns of the array.
    pub extents: [usize; 2],
    /// Rows and columns of blocks.
    pub blocks: [usize; 2],
    /// Elements between neighbours along rows and columns.
    strides: [usize; 2],
    sums: Vec<f64>,
    weights: Vec<f64>,
}

impl BlockMeans {
    fn new(shape: &Shape, order: Order, most: [usize; 2]) -> Self {
        let extent = |axis: usize| usize::try_from(shape.0[axis]).unwrap_or(usize::MAX).max(1);
        let count = shape.0.len();
        let (extents, strides) = if shape.is_linear() || count < 2 {
            let elements = shape.elements().and_then(|elements| usize::try_from(elements).ok());
            ([1, elements.unwrap_or(1).max(1)], [usize::MAX, 1])
        } else {
            let stride = |axis: usize| shape.strides(order)[axis].unsigned_abs().max(1);
            ([extent(count - 2), extent(count - 1)], [stride(count - 2), stride(count - 1)])
        };
        let most = if extents[0] == 1 { [1, most[0] * most[1]] } else { most };
        let blocks = [0, 1].map(|axis| extents[axis].min(most[axis]).max(1));
        let cells = blocks[0] * blocks[1];
        Self { extents, blocks, strides, sums: vec![0.0; cells], weights: vec![0.0; cells] }
    }

    fn add(&mut self, k: usize, residual: f64, weight: f64) {
        let [row, column] = [0, 1].map(|axis| {
            let place = k / self.strides[axis] % self.extents[axis];
            place * self.blocks[axis] / self.extents[axis]
        });
        let cell = row * self.blocks[1] + column;
        self.sums[cell] += weight * residual;
        self.weights[cell] += weight;
    }

    fn merge(mut self, other: &Self) -> Self {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
        self.weights.iter_mut().zip(&other.weights).for_each(|(sum, other)| *sum += other);
        self
    }

    /// The mean residual of a block; none where no pair is valid.
    #[must_use]
    pub fn mean(&self, row: usize, column: usize) -> Option<f64> {
        let cell = row * self.blocks[1] + column;
        let weight = self.weights[cell];
        (weight > 0.0).then(|| self.sums[cell] / weight)
    }
}

impl Binned {
    fn new(plan: &BinPlan, data: &Problem) -> Self {
        let is_weighted = data.weights().is_some();
        let bins = |[x, y]: &[BinAxis; 2]| Bins::new(x.clone(), y.clone(), is_weighted);
        Self {
            t_of_x: bins(&plan.t_of_x),
            residual_of_x: bins(&plan.residual_of_x),
            residuals: Bins::new(plan.residuals.clone(), BinAxis::new(0.0, 0.0, 1), is_weighted),
            beyond: [0.0; 2],
            blocks: BlockMeans::new(data.x().shape(), data.order(), plan.blocks),
        }
    }

    fn add(&mut self, pair: &Pair) {
        let Pair { k, x, t, residual, weight, .. } = *pair;
        self.t_of_x.add(x, t, weight);
        self.residual_of_x.add(x, residual, weight);
        let [low, high] = self.residuals.x().range();
        if residual < low {
            self.beyond[0] += weight;
        } else if residual > high {
            self.beyond[1] += weight;
        }
        self.residuals.add(residual, 0.0, weight);
        self.blocks.add(k, residual, weight);
    }

    fn merge(self, other: &Self) -> Self {
        Self {
            t_of_x: self.t_of_x.merge(&other.t_of_x),
            residual_of_x: self.residual_of_x.merge(&other.residual_of_x),
            residuals: self.residuals.merge(&other.residuals),
            beyond: [0, 1].map(|end| self.beyond[end] + other.beyond[end]),
            blocks: self.blocks.merge(&other.blocks),
        }
    }

    /// The residual below which lies a share of all, by weight; none where it lies
    /// outside the bins.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let sizes = self.residuals.columns();
        let inside: f64 = sizes.iter().sum();
        let wanted = share * (inside + self.beyond[0] + self.beyond[1]) - self.beyond[0];
        let mut below = 0.0;
        for (bin, size) in sizes.into_iter().enumerate() {
            if size > 0.0 && wanted >= below && wanted <= below + size {
                let edges = &self.residuals.x().edges()[bin..];
                return Some(edges[0] + (wanted - below) / size * (edges[1] - edges[0]));
            }
            below += size;
        }
        None
    }
}

/// The extremes of x, t and the residuals at a W and b.
pub(super) fn extremes(data: &Problem, at: Affine) -> Result<Extremes, EngineError> {
    let runs = fold(data, at, Extremes::default, Extremes::add)?;
    Ok(runs.into_iter().fold(Extremes::default(), Extremes::merge))
}

/// Fills the bins of a plan.
pub(super) fn binned(data: &Problem, plan: &BinPlan) -> Result<Binned, EngineError> {
    let empty = || Binned::new(plan, data);
    let runs = fold(data, plan.at, empty, Binned::add)?;
    Ok(runs.iter().fold(empty(), Binned::merge))
}
