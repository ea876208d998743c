//! `linfit fit`: its numbers against mathematics, and how it stops.

use serde_json::Value;

use crate::cli::{Lab, expected, fields, number, values};
use crate::common::tolerances::{F32_RESULTS, F32_SUMS, F64_RESULTS, F64_SUMS};

/// The engines by the options that choose them.
pub(crate) const ENGINES: [&str; 3] = ["--engine reference", "--engine cpu", "--adapter llvmpipe"];

fn model(report: &Value) -> (f64, f64) {
    (number(report, "weight"), number(report, "bias"))
}

/// The states of the worked example at η = 2⁻⁴, computed by hand in
/// src/fit/descend.rs. All of them are exact in binary, on every engine.
#[test]
fn the_worked_example_by_hand() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let state = |steps: u64| {
            let line = format!("fit x.npy t.npy --lr 0.0625 --steps {steps} --json {engine}");
            let report = lab.run(&line).succeeds().json();
            assert_eq!(report["steps"], steps);
            assert_eq!(report["stop_reason"], "steps");
            ["weight", "bias", "loss", "grad_weight", "grad_bias"].map(|field| number(&report, field))
        };
        assert_eq!(state(0), [0.0, 0.0, 41.0, -35.0, -12.0], "{engine}");
        assert_eq!(state(1), [2.1875, 0.75, 0.091_796_875, 1.5625, 0.4375], "{engine}");
        let (w, b) = (2.089_843_75, 0.722_656_25);
        let loss = 7.5 * w * w + b * b + 41.0 + 5.0 * w * b - 35.0 * w - 12.0 * b;
        assert_eq!(state(2), [w, b, loss, -0.039_062_5, -0.105_468_75], "{engine}");
        let [w, b, ..] = state(3);
        assert_eq!((w, b), (2.092_285_156_25, 0.729_248_046_875), "{engine}");
    }
}

#[test]
fn starts_where_it_is_told() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let line = format!("fit x.npy t.npy --w0 2 --b0 1 --steps 0 --json {engine}");
        let report = lab.run(&line).succeeds().json();
        assert_eq!(model(&report), (2.0, 1.0));
        assert_eq!([0.0, 0.0, 0.0], ["loss", "grad_weight", "grad_bias"].map(|f| number(&report, f)));

        // r = −x − 1 − (2x + 1): E r² = 9·7.5 + 12·2.5 + 4, ∂L/∂W = 2·(−22.5 − 5).
        let line = format!("fit x.npy t.npy --w0 -1 --b0 -1 --steps 0 --json {engine}");
        let report = lab.run(&line).succeeds().json();
        assert_eq!(model(&report), (-1.0, -1.0));
        let found = ["loss", "grad_weight", "grad_bias"].map(|field| number(&report, field));
        assert_eq!(found, [101.5, -55.0, -19.0], "{engine}");
    }
}

#[test]
fn the_defaults_are_a_thousand_steps_of_a_hundredth_from_zero() {
    let lab = Lab::new();
    lab.worked_example();
    let report = lab.run("fit x.npy t.npy --json").succeeds().json();
    assert_eq!(report["steps"], 1000);
    assert_eq!(report["learning_rate"], 0.01);
    assert_eq!(report["solver"], "sgd");
    let spelled =
        "fit x.npy t.npy --json --solver sgd --steps 1000 --lr 0.01 --tol 0 --w0 0 --b0 0 --engine auto";
    assert_eq!(model(&lab.run(spelled).succeeds().json()), model(&report));
}

/// The columns of the iris data, read by this test.
fn iris() -> (Vec<f64>, Vec<f64>) {
    let text = include_str!("../../../examples/data/iris.csv");
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[2].parse::<f64>().unwrap(), row[3].parse::<f64>().unwrap())).unzip()
}

