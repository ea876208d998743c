//! Files that hold several arrays: what they claim, what of them is damaged,
//! and how much memory a column of them takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use linfit::array::{Array, DataError, Order};
use linfit::io::{Opened, Reading, Source};
use tempfile::TempDir;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/data")
}

/// Opens an array, with so little memory that what is decoded goes to a file.
fn open(path: &Path, key: Option<&str>) -> Result<Opened, DataError> {
    let source = Source { path: path.to_owned(), key: key.map(str::to_owned) };
    Reading { memory_bytes: 100, ..Reading::default() }.open(&source)
}

fn open_bytes(directory: &TempDir, name: &str, bytes: &[u8], key: Option<&str>) -> Result<Vec<f64>, String> {
    let path = directory.path().join(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).unwrap();
    let opened = open(&path, key).map_err(|error| error.to_string());
    opened.map(|matrix| values(&matrix)).inspect_err(|text| {
        assert!(text.contains(name) && !text.contains('\n'), "{text}");
    })
}

fn values(matrix: &Array) -> Vec<f64> {
    let mut values = vec![f64::NAN; matrix.len()];
    matrix.read(Order::C, 0, &mut values);
    values
}

/// The program, with no more memory than that and a bound on its time.
#[cfg(target_os = "linux")]
mod program {
    use std::process::{Command, Output};

    use super::*;

    /// Runs `linfit` under a limit of address space.
    fn limited(kib: u64, arguments: &[&str], directory: &Path) -> Output {
        let limit = format!("ulimit -v {kib}; exec timeout -s KILL 20 \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limit, "sh"]).arg(assert_cmd::cargo::cargo_bin!("linfit")).args(arguments);
        command.current_dir(directory).output().unwrap()
    }

    /// Each is refused at once, whatever memory it asks for.
    #[cfg(feature = "parquet")]
    #[test]
    fn claims_that_cannot_be_true_are_refused() {
        let folder = data().join("claims");
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 12);
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            // All but a few call their only column a or x.
            for key in ["a", "x", "0"] {
                let begun = Instant::now();
                let argument = format!("{name}:{key}");
                let output = limited(800_000, &["fit", &argument, &argument, "--engine", "cpu"], &folder);
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(2), "{argument}: {stderr}");
                assert!(stderr.lines().count() == 1 && stderr.contains(name), "{stderr}");
                assert!(begun.elapsed() < Duration::from_secs(10), "{argument}: {:?}", begun.elapsed());
                if ["gzip", "lz4", "snappy"].iter().any(|codec| name.starts_with(codec)) && key == "a" {
                    assert!(stderr.contains("makes no more than"), "{stderr}");
                }
                if key == "0" {
                    assert!(
                        stderr.contains("damaged") && stderr.contains("claims")
                            || stderr.contains("booleans"),
                        "{stderr}"
                    );
                }
            }
        }
    }

    /// The most memory that the program held, in KiB, and what it printed.
    #[cfg(feature = "parquet")]
    fn held(arguments: &[&str], directory: &Path) -> (u64, serde_json::Value) {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        let out = fs::File::create(directory.join("out.json")).unwrap();
        let mut child = command.args(arguments).current_dir(directory).stdout(out).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let end = Instant::now() + Duration::from_mins(2);
        let mut most = 0;
        let ended = loop {
            // The system's own mark of the highest level, until it ends.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
            most = mark.and_then(|kib| kib.trim().parse().ok()).unwrap_or(most);
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > end => break None,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        if ended.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(ended.is_some_and(|status| status.success()), "{arguments:?}");
        let out = fs::read_to_string(directory.join("out.json")).unwrap();
        (most, serde_json::from_str(&out).unwrap())
    }

    /// A batch, however large, is not held: --memory and 64 MB suffice.
    #[cfg(feature = "parquet")]
    #[test]
    fn one_large_batch_takes_no_memory_of_its_size() {
        use std::sync::Arc;

        use arrow_array::{ArrayRef, Float64Array, RecordBatch};
        use arrow_ipc::CompressionType;
        use arrow_ipc::writer::{FileWriter, IpcWriteOptions};

        const ROWS: u32 = 4 << 20;
        let directory = tempfile::tempdir().unwrap();
        let x = |k: u32| f64::from(k.wrapping_mul(2_654_435_761) >> 8);
        let column = |of: &dyn Fn(u32) -> Option<f64>| -> ArrayRef {
            Arc::new((0..ROWS).map(of).collect::<Float64Array>())
        };
        let batch = RecordBatch::try_from_iter([
            ("x", column(&|k| Some(x(k)))),
            ("t", column(&|k| Some(2.0 * x(k) + 1.0).filter(|_| k % 8 > 0))),
            ("u", column(&|k| Some(2.0 * x(k) + 1.0))),
        ]);
        let batch = batch.unwrap();
        for (name, compression) in [
            ("plain", None),
            ("lz4", Some(CompressionType::LZ4_FRAME)),
            ("zstd", Some(CompressionType::ZSTD)),
        ] {
            let file = fs::File::create(directory.path().join(format!("{name}.arrow"))).unwrap();
            let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
            let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            drop(writer);
            for (t, n) in [("u", ROWS), ("t", ROWS / 8 * 7)] {
                let (x, t) = (format!("{name}.arrow:x"), format!("{name}.arrow:{t}"));
                let line =
                    ["fit", &x, &t, "--solver", "exact", "--engine", "cpu", "--memory", "4MiB", "--json"];
                let (kib, report) = held(&line, directory.path());
                assert!(kib > 1024 && kib < (4 + 64) * 1024, "{x} {t}: {kib} KiB");
                assert_eq!((report["n"].as_u64(), report["weight"].as_f64()), (Some(n.into()), Some(2.0)));
            }
        }
    }
}

