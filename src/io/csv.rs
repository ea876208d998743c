//! Columns of numbers from text files: `.csv`, `.tsv`, `.txt` and `.dat`, also compressed
//! by gzip or Zstandard (`.csv.gz`, `.csv.zst`) and in UTF-16.
//!
//! What separates the fields is told by the rules, else by the first rows
//! ([`separator`]). Quoted fields, CRLF line ends and a byte-order mark are understood. A field
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
//! at line ends, or, if it must be decoded first ([`stored`]), into [`chunks`], all cores [`parse`] these, and [`table`] puts them together in
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
mod chunks;
mod column;
mod comment_names;
mod dialect;
mod faults;
mod field;
mod header;
mod lines;
mod nearest;
mod number;
mod parse;
mod records;
mod separator;
mod stored;
mod table;
mod texts;
mod utf16;
mod writer;

use std::ffi::OsStr;
use std::path::Path;

use blocks::{Blocks, block_bytes};
use column::{Elements, Making};
use dialect::Dialect;
use header::{Chosen, Head};
use records::{Comments, Records};
use stored::Stored;
use table::{Parts, Pass};

pub(super) use separator::Named;
pub(super) use stored::compression;
pub(super) use texts::open_texts;
pub(super) use writer::Writer;

use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::note::Note;
use super::pieces;
use super::text_rules::Delimiter;
use crate::array::DataError;

/// What a file's name says, if it is a name of text files.
pub(super) fn named(path: &Path) -> Option<Named> {
    let extension =
        |path: &Path| path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let compressed = matches!(extension(path).as_str(), "gz" | "zst");
    let path = if compressed { path.file_stem().map(Path::new)? } else { path };
    match extension(path).as_str() {
        "csv" => Some(Named::Commas),
        "tsv" => Some(Named::Tabs),
        "txt" | "dat" => Some(Named::Any),
        _ => None,
    }
}

/// Whether a file that begins with these bytes may be text.
pub(super) fn may_be_text(start: &[u8]) -> bool {
    let is_utf_16 = start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF");
    let is_character = |&byte: &u8| byte >= b' ' || byte.is_ascii_whitespace();
    is_utf_16 || compression(start).is_some() || start.iter().all(is_character)
}

/// Reads columns of a text file, each chosen by a name or a 0-based number;
/// `None` is the only column of a file that has just one. A column is of f64,
/// or of 64-bit whole numbers if all are whole and f64 does not hold them.
///
/// Errors: I/O; rows of unequal length; a column that isn't there; a field
/// that isn't a number, with its line; bytes that cannot be decoded.
pub(super) fn read(input: &Input<'_>, named: Named, keys: &[Option<&str>]) -> Result<Vec<Opened>, DataError> {
    let block_bytes =
        |bytes| block_bytes(bytes, pieces::threads(), table::most_block_bytes(input.memory_bytes));
    read_blocks(input, named, keys, block_bytes)
}

/// The columns of a text, whose rows are not counted.
pub(super) fn list(input: &Input<'_>, named: Named) -> Result<Vec<Listed>, DataError> {
    let comments = input.text.comment.map_or(Comments::BeforeRows, Comments::Anywhere);
    let (stored, dialect, separator) = open(input, named)?;
    let columns = Head::columns(input, Records::new(stored.reader()?, dialect, comments))?;
    let remarks: Vec<String> = separator.iter().map(ToString::to_string).collect();
    let listed = |(number, (name, is_text)): (usize, (Option<String>, bool))| {
        let element = if is_text { "text" } else { "number" };
        let listed = Listed::decoded(number.to_string(), None, element).compressed(stored.label());
        Listed { remarks: remarks.clone(), ..listed.named(name.as_deref().unwrap_or_default()) }
    };
    Ok(columns.into_iter().enumerate().map(listed).collect())
}

/// The same, in blocks of so many bytes for a file of so many.
fn read_blocks(
    input: &Input<'_>,
    named: Named,
    keys: &[Option<&str>],
    block_bytes: impl Fn(u64) -> u64,
) -> Result<Vec<Opened>, DataError> {
    let comments = input.text.comment.map_or(Comments::BeforeRows, Comments::Anywhere);
    let (stored, dialect, separator) = open(input, named)?;
    let mut head = Head::read(input, Records::new(stored.reader()?, dialect, comments), keys)?;
    let mut numbers: Vec<usize> = Vec::new();
    for column in &head.columns {
        if !numbers.contains(&column.index) {
            numbers.push(column.index);
        }
    }
    let mut elements = vec![Elements::Any; numbers.len()];
    let (columns, mut skipped) = loop {
        let parts = parts(input, &stored, &block_bytes)?;
        match table::pass(input, &head, parts, (dialect, comments), &numbers, &elements)? {
            Pass::Done(columns, skipped) => break (columns, skipped),
            Pass::Again(wider) => elements = wider,
        }
    };
    if let Some(line) = head.names_line {
        skipped.remove_comment(line);
    }
    let columns = columns.into_iter().map(Making::finish).collect::<Result<Vec<_>, _>>()?;
    let mut file_notes: Vec<Note> =
        separator.into_iter().chain(head.note.take()).chain(skipped.notes()).collect();
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

/// The text of a file, and how it is written.
fn open<'f>(input: &Input<'f>, named: Named) -> Result<(Stored<'f>, Dialect, Option<Note>), DataError> {
    let stored = Stored::of(input.path, input.file, input.memory_bytes)?;
    let (dialect, note) = separator::dialect(&stored, input.text, named)?;
    if dialect.delimiter == Delimiter::Character(dialect.decimal) {
        return Err(DataError::DelimiterIsDecimal { path: input.path.to_owned() });
    }
    Ok((stored, dialect, note))
}

/// The text in the parts in which it is read.
fn parts<'f>(
    input: &Input<'f>,
    stored: &Stored<'f>,
    block_bytes: impl Fn(u64) -> u64,
) -> Result<Parts<'f>, DataError> {
    let Some(start) = stored.place() else {
        return Ok(Parts::Stream(stored.reader()?, block_bytes(u64::MAX)));
    };
    let io = |e| DataError::io(input.path, e);
    let end = input.file.metadata().map_err(io)?.len().max(start);
    Ok(Parts::Blocks(Blocks::new(input.file, start..end, block_bytes(end - start)).map_err(io)?))
}

#[cfg(test)]
mod tests;
