//! Datasets as h5py writes them.

use super::cubes::*;
use super::{ElementType, is_refused, read};

#[test]
fn every_type_is_mapped_in_both_byte_orders() {
    for (name, kind) in TYPES {
        is_vector(&format!("little.h5:{name}"), kind);
        is_vector(&format!("big.h5:/{name}"), kind);
    }
    is_vector("little.h5:bool", ElementType::Bool);
    is_vector("little.h5:bf16", ElementType::Bf16);
    is("little.h5:scalar", ElementType::F64, &[], |_| 2.5);
}

#[test]
fn every_filter_is_undone() {
    for (name, kind) in [("u2", ElementType::U16), ("f4", ElementType::F32)] {
        for filter in ["gzip", "shuffled", "summed", "all", "lzf", "lzf-shuffled", "zstd"] {
            is_image(&format!("filters-{name}.h5:{filter}"), kind);
        }
    }
    is_image("chunked.h5:small", ElementType::U8);
    is_image("chunked.h5:big", ElementType::I16);
    is_image("chunked.h5:sum", ElementType::U8);
    is_cube("chunked.h5:cube", ElementType::I32);
    is_vector("userblock.h5", ElementType::F32);
}

#[test]
fn every_index_of_chunks_is_read() {
    for index in ["single", "fixed", "fixed-room", "rows", "columns", "both"] {
        is_image(&format!("indices.h5:{index}"), ElementType::U8);
        is_image(&format!("indices.h5:{index}-gzip"), ElementType::U16);
    }
    is_image("indices.h5:deep-gzip", ElementType::U8);
    is_image("indices-more.h5:implicit", ElementType::U8);
    is_image("indices-more.h5:edges", ElementType::U8);
    is_vector("indices-more.h5:long", ElementType::U8);
    is("paged.h5:paged", ElementType::U8, &[35, 30], |place| {
        // NumPy's resize goes through the image again and again.
        let k = (place[0] * 30 + place[1]) % (19 * 23);
        element(ElementType::U8, 0, k / 23, k % 23)
    });
    is("paged.h5:holes", ElementType::U8, &[35, 31], |place| if place == [34, 2] { 3.0 } else { 9.0 });
}

#[test]
fn what_was_never_written_is_the_fill_value() {
    has_holes("chunked.h5:holes", -7.0, 12..17, 8..21);
    is("chunked.h5:never", ElementType::F32, &[4, 5], |_| 1.5);
    is("chunked.h5:never-big", ElementType::U16, &[4, 5], |_| 258.0);
    is("chunked.h5:shrunk", ElementType::U8, &[10, 21], |place| {
        element(ElementType::U8, 0, place[0], place[1])
    });
}

#[test]
fn paths_lead_through_groups_and_links() {
    for file in ["groups-old.h5", "groups-new.h5"] {
        for path in ["a/b c/d/x", "/a/b c/d/x", "hard", "soft", "a/b c/d/near"] {
            is(&format!("{file}:{path}"), ElementType::F64, &[2, 3], |place| {
                (3 * place[0] + place[1]) as f64
            });
            assert_eq!(read(&format!("{file}:{path}")).unwrap().metadata().nodata(), Some(4.0));
        }
        is(&format!("{file}:many/y023"), ElementType::I16, &[2], |place| 23.0 + place[0] as f64);
        is_refused(file, &["25 datasets", "many/y000"]);
        is_refused(&format!("{file}:many/y02"), &["no dataset \"many/y02\"", "did you mean \"many/y0"]);
        is_refused(&format!("{file}:many"), &["no dataset \"many\""]);
        is_refused(&format!("{file}:dead"), &["no dataset \"dead\""]);
        is_refused(&format!("{file}:round"), &["circle"]);
        is_refused(&format!("{file}:far"), &["another file"]);
        is_refused(&format!("{file}:text"), &[":text", "not numbers"]);
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let filters = [
        ("scale-offset", "scale-offset"),
        ("blosc", "Blosc (filter 32001)"),
        ("blosc2", "Blosc2"),
        ("lz4", "LZ4"),
        ("bitshuffle", "Bitshuffle"),
        ("bzip2", "bzip2"),
        ("zfp", "ZFP"),
    ];
    for (name, word) in filters {
        is_refused(&format!("refused.h5:{name}"), &[word, "h5repack"]);
    }
    is_refused("refused.h5:virtual", &["virtual"]);
    is_refused("refused.h5:outside", &["other files"]);
    let types = [
        ("n-bit type", "17 of 32 bits"),
        ("compound", "compounds"),
        ("complex", "compounds"),
        ("strings", "text"),
        ("rows", "several lengths"),
        ("words", "several lengths"),
        ("colours", "enumeration"),
        ("references", "references"),
        ("f16", "16 bytes"),
    ];
    for (name, word) in types {
        is_refused(&format!("refused.h5:{name}"), &[word, "not numbers"]);
    }
    is_refused("refused.h5:null", &["no elements"]);
    assert!(read("refused.h5:empty").unwrap().is_empty());
}
