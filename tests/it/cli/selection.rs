//! Rows and values that are left out: `--where`, `--x-valid-range`, `--t-valid-range`; and
//! shapes that differ by axes of one index.

use linfit::array::ElementType;

use crate::cli::{Lab, number, values};
use crate::common::Number;

/// T = 2·X + 1 in the rows of the site `north`, and another line elsewhere.
const TABLE: &str = "x,t,site,year\n1,3,north,2019\n2,5,north,2020\n3,0,south,2020\n4,9,north,2021\n5,1,south,2021\n\
                     6,13,north,\n7,100,,2022\n8,17,north,2023\n";

fn fit(lab: &Lab, options: &[&str]) -> serde_json::Value {
    let mut command = lab.command("fit t.csv:x t.csv:t --solver exact --json -q");
    command.args(options);
    let ran = lab.judge(&format!("{options:?}"), &command.output().unwrap());
    ran.succeeds().json()
}

#[test]
fn rows_are_selected_by_texts_and_numbers() {
    let lab = Lab::new();
    lab.write("t.csv", TABLE);
    for (conditions, n, excluded) in [
        (&["--where", "site == north"][..], 5, 3),
        (&["--where", "site != south", "--where", "x < 7"], 4, 4),
        (&["--where", "site == 'north'", "--where", "year >= 2020"], 3, 5),
        (&["--where", "t.csv:site == north", "--where", "x != 4"], 4, 4),
    ] {
        for engine in ["cpu", "reference"] {
            let report = fit(&lab, &[conditions, &["--engine", engine]].concat());
            assert_eq!((number(&report, "weight"), number(&report, "bias")), (2.0, 1.0), "{conditions:?}");
            assert_eq!((&report["n"], &report["excluded"]["condition"]), (&n.into(), &excluded.into()));
        }
    }
    // A missing year is neither before nor after another one.
    let before = fit(&lab, &["--where", "year < 2021"]);
    let after = fit(&lab, &["--where", "year >= 2021"]);
    assert_eq!((&before["n"], &after["n"]), (&3.into(), &4.into()));
    let shown = lab.command("fit t.csv:x t.csv:t --solver exact").args(["--where", "site == north"]).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(shown.contains("excluded   3") && shown.contains("3 by a condition"), "{shown}");
}

#[test]
fn conditions_hold_for_comparisons_saved_moments_and_many_fits() {
    let lab = Lab::new();
    lab.write("t.csv", TABLE);
    let run = |line: &str| {
        let mut command = lab.command(line);
        command.args(["--where", "site == north"]);
        lab.judge(line, &command.output().unwrap()).succeeds()
    };
    assert_eq!(run("compare t.csv:x t.csv:t --engine cpu --json").json()["n"], 5);
    run("fit t.csv:x t.csv:t --solver exact --engine cpu -q --save-moments part.json");
    assert_eq!(lab.run("merge part.json --solver exact --json").succeeds().json()["n"], 5);
    let report = run("fit t.csv:x t.csv:t --groups t.csv:site --solver exact --engine cpu --json -q").json();
    assert_eq!((&report["excluded"]["condition"], &report["results"][0]["n"]), (&3.into(), &5.into()));
}

#[test]
fn conditions_that_mean_nothing_are_refused() {
    let lab = Lab::new();
    lab.write("t.csv", TABLE);
    let refused = |condition: &str, parts: &[&str]| {
        let mut command = lab.command("fit t.csv:x t.csv:t --solver exact");
        command.args(["--where", condition]);
        lab.judge(condition, &command.output().unwrap()).ends_refused(parts);
    };
    refused("site = north", &["--where", "no such comparison", "=="]);
    refused("height > 3", &["t.csv", "no column \"height\""]);
    refused("x == 'north'", &["t.csv:x", "x == north", "of numbers"]);
    refused("site < 3", &["t.csv:site", "quotes"]);
    refused("site == west", &["no pair", "8 by a condition", "--where"]);
    lab.write("short.csv", "a\n1\n2\n");
    refused("short.csv:a > 0", &["short.csv:a", "shape 2", "8"]);
    let mut command = lab.command("fit t.csv:x t.csv:t --solver exact --save short.csv");
    command.args(["--where", "short.csv:a > 0"]);
    lab.judge("--save", &command.output().unwrap()).ends_refused(&["--save", "--where"]);
}

