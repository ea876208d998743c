//! Columns of numbers from `.csv` and `.tsv` files.
//!
//! Lines that start with `#` are comments; quoted fields, CRLF line ends and
//! a byte-order mark are understood. A field is a number, or true or false, or
//! it says that nothing is there: empty or one of [`NOTHING`], a null. The
//! first row is a header if the chosen column's field in it is none of these.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use ::csv::{ByteRecord, Position, ReaderBuilder, Trim};

use super::error::{excerpt, listed};
use super::nulls::Nulls;
use super::output::OutputFile;
use super::results::ArrayWriter;
use super::source::Input;
use super::spool::Spool;
use super::{DataError, ElementType, Matrix, Shape};
use crate::with_element;

/// Elements that are decoded before they are spooled.
const CHUNK: usize = 1 << 12;

/// What pandas, R and databases write where nothing is, beside an empty field.
const NOTHING: [&str; 6] = ["NA", "N/A", "<NA>", "null", "NULL", "None"];

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Number(f64),
    /// Nothing is there.
    Null,
    /// Neither.
    Text,
}

impl Field {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok("") => Self::Null,
            Ok("true" | "True" | "TRUE") => Self::Number(1.0),
            Ok("false" | "False" | "FALSE") => Self::Number(0.0),
            Ok(text) => match text.parse() {
                Ok(number) => Self::Number(number),
                Err(_) if NOTHING.contains(&text) => Self::Null,
                Err(_) => Self::Text,
            },
            Err(_) => Self::Text,
        }
    }
}

/// Reads columns of a text file, each as f64, each chosen by a name or a
/// 0-based number; `None` is the only column of a file that has just one.
///
/// Errors: I/O; rows of unequal length; a column that isn't there; a field
/// that isn't a number, with its line.
pub(super) fn read<const COLUMNS: usize>(
    input: &Input<'_>,
    delimiter: u8,
    keys: [Option<&str>; COLUMNS],
) -> Result<[Matrix; COLUMNS], DataError> {
    let path = input.path;
    let (file, _) = open(input.file).map_err(|e| DataError::io(path, e))?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .buffer_capacity(1 << 18)
        // A comment that nothing follows, not even a line end, would be taken
        // for a row.
        .from_reader(file.chain(&b"\n"[..]));
    let mut record = ByteRecord::new();
    let mut next =
        |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|e| csv_error(input, &e));

    if !next(&mut record)? {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    let (columns, has_header) = choose(input, &record, keys)?;
    let share = input.memory_bytes / COLUMNS as u64;
    let mut spools: [Spool<f64>; COLUMNS] = std::array::from_fn(|_| Spool::new(path, share));
    let mut chunks: [Vec<f64>; COLUMNS] = std::array::from_fn(|_| Vec::with_capacity(CHUNK));
    let mut nulls: [Nulls; COLUMNS] = std::array::from_fn(|_| Nulls::default());
    let mut rows = 0;
    let mut more = !has_header || next(&mut record)?;
    while more {
        for (k, column) in columns.iter().enumerate() {
            let number = number(input, &record, column.index)?;
            if number.is_none() {
                nulls[k].insert(rows);
            }
            chunks[k].push(number.unwrap_or(0.0));
            if chunks[k].len() == CHUNK {
                spools[k].append(&chunks[k])?;
                chunks[k].clear();
            }
        }
        rows += 1;
        more = next(&mut record)?;
    }
    let mut matrices = Vec::with_capacity(COLUMNS);
    for (((column, chunk), mut spool), nulls) in columns.iter().zip(&chunks).zip(spools).zip(nulls) {
        spool.append(chunk)?;
        let matrix = spool.finish(Shape(vec![rows as u64]))?.with_nulls(nulls);
        matrices.push(match &column.name {
            Some(name) => matrix.keyed(name),
            None => matrix,
        });
    }
    matrices.try_into().map_err(|_| DataError::Empty { path: path.to_owned() })
}

/// Goes to the start of a file and skips a UTF-8 byte-order mark. Gives also
/// the number of bytes skipped.
fn open(file: &File) -> io::Result<(File, u64)> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    let mut file = file.try_clone()?;
    file.rewind()?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(MARK.len() as u64).read_to_end(&mut start)?;
    let skipped = if start == MARK { MARK.len() as u64 } else { 0 };
    file.seek(SeekFrom::Start(skipped))?;
    Ok((file, skipped))
}

