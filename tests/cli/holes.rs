//! Holes at the command line: `--nodata`, `--mask`, `--valid-range`, and
//! nodata in predictions.

use linfit::data::ElementType;

use crate::common::Number;
use crate::{Lab, number, values};

/// T = 2·X + 1 at six places of eight.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.f32s("x.npy", &[1.0, -9.0, 3.0, 4.0, 0.0, 6.0, 7.0, 8.0]);
    lab.f32s("t.npy", &[3.0, 0.0, 7.0, -9.0, 1.0, 13.0, 15.0, 17.0]);
    lab
}

#[test]
fn only_what_counts_is_fitted() {
    let lab = lab();
    for engine in ["--engine cpu", "--engine reference", "--adapter llvmpipe"] {
        for solver in [
            "--solver exact",
            "--solver moments --lr auto --steps 100000 --tol 1e-4",
            "--lr auto --steps 5000 --tol 1e-4",
        ] {
            let report = lab
                .run(&format!("fit x.npy t.npy --nodata -9 --json -q {engine} {solver}"))
                .succeeds()
                .json();
            assert_eq!(report["n"], 6, "{report}");
            assert!(
                (number(&report, "weight") - 2.0).abs() < 1e-4
                    && (number(&report, "bias") - 1.0).abs() < 5e-4,
                "{report}"
            );
            let excluded = &report["excluded"];
            assert_eq!(
                (&excluded["x_nodata"], &excluded["t_nodata"], &excluded["mask"]),
                (&1.into(), &1.into(), &0.into())
            );
        }
    }
    let report = lab.run("fit x.npy t.npy --json --steps 0").succeeds().json();
    assert!(report["excluded"].is_null() && report["n"] == 8, "{report}");
    let shown = lab.run("fit x.npy t.npy --x-nodata -9 --t-nodata -9 --solver exact").succeeds().stdout;
    assert!(shown.contains("elements   6\n") && shown.contains("1 nodata in X, 1 nodata in T\n"), "{shown}");
    let report = lab.run("compare x.npy t.npy --nodata -9 --json").succeeds().json();
    assert_eq!(report["n"], 6);
}

#[test]
fn a_mask_and_a_range_leave_out_too() {
    let lab = lab();
    let mask = [1, 0, 7, 0, 1, 1, 1, 1].map(Number::Int);
    lab.npy("mask.npy", ElementType::U8, &[8], &mask);
    let report = lab.run("fit x.npy t.npy --mask mask.npy --solver exact --json").succeeds().json();
    assert_eq!((number(&report, "weight"), number(&report, "bias")), (2.0, 1.0));
    assert_eq!(report["excluded"]["mask"], 2);
    let report = lab.run("fit x.npy t.npy --valid-range 0,16 --solver exact --json").succeeds().json();
    // −9 on either side, and 17.
    assert_eq!((&report["n"], &report["excluded"]["range"]), (&5.into(), &3.into()));
    assert_eq!((number(&report, "weight"), number(&report, "bias")), (2.0, 1.0));

    lab.npy("long.npy", ElementType::U8, &[4, 2], &mask);
    lab.run("fit x.npy t.npy --mask long.npy").ends_refused(&["long.npy", "4×2", "shape"]);
    lab.run("fit x.npy t.npy --mask none.npy").ends_refused(&["none.npy"]);
    lab.run("fit x.npy t.npy --mask mask.npy --save mask.npy").ends_refused(&["--save", "--mask"]);
    for range in ["5", "5,1", "1,2,3", "a,b", "nan,1"] {
        lab.run(&format!("fit x.npy t.npy --valid-range {range}"))
            .ends_refused(&["--valid-range", "0,65534"]);
    }
    lab.run("fit x.npy t.npy --valid-range 100,200").ends_refused(&["no pair", "8 outside the valid range"]);
}

#[test]
fn a_nan_is_nothing_only_if_it_is_said_to_be() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[1.0, f32::NAN, 3.0]).f32s("t.npy", &[3.0, 1.0, 7.0]);
    lab.run("fit x.npy t.npy").ends_refused(&["x.npy", "1 of 3", "index 1"]);
    lab.run("fit x.npy t.npy --nodata -9").ends_refused(&["x.npy", "1 of 3"]);
    let report = lab.run("fit x.npy t.npy --nodata nan --solver exact --json").succeeds().json();
    assert_eq!((number(&report, "weight"), number(&report, "bias"), &report["n"]), (2.0, 1.0, &2.into()));
}

