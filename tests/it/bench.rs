//! `linfit bench`, by running the program. Nothing here depends on how fast
//! the machine is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests on data they made themselves")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A directory of its own for a test.
struct Place(TempDir);

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `linfit bench --time 0` with more arguments.
    fn bench(&self, arguments: &str) -> Run {
        let output = Command::new(assert_cmd::cargo::cargo_bin!("linfit"))
            .args(["bench", "--time", "0"])
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .output()
            .unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!run.stderr.contains("panicked"), "{arguments}: {}", run.stderr);
        run
    }

    fn files(&self) -> usize {
        fs::read_dir(self.0.path()).unwrap().count()
    }
}

impl Run {
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    fn json(self) -> Value {
        let run = self.ok();
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout))
    }

    /// It must have failed with this code, nothing on stdout, and one line on
    /// stderr (clap's own messages have more) that says all of `words`.
    fn fails(self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
    }
}

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} is not a number: {object}"))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn json_has_every_engine_pass_and_size() {
    let json = Place::new().bench("--sizes 4K,1000 --json").json();
    assert!(number(&json, "read_gb_s") > 0.0);
    assert!(number(&json["read"], "bytes") > 0.0 && number(&json["read"], "runs") >= 20.0);
    let results = json["results"].as_array().unwrap();
    let count = |engine: &str| results.iter().filter(|result| result["engine"] == engine).count();
    assert_eq!(count("cpu"), 8, "four passes over two sizes");
    assert!(
        count("gpu") >= 8 && count("gpu") % 8 == 0,
        "no software Vulkan adapter: run tests/run.sh, which installs one"
    );
    for result in results {
        let n = number(result, "n");
        let seconds = number(result, "median_s");
        assert!(seconds > 0.0, "{result}");
        assert!(number(result, "q1_s") <= seconds && seconds <= number(result, "q3_s"), "{result}");
        assert!(number(result, "runs") >= 10.0);
        assert_eq!(result["dtype"], "f32");
        assert_eq!(result["adapter"].is_string(), result["engine"] == "gpu", "{result}");
        // The CPU has no clock of its own; a device has one
        // where its API does.
        let device = &result["device_s"];
        assert!(
            device.is_null() || (result["engine"] == "gpu" && device.as_f64().unwrap() > 0.0),
            "{result}"
        );
        // X and T, or X and Y, of 4 bytes each.
        let close = |got: f64, want: f64| (got / want - 1.0).abs() < 1e-12;
        assert!(close(number(result, "gb_s"), 8.0 * n / seconds / 1e9), "{result}");
        assert!(close(number(result, "elements_s"), n / seconds), "{result}");
        let fraction = number(result, "gb_s") / number(&json, "read_gb_s");
        assert!(close(number(result, "fraction_of_read"), fraction), "{result}");
    }
    let order: Vec<(&str, f64)> =
        results[..8].iter().map(|r| (r["pass"].as_str().unwrap(), number(r, "n"))).collect();
    let want =
        ["forward", "residual_sums", "step", "steps"].into_iter().flat_map(|p| [(p, 1000.0), (p, 4096.0)]);
    assert_eq!(order, want.collect::<Vec<_>>());
}

#[test]
fn options_restrict_it() {
    let place = Place::new();
    let json = place.bench("--sizes 64 --engine cpu --passes residual-sums --dtype u8 --json").json();
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!((&results[0]["pass"], &results[0]["dtype"]), (&"residual_sums".into(), &"u8".into()));
    let gb_s = 2.0 * 64.0 / number(&results[0], "median_s") / 1e9;
    assert!((number(&results[0], "gb_s") / gb_s - 1.0).abs() < 1e-12);

    let json = place.bench("--sizes 64 --adapter 0 --passes forward,step --json").json();
    let results = json["results"].as_array().unwrap();
    assert!(results.len() == 2 && results.iter().all(|result| result["engine"] == "gpu"), "{json}");
}

