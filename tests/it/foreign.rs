//! Files that other people's tools wrote (tests/foreign/make.py), read; and
//! damaged ones, which must be refused or read, whatever is wrong with them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::fs;
use std::path::{Path, PathBuf};

use linfit::array::{Array, DataError, ElementType, Hint, Hinted, Order, Problem, Shape, ValidityRules};
use linfit::engine::gpu::Gpu;
use linfit::engine::{Cpu, Engine, Reference};
use linfit::io::{Opened, RawLayout, Reading, Source};
use linfit::math::{Affine, Evaluation};

use crate::common::adapter::software_adapter;

const ROWS: u64 = 37;
const COLUMNS: u64 = 53;
const LENGTH: u64 = 300;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/data")
}

fn source(name: &str) -> Source {
    let Ok(source) = data().join(name).display().to_string().parse::<Source>();
    source
}

/// Reads a file as `FILE` or `FILE:KEY`, from memory and from a temporary
/// file, which must not make a difference.
fn read(name: &str) -> Result<Opened, DataError> {
    let matrix = Reading::default().open(&source(name))?;
    let spooled = Reading { memory_bytes: 100, ..Reading::default() }.open(&source(name))?;
    assert_eq!(values(&matrix), values(&spooled), "{name}");
    assert_eq!((matrix.shape(), matrix.element()), (spooled.shape(), spooled.element()), "{name}");
    assert_eq!(matrix.label(), spooled.label());
    assert!(!matrix.is_spooled());
    Ok(matrix)
}

/// The elements row by row, none missing and none NaN.
fn values(matrix: &Array) -> Vec<f64> {
    let mut values = vec![f64::NAN; matrix.len()];
    matrix.read(Order::C, 0, &mut values);
    values
}

/// What make.py puts in the bands of images.
fn image(element: ElementType, band: u64) -> Vec<f64> {
    let places = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
    places
        .map(|(row, column)| {
            let value = 5 * row + 3 * column + 11 * band;
            match element {
                ElementType::U8 => (value % 251) as f64,
                ElementType::I8 => (value % 127) as f64,
                ElementType::I16 | ElementType::I32 => value as f64 - 100.0,
                ElementType::F32 | ElementType::F64 => value as f64 / 2.0,
                _ => value as f64,
            }
        })
        .collect()
}

/// What make.py puts in the bands of images of so many bits.
fn packed(bits: u32, band: u64) -> Vec<f64> {
    image(ElementType::U8, band).iter().map(|value| (*value as u64 % (1 << bits)) as f64).collect()
}

/// What make.py puts in columns and vectors.
fn vector(element: ElementType) -> Vec<f64> {
    (0..LENGTH.cast_signed())
        .map(|k| {
            let value = k * 7 - 50;
            match element {
                ElementType::Bool => f64::from(u8::from(value % 2 == 0)),
                ElementType::U8 | ElementType::I8 => value.rem_euclid(100) as f64,
                ElementType::U16 | ElementType::U32 | ElementType::U64 => value.abs() as f64,
                // 8 bits of a fraction, to nearest, ties to even.
                ElementType::Bf16 => {
                    let unit = (2f64).powi(((value.abs().max(1) as f64).log2().floor() as i32 - 7).max(0));
                    (value as f64 / unit).round_ties_even() * unit
                }
                _ => value as f64,
            }
        })
        .collect()
}

#[track_caller]
fn is_image(name: &str, element: ElementType, band: u64) {
    let matrix = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(matrix.shape(), &Shape(vec![ROWS, COLUMNS]), "{name}");
    assert_eq!(matrix.element(), element, "{name}");
    assert!(values(&matrix) == image(element, band), "{name}");
}

#[track_caller]
fn is_vector(name: &str, element: ElementType) {
    let matrix = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(matrix.shape(), &Shape(vec![LENGTH]), "{name}");
    assert_eq!(matrix.element(), element, "{name}");
    assert!(values(&matrix) == vector(element), "{name}");
    assert!(name.ends_with(&matrix.label()[data().display().to_string().len() + 1..]), "{}", matrix.label());
}

/// Reading fails with one line that has the file's name and these words.
#[track_caller]
fn is_refused(name: &str, words: &[&str]) {
    let error = read(name).map(|matrix| matrix.label().to_owned()).expect_err(name);
    let error = error.worded(|hint| hint.to_string());
    let file = name.split(':').next().unwrap();
    assert!(error.contains(file) && !error.contains('\n'), "{error}");
    for word in words {
        assert!(error.contains(word), "{name}: no {word:?} in {error}");
    }
}

/// An unclear nodata value is an error unless another one is given.
#[track_caller]
fn is_unclear(name: &str, words: &[&str]) {
    let inputs = |rules: ValidityRules| Problem::builder(read(name).unwrap()).rules(rules).build();
    let error = inputs(ValidityRules::default()).unwrap_err();
    assert_eq!(error.hints(), [Hint::NodataValue], "{name}: {error}");
    for word in [name].iter().chain(words) {
        assert!(error.to_string().contains(word), "{name}: no {word:?} in {error}");
    }
    let rules = ValidityRules { x_nodata: Some(-43.0), ..ValidityRules::default() };
    assert!(inputs(rules).is_ok(), "{name}");
}

const INTEGERS: [(&str, ElementType); 8] = [
    ("u8", ElementType::U8),
    ("i8", ElementType::I8),
    ("u16", ElementType::U16),
    ("i16", ElementType::I16),
    ("u32", ElementType::U32),
    ("i32", ElementType::I32),
    ("u64", ElementType::U64),
    ("i64", ElementType::I64),
];

mod safetensors {
    use super::*;

    #[test]
    fn every_type_is_read() {
        let floats = [
            ("F16", ElementType::F16),
            ("BF16", ElementType::Bf16),
            ("F64", ElementType::F64),
            ("BOOL", ElementType::Bool),
        ];
        for (name, element) in floats {
            is_vector(&format!("all.safetensors:{name}"), element);
        }
        for (name, element) in INTEGERS {
            is_vector(&format!("all.safetensors:{}", name.to_uppercase()), element);
        }
        is_image("all.safetensors:F32", ElementType::F32, 0);
        is_vector("all.safetensors:layers/0.weight", ElementType::F32);
        assert_eq!(values(&read("one.safetensors").unwrap()), vector(ElementType::F32));
    }

    #[test]
    fn attributes_say_what_stands_for_nothing() {
        let nodata = |name: &str| read(name).unwrap().metadata().nodata();
        assert_eq!(nodata("attributes.safetensors:a"), Some(-9999.0));
        assert!(nodata("attributes.safetensors:layers.b").unwrap().is_nan());
        is_unclear("attributes.safetensors:c", &["c._FillValue is \"none\""]);
        assert_eq!(nodata("one.safetensors"), None);
    }

    #[test]
    fn tensors_of_other_types_leave_the_others_be() {
        is_vector("new-types.safetensors:x", ElementType::F32);
        is_refused("new-types.safetensors:newer", &["new-types.safetensors:newer", "I4", "not numbers"]);
        is_refused("new-types.safetensors:half", &["new-types.safetensors:half", "F8_E4M3", "not numbers"]);
        is_refused("new-types.safetensors", &["3 tensors", "newer, half, x"]);
    }

    #[test]
    fn another_name_is_an_error() {
        is_refused("all.safetensors", &["14 tensors", "all.safetensors:TENSOR", "BF16", "layers/0.weight"]);
        is_refused("all.safetensors:f16", &["no tensor \"f16\"", "F16"]);
    }
}

mod npz {
    use super::*;

