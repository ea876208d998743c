//! Archives with changed bytes.

use std::io::{Cursor, Write};

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
                        by_sum += usize::from(text.contains("is damaged"));
                    }
                }
            }
        }
        assert!(refused > 500 && by_sum > 300, "{method}: {refused}, {by_sum}");
    }
}

/// An array of several parts, whose sums are put together.
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
        assert!(text.contains("long.npz:x: is damaged: its checksum"), "{at}: {text}");
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
        assert_eq!(u32::from_le_bytes(good[entry + 24..][..4].try_into().unwrap()) as usize, member.len());
        for length in [0, 100, 300, member.len() as u32 - 1, member.len() as u32 + 1, 1 << 31, u32::MAX - 1] {
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