#[test]
fn the_table_is_for_people() {
    let text = Place::new().bench("--sizes 4K --engine cpu --dtype i16").ok().stdout;
    for word in ["reads memory at", "4,096", "residual_sums", "i16", "IQR", "of read", " %"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    assert!(!text.contains("baseline"), "{text}");
}

#[test]
fn exports_say_what_was_printed() {
    let place = Place::new();
    let run = "--sizes 100,200 --engine cpu --passes step --export-json a.json --export-csv a.csv \
               --export-markdown a.md --json";
    let printed = place.bench(run).json();
    assert_eq!(place.files(), 3);
    assert_eq!(read_json(&place.path("a.json")), printed);

    let mut csv = csv::Reader::from_path(place.path("a.csv")).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for (row, result) in rows.iter().zip(printed["results"].as_array().unwrap()) {
        for (key, field) in header.iter().zip(row) {
            let same = match &result[key] {
                Value::Null => field.is_empty(),
                Value::String(text) => field == text,
                number => field.parse::<f64>().unwrap() == number.as_f64().unwrap(),
            };
            assert!(same, "{key}: {field} in the CSV file, {} in JSON", result[key]);
        }
    }

    let markdown = fs::read_to_string(place.path("a.md")).unwrap();
    let table: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 4, "{markdown}");
    let bars = table[0].matches('|').count();
    assert!(table.iter().all(|line| line.ends_with('|') && line.matches('|').count() == bars), "{markdown}");
}

#[test]
fn a_baseline_gives_ratios() {
    let place = Place::new();
    let earlier = place.bench("--sizes 1K,2K --engine cpu --export-json old.json --json").json();
    let run = "--sizes 1K,2K,3K --engine cpu --baseline old.json";
    let later = place.bench(&format!("{run} --json")).json();
    let median = |run: &Value, like: &Value| {
        let results = run["results"].as_array().unwrap();
        let same = results.iter().find(|r| r["pass"] == like["pass"] && r["n"] == like["n"]);
        same.map(|result| number(result, "median_s"))
    };
    let mut ratios = 0;
    for result in later["results"].as_array().unwrap() {
        if let Some(before) = median(&earlier, result) {
            let want = before / number(result, "median_s");
            assert!((number(result, "baseline_ratio") / want - 1.0).abs() < 1e-12, "{result}");
            ratios += 1;
        } else {
            assert!(result["n"] == 3072 && result.get("baseline_ratio").is_none(), "{result}");
        }
    }
    assert_eq!(ratios, 8);
    let text = place.bench(run).ok();
    assert!(text.stdout.contains("× baseline"), "{}", text.stdout);
    assert!(text.stderr.contains("lacks 4 of these"), "{}", text.stderr);
}

#[test]
fn a_file_that_is_no_baseline_is_2() {
    let place = Place::new();
    let run = "--sizes 1K --engine cpu --baseline b.json";
    place.bench(run).fails(2, &["linfit: b.json: "]);
    let cases = [
        "",
        "{",
        "[]",
        "{}",
        "\u{0}\u{1}",
        r#"{"weight": 1, "bias": 2}"#,
        r#"{"results": [{"engine": "cpu"}]}"#,
        r#"{"results": [{"engine": "cpu", "adapter": null, "pass": "step", "n": 1, "dtype": "f32",
            "median_s": 0}]}"#,
    ];
    for text in cases {
        fs::write(place.path("b.json"), text).unwrap();
        place.bench(run).fails(2, &["b.json: not a benchmark's results", "--export-json"]);
    }
}

#[test]
fn a_mismatch_is_1_and_nothing_is_written() {
    let place = Place::new();
    // Rounding Y to f32 alone is more than that.
    let run = place.bench("--sizes 1K --engine cpu --tol 1e-12 --export-json a.json");
    run.fails(1, &["linfit: cpu, 1024 elements: Y is off by", "nothing was timed"]);
    assert_eq!(place.files(), 0);
}

#[test]
fn bad_usage_is_2() {
    let place = Place::new();
    for sizes in ["0", "x", "4K,,8K", "-1", "1.5M", "99999999999G", ","] {
        place.bench(&format!("--sizes={sizes} --engine cpu")).fails(2, &["sizes"]);
    }
    place.bench("--sizes 1000000G --engine cpu").fails(2, &["--sizes", "memory"]);
    place.bench("--engine quantum").fails(2, &["quantum"]);
    place.bench("--passes backward").fails(2, &["backward"]);
    place.bench("--dtype bool").fails(2, &["bool"]);
    place.bench("--engine cpu --adapter 0").fails(2, &["--adapter"]);
    place.bench("--tol nan").fails(2, &["--tol"]);
    place.bench("--time=-1").fails(2, &["time"]);
    place.bench("--export-json a --export-csv a").fails(2, &["--export"]);
    place.bench("--export-json missing/a.json --sizes 1K").fails(2, &["missing/a.json"]);
    place.bench("--adapter no-such-adapter --sizes 1K").fails(3, &["no-such-adapter"]);
    assert_eq!(place.files(), 0);
}
