//! `linfit fit` with its solvers, learning rates and statistics.

use serde_json::Value;

use crate::cli::fit::ENGINES;
use crate::cli::{Lab, expected, number};
use crate::common::tolerances::{CPU_SUMS, F32_RESULTS, F32_SUMS, F64_RESULTS, F64_SUMS, FEW_ROUNDINGS};

/// 0, 1, …, 255 and T = 2·X + 1: an 8-bit image, with which a rate of 0.01
/// diverges.
fn image(lab: &Lab) -> (Vec<f64>, Vec<f64>) {
    let xs: Vec<f32> = (0..256u16).map(f32::from).collect();
    let ts: Vec<f32> = xs.iter().map(|x| 2.0 * x + 1.0).collect();
    lab.f32s("x.npy", &xs).f32s("t.npy", &ts);
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
    (wide(xs), wide(ts))
}

fn iris(lab: &Lab) -> &'static str {
    lab.write("iris.csv", include_str!("../../../examples/data/iris.csv"));
    "fit iris.csv:petal_length iris.csv:petal_width"
}

#[test]
fn the_exact_solution_of_the_worked_example() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let ran =
            lab.run(&format!("fit x.npy t.npy --solver exact --json --history h.csv --save m.json {engine}"));
        let report = ran.succeeds().json();
        assert_eq!((number(&report, "weight"), number(&report, "bias")), (2.0, 1.0), "{engine}");
        assert_eq!([0.0; 3], ["loss", "grad_weight", "grad_bias"].map(|f| number(&report, f)), "{engine}");
        assert_eq!((&report["solver"], &report["stop_reason"]), (&"exact".into(), &"exact".into()));
        assert_eq!(
            (&report["steps"], &report["learning_rate"], &report["forecast"]),
            (&0.into(), &Value::Null, &Value::Null)
        );
        assert_eq!(lab.read_json("m.json"), report);
        assert_eq!(lab.read("h.csv"), "step,loss,grad_weight,grad_bias,weight,bias\n0,0.0,0.0,0.0,2.0,1.0\n");
    }
    let summary = lab.run("fit x.npy t.npy --solver exact").succeeds().stdout;
    assert!(summary.contains("closed form") && !summary.contains("learning rate"), "{summary}");
}

#[test]
fn options_without_a_meaning_are_refused_not_ignored() {
    let lab = Lab::new();
    lab.worked_example();
    for option in [
        "--steps 5",
        "--lr 0.01",
        "--lr auto",
        "--tol 0",
        "--w0 0",
        "--b0 1",
        "--standardize",
        "--force",
        "--update host",
        "--steps-per-submit 4",
    ] {
        let name = option.split(' ').next().unwrap();
        lab.run(&format!("fit x.npy t.npy --solver exact {option}")).ends_refused(&[
            "--solver exact",
            name,
            "--solver sgd",
        ]);
    }
    for option in ["--update host", "--update device", "--steps-per-submit auto"] {
        let name = option.split(' ').next().unwrap();
        lab.run(&format!("fit x.npy t.npy --solver moments {option}"))
            .ends_refused(&["--solver moments", name]);
    }
    for option in ["--update device", "--steps-per-submit 4"] {
        lab.run(&format!("fit x.npy t.npy --standardize {option}")).ends_refused(&["--standardize", "host"]);
    }
    lab.run("fit x.npy t.npy --standardize --update host").succeeds();
    lab.run("fit x.npy t.npy --lr automatic").ends_refused(&["--lr", "auto"]);
}

#[test]
fn data_without_a_single_best_line_are_refused() {
    let lab = Lab::new();
    lab.f32s("one.npy", &[2.0]).f32s("same.npy", &[3.0; 5]).f32s("t.npy", &[1.0, 2.0, 3.0, 4.0, 5.0]);
    lab.run("fit one.npy one.npy --solver exact").ends_refused(&["single element", "--solver sgd"]);
    lab.run("fit same.npy t.npy --solver exact").ends_refused(&["elements are all 3", "--solver sgd"]);
    lab.run("fit same.npy t.npy --standardize").ends_refused(&["elements are all 3"]);
    // λmax = 2·(3² + 1): one step of 1/λmax is enough in the one direction.
    let report = lab.run("fit same.npy t.npy --lr auto --steps 1 --json").succeeds().json();
    assert_eq!(report["learning_rate"], 0.05);
    assert!(
        (number(&report, "weight") * 3.0 + number(&report, "bias") - 3.0).abs() < F64_RESULTS,
        "{report}"
    );
    assert_eq!(report["statistics"]["condition"], Value::Null);
    assert_eq!(report["statistics"]["lambda_min"], 0.0);
    let summary = lab.run("fit same.npy t.npy --lr auto").succeeds().stdout;
    assert!(summary.contains("condition number ∞"), "{summary}");
}

