//! Many fits: `--axis`, `--groups`, `--tile` and `--window`, selections, and what is
//! saved and applied.

use linfit::array::ElementType;
use serde_json::Value;

use crate::cli::{Lab, number, values};
use crate::common::Number;
use crate::common::tolerances::{F32_RESULTS, F64_RESULTS};

/// Two bands of 2×3 pixels, T = 2·X + 1 in the first and 5 − X in the second.
fn bands(lab: &Lab) -> &Lab {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 1.0, 4.0, 2.0, 3.0, 7.0];
    let t: Vec<f64> =
        x.iter().enumerate().map(|(k, x)| if k < 6 { 2.0 * x + 1.0 } else { 5.0 - x }).collect();
    let numbers = |values: &[f64]| values.iter().map(|&value| Number::Float(value)).collect::<Vec<_>>();
    lab.npy("x.npy", ElementType::F32, &[2, 2, 3], &numbers(&x))
        .npy("t.npy", ElementType::F32, &[2, 2, 3], &numbers(&t))
        .npy(
            "g.npy",
            ElementType::I16,
            &[2, 2, 3],
            &[7i128, 7, 7, -1, -1, -1, 3, 3, 3, 3, 3, 3].map(Number::Int),
        )
}

fn of_all(json: &Value, field: &str) -> Vec<f64> {
    json["results"].as_array().unwrap().iter().map(|result| number(result, field)).collect()
}

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{got:?} for {want:?}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= F64_RESULTS * want.abs().max(1.0), "{got} for {want}");
    }
}

#[test]
fn a_line_for_each_band_by_every_solver() {
    let lab = Lab::without_adapters();
    bands(&lab);
    for engine in ["cpu", "reference"] {
        let line = format!("fit x.npy t.npy --axis 1,2 --solver exact --engine {engine} --json");
        let json = lab.run(&line).succeeds().json();
        assert_eq!(json["fits"]["shape"], serde_json::json!([2]));
        assert_eq!((&json["fits"]["count"], &json["fits"]["degenerate"]), (&2.into(), &0.into()));
        near(&of_all(&json, "weight"), &[2.0, -1.0]);
        near(&of_all(&json, "bias"), &[1.0, 5.0]);
        near(&of_all(&json, "n"), &[6.0, 6.0]);
        near(&of_all(&json, "group"), &[0.0, 1.0]);
        near(&[number(&json["fits"]["weight"], "median")], &[0.5]);
    }
    let descents = ["sgd", "moments"].map(|solver| {
        let line = format!("fit x.npy t.npy --axis -1,-2 --solver {solver} --steps 7 --lr 0.02 --json");
        lab.run(&line).succeeds().json()
    });
    for band in 0..2 {
        // The band alone.
        let x = values(&lab.read_npy("x.npy"))[6 * band..6 * band + 6].to_vec();
        let t = values(&lab.read_npy("t.npy"))[6 * band..6 * band + 6].to_vec();
        lab.f64s("xb.npy", &x).f64s("tb.npy", &t);
        let one = lab.run("fit xb.npy tb.npy --steps 7 --lr 0.02 --engine cpu --json").succeeds().json();
        for json in &descents {
            for field in ["weight", "bias", "loss"] {
                near(&[of_all(json, field)[band]], &[number(&one, field)]);
            }
        }
    }
}

