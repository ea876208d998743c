//! Opens the drivers of this machine in a process of its own first. A driver
//! is code of others in one's own process: one that crashes, hangs or ends the
//! process takes the program with it, without a word.
//!
//! The other process is a program that calls [`answer`] when it is started
//! with the arguments of a [`Trial`]. It does what opening does: it lists the
//! adapters, then opens each. Before every step it says which, so that a step
//! without an end has a name.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::device::Device;
use super::{Adapters, Listed};

/// Bytes around a message, which no driver prints by chance, so that what a
/// driver prints to stdout is not taken for one.
const BEGIN: u8 = 0x1e;
const END: u8 = 0x1f;

/// The longest message; what is before it and no message is forgotten.
const MOST_MESSAGE_BYTES: usize = 1 << 16;

/// The bytes that are kept of what drivers say on stderr.
const MOST_STDERR_BYTES: usize = 4096;

/// The time between two looks at a process that keeps its output open.
const LOOK: Duration = Duration::from_millis(20);

/// The longest wait for the output of a process that has ended: a process that
/// it started and that left its group may hold it open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The time that a process waits for its parent to end it before it ends itself.
const ORPHAN_TIME: Duration = Duration::from_secs(2);

/// The characters of an adapter's name that are told; a message stays shorter
/// than its bound.
const MOST_NAME_CHARS: usize = 200;

/// A step that the process is about to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    /// Listing the adapters of some graphics APIs.
    List,
    /// Opening the adapter of this name, now that all are listed.
    Open(String),
    /// Closing the drivers.
    Close,
    /// Ending: they are closed but for what they do when a process ends.
    End,
}

/// A message of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Message {
    /// The step that it is about to take.
    Step(Step),
    /// The offer of the drivers.
    Found(Found),
    /// The adapters. A list that is too long for a message is made anew by the
    /// process that wants it.
    Listed(Listed),
}

/// The offer of drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// No adapter.
    Nothing,
    /// Only software adapters, or some that don't say what they are.
    Software,
    /// A real GPU.
    RealGpu,
}

impl Found {
    /// The kind of these.
    #[must_use]
    pub fn of(adapters: &Adapters) -> Self {
        match adapters.real_gpu() {
            Some(_) => Self::RealGpu,
            None if adapters.is_empty() => Self::Nothing,
            None => Self::Software,
        }
    }
}

/// The end of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// The fault; `None` if everything was opened and closed.
    pub(super) fault: Option<String>,
    /// The offer of the drivers, if it was found out.
    pub(super) found: Option<Found>,
    /// The adapters, if they were listed.
    pub(super) listed: Option<Listed>,
    /// The end of what the drivers said on stderr.
    pub(super) stderr: String,
}

/// The reason why a trial has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The process could not be started or watched.
    #[error("drivers could not be tried in a process of their own: {0}")]
    Process(#[from] io::Error),
    /// The caller wants to go on no longer.
    #[error("interrupted")]
    Interrupted,
}

/// A program that opens drivers and tells how far it comes.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The program.
    pub program: PathBuf,
    /// The arguments that make it call [`answer`] with the one that is appended
    /// to them.
    pub arguments: Vec<OsString>,
    /// The time that it may take.
    pub limit: Duration,
    /// True as long as it is to be waited for.
    pub goes_on: fn() -> bool,
}

/// A variable of the environment, to be set or, without a value, removed.
pub(super) type Variable = (String, Option<OsString>);

/// The fault of those that a trial waited for in vain.
pub(super) const NO_ANSWER: &str = "did not answer within";

impl Trial {
    /// Opens what the drivers offer in this environment.
    pub(super) fn run(&self, environment: &[Variable]) -> Result<Ending, TrialError> {
        let nanoseconds = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
        let key = format!("{:x}-{nanoseconds:x}", std::process::id());
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(&key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // A group of its own can be ended with all that drivers start.
            command.process_group(0).arg0("linfit");
        }
        let mut process = Process(command.spawn()?);
        let steps = Listener::new(process.0.stdout.take(), Steps::of(&key), Steps::hear);
        let stderr = Listener::new(process.0.stderr.take(), Tail::default(), Tail::hear);

        let started = Instant::now();
        let mut ended = false;
        while !ended && started.elapsed() < self.limit {
            if !(self.goes_on)() {
                return Err(TrialError::Interrupted);
            }
            // A process that ends closes its output, mostly.
            steps.wait(LOOK.min(self.limit.saturating_sub(started.elapsed())));
            ended = process.has_ended()?;
        }
        process.end_group();
        let status = if ended { Some(process.0.wait()?) } else { None };
        drop(process);
        steps.wait_for_end(LAST_WORDS);
        stderr.wait_for_end(LAST_WORDS);
        let (step, found, listed) =
            steps.heard(|steps| (steps.last.clone(), steps.found, steps.listed.clone()));
        let fault = match status {
            Some(status) if status.success() && step == Some(Step::End) => None,
            Some(status) => Some(how_it_ended(status)),
            None => Some(format!("{NO_ANSWER} {} s", self.limit.as_secs_f64())),
        };
        let Some(step) = step else {
            // Whatever it was, no driver did it.
            let how = fault.unwrap_or_else(|| "ended".to_owned());
            return Err(io::Error::other(format!("the process {how} before it opened any")).into());
        };
        let fault = fault.map(|fault| match step {
            Step::List => format!("{fault} while its adapters were listed"),
            Step::Open(name) => format!("{fault} while {name} was opened"),
            Step::Close | Step::End => format!("{fault} while it was closed"),
        });
        Ok(Ending { fault, found, listed, stderr: stderr.heard(Tail::text) })
    }
}

