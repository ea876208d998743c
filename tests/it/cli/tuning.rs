//! `linfit bench --tune`, the file it leaves in the user's cache directory,
//! and what later commands make of that file.

use std::fs;

use serde_json::{Value, json};

use crate::cli::{Lab, number};
use crate::common::tolerances::{F32_RESULTS, F64_RESULTS};

/// The file of tunings on this system, below `XDG_CACHE_HOME`.
const FILE: &str = "cache/linfit/tuning.json";

/// A directory with a cache in it, and whole numbers to pass over: all sums
/// over them are exact, however they are added up.
fn lab() -> Lab {
    let mut lab = Lab::new();
    let cache = lab.path("cache").display().to_string();
    lab.set("XDG_CACHE_HOME", cache);
    let whole = |period: usize| (0..4_099).map(|k| (k % period) as f32 - 3.0).collect::<Vec<f32>>();
    lab.f32s("x.npy", &whole(7)).f32s("t.npy", &whole(11));
    lab
}

/// A good tuning that is nobody's default.
fn tuning() -> Value {
    json!({
        "workgroup_size": 128, "workgroups": 3, "contiguous": false, "loads": 4,
        "reduction": "workgroup", "alone_elements": 1000
    })
}

/// A file of one entry, for the software adapter.
fn file(lab: &Lab, tuning: &Value) -> Value {
    let adapter = &lab.run("devices --json").succeeds().json()["adapters"][0];
    let entry = json!({
        "name": adapter["name"], "backend": adapter["backend"], "driver": adapter["driver"], "tuning": tuning
    });
    json!({"format": 1, "adapters": [entry]})
}

fn keep(lab: &Lab, text: &str) {
    fs::create_dir_all(lab.path("cache/linfit")).unwrap();
    fs::write(lab.path(FILE), text).unwrap();
}

/// One pass, evaluated by the host in f64.
const FIT: &str = "fit x.npy t.npy --adapter llvmpipe --update host --steps 0 --w0 2 --b0 1 --json";

/// The loss that the reference finds there, without any rounding.
fn exact_loss(lab: &Lab) -> f64 {
    let line = "fit x.npy t.npy --engine reference --steps 0 --w0 2 --b0 1 --json";
    number(&lab.run(line).succeeds().json(), "loss")
}

#[test]
fn what_is_found_is_printed_kept_and_used() {
    let lab = lab();
    let report = lab.run("bench --tune --adapter llvmpipe --sizes 4K --time 0 --json").succeeds().json();
    let report = &report["adapters"][0];
    let results = report["results"].as_array().unwrap();
    assert!(results.len() > 20, "{report}");
    let mut of_default = f64::NAN;
    for (k, result) in results.iter().enumerate() {
        if k == 0 || result["round"] != results[k - 1]["round"] {
            of_default = number(result, "median_s");
        }
        let gain = of_default / number(result, "median_s");
        assert!(gain > 0.0 && (number(result, "gain") / gain - 1.0).abs() < F64_RESULTS, "{result}");
    }
    let kept = lab.read_json(FILE);
    assert_eq!(kept["adapters"].as_array().unwrap().len(), 1);
    assert_eq!(kept["adapters"][0]["tuning"], report["best"]);
    assert_eq!(report["saved"], lab.path(FILE).display().to_string());

    let loss = exact_loss(&lab);
    let tuned = lab.run(&format!("{FIT} -v")).exits(0);
    assert!(tuned.stderr.contains("tuned by "), "{}", tuned.stderr);
    assert_eq!(number(&tuned.json(), "loss"), loss);
    let usual = lab.run(&format!("{FIT} -v --no-tuning")).exits(0);
    assert!(!usual.stderr.contains("tuned"), "{}", usual.stderr);
    assert_eq!(number(&usual.json(), "loss"), loss);
    lab.run("compare x.npy t.npy").succeeds();
    lab.run("compare x.npy t.npy --no-tuning").succeeds();
}

#[test]
fn a_tuned_descent_goes_where_an_untuned_one_goes() {
    let lab = lab();
    keep(&lab, &file(&lab, &tuning()).to_string());
    for line in
        ["fit x.npy t.npy --adapter llvmpipe --steps 300 --json", "bench --sizes 5K --adapter 0 --time 0"]
    {
        let tuned = lab.run(&format!("{line} -v")).exits(0);
        assert!(tuned.stderr.contains("tuned by "), "{}", tuned.stderr);
    }
    let fit = |option: &str| {
        lab.run(&format!("fit x.npy t.npy --adapter llvmpipe --steps 300 --json --save m.json {option}"))
            .succeeds()
            .json()
    };
    let (tuned, usual) = (fit(""), fit("--no-tuning"));
    for field in ["weight", "bias", "loss"] {
        let (tuned, usual) = (number(&tuned, field), number(&usual, field));
        assert!((tuned - usual).abs() <= F32_RESULTS * usual.abs().max(1.0), "{field}: {tuned} {usual}");
    }
    lab.run("predict m.json x.npy -o y.npy --adapter llvmpipe").succeeds();
    lab.run("predict m.json x.npy -o z.npy --adapter llvmpipe --no-tuning").succeeds();
    let rows = |name| crate::cli::values(&lab.read_npy(name));
    assert_eq!(rows("y.npy"), rows("z.npy"));
}

