//! A handler of SIGBUS that puts zeros where a mapped file no longer is.

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

    fn contains(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::Acquire);
        start != 0 && (start..self.end.load(Ordering::Acquire)).contains(&address)
    }
}

/// An entry of the table, held as long as the mapping.
pub(super) struct Guard(&'static Entry);

impl Guard {
    pub(super) fn new(map: &[u8]) -> io::Result<Self> {
        install()?;
        let free = |entry: &&Entry| !entry.taken.swap(true, Ordering::AcqRel);
        let entry =
            RANGES.iter().find(free).ok_or_else(|| io::Error::other("too many files are mapped at once"))?;
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

/// The handler of SIGBUS before: Rust's own detection of stack overflows, or
/// that of the program this library is part of.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs the handler once. Not by a crate that chains handlers: the
/// previous one must not see our faults, since Rust's own puts the default
/// back, which kills the program at the next.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let handler: Handler = on_sigbus;
        // SAFETY: both structures are plain data that may be all zeros; the
        // handler only reads and writes atomics and makes system calls.
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

extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a filled-in structure.
    let is_fault = unsafe { (*info).si_code } > 0;
    if is_fault {
        // SAFETY: of a fault, unlike of a signal that a process sent, the
        // structure has the address.
        let address = unsafe { (*info).si_addr() } as usize;
        let hit = RANGES.iter().find(|entry| entry.contains(address));
        if hit.is_some_and(|entry| replace(entry, address)) {
            return;
        }
    }
    pass_on(signal, info, context, is_fault);
}

/// Puts zeros in the place of a mapping from the page of an address on, and
/// notes that they are none of the file's; whether that could be done.
fn replace(entry: &Entry, address: usize) -> bool {
    entry.torn.store(true, Ordering::Release);
    // SAFETY: sysconf only reads a constant.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let start = address & !(page - 1);
    let end = entry.end.load(Ordering::Acquire).next_multiple_of(page);
    // SAFETY: the error number is the thread's own, and put back for the code
    // that was interrupted. The pages from the fault to the mapping's end
    // belong to the mapping, which is only read; zeros take their place, and
    // reading goes on there.
    unsafe {
        let error = error_number();
        let kept = *error;
        let zeros = libc::mmap(
            start as *mut libc::c_void,
            end - start,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        );
        *error = kept;
        zeros != libc::MAP_FAILED
    }
}

/// The address of the thread's `errno`.
fn error_number() -> *mut libc::c_int {
    // SAFETY: takes nothing and returns the address of a thread's variable.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "dragonfly"))]
        return libc::__errno_location();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        return libc::___errno();
        #[cfg(not(any(
            target_os = "linux",
            target_os = "emscripten",
            target_os = "dragonfly",
            target_os = "android",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "illumos",
            target_os = "solaris"
        )))]
        return libc::__error();
    }
}

/// Leaves a signal that is not ours to what handled it before, and if nothing
/// did, to the default, which ends the program.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void, is_fault: bool) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    if handler == libc::SIG_IGN && !is_fault {
        return;
    }
    if let Some(previous) = previous.filter(|_| handler != libc::SIG_DFL && handler != libc::SIG_IGN) {
        // SAFETY: it was installed as a handler of this signal, in the form
        // that the flags tell.
        unsafe {
            if previous.sa_flags & libc::SA_SIGINFO == 0 {
                let handler: extern "C" fn(libc::c_int) = std::mem::transmute(handler);
                handler(signal);
            } else {
                let handler: Handler = std::mem::transmute(handler);
                handler(signal, info, context);
            }
        }
    } else {
        // SAFETY: the default is no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // A fault is raised again by the access itself as soon as this returns. A
    // signal that was sent is not: where the default is in place now, which
    // Rust's own handler relies on the fault to meet, it is sent again.
    if !is_fault {
        // SAFETY: the structure is plain data that may be all zeros; asking for
        // the action changes nothing, and a signal may be raised anywhere.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            let known = libc::sigaction(signal, std::ptr::null(), &raw mut now) == 0;
            if known && now.sa_sigaction == libc::SIG_DFL {
                libc::raise(signal);
            }
        }
    }
}
