//! Columns of Arrow IPC files, which Feather (version 2) files are too, and of
//! IPC streams. Nothing but the buffers of the columns is read, the batches of all
//! of them side by side. `arrow_ipc` has the format's metadata and is asked for no
//! more: its decoders decompress every buffer of a whole batch to memory, into room
//! for as many bytes as the file claims, so that a claim of a few bytes ends the
//! program. A column is here decoded within the bound of memory, whatever the size of
//! a batch, and no claim is believed before its bytes are there.

mod batches;
mod buffer;
mod column;
mod dictionary;
mod fits;
mod message;
mod output;
mod places;
mod table;
mod texts;
mod values;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::{self as ipc, root_as_footer};

use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::pieces;
use crate::array::error::reason;
use crate::array::held::Held;
use crate::array::{Bitmap, DataError, Shape};
use batches::Reader;
use column::KIND;
use message::{CONTINUATION, DAMAGED, Message};
use table::SIGNATURE;

pub(super) use column::{Column, no_number, nodata_of, scaling_of};
pub(super) use fits::write_fits_as;
pub(super) use output::{BatchFile, RecordBatch, Table, TableWriter, Writer};
pub(super) use table::open_table;
pub(super) use texts::{open_texts, text_column, texts_of};
pub(super) use values::Part;

/// Opens columns, one for each key.
pub(super) fn open(input: &Input<'_>, keys: &[Option<&str>]) -> Result<Vec<Opened>, DataError> {
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
    let choose = |key| Column::choose(&Input { key, ..*input }, &schema);
    let columns = keys.iter().copied().map(choose).collect::<Result<Vec<_>, _>>()?;
    let reader = |column| Reader::new(input, &map, &schema, column, is_stream);
    let readers: Vec<Reader<'_>> = columns.iter().map(reader).collect();
    let mut opened: Vec<Option<Opened>> = Vec::with_capacity(keys.len());
    for (column, reader) in columns.iter().zip(&readers) {
        // What the map holds as it is needs no copy.
        let mapped = reader.mapped(&messages)?.map(|layout| input.array(input.map()?, layout)).transpose()?;
        opened.push(mapped.map(|array| column.opened(array, Bitmap::default(), 0)));
    }
    decode(&readers, &messages, described, &mut opened)?;
    if !map.is_intact() {
        return Err(DataError::Shrunk { path: input.path.to_owned() });
    }
    Ok(opened.into_iter().flatten().collect())
}

/// The columns of a file or a stream, whose rows are not counted.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let map = input.map()?;
    let file = map.bytes();
    let is_stream = file.starts_with(CONTINUATION);
    let read = if is_stream { messages_of_stream(file) } else { messages_of_file(file).ok_or(DAMAGED) };
    let (described, _) = read.map_err(|fault| input.invalid(KIND, fault))?;
    let schema = try_fb_to_schema(described).map_err(|e| input.invalid(KIND, &reason(&e.to_string())))?;
    let listed = schema.fields().iter().map(|field| {
        let missing = field.is_nullable().then(|| "null".to_owned());
        Listed { missing, ..Listed::decoded(field.name().clone(), None, &field.data_type().to_string()) }
    });
    Ok(listed.collect())
}

/// The batches that one thread decodes.
enum Work<'p> {
    /// All of a column.
    Column(usize),
    /// Its rows of a message, to their place.
    Batch(usize, usize, &'p mut [u8]),
}

enum Done {
    Column(usize, Box<Opened>),
    Batch(usize, Part),
}

/// Decodes the columns that are not opened yet: batch by batch side by side, if
/// memory holds them; else, and if they are looked up in a dictionary, column by
/// column.
fn decode(
    readers: &[Reader<'_>],
    messages: &[Message<'_>],
    described: ipc::Schema<'_>,
    opened: &mut [Option<Opened>],
) -> Result<(), DataError> {
    let mut held = Vec::with_capacity(readers.len());
    for (reader, opened) in readers.iter().zip(&*opened) {
        held.push(if opened.is_none() { reader.held(messages) } else { None });
    }
    let mut rests: Vec<Option<&mut [u8]>> =
        held.iter_mut().map(|held| held.as_mut().map(Held::bytes_mut)).collect();
    let mut work: Vec<Work<'_>> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        for (k, rest) in rests.iter_mut().enumerate() {
            let Some(left) = rest else { continue };
            let bytes = readers[k].bytes(message).min(left.len());
            let (place, after) = std::mem::take(left).split_at_mut(bytes);
            *left = after;
            work.push(Work::Batch(k, number, place));
        }
    }
    let whole = rests.iter().zip(&*opened).enumerate();
    work.extend(
        whole.filter(|(_, (rest, opened))| rest.is_none() && opened.is_none()).map(|(k, _)| Work::Column(k)),
    );
    let mut found: Vec<Part> = readers.iter().map(|_| Part::default()).collect();
    let run = |(): &mut (), work: Work<'_>| match work {
        Work::Column(k) => {
            readers[k].read(messages, described).map(|opened| Done::Column(k, Box::new(opened)))
        }
        Work::Batch(k, number, place) => {
            readers[k].fill(&messages[number], place).map(|part| Done::Batch(k, part))
        }
    };
    pieces::in_order(work.into_iter(), pieces::at_once(0, u64::MAX), run, |done| {
        match done? {
            Done::Column(k, column) => opened[k] = Some(*column),
            Done::Batch(k, part) => found[k].append(&part),
        }
        Ok::<(), DataError>(())
    })?;
    for (k, (held, part)) in held.into_iter().zip(found).enumerate() {
        if let Some(held) = held {
            let array = held.finish(Shape(vec![part.rows as u64]))?;
            opened[k] = Some(readers[k].column.opened(array, part.valid, part.rounded));
        }
    }
    Ok(())
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

/// Writes a table of many fits.
pub(super) fn write_fits(
    path: &std::path::Path,
    plan: &super::fits_plan::FitsPlan<'_>,
) -> Result<(), DataError> {
    write_fits_as::<arrow_ipc::writer::FileWriter<super::output::OutputFile>>(path, plan)
}
