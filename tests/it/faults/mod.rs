//! Faults of a file system, limits and signals while the program runs. A result is right, or there is none and an error says why; an output
//! is whole, the old one or the new one, or isn't there; nothing is left over.
//!
//! The tables are large. A plain run takes some cases of each, spread evenly;
//! with `LINFIT_FAULTS=all` it takes all of them, and with `fast` all but those
//! that measure. Each test prints how many cases it ran.

#![cfg(target_os = "linux")]

mod changes;
mod kills;
mod outputs;
mod signals;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use linfit::array::{ElementType, Order, Shape};
use linfit::io::npy;
use tempfile::TempDir;

/// Longer than any run here takes.
const TIMEOUT: Duration = Duration::from_mins(3);

/// Whether all cases are asked for, or all that do not take seconds each.
fn takes_all() -> bool {
    std::env::var_os("LINFIT_FAULTS").is_some_and(|what| what == "all" || what == "fast")
}

/// Whether a command line is one of a table's cases that are run.
fn is_run(line: &str) -> bool {
    let all = std::env::var_os("LINFIT_FAULTS").is_some_and(|what| what == "all");
    all || !line.starts_with("bench --sizes")
}

/// Some of a table's cases or, if asked for, all.
fn chosen<T>(cases: Vec<T>, some: usize) -> Vec<T> {
    assert!(!cases.is_empty());
    let count = if takes_all() { cases.len() } else { some.min(cases.len()) };
    let total = cases.len();
    // The k-th of `count` is at k·total/count, and no two are the same.
    let is_chosen = |k: usize| k * count / total != (k + 1) * count / total;
    cases.into_iter().enumerate().filter(|(k, _)| is_chosen(*k)).map(|(_, case)| case).collect()
}

/// Says how many cases a test ran.
fn ran(what: &str, cases: usize) {
    assert!(cases > 0, "{what}: no cases");
    eprintln!("faults: {what}: {cases} cases");
}

/// A directory of its own.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With `x.npy`, `t.npy` and `m.json`: f32, T near 2·X + 1.
    fn with_pair(n: usize) -> Self {
        let lab = Self::new();
        let x: Vec<f32> = (0..n).map(|k| (k as f32 * 0.618_034).fract() + 1.0).collect();
        let t: Vec<f32> = x.iter().enumerate().map(|(k, x)| 2.0 * x + (k as f32 * 0.414_2).fract()).collect();
        for (name, values) in [("x.npy", &x), ("t.npy", &t)] {
            let shape = Shape(vec![1, n as u64]);
            let mut file = npy::create(&lab.path(name), &shape, ElementType::F32, Order::C).unwrap();
            file.write(values).unwrap();
            file.finish().unwrap();
        }
        fs::write(lab.path("m.json"), r#"{"weight": 2, "bias": 1}"#).unwrap();
        fs::write(lab.path("same.json"), r#"{"weight": 1, "bias": 0}"#).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Every file with its contents; of what is no file, nothing.
    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.0.path()).unwrap().map(Result::unwrap);
        let mut all: Vec<_> = entries
            .map(|entry| {
                let is_file = entry.file_type().unwrap().is_file();
                let bytes = if is_file { fs::read(entry.path()).unwrap() } else { Vec::new() };
                (entry.file_name().into_string().unwrap(), bytes)
            })
            .collect();
        all.sort();
        all
    }

    fn names(&self) -> Vec<String> {
        self.contents().into_iter().map(|(name, _)| name).collect()
    }

    fn command(&self, line: &str) -> Command {
        self.set_up(Command::new(env!("CARGO_BIN_EXE_linfit")), line.split_whitespace())
    }

    /// The program after some lines of shell, such as `ulimit -f 8`.
    fn shell(&self, before: &str, line: &str) -> Command {
        let script = format!("{before} exec {} {line}", env!("CARGO_BIN_EXE_linfit"));
        self.set_up(Command::new("sh"), ["-c", &script])
    }

    fn set_up<'a>(&self, mut command: Command, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        command.args(arguments).current_dir(self.0.path());
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR")).env("WGPU_BACKEND", "vulkan");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Ended {
        Running::start(&mut self.command(line), line).end()
    }
}

/// A program under way, killed if its test fails.
struct Running {
    child: Child,
    line: String,
    /// Its output so far.
    said: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(command: &mut Command, line: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, line: line.to_owned(), said: String::new(), stderr }
    }

    /// Waits until it says something on stderr.
    fn says(&mut self, what: &str) {
        loop {
            let mut next = String::new();
            let bytes = self.stderr.read_line(&mut next).unwrap();
            self.said.push_str(&next);
            if next.contains(what) {
                return;
            }
            assert!(bytes > 0, "{} ended without {what:?}: {}", self.line, self.said);
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-s", name, &pid]).stderr(Stdio::null()).status().unwrap();
    }

    /// Waits for its end, but no longer than that.
    fn ends_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn end(mut self) -> Ended {
        // What it prints is read as it comes, or it would wait for that.
        let mut stdout = self.child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut out = Vec::new();
            stdout.read_to_end(&mut out).unwrap();
            out
        });
        let status = self.ends_within(TIMEOUT);
        let status = status.unwrap_or_else(|| panic!("{} does not end: {}", self.line, self.said));
        let mut err = Vec::new();
        self.stderr.read_to_end(&mut err).unwrap();
        self.said.push_str(&String::from_utf8_lossy(&err));
        Ended {
            line: self.line.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: String::from_utf8_lossy(&reader.join().unwrap()).into_owned(),
            stderr: self.said.clone(),
        }
    }
}

#[derive(Debug)]
struct Ended {
    #[expect(dead_code, reason = "for messages of failed tests")]
    line: String,
    code: Option<i32>,
    signal: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    #[track_caller]
    fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Ended by an error that names what is wrong, without a result.
    #[track_caller]
    fn ends_refused(self, parts: &[&str]) -> Self {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        let error = self.stderr.lines().find(|line| line.starts_with("linfit: ")).unwrap_or_default();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {self:?}");
        }
        assert!(!self.stderr.contains("internal error") && !self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn append(path: &Path, bytes: &[u8]) {
    File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn truncate(path: &Path, bytes: u64) {
    File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

/// Numbers that look random: the next one, and the state after it.
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}