#[test]
fn a_file_that_is_no_good_is_told_once_and_ignored() {
    let lab = lab();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut file = file(&lab, &tuning());
        change(&mut file);
        file.to_string()
    };
    let number = |field: &'static str, value: Value| {
        with(&move |file| file["adapters"][0]["tuning"][field] = value.clone())
    };
    let mut cases = vec![
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "\u{0}\u{1}".to_owned(),
        "x".repeat((1 << 20) + 1),
        with(&|file| file["format"] = 2.into()),
        with(&|file| file["adapters"] = json!({})),
        with(&|file| file["more"] = json!(1)),
        with(&|file| file["adapters"][0]["tuning"] = Value::Null),
        number("reduction", "guess".into()),
        number("contiguous", 1.into()),
        number("alone_elements", 4_000_000_000u32.into()),
    ];
    cases.extend([0, 3, 2_048, 1_000_000_000].map(|size| number("workgroup_size", size.into())));
    cases.extend([json!(0), json!(1_000_000_000), json!(-1), json!(1e300)].map(|n| number("workgroups", n)));
    cases.extend([0, 2, 5].map(|loads| number("loads", loads.into())));
    let loss = exact_loss(&lab);
    for text in cases {
        keep(&lab, &text);
        let ran = lab.run(FIT).exits(0);
        assert_eq!(ran.notes().len(), 1, "{text:.300}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("tuning.json: ignored (") && ran.stderr.contains("--tune"),
            "{}",
            ran.stderr
        );
        assert_eq!(crate::cli::number(&ran.json(), "loss"), loss);
    }
    lab.run(&format!("{FIT} -q")).succeeds();
    lab.run(&format!("{FIT} --no-tuning")).succeeds();
}

#[test]
fn another_adapter_or_driver_is_not_tuned() {
    let lab = lab();
    for (field, told) in [("name", false), ("backend", false), ("driver", true)] {
        let mut file = file(&lab, &tuning());
        file["adapters"][0][field] = "another".into();
        keep(&lab, &file.to_string());
        let ran = lab.run(&format!("{FIT} -v")).exits(0);
        assert!(!ran.stderr.contains("tuned by"), "{field}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains("tuned for another driver, another"), told, "{}", ran.stderr);
        lab.run(FIT).succeeds();
    }
}

#[test]
fn what_cannot_be_kept_is_printed_all_the_same() {
    let mut lab = lab();
    // Mesa would complain too.
    lab.set("MESA_SHADER_CACHE_DISABLE", "true");
    // A file where a directory should be: not even root writes below it.
    lab.write("cache", "");
    let line = "bench --tune --adapter llvmpipe --sizes 1000 --time 0";
    let ran = lab.run(line).exits(2);
    assert!(ran.stdout.contains("default") && ran.stdout.contains("not saved"), "{}", ran.stdout);
    assert!(ran.notes().len() == 1 && ran.stderr.contains("tuning.json"), "{}", ran.stderr);
    // There is nothing to read there, and nothing wrong with that.
    lab.run(FIT).succeeds();

    lab.set("XDG_CACHE_HOME", "/dev/null");
    lab.run(FIT).succeeds();
}

#[test]
fn tuning_is_for_gpus() {
    let lab = lab();
    lab.run("bench --tune --engine cpu").ends_refused(&["--tune", "--engine cpu"]);
    for option in ["--passes step", "--dtype u8", "--export-json a.json", "--baseline a.json", "--no-tuning"]
    {
        lab.run(&format!("bench --tune {option}")).ends_refused(&["--tune"]);
    }
    Lab::without_adapters().run("bench --tune").exits(3).complains(&["no GPU adapter found"]);
}

/// llvmpipe's subgroups are as wide as the vectors it is told to use. Those of
/// 1 and 4 invocations are narrower than a subgroup.
#[test]
fn subgroups_of_any_size_add_up_the_same() {
    let mut lab = lab();
    let loss = exact_loss(&lab);
    for (width, lanes) in [("128", 4), ("256", 8), ("512", 16)] {
        lab.set("LP_NATIVE_VECTOR_WIDTH", width);
        let adapter = &lab.run("devices --json").succeeds().json()["adapters"][0];
        assert_eq!(adapter["subgroup_size"], json!([lanes, lanes]), "{adapter}");
        for size in [1, 4, 32, 256] {
            for contiguous in [true, false] {
                let mut tuning = tuning();
                tuning["reduction"] = "subgroup".into();
                tuning["workgroup_size"] = size.into();
                tuning["contiguous"] = contiguous.into();
                keep(&lab, &file(&lab, &tuning).to_string());
                let ran = lab.run(&format!("{FIT} -v")).exits(0);
                assert!(ran.stderr.contains("tuned by "), "{}", ran.stderr);
                assert_eq!(number(&ran.json(), "loss"), loss, "{lanes} lanes, workgroups of {size}");
            }
        }
    }
}