struct Column {
    index: usize,
    name: Option<String>,
}

/// Finds the columns in the first row, and whether that row is a header.
fn choose<const COLUMNS: usize>(
    input: &Input<'_>,
    first: &ByteRecord,
    keys: [Option<&str>; COLUMNS],
) -> Result<(Vec<Column>, bool), DataError> {
    let names: Vec<_> = first.iter().map(String::from_utf8_lossy).collect();
    let fields: Vec<Field> = first.iter().map(Field::of).collect();
    let has_text = fields.contains(&Field::Text);
    let available = || listed(names.iter().enumerate().map(|(index, name)| describe(index, name, !has_text)));

    let mut columns: Vec<Column> = Vec::new();
    let mut named = false;
    for key in keys {
        // By number first, and never by name in a row of numbers: in a file
        // without a header, a value in the first row may read like the key.
        let by_number = key.and_then(|key| key.parse().ok()).filter(|&index: &usize| index < names.len());
        let by_name = match key.filter(|_| by_number.is_none() && has_text) {
            Some(key) => input.only_one("column", key, names.iter().map(|name| name == key))?,
            None => None,
        };
        named |= by_name.is_some();
        let (index, name) = match (key, by_number.or(by_name)) {
            (Some(key), Some(index)) => (index, Some(key.to_owned())),
            (None, _) if names.len() == 1 => (0, None),
            (None, _) => {
                return Err(DataError::WhichArray {
                    path: input.path.to_owned(),
                    what: "column",
                    count: names.len(),
                    available: available(),
                });
            }
            (Some(key), None) => {
                let is_among = |parts: &[&str]| {
                    parts.contains(&key) || key.parse().is_ok_and(|k: usize| k < parts.len())
                };
                let line = Some(&first[0]).filter(|_| names.len() == 1);
                let separated = line.and_then(|line| separated_otherwise(line, is_among));
                return Err(separated.map_or_else(
                    || input.no_such("column", key, available()),
                    |how| csv_error_at(input, first, format!("no column {:?}: {how}", excerpt(key))),
                ));
            }
        };
        columns.push(Column { index, name });
    }

    let chosen = |what: fn(&Field) -> bool| columns.iter().any(|column| what(&fields[column.index]));
    let text = chosen(|field| *field == Field::Text);
    let number = chosen(|field| matches!(field, Field::Number(_)));
    // Unless a name has settled that it is a header: text in one chosen column
    // and a number in the other is neither a header nor data, and where there
    // is nothing in all of them, text in the others may be names or not. A
    // column of a header may have no name.
    if !named && text && number {
        let reason = "the first row has a number in one column and text in the other: \
                      neither a header nor data; name the columns or mend that row";
        return Err(csv_error_at(input, first, reason.to_owned()));
    }
    if !named && !text && !number && has_text {
        let reason = format!(
            "the first row has nothing in column {} and text in others: is it a header? Name the columns there, \
             or begin with a row that has a number",
            columns[0].index
        );
        return Err(csv_error_at(input, first, reason));
    }
    Ok((columns, named || text))
}

fn describe(index: usize, name: &str, all_numbers: bool) -> String {
    if all_numbers { index.to_string() } else { format!("{} ({index})", excerpt(name)) }
}

/// What parts the fields of a line that was taken for one field, and what to
/// do; by `is_it`, which judges the parts that each separator makes.
fn separated_otherwise(line: &[u8], is_it: impl Fn(&[&str]) -> bool) -> Option<&'static str> {
    const WAYS: [(char, &str); 4] = [
        (';', "the fields are separated by semicolons; save the file with commas"),
        ('\t', "the fields are separated by tabs; give the file a name that ends in .tsv"),
        (',', "the fields are separated by commas; give the file a name that ends in .csv"),
        (' ', "the fields are separated by blanks; save the file with commas"),
    ];
    let text = std::str::from_utf8(line).ok()?;
    let parts =
        |separator| text.split(separator).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let is_it = |separator| {
        let parts = parts(separator);
        parts.len() > 1 && is_it(&parts)
    };
    WAYS.into_iter().find(|(separator, _)| is_it(*separator)).map(|(_, how)| how)
}

