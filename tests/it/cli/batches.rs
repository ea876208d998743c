//! `linfit fit` over batches, with checkpoints, and fits that go on where another ended.

use std::fs;
use std::thread;
use std::time::Duration;

use linfit::array::Order;
use serde_json::Value;

use crate::cli::{Lab, number};
use crate::common::tolerances::F64_RESULTS;
use crate::common::{DTYPES, Endian, Npy, Number, column_major};

fn pair(lab: &Lab) {
    lab.run("generate -x x.npy -t t.npy --shape 100x70 --seed 3 --dtype f64").succeeds();
}

#[test]
fn an_epoch_has_a_step_for_each_batch() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ["--engine cpu", "--engine reference", ""] {
        // From (0, 0) with η = 1/16: x = 1, 2 and t = 3, 5 have the gradients −13 and −8,
        // and lead to (0.8125, 0.5); x = 3, 4 and t = 7, 9 have the residuals −4.0625 and
        // −5.25 there, so −33.1875 and −9.3125.
        let line = format!("fit x.npy t.npy --batch 2 --lr 0.0625 --json --history h.csv {engine}");
        let report = lab.run(&line).succeeds().json();
        assert_eq!((&report["steps"], &report["stop_reason"]), (&2.into(), &"steps".into()), "{report}");
        let want = [0.8125 + 33.1875 / 16.0, 0.5 + 9.3125 / 16.0];
        assert!((number(&report, "weight") - want[0]).abs() < F64_RESULTS, "{report}");
        assert!((number(&report, "bias") - want[1]).abs() < F64_RESULTS, "{report}");
        assert_eq!((&report["forecast"], &report["batches"]["batch"]), (&Value::Null, &2.into()));
        assert_eq!(report["descent"]["epoch"], 1);
        // The loss of a row is that of all elements: at the start 41.
        let history = lab.read("h.csv");
        assert!(history.lines().nth(1).unwrap().starts_with("0,41.0,-35.0,-12.0,0.0,0.0"), "{history}");
        assert_eq!(history.lines().count(), 4);
    }
    let summary =
        lab.run("fit x.npy t.npy --batch 3 --epochs 5 --shuffle element --seed 4").succeeds().stdout;
    assert!(
        summary.contains("  batches    3 elements") && summary.contains("5 epochs, shuffle element, seed 4"),
        "{summary}"
    );
    let report = lab.run("fit x.npy t.npy --batch 3 --epochs 5 --drop-last --json").succeeds().json();
    assert_eq!(report["steps"], 5);
}

/// A column-major file and a row-major one of the same numbers have the same batches.
#[test]
fn batches_go_row_by_row() {
    let lab = Lab::new();
    let values: Vec<f64> = (0..12).map(|k| f64::from(k * 7 % 12) / 6.0).collect();
    lab.write("rows.npy", Npy::of_f64(&[3, 4], &values).bytes());
    let turned: Vec<Number> = column_major(&[3, 4]).into_iter().map(|k| Number::Float(values[k])).collect();
    let columns = Npy::of(DTYPES[11], Endian::Little, Order::Fortran, &[3, 4], &turned);
    lab.write("columns.npy", columns.bytes());
    let fit = |x: &str| {
        let line = format!("fit {x} {x} --batch 5 --epochs 2 --lr 0.1 --json --engine cpu");
        let report = lab.run(&line).succeeds().json();
        (number(&report, "weight"), number(&report, "bias"))
    };
    assert_eq!(fit("rows.npy"), fit("columns.npy"));
}

