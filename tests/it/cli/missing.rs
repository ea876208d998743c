//! Missing values at the command line: `--nodata`, `--mask`, `--valid-range`, and
//! nodata in predictions.

#![cfg_attr(
    not(all(feature = "parquet", feature = "png", feature = "tiff")),
    allow(unused_imports, reason = "the tests of the formats that may be left out need more")
)]

use linfit::array::{ElementType, Order};
use linfit::io::{Source, open};

use crate::cli::{Lab, number, values};
use crate::common::Number;

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

#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
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
    lab.run("predict m.json nan.npy -o z.npy --nodata nan --dtype u8").ends_refused(&[
        "nodata value NaN",
        "u8",
        "--y-nodata",
    ]);
    lab.run("predict m.json x.npy -o z.npy --nodata -9 --dtype u8").ends_refused(&[
        "nodata value -9",
        "u8",
        "--y-nodata",
    ]);
    lab.run("predict m.json nan.npy -o z.npy").ends_refused(&["nan.npy", "1 of 3"]);

    // A nodata value of an image is one of its prediction.
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
    ran.ends_refused(&["y.tif", "nodata", "explain does not exclude"]);
}

/// X = 3 gives 0, the nodata value of X: 2·x − 6.
#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
#[test]
fn predictions_that_equal_the_nodata_value_are_counted() {
    let lab = Lab::new();
    lab.npy("x.npy", ElementType::F32, &[2, 3], &[1.0, 3.0, 0.0, 3.0, 0.0, 5.0].map(Number::Float))
        .write("m.json", r#"{"weight": 2, "bias": -6}"#);
    let taken = "note: 2 elements of Y equal the nodata value 0 and will be read as missing";
    let kinds = ["", "--adapter llvmpipe", "--dtype f64", "--dtype i16"];
    for kind in kinds {
        for file in ["y.tif", "y.npy"] {
            let ran = lab.run(&format!("predict m.json x.npy -o {file} --nodata 0 {kind}")).exits(0);
            assert!(
                ran.stderr.contains(taken) && ran.stderr.contains("--y-nodata"),
                "{kind}: {}",
                ran.stderr
            );
        }
        let ran = lab.run(&format!("predict m.json x.npy -o y.tif --nodata 0 --y-nodata -9 {kind}")).exits(0);
        assert!(!ran.stderr.contains("nodata"), "{kind}: {}", ran.stderr);
        let y = open(&Source { path: lab.path("y.tif"), key: None }).unwrap();
        let mut found = [f64::NAN; 6];
        y.read(Order::C, 0, &mut found);
        assert_eq!((found, y.metadata().nodata()), ([-4.0, 0.0, -9.0, 0.0, -9.0, 4.0], Some(-9.0)), "{kind}");
    }
    // −4 and 0 become 0 by --clamp, and are counted as what they became.
    let ran = lab.run("predict m.json x.npy -o y.tif --nodata 0 --dtype u8 --clamp").exits(0);
    assert!(ran.stderr.contains("3 elements of Y equal the nodata value 0"), "{}", ran.stderr);
    let ran = lab.run("predict m.json x.npy -o y.tif --nodata 0 --dtype u8 --clamp --y-nodata 4").exits(0);
    assert!(ran.stderr.contains("1 element of Y equals the nodata value 4"), "{}", ran.stderr);
    let ran = lab.run("predict m.json x.npy -o y.tif --nodata 0 --dtype u8 --clamp --y-nodata 255").exits(0);
    assert!(!ran.stderr.contains("nodata"), "{}", ran.stderr);
    lab.run("predict m.json x.npy -o y.npy --nodata 0 -q").succeeds();

    lab.run("predict m.json x.npy -o y.npy --nodata 0 --y-nodata nan").succeeds();
    let y = values(&lab.read_npy("y.npy"));
    assert!(y[2].is_nan() && y[4].is_nan() && y[1] == 0.0, "{y:?}");
    for (options, words) in [
        ("--dtype u8 --clamp --y-nodata 256", ["--y-nodata 256", "u8"]),
        ("--dtype u8 --clamp --y-nodata 0.5", ["--y-nodata 0.5", "u8"]),
        ("--dtype i16 --y-nodata nan", ["--y-nodata NaN", "i16"]),
        ("--y-nodata 1e300", ["--y-nodata 1e300: ", "f32"]),
        ("--y-nodata abc", ["--y-nodata", "number or nan"]),
    ] {
        lab.run(&format!("predict m.json x.npy -o z.npy {options}")).ends_refused(&words);
    }
    lab.run("fit x.npy x.npy --nodata abc").ends_refused(&["--nodata", "expected a number or nan"]);
    lab.run("fit x.npy x.npy --nodata 9007199254740993").ends_refused(&["--nodata", "digits", "--mask"]);
    assert!(!lab.files().contains(&"z.npy".to_owned()));
}

/// Empty fields in a column of text.
#[test]
fn empty_fields_are_missing() {
    let lab = Lab::new();
    lab.write("d.csv", "x,t,ok\n1,3,True\n,5,True\n3,NA,True\n4,9,True\n5,0,False\n")
        .write("m.json", r#"{"weight": 2, "bias": 1}"#);
    let report = lab.run("fit d.csv:x d.csv:t --mask d.csv:ok --solver exact --json").succeeds().json();
    assert_eq!((number(&report, "weight"), number(&report, "bias"), &report["n"]), (2.0, 1.0, &2.into()));
    let excluded = &report["excluded"];
    let counts = ["mask", "x_nodata", "t_nodata"].map(|reason| excluded[reason].as_u64());
    assert_eq!(counts, [Some(1); 3]);
    lab.run("predict m.json d.csv:x -o y.csv").succeeds();
    assert_eq!(lab.read("y.csv"), "y\n3.0\n\"\"\n7.0\n9.0\n11.0\n");
    lab.run("predict m.json y.csv -o z.csv --dtype u8").succeeds();
    assert_eq!(lab.read("z.csv"), "y\n7\n\"\"\n15\n19\n23\n");
}

/// An image that make.py wrote with GDAL, with a mask of its own.
#[cfg(feature = "tiff")]
#[test]
fn predictions_have_nodata_under_the_mask_of_an_image() {
    let lab = Lab::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/data/mask-tiles.tif");
    lab.write("x.tif", std::fs::read(file).unwrap()).write("m.json", r#"{"weight": 0, "bias": 1}"#);
    let is_masked = |k: usize| (k / 53) * (k % 53) % 7 == 2;
    for (options, nodata) in [("", f64::NAN), ("--y-nodata -9", -9.0), ("--dtype u8 --y-nodata 0", 0.0)] {
        lab.run(&format!("predict m.json x.tif:2 -o y.tif -q {options}")).succeeds();
        let y = open(&Source { path: lab.path("y.tif"), key: None }).unwrap();
        let mut found = vec![7.0; y.len()];
        y.read(Order::C, 0, &mut found);
        assert_eq!(y.metadata().nodata().map(f64::to_bits), Some(nodata.to_bits()), "{options}");
        for (k, found) in found.into_iter().enumerate() {
            let want = if is_masked(k) { nodata } else { 1.0 };
            assert!(found == want || (found.is_nan() && want.is_nan()), "{options}: {found} at {k}");
        }
    }
    let ran = lab.run("predict m.json x.tif:2 -o z.tif --dtype u8");
    ran.ends_refused(&["x.tif:2", "no value", "--y-nodata VALUE"]);
    let report = lab.run("fit x.tif:1 x.tif:2 --solver exact --json -q").succeeds().json();
    assert_eq!(number(&report, "weight"), 1.0);
    assert_eq!(report["excluded"]["x_nodata"], (0..37 * 53).filter(|&k| is_masked(k)).count());
}

/// mask-tiles.tif lies where geo.tif does, and no other image lies anywhere.
#[cfg(feature = "tiff")]
#[test]
fn images_of_other_places_are_noted() {
    let lab = Lab::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/data/");
    let geo = std::fs::read(format!("{data}geo.tif")).unwrap();
    for file in ["geo.tif", "mask-tiles.tif", "tiles-i2-deflate.tif"] {
        lab.write(file, std::fs::read(format!("{data}{file}")).unwrap());
    }
    // 600000 m east in zone 32, and somewhere else.
    let place =
        |bytes: &[u8], number: &[u8]| bytes.windows(number.len()).position(|found| found == number).unwrap();
    let mut east = geo.clone();
    let at = place(&geo, &600_000f64.to_le_bytes());
    east[at..at + 8].copy_from_slice(&600_010f64.to_le_bytes());
    let mut zone = geo.clone();
    let at = place(&geo, &32_632u16.to_le_bytes());
    zone[at..at + 2].copy_from_slice(&32_633u16.to_le_bytes());
    lab.write("east.tif", east).write("zone.tif", zone);
    let noted = |x: &str, t: &str| {
        let ran = lab.run(&format!("fit {x} {t} --solver exact")).exits(0);
        ran.stderr.lines().find(|line| line.contains("Earth")).map(str::to_owned)
    };
    for same in ["geo.tif", "mask-tiles.tif:1", "tiles-i2-deflate.tif"] {
        assert_eq!(noted("geo.tif", same), None, "{same}");
    }
    for (other, what) in [("east.tif", "places or sizes of pixels"), ("zone.tif", "coordinate systems")] {
        let note = noted("geo.tif", other).unwrap();
        assert!(note.starts_with("note: geo.tif") && note.contains(what) && note.contains(other), "{note}");
    }
    let ran = lab.run("compare geo.tif zone.tif").exits(0);
    assert!(ran.stderr.contains("coordinate systems"), "{}", ran.stderr);
}

/// The nodata value of a is -9999; that of c is no number.
#[test]
fn files_name_their_missing_values() {
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

/// A mask that is not used can be given to a fit, but not to a prediction.
#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
#[test]
fn a_mask_that_is_not_used_can_be_given_to_a_fit() {
    let lab = Lab::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/data/msk-mute.tif");
    let fit = lab.run(&format!("fit {file} {file} --solver exact --engine cpu --save m.json")).exits(0);
    assert!(fit.stderr.contains("INTERNAL_MASK_FLAGS); give --mask to use it\n"), "{}", fit.stderr);
    let predict = lab.run(&format!("predict m.json {file} -o y.npy --engine cpu")).exits(0);
    assert!(predict.stderr.contains("INTERNAL_MASK_FLAGS)\n"), "{}", predict.stderr);
    assert!(!predict.stderr.contains("--mask"), "{}", predict.stderr);
}

/// A file that another tool wrote (tests/foreign/make.py), whose column x has
/// nulls at the places k where k % 32 is 0 or 31.
#[cfg(feature = "parquet")]
mod nulls {
    use linfit::array::{Array, ElementType, Order};
    use linfit::io::{Opened, Source, open};

    use crate::cli::{Lab, number, values};

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

    fn column(lab: &Lab, file: &str) -> Opened {
        open(&Source { path: lab.path(file), key: None }).unwrap()
    }

    fn numbers(matrix: &Array) -> Vec<f64> {
        let mut numbers = vec![f64::NAN; matrix.len()];
        matrix.read(Order::C, 0, &mut numbers);
        numbers
    }

    /// 2·X + 1 where X is there, and that in its place where it isn't.
    fn predicted(missing: f64) -> Vec<f64> {
        (0..N).map(|k| if is_null(k) { missing } else { 2.0 * (7.0 * k as f64 - 50.0) + 1.0 }).collect()
    }

    #[test]
    fn every_engine_excludes_them() {
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
            for file in ["y.parquet", "y.arrow", "y.feather", "y.csv", "y.tsv"] {
                for nodata in ["", "--nodata -99999"] {
                    lab.run(&format!("predict m.json nulls.parquet:x -o {file} --dtype {dtype} {nodata}"))
                        .succeeds();
                    let y = column(&lab, file);
                    assert!((0..N).all(|k| y.metadata().is_null(k) == is_null(k)), "{file} {dtype} {nodata}");
                    let element = if file.ends_with("sv") { ElementType::F64 } else { element };
                    assert_eq!((numbers(&y), y.element()), (predicted(0.0), element), "{file} {nodata}");
                }
            }
        }
        // −43 is X at place 1.
        lab.run("predict m.json nulls.arrow:x -o y.parquet --nodata -43 -q").succeeds();
        let y = column(&lab, "y.parquet");
        let mut want = predicted(0.0);
        want[1] = -43.0;
        assert!(numbers(&y) == want && y.metadata().is_null(0) && !y.metadata().is_null(1));
        lab.run("predict m.json nulls.parquet:t -o y.feather --adapter llvmpipe").succeeds();
        assert!(column(&lab, "y.feather").metadata().is_null(77));
    }

    #[test]
    fn other_predictions_have_nodata_or_nan() {
        let lab = lab();
        let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        for dtype in ["f32", "f64"] {
            lab.run(&format!("predict m.json nulls.parquet:x -o y.npy --dtype {dtype}")).succeeds();
            assert_eq!(bits(&values(&lab.read_npy("y.npy"))), bits(&predicted(f64::NAN)));
        }
        for dtype in ["f32", "i32"] {
            lab.run(&format!("predict m.json nulls.parquet:x -o y.npy --dtype {dtype} --nodata -7e4"))
                .succeeds();
            assert_eq!(values(&lab.read_npy("y.npy")), predicted(-7e4));
        }
        let ran = lab.run("predict m.json nulls.parquet:x -o z.npy --dtype i32");
        ran.ends_refused(&["nulls.parquet:x", "nulls", "--y-nodata VALUE", ".parquet"]);
        lab.run("predict m.json nulls.parquet:x -o y.npy --dtype i32 --y-nodata -7e4").succeeds();
        assert_eq!(values(&lab.read_npy("y.npy")), predicted(-7e4));
        let ran = lab.run("predict m.json nulls.parquet:x -o z.npy --dtype i16 --nodata -7e4");
        ran.ends_refused(&["nodata value -70000", "i16"]);
        assert!(!lab.files().contains(&"z.npy".to_owned()));
        lab.run("predict m.json nulls.parquet:none -o z.npy").succeeds();
        assert!(values(&lab.read_npy("z.npy")).iter().all(|y| y.is_nan()));
    }
}

/// A value given replaces the file's own, which is told, because that counts
/// then.
#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
#[test]
fn a_nodata_value_that_replaces_the_files_own_is_told() {
    let lab = Lab::new();
    lab.f32s("x.npy", &[1.0, -9.0, 0.0]).f32s("t.npy", &[1.0, 2.0, 3.0]);
    lab.write("one.json", r#"{"weight": 1, "bias": 0}"#);
    lab.npy("row.npy", ElementType::F32, &[1, 3], &[1.0, -9.0, 0.0].map(Number::Float));
    lab.run("predict one.json row.npy -o x.tif --nodata -9").succeeds();
    lab.npy("t2.npy", ElementType::F32, &[1, 3], &[1.0, 2.0, 3.0].map(Number::Float));
    let ran = lab.run("fit x.tif t2.npy --nodata 0 --steps 0 --json").exits(0);
    assert!(
        ran.stderr.starts_with("note: x.tif: its own nodata value -9.0 is replaced by 0.0, as asked for"),
        "{}",
        ran.stderr
    );
    assert_eq!((&ran.json()["n"], ran.notes().len()), (&2.into(), 1));
    lab.run("fit x.tif t2.npy --nodata -9 --steps 0").succeeds();
    let ran = lab.run("predict one.json x.tif -o y.npy --nodata 0").exits(0);
    assert!(ran.stderr.contains("its own nodata value -9.0 is replaced"), "{}", ran.stderr);
}
