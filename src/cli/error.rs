use std::io;

use crate::array::{DataError, Hint, Hinted};
use crate::engine::EngineError;
use crate::engine::gpu::GpuError;
use crate::fit::FitError;
use crate::io::DocumentError;

/// The failure of a command, with its exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A descent of which --steps-per-submit was given.
    #[error(transparent)]
    FitBySubmits(FitError),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[cfg(feature = "plot")]
    #[error(transparent)]
    Picture(#[from] crate::report::pictures::PictureError),
    /// An engine's result is not the reference's.
    #[error("{0}")]
    Mismatch(String),
    #[error("{0}")]
    Usage(String),
    #[error("stdout: {0}")]
    Stdout(io::Error),
    /// The user asked to stop, before there was anything to print.
    #[error("interrupted")]
    Interrupted,
}

impl From<GpuError> for CliError {
    fn from(error: GpuError) -> Self {
        Self::Engine(error.into())
    }
}

impl Hinted for CliError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Data(error) => error.hints(),
            Self::Engine(error) => error.hints(),
            Self::Fit(error) | Self::FitBySubmits(error) => error.hints(),
            Self::Document(error) => error.hints(),
            #[cfg(feature = "plot")]
            Self::Picture(_) => Vec::new(),
            Self::Mismatch(_) | Self::Usage(_) | Self::Stdout(_) | Self::Interrupted => Vec::new(),
        }
    }
}

impl CliError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Engine(error)
            | Self::Fit(FitError::Engine(error))
            | Self::FitBySubmits(FitError::Engine(error)) => match error {
                EngineError::Gpu(_) | EngineError::Stalled { .. } => 3,
                _ => 2,
            },
            Self::Fit(FitError::StartOverflows { .. })
            | Self::FitBySubmits(FitError::StartOverflows { .. })
            | Self::Mismatch(_) => 1,
            _ => 2,
        }
    }
}