#[test]
fn options_of_batches_need_batches() {
    let lab = Lab::new();
    lab.worked_example();
    for option in ["--epochs 2", "--shuffle block", "--drop-last", "--average", "--patience 2"] {
        lab.run(&format!("fit x.npy t.npy {option}")).ends_refused(&["--batch"]);
    }
    for (option, parts) in [
        ("--batch 0", &["--batch"][..]),
        ("--batch 2 --seed 1", &["--shuffle"]),
        ("--batch 2 --epochs 2 --steps 3", &["--epochs", "--steps"]),
        ("--batch 2 --lr auto", &["--lr", "batches"]),
        ("--batch 2 --standardize", &["--standardize"]),
        ("--batch 2 --update device", &["host"]),
        ("--batch 5 --drop-last", &["5 elements", "4"]),
        ("--batch 2 --solver moments", &["--solver moments", "--batch"]),
        ("--batch 2 --solver exact", &["--solver exact", "--batch"]),
        ("--batch 2 --shuffle element --engine gpu", &["gpu", "each by itself", "--engine cpu"]),
        ("--checkpoint c.json", &["--checkpoint-every"]),
        ("--checkpoint c.json --checkpoint-every 0", &["--checkpoint-every"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {option}")).ends_refused(parts);
    }
}

/// Two fits of which the second goes on from the first end with the bits of one.
#[test]
fn a_fit_goes_on_where_another_ended() {
    let lab = Lab::new();
    pair(&lab);
    for (options, whole, [half, rest]) in [
        ("--momentum 0.9 --lr 0.02", "--steps 50", ["--steps 20", "--steps 30"]),
        (
            "--momentum 0.9 --nesterov --lr 0.02 --weight-decay 0.01 --solver moments",
            "--steps 50",
            ["--steps 1", "--steps 49"],
        ),
        ("--standardize --momentum 0.3 --lr 0.1", "--steps 50", ["--steps 20", "--steps 30"]),
        ("--schedule cosine:60,warmup:9 --lr 0.05", "--steps 50", ["--steps 5", "--steps 45"]),
        ("--batch 999 --shuffle element --momentum 0.5", "--epochs 6", ["--epochs 2", "--epochs 4"]),
        ("--batch 999 --shuffle block --momentum 0.5", "--epochs 6", ["--epochs 3", "--epochs 3"]),
    ] {
        let run = |more: &str| {
            lab.run(&format!("fit x.npy t.npy --engine cpu {options} {more} --json")).succeeds().json()
        };
        let whole = run(whole);
        run(&format!("{half} --save half.json"));
        let rest = run(&format!("{rest} --init half.json"));
        for field in ["weight", "bias", "loss", "steps", "descent"] {
            assert_eq!(whole[field], rest[field], "{options}: {field}");
        }
    }
    // The mean of the tail is the model, and the steps go on from the last of them.
    let line = "fit x.npy t.npy --engine cpu --batch 50 --epochs 2 --average --save mean.json --json";
    let mean = lab.run(line).succeeds().json();
    assert_ne!(mean["weight"], mean["descent"]["weight"]);
    // A model that another program wrote has no descent, and a bad one is refused.
    lab.write("plain.json", r#"{"weight": 1, "bias": 2}"#);
    assert_eq!(lab.run("fit x.npy t.npy --init plain.json --steps 3 --json").succeeds().json()["steps"], 3);
    lab.write("bad.json", r#"{"weight": 1, "bias": 2, "descent": {"step": 3}}"#);
    lab.run("fit x.npy t.npy --init bad.json").ends_refused(&["bad.json", "not a model"]);
}

#[test]
fn a_checkpoint_is_the_state_of_its_step() {
    let lab = Lab::new();
    pair(&lab);
    let fit = "fit x.npy t.npy --engine cpu --momentum 0.5 --lr 0.02 --json";
    let whole = lab.run(&format!("{fit} --steps 47")).succeeds().json();
    lab.run(&format!("{fit} --steps 47 --checkpoint c.json --checkpoint-every 10")).succeeds();
    let kept = lab.read_json("c.json");
    assert_eq!(kept["descent"]["step"], 40);
    // It may take its own place.
    let line = format!("{fit} --steps 7 --init c.json --checkpoint c.json --checkpoint-every 3");
    let rest = lab.run(&line).succeeds().json();
    assert_eq!((&rest["weight"], &rest["steps"]), (&whole["weight"], &47.into()));
    assert_eq!(lab.read_json("c.json")["descent"]["step"], 45);
    lab.run("fit x.npy t.npy --checkpoint no/c.json --checkpoint-every 3").ends_refused(&["no"]);
    lab.run("fit x.npy t.npy --checkpoint x.npy --checkpoint-every 3").ends_refused(&["--checkpoint"]);
}

/// A fit that is killed at any moment leaves a whole checkpoint, from which another goes
/// on to the bits of one that was not killed.
#[test]
fn a_killed_fit_leaves_a_whole_checkpoint() {
    let lab = Lab::new();
    pair(&lab);
    let fit = "fit x.npy t.npy --engine cpu --batch 500 --shuffle element --lr 0.02 --momentum 0.5";
    let mut kept = 0;
    for trial in 0..6u64 {
        let line = format!("{fit} --epochs 1000000 --checkpoint c.json --checkpoint-every 1 -q");
        let mut child = lab.command(&line).spawn().unwrap();
        while fs::metadata(lab.path("c.json")).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(3_700 * trial));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = lab.read_json("c.json");
        let (step, epoch) =
            (found["descent"]["step"].as_u64().unwrap(), found["descent"]["epoch"].as_u64().unwrap());
        kept = kept.max(step);
        let end = epoch + 2;
        // A run that writes to the folder removes what the killed one left of a file in the making.
        let line = format!("{fit} --epochs 2 --init c.json --json --save m.json");
        let rest = lab.run(&line).succeeds().json();
        let whole = lab.run(&format!("{fit} --epochs {end} --json")).succeeds().json();
        assert_eq!(whole["descent"], rest["descent"], "step {step}");
        assert_eq!(whole["loss"], rest["loss"]);
        fs::remove_file(lab.path("c.json")).unwrap();
    }
    assert!(kept > 1, "none was killed on its way");
}
