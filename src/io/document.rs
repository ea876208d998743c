use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::array::{Hint, Hinted, shown};

/// The kinds of small files that linfit writes and reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// W and b.
    Model,
    /// The durations that a benchmark measured.
    Benchmark,
    /// The moments of a shard.
    Part,
}

/// A file that is not a document of a kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum DocumentError {
    #[error("{}: {source}", shown(path))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: not {} ({reason})", shown(path), .kind.name())]
    Invalid { path: PathBuf, kind: Document, reason: String },
}

impl Hinted for DocumentError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Invalid { kind: Document::Model, .. } => vec![Hint::SavedModel],
            Self::Invalid { kind: Document::Benchmark, .. } => vec![Hint::ExportedBenchmark],
            Self::Invalid { kind: Document::Part, .. } => vec![Hint::SavedMoments],
            Self::Read { .. } => Vec::new(),
        }
    }
}

impl Document {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "a model",
            Self::Benchmark => "a benchmark's results",
            Self::Part => "the moments of a shard",
        }
    }

    /// No document of the kind is nearly as long; a longer file was given by
    /// mistake.
    fn max_bytes(self) -> u64 {
        match self {
            Self::Model => 1 << 20,
            Self::Benchmark => 16 << 20,
            // A chunk of 65,536 elements takes some 300 bytes.
            Self::Part => 4 << 30,
        }
    }

    /// Reads a file as a document of this kind; `parse` gives the reason why it
    /// is none.
    pub(super) fn read<T>(
        self,
        path: &Path,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, DocumentError> {
        let failed = |source| DocumentError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(self.max_bytes() + 1).read_to_end(&mut bytes).map_err(failed)?;
        let parsed = if bytes.len() as u64 > self.max_bytes() {
            Err(format!("it is longer than {} bytes", self.max_bytes()))
        } else {
            parse(&bytes)
        };
        parsed.map_err(|reason| DocumentError::Invalid { path: path.to_owned(), kind: self, reason })
    }
}

/// Reads a document that is a JSON object.
///
/// # Errors
/// [`DocumentError`]: the file can't be read, or isn't such an object.
pub fn read_object<T: DeserializeOwned>(kind: Document, path: &Path) -> Result<T, DocumentError> {
    kind.read(path, from_object)
}

/// A struct from a JSON object; by way of a map, since a bare list would pass
/// for the struct too.
pub(super) fn from_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let object: Map<String, Value> = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    serde_json::from_value(object.into()).map_err(|e| e.to_string())
}
