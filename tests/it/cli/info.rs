//! What `linfit info` tells of files, and FITS files that are written.

use std::path::Path;

use linfit::array::ElementType;
use linfit::io::{Source, open};
use serde_json::json;

use crate::cli::Lab;

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/data").join(name).display().to_string()
}

#[test]
fn every_format_is_listed() {
    let lab = Lab::new();
    for (name, count, first) in [
        ("one.npz", 1, json!({"read": "decoded", "compression": "Deflated", "shape": [300]})),
        ("stored.npz", 0, json!({"read": "mapped", "compression": null})),
        ("deflated.npz", 0, json!({"read": "decoded"})),
        ("all.safetensors", 0, json!({"read": "mapped"})),
        ("science/plain.fits", 7, json!({"key": "0", "shape": [13, 17], "type": "f32", "read": "mapped"})),
        (
            "science/rice.fits",
            6,
            json!({"key": "1", "name": "I2", "compression": "RICE_1", "read": "decoded"}),
        ),
        ("science/table.fits", 10, json!({"key": "1.x", "shape": [40], "type": "f64"})),
        (
            "science/envi-u2-bil.hdr",
            3,
            json!({"key": "1", "name": "red", "shape": [13, 17], "type": "u16", "missing": "11", "read": "mapped"}),
        ),
        ("science/model.safetensors.index.json", 3, json!({"type": "f32", "read": "mapped"})),
        ("science/savetxt-header.txt", 2, json!({"key": "0", "name": "x", "type": "number", "shape": null})),
        ("science/german-utf16.csv", 3, json!({"name": "größe", "type": "text", "compression": "UTF-16"})),
        ("science/plain.csv.gz", 2, json!({"name": "x", "compression": "gzip"})),
        #[cfg(feature = "tiff")]
        ("geo.tif", 1, json!({"key": "1", "compression": "Deflate", "missing": "-9999", "read": "decoded"})),
        #[cfg(feature = "tiff")]
        (
            "tiles-u1-deflate.tif",
            1,
            json!({"shape": [37, 53], "type": "u8", "compression": "Deflate", "read": "decoded"}),
        ),
        #[cfg(feature = "tiff")]
        ("jpeg.tif", 0, json!({"read": "not"})),
        #[cfg(feature = "png")]
        ("rgb16.png", 3, json!({"key": "1", "shape": [37, 53], "type": "u16"})),
        #[cfg(feature = "parquet")]
        ("zstd.parquet", 0, json!({"shape": [300], "read": "decoded"})),
        #[cfg(feature = "parquet")]
        ("kinds.feather", 0, json!({"read": "decoded"})),
    ] {
        let report = lab.run(&format!("info {} --json", data(name))).succeeds().json();
        let arrays = report["arrays"].as_array().unwrap();
        assert!(!arrays.is_empty() && (count == 0 || arrays.len() == count), "{name}: {report}");
        for (field, value) in first.as_object().unwrap() {
            assert_eq!(&arrays[0][field], value, "{name} {field}: {report}");
        }
        let text = lab.run(&format!("info {}", data(name))).succeeds().stdout;
        assert!(text.lines().count() > arrays.len(), "{name}: {text}");
    }
}

/// Every array that is listed as one that is read opens by its key, with the shape and
/// the type that the list has.
#[test]
fn the_list_is_what_is_opened() {
    let lab = Lab::new();
    for name in [
        "science/plain.fits",
        "science/unsigned.fits",
        "science/table.fits",
        "science/gzip.fits",
        "all.safetensors",
    ] {
        let report = lab.run(&format!("info {} --json", data(name))).succeeds().json();
        for array in report["arrays"].as_array().unwrap() {
            let key = array["key"].as_str().unwrap();
            let opened = open(&Source { path: data(name).into(), key: Some(key.to_owned()) });
            if array["read"] == "not" || array["compression"] == "PLIO_1" {
                assert!(opened.is_err(), "{name}:{key}");
                continue;
            }
            let opened = opened.unwrap_or_else(|error| panic!("{name}:{key}: {error}"));
            assert_eq!(array["shape"], json!(opened.shape().0), "{name}:{key}");
            assert_eq!(array["type"], json!(opened.element().name()), "{name}:{key}");
        }
    }
    lab.run(&format!("info {}:NONE", data("science/plain.fits"))).ends_refused(&["no such array"]);
    lab.run("info none.npy").ends_refused(&["none.npy"]);
}