/// The lines of `bands`, by each grouping on the device, and what it does not do.
#[test]
fn fits_of_every_grouping_on_a_device() {
    let lab = Lab::new();
    bands(&lab);
    let near = |got: &[f64], want: &[f64]| {
        assert_eq!(got.len(), want.len(), "{got:?} for {want:?}");
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= F32_RESULTS * want.abs(), "{got} for {want}");
        }
    };
    for (grouping, weights) in [
        ("--axis 1,2", &[2.0, -1.0][..]),
        ("--axis 0", &[]),
        ("--axis 1", &[2.0, 2.0, 2.0, -1.0, -1.0, -1.0]),
        ("--groups g.npy", &[2.0, -1.0, 2.0]),
        ("--tile 2x2", &[2.0, 2.0, -1.0, -1.0]),
    ] {
        let line = format!("fit x.npy t.npy {grouping} --solver exact --json");
        let ran = lab.run(&format!("{line} --engine gpu --adapter llvmpipe")).succeeds().json();
        assert_eq!(ran["engine"]["kind"], "gpu");
        let cpu = lab.run(&format!("{line} --engine cpu")).succeeds().json();
        for field in ["weight", "bias", "n"] {
            near(&of_all(&ran, field), &of_all(&cpu, field));
        }
        if !weights.is_empty() {
            near(&of_all(&ran, "weight"), weights);
        }
        let line = format!("fit x.npy t.npy {grouping} --solver sgd --steps 9 --lr 0.01 --json");
        let ran = lab.run(&format!("{line} --engine gpu --adapter llvmpipe")).succeeds().json();
        let cpu = lab.run(&format!("{line} --engine cpu")).succeeds().json();
        near(&of_all(&ran, "weight"), &of_all(&cpu, "weight"));
    }
    let line = "fit x.npy t.npy --window 1x3 --solver exact --engine gpu --adapter llvmpipe";
    lab.run(line).ends_refused(&["neighbourhoods", "--engine cpu"]);
    lab.run("fit x.npy t.npy --axis 1 --solver exact --save map.npz --engine gpu --adapter llvmpipe")
        .succeeds();
    lab.run("predict map.npz x.npy -o y.npy --engine gpu").ends_refused(&["on the CPU", "--engine cpu"]);
    lab.run("predict map.npz x.npy -o y.npy").succeeds();
}

#[test]
fn descents_stop_each_for_itself() {
    let lab = Lab::without_adapters();
    // Of the second fit the gradients are 0 at the start.
    let x = [0.0, 1.0, 2.0, 3.0, -1.0, 1.0, -1.0, 1.0].map(Number::Float);
    let t = [0.0, 2.0, 4.0, 6.0, 0.0, 0.0, 0.0, 0.0].map(Number::Float);
    lab.npy("x.npy", ElementType::F64, &[2, 4], &x).npy("t.npy", ElementType::F64, &[2, 4], &t);
    for solver in ["sgd", "moments"] {
        let line =
            format!("fit x.npy t.npy --axis 1 --solver {solver} --steps 5 --lr 0.05 --tol 1e-3 --json");
        let json = lab.run(&line).succeeds().json();
        let stopped = json["stopped"].as_array().unwrap();
        assert_eq!(stopped.len(), 2, "{json}");
        assert_eq!(of_all(&json, "weight")[1], 0.0);
    }
    let line = "fit x.npy t.npy --axis 1 --steps 9000 --lr 50 --force --json";
    let ran = lab.run(line).exits(1);
    assert!(ran.stderr.contains("1 of 2 fits diverged"), "{ran:?}");
}

#[test]
fn labels_tiles_and_windows() {
    let lab = Lab::without_adapters();
    bands(&lab);
    let json = lab.run("fit x.npy t.npy --groups g.npy --solver exact --json").succeeds().json();
    near(&of_all(&json, "group"), &[-1.0, 3.0, 7.0]);
    near(&of_all(&json, "weight"), &[2.0, -1.0, 2.0]);
    let json = lab.run("fit x.npy t.npy --tile 2x2 --solver exact --json").succeeds().json();
    assert_eq!(json["fits"]["shape"], serde_json::json!([2, 1, 2]));
    near(&of_all(&json, "weight"), &[2.0, 2.0, -1.0, -1.0]);
    near(&of_all(&json, "n"), &[4.0, 2.0, 4.0, 2.0]);
    for engine in ["cpu", "reference"] {
        let line = format!("fit x.npy t.npy --window 1x3 --solver exact --engine {engine} --json");
        let json = lab.run(&line).succeeds().json();
        assert_eq!(json["fits"]["shape"], serde_json::json!([2, 2, 3]));
        near(&of_all(&json, "n"), &[2.0, 3.0, 2.0].repeat(4));
        near(&of_all(&json, "weight"), &[[2.0; 6], [-1.0; 6]].concat());
    }
}