/// The number in a field, `None` for a null.
fn number(input: &Input<'_>, record: &ByteRecord, index: usize) -> Result<Option<f64>, DataError> {
    let field = record.get(index).unwrap_or_default();
    match Field::of(field) {
        Field::Number(number) => Ok(Some(number)),
        Field::Null => Ok(None),
        Field::Text => {
            let text = excerpt(&String::from_utf8_lossy(field));
            // Not "5 cm".
            let are_numbers =
                |parts: &[&str]| parts.iter().all(|part| Field::of(part.as_bytes()) != Field::Text);
            let separated = separated_otherwise(field, are_numbers).filter(|_| record.len() == 1);
            let reason = match separated {
                Some(how) => format!("{text:?} is not a number: {how}"),
                None => format!("{text:?} in column {index} is not a number"),
            };
            Err(csv_error_at(input, record, reason))
        }
    }
}

/// What is wrong with a row.
fn csv_error_at(input: &Input<'_>, record: &ByteRecord, reason: String) -> DataError {
    let line = line_of(input, record.position());
    DataError::Csv { path: input.path.to_owned(), line, reason }
}

/// The line, from 1, of the row that the reader found from `position` on. That
/// is where the row before ended; comments and empty lines may stand between.
fn line_of(input: &Input<'_>, position: Option<&Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let from_there = || {
        let (mut file, skipped) = open(input.file)?;
        file.seek(SeekFrom::Start(skipped + position.byte()))?;
        io::Result::Ok(BufReader::new(file).split(b'\n'))
    };
    let not_rows = from_there()
        .into_iter()
        .flatten()
        .map_while(Result::ok)
        .take_while(|line| line.iter().all(|&byte| byte == b'\r') || line.starts_with(b"#"));
    position.line() + not_rows.count() as u64
}

fn csv_error(input: &Input<'_>, error: &::csv::Error) -> DataError {
    let line = line_of(input, error.position());
    let reason = match error.kind() {
        ::csv::ErrorKind::Io(e) => {
            return DataError::io(input.path, io::Error::new(e.kind(), e.to_string()));
        }
        ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("number of fields: {len}, where the rows before have {expected_len}")
        }
        _ => error.to_string(),
    };
    DataError::Csv { path: input.path.to_owned(), line, reason }
}

/// Writes one column of numbers, each with the fewest digits that say which
/// number it is, and an empty field where X is null.
pub(super) struct Writer {
    file: OutputFile,
    element: ElementType,
    nulls: Option<Arc<Nulls>>,
    rows: usize,
}

impl Writer {
    pub(super) fn create(
        path: &Path,
        name: &str,
        x: &Matrix,
        element: ElementType,
    ) -> Result<Self, DataError> {
        let mut file = OutputFile::create(path)?;
        writeln!(file, "{name}").map_err(|e| DataError::write(path, e))?;
        Ok(Self { file, element, nulls: x.nulls().cloned(), rows: 0 })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, element, nulls, rows } = self;
        with_element!(*element, E => {
            elements.chunks_exact(size_of::<E>()).try_for_each(|bytes| {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.contains(*rows));
                *rows += 1;
                if is_null {
                    // An empty line would be taken for no row at all.
                    writeln!(file, "\"\"")
                } else {
                    writeln!(file, "{:?}", bytemuck::pod_read_unaligned::<E>(bytes))
                }
            })
        })
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_number_or_nothing_or_text() {
        for (text, number) in [("-1.5e3", -1500.0), ("inf", f64::INFINITY), ("True", 1.0), ("false", 0.0)] {
            assert_eq!(Field::of(text.as_bytes()), Field::Number(number), "{text}");
        }
        for text in ["nan", "NaN"] {
            assert!(matches!(Field::of(text.as_bytes()), Field::Number(number) if number.is_nan()), "{text}");
        }
        for text in ["", "NA", "null", "NULL", "<NA>"] {
            assert_eq!(Field::of(text.as_bytes()), Field::Null, "{text}");
        }
        for text in ["na", "yes", "1,5", "-", "NAN1", "1 2"] {
            assert_eq!(Field::of(text.as_bytes()), Field::Text, "{text}");
        }
    }
}
