//! The validity scan: a single pass over every element of a problem, which finds
//! the valid ones, the sum of their weights, and offenders that are an error.

mod chunk;
pub(in crate::array) mod column;

use std::ops::Range;

use self::chunk::{Chunk, Offenders, Scratch, verdict};
use self::column::{Column, mark};
use super::masked::MaskedArray;
use super::validity::{Validity, ValidityRules};
use super::{Array, DataError, Order, Selection, Shape, parallel};
use crate::math::Compensated;

/// Elements that a thread scans at a time, a multiple of the bits of a word.
const CHUNK_ELEMENTS: usize = 1 << 16;

/// The findings of a validity scan.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The valid pairs, unless all are.
    pub(crate) validity: Option<Validity>,
    /// Σ w over them: their number, where there are no weights.
    pub(crate) weight_sum: f64,
}

impl Scan {
    /// Scans X and, unless only predictions are wanted, T.
    ///
    /// # Errors
    /// [`DataError::NoneValid`]; those of [`of_any`](Self::of_any).
    pub(crate) fn of(
        x: &MaskedArray,
        t: Option<&MaskedArray>,
        order: Order,
        rules: &ValidityRules,
    ) -> Result<Self, DataError> {
        let scan = Self::of_any(x, t, order, rules)?;
        match &scan.validity {
            // Predictions from no elements are no error.
            Some(validity) if validity.count() == 0 && t.is_some() => {
                let (label, excluded) = (x.array.label().to_owned(), validity.excluded());
                Err(DataError::NoneValid { label, excluded })
            }
            _ => Ok(scan),
        }
    }

    /// The same of data of which it may be that no pair is valid.
    ///
    /// # Errors
    /// [`DataError::NotFinite`] for a NaN or an infinity that no rule excludes;
    /// [`DataError::Weights`] for a bad weight, [`DataError::WeightsScale`];
    /// [`DataError::OtherShape`]; [`DataError::UnclearNodata`].
    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    pub(crate) fn of_any(
        x: &MaskedArray,
        t: Option<&MaskedArray>,
        order: Order,
        rules: &ValidityRules,
    ) -> Result<Self, DataError> {
        let column = |masked: Option<_>, given| masked.map(|masked| Column::new(masked, given)).transpose();
        let x = Column::new(x, rules.x_nodata)?;
        let t = column(t, rules.t_nodata)?;
        let (mask, weights) = (rules.mask.as_ref(), rules.weights.as_ref());
        let may_miss = x.may_miss() || t.is_some_and(|t| t.may_miss());
        let n = x.array().len();
        let (ranges, selection) = (rules.ranges(), rules.selection.as_ref());
        let all_valid = !may_miss && mask.is_none() && weights.is_none() && selection.is_none();
        if all_valid && ranges == [None; 2] {
            x.array().check_finite()?;
            t.iter().try_for_each(|t| t.array().check_finite())?;
            return Ok(Self { validity: None, weight_sum: n as f64 });
        }
        let shape_of = |masked: &MaskedArray| (masked.array.label().to_owned(), masked.array.shape().clone());
        refuse_other_shape("mask", mask.map(shape_of), x.array())?;
        refuse_other_shape("weights", weights.map(shape_of), x.array())?;
        let selected = selection.map(|selection| (selection.label().to_owned(), selection.shape().clone()));
        refuse_other_shape("condition's column", selected, x.array())?;
        let columns = Columns {
            x,
            t,
            mask: column(mask, None)?,
            weights: column(weights, None)?,
            selection,
            order,
            ranges,
        };
        let starts: Vec<usize> = (0..n).step_by(CHUNK_ELEMENTS).collect();
        let chunks: Vec<Chunk> = parallel::map_with(starts.len(), |scratch: &mut Scratch, k| {
            columns.scan(starts[k]..n.min(starts[k] + CHUNK_ELEMENTS), scratch)
        });
        let all = [Some(columns.x), columns.t, columns.mask, columns.weights];
        all.iter().flatten().try_for_each(|column| column.array().check_intact())?;
        columns.refuse_weights(&chunks)?;
        columns.refuse_not_finite(&chunks)?;
        let excluded = chunks
            .iter()
            .map(|chunk| chunk.excluded)
            .reduce(super::excluded::Excluded::combine)
            .unwrap_or_default();
        let mut weight_sum = Compensated::default();
        chunks.iter().for_each(|chunk| weight_sum.add(chunk.weight_sum.value()));
        let validity = Validity::new(chunks.into_iter().flat_map(|chunk| chunk.words).collect(), n, excluded);
        let valid = validity.count() as f64;
        let weight_sum = if weights.is_some() { weight_sum.value() } else { valid };
        if let Some(weights) = columns.weights.filter(|_| validity.count() > 0) {
            check_scale(weights.array(), weight_sum / valid)?;
        }
        Ok(Self { validity: (excluded.total() > 0).then_some(validity), weight_sum })
    }
}