/// Text of a table, also as labels.
#[test]
fn labels_are_text_too() {
    let lab = Lab::without_adapters();
    lab.write("a.csv", "site,x,t\nnorth,1,3\nsouth,1,0\nnorth,2,5\nsouth,3,2\n,9,9\n");
    let json = lab.run("fit a.csv:x a.csv:t --groups a.csv:site --solver exact --json").succeeds().json();
    assert_eq!(json["results"][0]["group"], "north");
    near(&of_all(&json, "weight"), &[2.0, 1.0]);
    near(&of_all(&json, "bias"), &[1.0, -1.0]);
    for model in ["m.csv", "m.json"] {
        lab.run(&format!("fit a.csv:x a.csv:t --groups a.csv:site --solver exact --save {model} -q"))
            .succeeds();
        // Other rows, in another order, with a label that the model does not know.
        lab.write("b.csv", "where,x\nsouth,10\nwest,1\nnorth,10\n");
        lab.run(&format!("predict {model} b.csv:x --groups b.csv:where -o y.npy --dtype f64 -q")).succeeds();
        let y = values(&lab.read_npy("y.npy"));
        assert!(y[1].is_nan());
        near(&[y[0], y[2]], &[9.0, 21.0]);
    }
    lab.run("predict m.json b.csv:x -o y.npy").ends_refused(&["--groups", "label"]);
    let text = lab.run("fit a.csv:x a.csv:t --groups a.csv:site --solver exact --save m.npz");
    text.ends_refused(&["text", ".parquet"]);
}

#[test]
fn a_model_of_bands_predicts_all_of_them() {
    let lab = Lab::without_adapters();
    bands(&lab);
    for model in ["m.npz", "m.safetensors", "m.csv", "m.json"] {
        lab.run(&format!("fit x.npy t.npy --axis 1,2 --solver exact --save {model} -q")).succeeds();
        lab.run(&format!("predict {model} x.npy -o y.npy --dtype f64 -q")).succeeds();
        near(&values(&lab.read_npy("y.npy")), &values(&lab.read_npy("t.npy")));
    }
    lab.run("fit x.npy t.npy --tile 1x2 --solver exact --save m.npz -q").succeeds();
    lab.run("predict m.npz x.npy -o y.npy --dtype f64 -q").succeeds();
    // The third column's tiles have one element each, and no line.
    let y = values(&lab.read_npy("y.npy"));
    assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 4);
    lab.run("fit x.npy t.npy --axis 1 --solver exact --save m.npz -q").succeeds();
    lab.npy("other.npy", ElementType::F32, &[2, 2, 2], &[1.0; 8].map(Number::Float));
    lab.run("predict m.npz other.npy -o y.npy").ends_refused(&["shape 2×3", "2×2"]);
}

/// Exposure times against frames, whose files are stacked in the order of their names.
#[test]
fn x_has_only_the_axes_that_fits_run_along() {
    let lab = Lab::without_adapters();
    lab.f64s("times.npy", &[1.0, 2.0, 4.0]);
    for (name, time) in [("f10.npy", 4.0), ("f01.npy", 1.0), ("f02.npy", 2.0)] {
        let frame: Vec<Number> = (0..4).map(|pixel| Number::Float(f64::from(pixel) * time + 10.0)).collect();
        lab.npy(name, ElementType::F32, &[2, 2], &frame);
    }
    let json = lab.run("fit times.npy f*.npy --axis 0 --solver exact --json").succeeds().json();
    assert_eq!(json["fits"]["shape"], serde_json::json!([2, 2]));
    near(&of_all(&json, "weight"), &[0.0, 1.0, 2.0, 3.0]);
    near(&of_all(&json, "bias"), &[10.0; 4]);
    let small = lab.run("fit times.npy f*.npy --axis 0 --solver exact --memory 1KB --json").succeeds().json();
    assert_eq!(json["results"], small["results"]);
    lab.npy("f11.npy", ElementType::F32, &[1, 2], &[Number::Float(1.0); 2]);
    lab.run("fit times.npy f*.npy --axis 0").ends_refused(&["f11.npy", "1×2", "2×2"]);
    lab.run("fit times.npy g*.npy --axis 0").ends_refused(&["g*.npy", "quote"]);
}

