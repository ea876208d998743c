use super::{Bench, keys, number};

#[test]
fn every_engine_is_held_against_the_reference() {
    let bench = Bench::new();
    bench.run(&["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "300x301", "-q"]).ok();
    let run = bench.run(&["compare", "x.npy", "t.npy", "--json", "--w0", "2", "--b0", "1"]).ok();
    let json = run.to_json();
    assert_eq!(number(&json, "n"), 90_300.0);
    assert_eq!((number(&json["reference"], "weight"), number(&json["reference"], "bias")), (2.0, 1.0));
    let results = json["results"].as_array().unwrap();
    assert!(results.len() >= 2, "no software Vulkan adapter: run tests/run.sh, which installs one");
    for result in results {
        let want = [
            "adapter",
            "engine",
            "forward_max_abs_error",
            "gb_s",
            "ok",
            "rel_error_grad_bias",
            "rel_error_grad_weight",
            "rel_error_loss",
            "seconds",
        ];
        assert_eq!(keys(result), want);
        assert_eq!(result["ok"], true, "{result}");
        let limit = if result["engine"] == "cpu" { 1e-13 } else { 1e-6 };
        for key in ["rel_error_loss", "rel_error_grad_weight", "rel_error_grad_bias"] {
            assert!(number(result, key) <= limit, "{result}");
        }
        assert!(number(result, "seconds") > 0.0 && number(result, "gb_s") > 0.0);
    }
    let text = bench.run(&["compare", "x.npy", "t.npy"]).ok().stdout;
    assert!(text.contains("90,300 elements") && text.contains("cpu") && text.contains("gpu"), "{text}");
}

/// At the very parameters behind T the residuals are what rounding T to f32
/// left: the engines agree there too.
#[test]
fn cancelled_residuals_agree() {
    let bench = Bench::new();
    for (weight, bias, noise) in [("2", "1", "0"), ("3", "-0.7", "0"), ("2", "1", "1e-4")] {
        let make = ["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "1000", "--noise", noise, "-q"];
        bench.run(&[&make[..], &["--weight", weight, "--bias", bias]].concat()).ok();
        bench.run(&["compare", "x.npy", "t.npy", "--w0", weight, "--b0", bias]).ok();
    }
}

#[test]
fn a_mismatch_is_1() {
    let bench = Bench::new();
    bench.run(&["generate", "-x", "x.npy", "-t", "t.npy", "--shape", "1000", "-q"]).ok();
    let run = bench.run(&["compare", "x.npy", "t.npy", "--tol", "1e-30"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("MISMATCH"), "{}", run.stdout);
}

#[test]
fn meaningless_settings_are_2() {
    let bench = Bench::with_worked_example();
    bench.run(&["compare", "x.npy", "t.npy", "--tol", "0"]).fails(2, &["--tol"]);
    bench.run(&["compare", "x.npy", "t.npy", "--tol", "nan"]).fails(2, &["--tol"]);
    bench.run(&["compare", "x.npy", "t.npy", "--w0", "inf"]).fails(2, &["--w0"]);
    bench.run(&["compare", "x.npy", "missing.npy"]).fails(2, &["missing.npy"]);
}
