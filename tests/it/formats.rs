//! Files of every format, good and bad, as `linfit::data` reads and writes
//! them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::fs;
use std::path::Path;

use crate::common::{DTYPES, to_f32};
use crate::common::{Dtype, Endian, Npy, Number, Parsed, column_major, header, parse_npy};
use linfit::array::{Array, DataError, ElementType, Order, Problem, Shape, with_element};
use linfit::io::npy;
use linfit::io::{Note, Opened, Source, open, open_pair};
use proptest::prelude::*;
use tempfile::TempDir;

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

// ---------------------------------------------------------------- .npy, good

/// Reads a matrix whose row-major element k is `numbers[k]` in every way.
fn assert_reads(matrix: &Array, dtype: Dtype, shape: &[u64], numbers: &[Number], case: &str) {
    let columns: Vec<Number> = column_major(shape).into_iter().map(|k| numbers[k]).collect();
    for (order, numbers) in [(Order::C, numbers), (Order::Fortran, &columns)] {
        let mut wide = vec![f64::NAN; numbers.len()];
        matrix.read(order, 0, &mut wide);
        let expected: Vec<f64> = numbers.iter().map(|&number| dtype.as_f64(number)).collect();
        assert_eq!(wide, expected, "{case}, read in {order:?} order");

        let mut narrow = vec![f32::NAN; numbers.len()];
        matrix.read(order, 0, &mut narrow);
        let expected: Vec<f32> = numbers.iter().map(|&number| dtype.as_f32(number)).collect();
        assert_eq!(narrow, expected, "{case}, read in {order:?} order as f32");

        // A part: neither the first element nor the last.
        let (start, end) = (numbers.len() / 3, numbers.len() - numbers.len() / 4);
        let mut part = vec![f32::NAN; end - start];
        matrix.read(order, start, &mut part);
        assert_eq!(part, expected[start..end], "{case}, elements {start}..{end} in {order:?} order");
    }
}

#[test]
fn npy_of_every_version_order_byte_order_shape_and_type() {
    let directory = directory();
    let path = directory.path().join("x.npy");
    let mut slices = 0;
    for (dtype, shape) in DTYPES.into_iter().flat_map(|dtype| SHAPES.map(|shape| (dtype, shape))) {
        let elements = shape.iter().product::<u64>() as u32;
        let numbers: Vec<Number> = (0..elements).map(|k| dtype.number(k)).collect();
        for (order, endian) in ORDERS.into_iter().flat_map(|order| ENDIANS.map(|endian| (order, endian))) {
            let stored: Vec<Number> = match order {
                Order::C => numbers.clone(),
                Order::Fortran => column_major(shape).into_iter().map(|k| numbers[k]).collect(),
            };
            let npy = Npy::of(dtype, endian, order, shape, &stored);
            for (version, align, skew) in [(1, 64, 0), (2, 64, 0), (3, 64, 0), (1, 64, 1), (2, 2, 1)] {
                let npy = Npy { version, align, skew, ..npy.clone() };
                let case = format!("version {version}, {}, offset {}", npy.header, npy.offset());
                let matrix = open_bytes(&path, &npy.bytes(), None).unwrap_or_else(|e| panic!("{case}: {e}"));
                assert_eq!(matrix.shape(), &Shape(shape.to_vec()), "{case}");
                assert_eq!(matrix.element(), dtype.element, "{case}");
                let linear = shape.iter().filter(|&&extent| extent > 1).count() <= 1;
                assert!(matrix.is_stored_in(order) && (linear || matrix.order() == order), "{case}");
                assert_eq!(matrix.len(), numbers.len(), "{case}");
                assert_eq!(matrix.label(), path.display().to_string(), "{case}");
                assert_reads(&matrix, dtype, shape, &numbers, &case);

                let native = dtype.size == 1 || (endian == Endian::NATIVE && skew == 0);
                for asked in ORDERS {
                    let found = with_element!(dtype.element, E => {
                        matrix.as_slice::<E>(asked).map(|slice| bytemuck::cast_slice::<E, u8>(slice).to_vec())
                    });
                    let expected = (native && (linear || asked == order)).then(|| npy.data.clone());
                    assert_eq!(found, expected, "{case}, as a slice in {asked:?} order");
                    slices += usize::from(found.is_some());
                }
                // A type of the same size is still another type.
                assert!(matrix.as_slice::<linfit::array::Bool8>(order).is_none() || dtype.kind == 'b');
            }
        }
    }
    assert!(slices > 0);
}

#[test]
fn npy_bytes_written_out_by_hand() {
    // [[1, -2], [0.5, 3]] in big-endian f32, column by column.
    let directory = directory();
    let text = b"{'descr': '>f4', 'fortran_order': True, 'shape': (2, 2), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend([text.len() as u8, 0]);
    bytes.extend(text);
    bytes.extend([0x3f, 0x80, 0, 0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x40, 0x40, 0, 0]);
    let matrix = open_bytes(&directory.path().join("x.npy"), &bytes, None).unwrap();
    assert_eq!(values(&matrix), [1.0, -2.0, 0.5, 3.0]);
}

/// What other writers of the format do and NumPy reads.
#[test]
fn npy_headers_of_other_writers() {
    let headers = [
        "{\"descr\": \"<f8\", \"fortran_order\": False, \"shape\": (3,)}",
        "{'shape': (3,), 'fortran_order': False, 'descr': '<f8'}",
        "{ 'descr' : '<f8' , 'fortran_order' : False , 'shape' : ( 3 , ) , }",
        "{'descr':'<f8','fortran_order':False,'shape':(3,)}",
        // Python 2 on Windows wrote long integers.
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,), }",
    ];
    let directory = directory();
    let data = Npy::of_f64(&[3], &[1.5, -2.0, 1e300]).data;
    for header in headers {
        let npy = Npy { data: data.clone(), ..Npy::with_header(header) };
        let matrix = open_bytes(&directory.path().join("x.npy"), &npy.bytes(), None)
            .unwrap_or_else(|e| panic!("{header}: {e}"));
        assert_eq!(values(&matrix), [1.5, -2.0, 1e300], "{header}");
    }
}

#[test]
fn npy_is_known_by_its_first_bytes_whatever_its_name() {
    let directory = directory();
    let bytes = Npy::of_f64(&[2], &[4.0, 5.0]).bytes();
    for name in ["x", "x.dat", "x.csv", "x.NPY", "x.y:z"] {
        let matrix = open_bytes(&directory.path().join(name), &bytes, None).unwrap();
        assert_eq!(values(&matrix), [4.0, 5.0], "{name}");
    }
}

#[test]
fn npy_data_may_be_followed_by_more() {
    let directory = directory();
    let mut bytes = Npy::of_f64(&[2], &[4.0, 5.0]).bytes();
    bytes.extend([0; 5]);
    let matrix = open_bytes(&directory.path().join("x.npy"), &bytes, None).unwrap();
    assert_eq!(values(&matrix), [4.0, 5.0]);
}

