//! Files mapped into memory, guarded against shrinking.
//!
//! On Unix, reading a mapped page that its file no longer has raises SIGBUS,
//! which kills the program. The guard does what libwayland does with clients'
//! buffers (`wl_shm_buffer_begin_access`): its handler puts zeros where the
//! file used to be and notes the fact. Within a file's last page there are
//! zeros without a signal, and other writes change what is read in silence:
//! so [`check_intact`](Mapping::check_intact) compares the file with what it
//! was, and is asked before what was read is believed.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::error::DataError;
use super::identity::{Change, Identity};
use super::storage::Storage;

/// Prepares for files that shrink while they are mapped, which mapping one
/// does too: for a program that wants a bus error from elsewhere to end it, as
/// it should, also before. Rust's own handler takes the first one for a fault
/// that will come again.
pub fn guard_mappings() {
    // Mapping a file tells if it fails.
    let _ = guard::install();
}

/// A file mapped for reading.
pub(crate) struct Mapping {
    // Dropped before the map, so that the handler never sees a stale range.
    guard: guard::Guard,
    map: Mmap,
    /// The file as it was when it was mapped.
    identity: Identity,
    file: File,
    /// The file's name or, of a temporary one, that of the file it was made from.
    path: PathBuf,
    is_temporary: bool,
}

impl Mapping {
    /// Maps a file whose name may come to lead to another one.
    pub(crate) fn named(path: &Path, file: &File) -> io::Result<Self> {
        Self::with(Identity::of(path, file)?, path, file, false)
    }

    /// Maps a temporary file without a name, made from the file `path`.
    pub(crate) fn temporary(path: &Path, file: &File) -> io::Result<Self> {
        Self::with(Identity::unnamed(file)?, path, file, true)
    }

    fn with(identity: Identity, path: &Path, file: &File, is_temporary: bool) -> io::Result<Self> {
        // SAFETY: the mapping is read-only. Another process that writes to
        // the file can change the numbers that are read, never memory safety:
        // every bit pattern of an element is a valid value, and what is text is
        // copied before it is checked. One that shortens it is met by the guard.
        let map = unsafe { Mmap::map(file) }?;
        let guard = guard::Guard::new(&map)?;
        Ok(Self { guard, map, identity, file: file.try_clone()?, path: path.to_owned(), is_temporary })
    }

    /// All bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Releases the memory of a range, which is read again when it is used.
    pub(crate) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        {
            // SAFETY: the mapping is shared with its file and never written
            // to, so a dropped page is read again as it was.
            let advised = unsafe {
                self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
            };
            // Only advice: memory may stay in use a little longer.
            drop(advised);
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Whether all bytes read so far were really there.
    pub(crate) fn is_intact(&self) -> bool {
        self.guard.is_intact()
    }

    /// Fails if the file is not what it was when it was mapped.
    pub(crate) fn check_intact(&self) -> Result<(), DataError> {
        self.identity.check(&self.path, &self.file)?;
        // As long as it was, and still with pages that could not be read.
        if self.is_intact() { Ok(()) } else { Err(Change::Unreadable.error(&self.path)) }
    }
}

impl Storage for Mapping {
    fn bytes(&self) -> &[u8] {
        self.bytes()
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn release(&self, range: Range<usize>) {
        self.release(range);
    }

    fn check_intact(&self) -> Result<(), DataError> {
        self.check_intact()
    }

    fn is_spooled(&self) -> bool {
        self.is_temporary
    }
}

#[cfg(unix)]
mod guard;

/// Elsewhere a mapped file cannot shrink.
#[cfg(not(unix))]
mod guard {
    pub(crate) struct Guard;

    pub(crate) fn install() -> std::io::Result<()> {
        Ok(())
    }

    impl Guard {
        pub(crate) fn new(_map: &[u8]) -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn is_intact(&self) -> bool {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_shrinks_reads_as_zeros_and_says_so() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7u8; 1 << 20]).unwrap();
        let mapping = Mapping::temporary(Path::new("x"), &file).unwrap();
        assert!(mapping.bytes().iter().all(|&byte| byte == 7));
        assert!(mapping.is_intact());
        file.set_len(4096).unwrap();
        let bytes = mapping.bytes();
        assert_eq!((bytes[4095], bytes[4096], bytes[(1 << 20) - 1]), (7, 0, 0));
        assert!(!mapping.is_intact());
    }

    /// Ends as the default of a bus error does, and neither reads on nor tries
    /// for ever.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_fault_that_cannot_be_mended_ends_the_program() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7u8; 1 << 20]).unwrap();
        let mapping = Mapping::temporary(Path::new("x"), &file).unwrap();
        let bytes = mapping.bytes();
        file.set_len(4096).unwrap();
        let most: usize =
            std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
        // SAFETY: the child makes system calls, reads mapped memory and ends.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(10);
                // As many mappings as there may be, no two alike: nothing can be
                // put in the middle of one.
                for k in 0..=most {
                    let access = if k % 2 == 0 { libc::PROT_READ } else { libc::PROT_NONE };
                    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                    if libc::mmap(std::ptr::null_mut(), 4096, access, flags, -1, 0) == libc::MAP_FAILED {
                        break;
                    }
                }
                libc::_exit(i32::from(std::ptr::read_volatile(&raw const bytes[500_000])));
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            status
        };
        assert!(libc::WIFSIGNALED(status), "ended with {status:x}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGBUS);
    }

    /// Also where a file is mapped: what was sent is no fault of its.
    #[cfg(unix)]
    #[test]
    fn a_bus_error_that_was_sent_ends_the_program() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"7").unwrap();
        let mapping = Mapping::temporary(Path::new("x"), &file).unwrap();
        // SAFETY: the child makes system calls and ends.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(10);
                libc::kill(libc::getpid(), libc::SIGBUS);
                libc::_exit(0);
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            status
        };
        assert!(libc::WIFSIGNALED(status), "ended with {status:x}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGBUS);
        assert!(mapping.is_intact());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_shrinks_within_its_last_page_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, vec![7u8; 5000]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mapping = Mapping::named(&path, &file).unwrap();
        assert_eq!(mapping.bytes()[4999], 7);
        mapping.check_intact().unwrap();
        file.set_len(4997).unwrap();
        // No signal tells.
        assert_eq!((mapping.bytes()[4999], mapping.is_intact()), (0, true));
        assert!(matches!(mapping.check_intact(), Err(DataError::Shrunk { .. })));
    }

    #[test]
    fn a_released_range_reads_as_before() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7u8; 1 << 20]).unwrap();
        let mapping = Mapping::temporary(Path::new("x"), &file).unwrap();
        assert_eq!(mapping.bytes()[5000], 7);
        mapping.release(100..900_000);
        assert!(mapping.bytes().iter().all(|&byte| byte == 7) && mapping.is_intact());
    }
}