    #[test]
    fn stored_and_deflated_arrays_are_read() {
        for file in ["stored.npz", "deflated.npz"] {
            is_image(&format!("{file}:x"), ElementType::F32, 0);
            is_image(&format!("{file}:columns"), ElementType::I16, 0);
            is_vector(&format!("{file}:big"), ElementType::I32);
        }
        assert_eq!(values(&read("one.npz").unwrap()), vector(ElementType::F64));
        is_vector("one.npz:arr_0", ElementType::F64);
    }

    #[test]
    fn others_are_errors() {
        is_refused("stored.npz", &["3 arrays", "stored.npz:ARRAY", "x, columns, big"]);
        is_refused("stored.npz:y", &["no array \"y\"", "x, columns, big"]);
        is_refused("bzip2.npz:x", &["packed by Bzip2", "savez"]);
    }
}

/// What numpy.ma makes of the same pair, computed by make.py, with weights and
/// without.
#[test]
fn holes_are_what_masked_arrays_leave_out() {
    let text = fs::read_to_string(data().join("masked.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let array = |name: &str| Reading::default().open(&source(&format!("masked.npz:{name}"))).unwrap();
    for is_weighted in [false, true] {
        let want = if is_weighted { &json["weighted"] } else { &json };
        let number = |name: &str| want[name].as_f64().unwrap();
        let rules = ValidityRules {
            x_nodata: Some(f64::NAN),
            t_nodata: Some(-9999.0),
            mask: Some(array("mask").into()),
            weights: is_weighted.then(|| array("weights").into()),
            ..ValidityRules::default()
        };
        let data = Problem::builder(array("x")).target(array("t")).rules(rules).build().unwrap();
        let excluded = data.validity().unwrap().excluded();
        if is_weighted {
            assert!((data.weight_sum() / number("sum_of_weights") - 1.0).abs() <= 1e-15);
        } else {
            for (count, name) in
                [(excluded.mask, "masked"), (excluded.x_nodata, "x_nodata"), (excluded.t_nodata, "t_nodata")]
            {
                assert_eq!(count as f64, number(name), "{name}");
            }
        }
        let at = Affine::new(json["weight"].as_f64().unwrap(), json["bias"].as_f64().unwrap());
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let engines: [(&str, &mut dyn Engine, f64); 3] = [
            ("reference", &mut Reference::new(&data), 1e-12),
            ("cpu", &mut Cpu::new(&data), 1e-12),
            ("gpu", &mut gpu, 1e-6),
        ];
        for (name, engine, tolerance) in engines {
            let sums = engine.loss_sums_at(at).unwrap();
            assert_eq!(sums.n as f64, number("n"), "{name}");
            let found = Evaluation::from_sums(&sums);
            for (found, quantity) in
                [(found.loss, "loss"), (found.grad_weight, "grad_weight"), (found.grad_bias, "grad_bias")]
            {
                let want = number(quantity);
                let error = (found - want).abs() / want.abs();
                assert!(error <= tolerance, "{name}, {quantity}: {found} for {want}, {error:e}");
            }
        }
    }
}

#[cfg(feature = "tiff")]
mod tiff {
    use super::*;

    #[test]
    fn every_type_is_read_from_strips_and_tiles() {
        let types = [
            ("u1", ElementType::U8),
            ("u2", ElementType::U16),
            ("u4", ElementType::U32),
            ("i1", ElementType::I8),
            ("i2", ElementType::I16),
            ("i4", ElementType::I32),
            ("f4", ElementType::F32),
            ("f8", ElementType::F64),
        ];
        for (name, element) in types {
            is_image(&format!("strips-{name}.tif"), element, 0);
            is_image(&format!("strips-{name}.tif:1"), element, 0);
            is_image(&format!("tiles-{name}-deflate.tif"), element, 0);
        }
    }

    #[test]
    fn every_layout_and_compression_is_read() {
        let kinds = [
            ("big-endian.tif", ElementType::U16),
            ("big-endian-tiles.tif", ElementType::F32),
            ("bigtiff.tif", ElementType::F32),
            ("tiles.tif", ElementType::U8),
            ("lzw.tif", ElementType::U16),
            ("lzw-predictor.tif", ElementType::U16),
            ("packbits.tif", ElementType::U8),
            ("deflate-float-predictor.tif", ElementType::F32),
            ("zstd.tif", ElementType::F32),
            // What is white is 0, and read as 0.
            ("white-is-zero.tif", ElementType::U8),
            ("white-is-zero-lzw.tif", ElementType::U16),
        ];
        for (name, element) in kinds {
            is_image(name, element, 0);
        }
    }

    #[test]
    fn bands_are_numbered_from_1() {
        let kinds = [
            ("chunky.tif", 5, ElementType::U16),
            ("chunky-tiles.tif", 5, ElementType::F32),
            ("planar.tif", 5, ElementType::U16),
            ("planar-tiles.tif", 5, ElementType::U16),
            ("rgb.tif", 3, ElementType::U8),
            ("pages.tif", 3, ElementType::I16),
            ("rgb-4.tif", 4, ElementType::U8),
            ("rgb-4-lzw.tif", 4, ElementType::U8),
            ("rgb-and-two.tif", 5, ElementType::U8),
            ("rgba-deflate.tif", 4, ElementType::U16),
            ("rgb-6-tiles.tif", 6, ElementType::U16),
            ("rgb-6-float.tif", 6, ElementType::F32),
            ("rgb-4-planar.tif", 4, ElementType::U8),
            ("rgb-5-planar-tiles.tif", 5, ElementType::U16),
            ("rgb-4-big.tif", 4, ElementType::U16),
            ("grey-and-alpha.tif", 2, ElementType::U8),
            ("cmyk.tif", 4, ElementType::U8),
            ("colours-and-grey.tif", 5, ElementType::U8),
        ];
        for (name, bands, element) in kinds {
            for band in 0..bands {
                is_image(&format!("{name}:{}", band + 1), element, band);
            }
            let list = (1..=bands).map(|band| band.to_string()).collect::<Vec<_>>().join(", ");
            is_refused(name, &[&format!("{bands} bands"), &format!("{name}:BAND, from: {list}")]);
            for band in ["0", "7", "red"] {
                is_refused(&format!("{name}:{band}"), &[&format!("no band {band:?}"), &list]);
            }
        }
    }

    #[test]
    fn nodata_and_georeference_are_carried() {
        let matrix = read("geo.tif").unwrap();
        assert_eq!(matrix.metadata().nodata(), Some(-9999.0));
        let mut want = image(ElementType::I16, 0);
        want[3 * COLUMNS as usize + 4] = -9999.0;
        assert_eq!(values(&matrix), want);
        let text = format!("{:?}", matrix.metadata().georeference().unwrap());
        assert!(
            text.contains("600000.0") && text.contains("32632") && text.contains("UTM zone 32N"),
            "{text}"
        );
        assert!(read("nodata-nan.tif").unwrap().metadata().nodata().unwrap().is_nan());
        assert_eq!(read("nodata-empty.tif").unwrap().metadata().nodata(), None);
        is_unclear("nodata-unclear.tif", &["GDAL_NODATA tag is \"n/a\""]);
        let plain = read("tiles.tif").unwrap();
        assert!(plain.metadata().nodata().is_none() && plain.metadata().georeference().is_none());
    }

    #[test]
    fn others_are_errors() {
        is_refused("jpeg.tif", &["compressed by JPEG", "gdal_translate"]);
        is_refused("ycbcr-jpeg.tif:1", &["compressed by JPEG"]);
        for (file, name) in [
            ("lzma", "LZMA"),
            ("lerc", "LERC"),
            ("png", "PNG"),
            ("jpeg2000", "JPEG 2000"),
            ("jpegxl", "JPEG XL"),
            ("webp:1", "WebP"),
        ] {
            let file = match file.split_once(':') {
                Some((file, band)) => format!("compressed-{file}.tif:{band}"),
                None => format!("compressed-{file}.tif"),
            };
            is_refused(&file, &[&format!("compressed by {name},"), "linfit does not read", "gdal_translate"]);
        }
        is_refused("predictor.tif", &["predictor 34892,", "linfit does not read", "gdal_translate"]);
        is_refused("complex.tif", &["complex", "64 bits", "convert"]);
        is_refused("bits-5.tif", &["whole numbers (5 bits)", "64 bits"]);
        is_refused("palette.tif", &["numbers of colours", "gdal_translate -expand rgb", "MINISBLACK"]);
        is_refused("lab.tif:1", &["L*a*b*", "convert it"]);
    }

    #[test]
    fn samples_of_less_than_a_byte_are_bytes() {
        let is_packed = |name: &str, bits: u32, band: u64| {
            let matrix = read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((matrix.shape(), matrix.element()), (&Shape(vec![ROWS, COLUMNS]), ElementType::U8));
            assert!(values(&matrix) == packed(bits, band), "{name}");
        };
        is_packed("bits-1-bool.tif", 1, 0);
        // What is white is 0, and read as 0.
        is_packed("bits-1-white.tif", 1, 0);
        for bits in [1, 2, 4] {
            is_packed(&format!("bits-{bits}.tif"), bits, 0);
            for band in 0..3 {
                is_packed(&format!("bits-{bits}-tiles.tif:{}", band + 1), bits, band);
                is_packed(&format!("bits-{bits}-planes.tif:{}", band + 1), bits, band);
            }
        }
    }

    /// Where make.py's masks are 0.
    fn is_masked(k: usize) -> bool {
        let (row, column) = (k as u64 / COLUMNS, k as u64 % COLUMNS);
        row * column % 7 == 2
    }

    #[test]
    fn masks_of_their_own_are_nulls_of_all_bands() {
        let bands = |file: &'static str, count: u64| (0..count).map(move |band| (file, band));
        let cases = bands("mask.tif", 2).chain(bands("mask-tiles.tif", 2)).chain(bands("mask-cog.tif", 2));
        for (file, band) in cases {
            let name = format!("{file}:{}", band + 1);
            is_image(&name, ElementType::U16, band);
            let matrix = read(&name).unwrap();
            assert!((0..matrix.len()).all(|k| matrix.metadata().is_null(k) == is_masked(k)), "{name}");
        }
        for band in 0..3 {
            let name = format!("mask-pages.tif:{}", band + 1);
            is_image(&name, ElementType::I16, band);
            let matrix = read(&name).unwrap();
            // The second page has none.
            assert!(
                (0..matrix.len()).all(|k| matrix.metadata().is_null(k) == (band != 1 && is_masked(k))),
                "{name}"
            );
        }
        assert!(!read("tiles.tif").unwrap().metadata().has_nulls());
        // It masks nothing: it is what there is to read.
        let alone = values(&read("mask-alone.tif").unwrap());
        assert!(alone.iter().enumerate().all(|(k, value)| *value == if is_masked(k) { 0.0 } else { 255.0 }));
    }

    #[test]
    fn masks_of_their_own_are_holes_in_any_order() {
        let places = || 0..(ROWS * COLUMNS) as usize;
        let masked = places().filter(|&k| is_masked(k)).count() as u64;
        let band = |band: u64| read(&format!("mask-tiles.tif:{}", band + 1)).unwrap();
        let data = Problem::pair(band(0), band(1)).unwrap();
        let validity = data.validity().unwrap();
        assert!(places().all(|k| validity.contains(k) != is_masked(k)));
        assert_eq!(validity.excluded().x_nodata, masked);
        // X and T lie column by column, and the mask and the weights row by row.
        let columns = || read("stored.npz:columns").unwrap();
        let rules = [
            ValidityRules { mask: Some(band(1).into()), ..ValidityRules::default() },
            ValidityRules { weights: Some(band(1).into()), ..ValidityRules::default() },
        ];
        for rules in rules {
            let data = Problem::builder(columns()).target(columns()).rules(rules).build().unwrap();
            assert_eq!(data.order(), Order::Fortran);
            let validity = data.validity().unwrap();
            for (k, place) in places().map(|k| (k, k % ROWS as usize * COLUMNS as usize + k / ROWS as usize))
            {
                assert_eq!(validity.contains(k), !is_masked(place), "{k}");
            }
        }
    }

    #[test]
    fn other_masks_are_errors() {
        is_refused(
            "mask-size.tif",
            &["its mask has another size", "53×36, not 53×37", "exclude elements by a mask"],
        );
        is_refused("mask-two.tif", &["several masks", "exclude elements by a mask"]);
        is_refused("mask-lzma.tif", &["its mask", "compressed by LZMA", "exclude elements by a mask"]);
        is_refused("mask-wide.tif", &["its mask", "16 bits", "exclude elements by a mask"]);
    }

    #[test]
    fn scales_and_offsets_are_told_and_not_applied() {
        let remarks = [None, Some("scale 0.5 and offset -3.0"), Some("scale 1.0 and offset 7.25")];
        for (band, remark) in (0..).zip(remarks) {
            let name = format!("scaled.tif:{}", band + 1);
            is_image(&name, ElementType::I16, band);
            let matrix = read(&name).unwrap();
            match remark {
                Some(words) => assert!(
                    matrix.metadata().notes()[0].to_string().contains(words),
                    "{:?}",
                    matrix.metadata().notes()
                ),
                None => assert!(matrix.metadata().notes().is_empty(), "{:?}", matrix.metadata().notes()),
            }
        }
    }

    #[test]
    fn stacks_of_one_directory_are_bands() {
        for band in 0..3 {
            is_image(&format!("stack.tif:{}", band + 1), ElementType::U16, band);
            is_image(&format!("stack-pages.tif:{}", band + 1), ElementType::U16, band);
            is_image(&format!("stack-shape.tif:{}", band + 1), ElementType::U16, band);
            is_image(&format!("stack-float.tif:{}", band + 1), ElementType::F32, band);
        }
        is_refused("stack.tif", &["3 bands", "from: 1, 2, 3"]);
        is_refused("stack-deflate.tif:1", &["3 images", "compressed", "save them as pages"]);
        // Its last image is cut off.
        let stack = fs::read(data().join("stack.tif")).unwrap();
        assert!(open(&stack[..stack.len() - 1], "2").is_ok());
        assert!(open(&stack[..stack.len() - 1], "3").unwrap_err().contains("truncated"));
    }

    const WIDTH: u16 = 256;
    const HEIGHT: u16 = 257;
    const BITS: u16 = 258;
    const COMPRESSION: u16 = 259;
    const MEANING: u16 = 262;
    const FILL_ORDER: u16 = 266;
    const OFFSETS: u16 = 273;
    const SAMPLES: u16 = 277;
    const ROWS_PER_STRIP: u16 = 278;
    const COUNTS: u16 = 279;
    const FORMAT: u16 = 339;
    const SUBSAMPLING: u16 = 530;

    const PACKBITS: u32 = 32_773;

    /// A file of one directory whose values are all LONGs, with the data from
    /// byte 8 on: what no library writes, though the specification has it.
    fn handmade(entries: &[(u16, &[u32])], data: &[u8]) -> Vec<u8> {
        let mut bytes = b"II*\0\0\0\0\0".to_vec();
        bytes.extend(data);
        let mut directory = (entries.len() as u16).to_le_bytes().to_vec();
        for (tag, values) in entries {
            directory.extend([tag.to_le_bytes(), 4u16.to_le_bytes()].concat());
            directory.extend((values.len() as u32).to_le_bytes());
            let at = bytes.len() as u32;
            directory.extend(if let [value] = values { *value } else { at }.to_le_bytes());
            if values.len() > 1 {
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        let start = bytes.len() as u32;
        bytes[4..8].copy_from_slice(&start.to_le_bytes());
        bytes.extend(directory);
        bytes.extend([0; 4]);
        bytes
    }

    fn open(bytes: &[u8], band: &str) -> Result<Vec<f64>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.tif");
        fs::write(&path, bytes).unwrap();
        let matrix = Reading::default().open(&Source { path, key: Some(band.to_owned()) });
        matrix.map(|matrix| values(&matrix)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_strip_without_a_number_of_rows_is_the_image() {
        let data = [1, 2, 3, 4, 5, 6];
        let mut entries: Vec<(u16, &[u32])> = vec![
            (WIDTH, &[3]),
            (HEIGHT, &[2]),
            (BITS, &[8]),
            (MEANING, &[1]),
            (OFFSETS, &[8]),
            (COUNTS, &[6]),
        ];
        let want = data.map(f64::from);
        assert_eq!(open(&handmade(&entries, &data), "1").unwrap(), want);
        // The greatest number there is means the same.
        entries.push((ROWS_PER_STRIP, &[u32::MAX]));
        assert_eq!(open(&handmade(&entries, &data), "1").unwrap(), want);
        entries.push((COMPRESSION, &[PACKBITS]));
        entries[5].1 = &[7];
        assert_eq!(open(&handmade(&entries, &[5, 1, 2, 3, 4, 5, 6]), "1").unwrap(), want);
    }

    /// Two pixels of five samples, of which a decoder of colours knows three.
    #[test]
    fn colours_without_a_word_on_the_others_are_read() {
        let data = [1, 2, 3, 4, 5, 11, 12, 13, 14, 15];
        let of = |bits: &[u32], meaning: &[u32], more: &[(u16, &[u32])]| {
            let mut entries: Vec<(u16, &[u32])> = vec![
                (WIDTH, &[2]),
                (HEIGHT, &[1]),
                (BITS, bits),
                (MEANING, meaning),
                (OFFSETS, &[8]),
                (SAMPLES, &[5]),
                (COUNTS, &[10]),
            ];
            entries.extend(more);
            entries.retain(|(_, values)| !values.is_empty());
            open(&handmade(&entries, &data), "4")
        };
        let want = Ok(vec![4.0, 14.0]);
        for meaning in [0, 1, 2, 4, 5, 9, 32_803, 34_892] {
            assert_eq!(of(&[8; 5], &[meaning], &[]), want, "{meaning}");
        }
        assert_eq!(of(&[8], &[2], &[]), want);
        assert_eq!(of(&[8], &[2], &[(FILL_ORDER, &[1])]), want);
        assert_eq!(of(&[8], &[6], &[(SUBSAMPLING, &[1, 1])]), want);
        for (result, words) in [
            (of(&[8], &[6], &[]), "YCbCr, of fewer pixels"),
            (of(&[8], &[6], &[(SUBSAMPLING, &[2, 1])]), "YCbCr, of fewer pixels"),
            (of(&[8], &[3], &[]), "numbers of colours"),
            (of(&[8, 8, 8, 8, 16], &[2], &[]), "bits"),
            (of(&[8], &[2], &[(FORMAT, &[1, 1, 1, 2, 1])]), "sample format"),
            (of(&[8], &[], &[]), "interpretation"),
            (of(&[8], &[1], &[(FILL_ORDER, &[2])]), "bits are in reverse order"),
        ] {
            let error = result.unwrap_err();
            assert!(error.contains(words) && error.contains("linfit does not read"), "{words}: {error}");
        }
    }

    #[test]
    fn strips_are_as_many_as_there_are() {
        const STRIPS: u32 = 70_000;
        let data: Vec<u8> = (0..STRIPS).flat_map(|k| [0, (k % 251) as u8]).collect();
        let offsets: Vec<u32> = (0..STRIPS).map(|k| 8 + 2 * k).collect();
        let want: Vec<f64> = (0..STRIPS).map(|k| f64::from(k % 251)).collect();
        for (compression, skipped, bytes) in [(PACKBITS, 0, 2), (1, 1, 1)] {
            let offsets: Vec<u32> = offsets.iter().map(|offset| offset + skipped).collect();
            let entries: [(u16, &[u32]); 8] = [
                (WIDTH, &[1]),
                (HEIGHT, &[STRIPS]),
                (BITS, &[8]),
                (COMPRESSION, &[compression]),
                (MEANING, &[1]),
                (OFFSETS, &offsets),
                (ROWS_PER_STRIP, &[1]),
                (COUNTS, &vec![bytes; STRIPS as usize]),
            ];
            assert!(open(&handmade(&entries, &data), "1").unwrap() == want);
        }
    }
}

#[cfg(feature = "parquet")]
mod columns {
    use linfit::array::Excluded;

    use super::*;

    #[test]
    fn every_type_is_read() {
        for file in ["none.parquet", "uncompressed.feather"] {
            for (name, element) in INTEGERS {
                is_vector(&format!("{file}:{name}"), element);
            }
            is_vector(&format!("{file}:f32"), ElementType::F32);
            is_vector(&format!("{file}:f64"), ElementType::F64);
            is_vector(&format!("{file}:bool"), ElementType::Bool);
        }
        is_vector("uncompressed.feather:f16", ElementType::F16);
        is_vector("none.parquet:category", ElementType::F64);
    }

    #[test]
    fn every_compression_is_read() {
        for file in [
            "snappy.parquet",
            "brotli.parquet",
            "gzip.parquet",
            "zstd.parquet",
            "lz4.parquet",
            "lz4.feather",
            "zstd.feather",
        ] {
            is_vector(&format!("{file}:i32"), ElementType::I32);
            is_vector(&format!("{file}:f64"), ElementType::F64);
        }
        assert_eq!(values(&read("one-v2.parquet").unwrap()), vector(ElementType::F32));
    }

    /// No library at hand writes it: in the directory, the codec follows the
    /// column's name, 1 for Snappy and 3 for LZO, as signed numbers doubled.
    #[test]
    fn lzo_is_named() {
        let mut bytes = fs::read(data().join("snappy.parquet")).unwrap();
        let places: Vec<usize> =
            (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"i32\x15\x02")).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|at| bytes[at + 4] = 6);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lzo.parquet");
        fs::write(&path, bytes).unwrap();
        let open =
            |key: &str| Reading::default().open(&Source { path: path.clone(), key: Some(key.to_owned()) });
        let error = open("i32").unwrap_err().to_string();
        assert!(error.contains("compressed by LZO, which linfit does not read"), "{error}");
        assert_eq!(values(&open("f64").unwrap()), vector(ElementType::F64));
    }

    #[test]
    fn columns_have_numbers_too() {
        let third = read("lz4.parquet:2").unwrap();
        assert!(third.label().ends_with("lz4.parquet:f64"));
        assert_eq!(values(&third), vector(ElementType::F64));
    }

    #[test]
    fn of_two_columns_of_one_name_each_has_its_number() {
        for file in ["twice.parquet", "twice.arrow"] {
            for (key, element) in [("0", ElementType::I32), ("1", ElementType::F32), ("2", ElementType::I16)]
            {
                let column = read(&format!("{file}:{key}")).unwrap();
                assert_eq!((column.element(), values(&column)), (element, vector(element)), "{file}:{key}");
            }
            is_vector(&format!("{file}:b"), ElementType::I16);
        }
    }

    /// Against what Python makes of the same decimals.
    #[test]
    fn decimals_are_the_nearest_numbers() {
        let columns = |file: &'static str, names: &'static [&str]| names.iter().map(move |name| (file, name));
        let all = columns("decimals.feather", &["d32", "d64", "d9", "d38", "d76", "tens"])
            .chain(columns("decimals.parquet", &["d32", "d64", "d9", "d38", "d76"]))
            .chain(columns("decimals-int.parquet", &["d9"]));
        for (file, name) in all {
            let (found, want) =
                (read(&format!("{file}:{name}")).unwrap(), read(&format!("{file}:{name} as f64")).unwrap());
            assert_eq!(found.element(), ElementType::F64, "{file}:{name}");
            assert!(values(&found) == values(&want), "{file}:{name}");
            assert!((0..found.len()).all(|k| found.metadata().is_null(k) == (k % 32 == 31)), "{file}:{name}");
            // By int(float(digits)) != digits in Python: all but 9 nulls.
            let rounded: Vec<String> = found.metadata().notes().iter().map(ToString::to_string).collect();
            match *name {
                "d38" | "d76" => assert!(rounded[0].starts_with("291 of 300 decimals"), "{rounded:?}"),
                _ => assert!(rounded.is_empty(), "{file}:{name}: {rounded:?}"),
            }
        }
    }

    #[test]
    fn dictionaries_are_looked_up() {
        for file in ["category.arrow", "stream.arrow"] {
            assert_eq!(values(&read(file).unwrap()), vector(ElementType::F64));
        }
        let matrix = read("kinds.feather:dictionary").unwrap();
        assert_eq!(matrix.element(), ElementType::F64);
        let is_null = |k: usize| k % 32 == 31 || k % 5 == 2;
        let want = |k: usize| if is_null(k) { 0.0 } else { [7.5, -1.0, 0.0, 3.0, 0.25][k % 5] };
        assert_eq!(values(&matrix), (0..LENGTH as usize).map(want).collect::<Vec<_>>());
        assert!((0..matrix.len()).all(|k| matrix.metadata().is_null(k) == is_null(k)));
        let whole = read("kinds.feather:whole").unwrap();
        assert_eq!(whole.element(), ElementType::I32);
        let want = |k: usize| [300.0, -5.0, 70_000.0][k % 3];
        assert_eq!(values(&whole), (0..LENGTH as usize).map(want).collect::<Vec<_>>());
        let nothing = read("no-dictionary.feather").unwrap();
        assert!(nothing.len() == 2 && nothing.metadata().is_null(0) && nothing.metadata().is_null(1));
    }

    #[test]
    fn fields_of_columns_have_names_with_dots() {
        for file in ["kinds.feather", "kinds.parquet"] {
            for (name, element, is_null) in [
                ("s.p", ElementType::F64, (|k| k % 32 == 31 || k % 50 == 2) as fn(usize) -> bool),
                ("s.q.r", ElementType::I32, |k| k % 50 == 2),
            ] {
                let matrix = read(&format!("{file}:{name}")).unwrap();
                assert_eq!(matrix.element(), element);
                assert!(
                    (0..matrix.len()).all(|k| matrix.metadata().is_null(k) == is_null(k)),
                    "{file}:{name}"
                );
                let counted = |values: Vec<f64>| -> Vec<f64> {
                    values
                        .into_iter()
                        .enumerate()
                        .filter(|(k, _)| !is_null(*k))
                        .map(|(_, value)| value)
                        .collect()
                };
                assert_eq!(counted(values(&matrix)), counted(vector(element)), "{file}:{name}");
            }
            is_vector(&format!("{file}:s.dot"), ElementType::F32);
        }
    }

    #[test]
    fn streams_are_read() {
        for file in ["plain.arrows", "zstd.arrows", "lz4.arrows"] {
            is_vector(&format!("{file}:i32"), ElementType::I32);
            is_vector(&format!("{file}:f64"), ElementType::F64);
            let gaps = read(&format!("{file}:gaps")).unwrap();
            assert!((0..gaps.len()).all(|k| gaps.metadata().is_null(k) == (k % 64 == 63)), "{file}");
            is_refused(file, &["4 columns", "category (0), i32 (1)"]);
            is_refused(&format!("{file}:category"), &["Dictionary"]);
        }
        assert_eq!(values(&read("one.arrows").unwrap()), vector(ElementType::F64));
    }

    #[test]
    fn a_stream_without_an_end_is_refused() {
        let good = fs::read(data().join("plain.arrows")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let open = |bytes: &[u8], name: &str| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            let opened = Reading::default().open(&Source { path, key: Some("f64".to_owned()) });
            opened.map(|matrix| matrix.len()).map_err(|error| error.to_string())
        };
        let whole = open(&good, "whole.arrow");
        assert_eq!(whole, Ok(LENGTH as usize));
        // Where one message ends and the next begins.
        let marks = (8..good.len()).filter(|&at| good[at..].starts_with(&[0xff; 4]) && at % 8 == 0);
        let mut cut = 0;
        for at in marks {
            let error = open(&good[..at], "cut.arrow").unwrap_err();
            cut += usize::from(error.contains("no end mark") && error.contains("cut off"));
            assert!(error.contains("no end mark") || error.contains("truncated or damaged"), "{error}");
        }
        // Schema, dictionary and three batches come before others.
        assert!(cut >= 5, "{cut}");
        let error = open(&[&good[..], &good[..]].concat(), "two.arrow").unwrap_err();
        assert!(error.contains("truncated or damaged"), "{error}");
        // By what it begins with, whatever its name.
        assert_eq!(open(&good, "table"), Ok(LENGTH as usize));
        assert!(open(&[0xff; 64], "table").unwrap_err().contains("unknown kind of file"));
        assert!(open(&[0xff; 64], "table.arrow").unwrap_err().contains("damaged"));
        assert!(open(b"PK\x05\x06 and so on", "table.arrow").unwrap_err().contains("neither"));
    }

    /// Where make.py has nulls in the columns x, u8 and nan, and in t and mask.
    fn x_is_null(k: usize) -> bool {
        matches!(k % 32, 0 | 31)
    }

    fn t_is_null(k: usize) -> bool {
        k % 50 == 32 || k == 77
    }

    /// The numbers of a vector, 0 where there are nulls.
    fn gapped(vector: Vec<f64>, is_null: fn(usize) -> bool) -> Vec<f64> {
        vector.into_iter().enumerate().map(|(k, value)| if is_null(k) { 0.0 } else { value }).collect()
    }

    #[test]
    fn nulls_are_known_and_read_as_0() {
        for file in ["none.parquet", "uncompressed.feather"] {
            let gaps = read(&format!("{file}:gaps")).unwrap();
            let found: Vec<usize> = (0..gaps.len()).filter(|&k| gaps.metadata().is_null(k)).collect();
            assert_eq!(found, [211], "{file}");
            assert!(!read(&format!("{file}:f64")).unwrap().metadata().has_nulls(), "{file}");
        }
        for file in ["nulls.parquet", "nulls-v2.parquet", "nulls.feather", "nulls.arrow"] {
            for (column, element) in [("x", ElementType::F64), ("u8", ElementType::U8)] {
                let matrix = read(&format!("{file}:{column}")).unwrap();
                assert!(matrix.metadata().has_nulls() && matrix.element() == element, "{file}");
                assert!((0..matrix.len()).all(|k| matrix.metadata().is_null(k) == x_is_null(k)), "{file}");
                assert_eq!(values(&matrix), gapped(vector(element), x_is_null), "{file}:{column}");
            }
        }
    }

    /// T is 2·X + 1 in these columns wherever both are there.
    #[test]
    fn nulls_are_holes() {
        let places = || 0..LENGTH as usize;
        let x_nulls = places().filter(|&k| x_is_null(k)).count() as u64;
        let t_nulls = places().filter(|&k| !x_is_null(k) && t_is_null(k)).count() as u64;
        for file in ["nulls.parquet", "nulls.feather", "nulls.arrow"] {
            let column = |name: &str| read(&format!("{file}:{name}")).unwrap();
            let pair =
                |rules: ValidityRules| Problem::builder(column("x")).target(column("t")).rules(rules).build();
            let data = pair(ValidityRules::default()).unwrap();
            let validity = data.validity().unwrap();
            let counts = |k: usize| !x_is_null(k) && !t_is_null(k);
            assert!(places().all(|k| validity.contains(k) == counts(k)), "{file}");
            let excluded = Excluded { x_nodata: x_nulls, t_nodata: t_nulls, ..Excluded::default() };
            assert_eq!(validity.excluded(), excluded, "{file}");
            let sums = Reference::new(&data).loss_sums_at(Affine::new(2.0, 1.0)).unwrap();
            assert_eq!((sums.n, sums.rr), (validity.count(), 0.0), "{file}");
            assert_eq!(Cpu::new(&data).loss_sums_at(Affine::new(2.0, 1.0)).unwrap(), sums, "{file}");

            // −43 is X at place 1, and what stands for nothing besides.
            let data = pair(ValidityRules { x_nodata: Some(-43.0), ..ValidityRules::default() }).unwrap();
            assert_eq!(data.validity().unwrap().excluded().x_nodata, x_nulls + 1, "{file}");

            let mask = Some(column("mask").into());
            let data = pair(ValidityRules { mask, ..ValidityRules::default() }).unwrap();
            let masked = places().filter(|&k| k % 3 == 0 || t_is_null(k)).count() as u64;
            assert_eq!(data.validity().unwrap().excluded().mask, masked, "{file}");
        }
    }

    #[test]
    fn attributes_say_what_stands_for_nothing() {
        for file in ["attributes.parquet", "attributes.feather"] {
            for (column, nodata) in
                [("fill", Some(-9999.0)), ("missing", Some(13.0)), ("both", Some(-1.5)), ("plain", None)]
            {
                let matrix = read(&format!("{file}:{column}")).unwrap();
                assert_eq!(matrix.metadata().nodata(), nodata, "{file}:{column}");
            }
            assert!(read(&format!("{file}:nan")).unwrap().metadata().nodata().unwrap().is_nan());
            is_unclear(&format!("{file}:unclear"), &["_FillValue is \"n/a\""]);
        }
        // 13 is at place 9.
        let data = Problem::inputs(read("attributes.parquet:missing").unwrap()).unwrap();
        let validity = data.validity().unwrap();
        assert!((0..LENGTH as usize).all(|k| validity.contains(k) == (k != 9)));
        // A note that cannot be read is none.
        assert_eq!(values(&read("bad-note.parquet").unwrap()), vector(ElementType::F32));
    }

    #[test]
    fn a_nan_is_not_a_null() {
        for file in ["nulls.parquet", "nulls.feather", "nulls.arrow"] {
            let inputs = |name: &str, x_nodata| {
                let rules = ValidityRules { x_nodata, ..ValidityRules::default() };
                let x = Reading::default().open(&source(&format!("{file}:{name}"))).unwrap();
                Problem::builder(x).rules(rules).build()
            };
            let error = inputs("nan", None).unwrap_err().to_string();
            assert!(error.contains("1 of 300") && error.contains("index 40"), "{error}");
            let data = inputs("nan", Some(f64::NAN)).unwrap();
            let validity = data.validity().unwrap();
            let is_hole = |k: usize| x_is_null(k) || k == 40;
            assert!((0..LENGTH as usize).all(|k| validity.contains(k) != is_hole(k)), "{file}");
            let none = inputs("none", None).unwrap();
            assert_eq!((none.valid_len(), none.validity().unwrap().excluded().x_nodata), (0, LENGTH));
            let t = Reading::default().open(&source(&format!("{file}:none"))).unwrap();
            let x = Reading::default().open(&source(&format!("{file}:none"))).unwrap();
            let error = Problem::pair(x, t).unwrap_err().to_string();
            assert!(error.contains("no pair") && error.contains("300 nodata in X"), "{error}");
        }
    }

    #[test]
    fn others_are_errors() {
        is_refused("lz4.parquet", &["3 columns", "lz4.parquet:COLUMN", "name (0), i32 (1), f64 (2)"]);
        is_refused("lz4.parquet:3", &["no column \"3\"", "name (0), i32 (1), f64 (2)"]);
        is_refused("lz4.feather:height", &["no column \"height\"", "i32 (1)"]);
        is_refused("none.parquet:name", &["name", "Utf8", "cast the column to double"]);
        is_refused("lz4.feather:name", &["name", "Utf8", "cast the column to double"]);
        for kind in ["feather", "parquet"] {
            for (column, found) in
                [("date", "Date"), ("time", "Time64"), ("stamp", "Timestamp"), ("duration", "Duration")]
            {
                is_refused(&format!("times.{kind}:{column}"), &[found, "cast the column to a number"]);
            }
            is_refused(&format!("times.{kind}:list"), &["List", "cast the column to double"]);
            is_refused(
                &format!("kinds.{kind}:s"),
                &["fields", "kinds", "name one of them as s.FIELD", "p, q"],
            );
            is_refused(&format!("kinds.{kind}:s.q"), &["name one of them as s.q.FIELD", "r"]);
            for key in ["s.z", "s.p.q", "z.p", "s."] {
                is_refused(&format!("kinds.{kind}:{key}"), &[&format!("no column {key:?}")]);
            }
        }
        for file in ["twice.parquet", "twice.arrow"] {
            is_refused(&format!("{file}:a"), &["several columns are called \"a\"", "number", ": 0, 1"]);
        }
        is_refused("big-endian.arrows", &["big-endian", "write it on a machine"]);
        is_refused("version1.feather", &["version 1"]);
    }
}

/// Where pandas has nothing, and booleans.
mod text {
    use super::*;

    #[test]
    fn what_pandas_writes_is_read() {
        let x_is_null = |k: usize| k.is_multiple_of(32);
        for file in ["pandas.csv", "pandas-na.csv", "pandas.tsv", "pandas-index.csv"] {
            let column = |name: &str| read(&format!("{file}:{name}")).unwrap();
            let (x, t) = (column("x"), column("t"));
            for matrix in [&x, &t] {
                assert!((0..LENGTH as usize).all(|k| matrix.metadata().is_null(k) == x_is_null(k)), "{file}");
            }
            let data = Problem::pair(x, t).unwrap();
            let sums = Reference::new(&data).loss_sums_at(Affine::new(2.0, 1.0)).unwrap();
            assert_eq!((sums.n, sums.rr), (LENGTH - LENGTH.div_ceil(32), 0.0), "{file}");
            let thirds: Vec<f64> = (0..LENGTH).map(|k| f64::from(u8::from(k % 3 == 0))).collect();
            assert_eq!(values(&column("b")), thirds, "{file}");
            let numbers = column("n");
            assert!((0..LENGTH as usize).all(|k| numbers.metadata().is_null(k) == (k % 7 == 1)), "{file}");
        }
        // A line for a row without a number, too.
        let x = read("pandas-x.csv").unwrap();
        assert!((0..LENGTH as usize).all(|k| x.metadata().is_null(k) == x_is_null(k)));
        assert_eq!(x.len() as u64, LENGTH);
    }

    #[test]
    fn other_separators_are_named() {
        is_refused("semicolons.csv:x", &["semicolons.csv:1", "semicolons; save the file with commas"]);
        is_refused("semicolons.csv", &["semicolons.csv:2", "not a number", "semicolons"]);
        is_refused("tabs.csv:x", &["tabs.csv:1", "tabs; give the file a name that ends in .tsv"]);
    }
}

#[cfg(feature = "png")]
mod png {
    use super::*;

    #[test]
    fn grey_and_colours_are_read() {
        is_image("grey8.png", ElementType::U8, 0);
        is_image("interlaced.png", ElementType::U8, 0);
        is_image("grey16.png", ElementType::U16, 0);
        for (name, bands, element) in [
            ("rgb.png", 3, ElementType::U8),
            ("rgba.png", 4, ElementType::U8),
            ("rgb16.png", 3, ElementType::U16),
        ] {
            for band in 0..bands {
                is_image(&format!("{name}:{}", band + 1), element, band);
            }
            is_refused(name, &[&format!("{bands} bands"), &format!("{name}:BAND")]);
            is_refused(&format!("{name}:5"), &["no band \"5\"", "1, 2, 3"]);
        }
    }

    #[test]
    fn samples_of_less_than_a_byte_are_bytes() {
        for bits in [1, 2, 4] {
            let matrix = read(&format!("bits-{bits}.png")).unwrap();
            assert_eq!((matrix.shape(), matrix.element()), (&Shape(vec![ROWS, COLUMNS]), ElementType::U8));
            assert!(values(&matrix) == packed(bits, 0), "{bits}");
        }
        let want: Vec<f64> =
            image(ElementType::U8, 0).iter().map(|value| f64::from(u8::from(*value > 99.0))).collect();
        assert_eq!(values(&read("bilevel.png").unwrap()), want);
    }

    #[test]
    fn others_are_errors() {
        is_refused("palette.png", &["colours", "greyscale"]);
    }
}

mod raw {
    use super::*;

    fn open(bytes: &[u8], dtype: &str, shape: Option<&[u64]>, offset: u64) -> Result<Opened, DataError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.raw");
        fs::write(&path, bytes).unwrap();
        let shape = shape.map(|extents| Shape(extents.to_vec()));
        let raw = Some(RawLayout { dtype: dtype.parse().unwrap(), shape, offset });
        Reading { memory_bytes: 0, raw, ..Reading::default() }.open(&Source { path, key: None })
    }

    #[test]
    fn numbers_are_what_the_user_says() {
        let bytes = [9, 1, 2, 3, 4, 5, 6];
        let matrix = open(&bytes, "u16be", Some(&[3, 1]), 1).unwrap();
        assert_eq!((values(&matrix), matrix.shape()), (vec![258.0, 772.0, 1286.0], &Shape(vec![3, 1])));
        assert_eq!(values(&open(&bytes, "u16le", None, 1).unwrap()), [513.0, 1027.0, 1541.0]);
        assert_eq!(values(&open(&bytes, "u8", None, 0).unwrap()), bytes.map(f64::from));
        // 1.0 and −2.0 in bfloat16.
        assert_eq!(values(&open(&[0x3f, 0x80, 0xc0, 0x00], "bf16be", None, 0).unwrap()), [1.0, -2.0]);
    }

    #[test]
    fn another_size_is_an_error() {
        let bytes = [0; 12];
        for (dtype, shape, offset, expected) in [
            ("f32", Some(&[2, 2][..]), 0, 16),
            ("u8", Some(&[3]), 1, 4),
            ("f64", None, 0, 8),
            ("u8", None, 13, 13),
        ] {
            let error = open(&bytes, dtype, shape, offset).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("for {expected} bytes, the file has 12")), "{text}");
            assert_eq!(error.hints(), [Hint::RawLayout], "{text}");
        }
        let huge = open(&bytes, "f64", Some(&[u64::MAX, 3]), 0).unwrap_err();
        assert_eq!(huge.hints(), [Hint::RawLayout], "{huge}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.bin");
        fs::write(&path, bytes).unwrap();
        let error = Reading::default().open(&Source { path, key: None }).unwrap_err();
        assert!(error.to_string().contains("x.bin"), "{error}");
        assert_eq!(error.hints(), [Hint::RawLayout], "{error}");
    }
}

