//! Temporary files that become outputs, and those that were left behind.

use std::fs::{File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempPath;

const PREFIX: &str = ".linfit-";
const SUFFIX: &str = ".tmp";

/// The names of unfinished outputs, where they have any.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    // A list of names is good whatever its last holder did.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of all unfinished outputs: for a program that
/// is about to end without unwinding.
pub fn discard_unfinished() {
    lock(&UNFINISHED).drain(..).for_each(|path| {
        // It may just have been finished, or removed by its owner.
        let _ = std::fs::remove_file(path);
    });
}

/// A file that becomes an output, or nothing.
pub(super) struct Temporary {
    file: File,
    /// Without one, where the system has files without names.
    name: Option<Name>,
}

/// A temporary name, removed when dropped.
struct Name(Option<TempPath>);

impl Name {
    fn new(path: TempPath) -> Self {
        lock(&UNFINISHED).push(path.to_path_buf());
        Self(Some(path))
    }

    /// Renames the file, in the place of what is there.
    fn persist(mut self, path: &Path) -> io::Result<()> {
        let Some(name) = self.0.take() else { return Ok(()) };
        let temporary = name.to_path_buf();
        let persisted = name.persist(path).map_err(|e| e.error);
        lock(&UNFINISHED).retain(|unfinished| *unfinished != temporary);
        persisted
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Some(name) = self.0.take() {
            lock(&UNFINISHED).retain(|unfinished| *unfinished != *name);
        }
    }
}

impl Temporary {
    /// A file in a directory, with the permissions of what stands at `path`
    /// or, if nothing does, those the umask leaves.
    pub(super) fn create(directory: &Path, path: &Path) -> io::Result<Self> {
        let permissions = path.metadata().ok().map(|metadata| metadata.permissions());
        let temporary = match nameless(directory, permissions.as_ref()) {
            Some(file) => Self { file: file?, name: None },
            None => Self::named(directory, permissions.as_ref())?,
        };
        #[cfg(unix)]
        if permissions.is_some() {
            // Without what the umask took. Some file systems have none to set.
            let _ = temporary.file.set_permissions(at_first(permissions.as_ref()));
        }
        Ok(temporary)
    }

    fn named(directory: &Path, permissions: Option<&Permissions>) -> io::Result<Self> {
        Self::held(|| {
            let mut builder = builder();
            #[cfg(unix)]
            builder.permissions(at_first(permissions));
            #[cfg(not(unix))]
            let _ = permissions;
            // With the temporary name the error would tell of another file.
            let made = builder.tempfile_in(directory).map_err(|e| io::Error::from(e.kind()))?;
            Ok(made.into_parts())
        })
    }

    /// The first file of those made that still has its name once it is locked.
    fn held(mut make: impl FnMut() -> io::Result<(File, TempPath)>) -> io::Result<Self> {
        loop {
            let (file, name) = make()?;
            // Before it was locked, another program may have taken it for one
            // that was left behind. Such a program has the lock while it removes
            // the name, so that waiting for the lock is waiting for the outcome.
            hold(&file);
            if is_its_name(&file, &name) {
                return Ok(Self { file, name: Some(Name::new(name)) });
            }
        }
    }

    /// Gives the file its name, in the place of what is there.
    pub(super) fn persist(self, path: &Path) -> io::Result<()> {
        let Self { file, name } = self;
        match name {
            Some(name) => name.persist(path),
            None => give_name(&file, path),
        }
    }
}

impl Seek for Temporary {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    builder
}

/// Locks a file as one that a running program holds. The system takes the lock
/// away when the program ends, however it ends. Where there are no locks there
/// is nobody who would take the file for one that was left behind.
fn hold(file: &File) {
    while file.lock_shared().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted) {}
}

/// Whether a name is that of a file, and not gone or another one's.
fn is_its_name(file: &File, name: &Path) -> bool {
    #[cfg(unix)]
    if let Ok(file) = file.metadata() {
        use std::os::unix::fs::MetadataExt;
        return name
            .symlink_metadata()
            .is_ok_and(|named| (named.dev(), named.ino()) == (file.dev(), file.ino()));
    }
    name.exists()
}

/// The permissions of a new file: no more than those of the file it replaces.
#[cfg(unix)]
fn at_first(permissions: Option<&Permissions>) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(permissions.map_or(0o666, |permissions| permissions.mode() & 0o777))
}

/// A file without a name in a directory; `None` where there are none.
#[cfg(target_os = "linux")]
fn nameless(directory: &Path, permissions: Option<&Permissions>) -> Option<io::Result<File>> {
    use rustix::{fs::OFlags, io::Errno};
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mode = at_first(permissions).mode();
    let flags = OFlags::TMPFILE.bits().cast_signed();
    let opened = File::options().read(true).write(true).custom_flags(flags).mode(mode).open(directory);
    match opened {
        // Such a file is named by its place among the open ones.
        Ok(file) if !proc_name(&file).exists() => None,
        // Of file systems and of systems that have none.
        Err(e)
            if [Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL]
                .map(Errno::raw_os_error)
                .contains(&e.raw_os_error().unwrap_or(0)) =>
        {
            None
        }
        opened => Some(opened),
    }
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path, _: Option<&Permissions>) -> Option<io::Result<File>> {
    None
}

