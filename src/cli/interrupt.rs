//! Ctrl-C and SIGTERM end the program at once and leave no half-written file.
//! A loop that has something to tell of what it has so far, or a tidier way to
//! end, watches for the signal; a second one ends it at once all the same.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::io::output::discard_unfinished;

/// The exit code that a shell expects of a program ended by SIGINT.
pub(super) const EXIT_CODE: u8 = 130;

/// The time after which a loop that should ask often counts as hanging.
const PATIENCE: Duration = Duration::from_secs(2);

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the loop that watches has seen the request.
static SEEN: AtomicBool = AtomicBool::new(false);

static WATCHED: AtomicU8 = AtomicU8::new(NOT);
const NOT: u8 = 0;
const BRIEFLY: u8 = 1;
const PATIENTLY: u8 = 2;

/// Starts to listen. Without a handler Ctrl-C simply kills, so failing to
/// install one is no reason to stop.
pub(super) fn install() {
    let _ = ctrlc::set_handler(|| {
        let is_first = !REQUESTED.swap(true, Ordering::SeqCst);
        match WATCHED.load(Ordering::SeqCst) {
            PATIENTLY if is_first => {}
            BRIEFLY if is_first => {
                let waiting = thread::Builder::new().spawn(end_unless_seen);
                if waiting.is_err() {
                    end();
                }
            }
            _ => end(),
        }
    });
}

fn end_unless_seen() {
    let end_at = Instant::now() + PATIENCE;
    while Instant::now() < end_at {
        if SEEN.load(Ordering::SeqCst) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    end();
}

/// Ends the program, whatever its other threads do.
fn end() -> ! {
    discard_unfinished();
    // Handlers at exit may need locks that those threads hold.
    #[cfg(unix)]
    // SAFETY: ends the process; nothing runs after it.
    unsafe {
        libc::_exit(i32::from(EXIT_CODE))
    }
    #[cfg(not(unix))]
    std::process::exit(i32::from(EXIT_CODE))
}

/// A guard of a loop that asks whether the program is [`requested`] to end, and
/// ends it itself.
#[must_use]
pub(super) struct Watch(u8);

impl Watch {
    /// A loop that asks many times a second; one that doesn't hangs.
    pub(super) fn brief() -> Self {
        Self::new(BRIEFLY)
    }

    /// A loop that may take long between two questions and has results to tell.
    pub(super) fn patient() -> Self {
        Self::new(PATIENTLY)
    }

    fn new(watched: u8) -> Self {
        Self(WATCHED.swap(watched, Ordering::SeqCst))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.store(self.0, Ordering::SeqCst);
    }
}

/// Whether the user asked to stop.
pub(super) fn requested() -> bool {
    let requested = REQUESTED.load(Ordering::SeqCst);
    if requested {
        SEEN.store(true, Ordering::SeqCst);
    }
    requested
}