mod results {
    use std::process::{Command, Output, Stdio};

    use super::*;

    /// Runs `linfit predict` for Y = X/2 − 3, with a file as its stdin.
    fn predict(directory: &Path, x: &str, output: &str, dtype: &str, stdin: Option<&str>) -> Output {
        fs::write(directory.join("m.json"), r#"{"weight": 0.5, "bias": -3}"#).unwrap();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        command.current_dir(directory).args(["predict", "m.json", x, "-o", output, "--dtype", dtype]);
        command.args(["--engine", "cpu", "--memory", "1000B", "-v"]);
        command.stdin(stdin.map_or(Stdio::null(), |name| fs::File::open(data().join(name)).unwrap().into()));
        command.output().unwrap()
    }

    #[track_caller]
    fn succeeds(output: &Output) -> String {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    }

    #[track_caller]
    fn fails(output: &Output, words: &[&str]) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{words:?} in {stderr}");
    }

    fn open(path: PathBuf, key: Option<&str>, reading: &Reading) -> Opened {
        reading.open(&Source { path, key: key.map(str::to_owned) }).unwrap()
    }

    #[test]
    fn every_kind_of_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let image_shape = Shape(vec![ROWS, COLUMNS]);
        let row = Shape(vec![ROWS * COLUMNS]);
        let inputs =
            [("planar-tiles.tif:2", ElementType::U16, 1), ("deflated.npz:columns", ElementType::I16, 0)];
        for (x, kind, band) in inputs {
            let want: Vec<f64> = image(kind, band).iter().map(|x| x / 2.0 - 3.0).collect();
            let x = data().join(x).display().to_string();
            for (dtype, element) in [("f32", ElementType::F32), ("f64", ElementType::F64)] {
                let kinds = [
                    ("npy", None, &image_shape),
                    ("npz", Some("y"), &image_shape),
                    ("safetensors", Some("y"), &image_shape),
                    ("tif", None, &image_shape),
                    ("raw", None, &image_shape),
                    ("bin", None, &image_shape),
                    ("dat", None, &image_shape),
                    ("csv", Some("y"), &row),
                    ("tsv", Some("y"), &row),
                    ("parquet", Some("y"), &row),
                    ("arrow", Some("y"), &row),
                    ("feather", Some("y"), &row),
                ];
                for (extension, key, shape) in kinds {
                    let name = format!("y.{extension}");
                    let stderr = succeeds(&predict(directory.path(), &x, &name, dtype, None));
                    assert!(stderr.contains("decoded to a temporary file"), "{stderr}");
                    let raw = Some(RawLayout {
                        dtype: dtype.parse().unwrap(),
                        shape: Some(image_shape.clone()),
                        offset: 0,
                    });
                    let reading = Reading { raw, ..Reading::default() };
                    for key in [None, key] {
                        let y = open(directory.path().join(&name), key, &reading);
                        assert_eq!(y.shape(), shape, "{name}");
                        let text = ["csv", "tsv"].contains(&extension);
                        assert_eq!(y.element(), if text { ElementType::F64 } else { element }, "{name}");
                        assert!(values(&y) == want, "{name} {dtype} from {x}");
                    }
                }
            }
        }
        // Nothing is left of what was written beside.
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 13);
    }

    #[test]
    fn images_of_whole_numbers_are_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let x = data().join("planar-tiles.tif:2").display().to_string();
        let want: Vec<f64> =
            image(ElementType::U16, 1).iter().map(|x| (x / 2.0 - 3.0).round_ties_even()).collect();
        for (dtype, element) in [("u8", ElementType::U8), ("u16", ElementType::U16)] {
            for name in ["y.png", "y.tif"] {
                succeeds(&predict(directory.path(), &x, name, dtype, None));
                let y = open(directory.path().join(name), None, &Reading::default());
                assert_eq!((y.shape(), y.element()), (&Shape(vec![ROWS, COLUMNS]), element), "{name}");
                assert!(values(&y) == want, "{name} {dtype}");
            }
        }
        for dtype in ["f64", "i16", "u32"] {
            let ran = predict(directory.path(), &x, "z.png", dtype, None);
            fails(&ran, &["z.png", &format!("PNG cannot hold {dtype}"), "--dtype u8 or u16"]);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn an_image_stays_where_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let x = data().join("geo.tif").display().to_string();
        succeeds(&predict(directory.path(), &x, "y.tif", "f32", None));
        let y = open(directory.path().join("y.tif"), None, &Reading::default());
        let x = read("geo.tif").unwrap();
        assert!(y.metadata().georeference().is_some());
        assert_eq!(y.metadata().georeference(), x.metadata().georeference());
        assert_eq!(y.metadata().nodata(), Some(-9999.0));
    }

    #[test]
    fn what_a_format_cannot_hold_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let x = data().join("one.safetensors").display().to_string();
        let refused = |output: &str, words: &[&str]| {
            fails(&predict(directory.path(), &x, output, "f32", None), words);
        };
        refused("y.tif", &["y.tif", "TIFF cannot hold", "300", ".npy"]);
        refused("y.png", &["y.png", "PNG cannot hold f32", "--dtype u8 or u16", "--clamp", ".tif"]);
        let vector = predict(directory.path(), &x, "y.png", "u16", None);
        fails(&vector, &["y.png", "PNG cannot hold an array of u16, shape 300", ".npy"]);
        refused("y.xlsx", &["y.xlsx", ".parquet"]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn stdin_is_recognised_by_its_first_bytes() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x.csv"), "a,b\n1,2\n3,4\n").unwrap();
        let from = |x: &str, stdin: &str| {
            succeeds(&predict(directory.path(), x, "y.npy", "f64", Some(stdin)));
            values(&open(directory.path().join("y.npy"), None, &Reading::default()))
        };
        let half = |values: Vec<f64>| values.iter().map(|x| x / 2.0 - 3.0).collect::<Vec<_>>();
        assert_eq!(from("-", "tiles.tif"), half(image(ElementType::U8, 0)));
        assert_eq!(from("-:3", "rgb.png"), half(image(ElementType::U8, 2)));
        assert_eq!(from("-:f64", "lz4.parquet"), half(vector(ElementType::F64)));
        assert_eq!(from("-:i32", "zstd.feather"), half(vector(ElementType::I32)));
        assert_eq!(from("-:f64", "zstd.arrows"), half(vector(ElementType::F64)));
        assert_eq!(from("-", "one.arrows"), half(vector(ElementType::F64)));
        assert_eq!(from("-:big", "stored.npz"), half(vector(ElementType::I32)));
        let csv = directory.path().join("x.csv").display().to_string();
        assert_eq!(from("-:b", &csv), [-2.0, -1.0]);
        // Plain numbers that begin as a stream of Arrow's does.
        let ones = directory.path().join("ones");
        fs::write(&ones, [0xff; 8]).unwrap();
        let mut raw = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        raw.current_dir(directory.path()).args([
            "predict",
            "m.json",
            "-",
            "-o",
            "y.npy",
            "--raw-dtype",
            "i32",
        ]);
        succeeds(&raw.args(["--engine", "cpu"]).stdin(fs::File::open(ones).unwrap()).output().unwrap());
        let y = open(directory.path().join("y.npy"), None, &Reading::default());
        assert_eq!(values(&y), [-3.5, -3.5]);
        fails(
            &predict(directory.path(), "-:c", "y.npy", "f32", Some(&csv)),
            &["stdin", "no column \"c\"", "a (0)"],
        );
        fails(&predict(directory.path(), "-", "y.npy", "f32", None), &["stdin", "empty"]);
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        fails(
            &command.args(["fit", "-:a", "-:b"]).stdin(Stdio::null()).output().unwrap(),
            &["both", "stdin"],
        );
    }
}

