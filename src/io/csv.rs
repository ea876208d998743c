//! Columns of numbers from `.csv` and `.tsv` files.
//!
//! Quoted fields, CRLF line ends and a byte-order mark are understood. A field
//! is a number, or true or false, or a missing value, a null: empty, or a word
//! that stands for one. Every line is accounted for: it is a row, or the
//! header, or it is skipped and counted in a note, or it is an error.
//!
//! - An empty line is a null in a file of one column, because other programs
//!   write one so, and skipped in others.
//! - A line that begins with `#` is a comment before the first row, and with
//!   the character that [`TextRules`](super::TextRules) names anywhere.
//! - The first row is a header if a field of it is text.
//!
//! The first rows of a file are judged by [`header`]. Then it is cut into [`blocks`]
//! at line ends, all cores [`parse`] these, and [`table`] puts them together in
//! their order: the rows of [`records`] become [`column`]s, of fields as [`field`]
//! and [`number`] read them. All columns that are asked for are read in one go.
//!
//! None of the well-kept readers serves under this. The `csv` crate and simd-csv take
//! what follows a stray quote for one field, however long, and say nothing, and
//! neither knows line numbers once a file is cut; arrow-csv and polars-io guess a
//! type from the first rows, make null of a whole number beyond it or refuse it
//! without its line, and would add minutes to the build. What they gain by
//! vectors, the rows here gain by reading each number to its end once.

mod blocks;
mod column;
mod faults;
mod field;
mod header;
mod lines;
mod nearest;
mod number;
mod parse;
mod records;
mod table;
mod writer;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use blocks::{Blocks, block_bytes};
use column::{Elements, Making};
use header::{Chosen, Head};
use records::{Comments, Records};
use table::Pass;

pub(super) use writer::Writer;

use super::input::Input;
use super::metadata::Opened;
use super::note::Note;
use super::pieces;
use crate::array::DataError;

/// Reads columns of a text file, each chosen by a name or a 0-based number;
/// `None` is the only column of a file that has just one. A column is of f64,
/// or of 64-bit whole numbers if all are whole and f64 does not hold them.
///
/// Errors: I/O; rows of unequal length; a column that isn't there; a field
/// that isn't a number, with its line.
pub(super) fn read(
    input: &Input<'_>,
    delimiter: u8,
    keys: &[Option<&str>],
) -> Result<Vec<Opened>, DataError> {
    let block_bytes =
        |bytes| block_bytes(bytes, pieces::threads(), table::most_block_bytes(input.memory_bytes));
    read_blocks(input, delimiter, keys, block_bytes)
}

/// The same, in blocks of so many bytes for a file of so many.
fn read_blocks(
    input: &Input<'_>,
    delimiter: u8,
    keys: &[Option<&str>],
    block_bytes: impl Fn(u64) -> u64,
) -> Result<Vec<Opened>, DataError> {
    let io = |e| DataError::io(input.path, e);
    let comments = input.text.comment.map_or(Comments::BeforeRows, Comments::Anywhere);
    let (file, start) = open(input)?;
    let mut head = Head::read(input, Records::new(file, delimiter, comments), keys)?;
    let mut numbers: Vec<usize> = Vec::new();
    for column in &head.columns {
        if !numbers.contains(&column.index) {
            numbers.push(column.index);
        }
    }
    let end = input.file.metadata().map_err(io)?.len().max(start);
    let blocks = Blocks::new(input.file, start..end, block_bytes(end - start)).map_err(io)?;
    let mut elements = vec![Elements::Any; numbers.len()];
    let (columns, skipped) = loop {
        match table::pass(input, &head, &blocks, (delimiter, comments), &numbers, &elements)? {
            Pass::Done(columns, skipped) => break (columns, skipped),
            Pass::Again(wider) => elements = wider,
        }
    };
    let columns = columns.into_iter().map(Making::finish).collect::<Result<Vec<_>, _>>()?;
    let mut file_notes: Vec<Note> = head.note.take().into_iter().chain(skipped.notes()).collect();
    let mut opened = Vec::with_capacity(keys.len());
    for Chosen { index, choice, notes, .. } in head.columns {
        let place = numbers.iter().position(|&number| number == index);
        let Some(column) = place.and_then(|place| columns.get(place)).cloned() else {
            return Err(DataError::Empty { path: input.path.to_owned() });
        };
        let column = match &choice {
            Some(choice) => column.keyed(choice.key()),
            None => column,
        };
        // Once for all columns.
        opened.push(column.chosen(choice).noted(notes).noted(file_notes.drain(..)));
    }
    Ok(opened)
}

/// The file, at its start or after its byte-order mark, and that place.
fn open(input: &Input<'_>) -> Result<(File, u64), DataError> {
    const UTF_8: &[u8] = b"\xEF\xBB\xBF";
    const UTF_16: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];
    let mut file = input.clone_file()?;
    let mut start = Vec::new();
    let io = |e| DataError::io(input.path, e);
    Read::by_ref(&mut file).take(UTF_8.len() as u64).read_to_end(&mut start).map_err(io)?;
    if UTF_16.iter().any(|mark| start.starts_with(mark)) {
        return Err(input.unsupported("its text is UTF-16".to_owned(), "save it as UTF-8"));
    }
    let skipped = if start == UTF_8 { UTF_8.len() as u64 } else { 0 };
    file.seek(SeekFrom::Start(skipped)).map_err(io)?;
    Ok((file, skipped))
}

#[cfg(test)]
mod tests;
