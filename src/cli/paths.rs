use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::array::shown;
use crate::io::output::{OutputFile, behind_links};

/// Refuses outputs that name the same file as each other or as an input, since
/// one would silently replace the other, and those that can't be written:
/// before the work, not after it.
pub(super) fn check_outputs(
    outputs: &[(&str, Option<&Path>)],
    inputs: &[(&str, &Path)],
) -> Result<(), CliError> {
    let mut seen: Vec<(&str, Identity)> =
        inputs.iter().map(|(name, path)| (*name, Identity::of(path))).collect();
    let outputs = || outputs.iter().filter_map(|(name, path)| path.map(|path| (*name, path)));
    for (name, path) in outputs().filter(|(_, path)| !path.exists() || path.is_file()) {
        let identity = Identity::of(path);
        if let Some((other, _)) = seen.iter().find(|(_, seen)| *seen == identity) {
            let path = shown(path);
            return Err(CliError::Usage(format!("{name} and {other} name the same file, {path}")));
        }
        seen.push((name, identity));
    }
    outputs().try_for_each(|(_, path)| Ok(OutputFile::check(path)?))
}

/// The identity that all names of a file share, be they links or spellings.
#[derive(PartialEq, Eq)]
enum Identity {
    /// The device of a file that exists, and its number there.
    #[cfg(unix)]
    Number(u64, u64),
    /// The path without links.
    Path(PathBuf),
}

impl Identity {
    fn of(path: &Path) -> Self {
        #[cfg(unix)]
        if let Ok(metadata) = path.metadata() {
            use std::os::unix::fs::MetadataExt;
            return Self::Number(metadata.dev(), metadata.ino());
        }
        #[cfg(not(unix))]
        if let Ok(path) = path.canonicalize() {
            return Self::Path(path);
        }
        if path.metadata().is_err_and(|e| e.kind() != std::io::ErrorKind::NotFound) {
            return Self::Path(path.to_owned());
        }
        let path = behind_links(path.to_owned());
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        match (directory.unwrap_or(Path::new(".")).canonicalize(), path.file_name()) {
            (Ok(directory), Some(name)) => Self::Path(directory.join(name)),
            _ => Self::Path(path),
        }
    }
}