#[test]
fn moments_take_the_steps_of_sgd() {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 211x97 --seed 8 --dtype f64").succeeds();
    let rows = |options: &str| -> (Value, Vec<Vec<f64>>) {
        let line = format!(
            "fit x.npy t.npy --lr 0.05 --steps 400 --w0 3 --history h.csv --json --engine cpu {options}"
        );
        let report = lab.run(&line).succeeds().json();
        let history = lab.read("h.csv");
        let rows = history.lines().skip(1).map(|line| line.split(',').map(|n| n.parse().unwrap()).collect());
        (report, rows.collect())
    };
    for tolerance in ["", "--tol 1e-9", "--standardize --tol 1e-3"] {
        let (want_report, want) = rows(&format!("{tolerance} --solver sgd"));
        let (got_report, got) = rows(&format!("{tolerance} --solver moments"));
        assert_eq!(got_report["solver"], "moments");
        assert_eq!(
            (&got_report["steps"], &got_report["stop_reason"]),
            (&want_report["steps"], &want_report["stop_reason"])
        );
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() <= CPU_SUMS * (1.0 + want.abs()), "{tolerance}: {got} {want}");
            }
        }
        assert_eq!(got_report["statistics"], want_report["statistics"]);
    }
}

#[test]
fn a_rate_that_diverges_is_refused_before_the_first_step() {
    let lab = Lab::new();
    image(&lab);
    for engine in ENGINES {
        for solver in ["sgd", "moments"] {
            let line = format!("fit x.npy t.npy --solver {solver} --history h.csv --save m.json {engine}");
            let ran =
                lab.run(&line).ends_refused(&["0.01", "4.60442e-5", "--lr auto", "--standardize", "--force"]);
            assert_eq!(ran.notes().len(), 1, "{}", ran.stderr);
            assert_eq!(lab.files(), ["t.npy", "x.npy"]);
        }
    }
    // λmax = 43436.5 and 2/λmax = 4.60442e-5.
    lab.run("fit x.npy t.npy --lr 4.605e-5").ends_refused(&["4.605e-5"]);
    for solver in ["sgd", "moments"] {
        let near =
            lab.run(&format!("fit x.npy t.npy --lr 4.604e-5 --json --solver {solver}")).succeeds().json();
        assert_eq!(near["stop_reason"], "steps");
        assert!((number(&near["statistics"], "lr_max") / 4.604_42e-5 - 1.0).abs() < 1e-5, "{near}");
        let forced = lab.run(&format!("fit x.npy t.npy --force --json --solver {solver}")).exits(1);
        assert!(
            forced.stderr.starts_with("linfit: diverged at step ") && forced.stderr.contains("--lr auto"),
            "{}",
            forced.stderr
        );
        assert_eq!(forced.json()["stop_reason"], "diverged");
    }
    lab.run("fit x.npy t.npy --steps 0").succeeds();
    lab.run("fit x.npy t.npy --standardize --lr 1").ends_refused(&[
        "below 1.0",
        "0.5 is the best",
        "--force",
    ]);
}

#[test]
fn the_best_rate_is_found_and_reported() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let line = format!("fit x.npy t.npy --lr auto --steps 2000 --tol 1e-4 --json {engine}");
        let report = lab.run(&line).succeeds().json();
        // H = [[15, 5], [5, 2]]: trace 17.
        assert!((number(&report, "learning_rate") - 2.0 / 17.0).abs() < FEW_ROUNDINGS, "{report}");
        assert_eq!(report["stop_reason"], "tolerance");
        let s = &report["statistics"];
        let root = 269f64.sqrt();
        for (field, want) in [
            ("lambda_max", 8.5 + root / 2.0),
            ("lambda_min", (17.0 - root) / 2.0),
            ("condition", (17.0 + root) / (17.0 - root)),
            ("lr_max", 4.0 / (17.0 + root)),
            ("lr_best", 2.0 / 17.0),
        ] {
            assert!((number(s, field) / want - 1.0).abs() < F64_RESULTS, "{field}: {report}");
        }
        // Foretold to within the steps in which both directions count.
        let foretold = report["forecast"]["steps_to_tolerance"].as_u64().unwrap();
        let steps = report["steps"].as_u64().unwrap();
        assert!(foretold >= steps && foretold <= steps + 2 + steps / 50, "{foretold} {report}");
    }
    let summary = lab.run("fit x.npy t.npy --lr auto --tol 1e-6").succeeds().stdout;
    assert!(summary.contains("forecast   the tolerance within "), "{summary}");
    let summary = lab.run("fit x.npy t.npy").succeeds().stdout;
    assert!(summary.contains("1,000 steps multiply the slowest error by "), "{summary}");
}

