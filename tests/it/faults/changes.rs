//! Files that change while they are read.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use crate::faults::{Lab, Running, append, chosen, make_fifo, ran, random, truncate};

/// Formats whose files are mapped: every pass reads them again.
const MAPPED: [&str; 6] = ["npy", "npz", "tif", "safetensors", "raw", "arrow"];

/// Formats that are decoded once, whose files may go afterwards.
const DECODED: [&str; 3] = ["csv", "parquet", "tsv"];

/// 10,007 f32 and a header end within a page.
const ELEMENTS: usize = 10_007;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Cut off so many bytes.
    Shorten(u64),
    /// All but so many.
    Leave(u64),
    Grow(u64),
    /// Write so many bytes, at that part of 8 of the file.
    Write(u64, u64),
    /// Write what is there.
    Rewrite,
    Replace,
    Delete,
    /// Take away and put back.
    ShortenAndRestore,
}

const FAULTS: [Fault; 16] = [
    Fault::Shorten(1),
    Fault::Shorten(4),
    Fault::Shorten(100),
    Fault::Shorten(3000),
    Fault::Shorten(20_000),
    Fault::Leave(4096),
    Fault::Leave(100),
    Fault::Leave(0),
    Fault::Grow(1),
    Fault::Grow(8192),
    Fault::Write(4, 4),
    Fault::Write(1, 7),
    Fault::Rewrite,
    Fault::Replace,
    Fault::ShortenAndRestore,
    Fault::Delete,
];

impl Fault {
    fn strike(self, path: &Path) {
        let bytes = fs::metadata(path).unwrap().len();
        match self {
            Self::Shorten(count) => truncate(path, bytes - count.min(bytes)),
            Self::Leave(count) => truncate(path, count),
            Self::Grow(count) => append(path, &vec![0; usize::try_from(count).unwrap()]),
            Self::Write(count, eighth) => {
                let mut file = File::options().write(true).open(path).unwrap();
                file.seek(SeekFrom::Start(bytes / 8 * eighth)).unwrap();
                file.write_all(&vec![0x3f; usize::try_from(count).unwrap()]).unwrap();
            }
            Self::Rewrite => {
                let all = fs::read(path).unwrap();
                File::options().write(true).open(path).unwrap().write_all(&all).unwrap();
            }
            Self::Replace => {
                fs::copy(path, path.with_extension("new")).unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            }
            Self::Delete => fs::remove_file(path).unwrap(),
            Self::ShortenAndRestore => {
                let all = fs::read(path).unwrap();
                truncate(path, bytes - 10);
                append(path, &all[all.len() - 10..]);
            }
        }
    }

    /// The words of the error.
    fn told(self) -> &'static str {
        match self {
            Self::Shorten(_) | Self::Leave(_) => "the file shrank while it was read",
            Self::Grow(_) | Self::Write(..) | Self::Rewrite | Self::ShortenAndRestore => {
                "the file was written to while it was read"
            }
            Self::Replace => "another file took its place while it was read",
            Self::Delete => "",
        }
    }
}

/// `x` and `t` in a format, and the arguments that read them.
fn pair_in(lab: &Lab, format: &str) -> String {
    for name in ["x", "t"] {
        if format != "npy" {
            lab.run(&format!("predict same.json {name}.npy -o {name}.{format} --engine cpu")).succeeds();
        }
    }
    match format {
        "raw" => "--raw-dtype f32".to_owned(),
        _ => String::new(),
    }
}

/// A descent that goes on until something stops it.
#[test]
fn a_fit_of_a_changed_file_ends_and_names_it() {
    let engines = ["--engine cpu", "--engine reference", "--engine cpu --memory 1KB"];
    let mut cases = Vec::new();
    for format in MAPPED {
        for engine in engines {
            for fault in FAULTS {
                for name in ["x", "t"] {
                    cases.push((format, engine, fault, name));
                }
            }
        }
    }
    let cases = chosen(cases, 48);
    for &(format, engine, fault, name) in &cases {
        let lab = Lab::with_pair(ELEMENTS);
        let how = pair_in(&lab, format);
        let line = format!(
            "fit x.{format} t.{format} {how} {engine} -v --lr 1e-9 --steps 100000000000 --save out.json"
        );
        let mut running = Running::start(&mut lab.command(&line), &line);
        running.says("step 0: ");
        let file = format!("{name}.{format}");
        let before = lab.names();
        fault.strike(&lab.path(&file));
        if fault == Fault::Delete {
            // What is read is still the file that was opened.
            let status = running.ends_within(Duration::from_millis(200));
            assert_eq!(status, None, "{line}: {fault:?}");
            running.signal("INT");
            assert_eq!(running.end().code, Some(130), "{line}: {fault:?}");
            continue;
        }
        let ended = running.end();
        // Between the two a pass may have ended.
        let is_halfway = fault == Fault::ShortenAndRestore && ended.stderr.contains("shrank");
        ended.ends_refused(&[&format!("{file}: "), if is_halfway { "shrank" } else { fault.told() }]);
        assert_eq!(lab.names(), before, "{line}: {fault:?}");
    }
    ran("fits of changing files", cases.len());
}

