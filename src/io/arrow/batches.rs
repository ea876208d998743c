//! A column read from the batches of an Arrow IPC file or stream.

use arrow_ipc::{self as ipc, MetadataVersion};
use arrow_schema::{DataType, Field, Schema};

use super::buffer::Buffer;
use super::column::{Column, KIND};
use super::dictionary::{Dictionary, Meaning};
use super::message::{DAMAGED, Message};
use super::places::{self, Place};
use super::values::{Part, bits, keys, numbers, rounded_decimals};
use crate::array::bitmap::WORD;
use crate::array::held::Held;
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Bitmap, DataError, Element, Layout, Order, Shape};
use crate::io::input::Input;
use crate::io::metadata::Opened;
use crate::with_element;

/// Rows that are read at a time, a multiple of 8 so that bits are whole bytes.
const PIECE_ROWS: usize = 1 << 16;

const UNLIKE: &str = "a column is not what the schema says";

/// A reader of a column.
pub(super) struct Reader<'r> {
    input: &'r Input<'r>,
    map: &'r Mapping,
    fields: Vec<&'r Field>,
    pub(super) column: &'r Column,
    /// The type of what is read.
    data_type: Option<&'r DataType>,
    /// Whether a dictionary may take the place of another.
    is_stream: bool,
}

/// A batch of rows, or of a dictionary's values.
struct Batch<'f> {
    message: &'f Message<'f>,
    header: ipc::RecordBatch<'f>,
    version: MetadataVersion,
    rows: usize,
}

/// A column so far.
struct Numbers<E> {
    spool: Spool<E>,
    valid: Bitmap,
    rows: usize,
    /// Decimals that have more digits than f64 holds.
    rounded: u64,
    dictionary: Option<Dictionary<E>>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(
        input: &'r Input<'r>,
        map: &'r Mapping,
        schema: &'r Schema,
        column: &'r Column,
        is_stream: bool,
    ) -> Self {
        let fields: Vec<&Field> = schema.fields().iter().map(AsRef::as_ref).collect();
        let outermost = fields.get(column.index).copied();
        let data_type = outermost.and_then(|field| column.within(field)).map(Field::data_type);
        Self { input, map, fields, column, data_type, is_stream }
    }

    fn invalid(&self, fault: &str) -> DataError {
        self.input.invalid(KIND, fault)
    }