/// An 8-bit image needs this: the default rate, standardized. Loss and
/// gradients are those of the data as they are.
#[test]
fn standardized_fits_of_an_image() {
    let lab = Lab::new();
    let (xs, ts) = image(&lab);
    for (engine, sums) in ENGINES.into_iter().zip([F64_SUMS, F64_SUMS, F32_SUMS]) {
        for solver in ["sgd", "moments"] {
            let line = format!("fit x.npy t.npy --standardize --steps 50 --json --solver {solver} {engine}");
            let report = lab.run(&line).succeeds().json();
            assert_eq!((&report["standardized"], &report["learning_rate"]), (&true.into(), &0.01.into()));
            let (w, b) = (number(&report, "weight"), number(&report, "bias"));
            // From W = 0 the error shrinks by 0.98 a step, as does that of
            // the prediction at x̄ = 127.5, which is 256.
            let factor = 0.98f64.powi(50);
            let want_w = 2.0 * (1.0 - factor);
            let want_b = 256.0 * (1.0 - factor) - 127.5 * want_w;
            assert!((w - want_w).abs() < 1e-7 && (b - want_b).abs() < 2e-5, "{engine}: {report}");
            expected(&xs, &ts, w, b).check(&report, sums);
        }
    }
    let summary = lab.run("fit x.npy t.npy --standardize").succeeds().stdout;
    assert!(summary.contains("learning rate 0.01, standardized"), "{summary}");
}

/// `scipy.stats.linregress` on the same columns, by exact rational arithmetic.
#[test]
fn the_statistics_of_the_irises() {
    let lab = Lab::new();
    let fit = iris(&lab);
    // The GPU's are those of the columns in f32, 2⁻²⁴ off.
    let cases = [
        ("--solver exact", 1e-10),
        ("--steps 0", 1e-10),
        ("--steps 5 --solver moments", 1e-10),
        ("--steps 5 --adapter llvmpipe -q", F32_RESULTS),
    ];
    for (options, tolerance) in cases {
        let report = lab.run(&format!("{fit} --json {options}")).exits(0).json();
        let s = &report["statistics"];
        for (field, want) in IRIS {
            assert!(
                (number(s, field) / want - 1.0).abs() < tolerance * sensitivity(field),
                "{options}, {field}: {report}"
            );
        }
    }
    let summary = lab.run(&format!("{fit} --solver exact")).succeeds().stdout;
    for part in [
        "Y = X·0.415755 - 0.363076",
        "R²         0.92711 ",
        "r 0.962865",
        "standard deviation",
        "p = 4.67500e-86",
    ] {
        assert!(summary.contains(part), "no {part} in {summary}");
    }
}

/// p falls as a power of t, with an exponent of n − 2.
fn sensitivity(field: &str) -> f64 {
    if field == "p_value" { 148.0 } else { 1.0 }
}

const IRIS: [(&str, f64); 9] = [
    ("weight", 0.415_755_416_352_411_5),
    ("bias", -0.363_075_521_319_029),
    ("r2", 0.927_109_838_990_492_7),
    ("r", 0.962_865_431_402_796_1),
    ("residual_std", 0.206_484_348_913_608_65),
    ("stderr_weight", 0.009_582_435_790_766_243),
    ("stderr_bias", 0.039_761_989_873_096_25),
    ("t_weight", 43.387_237_382_069_25),
    ("p_value", 4.675_003_907_327_411e-86),
];

#[test]
fn unknown_statistics_are_null() {
    let lab = Lab::new();
    lab.worked_example().f32s("one.npy", &[2.0]);
    let report = lab.run("fit x.npy t.npy --json").succeeds().json();
    let s = &report["statistics"];
    assert_eq!(
        (&s["r2"], &s["p_value"], &s["t_weight"]),
        (&1.0.into(), &0.0.into(), &Value::Null),
        "{report}"
    );
    let report = lab.run("fit one.npy one.npy --json").succeeds().json();
    for field in [
        "weight",
        "bias",
        "r2",
        "r",
        "residual_std",
        "stderr_weight",
        "stderr_bias",
        "t_weight",
        "p_value",
        "condition",
    ] {
        assert_eq!(report["statistics"][field], Value::Null, "{field}: {report}");
    }
    lab.run("fit one.npy one.npy").succeeds();
}

