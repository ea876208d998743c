//! Columns of Parquet and Arrow files.

use linfit::array::Excluded;

use linfit::engine::{Cpu, Engine, Reference};
use linfit::math::Affine;

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
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"i32\x15\x02")).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[at + 4] = 6);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lzo.parquet");
    fs::write(&path, bytes).unwrap();
    let open = |key: &str| Reading::default().open(&Source { path: path.clone(), key: Some(key.to_owned()) });
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
        for (key, element) in [("0", ElementType::I32), ("1", ElementType::F32), ("2", ElementType::I16)] {
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
            assert!((0..matrix.len()).all(|k| matrix.metadata().is_null(k) == is_null(k)), "{file}:{name}");
            let counted = |values: Vec<f64>| -> Vec<f64> {
                values.into_iter().enumerate().filter(|(k, _)| !is_null(*k)).map(|(_, value)| value).collect()
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

/// The places at which make.py has nulls in the columns x, u8 and nan, and in t and mask.
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
fn nulls_are_missing() {
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

        // −43 is X at place 1, and its nodata value.
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
        let is_missing = |k: usize| x_is_null(k) || k == 40;
        assert!((0..LENGTH as usize).all(|k| validity.contains(k) != is_missing(k)), "{file}");
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
        is_refused(&format!("kinds.{kind}:s"), &["fields", "kinds", "name one of them as s.FIELD", "p, q"]);
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