#[test]
fn columns_are_stacked() {
    let lab = Lab::without_adapters();
    lab.write("a.csv", "p,q,r,s\n1,2,3,1\n2,1,5,0\n3,3,7,2\n");
    for selected in ["a.csv:p,q a.csv:r,s", "a.csv:0-1 a.csv:2-3"] {
        let json = lab.run(&format!("fit {selected} --axis 1 --solver exact --json")).succeeds().json();
        near(&of_all(&json, "weight"), &[2.0, 1.0]);
        near(&of_all(&json, "bias"), &[1.0, -1.0]);
    }
    let json = lab.run("fit a.csv:* a.csv:* --axis 1 --solver exact --json").succeeds().json();
    near(&of_all(&json, "weight"), &[1.0; 4]);
}

#[test]
fn some_fits_without_a_line_are_counted_and_all_are_refused() {
    let lab = Lab::without_adapters();
    let x = [1.0, 2.0, 5.0, 5.0].map(Number::Float);
    lab.npy("x.npy", ElementType::F32, &[2, 2], &x).npy("t.npy", ElementType::F32, &[2, 2], &x);
    let ran = lab.run("fit x.npy t.npy --axis 1 --solver exact --json --save m.csv").exits(0);
    assert!(ran.stderr.contains("1 of 2 fits have no line"), "{ran:?}");
    let json = ran.json();
    assert_eq!(json["fits"]["degenerate"], 1);
    assert_eq!((&json["results"][1]["weight"], &json["results"][1]["n"]), (&Value::Null, &2.into()));
    assert_eq!(lab.read("m.csv").lines().nth(2), Some("1,,,2,,,,,"));
    lab.run("fit x.npy t.npy --tile 1x1 --solver exact").ends_refused(&["none of 4 fits has a line"]);
}