#[cfg(unix)]
fn how_it_ended(status: ExitStatus) -> String {
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
fn how_it_ended(status: ExitStatus) -> String {
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
struct Process(Child);

impl Process {
    /// True once it has ended. It is not yet waited for, so that its number and
    /// that of its group still are its own.
    #[cfg(unix)]
    fn has_ended(&mut self) -> io::Result<bool> {
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
    fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Ends the processes that it started, and itself.
    fn end_group(&mut self) {
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

/// The words of a stream, heard while it is read in the background.
struct Listener<H> {
    heard: Arc<Mutex<H>>,
    /// Closed when the stream ends.
    end: Receiver<()>,
}

impl<H: Send + 'static> Listener<H> {
    fn new(stream: Option<impl Read + Send + 'static>, heard: H, hear: fn(&mut H, &[u8])) -> Self {
        let heard = Arc::new(Mutex::new(heard));
        let (open, end) = mpsc::channel::<()>();
        if let Some(mut stream) = stream {
            let heard = Arc::clone(&heard);
            let read = move || {
                let _open = open;
                let mut buffer = [0; 4096];
                loop {
                    match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => hear(&mut lock(&heard), &buffer[..count]),
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(_) => break,
                    }
                }
            };
            // Without a thread nothing is heard, which reads as a failed trial.
            let _ = std::thread::Builder::new().name("trial".to_owned()).spawn(read);
        }
        Self { heard, end }
    }

    /// Waits for the stream's end, but not long.
    fn wait_for_end(&self, limit: Duration) {
        let _ = self.end.recv_timeout(limit);
    }

    /// Waits until the stream ends, or a moment if it has ended.
    fn wait(&self, limit: Duration) {
        if self.end.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn heard<T>(&self, get: impl FnOnce(&H) -> T) -> T {
        get(&lock(&self.heard))
    }
}

/// A poisoned lock only means that a thread panicked that was listening.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The steps that a process says it takes, among whatever its drivers print.
struct Steps {
    key: Vec<u8>,
    unread: Vec<u8>,
    last: Option<Step>,
    found: Option<Found>,
    listed: Option<Listed>,
}

impl Steps {
    fn of(key: &str) -> Self {
        Self { key: key.as_bytes().to_vec(), unread: Vec::new(), last: None, found: None, listed: None }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some(end) = self.unread.iter().position(|&byte| byte == END) {
            let message = &self.unread[..end];
            let begin = message.iter().rposition(|&byte| byte == BEGIN).map_or(0, |begin| begin + 1);
            let message = message[begin..].strip_prefix(&*self.key);
            match message.and_then(|message| serde_json::from_slice(message).ok()) {
                Some(Message::Step(step)) => self.last = Some(step),
                Some(Message::Found(found)) => self.found = Some(found),
                Some(Message::Listed(listed)) => self.listed = Some(listed),
                None => {}
            }
            self.unread.drain(..=end);
        }
        let excess = self.unread.len().saturating_sub(MOST_MESSAGE_BYTES);
        self.unread.drain(..excess);
    }
}

/// The end of a stream.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn hear(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(MOST_STDERR_BYTES);
        self.0.drain(..excess);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// The work of the other process: it opens every adapter there is, and says to
/// stdout what it is about to do. It ends itself if it takes longer than the
/// limit, should its parent be gone.
///
/// # Errors
/// Its stdout is closed: nobody listens.
pub fn answer(key: &str, limit: Duration) -> io::Result<()> {
    restrict(limit);
    let tell = |message: Message| -> io::Result<()> {
        let mut bytes = vec![BEGIN];
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend(serde_json::to_vec(&message)?);
        bytes.push(END);
        // At once, so that nothing gets between.
        let mut stdout = io::stdout().lock();
        stdout.write_all(&bytes)?;
        stdout.flush()
    };
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

/// The limits of what a process may use here, without which drivers may not start.
pub(super) fn limits() -> String {
    #[cfg(unix)]
    {
        let of = |resource| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: it fills in what it is given.
            unsafe { libc::getrlimit(resource, &raw mut limit) };
            limit.rlim_cur
        };
        let [memory, data] = [of(libc::RLIMIT_AS), of(libc::RLIMIT_DATA)];
        let [files, processes] = [of(libc::RLIMIT_NOFILE), of(libc::RLIMIT_NPROC)];
        format!("{memory} {data} {files} {processes}\n")
    }
    #[cfg(not(unix))]
    String::new()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(parts: &[&[u8]]) -> Steps {
        let mut steps = Steps::of("key");
        parts.iter().for_each(|part| steps.hear(part));
        steps
    }

    #[test]
    fn steps_are_heard_among_noise() {
        let open = b"\x1ekey{\"Step\":{\"Open\":\"a GPU\"}}\x1f";
        assert_eq!(heard(&[open]).last, Some(Step::Open("a GPU".to_owned())));
        let noises: [&[u8]; 4] = [b"", b"noise", b"\x1f\x1f\x1e\x1e", b"\x1e{\"Step\":\"Close\"}\x1f"];
        for before in noises {
            for after in noises {
                for cut in 0..open.len() {
                    let steps = heard(&[before, &open[..cut], &open[cut..], after]);
                    assert_eq!(
                        steps.last,
                        Some(Step::Open("a GPU".to_owned())),
                        "{before:?} {cut} {after:?}"
                    );
                }
            }
        }
        let found = heard(&[b"\x1ekey{\"Found\":\"RealGpu\"}\x1f", open]);
        assert_eq!((found.found, found.last.is_some()), (Some(Found::RealGpu), true));
        for none in
            [&b"\x1eyek{\"Step\":\"List\"}\x1f"[..], b"\x1ekey{}\x1f", b"\x1ekey{\"Step\":\"List\"}", b"key"]
        {
            assert_eq!(heard(&[none]).last, None);
        }
    }

    #[test]
    fn noise_takes_no_memory() {
        let mut steps = Steps::of("key");
        let mut tail = Tail::default();
        for _ in 0..1000 {
            steps.hear(&[b'x'; 1000]);
            tail.hear(&[b'x'; 1000]);
        }
        assert!(steps.unread.len() <= MOST_MESSAGE_BYTES && tail.0.len() <= MOST_STDERR_BYTES);
    }

    /// A trial with a program of the system instead of this one.
    #[cfg(unix)]
    fn shell(script: &str) -> Trial {
        let arguments = vec!["-c".into(), script.into(), "sh".into()];
        Trial { program: "/bin/sh".into(), arguments, limit: Duration::from_secs(10), goes_on: || true }
    }

    #[cfg(unix)]
    #[test]
    fn how_a_process_ended_is_told() {
        let say = |step: &str| format!("printf '\\036%s{{\"Step\":{step}}}\\037' \"$1\"; ");
        let fault = |script: &str| shell(script).run(&[]).unwrap().fault;
        let told = |script: &str| fault(script).unwrap();
        assert_eq!(fault(&say("\"End\"")), None);
        assert_eq!(
            told(&(say("\"List\"") + "kill -SEGV $$")),
            "crashed with signal 11 (SIGSEGV) while its adapters were listed"
        );
        assert_eq!(told(&(say("{\"Open\":\"A\"}") + "exit 101")), "made wgpu panic while A was opened");
        assert_eq!(told(&(say("\"End\"") + "exit 1")), "ended the process with code 1 while it was closed");
        let closing = "ended the process with code 0 while it was closed";
        assert_eq!(told(&say("\"Close\"")), closing);
        let started = Instant::now();
        // What it starts holds its output open.
        assert_eq!(fault(&(say("\"End\"") + "sleep 100 & exit 0")), None);
        for script in ["sleep 100; exit 0", "exec >&- 2>&-; sleep 100"] {
            let slow = Trial { limit: Duration::from_secs(2), ..shell(&(say("\"List\"") + script)) };
            assert_eq!(
                slow.run(&[]).unwrap().fault.unwrap(),
                "did not answer within 2 s while its adapters were listed"
            );
        }
        assert!(started.elapsed() < Duration::from_mins(1));
        let loud = shell(&(say("\"List\"") + "echo oops >&2; exit 3")).run(&[]).unwrap();
        assert_eq!(loud.stderr, "oops\n");
        let variable = ("LINFIT_TEST".to_owned(), Some("7".into()));
        let ending = shell(&(say("\"List\"") + "exit $LINFIT_TEST")).run(&[variable]).unwrap();
        assert!(ending.fault.unwrap().starts_with("ended the process with code 7"));
    }

    #[cfg(unix)]
    #[test]
    fn a_trial_that_cannot_be_held_or_is_interrupted_is_an_error() {
        let none = Trial { program: "/nonexistent/program".into(), ..shell("") };
        assert!(matches!(none.run(&[]), Err(TrialError::Process(_))));
        // Another program, or one that can't even start: no driver's fault.
        for script in ["exit 0", "exit 2", "kill -SEGV $$"] {
            assert!(matches!(shell(script).run(&[]), Err(TrialError::Process(_))), "{script}");
        }
        let stopped = Trial { goes_on: || false, ..shell("sleep 100") };
        assert!(matches!(stopped.run(&[]), Err(TrialError::Interrupted)));
    }
}
