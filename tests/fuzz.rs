//! The fuzzers' work (`fuzz/run.sh`) on files that are known: the seeds,
//! every file that once made a reader fail, and some thousands of damaged
//! copies. Memory is bounded as it is there, so that a reader that believes a
//! false length ends this program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

#[path = "../fuzz/lib.rs"]
mod fuzz;

use fuzz::Case;

#[global_allocator]
static ALLOCATOR: fuzz::Bounded = fuzz::Bounded;

/// The endings of all kinds of files, longest first where one ends in another.
const EXTENSIONS: [&str; 15] = [
    "model.json",
    "model.safetensors",
    "baseline.json",
    "npy",
    "npz",
    "safetensors",
    "raw",
    "csv",
    "tsv",
    "tif",
    "png",
    "parquet",
    "arrow",
    "arrows",
    "feather",
];

/// The longest that a reader may take for a small file.
const LIMIT: Duration = Duration::from_secs(10);

fn files(directory: &str) -> Vec<(&'static str, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(&root).expect("a directory of the repository");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a file of the repository").path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let extension =
                EXTENSIONS.into_iter().find(|extension| name.ends_with(&format!(".{extension}")))?;
            Some((extension, path))
        })
        .collect();
    files.sort();
    files
}

fn run(case: &Case, bytes: &[u8], what: &dyn std::fmt::Display) {
    let started = Instant::now();
    case.run(bytes);
    let took = started.elapsed();
    assert!(took < LIMIT, "{what}: {took:?}");
}

#[test]
fn files_that_once_failed_are_refused_or_read() {
    let directory = tempfile::tempdir().unwrap();
    let files = files("fuzz/reproducers");
    assert!(!files.is_empty());
    for (extension, path) in files {
        run(&Case::new(directory.path(), extension), &fs::read(&path).unwrap(), &path.display());
    }
}

/// Seeded, so that a failure comes back: a byte set, a bit turned, a length or
/// offset made huge, a piece cut out, repeated, or put elsewhere.
#[test]
fn damaged_seeds_are_refused_or_read() {
    const DAMAGED: u64 = 12;
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<_> = [files("fuzz/seeds"), files("tests/foreign/data")].concat();
    assert!(files.len() > 100, "{}", files.len());
    for (extension, path) in files {
        let good = fs::read(&path).unwrap();
        let case = Case::new(directory.path(), extension);
        run(&case, &good, &path.display());
        for seed in 0..DAMAGED {
            let bytes = damaged(&good, &mut Pcg64Mcg::seed_from_u64(seed));
            run(&case, &bytes, &format_args!("{}, seed {seed}", path.display()));
        }
    }
}

fn damaged(good: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..random.random_range(1..4) {
        if bytes.len() < 8 {
            break;
        }
        let at = random.random_range(0..bytes.len() - 4);
        let length = random.random_range(1..=(bytes.len() - at).min(64));
        match random.random_range(0..6) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at..at + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes()),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let to = random.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}
