//! The command line, by running the program: options, outputs, exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "tests on data they made themselves"
)]

mod bad_input;
mod compare;
mod devices;
mod fit;
mod generate;
mod predict;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Fisher's irises, the file that comes with linfit.
const IRIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/iris.csv");

/// A directory of its own for a test, and the program run in it.
struct Bench {
    directory: TempDir,
}

/// What a run of the program gave.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Bench {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a row-major little-endian f32 .npy file, byte by byte.
    fn npy_f32(&self, name: &str, shape: &str, values: &[f32]) {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        self.npy(name, &format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"), &data);
    }

    fn npy(&self, name: &str, header: &str, data: &[u8]) {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(data);
        self.write(name, &file);
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// The names of the files there, sorted.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        command.args(arguments).current_dir(self.directory.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        finished(self.command(arguments).output().unwrap(), arguments)
    }

    /// The worked example: X = [[1, 2], [3, 4]], T = 2·X + 1.
    fn with_worked_example() -> Self {
        let bench = Self::new();
        bench.npy_f32("x.npy", "(2, 2)", &[1.0, 2.0, 3.0, 4.0]);
        bench.npy_f32("t.npy", "(2, 2)", &[3.0, 5.0, 7.0, 9.0]);
        bench
    }
}

/// What must hold of every run, whatever it was asked.
fn finished(output: Output, arguments: &[&str]) -> Run {
    let run = Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!run.stderr.contains("panicked"), "{arguments:?}: {}", run.stderr);
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{arguments:?}: escape codes");
    run
}

impl Run {
    /// The run must have ended with exit code 0.
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The run must have failed with this code, nothing on stdout, and one or
    /// two lines on stderr that say all of `words`.
    fn fails(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(self.stderr.starts_with("linfit: "), "{}", self.stderr);
        assert!(self.stderr.lines().count() <= 2, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
    }

    fn to_json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} is not a number: {object}"))
}

/// The keys of an object, sorted.
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn help_has_examples_and_version_is_the_crates() {
    let bench = Bench::new();
    for command in ["fit", "predict", "compare", "bench", "devices", "generate"] {
        let help = bench.run(&[command, "--help"]).ok().stdout;
        assert!(help.contains("Example") && help.contains("linfit "), "{command}: {help}");
    }
    assert!(bench.run(&["--help"]).ok().stdout.contains("Exit codes"));
    assert!(bench.run(&["--version"]).ok().stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn bad_usage_is_2() {
    let bench = Bench::with_worked_example();
    let cases: [&[&str]; 6] = [
        &[],
        &["frobnicate"],
        &["fit", "x.npy"],
        &["fit", "x.npy", "t.npy", "--no-such-option"],
        &["fit", "x.npy", "t.npy", "--steps", "-1"],
        &["fit", "x.npy", "t.npy", "-q", "-v"],
    ];
    for case in cases {
        let run = bench.run(case);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{case:?}: {}", run.stderr);
    }
}

/// An output file must never replace what isn't a regular file.
#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_device_a_device() {
    let bench = Bench::with_worked_example();
    bench.write("old.json", b"old");
    std::os::unix::fs::symlink(bench.path("old.json"), bench.path("link.json")).unwrap();
    bench.run(&["fit", "x.npy", "t.npy", "--save", "link.json", "--history", "/dev/null"]).ok();
    assert!(bench.path("link.json").is_symlink());
    assert!(number(&bench.json("old.json"), "weight") > 0.0);
    assert!(!Path::new("/dev/null").is_file());
}
