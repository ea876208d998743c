//! Columns of text of record batches.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, Schema};

use crate::array::error::reason;
use crate::array::{DataError, NO_GROUP};
use crate::io::source_name::SourceName;
use crate::io::texts::{Interner, Texts};

/// The place of a column of text by its name or number; `None` if it is of numbers, or
/// is not there.
pub(in crate::io) fn text_column(schema: &Schema, key: Option<&str>) -> Option<usize> {
    let named = key.and_then(|key| schema.fields().iter().position(|field| field.name() == key));
    let numbered = || match key {
        Some(key) => key.parse().ok().filter(|&place: &usize| place < schema.fields().len()),
        None => (schema.fields().len() == 1).then_some(0),
    };
    named.or_else(numbered).filter(|&place| is_text(schema.field(place).data_type()))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The texts of the first column of batches.
pub(in crate::io) fn texts_of(
    label: &str,
    batches: impl Iterator<Item = Result<RecordBatch, String>>,
) -> Result<Texts, String> {
    let (mut ids, mut interner) = (Vec::new(), Interner::default());
    for batch in batches {
        append(batch?.column(0), &mut ids, &mut interner)?;
    }
    Ok(Texts::of(label, ids, interner.texts()))
}

fn append(column: &ArrayRef, ids: &mut Vec<u32>, interner: &mut Interner) -> Result<(), String> {
    fn each<'a>(texts: impl Iterator<Item = Option<&'a str>>, ids: &mut Vec<u32>, interner: &mut Interner) {
        ids.extend(texts.map(|text| text.map_or(NO_GROUP, |text| interner.place(text))));
    }
    macro_rules! dictionary {
        ($keys:expr, $($variant:ident => $key:ty),*) => {
            match $keys {
                $(DataType::$variant => {
                    let column = column.as_dictionary::<$key>();
                    let mut places = Vec::new();
                    append(column.values(), &mut places, interner)?;
                    ids.extend(column.keys().iter().map(|key| {
                        let place = key.and_then(|key| usize::try_from(key).ok());
                        place.and_then(|place| places.get(place).copied()).unwrap_or(NO_GROUP)
                    }));
                })*
                other => return Err(format!("its dictionary has keys of type {other}")),
            }
        };
    }
    match column.data_type() {
        DataType::Utf8 => each(column.as_string::<i32>().iter(), ids, interner),
        DataType::LargeUtf8 => each(column.as_string::<i64>().iter(), ids, interner),
        DataType::Utf8View => each(column.as_string_view().iter(), ids, interner),
        DataType::Dictionary(keys, _) => dictionary!(&**keys,
            Int8 => Int8Type, Int16 => Int16Type, Int32 => Int32Type, Int64 => Int64Type,
            UInt8 => UInt8Type, UInt16 => UInt16Type, UInt32 => UInt32Type, UInt64 => UInt64Type),
        other => return Err(format!("its column is of {other}, not of text")),
    }
    Ok(())
}

/// Opens a column of text; `None` if it is of numbers.
pub(in crate::io) fn open_texts(source: &SourceName<'_>) -> Result<Option<Texts>, DataError> {
    let file = File::open(source.path).map_err(|e| DataError::io(source.path, e))?;
    let invalid = |text: String| DataError::Invalid {
        path: source.path.to_owned(),
        kind: super::column::KIND,
        reason: reason(&text),
    };
    // A stream, or a damaged file, is the reader of numbers' to judge.
    let Ok(reader) = FileReader::try_new(file, None) else { return Ok(None) };
    let Some(place) = text_column(&reader.schema(), source.key) else { return Ok(None) };
    drop(reader);
    let file = File::open(source.path).map_err(|e| DataError::io(source.path, e))?;
    let reader = FileReader::try_new(file, Some(vec![place])).map_err(|e| invalid(e.to_string()))?;
    let batches = reader.map(|batch| batch.map_err(|e| e.to_string()));
    texts_of(&source.label(), batches).map(Some).map_err(invalid)
}
