//! `linfit compare`: every engine held against the reference.

use crate::cli::{Lab, expected, fields, number, values};
use crate::common::tolerances::{COMPENSATED_MOMENTS, F32_SUMS, F64_RESULTS, F64_SUMS, MERGED_SUMS};

fn noisy_pair() -> Lab {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 123x45 --noise 0.5 --seed 9").succeeds();
    lab
}

#[test]
fn json_has_the_fields_it_promises() {
    let lab = noisy_pair();
    let (xs, ts) = (values(&lab.read_npy("x.npy")), values(&lab.read_npy("t.npy")));
    for (options, w, b, others) in [
        ("", 1.3, -0.4, 2),
        ("--w0 -3 --b0 1.5 -q", -3.0, 1.5, 0),
        ("--w0 0.1", 0.1, -0.4, 0),
        ("--b0 9", 1.3, 9.0, 0),
    ] {
        let report = lab.run(&format!("compare x.npy t.npy --json {options}")).succeeds().json();
        assert_eq!(fields(&report), ["n", "reference", "results", "tolerance"]);
        assert_eq!(report["n"], 123 * 45);
        assert_eq!(report["tolerance"], 1e-5);

        let reference = &report["reference"];
        assert_eq!(
            fields(reference),
            ["bias", "grad_bias", "grad_weight", "loss", "others", "seconds", "weight"]
        );
        assert_eq!((number(reference, "weight"), number(reference, "bias")), (w, b));
        assert!(number(reference, "seconds") > 0.0);
        expected(&xs, &ts, w, b).check(reference, F64_SUMS);
        let points = reference["others"].as_array().unwrap();
        assert_eq!(points.len(), others, "{report}");
        for point in points {
            assert_eq!(fields(point), ["bias", "grad_bias", "grad_weight", "loss", "weight"]);
            let (w, b) = (number(point, "weight"), number(point, "bias"));
            assert!(f64::from(w as f32) != w && f64::from(b as f32) != b, "a round point sees nothing");
            expected(&xs, &ts, w, b).check(point, F64_SUMS);
        }

        let results = report["results"].as_array().unwrap();
        assert_eq!(results.len(), 4, "{report}");
        let expected = [
            ("cpu", None, F64_RESULTS),
            ("gpu", Some("fast"), F32_SUMS),
            ("gpu", Some("compensated"), COMPENSATED_MOMENTS),
            ("gpu", Some("f64"), MERGED_SUMS),
        ];
        for (result, (engine, precision, tolerance)) in results.iter().zip(expected) {
            assert_eq!(result["precision"].as_str(), precision);
            assert_eq!(
                fields(result),
                [
                    "adapter",
                    "engine",
                    "forward_max_abs_error",
                    "gb_s",
                    "ok",
                    "precision",
                    "rel_error_grad_bias",
                    "rel_error_grad_weight",
                    "rel_error_loss",
                    "rel_error_moments",
                    "seconds"
                ]
            );
            assert_eq!(result["engine"], engine);
            assert_eq!(result["ok"], true);
            for field in ["rel_error_loss", "rel_error_grad_weight", "rel_error_grad_bias"] {
                assert!((0.0..=tolerance).contains(&number(result, field)), "{field}: {result}");
            }
            // |Y| is below 16: half a unit of its last place is 2⁻²¹, and the
            // GPU rounds twice.
            let forward = number(result, "forward_max_abs_error");
            assert!(forward > 0.0 && forward <= 2f64.powi(-19), "{result}");
            assert!(number(result, "seconds") > 0.0 && number(result, "gb_s") > 0.0, "{result}");
        }
        assert!(results[0]["adapter"].is_null(), "{report}");
        assert!(results[1]["adapter"].as_str().unwrap().contains("llvmpipe"), "{report}");
    }
}

#[test]
fn the_table_has_a_row_for_every_engine() {
    let lab = noisy_pair();
    let table = lab.run("compare x.npy t.npy").succeeds().stdout;
    assert!(table.starts_with("5,535 elements; the reference takes "), "{table}");
    assert_eq!(table.matches("\nat W = ").count(), 3, "{table}");
    assert!(table.contains("\nat W = 1.3, b = -0.4: loss "), "{table}");
    let rows: Vec<&str> = table.lines().filter(|line| line.ends_with(" ok")).map(str::trim_start).collect();
    assert_eq!(rows.len(), 4, "{table}");
    assert!(rows[0].starts_with("cpu ") && rows[1].starts_with("gpu "), "{table}");
    let precisions = ["fast", "compensated", "f64"];
    assert!(precisions.iter().zip(&rows[1..]).all(|(name, row)| row.contains(name)), "{table}");
    assert!(rows[1].contains("llvmpipe") && !table.contains("MISMATCH"), "{table}");
    assert!(table.ends_with("tolerance 1e-5\n"), "{table}");
}

