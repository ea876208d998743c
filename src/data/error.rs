use std::io;
use std::path::{Path, PathBuf};

use super::{ElementType, Shape};

/// Why data could not be read, written or fitted. The text names the file,
/// says what is wrong with it and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum DataError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },

    #[error("{}: is a directory; name a file", path.display())]
    Directory { path: PathBuf },

    #[error("{}: is a pipe; save the data to a file first", path.display())]
    Pipe { path: PathBuf },

    #[error("{}: the file is empty", path.display())]
    Empty { path: PathBuf },

    #[error("{}: has no elements (its shape is {shape}); there is nothing to fit", path.display())]
    NoElements { path: PathBuf, shape: Shape },

    #[error("{}: unknown kind of file; linfit reads .npy, .csv and .tsv", path.display())]
    UnknownFormat { path: PathBuf },

    #[error("{}: not a valid .npy file: {reason}", path.display())]
    NpyHeader { path: PathBuf, reason: String },

    #[error("{}: elements of type {found} are not numbers that can be fitted; save the array as one of {}",
            path.display(), all_types())]
    ElementType { path: PathBuf, found: String },

    #[error("{}: truncated: the header promises {expected_bytes} bytes of data, the file has {found_bytes}; \
             copy or write it again", path.display())]
    Truncated { path: PathBuf, expected_bytes: u64, found_bytes: u64 },

    #[error("{}: the file shrank while it was read; wait until it is written, then run again", path.display())]
    Shrunk { path: PathBuf },

    #[error(
        "{label}: takes {bytes} bytes in memory, more than --memory allows, and text is not streamed; \
             save it as .npy"
    )]
    NotStreamed { label: String, bytes: u64 },

    #[error("{}: shape {shape} is larger than any memory; is the header damaged?", path.display())]
    AbsurdShape { path: PathBuf, shape: String },

    #[error("{}:{line}: {reason}", path.display())]
    Csv { path: PathBuf, line: u64, reason: String },

    #[error("{}: no column {key:?}; its columns are: {available}", path.display())]
    NoSuchColumn { path: PathBuf, key: String, available: String },

    #[error("{}: has {columns} columns; name one as {}:COLUMN, from: {available}", path.display(), path.display())]
    WhichColumn { path: PathBuf, columns: usize, available: String },

    #[error("{}: holds a single array; remove \":{key}\"", path.display())]
    KeyNotUsed { path: PathBuf, key: String },

    #[error(
        "X and T differ in shape: {x} is {x_shape}, {t} is {t_shape}; \
             give two arrays of the same shape"
    )]
    ShapeMismatch { x: String, x_shape: Shape, t: String, t_shape: Shape },

    #[error(
        "{label}: {count} of {n} elements are NaN or infinite, the first at {position}; \
             remove or replace them"
    )]
    NotFinite { label: String, count: u64, n: u64, position: String },

    #[error(
        "{label}: the element at {position} is {value:e}, beyond the range of f32; \
             use --engine cpu, which computes in f64"
    )]
    BeyondF32 { label: String, position: String, value: f64 },

    #[error("{}: an array of shape {shape} is larger than any memory; give a smaller shape", path.display())]
    OutputTooLarge { path: PathBuf, shape: Shape },

    #[error("{}: cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error("{}: results are written as .npy; give a name that ends in .npy", path.display())]
    OutputFormat { path: PathBuf },
}

impl DataError {
    /// An I/O error on `path`; a directory gets its own message.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::IsADirectory {
            Self::Directory { path: path.to_owned() }
        } else {
            Self::Io { path: path.to_owned(), source }
        }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

/// As much of a text from a file as a message can bear: its start, without
/// line ends and other control characters.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    let mut start: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        start.push('…');
    }
    start
}

fn all_types() -> String {
    ElementType::ALL.map(ElementType::name).join(" ")
}