/// Small good files, with a key where one is needed.
const GOOD: [(&str, Option<&str>); 50] = [
    ("bits-1-tiles.tif", Some("2")),
    ("bits-4-planes.tif", Some("3")),
    ("bits-4.png", None),
    ("mask-tiles.tif", Some("2")),
    ("mask-pages.tif", Some("3")),
    ("stack.tif", Some("3")),
    ("decimals-int.parquet", Some("d9")),
    ("kinds.feather", Some("dictionary")),
    ("kinds.feather", Some("s.q.r")),
    ("kinds.parquet", Some("s.p")),
    ("twice.arrow", Some("1")),
    ("new-types.safetensors", Some("x")),
    ("one.safetensors", None),
    ("one.npz", None),
    ("deflated.npz", Some("columns")),
    ("stored.npz", Some("big")),
    ("lzw-predictor.tif", None),
    ("tiles-u1-deflate.tif", None),
    ("deflate-float-predictor.tif", None),
    ("packbits.tif", None),
    ("strips-u1.tif", None),
    ("bigtiff.tif", None),
    ("zstd.tif", None),
    ("geo.tif", None),
    ("rgb.tif", Some("2")),
    ("pages.tif", Some("3")),
    ("one-v2.parquet", None),
    ("snappy.parquet", Some("i32")),
    ("lz4.feather", Some("i32")),
    ("zstd.feather", Some("f64")),
    ("rgb16.png", Some("2")),
    ("interlaced.png", None),
    ("rgb-4.tif", Some("4")),
    ("rgb-4-lzw.tif", Some("4")),
    ("rgba-deflate.tif", Some("4")),
    ("rgb-6-float.tif", Some("5")),
    ("rgb-5-planar-tiles.tif", Some("5")),
    ("rgb-4-big.tif", Some("4")),
    ("colours-and-grey.tif", Some("5")),
    ("white-is-zero-lzw.tif", None),
    ("nodata-nan.tif", None),
    ("nulls.parquet", Some("x")),
    ("nulls-v2.parquet", Some("u8")),
    ("nulls.feather", Some("t")),
    ("nulls.arrow", Some("mask")),
    ("attributes.parquet", Some("fill")),
    ("attributes.safetensors", Some("a")),
    ("brotli.parquet", Some("f64")),
    ("plain.arrows", Some("f64")),
    ("zstd.arrows", Some("gaps")),
];