#[test]
fn a_tolerance_nothing_meets_is_a_mismatch() {
    let lab = noisy_pair();
    let ran = lab.run("compare x.npy t.npy --tol 1e-18 --json").exits(1);
    let report = ran.json();
    assert_eq!(report["tolerance"], 1e-18);
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    // Y is f32, x·W + b is not: no engine is exact here.
    assert!(results.iter().all(|result| result["ok"] == false), "{report}");
    assert_eq!(ran.stderr, "");
    let table = lab.run("compare x.npy t.npy --tol 1e-18").exits(1).stdout;
    assert_eq!(table.matches(" MISMATCH\n").count(), 4, "{table}");
    assert!(!table.contains(" ok\n"), "{table}");
}

/// On whole numbers every engine is exact, and no tolerance is too small.
#[test]
fn exact_results_meet_any_tolerance() {
    let lab = Lab::new();
    lab.worked_example();
    let report = lab.run("compare x.npy t.npy --w0 1 --b0 3 --tol 1e-300 --json").succeeds().json();
    for result in report["results"].as_array().unwrap() {
        for field in ["rel_error_loss", "rel_error_grad_weight", "forward_max_abs_error"] {
            assert_eq!(number(result, field), 0.0, "{result}");
        }
    }
    // At the solution the loss is 0: no error is no error, also of nothing.
    lab.run("compare x.npy t.npy --w0 2 --b0 1 --tol 1e-300").succeeds();
}

#[test]
fn an_engine_that_fails_is_a_mismatch_with_its_reason() {
    let lab = Lab::new();
    lab.write("x.csv", "1e300\n2\n").write("t.csv", "1\n2\n");
    let report = lab.run("compare x.csv t.csv --w0 0 --b0 0 --json").exits(1).json();
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!((&results[0]["ok"], &results[1]["ok"]), (&true.into(), &false.into()), "{report}");
    assert!(results[1]["rel_error_loss"].is_null() && results[1]["seconds"].is_null(), "{report}");
    assert!(results[1]["error"].as_str().unwrap().contains("beyond the range of f32"), "{report}");
    let table = lab.run("compare x.csv t.csv --w0 0 --b0 0").exits(1).stdout;
    assert!(table.contains("MISMATCH") && table.contains("beyond the range of f32"), "{table}");
}

#[test]
fn tells_what_the_gpu_rounded() {
    let lab = Lab::new();
    lab.write("x.csv", "0.1\n0.2\n0.5\n").write("t.csv", "1\n2\n3\n");
    let ran = lab.run("compare x.csv t.csv").exits(0);
    assert_eq!(ran.notes().len(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("note: x.csv: 2 of 3 f64 elements were rounded to f32"));
    lab.run("compare x.csv t.csv -q").succeeds();
}

#[test]
fn without_adapters_the_cpu_is_compared() {
    let lab = Lab::without_adapters();
    lab.worked_example();
    let ran = lab.run("compare x.npy t.npy --json").exits(0);
    assert_eq!(ran.json()["results"].as_array().unwrap().len(), 1);
    assert_eq!(ran.stderr, "note: no GPU adapter found; only the CPU engine is compared\n");
    lab.run("compare x.npy t.npy --quiet").succeeds();
}

#[test]
fn refuses_bad_settings_and_bad_input() {
    let lab = Lab::new();
    lab.worked_example().f32s("nan.npy", &[f32::NAN]);
    let refused = [
        ("x.npy t.npy --tol 0", "--tol"),
        ("x.npy t.npy --tol -1", "--tol"),
        ("x.npy t.npy --tol nan", "--tol"),
        ("x.npy t.npy --tol inf", "--tol"),
        ("x.npy t.npy --tol small", "--tol"),
        ("x.npy t.npy --w0 nan", "--w0"),
        ("x.npy t.npy --b0 inf", "--b0"),
        ("x.npy", "<T>"),
        ("x.npy nan.npy", "differ in shape"),
        ("nan.npy nan.npy", "nan.npy: 1 of 1"),
        ("x.npy none.npy", "none.npy"),
    ];
    for (arguments, part) in refused {
        lab.run(&format!("compare {arguments}")).ends_refused(&[part]);
    }
}

/// At the very parameters behind T the residuals are what rounding T to f32
/// left: the engines agree there too.
#[test]
fn cancelled_residuals_agree() {
    let lab = Lab::new();
    for (w, b, noise) in [("2", "1", "0"), ("3", "-0.7", "0"), ("2", "1", "1e-4")] {
        let line = format!("generate -x x.npy -t t.npy --shape 1000 --noise {noise} --weight {w} --bias {b}");
        lab.run(&line).succeeds();
        lab.run(&format!("compare x.npy t.npy --w0 {w} --b0 {b}")).succeeds();
    }
}
