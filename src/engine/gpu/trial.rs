//! Opens the drivers of this machine in a process of its own first. A driver
//! is code of others in one's own process: one that crashes, hangs or ends the
//! process takes the program with it, without a word.
//!
//! The other process is a program that calls [`answer`] when it is started
//! with the arguments of a [`Trial`]. It does what opening does: it lists the
//! adapters, then opens each. Before every step it says which, so that a step
//! without an end has a name.

mod answer;
mod listener;
mod message;
mod process;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::verdict::NO_ANSWER;
use super::{Found, Listed};
pub use answer::answer;
use listener::{Listener, Tail};
use message::{Step, Steps};
use process::{LAST_WORDS, Process, how_it_ended};

/// The time between two looks at a process that keeps its output open.
const LOOK: Duration = Duration::from_millis(20);

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

#[cfg(test)]
mod tests {
    use super::*;

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
