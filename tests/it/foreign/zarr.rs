//! Arrays as zarr and xarray write them.

use super::cubes::*;
use super::{ElementType, is_refused, read};

#[test]
fn every_type_is_read_in_both_byte_orders() {
    for version in [2, 3] {
        for (name, kind) in TYPES {
            for order in ["little", "big"] {
                is_vector(&format!("types-{version}.zarr.zip:{order}/{name}"), kind);
            }
        }
        is_vector(&format!("types-{version}.zarr.zip:bool"), ElementType::Bool);
    }
    is("types-3.zarr.zip:/scalar/", ElementType::F64, &[], |_| 2.5);
}

#[test]
fn every_codec_is_undone() {
    for name in ["none", "zlib", "gzip", "zstd", "zstd-sum", "lz4"] {
        is_image(&format!("codecs-2.zarr.zip:u2/{name}"), ElementType::U16);
    }
    for shuffle in 0..3 {
        for name in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"] {
            is_image(&format!("codecs-2.zarr.zip:u2/blosc-{name}-{shuffle}"), ElementType::U16);
        }
        for name in ["blosclz", "lz4"] {
            is_image(&format!("codecs-2.zarr.zip:f4/blosc-{name}-{shuffle}"), ElementType::F32);
        }
    }
    for name in ["none", "gzip", "zstd", "sum", "sum-first", "blosc", "blosc-bits"] {
        is_image(&format!("codecs-3.zarr.zip:{name}"), ElementType::U16);
    }
}

#[test]
fn every_layout_is_read() {
    is_image("arrays-2.zarr.zip:blocks", ElementType::I32);
    is_image("arrays-2.zarr.zip:shuffle", ElementType::U16);
    is_image("arrays-2.zarr.zip:crc32", ElementType::U16);
    is_image("arrays-2.zarr.zip:columns", ElementType::I32);
    is_image("arrays-2.zarr.zip:slashes", ElementType::U8);
    is_cube("arrays-2.zarr.zip:cube", ElementType::F64);
    is_cube("codecs-3.zarr.zip:transposed", ElementType::I32);
    is_image("codecs-3.zarr.zip:dots", ElementType::U8);
    is_image("codecs-3.zarr.zip:shards", ElementType::F32);
    is_image("codecs-3.zarr.zip:shards-first", ElementType::I16);
    is_image("plain.zarr", ElementType::U16);
}

#[test]
fn a_missing_chunk_is_the_fill_value() {
    has_holes("arrays-2.zarr.zip:holes", -7.0, 11..14, 7..13);
    has_holes("codecs-3.zarr.zip:holes", -7.0, 11..14, 7..13);
    is("codecs-3.zarr.zip:nan-holes", ElementType::F32, &[4, 4], |place| {
        if place[0] < 2 && place[1] < 2 { 3.0 } else { f64::NAN }
    });
}

#[test]
fn what_xarray_masks_is_missing() {
    for version in [2, 3] {
        for name in ["t2m", "raw"] {
            misses_what_others_do(&format!("xarray-{version}.zarr.zip:{name}"));
        }
        let packed = read(&format!("xarray-{version}.zarr.zip:t2m")).unwrap();
        let notes: Vec<String> = packed.metadata().notes().iter().map(ToString::to_string).collect();
        assert_eq!(notes, ["read as it is stored, not with its scale 0.25 and offset 10.0"]);
        // Axes are no arrays of their own.
        is_refused(&format!("xarray-{version}.zarr.zip"), &["2 arrays", "raw, t2m"]);
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    is_refused("arrays-2.zarr.zip:refused/bz2", &["bz2", "zstd"]);
    is_refused("arrays-2.zarr.zip:refused/delta", &["delta", "zstd"]);
    is_refused("arrays-2.zarr.zip:refused/complex", &["<c8", "not numbers"]);
    is_refused("codecs-3.zarr.zip:refused/strings", &["refused/strings", "not numbers"]);
    is_refused("arrays-2.zarr.zip:cubes", &["no array \"cubes\"", "did you mean \"cube\""]);
    is_refused("arrays-2.zarr.zip:../cube", &["no array"]);
}