#[test]
fn x_and_t_have_ranges_of_their_own() {
    let lab = Lab::new();
    lab.f64s("x.npy", &[1.0, 2.0, 3.0, 400.0, 5.0, f64::INFINITY])
        .f64s("t.npy", &[3.0, 5.0, -700.0, 9.0, 11.0, 12.0]);
    for engine in ["--engine cpu", "--engine reference", "--adapter llvmpipe"] {
        let ranges = "--x-valid-range 0,100 --t-valid-range 0,1000";
        let report =
            lab.run(&format!("fit x.npy t.npy {ranges} --solver exact --json -q {engine}")).succeeds().json();
        assert!((number(&report, "weight") - 2.0).abs() < 1e-5, "{report}");
        assert_eq!((&report["n"], &report["excluded"]["range"]), (&3.into(), &3.into()), "{engine}");
    }
    // One of them replaces the common one.
    let report = lab
        .run("fit x.npy t.npy --valid-range 0,8 --t-valid-range 0,20 --solver exact --json --engine cpu")
        .succeeds()
        .json();
    assert_eq!(report["n"], 3, "{report}");
    let compared = lab.run("compare x.npy t.npy --x-valid-range 0,100 --engine cpu --json").succeeds().json();
    assert_eq!(compared["n"], 4);
    lab.run("fit x.npy t.npy --x-valid-range 5,1").ends_refused(&["--x-valid-range", "0,65534"]);
}

#[test]
fn predictions_from_outside_the_range_are_missing() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[1.0, 400.0, 3.0]).write("m.json", r#"{"weight": 2, "bias": 1}"#);
    lab.run("predict m.json x.npy -o y.npy --valid-range 0,100").succeeds();
    let y = values(&lab.read_npy("y.npy"));
    assert!(y[1].is_nan() && (y[0], y[2]) == (3.0, 7.0), "{y:?}");
    lab.run("predict m.json x.npy -o y.npy --x-valid-range 0,100 --y-nodata -1 --dtype i16").succeeds();
    assert_eq!(values(&lab.read_npy("y.npy")), [3.0, -1.0, 7.0]);
    lab.run("predict m.json x.npy -o z.npy --valid-range 0,100 --dtype u8").ends_refused(&[
        "x.npy",
        "outside the valid range",
        "--y-nodata",
    ]);
}

#[test]
fn axes_of_one_index_make_no_difference() {
    let lab = Lab::new();
    let (x, t) = ([1.0, 2.0, 3.0].map(Number::Float), [3.0, 5.0, 7.0].map(Number::Float));
    lab.npy("row.npy", ElementType::F32, &[1, 3], &x)
        .npy("column.npy", ElementType::F32, &[3, 1], &t)
        .npy("flat.npy", ElementType::F32, &[3], &t)
        .npy("weights.npy", ElementType::F32, &[1, 1, 3], &x)
        .npy("other.npy", ElementType::F32, &[1, 4], &[1.0, 2.0, 3.0, 4.0].map(Number::Float));
    for t in ["column.npy", "flat.npy"] {
        let ran =
            lab.run(&format!("fit row.npy {t} --weights weights.npy --solver exact --json --engine cpu"));
        let ran = ran.exits(0);
        assert_eq!(number(&ran.json(), "weight"), 2.0);
        assert!(ran.notes().len() == 1 && ran.stderr.contains("axes of length 1"), "{}", ran.stderr);
    }
    lab.run("fit other.npy column.npy").ends_refused(&["other.npy", "1×4", "3×1"]);
}
