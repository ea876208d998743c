//! Files that appear whole or not at all.
//!
//! An output is written to a file without a name where the system has such
//! files: whatever ends the program, nothing is left of it. Elsewhere, and for
//! the moment in which it takes the place of another file, it has a temporary
//! name beside its place and is locked; a file of such a name that nobody
//! holds locked was left by a program that was killed, and the next output in
//! that directory removes it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::array::DataError;
use temporary::Temporary;

mod temporary;

pub use temporary::discard_unfinished;

/// An output file that takes its name only when [`finish`](Self::finish)ed.
/// Dropped before that, nothing is left of it and what stood in its place is
/// untouched.
pub struct OutputFile {
    path: PathBuf,
    target: Target,
    /// Why a write failed. What comes after it goes nowhere: an encoder that
    /// was told may still want to end its file, and complain of it to people.
    failed: Option<io::Error>,
}

enum Target {
    Regular(BufWriter<Temporary>),
    /// A pipe or a device such as `/dev/null`, which must not be replaced.
    Special(BufWriter<File>),
}

/// The destination of an output.
enum Place {
    /// A file will stand there, in the place of another one or of none.
    File(PathBuf),
    Special,
}

impl OutputFile {
    /// Starts a file that will stand at `path`.
    ///
    /// # Errors
    /// [`DataError::Write`]: no permission, no space; [`DataError::NoDirectory`].
    pub fn create(path: &Path) -> Result<Self, DataError> {
        match place(path)? {
            Place::File(path) => {
                temporary::remove_stale(directory(&path));
                let file = temporary_for(&path)?;
                Ok(Self { path, target: Target::Regular(BufWriter::new(file)), failed: None })
            }
            Place::Special => {
                let open = OpenOptions::new().write(true).open(path);
                let file = open.map_err(|e| DataError::write(path, e))?;
                let target = Target::Special(BufWriter::new(file));
                Ok(Self { path: path.to_owned(), target, failed: None })
            }
        }
    }

    /// Fails if [`create`](Self::create) would, as far as that can be known
    /// without it: for a program that has long work to do first. Leaves
    /// nothing.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub fn check(path: &Path) -> Result<(), DataError> {
        match place(path)? {
            Place::File(path) => temporary_for(&path).map(drop),
            // The reader of a pipe would take its opening for the output.
            #[cfg(unix)]
            Place::Special => rustix::fs::access(path, rustix::fs::Access::WRITE_OK)
                .map_err(|e| DataError::write(path, e.into())),
            #[cfg(not(unix))]
            Place::Special => Ok(()),
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(self) -> Result<(), DataError> {
        let Self { path, target, failed } = self;
        if let Some(error) = failed {
            return Err(DataError::write(&path, error));
        }
        let failed = |e| DataError::write(&path, e);
        match target {
            Target::Special(mut file) => file.flush().map_err(failed),
            Target::Regular(file) => {
                let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
                file.persist(&path).map_err(failed)
            }
        }
    }
}

impl OutputFile {
    /// Writes a whole file and puts it in its place.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish_with(mut self, contents: &[u8]) -> Result<(), DataError> {
        // A failure is remembered, and told by `finish` with the file's name.
        let _ = self.write_all(contents);
        self.finish()
    }

    /// Whether the first bytes can be written again: a pipe has them no more.
    #[allow(dead_code, reason = "images may be left out")]
    pub(crate) fn is_regular(&self) -> bool {
        matches!(self.target, Target::Regular(_))
    }

    /// Writes the first bytes again.
    #[allow(dead_code, reason = "images may be left out")]
    pub(crate) fn rewrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed.is_some() {
            return Ok(());
        }
        let written = match &mut self.target {
            Target::Regular(file) => file
                .seek(SeekFrom::Start(0))
                .and_then(|_| file.write_all(bytes))
                .and_then(|()| file.seek(SeekFrom::End(0)))
                .map(|_| ()),
            Target::Special(_) => Err(io::ErrorKind::NotSeekable.into()),
        };
        self.remember(written)
    }

    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                let again = e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error);
                self.failed = Some(again);
            }
        })
    }
}

/// The destination that a name leads to. A link stays a link: the file it points to is
/// replaced, or made if it isn't there.
fn place(path: &Path) -> Result<Place, DataError> {
    let failed = |e| DataError::write(path, e);
    match path.metadata() {
        // Where a name like /dev/stdout leads is not ours to replace.
        Ok(_) if path.starts_with("/dev") || path.starts_with("/proc") => Ok(Place::Special),
        Ok(metadata) if metadata.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(metadata) if !metadata.is_file() => Ok(Place::Special),
        Ok(_) => path.canonicalize().map(Place::File).map_err(failed),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Place::File(behind_links(path.to_owned()))),
        // A link to itself, for one.
        Err(e) => Err(failed(e)),
    }
}

/// The name that the last of a chain of links has for a file that isn't there.
/// The chain has an end, or the system had refused it.
pub(crate) fn behind_links(mut path: PathBuf) -> PathBuf {
    while let Ok(target) = path.read_link() {
        path = directory(&path).join(target);
    }
    path
}

fn temporary_for(path: &Path) -> Result<Temporary, DataError> {
    let directory = directory(path);
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(DataError::write(path, io::ErrorKind::IsADirectory.into()));
    }
    Temporary::create(directory, path).map_err(|e| {
        // The file's own name is not what was not found.
        if e.kind() == io::ErrorKind::NotFound && !directory.exists() {
            DataError::NoDirectory { path: path.to_owned(), directory: directory.to_owned() }
        } else {
            DataError::write(path, e)
        }
    })
}

/// The directory in which a file will stand.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed.is_some() {
            return Ok(bytes.len());
        }
        let written = match &mut self.target {
            Target::Regular(file) => file.write(bytes),
            Target::Special(file) => file.write(bytes),
        };
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed.is_some() {
            return Ok(());
        }
        let flushed = match &mut self.target {
            Target::Regular(file) => file.flush(),
            Target::Special(file) => file.flush(),
        };
        self.remember(flushed)
    }
}
