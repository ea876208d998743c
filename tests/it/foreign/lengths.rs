//! Lengths that a header claims.

use super::*;

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