#[cfg(feature = "parquet")]
mod columns {
    use super::*;

    #[test]
    fn a_replaced_dictionary_is_refused_in_a_file_and_right_in_a_stream() {
        let error = open(&data().join("replaced.arrow"), None).unwrap_err().to_string();
        assert!(error.contains("one dictionary replaces another"), "{error}");
        let stream = open(&data().join("replaced.arrows"), None).unwrap();
        assert_eq!(values(&stream), [10.0, 20.0, 20.0, 40.0, 30.0, 40.0]);
    }

    #[test]
    fn what_is_added_to_a_dictionary_is_looked_up() {
        for name in ["delta.arrow", "delta.arrows"] {
            let matrix = open(&data().join(name), None).unwrap();
            assert_eq!(values(&matrix), [10.0, 20.0, 20.0, 40.0, 30.0, 40.0], "{name}");
        }
    }

    /// Columns before it have none, one, two, three or any number of buffers.
    #[test]
    fn a_column_is_found_behind_others_of_every_layout() {
        for name in ["beside-plain.arrow", "beside-lz4.arrow", "beside-zstd.arrow", "beside.arrows"] {
            let file = data().join(name);
            let x = open(&file, Some("x")).unwrap();
            assert_eq!(values(&x), (0..20).map(|k| f64::from(k) * 3.0).collect::<Vec<_>>(), "{name}");
            let field = open(&file, Some("s.x")).unwrap();
            let is_null = |k: usize| k.is_multiple_of(4) || k % 10 == 3;
            assert!((0..20).all(|k| field.metadata().is_null(k) == is_null(k)), "{name}");
            let want = |k: usize| if is_null(k) { 0.0 } else { k as f64 * 2.0 };
            assert_eq!(values(&field), (0..20).map(want).collect::<Vec<_>>(), "{name}");
            let bits = open(&file, Some("bool")).unwrap();
            assert_eq!(
                values(&bits),
                (0..20).map(|k| f64::from(u8::from(k % 3 == 0))).collect::<Vec<_>>(),
                "{name}"
            );
        }
    }