    /// The layout of the whole column in the file, if it is there as it is in
    /// memory: in one batch, not compressed, without nulls.
    pub(super) fn mapped(&self, messages: &[Message<'_>]) -> Result<Option<Layout>, DataError> {
        let mut only = None;
        for message in messages {
            let header = message.header().ok_or_else(|| self.invalid(DAMAGED))?;
            // Dictionaries are of other columns, or of one that is not stored so.
            let Some(header_batch) = header.header_as_record_batch() else { continue };
            let batch = self.batch(message, header_batch, header.version())?;
            if batch.rows > 0 && only.replace(batch).is_some() {
                return Ok(None);
            }
        }
        let (Some(batch), Some(data_type)) = (only, self.data_type) else { return Ok(None) };
        let element = self.column.element;
        let is_stored = data_type.primitive_width() == Some(element.size()) && !data_type.is_decimal();
        if !is_stored || batch.header.compression().is_some() {
            return Ok(None);
        }
        let places = self.places(&batch)?;
        let mut has_nulls = false;
        for &place in &places {
            has_nulls |= self.null_count(&batch, place)? != 0;
        }
        let place = places.last().copied().unwrap_or_default();
        let range = self.range(&batch, place.buffer + 1)?;
        let is_whole = batch.rows.checked_mul(element.size()).is_some_and(|bytes| bytes <= range.len());
        let layout = Layout::contiguous(Shape(vec![batch.rows as u64]), element, Order::C);
        Ok(Some(Layout { offset: range.start, ..layout }).filter(|_| is_whole && !has_nulls))
    }

    /// Room for the whole column, if memory holds it and each batch is read without
    /// another.
    pub(super) fn held(&self, messages: &[Message<'_>]) -> Option<Held> {
        if matches!(self.data_type, None | Some(DataType::Dictionary(..))) {
            return None;
        }
        let mut rows = 0u64;
        for message in messages {
            rows = rows.checked_add(rows_of(message) as u64)?;
        }
        Held::new(self.input.path, self.column.element, rows, self.input.memory_bytes)
    }

    /// The bytes of the column's rows of a message.
    pub(super) fn bytes(&self, message: &Message<'_>) -> usize {
        rows_of(message).saturating_mul(self.column.element.size())
    }

    /// Reads the column's rows of a message to their place, which has room for all
    /// that it claims.
    pub(super) fn fill(&self, message: &Message<'_>, to: &mut [u8]) -> Result<Part, DataError> {
        let unlike = || self.invalid(UNLIKE);
        let header = message.header().ok_or_else(|| self.invalid(DAMAGED))?;
        let Some(batch) = header.header_as_record_batch() else {
            // A dictionary is another column's.
            let dictionary = header.header_as_dictionary_batch();
            return dictionary.map(|_| Part::default()).ok_or_else(|| self.invalid(DAMAGED));
        };
        let batch = self.batch(message, batch, header.version())?;
        let mut part = Part { rows: batch.rows, ..Part::default() };
        if batch.rows == 0 {
            return Ok(part);
        }
        let places = self.places(&batch)?;
        for &place in &places {
            self.nulls(&batch, place, 0, &mut part.valid)?;
        }
        let place = places.last().copied().ok_or_else(unlike)?;
        let data_type = self.data_type.ok_or_else(unlike)?;
        let size = self.column.element.size();
        if data_type.primitive_width() == Some(size) && !data_type.is_decimal() {
            let mut buffer = self.buffer(&batch, place.buffer + 1)?;
            buffer.fill(to).and_then(|()| buffer.finish()).map_err(|fault| self.invalid(&fault))?;
        } else {
            let Part { valid, rounded, .. } = &mut part;
            self.pieces(&batch, place, data_type, |bytes, piece| {
                let places = rounded_decimals(data_type, bytes);
                *rounded += places.iter().filter(|&k| valid.contains(piece.start + k)).count() as u64;
                let to = &mut to[piece.start * size..piece.end * size];
                with_element!(self.column.element, E => {
                    let values = numbers::<E>(data_type, bytes, piece.len()).ok_or_else(unlike)?;
                    to.copy_from_slice(bytemuck::cast_slice(&values));
                    Ok(())
                })
            })?;
        }
        // Whatever the file has in the place of a null.
        part.valid.excluded().for_each(|k| to[k * size..(k + 1) * size].fill(0));
        Ok(part)
    }

    /// Reads the column to memory or to a temporary file.
    pub(super) fn read(
        &self,
        messages: &[Message<'_>],
        described: ipc::Schema<'_>,
    ) -> Result<Opened, DataError> {
        let dictionary_id = self.column.dictionary_id(described);
        with_element!(self.column.element, E => {
            let mut numbers = Numbers::<E> {
                spool: Spool::new(self.input.path, self.input.memory_bytes),
                valid: Bitmap::default(),
                rows: 0,
                rounded: 0,
                dictionary: None,
            };
            for message in messages {
                self.read_message(message, dictionary_id, &mut numbers)?;
            }
            let Numbers { spool, valid, rows, rounded, .. } = numbers;
            let array = spool.finish(Shape(vec![rows as u64]))?;
            Ok(self.column.opened(array, valid, rounded))
        })
    }

    /// Reads the part of the column that is in a message.
    fn read_message<E: Element>(
        &self,
        message: &Message<'_>,
        dictionary_id: Option<i64>,
        to: &mut Numbers<E>,
    ) -> Result<(), DataError> {
        let header = message.header().ok_or_else(|| self.invalid(DAMAGED))?;
        if let Some(batch) = header.header_as_record_batch() {
            let batch = self.batch(message, batch, header.version())?;
            return self.rows(&batch, to);
        }
        let dictionary = header.header_as_dictionary_batch().ok_or_else(|| self.invalid(DAMAGED))?;
        if dictionary_id != Some(dictionary.id()) {
            return Ok(());
        }
        let data = dictionary.data().ok_or_else(|| self.invalid(DAMAGED))?;
        let batch = self.batch(message, data, header.version())?;
        match (dictionary.isDelta(), to.dictionary.is_some()) {
            (true, false) => return Err(self.invalid("a dictionary is added to that is not there")),
            // Which of its batches is meant by one, a file cannot say.
            (false, true) if !self.is_stream => {
                return Err(self.input.unsupported(
                    "a file in which one dictionary replaces another".to_owned(),
                    "write it as a stream, or with one dictionary for all batches (unify_dictionaries)",
                ));
            }
            (true, true) => {}
            (false, _) => to.dictionary = Some(Dictionary::new()),
        }
        self.meanings(&batch, to)
    }

    /// Reads a batch of the dictionary's values.
    fn meanings<E: Element>(&self, batch: &Batch<'_>, to: &mut Numbers<E>) -> Result<(), DataError> {
        let Some(DataType::Dictionary(_, value_type)) = self.data_type else {
            return Err(self.invalid(UNLIKE));
        };
        let Some(dictionary) = &mut to.dictionary else { return Err(self.invalid(UNLIKE)) };
        let start = dictionary.len();
        self.nulls(batch, Place::default(), start, dictionary.valid_mut())?;
        self.pieces(batch, Place::default(), value_type, |bytes, piece| {
            dictionary.note_rounded(start + piece.start, rounded_decimals(value_type, bytes));
            let values = numbers::<E>(value_type, bytes, piece.len()).ok_or_else(|| self.invalid(UNLIKE))?;
            dictionary.append(self.input.path, &values, self.input.memory_bytes)
        })
    }

    /// Reads a batch of rows.
    fn rows<E: Element>(&self, batch: &Batch<'_>, to: &mut Numbers<E>) -> Result<(), DataError> {
        let unlike = || self.invalid(UNLIKE);
        if batch.rows == 0 {
            return Ok(());
        }
        let Numbers { spool, valid, rows, rounded, dictionary } = to;
        let places = self.places(batch)?;
        for &place in &places {
            self.nulls(batch, place, *rows, valid)?;
        }
        let place = places.last().copied().ok_or_else(unlike)?;
        let data_type = self.data_type.ok_or_else(unlike)?;
        let stored_type = match data_type {
            DataType::Dictionary(key_type, _) => key_type,
            _ => data_type,
        };
        let mut looked_up: Vec<E> = Vec::new();
        self.pieces(batch, place, stored_type, |bytes, piece| {
            let first = *rows + piece.start;
            if !matches!(data_type, DataType::Dictionary(..)) {
                let places = rounded_decimals(data_type, bytes);
                *rounded += places.iter().filter(|&k| valid.contains(first + k)).count() as u64;
                let mut values = numbers::<E>(data_type, bytes, piece.len()).ok_or_else(unlike)?;
                for (k, value) in values.iter_mut().enumerate() {
                    // Whatever the file has in the place of a null.
                    if !valid.contains(first + k) {
                        *value = E::zeroed();
                    }
                }
                return spool.append(&values);
            }
            looked_up.clear();
            for (k, key) in keys(stored_type, bytes).ok_or_else(unlike)?.into_iter().enumerate() {
                let meaning = match dictionary {
                    _ if !valid.contains(first + k) => Meaning::Null,
                    Some(dictionary) => key.and_then(|key| dictionary.get(key)).ok_or_else(unlike)?,
                    None => return Err(self.invalid("a batch comes before its dictionary")),
                };
                looked_up.push(match meaning {
                    Meaning::Value { value, is_rounded } => {
                        *rounded += u64::from(is_rounded);
                        value
                    }
                    Meaning::Null => {
                        valid.exclude(first + k);
                        E::zeroed()
                    }
                });
            }
            spool.append(&looked_up)
        })?;
        *rows += batch.rows;
        Ok(())
    }

    /// Hands on the values of an array piece by piece, as bytes and with the rows
    /// of the batch that they are.
    fn pieces(
        &self,
        batch: &Batch<'_>,
        place: Place,
        data_type: &DataType,
        mut each: impl FnMut(&[u8], std::ops::Range<usize>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let bits = bits(data_type).ok_or_else(|| self.invalid(UNLIKE))?;
        let mut buffer = self.buffer(batch, place.buffer + 1)?;
        let mut bytes = vec![0; PIECE_ROWS.min(batch.rows) * bits.div_ceil(8)];
        for start in (0..batch.rows).step_by(PIECE_ROWS) {
            let piece = start..batch.rows.min(start + PIECE_ROWS);
            let bytes = &mut bytes[..(piece.len() * bits).div_ceil(8)];
            buffer.fill(bytes).map_err(|fault| self.invalid(&fault))?;
            each(bytes, piece)?;
        }
        buffer.finish().map_err(|fault| self.invalid(&fault))
    }

    /// Notes which rows of an array are null, counted from `first`.
    fn nulls(
        &self,
        batch: &Batch<'_>,
        place: Place,
        first: usize,
        valid: &mut Bitmap,
    ) -> Result<(), DataError> {
        // Without nulls there may be no buffer.
        if self.null_count(batch, place)? == 0 {
            return Ok(());
        }
        let mut buffer = self.buffer(batch, place.buffer)?;
        let mut bytes = vec![0; PIECE_ROWS.min(batch.rows).div_ceil(8)];
        for start in (0..batch.rows).step_by(PIECE_ROWS) {
            let rows = batch.rows.min(start + PIECE_ROWS) - start;
            let bytes = &mut bytes[..rows.div_ceil(8)];
            buffer.fill(bytes).map_err(|fault| self.invalid(&fault))?;
            let piece = bitmap(bytes, rows);
            // Unless it is within an array, whose nulls were noted before.
            if valid.noted() <= first + start {
                valid.append(first + start, &piece);
            } else {
                piece.excluded().for_each(|k| valid.exclude(first + start + k));
            }
        }
        buffer.finish().map_err(|fault| self.invalid(&fault))
    }

    fn batch<'f>(
        &self,
        message: &'f Message<'f>,
        header: ipc::RecordBatch<'f>,
        version: MetadataVersion,
    ) -> Result<Batch<'f>, DataError> {
        let rows = usize::try_from(header.length()).map_err(|_| self.invalid(DAMAGED))?;
        Ok(Batch { message, header, version, rows })
    }

    fn places(&self, batch: &Batch<'_>) -> Result<Vec<Place>, DataError> {
        let variadic = batch.header.variadicBufferCounts().into_iter().flatten();
        places::of(self.column, &self.fields, variadic, batch.version).ok_or_else(|| self.invalid(DAMAGED))
    }

    /// The number of null rows of an array, which must have as many rows as the batch.
    fn null_count(&self, batch: &Batch<'_>, place: Place) -> Result<i64, DataError> {
        let nodes = batch.header.nodes().filter(|nodes| place.node < nodes.len());
        let node = nodes.map(|nodes| nodes.get(place.node)).ok_or_else(|| self.invalid(DAMAGED))?;
        if usize::try_from(node.length()) != Ok(batch.rows) {
            return Err(self.invalid(UNLIKE));
        }
        Ok(node.null_count())
    }

    fn range(&self, batch: &Batch<'_>, place: usize) -> Result<std::ops::Range<usize>, DataError> {
        let buffers = batch.header.buffers().filter(|buffers| place < buffers.len());
        let range = buffers.and_then(|buffers| batch.message.buffer(buffers.get(place)));
        range.ok_or_else(|| self.invalid(DAMAGED))
    }

    fn buffer(&self, batch: &Batch<'_>, place: usize) -> Result<Buffer<'r>, DataError> {
        let compression = batch.header.compression().map(|compression| compression.codec());
        Buffer::new(self.map, self.range(batch, place)?, compression).map_err(|fault| self.invalid(&fault))
    }
}

/// The rows that are valid by the bits of a buffer.
fn bitmap(bytes: &[u8], rows: usize) -> Bitmap {
    let word = |bytes: &[u8]| {
        let mut word = [0; size_of::<u32>()];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    };
    let mut words: Vec<u32> = bytes.chunks(size_of::<u32>()).map(word).collect();
    if let Some(last) = words.last_mut().filter(|_| !rows.is_multiple_of(WORD)) {
        *last &= u32::MAX >> (WORD - rows % WORD);
    }
    Bitmap::from_words(words, rows)
}

/// The rows that a message claims; none if it is no batch of them.
fn rows_of(message: &Message<'_>) -> usize {
    let header = message.header();
    let batch = header.and_then(|header| header.header_as_record_batch());
    batch.map_or(0, |batch| usize::try_from(batch.length()).unwrap_or(0))
}