#[test]
fn descends_to_the_least_squares_of_the_irises() {
    let (xs, ts) = iris();
    assert_eq!(xs.len(), 150);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 150.0;
    let (x_mean, t_mean) = (mean(&xs), mean(&ts));
    let mxx: f64 = xs.iter().map(|x| (x - x_mean).powi(2)).sum();
    let mxt: f64 = xs.iter().zip(&ts).map(|(x, t)| (x - x_mean) * (t - t_mean)).sum();
    let slope = mxt / mxx;
    let intercept = t_mean - slope * x_mean;

    let lab = Lab::new();
    lab.write("iris.csv", include_str!("../../../examples/data/iris.csv"));
    let line = "fit iris.csv:petal_length iris.csv:petal_width --lr 0.05 --steps 100000 --json";
    for engine in ["reference", "cpu"] {
        let report = lab.run(&format!("{line} --tol 1e-10 --engine {engine}")).succeeds().json();
        let (w, b) = model(&report);
        assert!((w - 0.41576).abs() < 5e-6 && (b + 0.36308).abs() < 5e-6, "{report}");
        // The gradients' limit over the smaller curvature, 0.35.
        assert!((w - slope).abs() < 1e-9 && (b - intercept).abs() < 1e-9, "{report}");
        assert_eq!(report["stop_reason"], "tolerance");
        assert_eq!(report["n"], 150);
        for gradient in ["grad_weight", "grad_bias"] {
            assert!(number(&report, gradient).abs() <= 1e-10, "{report}");
        }
        let steps = report["steps"].as_u64().unwrap();
        assert!((100..100_000).contains(&steps), "{steps}");

        // It was the first such step.
        let before = format!("{line} --engine {engine} --steps {}", steps - 1);
        let before = before.replace("--steps 100000", "");
        let report = lab.run(&before).succeeds().json();
        let norm = number(&report, "grad_weight").abs().max(number(&report, "grad_bias").abs());
        assert!(norm > 1e-10 && report["stop_reason"] == "steps", "{report}");
    }
    // The GPU's f32 copies of the columns are data of their own: near, not the
    // same.
    let report = lab.run(&format!("{line} --tol 1e-6 --adapter llvmpipe")).exits(0).json();
    let (w, b) = model(&report);
    assert!((w - slope).abs() < 1e-5 && (b - intercept).abs() < 1e-5, "{report}");
    assert_eq!(report["stop_reason"], "tolerance");
}

/// The descent after `steps` steps, from the moments E x, E x², E t, E xt.
fn descend(xs: &[f64], ts: &[f64], learning_rate: f64, steps: u32) -> (f64, f64) {
    let n = xs.len() as f64;
    let mean = |of: &dyn Fn(f64, f64) -> f64| xs.iter().zip(ts).map(|(&x, &t)| of(x, t)).sum::<f64>() / n;
    let (ex, exx, et, ext) = (mean(&|x, _| x), mean(&|x, _| x * x), mean(&|_, t| t), mean(&|x, t| x * t));
    let (mut w, mut b) = (0.0, 0.0);
    for _ in 0..steps {
        let (grad_weight, grad_bias) = (2.0 * (w * exx + b * ex - ext), 2.0 * (w * ex + b - et));
        w -= learning_rate * grad_weight;
        b -= learning_rate * grad_bias;
    }
    (w, b)
}

#[test]
fn every_engine_descends_the_same_way() {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 200x300 --seed 3").succeeds();
    let (xs, ts) = (values(&lab.read_npy("x.npy")), values(&lab.read_npy("t.npy")));
    let (w, b) = descend(&xs, &ts, 0.01, 1000);
    assert!((w - 2.0).abs() < 0.01 && (b - 1.0).abs() < 0.01, "{w} {b}");
    let mut found = Vec::new();
    for (engine, sums) in ENGINES.into_iter().zip([F64_SUMS, F64_SUMS, F32_SUMS]) {
        let report = lab.run(&format!("fit x.npy t.npy --json {engine}")).succeeds().json();
        assert_eq!(report["n"], 60_000);
        let (got_w, got_b) = model(&report);
        assert!((got_w - w).abs() <= F32_RESULTS && (got_b - b).abs() <= F32_RESULTS, "{engine}: {report}");
        expected(&xs, &ts, got_w, got_b).check(&report, sums);
        found.push((got_w, got_b));
    }
    let off = |k: usize| (found[k].0 - found[0].0).abs().max((found[k].1 - found[0].1).abs());
    assert!(off(1) < F64_RESULTS, "cpu against reference: {:e}", off(1));
    assert!(off(2) <= F32_RESULTS, "gpu against reference: {:e}", off(2));
}

