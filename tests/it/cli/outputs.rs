//! The outputs of `fit`: the history, the saved model, stdout and stderr.

use std::fs;

use crate::cli::fit::ENGINES;
use crate::cli::{Lab, expected, number, values};
use crate::common::tolerances::{F32_SUMS, F64_SUMS};

/// The rows of a history, each the six numbers of its header.
fn rows(history: &str) -> Vec<[f64; 6]> {
    let mut lines = history.lines();
    assert_eq!(lines.next(), Some("step,loss,grad_weight,grad_bias,weight,bias"));
    let row = |line: &str| line.split(',').map(|n| n.parse().unwrap()).collect::<Vec<f64>>();
    lines.map(|line| row(line).try_into().unwrap()).collect()
}

#[test]
fn the_history_holds_every_state() {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 37x41 --seed 5").succeeds();
    let (xs, ts) = (values(&lab.read_npy("x.npy")), values(&lab.read_npy("t.npy")));
    // Updates on the host are f64's. Those on the device are two-floats': with u
    // = 2⁻²⁴, a product is off by at most 5u² of itself and a sum by 3u².
    let two_floats = 2f64.powi(-45);
    let [reference, cpu, gpu] = ENGINES;
    let on_host = format!("{gpu} --update host");
    let cases = [
        (reference, F64_SUMS, 0.0),
        (cpu, F64_SUMS, 0.0),
        (&on_host, F32_SUMS, 0.0),
        (gpu, F32_SUMS, two_floats),
    ];
    for (engine, sums, rounding) in cases {
        let line =
            format!("fit x.npy t.npy --lr 0.3 --steps 20 --w0 -1 --b0 4 --history h.csv --json {engine}");
        let report = lab.run(&line).succeeds().json();
        let history = lab.read("h.csv");
        assert!(history.ends_with('\n'), "{history:?}");
        let rows = rows(&history);
        assert_eq!(rows.len(), 21);
        assert_eq!(rows[0][4..], [-1.0, 4.0]);
        for (k, row) in rows.iter().enumerate() {
            let [step, loss, grad_weight, grad_bias, weight, bias] = *row;
            assert_eq!(step, k as f64);
            let state = serde_json::json!({"loss": loss, "grad_weight": grad_weight, "grad_bias": grad_bias});
            expected(&xs, &ts, weight, bias).check(&state, sums);
            if let Some([_, _, before_weight, before_bias, from_weight, from_bias]) =
                k.checked_sub(1).map(|before| rows[before])
            {
                for (from, gradient, to) in
                    [(from_weight, before_weight, weight), (from_bias, before_bias, bias)]
                {
                    let off = (to - (from - 0.3 * gradient)).abs();
                    let tolerance = rounding * (from.abs() + (0.3 * gradient).abs());
                    assert!(off <= tolerance, "{engine}, step {k}: {to} is off by {off:e}");
                }
            }
        }
        let printed =
            ["steps", "loss", "grad_weight", "grad_bias", "weight", "bias"].map(|f| number(&report, f));
        assert_eq!(rows[20], printed);
    }
}

#[test]
fn a_history_ends_where_the_fit_does() {
    let lab = Lab::new();
    lab.worked_example();
    lab.run("fit x.npy t.npy --steps 0 --history h.csv").succeeds();
    assert_eq!(rows(&lab.read("h.csv")), [[0.0, 41.0, -35.0, -12.0, 0.0, 0.0]]);
    let report = lab.run("fit x.npy t.npy --lr 0.05 --steps 9999 --tol 1 --history h.csv --json").succeeds();
    let report = report.json();
    let rows = rows(&lab.read("h.csv"));
    assert_eq!(report["stop_reason"], "tolerance");
    assert_eq!(rows.len() as u64, report["steps"].as_u64().unwrap() + 1);
    let norm = |row: &[f64; 6]| row[2].abs().max(row[3].abs());
    let (last, before) = rows.split_last().unwrap();
    assert!(norm(last) <= 1.0 && before.iter().all(|row| norm(row) > 1.0) && !before.is_empty());
}

#[test]
fn a_saved_model_is_what_json_prints() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let line = format!("fit x.npy t.npy --steps 7 --save m.json --json {engine}");
        let printed = lab.run(&line).succeeds().json();
        assert_eq!(lab.read_json("m.json"), printed);
    }
    // Also where a summary is printed, and over an older file.
    lab.write("m.json", "old");
    lab.run("fit x.npy t.npy --lr 0.0625 --steps 1 --save m.json").succeeds();
    assert_eq!(lab.read_json("m.json")["weight"], 2.1875);
    assert_eq!(lab.files(), ["m.json", "t.npy", "x.npy"]);
}

