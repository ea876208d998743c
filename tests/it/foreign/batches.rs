//! Buffers, dictionaries and row groups of columns.

use super::*;

#[test]
fn a_replaced_dictionary_is_refused_in_a_file_and_right_in_a_stream() {
    let error = open(&data().join("replaced.arrow"), None).unwrap_err().to_string();
    assert!(error.contains("one dictionary replaces another"), "{error}");
    let stream = open(&data().join("replaced.arrows"), None).unwrap();
    assert_eq!(values(&stream), [10.0, 20.0, 20.0, 40.0, 30.0, 40.0]);
}

#[test]
fn what_is_added_to_a_dictionary_is_looked_up() {
    for name in ["delta.arrow", "delta.arrows"] {
        let matrix = open(&data().join(name), None).unwrap();
        assert_eq!(values(&matrix), [10.0, 20.0, 20.0, 40.0, 30.0, 40.0], "{name}");
    }
}

/// Columns before it have none, one, two, three or any number of buffers.
#[test]
fn a_column_is_found_behind_others_of_every_layout() {
    for name in ["beside-plain.arrow", "beside-lz4.arrow", "beside-zstd.arrow", "beside.arrows"] {
        let file = data().join(name);
        let x = open(&file, Some("x")).unwrap();
        assert_eq!(values(&x), (0..20).map(|k| f64::from(k) * 3.0).collect::<Vec<_>>(), "{name}");
        let field = open(&file, Some("s.x")).unwrap();
        let is_null = |k: usize| k.is_multiple_of(4) || k % 10 == 3;
        assert!((0..20).all(|k| field.metadata().is_null(k) == is_null(k)), "{name}");
        let want = |k: usize| if is_null(k) { 0.0 } else { k as f64 * 2.0 };
        assert_eq!(values(&field), (0..20).map(want).collect::<Vec<_>>(), "{name}");
        let bits = open(&file, Some("bool")).unwrap();
        assert_eq!(
            values(&bits),
            (0..20).map(|k| f64::from(u8::from(k % 3 == 0))).collect::<Vec<_>>(),
            "{name}"
        );
    }
}

/// Elements that stand in a file as they do in memory are neither copied nor held.
#[test]
fn a_plain_column_of_one_batch_is_mapped() {
    let plain = open(&data().join("beside-plain.arrow"), Some("x")).unwrap();
    assert!(!plain.is_spooled());
    let packed = open(&data().join("beside-lz4.arrow"), Some("x")).unwrap();
    assert!(packed.is_spooled());
}

/// Arrow lets anything stand in the place of a null.
#[test]
fn digits_under_a_null_are_not_counted() {
    use std::sync::Arc;

    use arrow_array::{Array as _, ArrayRef, Decimal128Array, DictionaryArray, Int8Array, RecordBatch};
    use arrow_ipc::writer::FileWriter;

    const LONG: i128 = (1 << 53) + 1;
    let directory = tempfile::tempdir().unwrap();
    let whole = Decimal128Array::from(vec![LONG, 7, LONG, LONG]);
    let gaps = Decimal128Array::from(vec![Some(1), Some(1), None, None]);
    let parts = whole.into_data().into_builder().nulls(gaps.nulls().cloned());
    let values: ArrayRef = Arc::new(Decimal128Array::from(parts.build().unwrap()));
    let keys = Int8Array::from(vec![Some(0), Some(0), Some(1), Some(2), None, Some(0)]);
    let looked_up: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::clone(&values)));
    for (column, want) in [(values, "1 of 4 decimals"), (looked_up, "3 of 6 decimals")] {
        let batch = RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap();
        let path = directory.path().join("x.arrow");
        let mut writer = FileWriter::try_new(fs::File::create(&path).unwrap(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let notes: Vec<String> =
            open(&path, None).unwrap().metadata().notes().iter().map(ToString::to_string).collect();
        assert!(notes.len() == 1 && notes[0].starts_with(want), "{notes:?}");
    }
}

/// A file whose footer names each of its row groups so many times.
fn named_again(rows: usize, times: usize) -> Vec<u8> {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::{ParquetMetaDataBuilder, ParquetMetaDataWriter};

    let column: ArrayRef = Arc::new(Float64Array::from(vec![3.0; rows]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let metadata = writer.close().unwrap();
    let groups = vec![metadata.row_groups().to_vec(); times].concat();
    let metadata = ParquetMetaDataBuilder::new_from_metadata(metadata).set_row_groups(groups).build();
    ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().unwrap();
    bytes
}

#[test]
fn row_groups_that_share_their_bytes_have_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = named_again(1 << 20, 9);
    assert!(bytes.len() < 10_000, "{}", bytes.len());
    let error = open_bytes(&directory, "x.parquet", &bytes, None).unwrap_err();
    assert!(error.contains("9 row groups claim 9437184 rows, and share"), "{error}");
    assert_eq!(open_bytes(&directory, "x.parquet", &named_again(1000, 2), None).unwrap(), [3.0; 2000]);
    // Rows that are many and have bytes of their own.
    let many = open_bytes(&directory, "x.parquet", &named_again(9 << 20, 1), None).unwrap();
    assert_eq!(many.len(), 9 << 20);
}

/// The length before a compressed buffer, as it is and as it may claim.
#[test]
fn a_buffer_has_the_length_that_it_claims() {
    let directory = tempfile::tempdir().unwrap();
    for (name, magic) in
        [("lz4.feather", [0x04, 0x22, 0x4d, 0x18]), ("zstd.feather", [0x28, 0xb5, 0x2f, 0xfd])]
    {
        let good = fs::read(data().join(name)).unwrap();
        let places: Vec<usize> =
            (8..good.len()).filter(|&at| good[at..].starts_with(&magic)).map(|at| at - 8).collect();
        assert!(!places.is_empty(), "{name}");
        let (mut refused, mut claims) = (0, 0);
        for at in places {
            let length = i64::from_le_bytes(good[at..at + 8].try_into().unwrap());
            assert!((1..10_000).contains(&length), "{length}");
            let read = |claim: i64, key: &str| {
                let mut bytes = good.clone();
                bytes[at..at + 8].copy_from_slice(&claim.to_le_bytes());
                open_bytes(&directory, name, &bytes, Some(key))
            };
            // A buffer of another column may claim anything.
            for key in ["i32", "f64"].into_iter().filter(|key| read(-2, key).is_err()) {
                assert_eq!(read(length, key).unwrap().len(), 300);
                for claim in [length + 1, length - 1, length * 200, 84_000_000_000, i64::MAX, i64::MIN, 0] {
                    refused += usize::from(read(claim, key).is_err());
                    claims += 1;
                }
            }
        }
        assert!(claims > 0 && refused == claims, "{name}: {refused} of {claims}");
    }
}