#[test]
fn json_has_the_fields_it_promises() {
    let lab = Lab::new();
    lab.worked_example();
    for (engine, kind) in ENGINES.into_iter().zip(["reference", "cpu", "gpu"]) {
        let ran = lab.run(&format!("fit x.npy t.npy --lr 0.03125 --steps 5 --json {engine}")).succeeds();
        let report = ran.json();
        assert_eq!(
            fields(&report),
            [
                "batches",
                "bias",
                "dampening",
                "descent",
                "engine",
                "excluded",
                "forecast",
                "grad_bias",
                "grad_weight",
                "learning_rate",
                "line",
                "loss",
                "loss_kind",
                "momentum",
                "n",
                "nesterov",
                "precision",
                "robust",
                "schedule",
                "solver",
                "standardized",
                "statistics",
                "steps",
                "stop_reason",
                "timings",
                "weight",
                "weight_decay",
                "weight_sum"
            ]
        );
        for field in ["weight", "bias", "loss", "grad_weight", "grad_bias"] {
            assert!(report[field].is_f64(), "{field}: {report}");
        }
        assert_eq!(report["learning_rate"], 0.03125);
        assert_eq!((&report["n"], &report["steps"]), (&4.into(), &5.into()));
        assert_eq!((&report["solver"], &report["stop_reason"]), (&"sgd".into(), &"steps".into()));

        let timings = &report["timings"];
        assert_eq!(
            fields(timings),
            ["bandwidth_gb_s", "fit_s", "load_s", "moments_s", "prepare_s", "step_median_s"]
        );
        for field in ["bandwidth_gb_s", "fit_s", "load_s", "moments_s", "step_median_s"] {
            assert!(number(timings, field) > 0.0, "{field}: {report}");
        }
        assert!(number(timings, "prepare_s") >= 0.0);
        assert!(number(timings, "step_median_s") <= number(timings, "fit_s"), "{report}");

        let engine = &report["engine"];
        assert_eq!(fields(engine), ["adapter", "backend", "driver", "kind"]);
        assert_eq!(engine["kind"], kind);
        for field in ["adapter", "backend", "driver"] {
            assert_eq!(engine[field].is_string(), kind == "gpu", "{field}: {report}");
            assert_eq!(engine[field].is_null(), kind != "gpu", "{field}: {report}");
        }
        if kind == "gpu" {
            assert!(engine["adapter"].as_str().unwrap().contains("llvmpipe"), "{engine}");
            assert_eq!(engine["backend"], "vulkan");
        }
    }
}

#[test]
fn the_summary_says_what_the_json_says() {
    let lab = Lab::new();
    lab.worked_example();
    let line = "fit x.npy t.npy --lr 0.0625 --steps 3 --engine cpu";
    let report = lab.run(&format!("{line} --json")).succeeds().json();
    let summary = lab.run(line).succeeds().stdout;
    assert!(summary.starts_with("Y = X·2.092285 + 0.729248\n"), "{summary}");
    for part in ["2.09228515625", "0.729248046875", "elements   4\n", "all taken; learning rate 0.0625"] {
        assert!(summary.contains(part), "no {part:?} in {summary}");
    }
    assert!(summary.contains(&number(&report, "weight").to_string()));
    let row = |name: &str| summary.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(row("engine").contains(" cpu ("), "{summary}");
    assert!(row("steps").contains(" 3 "), "{summary}");

    let negative = lab.run("fit x.npy t.npy --w0 -2 --b0 -1.5 --steps 0").succeeds().stdout;
    assert!(negative.starts_with("Y = X·-2 - 1.5\n"), "{negative}");
}

#[test]
fn a_rate_too_large_diverges_with_a_finite_result() {
    let lab = Lab::new();
    let xs: Vec<f32> = (0..256u16).map(f32::from).collect();
    let ts: Vec<f32> = xs.iter().map(|x| 2.0 * x + 1.0).collect();
    lab.f32s("x.npy", &xs).f32s("t.npy", &ts);
    let (xs, ts): (Vec<f64>, Vec<f64>) =
        xs.iter().zip(&ts).map(|(&x, &t)| (f64::from(x), f64::from(t))).unzip();
    for (engine, sums) in ENGINES.into_iter().zip([F64_SUMS, F64_SUMS, F32_SUMS]) {
        let ran = lab.run(&format!("fit x.npy t.npy --force -q --json --history h.csv {engine}")).exits(1);
        let report = ran.json();
        assert_eq!(report["stop_reason"], "diverged");
        let (w, b) = model(&report);
        assert!(w.is_finite() && b.is_finite());
        expected(&xs, &ts, w, b).check(&report, sums);
        let steps = report["steps"].as_u64().unwrap();
        assert!((2..1000).contains(&steps), "{report}");
        assert_eq!(ran.notes().len(), 1, "{}", ran.stderr);
        let message = format!("linfit: diverged at step {}:", steps + 1);
        assert!(ran.stderr.starts_with(&message), "{}", ran.stderr);
        // 2/λmax over 0, 1, …, 255, whose E x² is 21717.5.
        assert!(ran.stderr.contains("4.60442e-5") && ran.stderr.contains("--lr auto"), "{}", ran.stderr);

        let history = lab.read("h.csv");
        assert_eq!(history.lines().count() as u64, steps + 2, "header, step 0, {steps} steps");
        let last: Vec<&str> = history.lines().last().unwrap().split(',').collect();
        assert_eq!((last[4].parse().ok(), last[5].parse().ok()), (Some(w), Some(b)));
    }
    let summary = lab.run("fit x.npy t.npy --engine cpu --force").exits(1).stdout;
    assert!(summary.contains("DIVERGED"), "{summary}");
}