/// A pass that is held up half way, by the reader of its output.
#[test]
fn predictions_from_a_changed_file_end_and_name_it() {
    let mut cases = Vec::new();
    // So many elements are several batches of Arrow's, which are decoded.
    for format in MAPPED.into_iter().filter(|format| *format != "arrow") {
        for fault in FAULTS {
            for dtype in ["f32", "f64"] {
                cases.push((format, fault, dtype));
            }
        }
    }
    let cases = chosen(cases, 15);
    for &(format, fault, dtype) in &cases {
        // A chunk of predictions and a bit.
        let lab = Lab::with_pair((1 << 20) + 5);
        let how = pair_in(&lab, format);
        make_fifo(&lab.path("y.bin"));
        let line = format!("predict m.json x.{format} {how} -o y.bin --dtype {dtype} --engine cpu");
        let running = Running::start(&mut lab.command(&line), &line);
        let mut pipe = File::open(lab.path("y.bin")).unwrap();
        let mut start = vec![0; 1 << 16];
        pipe.read_exact(&mut start).unwrap();
        fault.strike(&lab.path(&format!("x.{format}")));
        let mut rest = Vec::new();
        pipe.read_to_end(&mut rest).unwrap();
        if fault == Fault::Delete {
            running.end().succeeds();
            let size = if dtype == "f32" { 4 } else { 8 };
            assert_eq!(start.len() + rest.len(), ((1 << 20) + 5) * size);
        } else {
            running.end().ends_refused(&[&format!("x.{format}: "), fault.told()]);
        }
    }
    ran("predictions from changing files", cases.len());
}

/// Elements that were decoded to memory or to a temporary file are not read again.
#[test]
fn decoded_files_may_change_once_they_are_read() {
    let mut cases = Vec::new();
    for format in DECODED {
        for memory in ["", "--memory 1KB"] {
            for fault in [Fault::Leave(0), Fault::Write(4, 4), Fault::Replace, Fault::Delete] {
                cases.push((format, memory, fault));
            }
        }
    }
    let cases = chosen(cases, 8);
    for &(format, memory, fault) in &cases {
        let lab = Lab::with_pair(ELEMENTS);
        pair_in(&lab, format);
        let fit = format!("fit x.{format} t.{format} {memory} --engine cpu --lr 1e-3 --json");
        let right = lab.run(&format!("{fit} --steps 0")).succeeds().stdout;
        let line = format!("{fit} -v --steps 100000000000");
        let mut running = Running::start(&mut lab.command(&line), &line);
        running.says("step 0: ");
        fault.strike(&lab.path(&format!("x.{format}")));
        std::thread::sleep(Duration::from_millis(50));
        running.signal("INT");
        let ended = running.end();
        assert_eq!(ended.code, Some(130), "{ended:?}");
        // The least-squares line is of the moments, whatever the steps.
        let line = |json: &str| {
            let json: serde_json::Value = serde_json::from_str(json).unwrap();
            (json["least_squares"].clone(), json["statistics"]["r2"].clone())
        };
        assert_eq!(line(&ended.stdout), line(&right), "{ended:?}");
    }
    ran("decoded files", cases.len());
}

/// At any moment: while it is opened, checked, read, or after all.
#[test]
fn a_file_that_shrinks_at_any_moment_never_gives_another_line() {
    let mut cases = Vec::new();
    for format in MAPPED.into_iter().chain(["csv", "parquet", "png"]) {
        for engine in ["--engine cpu", "--engine reference", "--engine cpu --memory 64KB"] {
            for trial in 0..10 {
                cases.push((format, engine, trial));
            }
        }
    }
    let cases = chosen(cases, 27);
    let (mut state, mut refused, mut undisturbed) = (0x9e37_79b9_7f4a_7c15, 0, 0);
    for &(format, engine, trial) in &cases {
        let lab = Lab::with_pair(20 * ELEMENTS);
        let how = if format == "png" {
            lab.run("generate -x x.npy -t t.npy --shape 640x600 --dtype u16 --weight 0.5").succeeds();
            for name in ["x", "t"] {
                lab.run(&format!("predict same.json {name}.npy -o {name}.png --dtype u16")).succeeds();
            }
            String::new()
        } else {
            pair_in(&lab, format)
        };
        let fit = format!("fit x.{format} t.{format} {how} {engine} --solver exact --json");
        let started = std::time::Instant::now();
        let right: serde_json::Value = serde_json::from_str(&lab.run(&fit).succeeds().stdout).unwrap();
        let span = started.elapsed();
        let running = Running::start(&mut lab.command(&fit), &fit);
        std::thread::sleep(span.mul_f64(random(&mut state, 1000) as f64 / 900.0));
        let cut = 1 + random(&mut state, [4, 1000, 100_000][trial % 3]);
        Fault::Shorten(cut).strike(&lab.path(&format!("t.{format}")));
        let ended = running.end();
        if ended.code == Some(0) {
            let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            for field in ["weight", "bias", "n"] {
                assert_eq!(found[field], right[field], "{fit}: {cut} bytes less");
            }
            undisturbed += 1;
        } else if format == "csv" {
            // Text that was cut off before it was opened has fewer rows.
            assert_eq!(ended.code, Some(2), "{ended:?}");
            refused += 1;
        } else {
            ended.ends_refused(&[&format!("t.{format}")]);
            refused += 1;
        }
    }
    eprintln!("faults: {refused} refused, {undisturbed} too late to matter");
    ran("files that shrink at any moment", cases.len());
}
