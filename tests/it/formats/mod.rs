//! Files of every format, good and bad, as `linfit::io` reads and writes them.

mod npy;
mod npy_refused;
mod npy_writer;
mod pairs;
mod random;
mod text;
mod text_refused;

use std::fs;
use std::path::Path;

use linfit::array::{Array, DataError, ElementType, Order, Problem, Shape, with_element};
use linfit::io::npy as npy_file;
use linfit::io::{Note, Opened, Source, open, open_pair};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::common::{DTYPES, Dtype, Endian, Npy, Number, Parsed, column_major, header, parse_npy, to_f32};

const ORDERS: [Order; 2] = [Order::C, Order::Fortran];
const ENDIANS: [Endian; 2] = [Endian::Little, Endian::Big];
/// One shape for each number of dimensions, with extents of 1 among them.
const SHAPES: [&[u64]; 7] = [&[], &[7], &[3, 5], &[1, 9], &[2, 3, 4], &[3, 1, 2, 4], &[2, 3, 1, 2, 3]];

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn source(path: &Path, key: Option<&str>) -> Source {
    Source { path: path.to_owned(), key: key.map(str::to_owned) }
}

/// Writes a file and opens it.
fn open_bytes(path: &Path, bytes: &[u8], key: Option<&str>) -> Result<Opened, DataError> {
    fs::write(path, bytes).unwrap();
    open(&source(path, key))
}

fn values(matrix: &Array) -> Vec<f64> {
    let mut values = vec![f64::NAN; matrix.len()];
    matrix.read(Order::C, 0, &mut values);
    values
}

/// Checks what every error message promises: at most two lines, each short
/// enough to read, that name the file and hold the words of this case.
fn assert_message(case: &str, error: &DataError, file: &str, words: &[&str]) {
    let message = error.to_string();
    assert!(!words.is_empty(), "{case}: the case says nothing of its message");
    assert!(message.lines().count() <= 2, "{case}: {message}");
    assert!(message.chars().count() <= 1000, "{case}: {message}");
    assert!(!message.chars().any(|c| c.is_control() && c != '\n'), "{case}: {message:?}");
    for word in words.iter().chain([&file]) {
        assert!(message.contains(word), "{case}: {word:?} is not in: {message}");
    }
}

/// The fault of a file, its name and bytes, the key it is opened with, and
/// words that the message must hold.
type BadFile<'a> = (&'a str, &'a str, Vec<u8>, Option<&'a str>, &'a [&'a str]);

/// Opens each file as X and T and checks the message of the error it must give.
fn assert_refused(cases: &[BadFile]) {
    assert!(!cases.is_empty());
    let directory = directory();
    for (case, name, bytes, key, words) in cases {
        // An array without elements can be predicted from.
        let open = || open_bytes(&directory.path().join(name), bytes, *key);
        match open().and_then(|x| Problem::pair(x, open()?)) {
            Ok(data) => panic!("{case}: opened as {data:?}"),
            Err(error) => assert_message(case, &error, name, words),
        }
    }
}

/// Every part of a good file, from nothing to all but its last byte.
fn prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|end| &bytes[..end])
}
