//! A process that is ended with all that it started.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// The longest wait for the output of a process that has ended: a process that
/// it started and that left its group may hold it open.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(200);

/// The end of a process in words.
#[cfg(unix)]
pub(super) fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    let Some(signal) = status.signal() else { return exit_code(status) };
    let name = match signal {
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGTRAP => " (SIGTRAP)",
        _ => "",
    };
    format!("crashed with signal {signal}{name}")
}

#[cfg(not(unix))]
pub(super) fn how_it_ended(status: ExitStatus) -> String {
    exit_code(status)
}

fn exit_code(status: ExitStatus) -> String {
    // A panic is unwound to the end of `main`.
    match status.code() {
        Some(101) => "made wgpu panic".to_owned(),
        Some(code) => format!("ended the process with code {code}"),
        None => "ended the process".to_owned(),
    }
}

/// A process that does not outlive its owner.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// True once it has ended. It is not yet waited for, so that its number and
    /// that of its group still are its own.
    #[cfg(unix)]
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        // SAFETY: zeroes are a valid siginfo_t, which waitid fills in.
        let (result, pid) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            let result = libc::waitid(libc::P_PID, self.0.id(), &raw mut info, options);
            (result, info.si_pid())
        };
        match (result, io::Error::last_os_error()) {
            (0, _) => Ok(pid != 0),
            (_, error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            (_, error) => Err(error),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Ends the processes that it started, and itself.
    pub(super) fn end_group(&mut self) {
        #[cfg(unix)]
        if let Ok(group) = libc::pid_t::try_from(self.0.id()) {
            // SAFETY: the group was made for this process, which has not been
            // waited for.
            let _ = unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        let _ = self.0.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended and waited for already, it is left alone.
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        self.end_group();
        // One that hangs in the kernel can't be ended, nor waited for.
        let started = Instant::now();
        while !matches!(self.0.try_wait(), Ok(Some(_)) | Err(_)) && started.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