#[test]
fn a_pair_in_different_orders_is_matched_element_by_element() {
    let directory = directory();
    let (x_path, t_path) = (directory.path().join("x.npy"), directory.path().join("t.npy"));
    let x = Npy::of_f64(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // T = 10·X, column by column.
    let t = Npy {
        header: header("<f8", Order::Fortran, &[2, 3]),
        ..Npy::of_f64(&[2, 3], &[10.0, 40.0, 20.0, 50.0, 30.0, 60.0])
    };
    fs::write(&x_path, x.bytes()).unwrap();
    fs::write(&t_path, t.bytes()).unwrap();
    for (x_path, t_path, factor) in [(&x_path, &t_path, 10.0), (&t_path, &x_path, 0.1)] {
        let (x, t) = open_pair(&source(x_path, None), &source(t_path, None)).unwrap();
        let data = Problem::pair(x, t).unwrap();
        let (mut xs, mut ts) = ([0f64; 6], [0f64; 6]);
        data.x().read(data.order(), 0, &mut xs);
        data.t().unwrap().read(data.order(), 0, &mut ts);
        assert_eq!(ts, xs.map(|x| x * factor));
    }
}

// -------------------------------------------------------------- .npy, written

/// Writes the numbers 0, 1, … of a type, two elements at a time.
fn write_npy(path: &Path, dtype: Dtype, shape: &[u64], order: Order) -> Vec<u8> {
    let elements = shape.iter().product::<u64>() as u32;
    let bytes: Vec<u8> = (0..elements).flat_map(|k| dtype.encode(dtype.number(k), Endian::NATIVE)).collect();
    let mut writer = npy::create(path, &Shape(shape.to_vec()), dtype.element, order).unwrap();
    for chunk in bytes.chunks(2 * dtype.size) {
        with_element!(dtype.element, E => {
            let values: Vec<E> = bytemuck::pod_collect_to_vec(chunk);
            writer.write(&values).unwrap();
        });
    }
    writer.finish().unwrap();
    bytes
}

#[test]
fn npy_writer_against_an_independent_parser() {
    let directory = directory();
    let path = directory.path().join("y.npy");
    // Also an empty array, and extents of many digits.
    let shapes = SHAPES.into_iter().chain([&[0][..], &[3, 0], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]]);
    for (dtype, shape) in shapes.flat_map(|shape| DTYPES.map(|dtype| (dtype, shape))) {
        for order in ORDERS {
            let data = write_npy(&path, dtype, shape, order);
            let descr = dtype.descr(Endian::NATIVE);
            let expected =
                Parsed { descr, fortran: order == Order::Fortran, shape: shape.to_vec(), data: data.clone() };
            assert_eq!(parse_npy(&fs::read(&path).unwrap()), expected);
            if data.is_empty() {
                continue;
            }
            let matrix = open(&source(&path, None)).unwrap();
            let mut stored = vec![f64::NAN; matrix.len()];
            matrix.read(order, 0, &mut stored);
            let numbers: Vec<f64> = (0..matrix.len() as u32).map(|k| dtype.as_f64(dtype.number(k))).collect();
            assert_eq!(stored, numbers, "{} {shape:?} {order:?}", dtype.element);
        }
    }
    assert_eq!(names(directory.path()), ["y.npy"]);
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_unfinished_npy_leaves_nothing() {
    let directory = directory();
    let path = directory.path().join("y.npy");
    let shape = Shape(vec![1000, 1000]);
    let start = || {
        let mut writer = npy::create(&path, &shape, linfit::array::ElementType::F64, Order::C).unwrap();
        writer.write(&vec![1.0f64; 999_999]).unwrap();
        writer
    };

    drop(start());
    assert_eq!(names(directory.path()), Vec::<String>::new());
    let error = start().finish().unwrap_err();
    assert_message("one element short", &error, "y.npy", &["8 bytes", "missing"]);
    assert_eq!(names(directory.path()), Vec::<String>::new());

    fs::write(&path, "what was there").unwrap();
    drop(start());
    start().finish().unwrap_err();
    let mut writer = start();
    let error = writer.write(&[1.0f64, 2.0]).unwrap_err();
    assert_message("one element too many", &writer.failed(error), "y.npy", &["more elements than the shape"]);
    drop(writer);
    assert_eq!(names(directory.path()), ["y.npy"]);
    assert_eq!(fs::read(&path).unwrap(), b"what was there");

    let mut writer = start();
    writer.write(&[2.0f64]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"what was there");
    writer.finish().unwrap();
    assert_eq!(names(directory.path()), ["y.npy"]);
    assert_eq!(parse_npy(&fs::read(&path).unwrap()).data.len(), 8_000_000);
}

#[test]
fn places_where_no_npy_can_be_written() {
    let directory = directory();
    fs::create_dir(directory.path().join("folder.npy")).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let before = names(directory.path());
    let huge = 1 << 40;
    let cases: &[(&str, &[u64], &str)] = &[
        ("y.csv", &[2], ".npy"),
        ("y", &[2], ".npy"),
        ("folder.npy", &[2], "directory"),
        ("absent/y.npy", &[2], "cannot be written"),
        ("file/y.npy", &[2], "cannot be written"),
        ("y.npy", &[huge, huge], "larger than any memory"),
        ("y.npy", &[huge, 1 << 23], "larger than any memory"),
    ];
    assert!(!cases.is_empty());
    for (name, shape, word) in cases {
        let element = linfit::array::ElementType::F64;
        let path = directory.path().join(name);
        let error = npy::create(&path, &Shape(shape.to_vec()), element, Order::C).err();
        assert_message(name, &error.unwrap_or_else(|| panic!("{name} was created")), name, &[word]);
        assert_eq!(names(directory.path()), before, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let directory = directory();
    let path = directory.path().join("null.npy");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    write_npy(&path, DTYPES[1], &[3], Order::C);
    assert!(fs::metadata(&path).unwrap().file_type().is_char_device());
    assert_eq!(names(directory.path()), ["null.npy"]);
}

// ------------------------------------------------------------ text files, good

#[test]
fn columns_of_text_files() {
    type Case<'a> = (&'a str, &'a str, &'a [u8], Option<&'a str>, &'a [f64]);
    let plain = "a,b\n1,10\n2,20\n3,30\n";
    let mixed = "setosa,1,5.1\nvirginica,2,6.2\n";
    let cases: &[Case] = &[
        ("by name", "f.csv", plain.as_bytes(), Some("b"), &[10.0, 20.0, 30.0]),
        ("by number, with a header", "f.csv", plain.as_bytes(), Some("1"), &[10.0, 20.0, 30.0]),
        ("by number, no header", "f.csv", b"1,10\n2,20\n", Some("0"), &[1.0, 2.0]),
        ("no line feed at the end", "f.csv", b"1,10\n2,20", Some("1"), &[10.0, 20.0]),
        ("tabs", "f.tsv", b"a\tb, c\n1\t10\n2\t20\n", Some("b, c"), &[10.0, 20.0]),
        ("extension in capitals", "F.CSV", plain.as_bytes(), Some("a"), &[1.0, 2.0, 3.0]),
        ("only column, no header", "f.csv", b"1\n2\n", None, &[1.0, 2.0]),
        ("only column, header", "f.csv", b"a\n1\n2\n", None, &[1.0, 2.0]),
        ("only column, by name", "f.csv", b"a\n1\n2\n", Some("a"), &[1.0, 2.0]),
        ("only column, by number", "f.csv", b"a\n1\n2\n", Some("0"), &[1.0, 2.0]),
        ("only column, one row", "f.csv", b"7", None, &[7.0]),
        ("quoted", "f.csv", b"\"a\",\"b\"\n\"1\",\"10\"\n", Some("b"), &[10.0]),
        ("comma in quotes", "f.csv", b"n,b\n\"x, y\",10\n\",,\",20\n", Some("b"), &[10.0, 20.0]),
        ("quotes in quotes", "f.csv", b"n,b\n\"the \"\"x\"\"\",10\n", Some("b"), &[10.0]),
        ("line feed in quotes", "f.csv", b"n,b\n\"x\ny\",10\nz,20\n", Some("b"), &[10.0, 20.0]),
        ("quotes in a name", "f.csv", b"\"5\"\" disk\",b\n1,10\n", Some("5\" disk"), &[1.0]),
        ("comma in a name", "f.csv", b"\"a, of b\",b\n1,10\n", Some("a, of b"), &[1.0]),
        ("spaces in a name", "f.csv", b"sepal length (cm),b\n1,10\n", Some("sepal length (cm)"), &[1.0]),
        ("colon in a name", "f.csv", b"a:b,b\n1,10\n", Some("a:b"), &[1.0]),
        ("CRLF", "f.csv", b"a,b\r\n1,10\r\n2,20\r\n", Some("b"), &[10.0, 20.0]),
        ("CR alone", "f.csv", b"a,b\r1,10\r2,20\r", Some("b"), &[10.0, 20.0]),
        ("byte-order mark, header", "f.csv", b"\xEF\xBB\xBFa,b\n1,10\n", Some("a"), &[1.0]),
        ("byte-order mark, no header", "f.csv", b"\xEF\xBB\xBF1,10\n2,20\n", Some("0"), &[1.0, 2.0]),
        ("byte-order mark, quotes", "f.csv", b"\xEF\xBB\xBF\"a\",b\n1,10\n", Some("a"), &[1.0]),
        ("byte-order mark, comment", "f.csv", b"\xEF\xBB\xBF# c\na,b\n1,10\n", Some("a"), &[1.0]),
        ("comment before the header", "f.csv", b"# made by, \"x\n#\na,b\n1,10\n", Some("b"), &[10.0]),
        (
            "a hash after the first row",
            "f.csv",
            b"a,b\n# one,1\n#2,20\n3,30\n#,4",
            Some("b"),
            &[1.0, 20.0, 30.0, 4.0],
        ),
        ("empty lines", "f.csv", b"\n\na,b\n\n1,10\n\n\n2,20\n\n", Some("b"), &[10.0, 20.0]),
        ("spaces around fields", "f.csv", b" a , b \n 1 ,\t10 \n", Some("b"), &[10.0]),
        ("text in the first row, column 1", "f.csv", mixed.as_bytes(), Some("1"), &[2.0]),
        ("text in the first row, column 2", "f.csv", mixed.as_bytes(), Some("2"), &[6.2]),
        ("a name that reads like a number of a column", "f.csv", b"x,2,7\ny,3,8\n", Some("2"), &[3.0]),
        ("a year as a name", "f.csv", b"place,2020,2021\nx,1,2\n", Some("2021"), &[2.0]),
        (
            "a header without a name for the index",
            "f.csv",
            b",a,b\n0,1,10\n1,2,20\n",
            Some("b"),
            &[10.0, 20.0],
        ),
        ("Latin-1 elsewhere", "f.csv", b"\xE9t\xE9,b\nao\xFBt,10\n\xFF,20\n", Some("b"), &[10.0, 20.0]),
        ("Latin-1 elsewhere, by number", "f.csv", b"\xE9t\xE9,b\nao\xFBt,10\n", Some("1"), &[10.0]),
        ("nothing beside text in the first row", "f.csv", b"x,NA\ny,2\n", Some("1"), &[2.0]),
        ("nothing, then text in the first row", "f.csv", b",b\n1,2\n", Some("0"), &[1.0]),
        ("text elsewhere is not read", "f.csv", b"a,b\n,10\nNA,20\n", Some("b"), &[10.0, 20.0]),
        (
            "numbers as people write them",
            "f.csv",
            b"1e3\n-0.5\n+2\n1E-3\n.5\n5.\n-0\n1e+2\n007\n0.1\n123456789012345678\n",
            None,
            &[1000.0, -0.5, 2.0, 0.001, 0.5, 5.0, 0.0, 100.0, 7.0, 0.1, 123_456_789_012_345_678.0],
        ),
    ];
    assert!(!cases.is_empty());
    let directory = directory();
    for (case, name, text, key, expected) in cases {
        let path = directory.path().join(name);
        let matrix = open_bytes(&path, text, *key).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(values(&matrix), *expected, "{case}");
        assert_eq!(matrix.shape(), &Shape(vec![expected.len() as u64]), "{case}");
        let label = key.map_or(path.display().to_string(), |key| format!("{}:{key}", path.display()));
        assert_eq!(matrix.label(), label, "{case}");
    }
}

/// Where nothing is, there is a null, and 0 is read.
#[test]
fn fields_without_a_number() {
    type Case<'a> = (&'a str, &'a str, Option<&'a str>, &'a [Option<f64>]);
    let cases: &[Case] = &[
        ("empty", "a,b\n1,2\n,4\n5,6\n", Some("a"), &[Some(1.0), None, Some(5.0)]),
        ("at the end", "a,b\n1,2\n3,\n", Some("b"), &[Some(2.0), None]),
        ("quoted", "a\n1\n\"\"\n", None, &[Some(1.0), None]),
        (
            "words",
            "a\nNA\n1\nnull\nNULL\n<NA>\nN/A\nNone\nn/a\n1.#IND\n-1.#QNAN\n",
            None,
            &[None, Some(1.0), None, None, None, None, None, None, None, None],
        ),
        ("blanks around", "a,b\n 1 , 2\n  ,\t3\nNA ,4\n", Some("a"), &[Some(1.0), None, None]),
        ("in the first row, beside a number", ",2\n3,4\n", Some("0"), &[None, Some(3.0)]),
        ("in the first row, alone", "NA\n1\n", None, &[None, Some(1.0)]),
        ("in the first row, under a name", "x,b\n,y\n1,z\n", Some("x"), &[None, Some(1.0)]),
        ("booleans", "a,b\nTrue,1\nfalse,2\n,3\n", Some("a"), &[Some(1.0), Some(0.0), None]),
        ("booleans in the first row", "True,1\nFALSE,2\n", Some("0"), &[Some(1.0), Some(0.0)]),
        ("a name like nothing", "NA,b\n1,2\n", Some("NA"), &[Some(1.0)]),
    ];
    let directory = directory();
    for (case, text, key, expected) in cases {
        let path = directory.path().join("f.csv");
        let matrix = open_bytes(&path, text.as_bytes(), *key).unwrap_or_else(|e| panic!("{case}: {e}"));
        let found: Vec<Option<f64>> = values(&matrix)
            .into_iter()
            .enumerate()
            .map(|(k, value)| if matrix.metadata().is_null(k) { None } else { Some(value) })
            .collect();
        assert_eq!(found, *expected, "{case}");
    }
    // A NaN is none.
    let matrix = open_bytes(&directory.path().join("f.csv"), b"a\n1\nnan\n", None).unwrap();
    assert!(!matrix.metadata().has_nulls() && matrix.check_finite().is_err());
}

#[test]
fn pairs_of_columns() {
    type Case<'a> = (&'a str, &'a str, [&'a str; 2], [&'a [f64]; 2]);
    let directory = directory();
    let path = directory.path().join("f.csv");
    let cases: &[Case] = &[
        ("names", "a,b\n1,10\n2,20\n", ["a", "b"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("names, the later one first", "a,b\n1,10\n2,20\n", ["b", "a"], [&[10.0, 20.0], &[1.0, 2.0]]),
        ("a name and a number", "a,b\n1,10\n2,20\n", ["0", "b"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("numbers under a header", "a,b\n1,10\n2,20\n", ["0", "1"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("numbers, no header", "1,10\n2,20\n", ["1", "0"], [&[10.0, 20.0], &[1.0, 2.0]]),
        ("numbers, the first row has text", "x,7,10\ny,2,20\n", ["1", "2"], [&[2.0], &[20.0]]),
        ("one column twice", "a,b\n1,10\n2,20\n", ["b", "b"], [&[10.0, 20.0], &[10.0, 20.0]]),
        ("a name and a year", "a,2020\n1,10\n2,20\n", ["a", "2020"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("a name and the number of a year", "a,2020\n1,10\n", ["a", "1"], [&[1.0], &[10.0]]),
        ("the nameless index", ",b\n0,10\n1,20\n", ["0", "1"], [&[0.0, 1.0], &[10.0, 20.0]]),
    ];
    assert!(!cases.is_empty());
    for (case, text, [x, t], expected) in cases {
        fs::write(&path, text).unwrap();
        let (x, t) = open_pair(&source(&path, Some(x)), &source(&path, Some(t)))
            .unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!([values(&x), values(&t)], expected.map(<[f64]>::to_vec), "{case}");
    }

    // Keys that mean one column in two ways, or a name and a number of which
    // nobody knows whether both are meant as numbers.
    for (text, [x, t], words) in [
        ("a,b\n1,10\n2,20\n", ["b", "1"], "both mean column number 1"),
        ("a,b\n1,10\n2,20\n", ["0", "00"], "both mean column number 0"),
        (",0,1\n0,1,10\n1,2,20\n", ["1", "2"], "\"1\" is the name of column number 2, and \"2\" is no name"),
        ("i,1,2\n0,1,10\n1,2,20\n", ["0", "1"], ""),
        ("i,0,2\n0,1,10\n1,2,20\n", ["1", "0"], "\"0\" is the name of column number 1, and \"1\" is no name"),
    ] {
        fs::write(&path, text).unwrap();
        let read = open_pair(&source(&path, Some(x)), &source(&path, Some(t)));
        match read {
            Ok((x, t)) => assert!(words.is_empty() && values(&x) != values(&t), "{text}"),
            Err(e) => assert!(!words.is_empty() && e.to_string().contains(words), "{text}: {e}"),
        }
    }

    // From two files, of two formats; and one file by two of its names.
    let (tsv, npy) = (directory.path().join("t.tsv"), directory.path().join("t.npy"));
    fs::write(&path, "a,b\n1,10\n2,20\n").unwrap();
    fs::write(&tsv, "c\td\n3\t30\n4\t40\n").unwrap();
    fs::write(&npy, Npy::of_f64(&[2], &[5.0, 6.0]).bytes()).unwrap();
    let same = directory.path().join(".").join("f.csv");
    let others =
        [(&tsv, Some("d"), [30.0, 40.0]), (&npy, None, [5.0, 6.0]), (&same, Some("b"), [10.0, 20.0])];
    for (other, key, expected) in others {
        let (x, t) = open_pair(&source(&path, Some("a")), &source(other, key)).unwrap();
        assert_eq!((values(&x), values(&t)), (vec![1.0, 2.0], expected.to_vec()));
    }
}

/// Whole numbers that f64 does not hold stay whole; where some are not, what
/// f64 loses of them is counted.
#[test]
fn whole_numbers_beyond_f64() {
    type Case<'a> = (&'a str, ElementType, &'a [i128], Option<(u64, u64)>);
    use ElementType::{F64, I64, U64};
    const ODD: i128 = (1 << 53) + 1;
    let (most, most_unsigned) = (i128::from(i64::MAX), i128::from(u64::MAX));
    let cases: &[Case] = &[
        ("9007199254740993\n1\n", I64, &[ODD, 1], None),
        ("-9223372036854775808\n9223372036854775807\n", I64, &[-most - 1, most], None),
        ("1\n\n9007199254740993\n", I64, &[1, 0, ODD], None),
        ("9007199254740993\nNA\n5.0\ntrue\n-2e3\n", I64, &[ODD, 0, 5, 1, -2000], None),
        ("\"9007199254740993\"\n +7 \n", I64, &[ODD, 7], None),
        ("18446744073709551615\n0\n", U64, &[most_unsigned, 0], None),
        ("1\n9223372036854775807\n18446744073709551615\n", U64, &[1, most, most_unsigned], None),
        ("9007199254740992\n-9007199254740992\n", F64, &[1 << 53, -(1 << 53)], None),
        ("-1\n18446744073709551615\n", F64, &[-1, 1 << 64], Some((1, 2))),
        ("18446744073709551615\n-1\n", F64, &[1 << 64, -1], Some((1, 1))),
        (
            "0.0\n9007199254740993\n1e17\n99999999999999999999\n",
            F64,
            &[0, 1 << 53, 10i128.pow(17), 10i128.pow(20)],
            Some((2, 2)),
        ),
        ("18446744073709551616\n36893488147419103232\n", F64, &[1 << 64, 1 << 65], None),
    ];
    let directory = directory();
    for (text, element, expected, lost) in cases {
        let matrix = open_bytes(&directory.path().join("f.csv"), text.as_bytes(), None).unwrap();
        assert_eq!(matrix.element(), *element, "{text}");
        let found: Vec<i128> = match element {
            I64 => copied::<i64>(&matrix).into_iter().map(i128::from).collect(),
            U64 => copied::<u64>(&matrix).into_iter().map(i128::from).collect(),
            _ => values(&matrix).into_iter().map(|value| value as i128).collect(),
        };
        assert_eq!(found, *expected, "{text}");
        let n = expected.len() as u64;
        let noted = matrix.metadata().notes().iter().find(|note| matches!(note, Note::DigitsLost { .. }));
        let expected = lost.map(|(count, first_line)| Note::DigitsLost { count, n, first_line });
        assert_eq!(noted, expected.as_ref(), "{text}");
    }
    // A fraction after whole numbers, and one column of two.
    let path = directory.path().join("f.csv");
    fs::write(&path, "a,b\n9007199254740993,9007199254740993\n0.5,1\n").unwrap();
    let (a, b) = open_pair(&source(&path, Some("a")), &source(&path, Some("b"))).unwrap();
    assert_eq!((a.element(), values(&a)), (F64, vec![9_007_199_254_740_992.0, 0.5]));
    assert_eq!((b.element(), copied::<i64>(&b)), (I64, vec![(1 << 53) + 1, 1]));
    assert_eq!((a.metadata().notes().len(), b.metadata().notes().len()), (1, 0));
}

fn copied<E: linfit::array::Element>(matrix: &Array) -> Vec<E> {
    let mut elements = vec![E::zeroed(); matrix.len()];
    matrix.copy(Order::C, 0, &mut elements);
    elements
}

/// Whatever the place of a record in the reader's blocks.
#[test]
fn rows_across_blocks() {
    let directory = directory();
    for ends in ["\n", "\r\n", "\r"] {
        for shift in 0..5 {
            let head = format!("{}{ends}a,b{ends}", "#".repeat(1 + shift));
            let row = |k: u32| format!("\"{k}\",\"x\"\"{ends},\"{ends}");
            let text = [vec![head], (0..60_000).map(row).collect()].concat().concat();
            let matrix = open_bytes(&directory.path().join("f.csv"), text.as_bytes(), Some("a")).unwrap();
            assert!(values(&matrix).into_iter().enumerate().all(|(k, value)| value == k as f64));
            assert_eq!(matrix.len(), 60_000);
        }
    }
}

#[test]
fn a_row_beyond_all_bounds_is_refused() {
    let wide = |bytes: usize| format!("1{}\n", ",1".repeat(bytes / 2)).into_bytes();
    let cases: &[(&str, Vec<u8>)] = &[
        ("f.csv:1:", wide(17 << 20)),
        ("f.csv:2:", [b"1,2\n", &wide(17 << 20)[..]].concat()),
        ("f.csv:1:", vec![b'7'; 17 << 20]),
        ("f.csv:1:", vec![b'#'; 17 << 20]),
    ];
    let directory = directory();
    for (line, text) in cases {
        let error = open_bytes(&directory.path().join("f.csv"), text, Some("0")).unwrap_err();
        assert_message("long", &error, line, &["16 MiB"]);
    }
    let matrix = open_bytes(&directory.path().join("f.csv"), &wide(3 << 20), Some("1000000")).unwrap();
    assert_eq!(values(&matrix), [1.0]);
}

/// The published regression of petal width on petal length, over Fisher's own
/// values.
#[test]
fn the_irises() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/iris.csv");
    let column = |key| values(&open(&source(&path, Some(key))).unwrap());
    let columns: Vec<Vec<f64>> =
        ["sepal_length", "sepal_width", "petal_length", "petal_width"].map(column).to_vec();
    let row = |number: usize| columns.iter().map(|column| column[number - 1]).collect::<Vec<_>>();
    assert_eq!(row(35), [4.9, 3.1, 1.5, 0.2]);
    assert_eq!(row(38), [4.9, 3.6, 1.4, 0.1]);

    let (x, t) = (&columns[2], &columns[3]);
    assert_eq!((x.len(), t.len()), (150, 150));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 150.0;
    let (mean_x, mean_t) = (mean(x), mean(t));
    let products: f64 = x.iter().zip(t).map(|(x, t)| (x - mean_x) * (t - mean_t)).sum();
    let weight = products / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>();
    let bias = mean_t - weight * mean_x;
    assert_eq!(format!("{weight:.5} {bias:.5}"), "0.41576 -0.36308");
}

// ------------------------------------------------------------------- bad files

/// What is bad about a file, its name and bytes, the key it is opened with, and
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

/// What is bad about a `.npy` file, its bytes, and words that the message must
/// hold.
type BadNpy<'a> = (&'a str, Vec<u8>, &'a [&'a str]);

fn assert_npy_refused(cases: &[BadNpy]) {
    let cases: Vec<BadFile> =
        cases.iter().map(|(case, bytes, words)| (*case, "x.npy", bytes.clone(), None, *words)).collect();
    assert_refused(&cases);
}

fn with_header(header: &str) -> Vec<u8> {
    Npy { data: vec![0; 64], ..Npy::with_header(header) }.bytes()
}

#[test]
fn bad_npy_files() {
    let good = Npy::of_f64(&[2], &[1.0, 2.0]);
    let spoiled = |at: usize, with: &[u8]| {
        let mut bytes = good.bytes();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    assert_npy_refused(&[
        ("empty", vec![], &["empty"]),
        ("only the signature", b"\x93NUMPY".to_vec(), &["header is truncated"]),
        ("another signature", spoiled(0, b"\x94NUMPY"), &["signature"]),
        ("a zip archive", b"PK\x03\x04zipped arrays".to_vec(), &["signature"]),
        ("text", b"1,2,3\n4,5,6\n".to_vec(), &["signature"]),
        ("version 0", spoiled(6, &[0, 0]), &["version 0.0"]),
        ("version 4", spoiled(6, &[4, 0]), &["version 4.0"]),
        ("version 255", spoiled(6, &[255, 255]), &["version 255.255"]),
        ("version 1.1", spoiled(6, &[1, 1]), &["version: (1, 1)"]),
        ("header longer than the file", spoiled(8, &[0x0f, 0x27]), &["header", "truncated"]),
        ("absurd header length", spoiled(8, &[0xff, 0xff]), &["65535", "longer"]),
        (
            "absurd header length, version 2",
            [&b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..], &[b' '; 99]].concat(),
            &["4294967295", "longer"],
        ),
        ("no header", spoiled(8, &[0, 0]), &["not a valid .npy file", "header"]),
        ("cut header", spoiled(8, &[20, 0]), &["not a valid .npy file", "header"]),
        ("header not UTF-8", spoiled(12, &[0xff, 0xfe]), &["header is not text"]),
        ("truncated", good.bytes()[..good.offset() + 15].to_vec(), &["16 bytes", "has 15"]),
        ("no data", good.bytes()[..good.offset()].to_vec(), &["truncated", "has 0"]),
    ]);
    let words: &[&str] = &["single array", "\":0\""];
    assert_refused(&[("a key", "x.npy", good.bytes(), Some("0"), words)]);
}

#[test]
fn bad_npy_headers() {
    let typed =
        |descr: &str| with_header(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2,), }}"));
    assert_npy_refused(&[
        ("header is garbage", with_header("what is this?"), &["not a valid .npy file", "header"]),
        ("header is a list", with_header("[1, 2, 3]"), &["not a valid .npy file", "dict"]),
        ("keys that aren't text", with_header("{1: 2}"), &["not a valid .npy file"]),
        ("no descr", with_header("{'fortran_order': False, 'shape': (2,)}"), &["missing", "'descr'"]),
        ("no fortran_order", with_header("{'descr': '<f8', 'shape': (2,)}"), &["missing", "'fortran_order'"]),
        ("no shape", with_header("{'descr': '<f8', 'fortran_order': False}"), &["missing", "'shape'"]),
        (
            "two shapes",
            with_header(
                "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'shape': (18446744073709551615, 9)}",
            ),
            &["not a valid .npy file"],
        ),
        (
            "a shape spelled with an escape",
            with_header("{'descr': '<f8', 'fortran_order': False, 'sh\\x61pe': (18446744073709551615, 9)}"),
            &["not a valid .npy file"],
        ),
        (
            "fortran_order is a number",
            with_header("{'descr': '<f8', 'fortran_order': 1, 'shape': (2,)}"),
            &["'fortran_order' value is not a bool"],
        ),
        ("sum too large for a float", typed(&format!("{}+1.5", "9".repeat(400))), &["not a valid"]),
        ("deep tuples", with_header(&"(".repeat(9_000)), &["not a valid .npy file"]),
        ("deep lists", with_header(&"[".repeat(60)), &["not a valid .npy file"]),
        ("deep dictionaries", with_header(&"{".repeat(60)), &["not a valid .npy file"]),
        (
            "deep lists around brackets in quotes",
            with_header(&"[']',".repeat(50)),
            &["not a valid .npy file"],
        ),
    ]);
}

#[test]
fn bad_npy_shapes() {
    let shaped =
        |shape: &str| with_header(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"));
    let absurd: &[&str] = &["larger than any memory", "damaged"];
    let count: &[&str] = &["not a valid .npy file", "shape", "count"];
    assert_npy_refused(&[
        ("product beyond u64", shaped("(4294967296, 4294967296)"), absurd),
        ("product far beyond u64", shaped("(999999999999999999999999999999,)"), absurd),
        ("bytes beyond u64", shaped("(2305843009213693952,)"), absurd),
        ("beyond u64 but for a 0", shaped("(4294967296, 0, 4294967296)"), absurd),
        ("huge", shaped("(1152921504606846976,)"), &["truncated", "9223372036854775808", "has 64"]),
        ("negative", shaped("(-1,)"), &["\"-1\"", "count"]),
        ("negative, second", shaped("(2, -3)"), &["\"-3\"", "count"]),
        ("hexadecimal", shaped("(0x10,)"), &["\"0x10\"", "count"]),
        ("a sum", shaped("(1+1,)"), count),
        ("a fraction", shaped("(2.0,)"), count),
        ("text as an extent", shaped("('two',)"), count),
        ("a tuple as an extent", shaped("((2,),)"), &["not a valid .npy file"]),
        ("a name", shaped("(two,)"), count),
        ("nothing", shaped("None"), &["shape must be"]),
        ("a number", shaped("2"), &["shape must be"]),
        ("unclosed", shaped("(2,"), &["not a valid .npy file"]),
        ("no elements", shaped("(3, 0)"), &["no elements", "3×0"]),
    ]);
}

#[test]
fn bad_npy_types() {
    let typed =
        |descr: &str| with_header(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2,), }}"));
    let not_a_number: &[&str] = &["are not numbers that can be fitted", "f32", "u8"];
    let fields = "('f', '<f4'), ".repeat(60);
    assert_npy_refused(&[
        ("object", typed("'|O'"), not_a_number),
        ("complex", typed("'<c16'"), not_a_number),
        ("bytes", typed("'|S5'"), not_a_number),
        ("text", typed("'<U5'"), not_a_number),
        ("raw", typed("'|V7'"), not_a_number),
        ("date", typed("'<M8[ns]'"), not_a_number),
        ("duration", typed("'<m8[D]'"), not_a_number),
        ("long double", typed("'<f16'"), not_a_number),
        ("structured", typed("[('a', '<f8'), ('b', '<i4')]"), not_a_number),
        ("structured, with a field named shape", typed("[('a', '<f8'), ('shape', '<i4')]"), not_a_number),
        ("structured, nested", typed("[('a', [('b', '<f8', (2, 2))])]"), not_a_number),
        ("structured, of many fields", typed(&format!("[{fields}]")), not_a_number),
        ("no such type", typed("'<q8'"), &["not a valid .npy file", "type"]),
        ("no such size", typed("'<i3'"), &["not a valid .npy file", "size"]),
        ("no byte order", typed("'|f8'"), &["not a valid .npy file", "endianness"]),
        ("type is a number", typed("8"), &["not a valid .npy file", "string"]),
        ("type is empty", typed("''"), &["not a valid .npy file", "type"]),
    ]);
}

#[test]
fn bad_text_files() {
    let text = |text: &str| text.as_bytes().to_vec();
    let wide = (0..1000).map(|k| format!("c{k}")).collect::<Vec<_>>().join(",") + "\n";
    assert_refused(&[
        ("empty", "f.csv", vec![], None, &["empty"]),
        ("only a byte-order mark", "f.csv", text("\u{feff}"), None, &["empty"]),
        ("only comments", "f.csv", text("# a\n# b\n"), None, &["empty"]),
        ("only empty lines", "f.csv", text("\n\r\n\n"), None, &["empty"]),
        ("only a header", "f.csv", text("a,b\n"), Some("a"), &["no elements"]),
        ("row too short", "f.csv", text("a,b\n1,2\n3\n"), Some("a"), &["f.csv:3:", "fields: 1", "2"]),
        (
            "row too short after a mark and comments",
            "f.csv",
            text("\u{feff}#\r\na,b\r\n\r\n \r\n1\r\n"),
            Some("a"),
            &["f.csv:5:", "fields: 1"],
        ),
        ("row too long", "f.csv", text("1,2\n3,4,5\n"), Some("0"), &["f.csv:2:", "fields: 3", "2"]),
        ("text", "f.csv", text("a,b\n1,2\nthree,4\n"), Some("a"), &["f.csv:3:", "\"three\"", "not a number"]),
        ("text after a comment", "f.csv", text("#\na\n1\n\nx\n"), None, &["f.csv:5:", "\"x\""]),
        ("a hash after the first row", "f.csv", text("a\n1\n#\n"), None, &["f.csv:3:", "\"#\""]),
        ("text after CRLF", "f.csv", text("a\r\n1\r\nx\r\n"), None, &["f.csv:3:", "\"x\""]),
        (
            "text after a line feed in quotes",
            "f.csv",
            text("a,b\n\"1\n\",1\n\"\n\",x\n"),
            Some("b"),
            &["f.csv:4:", "\"x\""],
        ),
        ("a decimal comma", "f.tsv", text("1,5\t2\n1,6\t3\n"), Some("0"), &["f.tsv:2:", "\"1,6\""]),
        ("a unit", "f.csv", text("a\n5 cm\n"), None, &["f.csv:2:", "\"5 cm\" in column 0"]),
        ("hexadecimal", "f.csv", text("a\n0x10\n"), None, &["f.csv:2:", "\"0x10\""]),
        ("bytes that aren't text", "f.csv", b"a\n\xff\xfe\n".to_vec(), None, &["f.csv:2:", "not a number"]),
        ("long text", "f.csv", text(&format!("a\n{}\n", "x".repeat(100_000))), None, &["f.csv:2:", "xxx"]),
        ("control characters", "f.csv", b"a\n\x1b[31m\x07\n".to_vec(), None, &["f.csv:2:", "not a number"]),
        (
            "two of one name",
            "f.csv",
            text("a,b,a\n1,2,3\n"),
            Some("a"),
            &["several columns", "\"a\"", ": 0, 2"],
        ),
        (
            "semicolons",
            "f.csv",
            text("a;b\n1;2\n"),
            Some("b"),
            &["f.csv:1:", "\"b\"", "semicolons", "commas"],
        ),
        ("tabs", "f.csv", text("a\tb\n1\t2\n"), Some("b"), &["f.csv:1:", "tabs", ".tsv"]),
        ("blanks", "f.csv", text("a b\n1 2\n"), Some("b"), &["f.csv:1:", "blanks", "commas"]),
        ("commas", "f.tsv", text("a,b\n1,2\n"), Some("b"), &["f.tsv:1:", "commas", ".csv"]),
        ("a name with a blank", "f.csv", text("a b\n1\n"), Some("c"), &["no column \"c\"", "a b (0)"]),
        ("semicolons, by number", "f.csv", text("a;b\n1;2\n"), Some("1"), &["f.csv:1:", "semicolons"]),
        ("semicolons without a header", "f.csv", text("1;2\n3;4\n"), None, &["f.csv:2:", "semicolons"]),
        ("text column", "f.csv", text("a,b\nx,1\n"), Some("a"), &["f.csv:2:", "\"x\""]),
        ("no such name", "f.csv", text("a,b c\n1,2\n"), Some("d"), &["\"d\"", "a (0), b c (1)"]),
        ("names are exact", "f.csv", text("a,b\n1,2\n"), Some("A"), &["\"A\"", "a (0), b (1)"]),
        ("no such number", "f.csv", text("1,2,3\n"), Some("3"), &["\"3\"", "0, 1, 2"]),
        ("no such number under a header", "f.csv", text("a,b\n1,2\n"), Some("2"), &["\"2\"", "a (0), b (1)"]),
        ("negative number", "f.csv", text("1,2\n"), Some("-1"), &["\"-1\"", "0, 1"]),
        ("name without a header", "f.csv", text("1,2\n3,4\n"), Some("a"), &["\"a\"", "0, 1"]),
        ("a value is not a name", "f.csv", text("11,12\n13,14\n"), Some("12"), &["\"12\"", "0, 1"]),
        ("number beyond usize", "f.csv", text("1,2\n"), Some("99999999999999999999999"), &["0, 1"]),
        ("which column", "f.csv", text("a,b\n1,2\n"), None, &["2 columns", "f.csv:COLUMN", "a (0), b (1)"]),
        ("which of many", "f.csv", text(&wide), None, &["1000 columns", "c0 (0)", "c19 (19)", "980 more"]),
        (
            "which of two, long ones",
            "f.csv",
            text(&format!("{0}a,{0}b\n1,2\n", "x".repeat(9999))),
            None,
            &["xxx"],
        ),
        ("which of two, odd ones", "f.csv", text("\"a\n\nb\",\"\x1b[31m\"\n1,2\n"), None, &["2 columns"]),
        (
            "UTF-16",
            "f.csv",
            b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0\n\0".to_vec(),
            Some("a"),
            &["UTF-16", "UTF-8"],
        ),
        ("UTF-16, big-endian", "f.csv", b"\xfe\xff\0a\0\n\x001\0\n".to_vec(), None, &["UTF-16", "UTF-8"]),
        ("UTF-16 without a mark", "f.csv", b"a\0\n\x001\0\n\0".to_vec(), None, &["NUL", "UTF-8"]),
        ("a NUL later", "f.csv", b"a\n1\n2\0\n".to_vec(), None, &["f.csv:3:", "not a number"]),
        ("unknown extension", "f.txt", text("1\n2\n"), None, &["unknown kind", ".npy", ".csv", ".tsv"]),
        ("no extension", "f", text("1\n2\n"), None, &["unknown kind", ".csv"]),
        ("extension that isn't one", ".csv", text("1\n2\n"), None, &["unknown kind", ".csv"]),
    ]);
}

#[test]
fn bad_pairs_of_columns() {
    type Case<'a> = (&'a str, &'a str, [Option<&'a str>; 2], &'a [&'a str]);
    let cases: &[Case] = &[
        ("X is missing", "a,b\n1,2\n", [Some("c"), Some("b")], &["\"c\"", "a (0), b (1)"]),
        ("T is missing", "a,b\n1,2\n", [Some("a"), Some("c")], &["\"c\"", "a (0), b (1)"]),
        ("T isn't named", "a,b\n1,2\n", [Some("a"), None], &["2 columns", "a (0), b (1)"]),
        ("text below a header", "a,1\nb,2\n", [Some("0"), Some("1")], &["f.csv:2:", "\"b\" in column 0"]),
        ("text in T", "a,b\n1,2\n3,x\n", [Some("a"), Some("b")], &["f.csv:3:", "\"x\"", "column 1"]),
    ];
    assert!(!cases.is_empty());
    let directory = directory();
    let path = directory.path().join("f.csv");
    for (case, text, [x, t], words) in cases {
        fs::write(&path, text).unwrap();
        let error = open_pair(&source(&path, *x), &source(&path, *t)).expect_err(case);
        assert_message(case, &error, "f.csv", words);
    }
}

#[test]
fn places_that_are_not_files() {
    let directory = directory();
    fs::write(directory.path().join("file.txt"), "1\n").unwrap();
    fs::create_dir(directory.path().join("folder.npy")).unwrap();
    fs::create_dir(directory.path().join("folder.csv")).unwrap();
    let cases = [
        ("absent.npy", "os error"),
        ("absent.csv", "os error"),
        ("absent/x.npy", "os error"),
        // No more readable than a file without permission.
        ("file.txt/x.npy", "os error"),
        ("file.txt/x.csv", "os error"),
        ("folder.npy", "is a directory"),
        ("folder.csv", "is a directory"),
    ];
    for (name, word) in cases {
        let source = source(&directory.path().join(name), None);
        assert_message(name, &open(&source).expect_err(name), name, &[word]);
        assert_message(name, &open_pair(&source, &source).expect_err(name), name, &[word]);
    }
}

/// Root reads every file, so as root the test runs a copy of itself as the
/// user `nobody` (65534).
#[cfg(unix)]
#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const SECRET: &str = "LINFIT_TEST_UNREADABLE_FILE";
    const NOBODY: u32 = 65_534;

    let refuse = |path: &Path| {
        let error = open(&source(path, None)).expect_err("a file of mode 000 was opened");
        assert_message("mode 000", &error, "secret.npy", &["ermission denied"]);
    };
    if let Some(path) = std::env::var_os(SECRET) {
        return refuse(Path::new(&path));
    }

    let directory = directory();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(directory.path(), 0o755);
    let secret = directory.path().join("secret.npy");
    fs::write(&secret, Npy::of_f64(&[1], &[1.0]).bytes()).unwrap();
    mode(&secret, 0o000);
    if fs::File::open(&secret).is_err() {
        return refuse(&secret);
    }
    // The build directory need not be readable to others; its copy here is.
    let program = directory.path().join("formats");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(&program, 0o755);
    let output = std::process::Command::new(&program)
        .args(["--exact", "formats::a_file_without_permission"])
        .env(SECRET, &secret)
        .current_dir(directory.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Every part of a good file, from nothing to all but its last byte.
fn prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|end| &bytes[..end])
}