#[test]
fn predictions_have_nodata_where_x_has() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[1.0, -9.0, 3.0])
        .f32s("nan.npy", &[1.0, f32::NAN, 3.0])
        .write("m.json", r#"{"weight": 2, "bias": 1}"#);
    for engine in ["", "--adapter llvmpipe", "--dtype f64", "--dtype i16"] {
        lab.run(&format!("predict m.json x.npy -o y.npy --nodata -9 {engine}")).succeeds();
        assert_eq!(values(&lab.read_npy("y.npy")), [3.0, -9.0, 7.0], "{engine}");
    }
    for engine in ["", "--adapter llvmpipe", "--dtype f64"] {
        lab.run(&format!("predict m.json nan.npy -o y.npy --nodata nan {engine}")).succeeds();
        let y = values(&lab.read_npy("y.npy"));
        assert!(y[1].is_nan() && (y[0], y[2]) == (3.0, 7.0), "{engine}: {y:?}");
    }
    lab.run("predict m.json nan.npy -o z.npy --nodata nan --dtype u8")
        .ends_refused(&["nodata value NaN", "u8"]);
    lab.run("predict m.json x.npy -o z.npy --nodata -9 --dtype u8").ends_refused(&["nodata value -9", "u8"]);
    lab.run("predict m.json nan.npy -o z.npy").ends_refused(&["nan.npy", "1 of 3"]);

    // An image that says what stands for nothing says so of its prediction.
    lab.npy("image.npy", ElementType::F32, &[1, 3], &[1.0, -9.0, 3.0].map(Number::Float));
    lab.run("predict m.json image.npy -o y.tif --nodata -9").succeeds();
    lab.run("predict m.json y.tif -o z.npy").succeeds();
    assert_eq!(values(&lab.read_npy("z.npy")), [7.0, -9.0, 15.0]);
    lab.run("predict m.json image.npy -o y.png --dtype u8 --nodata -9").ends_refused(&["value -9", "no u8"]);
    lab.npy("image.npy", ElementType::F32, &[1, 3], &[1.0, 255.0, 3.0].map(Number::Float));
    lab.run("predict m.json image.npy -o y.png --dtype u8 --nodata 255").succeeds();
    lab.run("predict m.json y.png -o z.npy").succeeds();
    assert_eq!(values(&lab.read_npy("z.npy")), [7.0, 511.0, 15.0]);
    let ran = lab.run("explain y.tif y.tif");
    ran.ends_refused(&["y.tif", "nodata", "explain does not leave out"]);
}

