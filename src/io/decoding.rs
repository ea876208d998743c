//! Decoders of other people that may panic on damaged files.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread would be caught and become an error, so that
/// a panic hook need not report it.
#[must_use]
pub fn is_catching() -> bool {
    CATCHING.get()
}

/// Runs a decoder for another thread; `is_caught` is whether a panic would be caught
/// there.
pub(super) fn caught<T>(is_caught: bool, decode: impl FnOnce() -> T) -> std::thread::Result<T> {
    let before = CATCHING.replace(is_caught);
    let result = catch_unwind(AssertUnwindSafe(decode));
    CATCHING.set(before);
    result
}

/// Runs a decoder whose state ends with it; what it says when it panics is the
/// error.
pub(super) fn catch<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    caught(true, decode).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "damaged".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(catch(|| 1), Ok(1));
        let empty: [u8; 0] = [];
        let caught = catch(|| {
            assert!(is_catching());
            empty[std::hint::black_box(3)]
        });
        assert!(caught.unwrap_err().contains("out of bounds"));
        assert!(!is_catching());
    }
}