#[test]
fn every_prefix_of_an_npy_is_an_error() {
    let directory = directory();
    let path = directory.path().join("x.npy");
    let number = [DTYPES[11].number(1)];
    let files = [
        Npy::of_f64(&[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        Npy { version: 2, ..Npy::of_f64(&[3], &[1.0, 2.0, 3.0]) },
        Npy { version: 3, align: 1, ..Npy::of(DTYPES[11], Endian::Big, Order::Fortran, &[], &number) },
        Npy::of(DTYPES[1], Endian::Little, Order::C, &[1], &[Number::Int(7)]),
    ];
    for npy in files {
        let bytes = npy.bytes();
        assert!(open_bytes(&path, &bytes, None).is_ok(), "{npy:?}");
        for prefix in prefixes(&bytes) {
            let case = format!("{} of {} bytes of {npy:?}", prefix.len(), bytes.len());
            let error = open_bytes(&path, prefix, None).expect_err(&case);
            let word = match prefix.len() {
                0 => "empty",
                1..6 => "signature",
                _ => "truncated",
            };
            assert_message(&case, &error, "x.npy", &[word]);
        }
    }
}

#[test]
fn every_prefix_of_a_text_file_is_read_or_refused() {
    let directory = directory();
    let path = directory.path().join("f.csv");
    let text = b"\xEF\xBB\xBF# note\r\n\"name, full\",\"b \"\"x\"\"\",c\r\n\"x\r\ny\",-1.5e3,2\r\n\r\n\xE9,+2.5,3\r\n";
    let whole = open_bytes(&path, text, Some("b \"x\"")).unwrap();
    assert_eq!(values(&whole), [-1500.0, 2.5]);
    let (mut read, mut refused) = (0, 0);
    for key in [None, Some("b \"x\""), Some("1")] {
        for prefix in prefixes(text) {
            match open_bytes(&path, prefix, key) {
                Ok(matrix) => {
                    assert!(matrix.len() <= 2);
                    read += 1;
                }
                Err(error) => {
                    assert_message("prefix", &error, "f.csv", &[": "]);
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

#[test]
fn npy_with_any_one_byte_changed_is_read_or_refused() {
    let directory = directory();
    let path = directory.path().join("x.npy");
    let npy = Npy { align: 1, ..Npy::of_f64(&[2], &[1.0, 2.0]) };
    let bytes = npy.bytes();
    let (mut read, mut refused) = (0, 0);
    for at in 0..npy.offset() {
        for with in *b"\0\xff\n '\"()[]{},:0129L-+.xbf|<>\\" {
            let mut bytes = bytes.clone();
            bytes[at] = with;
            match open_bytes(&path, &bytes, None) {
                Ok(matrix) => {
                    assert!(matrix.len() <= 16);
                    values(&matrix);
                    read += 1;
                }
                Err(error) => {
                    let case = format!("{with:?} at {at}");
                    assert_message(&case, &error, "x.npy", &[": "]);
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

// ------------------------------------------------------------- bad pairs, values

#[test]
fn pairs_that_differ_in_shape() {
    let cases: &[([&[u64]; 2], [&str; 2])] = &[
        ([&[2, 3], &[3, 2]], ["2×3", "3×2"]),
        ([&[6], &[2, 3]], ["6", "2×3"]),
        ([&[6], &[5]], ["6", "5"]),
        ([&[6], &[6, 1]], ["6", "6×1"]),
        ([&[1], &[]], ["1", "a single number"]),
    ];
    assert!(!cases.is_empty());
    let directory = directory();
    let [x_path, t_path] = ["x.npy", "t.npy"].map(|name| directory.path().join(name));
    for (shapes, [x_words, t_words]) in cases {
        for (path, shape) in [&x_path, &t_path].into_iter().zip(shapes) {
            let elements = shape.iter().product::<u64>() as usize;
            fs::write(path, Npy::of_f64(shape, &vec![1.0; elements]).bytes()).unwrap();
        }
        let (x, t) = open_pair(&source(&x_path, None), &source(&t_path, None)).unwrap();
        let error = Problem::pair(x, t).unwrap_err();
        let words = [&format!("x.npy is {x_words},")[..], &format!("t.npy is {t_words};"), "same shape"];
        assert_message("shapes", &error, "x.npy", &words);
    }
}

/// A 3×4 array with `wrong` at three of its places, given as (row, column).
fn with_wrong_elements(dtype: Dtype, endian: Endian, order: Order, wrong: [f64; 3]) -> Npy {
    let places = [(2, 0), (1, 3), (0, 2)];
    let mut numbers = [Number::Float(1.5); 12];
    for ((row, column), value) in places.into_iter().zip(wrong) {
        let place = if order == Order::C { 4 * row + column } else { 3 * column + row };
        numbers[place] = Number::Float(value);
    }
    Npy::of(dtype, endian, order, &[3, 4], &numbers)
}

#[test]
fn elements_that_are_not_finite() {
    let directory = directory();
    let [bad, good] = ["bad.npy", "good.npy"].map(|name| directory.path().join(name));
    fs::write(&good, Npy::of_f64(&[3, 4], &[1.0; 12]).bytes()).unwrap();
    let mut files = 0;
    for dtype in DTYPES.into_iter().filter(|dtype| dtype.kind == 'f') {
        for (order, endian) in ORDERS.into_iter().flat_map(|order| ENDIANS.map(|endian| (order, endian))) {
            let wrongs = [
                ([f64::NAN, f64::INFINITY, f64::NEG_INFINITY], "3 of 12", "(0, 2)"),
                ([-f64::NAN, f64::INFINITY, 1.0], "2 of 12", "(1, 3)"),
                ([f64::NEG_INFINITY, 0.0, -2.0], "1 of 12", "(2, 0)"),
            ];
            for (wrong, count, position) in wrongs {
                let npy = with_wrong_elements(dtype, endian, order, wrong);
                fs::write(&bad, npy.bytes()).unwrap();
                let case = format!("{} {wrong:?}", npy.header);
                let words = [count, position, "NaN or infinite"];
                let opened = |path: &Path| open(&source(path, None)).unwrap();
                let x = opened(&bad).check_finite().expect_err(&case);
                assert_message(&case, &x, "bad.npy", &words);
                let error = Problem::pair(opened(&bad), opened(&good)).expect_err(&case);
                assert_message(&case, &error, "bad.npy", &words);
                let error = Problem::pair(opened(&good), opened(&bad)).expect_err(&case);
                assert_message(&case, &error, "bad.npy", &words);
                let error = Problem::inputs(opened(&bad)).expect_err(&case);
                assert_message(&case, &error, "bad.npy", &words);
                files += 1;
            }
            // The largest and smallest numbers of the type are finite.
            let largest = match dtype.size {
                2 => 65_504.0,
                4 => f64::from(f32::MAX),
                _ => f64::MAX,
            };
            let npy = with_wrong_elements(dtype, endian, order, [largest, -largest, -0.0]);
            open_bytes(&bad, &npy.bytes(), None).unwrap().check_finite().unwrap();
        }
    }
    assert_eq!(files, 3 * 4 * 3);

    let cases = [("a\n1\nnan\n2\ninf\n", "2 of 4", "index 1 "), ("1\n2\n-infinity\n", "1 of 3", "index 2 ")];
    for (text, count, position) in cases {
        let path = directory.path().join("f.csv");
        let matrix = open_bytes(&path, text.as_bytes(), None).unwrap();
        let error = Problem::inputs(matrix).expect_err(text);
        assert_message(text, &error, "f.csv", &[count, position, "NaN or infinite"]);
    }
    let number = Npy::of_f64(&[], &[f64::NAN]);
    let error = open_bytes(&bad, &number.bytes(), None).unwrap().check_finite().unwrap_err();
    assert_message("a single number", &error, "bad.npy", &["1 of 1", "only element"]);
}

// -------------------------------------------------------------------- at random

fn any_npy() -> impl Strategy<Value = (Dtype, Endian, Npy, Vec<u64>, Order)> {
    let shape = prop::collection::vec(1..=4u64, 0..=5);
    let layout = (0..DTYPES.len(), any::<bool>(), any::<bool>(), 1..=3u8, 1..=64usize);
    (shape, layout).prop_flat_map(|(shape, (dtype, big, fortran, version, align))| {
        let dtype = DTYPES[dtype];
        let elements = shape.iter().product::<u64>() as usize;
        prop::collection::vec(any::<u8>(), elements * dtype.size).prop_map(move |data| {
            let endian = if big { Endian::Big } else { Endian::Little };
            let order = if fortran { Order::Fortran } else { Order::C };
            let header = header(&dtype.descr(endian), order, &shape);
            let npy = Npy { version, align, data, ..Npy::with_header(&header) };
            (dtype, endian, npy, shape.clone(), order)
        })
    })
}

/// What might stand in a header.
fn header_soup() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "'",
        "\"",
        ",",
        ":",
        " ",
        "\\",
        "-",
        "+",
        ".",
        "\n",
        "é",
        "\0",
        "0",
        "1",
        "7",
        "99999999999",
        "L",
        "0x1",
        "1e9",
        "'shape'",
        "'descr'",
        "'fortran_order'",
        "shape",
        "True",
        "False",
        "None",
        "'<f8'",
        "<f8",
        "(2,)",
        "(2, 3)",
        "'shape': (2,), ",
        "'descr': '<f8', ",
        "'fortran_order': False, ",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40).prop_map(|words| words.concat())
}

/// Numbers to be compared bit by bit, all NaNs as one.
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }).collect()
}

fn refused_or_read(bytes: &[u8]) -> Result<(), TestCaseError> {
    let directory = directory();
    match open_bytes(&directory.path().join("x.npy"), bytes, None) {
        Ok(matrix) => prop_assert_eq!(values(&matrix).len(), matrix.len()),
        Err(error) => assert_message("random bytes", &error, "x.npy", &[": "]),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_npy_reads_back((dtype, endian, npy, shape, order) in any_npy()) {
        let directory = directory();
        let matrix = open_bytes(&directory.path().join("x.npy"), &npy.bytes(), None).unwrap();
        let stored = npy.data.chunks(dtype.size).map(|bytes| dtype.decode(bytes, endian));
        let mut expected: Vec<f64> = stored.map(|number| dtype.as_f64(number)).collect();
        let mut found = vec![0.5; expected.len()];
        matrix.read(order, 0, &mut found);
        prop_assert_eq!(bits(&found), bits(&expected));

        // And in the other order.
        let columns = column_major(&shape);
        let stored = expected.clone();
        for (place, &k) in columns.iter().enumerate() {
            match order {
                Order::C => expected[place] = stored[k],
                Order::Fortran => expected[k] = stored[place],
            }
        }
        let other = if order == Order::C { Order::Fortran } else { Order::C };
        matrix.read(other, 0, &mut found);
        prop_assert_eq!(bits(&found), bits(&expected));
        let wrong = found.iter().filter(|value| !value.is_finite()).count() as u64;
        match matrix.check_finite() {
            Ok(()) => prop_assert_eq!(wrong, 0),
            Err(DataError::NotFinite { count, n, .. }) => {
                prop_assert_eq!((count, n), (wrong, found.len() as u64));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn bytes_after_the_signature_never_panic(rest in prop::collection::vec(any::<u8>(), 0..300)) {
        refused_or_read(&[&b"\x93NUMPY"[..], &rest].concat())?;
    }

    #[test]
    fn bytes_in_the_header_never_panic(version in 1..=3u8, text in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = Npy { version, ..Npy::with_header(&" ".repeat(text.len())) }.bytes();
        let start = if version == 1 { 10 } else { 12 };
        bytes[start..start + text.len()].copy_from_slice(&text);
        refused_or_read(&bytes)?;
    }

    #[test]
    fn words_in_the_header_never_panic(soup in header_soup(), braces in any::<bool>()) {
        let header = if braces { format!("{{{soup}}}") } else { soup };
        refused_or_read(&Npy { data: vec![0; 48], ..Npy::with_header(&header) }.bytes())?;
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in "[0-9a,\"#\n\r .e+-]{0,60}",
        key in prop::sample::select(vec![None, Some("0"), Some("a"), Some("1")]),
    ) {
        let directory = directory();
        match open_bytes(&directory.path().join("f.csv"), text.as_bytes(), key) {
            Ok(matrix) => prop_assert_eq!(values(&matrix).len(), matrix.len()),
            Err(error) => assert_message(&text, &error, "f.csv", &[": "]),
        }
    }
}

#[test]
fn f32_is_rounded_once() {
    // 2^60 + 2^36 + 1 is above the middle of two neighbours in f32; by way of
    // f64 the 1 is lost, and the tie goes to the even neighbour below.
    let value = (1i128 << 60) + (1 << 36) + 1;
    let directory = directory();
    let npy = Npy::of(DTYPES[8], Endian::Little, Order::C, &[1], &[Number::Int(value)]);
    let matrix = open_bytes(&directory.path().join("x.npy"), &npy.bytes(), None).unwrap();
    let mut read = [0f32];
    matrix.read(Order::C, 0, &mut read);
    assert_eq!(f64::from(read[0]), 2f64.powi(60) + 2f64.powi(37));
    assert_ne!(f64::from(read[0]), f64::from(to_f32(value as f64)));
}