#[test]
fn files_that_cannot_be_written_are_refused_before_the_fit() {
    let lab = Lab::new();
    lab.worked_example();
    fs::create_dir(lab.path("folder")).unwrap();
    for option in ["--save", "--history"] {
        for place in ["missing/out", "folder", "x.npy/out"] {
            let ran = lab.run(&format!("fit x.npy t.npy --steps 9999999999 {option} {place}"));
            let ran = ran.ends_refused(&["linfit: ", place, "cannot be written"]);
            assert!(ran.notes().len() <= 2, "{}", ran.stderr);
        }
    }
    let ran = lab.run("fit x.npy t.npy --history h.csv --save missing/m.json");
    ran.ends_refused(&["missing/m.json"]);
    assert_eq!(lab.files(), ["folder", "t.npy", "x.npy"]);
}

#[test]
fn one_file_cannot_be_both_history_and_model() {
    let lab = Lab::new();
    lab.worked_example();
    for (history, save) in [("out", "out"), ("out", "./out"), ("./out", "out")] {
        let ran = lab.run(&format!("fit x.npy t.npy --history {history} --save {save}"));
        ran.ends_refused(&["--history", "--save", "same file"]);
    }
    assert_eq!(lab.files(), ["t.npy", "x.npy"]);
}

/// No output of a fit is one of its inputs, however its path is spelled.
#[test]
fn outputs_cannot_replace_the_inputs() {
    let lab = Lab::new();
    lab.worked_example();
    let before = fs::read(lab.path("x.npy")).unwrap();
    for (option, input) in [("--save", "X"), ("--history", "X"), ("--save", "T"), ("--history", "T")] {
        let name = format!("{}.npy", input.to_lowercase());
        for output in [name.clone(), format!("./{name}")] {
            let ran = lab.run(&format!("fit x.npy t.npy {option} {output}"));
            ran.ends_refused(&["linfit: ", option, &format!("and {input} name the same file")]);
        }
    }
    assert!(fs::read(lab.path("x.npy")).unwrap() == before);
}

#[test]
fn verbose_tells_ten_steps_and_the_file_on_stderr() {
    let lab = Lab::new();
    lab.worked_example();
    let ran = lab.run("fit x.npy t.npy -v --lr 0.0625 --steps 100 --history h.csv --json").exits(0);
    let notes = ran.notes();
    let steps: Vec<&&str> = notes.iter().filter(|note| note.starts_with("step ")).collect();
    assert_eq!(steps.len(), 11, "{}", ran.stderr);
    assert_eq!(*steps[0], "step 0: loss 4.1e1, W 0.0, b 0.0");
    assert!(steps[10].starts_with("step 100: loss "), "{}", ran.stderr);
    assert!(notes.contains(&"note: history written to h.csv"), "{}", ran.stderr);
    assert_eq!(notes.len(), 12, "{}", ran.stderr);
    ran.json();
    // A descent out of all bounds keeps its lines short.
    let ran = lab.run("fit x.npy t.npy --verbose --lr 1 --force").exits(1);
    assert!(ran.notes().len() > 1 && ran.notes().iter().all(|note| note.len() < 200), "{}", ran.stderr);
    // Steps that ten don't divide, and fewer than ten.
    let ran = lab.run("fit x.npy t.npy --verbose --steps 3").exits(0);
    assert_eq!(ran.notes().len(), 4, "{}", ran.stderr);
    let ran = lab.run("fit x.npy t.npy --verbose --steps 0").exits(0);
    assert_eq!(ran.notes().len(), 1, "{}", ran.stderr);
}

/// An output file never replaces what isn't a regular file.
#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_device_a_device() {
    let lab = Lab::new();
    lab.worked_example().write("old.json", "old");
    std::os::unix::fs::symlink("old.json", lab.path("link.json")).unwrap();
    lab.run("fit x.npy t.npy --steps 3 --save link.json --history /dev/null").succeeds();
    assert!(lab.path("link.json").is_symlink());
    assert_eq!(lab.read_json("old.json")["steps"], 3);
    assert!(fs::metadata("/dev/null").is_ok_and(|null| !null.is_file()));
    lab.run("fit x.npy t.npy --save /dev/null --history /dev/null").succeeds();
    std::os::unix::fs::symlink("new.json", lab.path("dangling.json")).unwrap();
    lab.run("fit x.npy t.npy --steps 4 --save dangling.json").succeeds();
    assert!(lab.path("dangling.json").is_symlink());
    assert_eq!(lab.read_json("new.json")["steps"], 4);
}
