//! `linfit fit` with momentum, weight decay and schedules.

use serde_json::Value;

use crate::cli::fit::ENGINES;
use crate::cli::{Lab, number};
use crate::common::tolerances::{F32_RESULTS, F64_RESULTS};

/// X = 1, 2, 3, 4: λ = (17 ± √269)/2.
fn eigenvalues() -> [f64; 2] {
    let root = 269f64.sqrt();
    [(17.0 - root) / 2.0, f64::midpoint(17.0, root)]
}

#[test]
fn the_best_momentum_is_chosen_and_shown() {
    let lab = Lab::new();
    lab.worked_example();
    let [smallest, largest] = eigenvalues().map(f64::sqrt);
    let rate = 4.0 / (largest + smallest).powi(2);
    let momentum = ((largest - smallest) / (largest + smallest)).powi(2);
    for engine in ENGINES {
        let options = format!("--lr auto --momentum auto --tol 1e-6 {engine}");
        let report = lab.run(&format!("fit x.npy t.npy {options} --json")).succeeds().json();
        assert!((number(&report, "learning_rate") / rate - 1.0).abs() < F64_RESULTS, "{report}");
        assert!((number(&report, "momentum") / momentum - 1.0).abs() < F64_RESULTS, "{report}");
        assert_eq!(report["stop_reason"], "tolerance", "{report}");
        let plain =
            lab.run(&format!("fit x.npy t.npy --lr auto --tol 1e-6 --json {engine}")).succeeds().json();
        // √κ = 7.4 instead of κ = 55.
        assert!(number(&report, "steps") * 3.0 < number(&plain, "steps"), "{report} {plain}");
        let foretold = number(&report["forecast"], "steps_to_tolerance");
        assert!(number(&report, "steps") <= foretold, "{report}");
        let summary = lab.run(&format!("fit x.npy t.npy {options}")).succeeds().stdout;
        assert!(summary.contains(&format!("learning rate {rate:.4}")[..19]), "{summary}");
        assert!(summary.contains(", momentum 0.58"), "{summary}");
    }
    lab.run("fit x.npy t.npy --momentum auto").ends_refused(&["--momentum auto", "--lr auto"]);
    lab.run("fit x.npy t.npy --lr auto --momentum auto --nesterov").ends_refused(&["--nesterov"]);
}

/// Heavy ball: 2·(1 + μ)/((1 − τ)·λmax); Nesterov's: 2·(1 + μ)/((1 + 2·μ)·λmax); with a
/// decay λmax + δ.
#[test]
fn a_rate_is_refused_from_the_bound_of_its_momentum_on() {
    let lab = Lab::new();
    lab.worked_example();
    let [_, largest] = eigenvalues();
    for (options, bound) in [
        ("--momentum 0.9", 3.8 / largest),
        ("--momentum 0.9 --dampening 0.5", 7.6 / largest),
        ("--momentum 0.9 --nesterov", 3.8 / (2.8 * largest)),
        ("--weight-decay 3", 2.0 / (largest + 3.0)),
        ("--momentum 0.5 --weight-decay 3", 3.0 / (largest + 3.0)),
    ] {
        for solver in ["sgd", "moments"] {
            let fit = format!("fit x.npy t.npy --solver {solver} --steps 4000 {options}");
            lab.run(&format!("{fit} --lr {}", bound * 1.001)).ends_refused(&["diverges", "--lr auto"]);
            let report = lab.run(&format!("{fit} --lr {} --json", bound * 0.98)).succeeds().json();
            assert!((number(&report["statistics"], "lr_max") / bound - 1.0).abs() < F64_RESULTS, "{report}");
            assert!(number(&report, "loss") < 1.0, "{options}: {report}");
            let grows = lab.run(&format!("{fit} --lr {} --force", bound * 1.2)).exits(1);
            assert!(grows.stderr.contains("diverged"), "{}", grows.stderr);
            lab.run(&format!("{fit} --lr auto --json")).succeeds();
        }
    }
}