    /// What stands in a file as it does in memory is neither copied nor held.
    #[test]
    fn a_plain_column_of_one_batch_is_mapped() {
        let plain = open(&data().join("beside-plain.arrow"), Some("x")).unwrap();
        assert!(!plain.is_spooled());
        let packed = open(&data().join("beside-lz4.arrow"), Some("x")).unwrap();
        assert!(packed.is_spooled());
    }

    /// Arrow lets anything stand in the place of a null.
    #[test]
    fn digits_under_a_null_are_not_counted() {
        use std::sync::Arc;

        use arrow_array::{Array as _, ArrayRef, Decimal128Array, DictionaryArray, Int8Array, RecordBatch};
        use arrow_ipc::writer::FileWriter;

        const LONG: i128 = (1 << 53) + 1;
        let directory = tempfile::tempdir().unwrap();
        let whole = Decimal128Array::from(vec![LONG, 7, LONG, LONG]);
        let gaps = Decimal128Array::from(vec![Some(1), Some(1), None, None]);
        let parts = whole.into_data().into_builder().nulls(gaps.nulls().cloned());
        let values: ArrayRef = Arc::new(Decimal128Array::from(parts.build().unwrap()));
        let keys = Int8Array::from(vec![Some(0), Some(0), Some(1), Some(2), None, Some(0)]);
        let looked_up: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::clone(&values)));
        for (column, want) in [(values, "1 of 4 decimals"), (looked_up, "3 of 6 decimals")] {
            let batch = RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap();
            let path = directory.path().join("x.arrow");
            let mut writer = FileWriter::try_new(fs::File::create(&path).unwrap(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            let notes: Vec<String> =
                open(&path, None).unwrap().metadata().notes().iter().map(ToString::to_string).collect();
            assert!(notes.len() == 1 && notes[0].starts_with(want), "{notes:?}");
        }
    }

    /// A file whose footer names each of its row groups so many times.
    fn named_again(rows: usize, times: usize) -> Vec<u8> {
        use std::sync::Arc;

        use arrow_array::{ArrayRef, Float64Array, RecordBatch};
        use parquet::arrow::ArrowWriter;
        use parquet::file::metadata::{ParquetMetaDataBuilder, ParquetMetaDataWriter};

        let column: ArrayRef = Arc::new(Float64Array::from(vec![3.0; rows]));
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let metadata = writer.close().unwrap();
        let groups = vec![metadata.row_groups().to_vec(); times].concat();
        let metadata = ParquetMetaDataBuilder::new_from_metadata(metadata).set_row_groups(groups).build();
        ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().unwrap();
        bytes
    }

    #[test]
    fn row_groups_that_share_their_bytes_have_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = named_again(1 << 20, 9);
        assert!(bytes.len() < 10_000, "{}", bytes.len());
        let error = open_bytes(&directory, "x.parquet", &bytes, None).unwrap_err();
        assert!(error.contains("9 row groups claim 9437184 rows, and share"), "{error}");
        assert_eq!(open_bytes(&directory, "x.parquet", &named_again(1000, 2), None).unwrap(), [3.0; 2000]);
        // Rows that are many and have bytes of their own.
        let many = open_bytes(&directory, "x.parquet", &named_again(9 << 20, 1), None).unwrap();
        assert_eq!(many.len(), 9 << 20);
    }

    /// The length before a compressed buffer, as it is and as it may claim.
    #[test]
    fn a_buffer_has_the_length_that_it_claims() {
        let directory = tempfile::tempdir().unwrap();
        for (name, magic) in
            [("lz4.feather", [0x04, 0x22, 0x4d, 0x18]), ("zstd.feather", [0x28, 0xb5, 0x2f, 0xfd])]
        {
            let good = fs::read(data().join(name)).unwrap();
            let places: Vec<usize> =
                (8..good.len()).filter(|&at| good[at..].starts_with(&magic)).map(|at| at - 8).collect();
            assert!(!places.is_empty(), "{name}");
            let (mut refused, mut claims) = (0, 0);
            for at in places {
                let length = i64::from_le_bytes(good[at..at + 8].try_into().unwrap());
                assert!((1..10_000).contains(&length), "{length}");
                let read = |claim: i64, key: &str| {
                    let mut bytes = good.clone();
                    bytes[at..at + 8].copy_from_slice(&claim.to_le_bytes());
                    open_bytes(&directory, name, &bytes, Some(key))
                };
                // A buffer of another column may claim anything.
                for key in ["i32", "f64"].into_iter().filter(|key| read(-2, key).is_err()) {
                    assert_eq!(read(length, key).unwrap().len(), 300);
                    for claim in [length + 1, length - 1, length * 200, 84_000_000_000, i64::MAX, i64::MIN, 0]
                    {
                        refused += usize::from(read(claim, key).is_err());
                        claims += 1;
                    }
                }
            }
            assert!(claims > 0 && refused == claims, "{name}: {refused} of {claims}");
        }
    }
}

