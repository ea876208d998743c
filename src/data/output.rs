//! Files that appear whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::DataError;

/// The temporary files that stand for unfinished ones.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    // A list of names is good whatever its last holder did.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of all unfinished outputs: for a program that
/// is about to end without unwinding.
pub fn discard_unfinished() {
    unfinished().drain(..).for_each(|path| {
        // It may just have been finished, or removed by its owner.
        let _ = std::fs::remove_file(path);
    });
}

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
        let permissions = match existing {
            // Where a name like /dev/stdout leads is not ours to replace.
            Ok(_) if path.starts_with("/dev") || path.starts_with("/proc") => return Self::special(path),
            Ok(metadata) if metadata.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if !metadata.is_file() => return Self::special(path),
            Ok(metadata) => Some(metadata.permissions()),
            Err(_) => None,
        };
        let path = behind_links(path);
        let file = beside(&path, permissions).map_err(|e| match directory(&path) {
            // The file's own name is not what was not found.
            directory if e.kind() == io::ErrorKind::NotFound && !directory.exists() => {
                DataError::NoDirectory { path: path.clone(), directory: directory.to_owned() }
            }
            _ => failed(e.kind().into()),
        })?;
        unfinished().push(file.path().to_owned());
        Ok(Self { path, target: Target::Regular(BufWriter::new(file)) })
    }

    /// A pipe or a device is written to as it is.
    fn special(path: &Path) -> Result<Self, DataError> {
        let file = OpenOptions::new().write(true).open(path).map_err(|e| DataError::write(path, e))?;
        Ok(Self { path: path.to_owned(), target: Target::Special(BufWriter::new(file)) })
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
                let temporary = file.path().to_owned();
                file.persist(&path).map_err(|e| failed(e.error))?;
                unfinished().retain(|unfinished| *unfinished != temporary);
                Ok(())
            }
        }
    }
}

/// What a name leads to: a link stays a link, and the file it points to is
/// replaced, or made if it isn't there.
fn behind_links(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.read_link(), path.parent()) {
        (Ok(target), Some(parent)) => parent.join(target),
        _ => path.to_owned(),
    }
}

/// A temporary file in the directory of `path`, with the permissions of the
/// file it will replace or, for a new one, those the umask leaves.
fn beside(path: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile> {
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
    builder.tempfile_in(directory(path))
}

/// Where a file will stand.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
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
