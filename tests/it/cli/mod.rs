//! The program itself, run as its users run it: what it prints, what it
//! writes, how it ends.

mod bad_input;
mod batches;
#[cfg(feature = "plot")]
mod browser;
mod comforts;
mod compare;
mod descent;
mod devices;
mod engine_choice;
mod explain;
mod fit;
mod generate;
mod groups;
mod info;
mod lines;
#[cfg(feature = "plot")]
mod many_pictures;
mod missing;
mod models;
mod notes;
mod outputs;
#[cfg(feature = "plot")]
mod pictures;
mod predict;
mod process;
#[cfg(any(feature = "parquet", feature = "tiff"))]
mod real;
mod selection;
mod shards;
mod snapshots;
mod solvers;
mod text;
mod threads;
mod tuning;
mod weights;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::adapter::{lavapipe, only_driver};
use crate::common::{DTYPES, Dtype, Endian, Npy, Number, Parsed, parse_npy};
use linfit::array::{ElementType, Order};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than any command here takes; one that hangs fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A directory of its own, and the program run in it.
///
/// The program sees Mesa's software adapter and no other, so that `auto` and
/// the numbers of adapters are the same on every machine.
struct Lab {
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Lab {
    /// An empty directory; the GPU engine has the software adapter.
    fn new() -> Self {
        Self::with_driver(&lavapipe().display().to_string())
    }

    /// An empty directory on a machine without any GPU adapter.
    fn without_adapters() -> Self {
        Self::with_driver("/nonexistent/driver.json")
    }

    fn with_driver(manifest: &str) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), environment: only_driver(manifest) }
    }

    /// Sets a variable of the program's environment.
    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.retain(|(set, _)| *set != name);
        self.environment.push((name, value.into()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), contents).unwrap();
        self
    }

    /// A row-major `.npy` file.
    fn npy(&self, name: &str, element: ElementType, shape: &[u64], numbers: &[Number]) -> &Self {
        self.write(name, Npy::of(dtype(element), Endian::Little, Order::C, shape, numbers).bytes())
    }

    /// A `.npy` file of one dimension and type f32.
    fn f32s(&self, name: &str, values: &[f32]) -> &Self {
        let numbers: Vec<Number> = values.iter().map(|&value| Number::Float(f64::from(value))).collect();
        self.npy(name, ElementType::F32, &[values.len() as u64], &numbers)
    }

    /// A `.npy` file of one dimension and type f64.
    fn f64s(&self, name: &str, values: &[f64]) -> &Self {
        let numbers: Vec<Number> = values.iter().map(|&value| Number::Float(value)).collect();
        self.npy(name, ElementType::F64, &[values.len() as u64], &numbers)
    }

    /// The X = [[1, 2], [3, 4]] and T = 2·X + 1 of the worked example.
    fn worked_example(&self) -> &Self {
        self.npy("x.npy", ElementType::F32, &[2, 2], &[1.0, 2.0, 3.0, 4.0].map(Number::Float)).npy(
            "t.npy",
            ElementType::F32,
            &[2, 2],
            &[3.0, 5.0, 7.0, 9.0].map(Number::Float),
        )
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn read_json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    fn read_npy(&self, name: &str) -> Parsed {
        parse_npy(&fs::read(self.path(name)).unwrap())
    }

    /// The names of the files in the directory, sorted.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program with the arguments in `line`, which blanks separate.
    fn command(&self, line: &str) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        command.current_dir(self.directory.path()).args(line.split_whitespace());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    fn run(&self, line: &str) -> Ran {
        let output = assert_cmd::Command::from_std(self.command(line)).timeout(TIMEOUT).output().unwrap();
        self.judge(line, &output)
    }

    /// The conditions that hold for every run, whatever it was meant to do.
    fn judge(&self, line: &str, output: &std::process::Output) -> Ran {
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        // On a slow machine a descent may be told that it could be faster.
        let is_far = |line: &&str| {
            (line.starts_with("note: ") && line.contains(" ended far from the"))
                || (line.starts_with("note: the ") && line.contains(" steps took "))
        };
        let (far, stderr) = stderr.split_inclusive('\n').partition(is_far);
        let ran = Ran {
            line: line.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr,
            far,
        };
        assert!(ran.code.is_some(), "killed: {ran:?}");
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("internal error"), "{ran:?}");
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{ran:?}");
        let temporary = self.files().into_iter().find(|name| name.starts_with('.') || name.contains("tmp"));
        assert_eq!(temporary, None, "left behind by {line}");
        ran
    }
}

