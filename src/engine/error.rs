use std::io;
use std::ops::Range;

use super::gpu::GpuError;
use super::{EngineKind, PartialsError};
use crate::array::{DataError, GroupsError, Hint, Hinted};

/// Why a pass could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A residual pass over a problem without T.
    #[error("there is no target T to compare the predictions with")]
    NoTarget,
    /// A descent on a device that answered with fewer steps than it was asked
    /// for, and no reason to stop.
    #[error("the device took {taken} of {wanted} steps and does not say why")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Stalled { taken: u32, wanted: u32 },
    /// Not one point for each fit.
    #[error("a pass over {fits} fits takes as many points, not {points}")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Points { fits: u64, points: usize },
    /// Chunks that the problem does not have.
    #[error("there are no chunks {} to {}: the data have {} to {}", over.start, over.end, all.start, all.end)]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Chunks { over: Range<u64>, all: Range<u64> },
    /// A pass over neighbourhoods on a device.
    #[error("the GPU engine has no neighbourhoods of elements")]
    NoWindows,
    /// A pass on a device over fits whose elements are apart.
    #[error(
        "the elements of these {fits} fits do not follow one another on the device; bring them together first"
    )]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Apart { fits: u64 },
    /// A pass over a batch with an engine that has passes over whole chunks only.
    #[error(
        "the {} engine has no steps over these batches: elements that are drawn each by itself, and data that it \
         streams, are for the host",
        .0.name()
    )]
    NoBatches(EngineKind),
    /// A robust fit, another loss or batches of many fits on an engine that has no such
    /// passes.
    #[error("the {} engine has no passes for robust fits, other losses or batches of many fits", .0.name())]
    NoRobustPass(EngineKind),
    /// Elements cannot be grouped so.
    #[error(transparent)]
    Groups(#[from] GroupsError),
    /// Parts are not of one whole.
    #[error(transparent)]
    Partials(#[from] PartialsError),
    /// The caller's sink could not take a chunk.
    #[error("{0}")]
    Sink(io::Error),
    /// The data don't suit the engine.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

impl Hinted for EngineError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Data(error) => error.hints(),
            Self::Gpu(error) => error.hints(),
            Self::Stalled { .. } => vec![Hint::UpdateOnHost],
            Self::NoBatches(_) | Self::NoRobustPass(_) | Self::NoWindows | Self::Apart { .. } => {
                vec![Hint::CpuEngine]
            }
            Self::NoTarget
            | Self::Sink(_)
            | Self::Points { .. }
            | Self::Chunks { .. }
            | Self::Groups(_)
            | Self::Partials(_) => Vec::new(),
        }
    }
}