/// Reads a damaged file, if it can be read, to the end. Whatever it holds,
/// this must return.
fn survive(path: &Path, bytes: &[u8], key: Option<&str>) -> bool {
    // Some file systems wait for the disk when a file is written over.
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    let reading = Reading { memory_bytes: 1 << 20, ..Reading::default() };
    let matrix = reading.open(&Source { path: path.to_owned(), key: key.map(str::to_owned) });
    match matrix {
        // A damaged shape may promise more than a test should read.
        Ok(matrix) if matrix.len() < 1 << 20 => {
            let nulls = (0..matrix.len()).filter(|&k| matrix.metadata().is_null(k)).count();
            assert_eq!(nulls > 0, matrix.metadata().has_nulls());
            drop(values(&matrix));
        }
        Ok(_) => {}
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains("damaged"), "{text}");
        }
    }
    true
}

#[test]
fn damaged_files_are_refused_or_read() {
    let directory = tempfile::tempdir().unwrap();
    for (name, key) in GOOD {
        let good = fs::read(data().join(name)).unwrap();
        let path = directory.path().join(format!("damaged-{name}"));
        let mut damaged = 0;
        // Every prefix of the first and the last bytes, where headers and
        // directories are, and some in between.
        let near_an_end = |at: usize| at < 300 || at + 300 > good.len();
        for at in (0..good.len()).filter(|&at| near_an_end(at) || at % 61 == 0) {
            damaged += usize::from(survive(&path, &good[..at], key));
            for change in [0x01, 0xff] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                damaged += usize::from(survive(&path, &bytes, key));
            }
        }
        assert!(damaged > 500, "{name}: {damaged}");
        assert!(
            Reading::default()
                .open(&source(&format!("{name}{}", key.map(|key| format!(":{key}")).unwrap_or_default())))
                .is_ok()
        );
    }
}