/// With δ the gradient of L + δ/2·(W² + b²) vanishes: [[15 + δ, 5], [5, 2 + δ]]·(W, b) =
/// (35, 12), of which δ = 1 has (35·3 − 60, 16·12 − 175)/23 = (45/23, 17/23).
#[test]
fn a_weight_decay_ends_at_its_own_optimum() {
    let lab = Lab::new();
    lab.worked_example();
    for (engine, tolerance) in
        [("--engine cpu", F64_RESULTS * 10.0), ("--engine gpu --adapter llvmpipe", F32_RESULTS)]
    {
        let line = format!("fit x.npy t.npy --weight-decay 1 --lr 0.1 --tol 1e-12 --json {engine}");
        let ran = lab.run(&line).succeeds();
        let report = ran.json();
        assert!((number(&report, "weight") - 45.0 / 23.0).abs() < tolerance, "{report}");
        assert!((number(&report, "bias") - 17.0 / 23.0).abs() < tolerance, "{report}");
        assert!(ran.notes().iter().all(|note| !note.contains("far from")), "{:?}", ran.notes());
    }
    lab.run("fit x.npy t.npy --weight-decay 1 --standardize")
        .ends_refused(&["--weight-decay", "--standardize"]);
}

#[test]
fn a_schedule_is_shown_and_nothing_is_foretold_of_it() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let line = format!("fit x.npy t.npy --lr 0.1 --schedule warmup:5,cosine:100 --steps 100 {engine}");
        let report = lab.run(&format!("{line} --json --history h.csv")).succeeds().json();
        assert_eq!((&report["schedule"], &report["forecast"]), (&"warmup:5,cosine:100".into(), &Value::Null));
        let summary = lab.run(&line).succeeds().stdout;
        assert!(summary.contains("learning rate 0.1 (warmup:5,cosine:100)"), "{summary}");
        assert!(!summary.contains("forecast"), "{summary}");
        // The first step is a fifth of 0.1 along (−35, −12).
        let first = lab.read("h.csv").lines().nth(2).unwrap().to_owned();
        let row: Vec<f64> = first.split(',').map(|number| number.parse().unwrap()).collect();
        assert!((row[4] - 0.7).abs() < F32_RESULTS && (row[5] - 0.24).abs() < F32_RESULTS, "{first}");
    }
    // It ends below the bound, and above it.
    lab.run("fit x.npy t.npy --lr 0.2 --schedule exponential:0.99 --steps 100").succeeds();
    lab.run("fit x.npy t.npy --lr 0.2 --schedule exponential:0.99 --steps 10").ends_refused(&["diverges"]);
    lab.run("fit x.npy t.npy --schedule cosine").ends_refused(&["--schedule", "cosine:STEPS"]);
    lab.run("fit x.npy t.npy --schedule step:0:1").ends_refused(&["step:0:1", "whole number"]);
}

#[test]
fn options_of_a_step_are_refused_where_there_are_none() {
    let lab = Lab::new();
    lab.worked_example();
    for option in ["--momentum 0.5", "--dampening 0", "--nesterov", "--weight-decay 0", "--schedule constant"]
    {
        let name = option.split(' ').next().unwrap();
        lab.run(&format!("fit x.npy t.npy --solver exact {option}")).ends_refused(&["--solver exact", name]);
    }
    for (option, why) in [
        ("--momentum 1", "below 1"),
        ("--momentum -0.1", "below 1"),
        ("--momentum x", "number or auto"),
        ("--dampening 1 --momentum 0.5", "dampening"),
        ("--nesterov", "Nesterov"),
        ("--nesterov --momentum 0.5 --dampening 0.5", "Nesterov"),
        ("--weight-decay -1", "weight decay"),
    ] {
        lab.run(&format!("fit x.npy t.npy {option}")).ends_refused(&[why]);
    }
}