mod archives {
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    /// A `.npy` file of the f64 numbers 0, 1, …
    fn npy(count: u16) -> Vec<u8> {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({count},), }}");
        let header = format!("{header:117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend((0..count).flat_map(|k| f64::from(k).to_le_bytes()));
        bytes
    }

    fn archive(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn numbers(count: u16) -> Vec<f64> {
        (0..count).map(f64::from).collect()
    }

    /// Whichever byte of an archive is another, the numbers are the same or
    /// there are none.
    #[test]
    fn a_changed_byte_is_never_another_number() {
        let directory = tempfile::tempdir().unwrap();
        for (method, count) in [(CompressionMethod::Stored, 40), (CompressionMethod::Deflated, 200)] {
            let good = archive(&[("x.npy", &npy(count))], method);
            assert_eq!(open_bytes(&directory, "a.npz", &good, None), Ok(numbers(count)));
            let (mut refused, mut by_sum) = (0, 0);
            for at in 0..good.len() {
                for change in [0x01, 0x80, 0xff] {
                    let mut bytes = good.clone();
                    bytes[at] ^= change;
                    match open_bytes(&directory, "a.npz", &bytes, None) {
                        Ok(values) => assert_eq!(values, numbers(count), "byte {at} ^ {change}"),
                        Err(text) => {
                            refused += 1;
                            by_sum += usize::from(text.contains("its array x is damaged"));
                        }
                    }
                }
            }
            assert!(refused > 500 && by_sum > 300, "{method}: {refused}, {by_sum}");
        }
    }

    /// Of an array of several parts whose sums are put together.
    #[test]
    fn the_sum_is_of_every_byte() {
        let directory = tempfile::tempdir().unwrap();
        let mut member = npy(1000);
        // Bytes after the data are nobody's, but in the sum.
        member.resize((9 << 20) + 7, 0x55);
        let good = archive(&[("x.npy", &member), ("y.npy", &npy(3))], CompressionMethod::Stored);
        assert_eq!(open_bytes(&directory, "long.npz", &good, Some("x")), Ok(numbers(1000)));
        let start = good.windows(6).position(|bytes| bytes == b"\x93NUMPY").unwrap();
        for at in [9_000, 4 << 20, (4 << 20) - 1, (8 << 20) + 5, (9 << 20) + 6] {
            let mut bytes = good.clone();
            bytes[start + at] ^= 0x10;
            let text = open_bytes(&directory, "long.npz", &bytes, Some("x")).unwrap_err();
            assert!(text.contains("its array x is damaged") && text.contains("checksum"), "{at}: {text}");
            assert_eq!(open_bytes(&directory, "long.npz", &bytes, Some("y")), Ok(numbers(3)));
        }
    }

    /// The directory's lengths of a member: 4 bytes each before its name.
    #[test]
    fn a_member_has_the_length_that_the_archive_claims() {
        let directory = tempfile::tempdir().unwrap();
        let long = [npy(20), vec![0; 5_000_000]].concat();
        for (method, member) in [
            (CompressionMethod::Stored, npy(20)),
            (CompressionMethod::Deflated, npy(20)),
            (CompressionMethod::Deflated, long),
        ] {
            let good = archive(&[("x.npy", &member)], method);
            let entry = (0..good.len()).rev().find(|&at| good[at..].starts_with(b"PK\x01\x02")).unwrap();
            assert_eq!(
                u32::from_le_bytes(good[entry + 24..][..4].try_into().unwrap()) as usize,
                member.len()
            );
            for length in
                [0, 100, 300, member.len() as u32 - 1, member.len() as u32 + 1, 1 << 31, u32::MAX - 1]
            {
                let mut bytes = good.clone();
                bytes[entry + 24..][..4].copy_from_slice(&length.to_le_bytes());
                let result = open_bytes(&directory, "lies.npz", &bytes, None);
                assert!(result.is_err() || result == Ok(numbers(20)), "{method} {length}: {result:?}");
                if method == CompressionMethod::Deflated && (300..member.len() as u32).contains(&length) {
                    assert!(result.is_err(), "{length} of {}", member.len());
                }
            }
        }
    }
}

