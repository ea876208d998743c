//! `--weights`: how much each pair counts.

use linfit::array::ElementType;

use crate::cli::{Lab, number};
use crate::common::Number;

/// The example of tests/weights.rs: W = 1, b = 0.5, L = 1/4, and one pair more
/// that has no weight and no sense.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.f32s("x.npy", &[0.0, 1.0, 2.0, f32::NAN]).f32s("t.npy", &[0.0, 2.0, 2.0, 1e9]);
    lab.npy("w.npy", ElementType::U8, &[4], &[1, 2, 1, 0].map(Number::Int));
    lab.write("w.csv", "w\n10\n20\n10\n0\n");
    lab
}

#[test]
fn every_engine_and_solver_weighs() {
    let lab = lab();
    for engine in
        ["--engine reference", "--engine cpu", "--adapter llvmpipe", "--adapter llvmpipe --memory 1"]
    {
        for solver in [
            "--solver exact",
            "--solver moments --lr auto --steps 100000 --tol 1e-7",
            "--lr auto --steps 5000 --tol 1e-6",
        ] {
            for (weights, sum) in [("w.npy", 4.0), ("w.csv:w", 40.0)] {
                let streams = engine.contains("--memory");
                if streams && weights.contains("csv") {
                    continue;
                }
                let line = format!("fit x.npy t.npy --weights {weights} {engine} {solver} --json -q");
                let report = lab.run(&line).succeeds().json();
                for (field, want) in [("weight", 1.0), ("bias", 0.5), ("loss", 0.25), ("weight_sum", sum)] {
                    assert!((number(&report, field) - want).abs() < 1e-5, "{line}: {field} in {report}");
                }
                assert_eq!((&report["n"], &report["excluded"]["weight"]), (&3.into(), &1.into()), "{line}");
            }
        }
    }
    let report = lab.run("compare x.npy t.npy --weights w.npy --w0 0.5 --b0 0.25 --json").succeeds().json();
    assert_eq!(report["n"], 3);
    // W = 1/2, b = 1/4: r = 1/4, −5/4, −3/4; L = (1/16 + 2·25/16 + 9/16)/4.
    assert_eq!(number(&report["reference"], "loss"), 15.0 / 16.0);
}

#[test]
fn the_summary_says_that_pairs_are_weighted() {
    let lab = lab();
    let shown = lab.run("fit x.npy t.npy --weights w.npy --solver exact").succeeds().stdout;
    for part in [
        "mean squared error, weighted\n",
        "elements   3\n",
        "1 of weight 0\n",
        "weights    4                        in sum\n",
        // By hand in tests/weights.rs.
        "residuals  1 ",
        "0.707107 of the weight",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    // The history's loss is the weighted one.
    lab.run("fit x.npy t.npy --weights w.npy --steps 0 --history h.csv").succeeds();
    // At W = b = 0: Σ w·t² / Σ w = (8 + 4)/4, −2·Σ w·t·x / Σ w = −2·(4 + 4)/4, −2·(4 + 2)/4.
    assert_eq!(lab.read("h.csv").lines().nth(1), Some("0,3.0,-4.0,-3.0,0.0,0.0"));
}

#[test]
fn what_is_no_weight_is_an_error() {
    let lab = lab();
    lab.f32s("negative.npy", &[1.0, -2.0, 1.0, 1.0])
        .f32s("short.npy", &[1.0, 1.0])
        .f32s("none.npy", &[0.0; 4]);
    for (options, words) in [
        ("--weights negative.npy", ["negative.npy", "1 of 4 weights", "-2", "index 1"]),
        ("--weights short.npy", ["short.npy", "weights of shape 2", "X has 4", "give one"]),
        ("--weights none.npy", ["x.npy", "4 of weight 0", "--weights", "--mask"]),
        ("--weights absent.npy", ["absent.npy", "absent.npy", "absent.npy", "No such file"]),
        ("--weights - --mask -", ["--mask", "--weights", "stdin", "save one"]),
        ("--weights w.npy --save w.npy", ["--save", "--weights", "same file", "w.npy"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {options}")).ends_refused(&words);
    }
}
