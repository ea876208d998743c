use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;

use super::{DataError, Matrix, csv, npy};

/// A data argument, `PATH` or `PATH:KEY`: a file and, where its format holds
/// several arrays, which one (a column's name or 0-based number).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The array within the file.
    pub key: Option<String>,
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // A colon is legal in a file name; the key is split off only if the
        // whole isn't a file and what stands before the colon has a name.
        let split = text.rsplit_once(':').filter(|(path, key)| {
            !path.is_empty() && !key.is_empty() && !key.contains(['/', '\\']) && !Path::new(text).exists()
        });
        Ok(match split {
            Some((path, key)) => Self { path: path.into(), key: Some(key.to_owned()) },
            None => Self { path: text.into(), key: None },
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.key.iter().try_for_each(|key| write!(f, ":{key}"))
    }
}

enum Format {
    Npy,
    Csv { delimiter: u8 },
}

/// Decides a file's format: by its first bytes where the format has a
/// signature, else by its extension.
fn format_of(path: &Path) -> Result<Format, DataError> {
    let io = |e| DataError::io(path, e);
    if path.is_dir() {
        return Err(DataError::Directory { path: path.to_owned() });
    }
    // Data are mapped, or read more than once; a pipe can't be.
    #[cfg(unix)]
    if path.metadata().map_err(io)?.file_type().is_fifo() {
        return Err(DataError::Pipe { path: path.to_owned() });
    }
    let mut start = Vec::new();
    File::open(path).map_err(io)?.take(npy::MAGIC.len() as u64).read_to_end(&mut start).map_err(io)?;
    if start.is_empty() {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    if start == npy::MAGIC {
        return Ok(Format::Npy);
    }
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "npy" => Ok(Format::Npy),
        "csv" => Ok(Format::Csv { delimiter: b',' }),
        "tsv" => Ok(Format::Csv { delimiter: b'\t' }),
        _ => Err(DataError::UnknownFormat { path: path.to_owned() }),
    }
}

/// Opens one array.
///
/// # Errors
/// Whatever is wrong with the file; see [`DataError`].
pub fn open(source: &Source) -> Result<Matrix, DataError> {
    match format_of(&source.path)? {
        Format::Npy => open_npy(source),
        Format::Csv { delimiter } => {
            let [column] = csv::read(&source.path, delimiter, [source.key.as_deref()])?;
            Ok(column)
        }
    }
}

/// Opens X and T. Two columns of one text file are read in one go.
///
/// # Errors
/// Whatever is wrong with either file; see [`DataError`].
pub fn open_pair(x: &Source, t: &Source) -> Result<(Matrix, Matrix), DataError> {
    if x.path == t.path
        && let Format::Csv { delimiter } = format_of(&x.path)?
    {
        let [x, t] = csv::read(&x.path, delimiter, [x.key.as_deref(), t.key.as_deref()])?;
        return Ok((x, t));
    }
    Ok((open(x)?, open(t)?))
}

fn open_npy(source: &Source) -> Result<Matrix, DataError> {
    match &source.key {
        Some(key) => Err(DataError::KeyNotUsed { path: source.path.clone(), key: key.clone() }),
        None => npy::open(&source.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (String, Option<String>) {
        let Ok(source) = text.parse::<Source>();
        (source.path.display().to_string(), source.key)
    }

    #[test]
    fn splits_a_key_off_the_path() {
        assert_eq!(parse("a/b.csv:width"), ("a/b.csv".into(), Some("width".into())));
        assert_eq!(parse("b.csv:0"), ("b.csv".into(), Some("0".into())));
        assert_eq!(parse("b.csv"), ("b.csv".into(), None));
        assert_eq!(parse("b.csv:"), ("b.csv:".into(), None));
        assert_eq!(parse("C:\\data\\x.npy"), ("C:\\data\\x.npy".into(), None));
    }
}