/// -9999 stands for nothing in a, and something that is no number in c.
#[test]
fn files_say_what_stands_for_nothing() {
    let lab = Lab::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/data/attributes.safetensors");
    lab.write("x.safetensors", std::fs::read(file).unwrap()).write("m.json", r#"{"weight": 0, "bias": 1}"#);
    let unclear = ["x.safetensors:c", "_FillValue is \"none\"", "--nodata VALUE"];
    lab.run("predict m.json x.safetensors:c -o y.npy").ends_refused(&unclear);
    lab.run("fit x.safetensors:a x.safetensors:c").ends_refused(&unclear);
    lab.run("fit x.safetensors:a x.safetensors:c --t-nodata -9 --solver exact").succeeds();
    lab.run("predict m.json x.safetensors:c -o y.npy --nodata -43").succeeds();
    assert_eq!(values(&lab.read_npy("y.npy"))[..3], [1.0, -43.0, 1.0]);
}

/// A file that another tool wrote (tests/foreign/make.py), whose column x has
/// nulls at the places k where k % 32 is 0 or 31.
#[cfg(feature = "parquet")]
mod nulls {
    use linfit::data::{ElementType, Matrix, Order, Source, open};

    use crate::{Lab, number, values};

    const N: usize = 300;

    fn is_null(k: usize) -> bool {
        matches!(k % 32, 0 | 31)
    }

    fn lab() -> Lab {
        let lab = Lab::new();
        for file in ["nulls.parquet", "nulls.arrow"] {
            let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/data/");
            lab.write(file, std::fs::read(format!("{data}{file}")).unwrap());
        }
        lab.write("m.json", r#"{"weight": 2, "bias": 1}"#);
        lab
    }

    fn column(lab: &Lab, file: &str) -> Matrix {
        open(&Source { path: lab.path(file), key: None }).unwrap()
    }

    fn numbers(matrix: &Matrix) -> Vec<f64> {
        let mut numbers = vec![f64::NAN; matrix.len()];
        matrix.read(Order::C, 0, &mut numbers);
        numbers
    }

    /// 2·X + 1 where X is there, and that in its place where it isn't.
    fn predicted(hole: f64) -> Vec<f64> {
        (0..N).map(|k| if is_null(k) { hole } else { 2.0 * (7.0 * k as f64 - 50.0) + 1.0 }).collect()
    }

    #[test]
    fn they_are_left_out_by_every_engine() {
        let lab = lab();
        for engine in ["--engine cpu", "--engine reference", "--adapter llvmpipe"] {
            let line = format!("fit nulls.parquet:x nulls.arrow:t --solver exact --json -q {engine}");
            let report = lab.run(&line).succeeds().json();
            assert!((number(&report, "weight") - 2.0).abs() < 1e-5, "{report}");
            assert!((number(&report, "bias") - 1.0).abs() < 1e-2, "{report}");
            let x_nulls = (0..N).filter(|&k| is_null(k)).count();
            assert_eq!(report["excluded"]["x_nodata"], x_nulls);
        }
        let ran = lab.run("explain nulls.parquet:x nulls.parquet:t");
        ran.ends_refused(&["300 elements"]);
    }

    #[test]
    fn tables_of_predictions_have_them_again() {
        let lab = lab();
        for (dtype, element) in
            [("f32", ElementType::F32), ("f64", ElementType::F64), ("i16", ElementType::I16)]
        {
            for file in ["y.parquet", "y.arrow", "y.feather"] {
                for nodata in ["", "--nodata -99999"] {
                    lab.run(&format!("predict m.json nulls.parquet:x -o {file} --dtype {dtype} {nodata}"))
                        .succeeds();
                    let y = column(&lab, file);
                    assert!((0..N).all(|k| y.is_null(k) == is_null(k)), "{file} {dtype} {nodata}");
                    assert_eq!((numbers(&y), y.element()), (predicted(0.0), element), "{file} {nodata}");
                }
            }
        }
        // −43 is X at place 1.
        lab.run("predict m.json nulls.arrow:x -o y.parquet --nodata -43").succeeds();
        let y = column(&lab, "y.parquet");
        let mut want = predicted(0.0);
        want[1] = -43.0;
        assert!(numbers(&y) == want && y.is_null(0) && !y.is_null(1));
        lab.run("predict m.json nulls.parquet:t -o y.feather --adapter llvmpipe").succeeds();
        assert!(column(&lab, "y.feather").is_null(77));
    }

    #[test]
    fn other_predictions_have_nodata_or_nan() {
        let lab = lab();
        let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        for dtype in ["f32", "f64"] {
            lab.run(&format!("predict m.json nulls.parquet:x -o y.npy --dtype {dtype}")).succeeds();
            assert_eq!(bits(&values(&lab.read_npy("y.npy"))), bits(&predicted(f64::NAN)));
            lab.run(&format!("predict m.json nulls.parquet:x -o y.csv --dtype {dtype}")).succeeds();
            assert_eq!(bits(&numbers(&column(&lab, "y.csv"))), bits(&predicted(f64::NAN)));
        }
        for dtype in ["f32", "i32"] {
            lab.run(&format!("predict m.json nulls.parquet:x -o y.npy --dtype {dtype} --nodata -7e4"))
                .succeeds();
            assert_eq!(values(&lab.read_npy("y.npy")), predicted(-7e4));
        }
        let ran = lab.run("predict m.json nulls.parquet:x -o z.npy --dtype i32");
        ran.ends_refused(&["nulls.parquet:x", "nulls", "--nodata VALUE", ".parquet"]);
        let ran = lab.run("predict m.json nulls.parquet:x -o z.npy --dtype i16 --nodata -7e4");
        ran.ends_refused(&["nodata value -70000", "i16"]);
        lab.run("predict m.json nulls.parquet:none -o z.npy").ends_refused(&["no pair", "null"]);
        assert!(!lab.files().contains(&"z.npy".to_owned()));
    }
}
