//! Bad and damaged `.npy` files.

use super::*;

/// The fault of a `.npy` file, its bytes, and words that the message must
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
