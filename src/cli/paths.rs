use std::io;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::data::DataError;

/// Refuses outputs that name the same file as each other or as an input: one
/// would silently replace the other. Refuses also those that stand for a
/// directory or in none, before anything is computed for them. Makes nothing.
pub(super) fn check_outputs(
    outputs: &[(&str, Option<&Path>)],
    inputs: &[(&str, &Path)],
) -> Result<(), CliError> {
    let mut seen: Vec<(&str, PathBuf)> = inputs.iter().map(|(name, path)| (*name, identity(path))).collect();
    for (name, path) in outputs {
        let Some(path) = path.filter(|path| !path.exists() || path.is_file()) else { continue };
        let path = identity(path);
        if let Some((other, _)) = seen.iter().find(|(_, seen)| *seen == path) {
            let path = path.display();
            return Err(CliError::Usage(format!("{name} and {other} name the same file, {path}")));
        }
        seen.push((name, path));
    }
    outputs.iter().filter_map(|(_, path)| *path).try_for_each(check_place)
}

/// Whether a file can stand there, as far as it can be seen.
fn check_place(path: &Path) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(DataError::write(path, io::ErrorKind::IsADirectory.into()).into());
    }
    // Where a link leads is found out when it is followed.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match directory {
        Some(directory) if path.symlink_metadata().is_err() && !directory.exists() => {
            Err(DataError::NoDirectory { path: path.to_owned(), directory: directory.to_owned() }.into())
        }
        _ => Ok(()),
    }
}

/// A path by which two names of one file are recognised, whether or not the
/// file exists.
fn identity(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (directory.canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}
