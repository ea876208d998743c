//! A folder of Parquet files that are one table, in the order of their names.

use std::path::{Path, PathBuf};

use super::source::{Reading, Source};
use crate::array::DataError;
use crate::array::error::{excerpt, shown};

/// The Parquet files of a folder; `None` if it has none, and is no dataset.
pub(super) fn files_in(folder: &Path) -> Result<Option<Vec<PathBuf>>, DataError> {
    let io = |e| DataError::io(folder, e);
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Of these Spark and others keep notes of their own.
        if name.starts_with(['.', '_']) {
            continue;
        }
        if path.is_dir() {
            folders.push(path);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    if let Some(inner) = folders.iter().min() {
        return Err(DataError::Unsupported {
            path: folder.to_owned(),
            found: format!("it has Parquet files and folders in it, such as {}", shown(inner)),
            remedy: "name a folder with files alone",
        });
    }
    files.sort();
    Ok(Some(files))
}

/// Fails unless all files have the columns of the first, in the same order and of the
/// same types.
pub(super) fn check_schemas(reading: &Reading, files: &[PathBuf]) -> Result<(), DataError> {
    let schema = |path: &PathBuf| reading.parquet_schema(&Source { path: path.clone(), key: None });
    let Some((first, others)) = files.split_first() else { return Ok(()) };
    let wanted = schema(first)?;
    for path in others {
        let found = schema(path)?;
        if found == wanted {
            continue;
        }
        let place = found.iter().zip(&wanted).position(|(found, wanted)| found != wanted);
        let place = place.unwrap_or(found.len().min(wanted.len()));
        let column = |columns: &[(String, String)]| match columns.get(place) {
            Some((name, kind)) => format!("{} of type {}", excerpt(name), excerpt(kind)),
            None => "none".to_owned(),
        };
        return Err(DataError::DatasetSchema {
            path: path.clone(),
            place,
            found: column(&found),
            first: first.clone(),
            wanted: column(&wanted),
        });
    }
    Ok(())
}