#[cfg(target_os = "linux")]
fn proc_name(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Names a file that has none: at once where nothing stands, else by way of a
/// temporary name, since only renaming replaces.
#[cfg(target_os = "linux")]
fn give_name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    let link = |name: &Path| linkat(CWD, proc_name(file), CWD, name, AtFlags::SYMLINK_FOLLOW);
    match link(path) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    hold(file);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let made = builder().make_in(directory.unwrap_or(Path::new(".")), |name| Ok(link(name)?))?;
    Name::new(made.into_temp_path()).persist(path)
}

#[cfg(not(target_os = "linux"))]
fn give_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes what programs that were killed left in a directory: temporary files
/// that nobody holds. Once for each directory, and as far as that is allowed.
pub(super) fn remove_stale(directory: &Path) {
    static SEEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut seen = lock(&SEEN);
    if seen.iter().any(|seen| seen == directory) {
        return;
    }
    seen.push(directory.to_owned());
    drop(seen);
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_temporary =
            name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_unless_held(&entry.path());
        }
    }
}

fn remove_unless_held(path: &Path) {
    // A lock over a network may need a file that can be written to.
    let opened = File::options().write(true).open(path).or_else(|_| File::open(path));
    let Ok(file) = opened else { return };
    if file.try_lock().is_ok() {
        // Another program may have been as quick.
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// With a name and without, for a new file and in the place of another.
    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        for round in 0..2 {
            for named in [true, false] {
                let make = || {
                    if named {
                        Temporary::named(directory.path(), None).unwrap()
                    } else {
                        Temporary::create(directory.path(), &path).unwrap()
                    }
                };
                let before = names(directory.path());
                let mut dropped = make();
                dropped.write_all(b"half").unwrap();
                drop(dropped);
                assert_eq!(names(directory.path()), before, "round {round}, named: {named}");
                let mut kept = make();
                write!(kept, "{round} {named}").unwrap();
                kept.persist(&path).unwrap();
                assert_eq!(names(directory.path()), ["out"]);
                assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{round} {named}"));
                if round == 0 {
                    std::fs::remove_file(&path).unwrap();
                }
            }
        }
        assert!(lock(&UNFINISHED).iter().all(|name| !name.starts_with(directory.path())));
    }

    #[test]
    fn only_what_nobody_holds_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let held = Temporary::named(directory.path(), None).unwrap();
        for name in [".linfit-left.tmp", ".linfit-other", "linfit-a.tmp"] {
            std::fs::write(directory.path().join(name), "left").unwrap();
        }
        std::fs::create_dir(directory.path().join(".linfit-folder.tmp")).unwrap();
        assert_eq!(names(directory.path()).len(), 5);
        remove_stale(directory.path());
        let left = names(directory.path());
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(!left.contains(&".linfit-left.tmp".to_owned()), "{left:?}");
        held.persist(&directory.path().join("out")).unwrap();
        assert_eq!(names(directory.path()), [".linfit-folder.tmp", ".linfit-other", "linfit-a.tmp", "out"]);
    }

    /// Its name is gone before the lock is there, or leads to another file.
    #[test]
    fn a_file_without_its_name_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut made = 0;
        let temporary = Temporary::held(|| {
            made += 1;
            let (file, name) = builder().tempfile_in(directory.path())?.into_parts();
            if made <= 2 {
                std::fs::remove_file(&name)?;
            }
            if made == 2 {
                std::fs::write(&name, "another's")?;
            }
            Ok((file, name))
        });
        drop(temporary.unwrap());
        assert_eq!(made, 3);
    }

    /// Another program, which looks for what was left, may see a file before it
    /// is held.
    #[test]
    fn a_file_that_another_program_removes_is_made_again() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let directory = tempfile::tempdir().unwrap();
        let (is_over, removed) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for name in names(directory.path()) {
                        let Ok(file) = File::open(directory.path().join(&name)) else { continue };
                        if file.try_lock().is_ok() {
                            // Long enough that it is held while the other one looks.
                            std::thread::sleep(std::time::Duration::from_millis(1));
                            let _ = std::fs::remove_file(directory.path().join(&name));
                            removed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
            let lost = (0..300).filter(|_| {
                let made = Temporary::named(directory.path(), None).unwrap();
                let name = made.name.as_ref().and_then(|name| name.0.as_ref()).unwrap().to_path_buf();
                std::thread::sleep(std::time::Duration::from_millis(3));
                !name.exists()
            });
            let lost = lost.count();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(lost, 0, "{} were removed in all", removed.load(Ordering::Relaxed));
        });
    }

    #[cfg(unix)]
    #[test]
    fn the_permissions_of_what_is_replaced_stay() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        for mode in [0o600, 0o640, 0o666, 0o444] {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Temporary::create(directory.path(), &path).unwrap().persist(&path).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
