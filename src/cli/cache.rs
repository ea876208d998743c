//! Files in the user's cache directory: lists of what was measured or tried on
//! this machine, with a number for their format.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::CliError;
use super::to_json;
use crate::array::DataError;
use crate::io::output::OutputFile;

/// A longer file is no list of ours.
const MAX_BYTES: u64 = 1 << 20;

/// A file in the user's cache directory, if there is one.
pub(super) fn file(name: &str) -> Option<PathBuf> {
    let directories = ProjectDirs::from("", "", "linfit")?;
    Some(directories.cache_dir().join(name))
}

/// Reads a list of a format; `None` if there is no file.
pub(super) fn read<L: DeserializeOwned>(path: &Path, format: u32) -> Result<Option<L>, String> {
    /// The format alone, for a message about it.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    // A pipe in its place would be waited for.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err("not a regular file".to_owned());
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(e.to_string()),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("longer than {MAX_BYTES} bytes"));
    }
    let invalid = |e: serde_json::Error| e.to_string();
    let Format { format: found } = serde_json::from_slice(&text).map_err(invalid)?;
    if found != format {
        return Err(format!("of format {found}, where this version of linfit knows {format}"));
    }
    serde_json::from_slice(&text).map(Some).map_err(invalid)
}

/// Writes a list, with its directory if need be.
pub(super) fn write(path: &Path, list: &impl Serialize) -> Result<(), CliError> {
    if let Some(directory) = path.parent() {
        let failed = |source| DataError::Write { path: path.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let text = format!("{}\n", to_json(list)?);
    Ok(OutputFile::create(path)?.finish_with(text.as_bytes())?)
}