/// Lengths of 2^63 and the like where a length stands.
#[test]
fn headers_longer_than_their_file_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 32, 100] {
        let bytes = [
            &length.to_le_bytes()[..],
            b"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            &[0; 4],
        ];
        let text = open_bytes(&directory, "long.safetensors", &bytes.concat(), None).unwrap_err();
        assert!(text.contains("not a valid .safetensors file"), "{text}");
    }
    for offsets in
        ["[0,18446744073709551615]", "[18446744073709551612,18446744073709551615]", "[4,0]", "[0,5]"]
    {
        for shape in ["[1]", "[4611686018427387904,4]", "[18446744073709551615,18446744073709551615]"] {
            let header =
                format!("{{\"x\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}");
            let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
            open_bytes(&directory, "offsets.safetensors", &bytes, None).unwrap_err();
        }
    }
    for version in [2, 3] {
        for length in [u32::MAX, 1 << 31, 10_001] {
            let bytes = [b"\x93NUMPY", &[version, 0][..], &length.to_le_bytes(), &[b' '; 64]].concat();
            let text = open_bytes(&directory, "long.npy", &bytes, None).unwrap_err();
            assert!(text.contains("longer than"), "{text}");
        }
    }
}

/// Small good files that are changed at random, and the array to read.
const GOOD: [(&str, Option<&str>); 16] = [
    ("one.npz", None),
    ("deflated.npz", Some("columns")),
    ("one.safetensors", None),
    ("new-types.safetensors", Some("x")),
    ("one-v2.parquet", None),
    ("snappy.parquet", Some("i32")),
    ("gzip.parquet", Some("f64")),
    ("brotli.parquet", Some("f64")),
    ("decimals-int.parquet", Some("d9")),
    ("nulls-v2.parquet", Some("u8")),
    ("kinds.parquet", Some("s.p")),
    ("delta.arrow", None),
    ("replaced.arrows", None),
    ("beside-lz4.arrow", Some("s.x")),
    ("beside-plain.arrow", Some("x")),
    ("zstd.arrows", Some("gaps")),
];

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Nothing but an error or numbers, in a time that is bounded.
#[test]
fn files_with_random_changes_are_refused_or_read() {
    const CHANGED: usize = 300;
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(11);
    for (name, key) in GOOD {
        if !cfg!(feature = "parquet") && !name.contains(".npz") && !name.contains(".safetensors") {
            continue;
        }
        let good = fs::read(data().join(name)).unwrap();
        let whole = open_bytes(&directory, name, &good, key).unwrap();
        let mut refused = 0;
        for _ in 0..CHANGED {
            let mut bytes = good.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = random.below(256) as u8,
                    2 => bytes[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let begun = Instant::now();
            match open_bytes(&directory, name, &bytes, key) {
                Ok(values) if name.contains(".npz") => assert_eq!(values, whole, "{name}"),
                Ok(_) => {}
                Err(_) => refused += 1,
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{name}: {:?}", begun.elapsed());
        }
        assert!(refused > CHANGED / 20, "{name}: {refused}");
    }
}