#[test]
fn a_start_that_overflows_is_a_failed_check() {
    let lab = Lab::new();
    lab.worked_example();
    for engine in ENGINES {
        let ran = lab.run(&format!("fit x.npy t.npy --w0 1e300 {engine} --save m.json")).exits(1);
        ran.complains(&["linfit: the loss at the start", "1e300"]);
        assert!(!crate::cli::exists(&lab.path("m.json")), "{engine}");
    }
}

#[test]
fn refuses_settings_that_mean_nothing() {
    let lab = Lab::new();
    lab.worked_example();
    let refused = [
        ("--lr 0", "learning rate"),
        ("--lr -0.1", "learning rate"),
        ("--lr nan", "learning rate"),
        ("--lr inf", "learning rate"),
        ("--lr fast", "--lr"),
        ("--tol -1", "tolerance"),
        ("--tol nan", "tolerance"),
        ("--tol inf", "tolerance"),
        ("--w0 nan", "start"),
        ("--w0 inf", "start"),
        ("--b0 -inf", "start"),
        ("--b0 x", "--b0"),
        ("--steps -1", "--steps"),
        ("--steps 1.5", "--steps"),
        ("--solver newton", "--solver"),
        ("--memory lots", "--memory"),
        ("-q -v", "--verbose"),
        ("--quiet --verbose", "--verbose"),
        ("--frobnicate", "--frobnicate"),
    ];
    for (options, part) in refused {
        lab.run(&format!("fit x.npy t.npy --save m.json --history h.csv {options}")).ends_refused(&[part]);
        assert_eq!(lab.files(), ["t.npy", "x.npy"], "{options}");
    }
}

#[test]
fn updates_on_the_device_write_the_same_history_in_any_number_of_submissions() {
    let lab = Lab::new();
    lab.worked_example();
    let history = |options: &str| {
        let line = format!("fit x.npy t.npy --lr 0.02 --steps 700 --history h.csv --json {options}");
        assert_eq!(lab.run(&line).succeeds().json()["steps"], 700, "{options}");
        lab.read("h.csv")
    };
    let device = history("--adapter llvmpipe");
    assert_eq!(device.lines().count(), 702);
    for k in ["1", "3", "64", "1000", "auto"] {
        let options = format!("--adapter llvmpipe --update device --steps-per-submit {k}");
        assert!(history(&options) == device, "{options}");
    }
    let host = history("--adapter llvmpipe --update host");
    assert_eq!(host, history("--adapter llvmpipe --update host"));
    assert_ne!(host, device, "f64 and two-floats differ in their last digits");
}

#[test]
fn where_to_update_must_be_possible() {
    let lab = Lab::new();
    lab.worked_example();
    for (options, parts) in [
        ("--engine cpu --update device", vec!["cpu engine", "host; use --update host or auto\n"]),
        ("--engine reference --update device", vec!["reference engine", "--update host"]),
        (
            "--engine cpu --steps-per-submit 4",
            vec!["cpu engine", "use --update host or auto, without --steps-per-submit\n"],
        ),
        (
            "--adapter llvmpipe --update host --steps-per-submit 4",
            vec!["--steps-per-submit", "--update device"],
        ),
        ("--adapter llvmpipe --steps-per-submit 0", vec!["--steps-per-submit", "1 to 1024"]),
        ("--adapter llvmpipe --steps-per-submit 1025", vec!["--steps-per-submit", "1 to 1024"]),
        ("--adapter llvmpipe --update device --memory 1B", vec!["streams", "--update host"]),
        ("--adapter llvmpipe --update device --lr 1e-60", vec!["learning rate", "use --update host\n"]),
    ] {
        lab.run(&format!("fit x.npy t.npy --steps 5 {options}")).ends_refused(&parts);
    }
    for options in ["--engine cpu --update host", "--engine cpu", "--adapter llvmpipe --update host"] {
        lab.run(&format!("fit x.npy t.npy --steps 5 {options}")).succeeds();
    }
}