/// Whatever memory the data may take and however many threads there are, the
/// numbers are the same to the last bit.
#[test]
fn fits_are_reproducible() {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 1031x517").succeeds();
    let fit = |options: &str, threads: &str| {
        let mut command = lab.command(&format!("fit x.npy t.npy --steps 5 --engine cpu --json {options}"));
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        let mut report = lab.judge(options, &output).succeeds().json();
        report.as_object_mut().unwrap().remove("timings");
        report
    };
    for solver in ["", "--solver moments", "--standardize"] {
        let want = fit(solver, "1");
        for memory in ["1B", "100KB", "1GB"] {
            for threads in ["1", "2", "3", "7"] {
                assert_eq!(
                    fit(&format!("{solver} --memory {memory}"), threads),
                    want,
                    "{solver} {memory} {threads}"
                );
            }
        }
    }
}

/// Farads: the gradients at 0 are some 1e-11, below a tolerance of 1e-9.
#[test]
fn a_tolerance_that_the_start_meets_is_said_and_a_relative_one_is_not_met() {
    let lab = Lab::new();
    let (x, t): (Vec<f64>, Vec<f64>) =
        (0..40).map(|k| (f64::from(k) / 8.0, (f64::from(k) * 0.5 + f64::from(k % 3)) * 1e-12)).unzip();
    lab.f64s("x.npy", &x).f64s("t.npy", &t);
    let outcome = lab.run("fit x.npy t.npy --standardize --lr auto --tol 1e-9 --engine cpu").succeeds();
    assert!(
        outcome.far.contains("--tol 1e-9 is absolute") && outcome.far.contains("--rtol"),
        "{}",
        outcome.far
    );
    // What may be pasted is the line's.
    let line = lab.run("fit x.npy t.npy --solver exact --engine cpu --json").succeeds().json();
    assert!(
        outcome.stdout.contains("add_offset") && outcome.stdout.contains("of the least-squares line"),
        "{}",
        outcome.stdout
    );
    for engine in ["cpu", "reference", "gpu"] {
        for options in [
            "--standardize --lr auto",
            "--standardize --lr 0.3 --solver moments",
            "--lr 0.05 --steps 100000 --solver moments",
        ] {
            let command = format!("fit x.npy t.npy --rtol 1e-6 --json --engine {engine} {options}");
            let outcome = lab.run(&command).exits(0);
            let report = outcome.json();
            assert_eq!(report["stop_reason"], "tolerance", "{command}");
            assert!(
                (number(&report, "weight") / number(&line, "weight") - 1.0).abs() < 1e-5,
                "{command}: {report}"
            );
            assert!(!outcome.far.contains("far from"), "{command}: {}", outcome.far);
        }
    }
    lab.run("fit x.npy t.npy --rtol 1e-6 --tol 1e-6").ends_refused(&["--rtol", "--tol"]);
    lab.run("fit x.npy t.npy --rtol 1e-6 --solver exact").ends_refused(&["--rtol"]);
    lab.run("fit x.npy t.npy --rtol -1").ends_refused(&["tolerance"]);
}

/// Ten steps of 0.01 are not enough; a thousand of the best rate are.
#[test]
fn a_descent_that_ends_far_from_the_line_says_so() {
    let lab = Lab::new();
    lab.f64s("x.npy", &[1.0, 2.0, 3.0, 4.0]).f64s("t.npy", &[3.0, 5.0, 7.5, 9.0]);
    let far = lab.run("fit x.npy t.npy --steps 10 --engine cpu").succeeds();
    assert!(far.far.contains("far from the least-squares line"), "{}", far.far);
    assert!(far.stdout.contains("scale_factor = 2.05, add_offset = 1"), "{}", far.stdout);
    let near = lab.run("fit x.npy t.npy --lr auto --engine cpu").succeeds();
    assert!(!near.far.contains("far from") && !near.stdout.contains("(of the"), "{}", near.far);
    let quiet = lab.run("fit x.npy t.npy --steps 10 --engine cpu --quiet").succeeds();
    assert!(quiet.far.is_empty(), "{}", quiet.far);
    // Who asks for no steps asks for the loss there.
    let none = lab.run("fit x.npy t.npy --steps 0 --engine cpu").succeeds();
    assert!(!none.far.contains("far from"), "{}", none.far);
}
