//! The identity of a file, by which a change of it while it is read is found.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::DataError;

/// A file as it was when it was opened: its size, when it was last written
/// to, and which one its name led to.
///
/// Times are compared to the nanosecond. Linux before 6.13, and some file
/// systems, count them in steps of up to 4 ms (FAT: 2 s): what is written
/// within the step of the last write before the opening is not told by them.
#[derive(Debug)]
pub(crate) struct Identity {
    bytes: u64,
    modified: Option<SystemTime>,
    place: Option<Place>,
    opened: Instant,
    /// The time when its name may be looked up again, in microseconds since.
    next_lookup: AtomicU64,
}

/// Between two lookups of a name. They take longer than passes over few
/// elements, and what is read is the file that was opened in any case.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(1);

/// A change of a file while it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is shorter.
    Shrunk,
    /// It is longer, or was written to.
    Modified,
    /// Its name leads to another file.
    Replaced,
    /// The system failed to read it.
    Unreadable,
}

/// The device and the number on it.
#[cfg(unix)]
type Place = (u64, u64);

/// Elsewhere an open file cannot be replaced.
#[cfg(not(unix))]
type Place = ();

#[cfg(unix)]
fn place(metadata: &Metadata) -> Place {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn place(_: &Metadata) -> Place {}

impl Identity {
    /// The identity of a file with a name.
    pub(crate) fn of(path: &Path, file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let named = path.metadata().ok().map(|named| place(&named));
        // What has no name, such as what came from stdin, nobody replaces; nor
        // is a name of any use that does not lead to what it opens.
        Ok(Self { place: named.filter(|named| *named == place(&metadata)), ..Self::new(&metadata) })
    }

    /// The identity of a file whose name is not known.
    pub(crate) fn unnamed(file: &File) -> io::Result<Self> {
        Ok(Self::new(&file.metadata()?))
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            place: None,
            opened: Instant::now(),
            next_lookup: AtomicU64::new(0),
        }
    }

    /// The change of the file since. A name that is gone is no change: the
    /// file is still what it was.
    pub(crate) fn change(&self, path: &Path, file: &File) -> Option<Change> {
        let Ok(metadata) = file.metadata() else { return Some(Change::Unreadable) };
        if metadata.len() < self.bytes {
            return Some(Change::Shrunk);
        }
        if metadata.len() > self.bytes || metadata.modified().ok() != self.modified {
            return Some(Change::Modified);
        }
        let opened = self.place.filter(|_| self.may_look_up())?;
        let is_other = path.metadata().is_ok_and(|named| place(&named) != opened);
        is_other.then_some(Change::Replaced)
    }

    fn may_look_up(&self) -> bool {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let now = self.opened.elapsed();
        let may = micros(now) >= self.next_lookup.load(Ordering::Relaxed);
        if may {
            self.next_lookup.store(micros(now + LOOKUP_INTERVAL), Ordering::Relaxed);
        }
        may
    }

    /// Fails if the file is not what it was.
    pub(crate) fn check(&self, path: &Path, file: &File) -> Result<(), DataError> {
        self.change(path, file).map_or(Ok(()), |change| Err(change.error(path)))
    }
}

impl Change {
    /// The error of a file that was read meanwhile.
    pub(crate) fn error(self, path: &Path) -> DataError {
        let path = path.to_owned();
        match self {
            Self::Shrunk => DataError::Shrunk { path },
            Self::Modified => DataError::Modified { path },
            Self::Replaced => DataError::Replaced { path },
            Self::Unreadable => {
                DataError::Io { path, source: io::Error::other("the system failed to read a part of it") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn changed(act: impl FnOnce(&Path)) -> Option<Change> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, [7; 100]).unwrap();
        let file = File::open(&path).unwrap();
        let identity = Identity::of(&path, &file).unwrap();
        assert_eq!(identity.change(&path, &file), None);
        act(&path);
        std::thread::sleep(2 * LOOKUP_INTERVAL);
        identity.change(&path, &file)
    }

    fn write(path: &Path, at: u64, bytes: &[u8]) {
        let mut file = File::options().write(true).open(path).unwrap();
        file.seek(io::SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
    }

    #[test]
    fn every_change_is_told_apart() {
        let resize = |path: &Path, bytes| File::options().write(true).open(path).unwrap().set_len(bytes);
        assert_eq!(changed(|path| resize(path, 99).unwrap()), Some(Change::Shrunk));
        assert_eq!(changed(|path| resize(path, 101).unwrap()), Some(Change::Modified));
        assert_eq!(changed(|path| write(path, 50, &[8])), Some(Change::Modified));
        // The same bytes are a change too: they need not have been the same
        // meanwhile.
        assert_eq!(changed(|path| write(path, 50, &[7])), Some(Change::Modified));
        assert_eq!(changed(|path| std::fs::remove_file(path).unwrap()), None);
        #[cfg(unix)]
        {
            let replace = |path: &Path| {
                std::fs::write(path.with_extension("new"), [7; 100]).unwrap();
                std::fs::rename(path.with_extension("new"), path).unwrap();
            };
            assert_eq!(changed(replace), Some(Change::Replaced));
            let moved = |path: &Path| std::fs::rename(path, path.with_extension("old")).unwrap();
            assert_eq!(changed(moved), None);
        }
    }
}
