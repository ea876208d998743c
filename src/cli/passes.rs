//! Passes that take long enough to be watched.

use super::progress::Progress;
use crate::engine::{Engine, EngineError, EngineKind};
use crate::math::Moments;

/// Pieces that a watched pass is made of.
const PIECES: u64 = 100;

/// Chunks of a piece, at least: fewer would leave threads without work.
const LEAST_CHUNKS: u64 = 256;

/// The moments of all elements. On a terminal the pass is made in pieces, which
/// merge to the same bits; only a GPU's would merge to others.
pub(super) fn moments(engine: &mut dyn Engine, quiet: bool) -> Result<Moments, EngineError> {
    let all = engine.problem().grid().chunks();
    let chunks = all.end - all.start;
    if engine.info().kind == EngineKind::Gpu {
        let progress = Progress::of_work(quiet, "one pass for the moments");
        let moments = engine.all_moments();
        progress.end();
        return moments;
    }
    let mut progress = Progress::new(quiet, chunks, "chunks");
    if progress.is_hidden() || chunks <= LEAST_CHUNKS {
        return engine.all_moments();
    }
    let step = chunks.div_ceil(PIECES).max(LEAST_CHUNKS);
    let mut merged = engine.moments(all.start..all.end.min(all.start + step))?;
    let mut next = all.start + step;
    while next < all.end {
        progress.show(next - all.start, || "moments".to_owned());
        let piece = next..all.end.min(next + step);
        next = piece.end;
        merged = merged.merge(engine.moments(piece)?)?;
    }
    progress.end();
    Ok(merged.total()?)
}
