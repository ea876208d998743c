//! Ctrl-C ends a command at the next step or chunk, so that results so far
//! are printed and no half-written file is left; a second one ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::data::output::discard_unfinished;

/// What a shell expects of a program that SIGINT ended.
pub(super) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Starts to listen. Without a handler Ctrl-C simply kills, so failing to
/// install one is no reason to stop.
pub(super) fn install() {
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            discard_unfinished();
            std::process::exit(i32::from(EXIT_CODE));
        }
    });
}

/// Whether the user asked to stop.
pub(super) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
