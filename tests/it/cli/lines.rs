//! Lines of other kinds, held against statsmodels and SciPy on every engine.

use serde_json::Value;

use crate::cli::fit::ENGINES;
use crate::cli::{Lab, number};
use crate::common::tolerances::{F32_RESULTS, F64_RESULTS};

/// SciPy's ODR iterates until steps are below about 1e-9 of its parameters.
const ODR_RESULTS: f64 = 1e-7;

/// What rounds or steps of both programs leave.
const ROUNDS: f64 = 1e-6;

fn expected() -> Value {
    serde_json::from_str(include_str!("../../foreign/data/fits/lines.json")).unwrap()
}

fn numbers(of: &Value) -> Vec<f32> {
    of.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// Every number that the other programs give, of every line, with and without
/// weights; what they do not define is null.
#[test]
fn lines_and_their_statistics_are_those_of_other_programs() {
    let expected = expected();
    let lab = Lab::new();
    for name in ["x", "t", "w"] {
        lab.f32s(&format!("{name}.npy"), &numbers(&expected[name]));
    }
    let mut compared = 0;
    for (weighting, option) in [("unweighted", ""), ("weighted", "--weights w.npy")] {
        for (line, want) in expected[weighting].as_object().unwrap() {
            for engine in ENGINES {
                let is_symmetric =
                    ["rma", "major-axis"].contains(&line.as_str()) || line.starts_with("deming");
                let solver = if is_symmetric { "" } else { "--solver exact" };
                let ran =
                    lab.run(&format!("fit x.npy t.npy --line {line} {solver} {option} {engine} --json"));
                let report = ran.succeeds().json();
                assert_eq!(report["solver"], "exact");
                assert_eq!(report["line"].as_str(), line.split(' ').next());
                let tolerance = match line.as_str() {
                    _ if engine.contains("llvmpipe") => F32_RESULTS,
                    "major-axis" | "deming:0.25" | "deming:9.0" => ODR_RESULTS,
                    _ => F64_RESULTS,
                };
                for (name, want) in want.as_object().unwrap() {
                    let want = want.as_f64().unwrap();
                    let from = if ["weight", "bias"].contains(&name.as_str()) {
                        &report
                    } else {
                        &report["statistics"]
                    };
                    let got = number(from, name);
                    // The exponent of a p value multiplies errors.
                    let tolerance = if name == "p_value" { tolerance * 1e3 } else { tolerance };
                    assert!(
                        (got / want - 1.0).abs() <= tolerance,
                        "{line} {option} {engine} {name}: {got} {want}"
                    );
                    compared += 1;
                }
                let has = |name: &str| !report["statistics"][name].is_null();
                let is_least = want.get("p_value").is_some();
                assert_eq!((has("p_value"), has("t_weight")), (is_least, is_least), "{line}");
                assert_eq!(has("stderr_weight"), !line.starts_with("offset"), "{line}");
                assert_eq!(has("stderr_bias"), !line.starts_with("through-origin"), "{line}");
                assert_eq!(has("r2"), !line.starts_with("offset"), "{line}");
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

/// The printed loss and gradients are those of the mean squared error at the line:
/// of the reduced major axis of 0, 1, 2, 3 and 1, 4, 3, 8, with W = √5.2 and
/// b = 4 − 1.5·W, (26 − 2·10·W + 5·W²)/4, and ∂L/∂W = 2·(5·W − 10)/4.
#[test]
fn the_loss_of_a_line_is_the_mean_squared_error() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[0.0, 1.0, 2.0, 3.0]).f32s("t.npy", &[1.0, 4.0, 3.0, 8.0]);
    let weight = 5.2f64.sqrt();
    for engine in ENGINES {
        let report = lab.run(&format!("fit x.npy t.npy --line rma --json {engine}")).succeeds().json();
        let slope = 2.0 * (5.0 * weight - 10.0) / 4.0;
        for (name, want) in [
            ("loss", (52.0 - 20.0 * weight) / 4.0),
            ("grad_weight", slope),
            ("weight", weight),
            ("bias", 4.0 - 1.5 * weight),
        ] {
            assert!((number(&report, name) / want - 1.0).abs() < F32_RESULTS, "{engine} {name}: {report}");
        }
        assert!(number(&report, "grad_bias").abs() < F32_RESULTS, "{engine}");
    }
    let summary = lab.run("fit x.npy t.npy --line rma").succeeds().stdout;
    assert!(summary.contains("the reduced major axis, in closed form"), "{summary}");
    assert!(summary.contains("The reduced major axis is Y = X·2.280351"), "{summary}");
    let summary = lab.run("fit x.npy t.npy --line through-origin --b0 1 --solver exact").succeeds().stdout;
    assert!(summary.contains("least-squares line through (0, 1)"), "{summary}");
}

#[test]
fn options_that_do_not_go_with_a_line_are_refused() {
    let lab = Lab::new();
    lab.worked_example();
    lab.f32s("same.npy", &[3.0; 5]).f32s("five.npy", &[1.0, 2.0, 3.0, 4.0, 5.0]);
    for (options, words) in [
        ("--line rma --solver sgd", &["--line rma", "--solver exact", "--solver sgd"][..]),
        ("--line deming:2 --solver moments", &["--line deming:2.0", "--solver moments"]),
        ("--line major-axis --lr 0.1", &["--line major-axis", "--lr"]),
        ("--line rma --w0 1", &["--line rma", "--w0"]),
        ("--line offset --solver exact --b0 1", &["--b0"]),
        ("--line rma --b0 1", &["--line rma", "--b0"]),
        ("--line through-origin --solver exact --w0 1", &["--w0"]),
        ("--line deming", &["deming:DELTA"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {options}")).ends_refused(words);
    }
    lab.run("fit same.npy five.npy --line rma").ends_refused(&["elements are all 3"]);
    lab.f32s("a.npy", &[0.0, 0.0, 1.0, 1.0]).f32s("b.npy", &[0.0, 1.0, 0.0, 1.0]);
    lab.run("fit a.npy b.npy --line rma").ends_refused(&["correlation", "--line least-squares"]);
    lab.run("fit a.npy b.npy --line major-axis").ends_refused(&["in all directions", "--line least-squares"]);
}

/// Of 20 pairs on T = 2·X + 1 one is off: it is rejected on every engine,
/// streamed or not, in JSON, in the summary and in the history.
#[test]
fn a_robust_fit_says_what_it_did() {
    let lab = Lab::new();
    let x: Vec<f32> = (0..20u8).map(f32::from).collect();
    let t: Vec<f32> =
        x.iter().map(|x| if *x == 7.0 { 1e6 } else { 2.0 * x + 1.0 + (x % 3.0) / 8.0 }).collect();
    lab.f32s("x.npy", &x).f32s("t.npy", &t);
    for engine in ENGINES.into_iter().chain(["--engine cpu --memory 64K"]) {
        for method in ["tukey", "clip", "clip:4"] {
            let line = format!("fit x.npy t.npy --robust {method} {engine} --json --history h.csv");
            let report = lab.run(&line).succeeds().json();
            let robust = &report["robust"];
            assert_eq!(robust["method"].as_str(), method.split(':').next(), "{report}");
            assert_eq!((&robust["rejected"], &robust["settled"]), (&1.into(), &true.into()), "{report}");
            let rounds = robust["rounds"].as_u64().unwrap();
            assert_eq!(lab.read("h.csv").lines().count() as u64, rounds + 1, "{report}");
            assert!((number(&report, "weight") - 2.0).abs() < 0.01, "{report}");
            assert!(number(robust, "scale") < 0.3 && number(&report, "loss") > 1e6, "{report}");
            // Clipped, the statistics are of what is left.
            assert_eq!(number(&report["statistics"], "residual_std") < 1.0, method != "tukey", "{report}");
        }
    }
    let report = lab.run("fit x.npy t.npy --robust huber:2 --json").succeeds().json();
    assert_eq!((&report["robust"]["rejected"], &report["robust"]["constant"]), (&0.into(), &2.0.into()));
    assert_eq!(lab.run("fit x.npy t.npy --solver exact --json").succeeds().json()["robust"], Value::Null);
    let summary = lab.run("fit x.npy t.npy --robust clip").succeeds().stdout;
    assert!(summary.contains("robust     clip:3 ") && summary.contains("1 rejected"), "{summary}");
    assert!(summary.contains("The least-squares line of the elements that are left is"), "{summary}");
}

#[test]
fn options_that_do_not_go_with_robust_fits_are_refused() {
    let lab = Lab::new();
    lab.worked_example();
    for (options, words) in [
        ("--robust tukey --solver sgd", &["--robust tukey", "--solver exact"][..]),
        ("--robust huber --lr 0.1", &["--robust huber", "--lr"]),
        ("--robust clip --line rma", &["residuals of T", "--line least-squares"]),
        ("--robust mad", &["huber, tukey or clip"]),
        ("--robust clip:0", &["huber, tukey or clip"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {options}")).ends_refused(words);
    }
}

/// Descent on Huber's loss ends where SciPy's minimiser does, on every engine; with a
/// δ beyond every residual it is the descent on the squared loss.
#[test]
fn descent_on_a_huber_loss() {
    let cases: Value = serde_json::from_str(include_str!("../../foreign/data/fits/robust.json")).unwrap();
    let lab = Lab::new();
    let mut compared = 0;
    for case in cases.as_array().unwrap() {
        lab.f32s("x.npy", &numbers(&case["x"])).f32s("t.npy", &numbers(&case["t"]));
        let want = &case["loss huber:1"];
        for engine in ENGINES {
            let descent = "--loss huber:1 --lr auto --steps 20000 --tol 1e-9";
            let ran = lab.run(&format!("fit x.npy t.npy {descent} {engine} --json"));
            let report = ran.succeeds().json();
            assert_eq!(report["stop_reason"], "tolerance", "{report}");
            assert_eq!(report["loss_kind"], "huber:1.0", "{report}");
            assert!(report["forecast"].is_null(), "{report}");
            for name in ["weight", "bias", "loss"] {
                let (got, want) = (number(&report, name), number(want, name));
                assert!((got / want - 1.0).abs() < ROUNDS, "{engine} {name}: {got} for {want}");
                compared += 1;
            }
        }
        let states = |loss: &str| {
            let line = format!("fit x.npy t.npy --lr 0.01 --steps 30 --engine cpu --history h.csv {loss}");
            lab.run(&line).succeeds();
            let rows = lab.read("h.csv");
            let numbers =
                rows.lines().skip(1).flat_map(|row| row.split(',').map(|n| n.parse::<f64>().unwrap()));
            numbers.collect::<Vec<_>>()
        };
        let (squared, huber) = (states(""), states("--loss huber:1e9"));
        assert_eq!(squared.len(), huber.len());
        for (got, want) in huber.iter().zip(&squared) {
            assert!((got - want).abs() <= F64_RESULTS * want.abs(), "{got} for {want}");
        }
    }
    assert_eq!(compared, 3 * 3 * 3);
    let summary = lab.run("fit x.npy t.npy --loss huber:2.5 --lr auto").succeeds().stdout;
    assert!(summary.contains("mean Huber loss, δ = 2.5") && !summary.contains("forecast"), "{summary}");
}

/// The step of the worked example from W = b = 0 with Huber's loss and δ = 4, by hand:
/// r = −3, −5, −7, −9; ρ = 9, 24, 40, 56; ρ′/2 = −3, −4, −4, −4. L = 129/4,
/// ∂L/∂W = 2·(−3 − 8 − 12 − 16)/4, ∂L/∂b = 2·(−15)/4.
#[test]
fn a_step_on_a_huber_loss_by_hand() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let ran = lab.run(&format!("fit x.npy t.npy --loss huber:4 --steps 0 --json {engine}"));
        let report = ran.succeeds().json();
        let got = ["loss", "grad_weight", "grad_bias"].map(|name| number(&report, name));
        assert_eq!(got, [32.25, -19.5, -7.5], "{engine}");
    }
}

/// Descents of W alone and of b alone end at the closed forms, the other stays, and
/// the best rate ends them in one step: there is but one curvature.
#[test]
fn descent_of_one_parameter() {
    let expected = expected();
    let lab = Lab::new();
    for name in ["x", "t", "w"] {
        lab.f32s(&format!("{name}.npy"), &numbers(&expected[name]));
    }
    for (line, fixed, other) in
        [("through-origin --b0 1.5", "bias", "weight"), ("offset --w0 0.75", "weight", "bias")]
    {
        for solver in ["sgd", "moments"] {
            for engine in ENGINES {
                for weighting in ["", "--weights w.npy"] {
                    let line = format!("fit x.npy t.npy --line {line} {weighting} {engine} --json");
                    let want = lab.run(&format!("{line} --solver exact")).succeeds().json();
                    let options = format!("--solver {solver} --lr auto --tol 1e-4");
                    let got = lab.run(&format!("{line} {options}")).succeeds().json();
                    assert_eq!(
                        (&got["steps"], &got["stop_reason"]),
                        (&1.into(), &"tolerance".into()),
                        "{got}"
                    );
                    assert_eq!(got[fixed], want[fixed], "{line}");
                    let off = number(&got, other) / number(&want, other) - 1.0;
                    assert!(off.abs() < F32_RESULTS, "{line} {solver}: {off}");
                    assert_eq!(got["statistics"]["condition"], 1.0, "{got}");
                }
            }
        }
    }
}

#[test]
fn options_that_do_not_go_with_a_loss_are_refused() {
    let lab = Lab::new();
    lab.worked_example();
    for (options, words) in [
        (
            "--loss huber:1 --solver exact",
            &["--solver exact", "--loss huber:1.0", "--solver sgd", "--robust"][..],
        ),
        ("--loss huber:1 --solver moments", &["--solver moments", "--loss huber:1.0"]),
        ("--loss huber:1 --line rma", &["--loss huber:1.0"]),
        ("--loss huber:1 --robust tukey", &["--loss", "--robust"]),
        ("--loss huber:1 --standardize", &["standardized", "squared loss"]),
        ("--line offset --standardize", &["standardized"]),
        ("--line offset --update device", &["on the host", "--update host"]),
        ("--loss huber", &["huber:DELTA"]),
        ("--loss l1", &["huber:DELTA"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {options}")).ends_refused(words);
    }
}
