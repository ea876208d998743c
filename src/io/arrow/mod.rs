//! Columns of Arrow IPC files, which Feather (version 2) files are too, and of
//! IPC streams: one column's buffers are read, piece by piece. `arrow_ipc` has the
//! format's metadata and is asked for no more: its decoders decompress every buffer of
//! a whole batch to memory, into room for as many bytes as the file claims, so that a
//! claim of a few bytes ends the program. A column is here decoded within the bound of
//! memory, whatever the size of a batch, and no claim is believed before its bytes
//! are there.

mod batches;
mod buffer;
mod column;
mod dictionary;
mod message;
mod output;
mod places;
mod values;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::{self as ipc, root_as_footer};

use super::input::Input;
use super::metadata::Opened;
use crate::array::error::reason;
use crate::array::{Bitmap, DataError};
use batches::Reader;
use column::KIND;
use message::{CONTINUATION, DAMAGED, Message};

pub(super) use column::{Column, no_number, nodata_of};
pub(super) use output::{BatchFile, RecordBatch, TableWriter, Writer};

const SIGNATURE: &[u8] = b"ARROW1";

/// Opens a column.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    const WRITE: &str = "write it with pyarrow.feather.write_feather or ipc.new_file";
    let map = input.map()?;
    let file = map.bytes();
    let is_stream = file.starts_with(CONTINUATION);
    if file.starts_with(b"FEA1") {
        return Err(input.unsupported("Feather version 1".to_owned(), "write it again, as version 2"));
    }
    if !is_stream && !file.starts_with(SIGNATURE) {
        return Err(input.unsupported("neither an Arrow IPC file nor a stream".to_owned(), WRITE));
    }
    let read = if is_stream { messages_of_stream(file) } else { messages_of_file(file).ok_or(DAMAGED) };
    let (described, messages) = read.map_err(|fault| input.invalid(KIND, fault))?;
    let byte_order = described.endianness();
    if !byte_order.equals_to_target_endianness() {
        let found = format!("its numbers are {}-endian", byte_order.variant_name().unwrap_or("other"));
        return Err(input.unsupported(found.to_lowercase(), "write it on a machine like this one"));
    }
    let schema = try_fb_to_schema(described).map_err(|e| input.invalid(KIND, &reason(&e.to_string())))?;
    let column = Column::choose(input, &schema)?;
    let reader = Reader::new(input, &map, &schema, &column, is_stream);
    match reader.mapped(&messages)? {
        // What the map holds as it is needs no copy.
        Some(layout) => Ok(column.opened(input.array(input.map()?, layout)?, Bitmap::default(), 0)),
        None => reader.read(&messages, column.dictionary_id(described)),
    }
}

/// Whether a file begins as an IPC stream: with a schema.
pub(super) fn begins_stream(file: &[u8]) -> bool {
    let message = || Message::first(file, 0)?.header()?.header_as_schema();
    message().is_some()
}

/// A schema, and the messages after it.
type Messages<'f> = (ipc::Schema<'f>, Vec<Message<'f>>);

/// The messages of a file, which lie within it one after another; `None` if it is
/// no such file.
fn messages_of_file(file: &[u8]) -> Option<Messages<'_>> {
    let trailer = file.last_chunk::<10>()?;
    let end = file.len() - trailer.len();
    let start = end.checked_sub(read_footer_length(*trailer).ok()?)?;
    let footer = root_as_footer(&file[start..end]).ok()?;
    let blocks = footer.dictionaries().into_iter().chain(footer.recordBatches()).flatten();
    let messages = blocks.map(|block| Message::at(file, block)).collect::<Option<Vec<_>>>()?;
    // A message that is named many times is much work for few bytes.
    let bytes: usize = messages.iter().map(Message::len).sum();
    messages.iter().try_for_each(Message::check_buffers)?;
    Some((footer.schema()?, messages)).filter(|_| bytes <= file.len())
}

/// The messages of a stream: whole ones, the first of which is a schema and the
/// last the mark of the end. A stream may do without the mark, but then nobody
/// knows whether it is whole.
fn messages_of_stream(file: &[u8]) -> Result<Messages<'_>, &'static str> {
    const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let first = Message::first(file, 0).ok_or(DAMAGED)?;
    let schema = first.header().and_then(|header| header.header_as_schema()).ok_or(DAMAGED)?;
    let mut messages = Vec::new();
    let mut at = first.len();
    while file[at..] != END {
        if at == file.len() {
            return Err(
                "it has no end mark, so that it may be cut off; close what writes it, and write it again",
            );
        }
        let message = Message::first(file, at).ok_or(DAMAGED)?;
        message.check_buffers().ok_or(DAMAGED)?;
        at += message.len();
        messages.push(message);
    }
    Ok((schema, messages))
}
