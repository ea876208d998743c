//! The program, with a bound on its memory and its time.

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
#[test]
fn claims_that_cannot_be_true_are_refused() {
    let folder = data().join("claims");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
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
                    stderr.contains("damaged") && stderr.contains("claims") || stderr.contains("booleans"),
                    "{stderr}"
                );
            }
        }
    }
}

/// The most memory that the program held, in KiB, and what it printed.
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
    for (name, compression) in
        [("plain", None), ("lz4", Some(CompressionType::LZ4_FRAME)), ("zstd", Some(CompressionType::ZSTD))]
    {
        let file = fs::File::create(directory.path().join(format!("{name}.arrow"))).unwrap();
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        for (t, n) in [("u", ROWS), ("t", ROWS / 8 * 7)] {
            let (x, t) = (format!("{name}.arrow:x"), format!("{name}.arrow:{t}"));
            let line = ["fit", &x, &t, "--solver", "exact", "--engine", "cpu", "--memory", "4MiB", "--json"];
            let (kib, report) = held(&line, directory.path());
            assert!(kib > 1024 && kib < (4 + 64) * 1024, "{x} {t}: {kib} KiB");
            assert_eq!((report["n"].as_u64(), report["weight"].as_f64()), (Some(n.into()), Some(2.0)));
        }
    }
}

/// Nor is a page, however it is compressed, with or without nulls.
#[test]
fn one_large_page_takes_no_memory_of_its_size() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::{WriterProperties, WriterVersion};

    const ROWS: u32 = 9 << 20;
    let directory = tempfile::tempdir().unwrap();
    let x = |k: u32| f64::from(k.wrapping_mul(2_654_435_761) >> 20);
    // The same numbers in a file that is mapped.
    let shape = linfit::array::Shape(vec![ROWS.into()]);
    let path = directory.path().join("x.npy");
    let mut npy =
        linfit::io::npy::NpyWriter::create(&path, &shape, linfit::array::ElementType::F64, Order::C).unwrap();
    npy.write(&(0..ROWS).map(x).collect::<Vec<_>>()).unwrap();
    npy.finish().unwrap();
    for (compression, version, has_nulls) in [
        (Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0, false),
        (Compression::SNAPPY, WriterVersion::PARQUET_1_0, true),
        (Compression::ZSTD(ZstdLevel::default()), WriterVersion::PARQUET_2_0, true),
        (Compression::LZ4_RAW, WriterVersion::PARQUET_2_0, false),
    ] {
        let some = |k| Some(x(k)).filter(|_| !has_nulls || k % 8 > 0);
        let column: ArrayRef = Arc::new((0..ROWS).map(some).collect::<Float64Array>());
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(compression)
            .set_dictionary_enabled(false)
            .set_encoding(parquet::basic::Encoding::PLAIN)
            .set_data_page_size_limit(1 << 30)
            .set_data_page_row_count_limit(1 << 30)
            .set_max_row_group_row_count(Some(1 << 30))
            .build();
        let file = fs::File::create(directory.path().join("x.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        drop(batch);
        let line = "fit x.parquet:x x.npy --solver exact --engine cpu --memory 4MiB --json";
        let (kib, report) = held(&line.split(' ').collect::<Vec<_>>(), directory.path());
        assert!(kib > 1024 && kib < (4 + 64) * 1024, "{compression}: {kib} KiB");
        let n = if has_nulls { ROWS / 8 * 7 } else { ROWS };
        assert_eq!(report["n"].as_u64(), Some(n.into()), "{compression}");
        let found = ["weight", "bias", "loss"].map(|field| report[field].as_f64().unwrap());
        assert_eq!(found, [1.0, 0.0, 0.0], "{compression}");
    }
}
