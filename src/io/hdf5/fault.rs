//! What keeps a file from being read.

use crate::array::DataError;
use crate::io::input::Input;

/// The kind of file in messages.
pub(super) const KIND: &str = "HDF5";

/// The way out for files of a kind that is not read.
const REPACK: &str = "write it again with h5repack, for example: h5repack -f SHUF -f GZIP=4 in.h5 out.h5";

/// A fault of a file.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It is not what it should be.
    Invalid(String),
    /// It is of a variant that is not read, and what to do.
    Unsupported(String, &'static str),
}

impl Fault {
    pub(super) fn truncated() -> Self {
        Self::Invalid("it ends too early; it is truncated or damaged; copy or write it again".to_owned())
    }

    pub(super) fn damaged() -> Self {
        Self::Invalid("it is damaged; copy or write it again".to_owned())
    }

    pub(super) fn damaged_chunk() -> Self {
        Self::Invalid("one of its chunks is damaged; copy or write it again".to_owned())
    }

    pub(super) fn circle() -> Self {
        Self::Invalid("its parts lead to one another in a circle; it is damaged".to_owned())
    }

    pub(super) fn unsupported(found: String) -> Self {
        Self::Unsupported(found, REPACK)
    }

    /// The error of reading the file.
    pub(super) fn error(self, input: &Input<'_>) -> DataError {
        match self {
            Self::Invalid(reason) => input.invalid(KIND, &reason),
            Self::Unsupported(found, remedy) => input.unsupported(found, remedy),
        }
    }
}
