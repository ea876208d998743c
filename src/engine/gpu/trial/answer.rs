use std::io;
use std::time::Duration;

use super::message::{Message, Step, tell};
use crate::engine::gpu::device::Device;
use crate::engine::gpu::{Adapters, Found, Listed};

/// The time that a process waits for its parent to end it before it ends itself.
const ORPHAN_TIME: Duration = Duration::from_secs(2);

/// The characters of an adapter's name that are told; a message stays shorter
/// than its bound.
const MOST_NAME_CHARS: usize = 200;

/// The work of the other process: it opens every adapter there is, and says to
/// stdout what it is about to do. It ends itself if it takes longer than the
/// limit, should its parent be gone.
///
/// # Errors
/// Its stdout is closed: nobody listens.
pub fn answer(key: &str, limit: Duration) -> io::Result<()> {
    restrict(limit);
    let tell = |message: Message| tell(key, &message);
    tell(Message::Step(Step::List))?;
    let adapters = Adapters::enumerate();
    tell(Message::Found(Found::of(&adapters)))?;
    tell(Message::Listed(Listed::of(&adapters)))?;
    for adapter in adapters.iter() {
        tell(Message::Step(Step::Open(adapter.name().chars().take(MOST_NAME_CHARS).collect())))?;
        // A command that asks for this adapter reports why it can't be opened.
        let _ = Device::open(adapter);
    }
    tell(Message::Step(Step::Close))?;
    drop(adapters);
    tell(Message::Step(Step::End))
}

/// Takes from this process what could outlive it.
fn restrict(limit: Duration) {
    // SAFETY: both only change how this process may end, and read what they
    // are given.
    #[cfg(unix)]
    unsafe {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    let limit = limit.saturating_add(ORPHAN_TIME);
    let _ = std::thread::Builder::new().name("limit".to_owned()).spawn(move || {
        std::thread::sleep(limit);
        std::process::abort();
    });
}
