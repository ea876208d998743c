//! Plain numbers, of which the user says what they are.

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
