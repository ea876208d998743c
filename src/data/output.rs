//! Files that appear whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::DataError;

/// An output file that takes its name only when [`finish`](Self::finish)ed:
/// it is written beside its place, then renamed. Dropped before that, nothing
/// is left of it and what stood in its place is untouched.
pub struct OutputFile {
    path: PathBuf,
    target: Target,
}

enum Target {
    Regular(BufWriter<NamedTempFile>),
    /// A pipe or a device such as `/dev/null`, which must not be replaced.
    Special(BufWriter<File>),
}

impl OutputFile {
    /// Starts a file that will stand at `path`.
    ///
    /// # Errors
    /// [`DataError::Write`]: no such directory, no permission, no space.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let failed = |e| DataError::write(path, e);
        let existing = path.metadata();
        // A link stays a link: what it points to is replaced.
        let path = if existing.is_ok() { path.canonicalize().map_err(failed)? } else { path.to_owned() };
        let target = match existing {
            Ok(metadata) if metadata.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if !metadata.is_file() => {
                Target::Special(BufWriter::new(OpenOptions::new().write(true).open(&path).map_err(failed)?))
            }
            Ok(metadata) => {
                Target::Regular(BufWriter::new(beside(&path, Some(metadata.permissions())).map_err(failed)?))
            }
            Err(_) => Target::Regular(BufWriter::new(beside(&path, None).map_err(failed)?)),
        };
        Ok(Self { path, target })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(self) -> Result<(), DataError> {
        let Self { path, target } = self;
        let failed = |e| DataError::write(&path, e);
        match target {
            Target::Special(mut file) => file.flush().map_err(failed),
            Target::Regular(file) => {
                let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
                file.persist(&path).map_err(|e| failed(e.error))?;
                Ok(())
            }
        }
    }
}

/// A temporary file in the directory of `path`, with the permissions of the
/// file it will replace or, for a new one, those the umask leaves.
fn beside(path: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".linfit-").suffix(".tmp");
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        permissions.or_else(|| Some(Permissions::from_mode(0o666)))
    };
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    builder.tempfile_in(directory)
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Regular(file) => file.write(bytes),
            Target::Special(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Regular(file) => file.flush(),
            Target::Special(file) => file.flush(),
        }
    }
}
