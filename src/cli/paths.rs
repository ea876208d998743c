use std::path::{Path, PathBuf};

use super::error::CliError;

/// Refuses outputs that name the same file as each other or as an input: one
/// would silently replace the other.
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
    Ok(())
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