fn refuse_other_shape(
    what: &'static str,
    other: Option<(String, Shape)>,
    x: &Array,
) -> Result<(), DataError> {
    match other.filter(|(_, shape)| shape != x.shape()) {
        None => Ok(()),
        Some((label, shape)) => Err(DataError::OtherShape { label, what, shape, x_shape: x.shape().clone() }),
    }
}

/// Refuses weights so large or so small, by their mean, that products with them
/// could leave f64 where the data alone do not.
fn check_scale(weights: &Array, mean: f64) -> Result<(), DataError> {
    const LEAST: f64 = 1e-60;
    if (LEAST..=1.0 / LEAST).contains(&mean) {
        return Ok(());
    }
    Err(DataError::WeightsScale { label: weights.label().to_owned(), mean })
}

/// The arrays that are scanned together.
struct Columns<'a> {
    x: Column<'a>,
    t: Option<Column<'a>>,
    mask: Option<Column<'a>>,
    weights: Option<Column<'a>>,
    selection: Option<&'a Selection>,
    order: Order,
    /// The least and the greatest valid value of X and of T.
    ranges: [Option<[f64; 2]>; 2],
}

impl Columns<'_> {
    fn scan(&self, range: Range<usize>, scratch: &mut Scratch) -> Chunk {
        let (order, start) = (self.order, range.start);
        let Scratch { xs, ts, ws, mask, verdicts } = scratch;
        verdicts.clear();
        verdicts.resize(range.len(), verdict::VALID);
        self.x.read(order, &range, xs);
        ts.clear();
        self.t.iter().for_each(|t| t.read(order, &range, ts));
        for values in [&*xs, &*ts] {
            mark(verdicts, values, verdict::NOT_FINITE, |value| !value.is_finite());
        }
        for (values, range) in [&*xs, &*ts].into_iter().zip(self.ranges) {
            if let Some([low, high]) = range {
                mark(verdicts, values, verdict::RANGE, |value| value < low || value > high);
            }
        }
        self.t.iter().for_each(|t| t.mark_missing(order, start, ts, verdicts, verdict::T_NODATA));
        self.x.mark_missing(order, start, xs, verdicts, verdict::X_NODATA);
        if let Some(weights) = self.weights {
            weights.read(order, &range, ws);
            mark(verdicts, ws, verdict::NO_WEIGHT, |w| !(w >= 0.0 && w.is_finite()));
            mark(verdicts, ws, verdict::WEIGHT, |w| w == 0.0);
            weights.mark_missing(order, start, ws, verdicts, verdict::WEIGHT);
        }
        if let Some(column) = self.mask {
            column.read(order, &range, mask);
            mark(verdicts, mask, verdict::MASK, |value| value == 0.0 || value.is_nan());
            column.mark_missing(order, start, mask, verdicts, verdict::MASK);
        }
        if let Some(selection) = self.selection {
            for (k, slot) in verdicts.iter_mut().enumerate() {
                if !selection.contains(order, start + k) {
                    *slot = verdict::CONDITION;
                }
            }
        }
        Chunk::of(start, scratch)
    }

    fn refuse_not_finite(&self, chunks: &[Chunk]) -> Result<(), DataError> {
        for (k, column) in [Some(self.x), self.t].into_iter().enumerate() {
            let Some(array) = column.map(|column| column.array()) else { continue };
            let found = Offenders::of(chunks.iter().map(|chunk| chunk.not_finite[k]));
            if let Offenders { count, first: Some(first) } = found {
                return Err(DataError::NotFinite {
                    label: array.label().to_owned(),
                    count,
                    n: array.len() as u64,
                    position: array.position(first as u64, self.order),
                });
            }
        }
        Ok(())
    }

    fn refuse_weights(&self, chunks: &[Chunk]) -> Result<(), DataError> {
        let found = Offenders::of(chunks.iter().map(|chunk| chunk.no_weights));
        let weights = self.weights.map(|column| column.array());
        let (Some(weights), Offenders { count, first: Some(first) }) = (weights, found) else {
            return Ok(());
        };
        let mut value = [0f64];
        weights.read(self.order, first, &mut value);
        Err(DataError::Weights {
            label: weights.label().to_owned(),
            count,
            n: weights.len() as u64,
            value: value[0],
            position: weights.position(first as u64, self.order),
        })
    }
}

#[cfg(test)]
mod tests;
