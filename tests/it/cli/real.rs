//! Real data of other people's making: a satellite image and a table, as the
//! README fits them.

use crate::cli::{Lab, number};

/// A file of examples/data, by its path.
fn example(name: &str) -> String {
    format!("{}/examples/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Every engine, in memory and streamed from what was decoded.
const WAYS: [&str; 5] = [
    "--engine reference",
    "--engine cpu",
    "--engine cpu --memory 4KiB",
    "--adapter llvmpipe",
    "--adapter llvmpipe --memory 4KiB --precision f64",
];

/// Green on blue, without the 19 saturated pixels, by exact rational
/// arithmetic (Python's fractions).
#[cfg(feature = "tiff")]
#[test]
fn two_bands_of_a_satellite_image() {
    const LINE: [f64; 2] = [1.089_585_618_227_772, -18.662_200_100_214_495];
    let (lab, image) = (Lab::new(), example("L7_ETMs.tif"));
    for way in WAYS {
        let exact = format!("fit {image}:1 {image}:2 --valid-range 0,254 --solver exact --json -q {way}");
        let report = lab.run(&exact).succeeds().json();
        assert_eq!((&report["n"], &report["excluded"]["range"]), (&122_829.into(), &19.into()));
        let tolerance = if way.ends_with("llvmpipe") { 1e-8 } else { 1e-14 };
        for (field, want) in ["weight", "bias"].into_iter().zip(LINE) {
            assert!((number(&report, field) / want - 1.0).abs() < tolerance, "{way}: {field} in {report}");
        }
    }
    let descent = format!("fit {image}:1 {image}:2 --valid-range 0,254 --standardize --lr auto --tol 1e-9");
    let report = lab.run(&format!("{descent} --save m.json --json")).succeeds().json();
    assert_eq!((&report["steps"], &report["stop_reason"]), (&1.into(), &"tolerance".into()));
    // Predictions are where the image is, and whole.
    let ran = lab.run(&format!("predict m.json {image}:1 -o green.tif --dtype u8 --clamp")).exits(0);
    // As numpy counts (x·W + b).round() > 255.
    assert!(ran.stderr.contains("23 of 122,848 elements of Y saturated"), "{}", ran.stderr);
    let report = lab.run(&format!("fit green.tif {image}:2 --solver exact --json -q")).succeeds().json();
    assert!((number(&report, "weight") - 1.0).abs() < 0.01, "{report}");
    assert!((number(&report["statistics"], "r2") - 0.951).abs() < 0.002, "{report}");
}

/// Body mass on the length of a flipper, two rows without either, by exact
/// rational arithmetic; published as 49.69 g/mm and −5780.83 g (R's `lm` on
/// palmerpenguins).
#[cfg(feature = "parquet")]
#[test]
fn two_columns_of_a_table_with_nulls() {
    const LINE: [f64; 2] = [49.685_566_406_100_09, -5_780.831_358_077_062];
    let (lab, table) = (Lab::new(), example("penguins.parquet"));
    for way in WAYS {
        let line = format!(
            "fit {table}:flipper_length_mm {table}:body_mass_g --solver exact --save m.json --json -q {way}"
        );
        let report = lab.run(&line).succeeds().json();
        assert_eq!((&report["n"], &report["excluded"]["x_nodata"]), (&342.into(), &2.into()));
        let tolerance = if way.ends_with("llvmpipe") { 1e-7 } else { 1e-13 };
        for (field, want) in ["weight", "bias"].into_iter().zip(LINE) {
            assert!((number(&report, field) / want - 1.0).abs() < tolerance, "{way}: {field} in {report}");
        }
    }
    // Nulls stay nulls: the prediction has as many rows and as many nulls.
    lab.run(&format!("predict m.json {table}:flipper_length_mm -o y.parquet")).succeeds();
    let line = format!("fit y.parquet {table}:body_mass_g --solver exact --json -q");
    let report = lab.run(&line).succeeds().json();
    assert_eq!((&report["n"], &report["excluded"]["x_nodata"]), (&342.into(), &2.into()));
    assert!((number(&report, "weight") - 1.0).abs() < 1e-5, "{report}");
}
