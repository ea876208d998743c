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
//! A file is read by [`records`], its first rows are judged by [`header`], and
//! its columns are made by [`column`], from fields as [`field`] and [`number`]
//! read them. The reader is not the `csv` crate's, which takes what follows a
//! stray quote for one field, however long, and says nothing.

mod column;
mod faults;
mod field;
mod header;
mod number;
mod records;
mod writer;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use column::{Elements, Making, Refused};
use faults::{error_at, fault, separated_otherwise};
use field::Field;
use header::{Chosen, Head};
use records::{Comments, Meaning, Records, content};

pub(super) use writer::Writer;

use super::input::Input;
use super::metadata::Opened;
use super::note::{LinesLike, Note};
use crate::array::DataError;
use crate::array::error::excerpt;

/// Reads columns of a text file, each chosen by a name or a 0-based number;
/// `None` is the only column of a file that has just one. A column is of f64,
/// or of 64-bit whole numbers if all are whole and f64 does not hold them.
///
/// Errors: I/O; rows of unequal length; a column that isn't there; a field
/// that isn't a number, with its line.
pub(super) fn read<const COLUMNS: usize>(
    input: &Input<'_>,
    delimiter: u8,
    keys: [Option<&str>; COLUMNS],
) -> Result<[Opened; COLUMNS], DataError> {
    let comments = input.text.comment.map_or(Comments::BeforeRows, Comments::Anywhere);
    let records = || Ok(Records::new(open(input)?, delimiter, comments));
    let mut head = Head::read(input, records()?, &keys)?;
    let mut elements = [Elements::Any; COLUMNS];
    let (columns, skipped) = loop {
        match pass(input, &head, records()?, elements)? {
            Pass::Done(columns, skipped) => break (columns, skipped),
            Pass::Again(wider) => elements = wider,
        }
    };
    let mut file_notes: Vec<Note> = head.note.take().into_iter().chain(skipped.notes()).collect();
    let mut opened = Vec::with_capacity(COLUMNS);
    for (column, Chosen { choice, notes, .. }) in columns.into_iter().zip(head.columns) {
        let column = column.finish()?;
        let column = match &choice {
            Some(choice) => column.keyed(choice.key()),
            None => column,
        };
        // Once for all columns.
        opened.push(column.chosen(choice).noted(notes).noted(file_notes.drain(..)));
    }
    opened.try_into().map_err(|_| DataError::Empty { path: input.path.to_owned() })
}

/// The file, at its start or after its byte-order mark.
fn open(input: &Input<'_>) -> Result<File, DataError> {
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
    Ok(file)
}

/// The outcome of reading a file from its start to its end.
enum Pass<const COLUMNS: usize> {
    Done([Making; COLUMNS], NotRows),
    /// It must be read again, with these elements.
    Again([Elements; COLUMNS]),
}

/// Reads all rows.
fn pass<const COLUMNS: usize>(
    input: &Input<'_>,
    head: &Head,
    mut records: Records<File>,
    mut elements: [Elements; COLUMNS],
) -> Result<Pass<COLUMNS>, DataError> {
    let mut columns: [Making; COLUMNS] = std::array::from_fn(|k| {
        Making::new(input.path, input.memory_bytes, elements[k], head.columns[k].is_boolean)
    });
    let numbers: [usize; COLUMNS] = std::array::from_fn(|k| head.columns[k].index);
    let mut not_rows = NotRows::default();
    let mut is_header = head.has_header;
    while let Some(record) = records.next().map_err(|e| fault(input, e))? {
        if record.lines > 1 {
            not_rows.long.add(record.line);
            not_rows.long_lines += record.lines;
        }
        let mut fields: [&[u8]; COLUMNS] = [b""; COLUMNS];
        match record.meaning {
            Meaning::Row if is_header => {
                is_header = false;
                continue;
            }
            Meaning::Row => {
                let count = record.pick(numbers, &mut fields);
                if count != head.count {
                    let expected = head.count;
                    let reason = format!("number of fields: {count}, where the rows before have {expected}");
                    return Err(error_at(input, record.line, reason));
                }
            }
            // A row of one field, which is empty.
            Meaning::Empty if head.count == 1 && !is_header => not_rows.nulls.add(record.line),
            Meaning::Empty => {
                not_rows.empty.add(record.line);
                continue;
            }
            Meaning::Comment => {
                not_rows.comments.add(record.line);
                continue;
            }
        }
        for (k, (column, field)) in columns.iter_mut().zip(fields).enumerate() {
            match column.push(&content(field), record.line) {
                Ok(()) => {}
                Err(Refused::Again(wider)) => {
                    elements[k] = wider;
                    return Ok(Pass::Again(elements));
                }
                Err(refused) => return Err(refused_at(input, head, record.line, numbers[k], field, refused)),
            }
        }
    }
    Ok(Pass::Done(columns, not_rows))
}

/// Lines that are no rows, or empty ones, or more than one a row.
#[derive(Default)]
struct NotRows {
    comments: Lines,
    empty: Lines,
    nulls: Lines,
    /// The first lines of rows that take several.
    long: Lines,
    /// All lines of these.
    long_lines: u64,
}

#[derive(Default)]
struct Lines {
    count: u64,
    first: u64,
}

impl Lines {
    fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }
}

impl NotRows {
    fn notes(&self) -> impl Iterator<Item = Note> {
        let note = |lines: &Lines, what| {
            let (count, first_line) = (lines.count, lines.first);
            (count > 0).then_some(Note::Lines { count, first_line, what })
        };
        let Lines { count, first: first_line } = self.long;
        let long = (count > 0).then_some(Note::LongRows { count, lines: self.long_lines, first_line });
        [
            note(&self.comments, LinesLike::Comments),
            note(&self.empty, LinesLike::Empty),
            note(&self.nulls, LinesLike::Nulls),
            long,
        ]
        .into_iter()
        .flatten()
    }
}

/// The error of a field.
fn refused_at(
    input: &Input<'_>,
    head: &Head,
    line: u64,
    column: usize,
    field: &[u8],
    refused: Refused,
) -> DataError {
    let field = content(field);
    let text = excerpt(&String::from_utf8_lossy(&field));
    let reason = match refused {
        Refused::Spool(error) => return error,
        Refused::Beyond => format!("{text} in column {column} is beyond the range of f64"),
        Refused::NotBoolean => {
            return DataError::NotBoolean { path: input.path.to_owned(), line, text, column };
        }
        Refused::Text | Refused::Again(_) => {
            // Not "5 cm".
            let are_numbers =
                |parts: &[&str]| parts.iter().all(|part| Field::of(part.as_bytes()) != Field::Text);
            match separated_otherwise(&field, are_numbers).filter(|_| head.count == 1) {
                Some(how) => format!("{text:?} is not a number: {how}"),
                None => format!("{text:?} in column {column} is not a number"),
            }
        }
    };
    error_at(input, line, reason)
}