/// Predictions as FITS have X's shape and are read back to the same numbers, in every
/// type that FITS has.
#[test]
fn predictions_are_written_as_fits() {
    let lab = Lab::new();
    lab.write("model.json", "{\"weight\": 2, \"bias\": 1}");
    let x = data("science/plain.fits:U1");
    for (dtype, element) in [
        ("f32", ElementType::F32),
        ("f64", ElementType::F64),
        ("u8", ElementType::U8),
        ("i16", ElementType::I16),
        ("u16", ElementType::U16),
        ("i32", ElementType::I32),
        ("u32", ElementType::U32),
        ("i8", ElementType::I8),
    ] {
        let clamp = if element.is_float() { "" } else { " --clamp" };
        lab.run(&format!("predict model.json {x} -o y.fits --dtype {dtype}{clamp}")).exits(0);
        let y = open(&Source { path: lab.path("y.fits"), key: None }).unwrap();
        assert_eq!((y.element(), &y.shape().0[..]), (element, &[13, 17][..]), "{dtype}");
        let mut found = vec![0f64; y.len()];
        y.read(linfit::array::Order::C, 0, &mut found);
        let want =
            (0..13).flat_map(|row| (0..17).map(move |column| f64::from(2 * (5 * row + 3 * column) + 1)));
        let most = match dtype {
            "u8" => 255.0,
            "i8" => 127.0,
            _ => f64::MAX,
        };
        assert_eq!(found, want.map(|y: f64| y.min(most)).collect::<Vec<_>>(), "{dtype}");
        assert_eq!(std::fs::metadata(lab.path("y.fits")).unwrap().len() % 2880, 0, "{dtype}");
    }
}

/// Decimal commas, and what separates fields, by options.
#[test]
fn text_as_it_is_written_elsewhere() {
    let lab = Lab::new();
    lab.write("german.csv", "x;t\n0,5;2\n1,5;4\n2,5;6\n");
    let fit = |line: &str| {
        lab.run(&format!("fit {line} --solver exact --json")).succeeds().json()["weight"].clone()
    };
    assert_eq!(fit("german.csv:x german.csv:t --decimal ,"), 2.0);
    lab.run("fit german.csv:x german.csv:t").ends_refused(&["german.csv:2", "\"0,5\"", "--decimal ,"]);
    lab.run("fit german.csv:x german.csv:t --decimal , --delimiter ,")
        .ends_refused(&["commas", "--delimiter"]);
    lab.write("odd.csv", "x|t\n0.5|2\n1.5|4\n");
    lab.run("fit odd.csv:x odd.csv:t").ends_refused(&["no column"]);
    assert_eq!(fit("odd.csv:x odd.csv:t --delimiter |"), 2.0);
    lab.write("blanks.csv", "x t\n0.5 2\n1.5 4\n");
    lab.run("fit blanks.csv:x blanks.csv:t").ends_refused(&["separated by blanks", "--delimiter"]);
    assert_eq!(fit("blanks.csv:x blanks.csv:t --delimiter blanks"), 2.0);
    lab.run("fit odd.csv:x odd.csv:t --delimiter 1").exits(2).complains(&["--delimiter"]);
    // Without a name: what is a comma there may be before a fraction.
    lab.write("commas.txt", "1,5\n2,7\n3,9\n");
    let ran = lab.run("fit commas.txt:0 commas.txt:1 --solver exact").exits(0);
    assert!(ran.notes().iter().any(|note| note.contains("separated by commas")), "{:?}", ran.notes());
}