#[test]
fn bad_groups_are_refused() {
    let lab = Lab::without_adapters();
    bands(&lab);
    let f = [1.5, 2.0].map(Number::Float);
    lab.npy("f.npy", ElementType::F32, &[2], &f).npy(
        "h.npy",
        ElementType::U8,
        &[2],
        &[1, 2].map(Number::Int),
    );
    for (options, parts) in [
        ("--axis 0 --tile 2x2", &["--axis", "--tile"][..]),
        ("--axis 3", &["no axis 3", "0 to 2"]),
        ("--axis 1,-2", &["twice"]),
        ("--groups f.npy", &["fractions"]),
        ("--groups h.npy", &["shape 2", "2×2×3"]),
        ("--window 2x3", &["odd"]),
        ("--window 5x3", &["larger than the image"]),
        ("--tile 0x3", &["64x64"]),
        ("--axis 0 --history h.csv", &["--history"]),
        ("--axis 0 --save m.png", &[".npz"]),
        #[cfg(feature = "tiff")]
        ("--axis 1,2 --solver exact --save m.tif", &["rows and columns"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {options}")).ends_refused(parts);
    }
}

/// Two steps come nowhere near 2·X + 1; a thousand with the best rate do.
#[test]
fn descents_that_end_far_from_their_lines_say_so() {
    let lab = Lab::without_adapters();
    bands(&lab);
    for solver in ["sgd", "moments"] {
        let line = format!("fit x.npy t.npy --axis 1,2 --solver {solver}");
        let ran = lab.run(&format!("{line} --steps 2")).exits(0);
        assert!(ran.far.contains("2 of 2 descents ended far"), "{}", ran.far);
        let ran = lab.run(&format!("{line} --lr auto --steps 3000")).exits(0);
        assert_eq!(ran.far, "");
    }
}

/// Robust fits, Huber's loss and batches for each band, as of the band alone; what has no
/// meaning for groups is refused with what to do.
#[test]
fn robust_fits_and_batches_of_groups() {
    let lab = Lab::without_adapters();
    let value = |k: u32| f64::from(k * 37 % 101) / 10.0;
    let x: Vec<f64> = (0..80).map(value).collect();
    let t: Vec<f64> = (0..80u32)
        .map(|k| {
            let wild = if k % 11 == 3 { 90.0 } else { 0.0 };
            let slope = if k < 40 { 2.0 } else { -1.0 };
            slope * value(k) + 1.0 + f64::from(k % 5) / 10.0 + wild
        })
        .collect();
    let numbers = |values: &[f64]| values.iter().map(|&value| Number::Float(value)).collect::<Vec<_>>();
    lab.npy("x.npy", ElementType::F64, &[2, 40], &numbers(&x)).npy(
        "t.npy",
        ElementType::F64,
        &[2, 40],
        &numbers(&t),
    );
    for band in 0..2 {
        let part = |values: &[f64]| numbers(&values[40 * band..40 * band + 40]);
        lab.npy(&format!("x{band}.npy"), ElementType::F64, &[40], &part(&x));
        lab.npy(&format!("t{band}.npy"), ElementType::F64, &[40], &part(&t));
    }
    for options in [
        "--robust huber",
        "--robust tukey",
        "--robust clip",
        "--loss huber:0.3 --lr 0.01 --steps 60",
        "--batch 7 --epochs 3 --shuffle block --lr 0.01",
    ] {
        for engine in ["cpu", "reference"] {
            let line = format!("fit x.npy t.npy --axis 1 {options} --engine {engine} --json");
            let json = lab.run(&line).succeeds().json();
            for band in 0..2 {
                let line = format!("fit x{band}.npy t{band}.npy {options} --engine {engine} --json");
                let alone = lab.run(&line).succeeds().json();
                for name in ["weight", "bias", "loss"] {
                    assert_eq!(of_all(&json, name)[band], number(&alone, name), "{options}, {name}");
                }
            }
        }
    }
    for (options, words) in [
        ("--window 1x3 --robust tukey", &["--robust", "--window", "--tile"][..]),
        ("--window 1x3 --batch 4", &["--batch", "--window", "--tile"]),
        ("--axis 1 --checkpoint c.json --checkpoint-every 5", &["--checkpoint", "groups"]),
    ] {
        lab.run(&format!("fit x.npy t.npy {options}")).ends_refused(words);
    }
}

/// Every line for each band is that of the band alone, by every engine.
#[test]
fn every_line_of_groups() {
    let lab = Lab::without_adapters();
    bands(&lab);
    for band in 0..2 {
        let part = |name: &str| {
            let values = values(&lab.read_npy(name))[6 * band..6 * band + 6].to_vec();
            values.into_iter().map(Number::Float).collect::<Vec<_>>()
        };
        for name in ["x", "t"] {
            let numbers = part(&format!("{name}.npy"));
            lab.npy(&format!("{name}{band}.npy"), ElementType::F32, &[6], &numbers);
        }
    }
    for line in ["through-origin --b0 0.5", "offset --w0 1.5", "rma", "major-axis", "deming:4"] {
        for engine in ["cpu", "reference"] {
            let of = |pair: &str| {
                let line = format!("fit {pair} --line {line} --solver exact --engine {engine} --json");
                lab.run(&line).succeeds().json()
            };
            let all = of("x.npy t.npy --axis 1,2");
            for band in 0..2 {
                let alone = of(&format!("x{band}.npy t{band}.npy"));
                for name in ["weight", "bias", "loss"] {
                    near(&[of_all(&all, name)[band]], &[number(&alone, name)]);
                }
            }
        }
    }
}
