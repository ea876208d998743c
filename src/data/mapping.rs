//! Files mapped into memory, guarded against shrinking.
//!
//! On Unix, reading a mapped page that its file no longer has raises SIGBUS,
//! which kills the program. The guard does what libwayland does with clients'
//! buffers (`wl_shm_buffer_begin_access`): its handler puts zeros where the
//! file used to be and notes the fact, and whoever reads asks
//! [`is_intact`](Bytes::is_intact) before believing what was read.

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::Mmap;

use super::matrix::Bytes;

/// A file mapped for reading.
pub(super) struct Mapping {
    // Dropped before the map, so that the handler never sees a stale range.
    guard: guard::Guard,
    map: Mmap,
}

impl Mapping {
    pub(super) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the mapping is read-only. Another process that writes to
        // the file can change the numbers that are read, never memory safety:
        // every bit pattern of an element is a valid value. One that shortens
        // it is met by the guard.
        let map = unsafe { Mmap::map(file) }?;
        let guard = guard::Guard::new(&map)?;
        Ok(Self { guard, map })
    }
}

impl Bytes for Mapping {
    fn bytes(&self) -> &[u8] {
        &self.map
    }

    fn release(&self, range: Range<usize>) {
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

    fn is_intact(&self) -> bool {
        self.guard.is_intact()
    }
}

#[cfg(unix)]
mod guard {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// The ranges the handler looks through. A signal handler may not lock or
    /// allocate; a table of atomics it may read.
    static RANGES: [Entry; 64] = [const { Entry::new() }; 64];

    struct Entry {
        taken: AtomicBool,
        start: AtomicUsize,
        end: AtomicUsize,
        torn: AtomicBool,
    }

    impl Entry {
        const fn new() -> Self {
            Self {
                taken: AtomicBool::new(false),
                start: AtomicUsize::new(0),
                end: AtomicUsize::new(0),
                torn: AtomicBool::new(false),
            }
        }
    }

    /// An entry of the table, held as long as the mapping.
    pub(super) struct Guard(&'static Entry);

    impl Guard {
        pub(super) fn new(map: &[u8]) -> io::Result<Self> {
            install()?;
            let free = |entry: &&Entry| !entry.taken.swap(true, Ordering::AcqRel);
            let entry = RANGES
                .iter()
                .find(free)
                .ok_or_else(|| io::Error::other("too many files are mapped at once"))?;
            let start = map.as_ptr() as usize;
            entry.torn.store(false, Ordering::Release);
            entry.end.store(start + map.len(), Ordering::Release);
            entry.start.store(start, Ordering::Release);
            Ok(Self(entry))
        }

        pub(super) fn is_intact(&self) -> bool {
            !self.0.torn.load(Ordering::Acquire)
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.start.store(0, Ordering::Release);
            self.0.end.store(0, Ordering::Release);
            self.0.taken.store(false, Ordering::Release);
        }
    }

    /// What handled SIGBUS before: Rust's own detection of stack overflows.
    static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

    /// Installs the handler once. Not by a crate that chains handlers: the
    /// previous one must not see our faults, since Rust's own puts the default
    /// back, which kills the program at the next.
    fn install() -> io::Result<()> {
        static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
            // SAFETY: both structures are plain data that may be all zeros;
            // the handler only reads and writes atomics and makes system
            // calls.
            let (code, previous) = unsafe {
                let mut previous: libc::sigaction = std::mem::zeroed();
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handler as libc::sighandler_t;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                (libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous), previous)
            };
            if code == 0 {
                PREVIOUS.get_or_init(|| previous);
                Ok(())
            } else {
                Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
            }
        });
        installed.map_err(io::Error::from_raw_os_error)
    }

    extern "C" fn on_sigbus(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel hands over a filled-in structure; for SIGBUS it
        // has the address.
        let address = unsafe { (*info).si_addr() } as usize;
        let hit = |entry: &&Entry| {
            let start = entry.start.load(Ordering::Acquire);
            start != 0 && (start..entry.end.load(Ordering::Acquire)).contains(&address)
        };
        let Some(entry) = RANGES.iter().find(hit) else {
            // Not ours: with the previous handler back in place, the fault is
            // raised again as soon as this one returns.
            let previous = PREVIOUS.get().map_or(std::ptr::null(), std::ptr::from_ref);
            // SAFETY: restores what was installed before, or nothing.
            unsafe { libc::sigaction(libc::SIGBUS, previous, std::ptr::null_mut()) };
            return;
        };
        entry.torn.store(true, Ordering::Release);
        // SAFETY: sysconf only reads a constant.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let start = address & !(page - 1);
        let end = entry.end.load(Ordering::Acquire).next_multiple_of(page);
        // SAFETY: the pages from the fault to the mapping's end belong to the
        // mapping, which is only read; zeros take their place, and reading
        // goes on there.
        unsafe {
            libc::mmap(
                start as *mut libc::c_void,
                end - start,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            );
        }
    }
}

/// Elsewhere a mapped file cannot shrink.
#[cfg(not(unix))]
mod guard {
    pub(super) struct Guard;

    impl Guard {
        pub(super) fn new(_map: &[u8]) -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn is_intact(&self) -> bool {
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
        let mapping = Mapping::new(&file).unwrap();
        assert!(mapping.bytes().iter().all(|&byte| byte == 7));
        assert!(mapping.is_intact());
        file.set_len(4096).unwrap();
        let bytes = mapping.bytes();
        assert_eq!((bytes[4095], bytes[4096], bytes[(1 << 20) - 1]), (7, 0, 0));
        assert!(!mapping.is_intact());
    }

    #[test]
    fn a_released_range_reads_as_before() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7u8; 1 << 20]).unwrap();
        let mapping = Mapping::new(&file).unwrap();
        assert_eq!(mapping.bytes()[5000], 7);
        mapping.release(100..900_000);
        assert!(mapping.bytes().iter().all(|&byte| byte == 7) && mapping.is_intact());
    }
}
