//! A pass of the host: the chunks of its range, and the values that it finds of
//! each.

use std::borrow::Cow;
use std::ops::Range;

use super::{EngineError, EngineInfo, Mergeable, Partials, Source, Tree};
use crate::array::{Array, CHUNK_ELEMENTS, Problem};
use crate::math::{Line, Loss};

/// Elements of a chunk, of arrays in memory.
#[expect(clippy::cast_possible_truncation, reason = "2^16")]
pub(crate) const CHUNK: usize = CHUNK_ELEMENTS as usize;

/// T of a problem, or [`EngineError::NoTarget`].
pub(super) fn targets(data: &Problem) -> Result<&Array, EngineError> {
    data.t().ok_or(EngineError::NoTarget)
}

/// The number of fits, or [`EngineError::Points`] if there are not as many points.
pub(super) fn check_points<P>(data: &Problem, at: &[P]) -> Result<(), EngineError> {
    let fits = data.fits().range();
    let fits = fits.end - fits.start;
    if fits == at.len() as u64 { Ok(()) } else { Err(EngineError::Points { fits, points: at.len() }) }
}

/// Fails with [`EngineError::Points`] if there is more than one fit: of a pass at
/// one line.
pub(super) fn check_one_fit(data: &Problem, line: &Line) -> Result<(), EngineError> {
    check_points(data, &[line.affine()])
}

/// Fails with [`EngineError::NoRobustPass`] for another than the squared loss: of fits
/// whose elements are apart.
pub(super) fn check_squared(info: &EngineInfo, loss: Loss) -> Result<(), EngineError> {
    if loss == Loss::Squared { Ok(()) } else { Err(EngineError::NoRobustPass(info.kind)) }
}

/// Fails with [`EngineError::NoRobustPass`] for fits whose elements are apart.
pub(super) fn check_runs(info: &EngineInfo, data: &Problem) -> Result<(), EngineError> {
    if data.fits().are_runs() { Ok(()) } else { Err(EngineError::NoRobustPass(info.kind)) }
}

/// The problem's elements in a range of chunks, or [`EngineError::Chunks`].
pub(super) fn elements_of(data: &Problem, over: &Range<u64>) -> Result<Range<usize>, EngineError> {
    let chunks = || EngineError::Chunks { over: over.clone(), all: data.grid().chunks() };
    data.grid().elements_of(over).ok_or_else(chunks)
}

/// The point of a fit, counted from the problem's first one.
pub(super) fn point_of<P: Copy>(at: &[P], fit: u64) -> P {
    at[usize::try_from(fit).unwrap_or(usize::MAX)]
}

/// The values of a chunk: one for each of the fits that have elements in it.
pub(super) struct Leaf<V> {
    pub(super) first_fit: u64,
    pub(super) values: Vec<V>,
}

impl<V> Leaf<V> {
    /// The values of the runs of elements that a chunk is made of.
    pub(super) fn of(
        data: &Problem,
        chunk: Range<usize>,
        mut value: impl FnMut(u64, Range<usize>) -> V,
    ) -> Self {
        let mut first_fit = None;
        let values = data.fits().runs(chunk).map(|(fit, run)| {
            first_fit.get_or_insert(fit);
            value(fit, run)
        });
        let values = values.collect();
        Self { first_fit: first_fit.unwrap_or_default(), values }
    }
}

/// Partial results from the values of all chunks of a range, in order.
pub(super) fn partials_of<S: Mergeable>(
    data: &Problem,
    arithmetic: impl Into<Cow<'static, str>>,
    over: Range<u64>,
    leaves: impl IntoIterator<Item = Leaf<S::Value>>,
) -> Result<Partials<S>, EngineError> {
    let mut partials = Partials::new(Source::of(data, Tree::Dyadic, arithmetic));
    let end = data.grid().end_after(&over);
    for (chunk, leaf) in over.zip(leaves) {
        partials.push(chunk..chunk + 1, leaf.first_fit, leaf.values, end)?;
    }
    Ok(partials)
}

/// Partial results from the values of all fits over a range of chunks, where the
/// elements of a fit are apart: every range has a value for each fit, and neighbours
/// merge.
pub(super) fn partials_of_fits<S: Mergeable>(
    data: &Problem,
    arithmetic: impl Into<Cow<'static, str>>,
    over: Range<u64>,
    values: Vec<S::Value>,
) -> Result<Partials<S>, EngineError> {
    let mut partials = Partials::new(Source::of(data, Tree::Ranges, arithmetic));
    let end = data.grid().end_after(&over);
    if !over.is_empty() {
        partials.push(over, data.fits().range().start, values, end)?;
    }
    Ok(partials)
}

/// The ranges of `chunk` elements, the last one shorter, that make up `range`.
pub(super) fn chunks(range: Range<usize>, chunk: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    (0..range.len().div_ceil(chunk)).map(move |k| {
        let start = range.start + k * chunk;
        start..range.end.min(start + chunk)
    })
}