/// The end of a run.
#[derive(Debug)]
struct Ran {
    line: String,
    code: Option<i32>,
    stdout: String,
    /// Without `far`.
    stderr: String,
    /// The note that a descent did not come to the line, which few of the steps
    /// here are meant to do.
    far: String,
}

impl Ran {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "linfit {}\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Done, and nothing to note.
    #[track_caller]
    fn succeeds(self) -> Self {
        let ran = self.exits(0);
        assert_eq!(ran.stderr, "", "linfit {}", ran.line);
        ran
    }

    /// Ended by bad usage or bad input, with nothing but a message that has
    /// all of `parts`.
    #[track_caller]
    fn ends_refused(self, parts: &[&str]) -> Self {
        self.exits(2).complains(parts)
    }

    #[track_caller]
    fn complains(self, parts: &[&str]) -> Self {
        assert_eq!(self.stdout, "", "linfit {}", self.line);
        for part in parts {
            assert!(self.stderr.contains(part), "linfit {}: no {part:?} in:\n{}", self.line, self.stderr);
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn notes(&self) -> Vec<&str> {
        self.stderr.lines().collect()
    }
}

fn dtype(element: ElementType) -> Dtype {
    *DTYPES.iter().find(|dtype| dtype.element == element).unwrap()
}

/// A number of a JSON object.
#[track_caller]
fn number(json: &Value, field: &str) -> f64 {
    json[field].as_f64().unwrap_or_else(|| panic!("{field} is no number in {json}"))
}

/// The names of a JSON object's fields, sorted.
fn fields(json: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The elements of a `.npy` file as f64, as they are stored.
fn values(file: &Parsed) -> Vec<f64> {
    let dtype = *DTYPES.iter().find(|dtype| dtype.descr(Endian::Little) == file.descr).unwrap();
    let decode = |bytes| dtype.as_f64(dtype.decode(bytes, Endian::Little));
    file.data.chunks_exact(dtype.size).map(decode).collect()
}

/// Loss and gradients by their formulas, with the size of each one's terms.
struct Expected {
    loss: f64,
    grad_weight: f64,
    grad_bias: f64,
    weight_terms: f64,
    bias_terms: f64,
}

fn expected(xs: &[f64], ts: &[f64], weight: f64, bias: f64) -> Expected {
    assert_eq!(xs.len(), ts.len());
    let n = xs.len() as f64;
    let mut expected =
        Expected { loss: 0.0, grad_weight: 0.0, grad_bias: 0.0, weight_terms: 0.0, bias_terms: 0.0 };
    for (&x, &t) in xs.iter().zip(ts) {
        let r = x * weight + bias - t;
        expected.loss += r * r / n;
        expected.grad_weight += 2.0 * r * x / n;
        expected.grad_bias += 2.0 * r / n;
        expected.weight_terms += (2.0 * r * x / n).abs();
        expected.bias_terms += (2.0 * r / n).abs();
    }
    expected
}

impl Expected {
    /// Holds a report against these, each error relative to the size of the
    /// terms that were added up.
    #[track_caller]
    fn check(&self, report: &Value, tolerance: f64) {
        for (field, want, size) in [
            ("loss", self.loss, self.loss),
            ("grad_weight", self.grad_weight, self.weight_terms),
            ("grad_bias", self.grad_bias, self.bias_terms),
        ] {
            let error = (number(report, field) - want).abs() / size.max(f64::MIN_POSITIVE);
            assert!(error <= tolerance, "{field} is off by {error:e} of its terms, not {want:e}: {report}");
        }
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
