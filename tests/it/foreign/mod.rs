//! Files that other people's tools wrote (tests/foreign/make.py), read; and
//! damaged ones, which must be refused or read, whatever is wrong with them.

#[cfg(feature = "parquet")]
mod appended;
mod archives;
#[cfg(feature = "parquet")]
mod batches;
#[cfg(feature = "parquet")]
mod columns;
#[cfg(any(feature = "hdf5", feature = "zarr"))]
mod cubes;
mod damaged;
#[cfg(feature = "hdf5")]
mod hdf5;
mod lengths;
mod masked;
#[cfg(feature = "hdf5")]
mod netcdf;
mod npz;
#[cfg(feature = "png")]
mod png;
#[cfg(feature = "tiff")]
mod profiles;
#[cfg(all(target_os = "linux", feature = "parquet"))]
mod program;
mod raw;
#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
mod results;
mod safetensors;
mod science;
mod text;
#[cfg(feature = "tiff")]
mod tiff;
#[cfg(feature = "zarr")]
mod zarr;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use linfit::array::{Array, DataError, ElementType, Hint, Hinted, Order, Problem, Shape, ValidityRules};
use linfit::io::{Opened, RawLayout, Reading, Source};
use tempfile::TempDir;

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
    // A NaN is equal to itself.
    let bits = |array| -> Vec<u64> { values(array).into_iter().map(f64::to_bits).collect() };
    assert!(bits(&matrix) == bits(&spooled), "{name}");
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

/// The numbers that make.py puts in the bands of images.
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

/// The numbers that make.py puts in the bands of images of so many bits.
#[cfg(any(feature = "png", feature = "tiff"))]
fn packed(bits: u32, band: u64) -> Vec<f64> {
    image(ElementType::U8, band).iter().map(|value| (*value as u64 % (1 << bits)) as f64).collect()
}

/// The numbers that make.py puts in columns and vectors.
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

/// Opens an array, with so little memory that what is decoded goes to a file.
fn open(path: &Path, key: Option<&str>) -> Result<Opened, DataError> {
    let source = Source { path: path.to_owned(), key: key.map(str::to_owned) };
    Reading { memory_bytes: 100, ..Reading::default() }.open(&source)
}

fn open_bytes(directory: &TempDir, name: &str, bytes: &[u8], key: Option<&str>) -> Result<Vec<f64>, String> {
    let path = directory.path().join(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).unwrap();
    let read = || {
        let array = open(&path, key)?;
        let values = values(&array);
        array.check_intact().map(|()| values)
    };
    read().map_err(|error| error.to_string()).inspect_err(|text| {
        assert!(text.contains(name) && !text.contains('\n'), "{text}");
    })
}
