//! Columns of numbers from `.csv` and `.tsv` files.
//!
//! Lines that start with `#` are comments; quoted fields, CRLF line ends and
//! a byte-order mark are understood. The first row is a header if the chosen
//! column's field in it is not a number.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use ::csv::{ByteRecord, Position, ReaderBuilder, Trim};

use super::error::excerpt;
use super::{DataError, Matrix};

/// How many names an error message lists.
const MAX_NAMES: usize = 20;

/// Reads columns of a text file, each as f64, each chosen by a name or a
/// 0-based number; `None` is the only column of a file that has just one.
///
/// # Errors
/// [`DataError`]: I/O; rows of unequal length; a column that isn't there; a
/// field that isn't a number, with its line.
pub fn read<const COLUMNS: usize>(
    path: &Path,
    delimiter: u8,
    keys: [Option<&str>; COLUMNS],
) -> Result<[Matrix; COLUMNS], DataError> {
    let (file, _) = open(path).map_err(|e| DataError::io(path, e))?;
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
    let mut next = |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|e| csv_error(path, &e));

    if !next(&mut record)? {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    let (columns, has_header) = choose(path, &record, keys)?;
    let mut values: [Vec<f64>; COLUMNS] = std::array::from_fn(|_| Vec::new());
    let mut more = !has_header || next(&mut record)?;
    while more {
        for (column, values) in columns.iter().zip(&mut values) {
            values.push(number(path, &record, column.index)?);
        }
        more = next(&mut record)?;
    }
    let rows = values.first().map_or(0, Vec::len) as u64;
    if rows == 0 {
        return Err(DataError::NoElements { path: path.to_owned(), shape: super::Shape(vec![0]) });
    }
    let mut columns = columns.into_iter();
    Ok(values.map(|values| {
        let name = columns.next().and_then(|column| column.name);
        let label =
            name.map_or_else(|| path.display().to_string(), |name| format!("{}:{name}", path.display()));
        Matrix::from_vec(&label, &[rows], values)
    }))
}

/// Opens a file and skips a UTF-8 byte-order mark. Gives also the number of
/// bytes skipped.
fn open(path: &Path) -> io::Result<(File, u64)> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(MARK.len() as u64).read_to_end(&mut start)?;
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
    path: &Path,
    first: &ByteRecord,
    keys: [Option<&str>; COLUMNS],
) -> Result<(Vec<Column>, bool), DataError> {
    let names: Vec<_> = first.iter().map(String::from_utf8_lossy).collect();
    let is_number = |field: &[u8]| parse(field).is_some() || field.is_empty();
    let all_numbers = first.iter().all(is_number);
    let available = || {
        let shown: Vec<String> = names
            .iter()
            .enumerate()
            .take(MAX_NAMES)
            .map(|(index, name)| describe(index, name, all_numbers))
            .collect();
        let more = names.len().saturating_sub(MAX_NAMES);
        if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
    };

    let mut columns: Vec<Column> = Vec::new();
    let mut named = false;
    for key in keys {
        // By number first, and never by name in a row of numbers: in a file
        // without a header, a value in the first row may read like the key.
        let by_number = key.and_then(|key| key.parse().ok()).filter(|&index: &usize| index < names.len());
        let by_name = key
            .filter(|_| by_number.is_none() && !all_numbers)
            .and_then(|key| names.iter().position(|name| name == key));
        named |= by_name.is_some();
        let (index, name) = match (key, by_number.or(by_name)) {
            (Some(key), Some(index)) => (index, Some(key.to_owned())),
            (None, _) if names.len() == 1 => (0, None),
            (None, _) => {
                let columns = names.len();
                return Err(DataError::WhichColumn {
                    path: path.to_owned(),
                    columns,
                    available: available(),
                });
            }
            (Some(key), None) => {
                let key = key.to_owned();
                return Err(DataError::NoSuchColumn { path: path.to_owned(), key, available: available() });
            }
        };
        columns.push(Column { index, name });
    }

    let texts = columns.iter().filter(|column| !is_number(&first[column.index])).count();
    let numbers = columns.iter().filter(|column| parse(&first[column.index]).is_some()).count();
    // Text in one chosen column and a number in the other is neither a header
    // nor data, unless a name has settled that it is a header. A column of a
    // header may have no name.
    if !named && texts > 0 && numbers > 0 {
        let line = line_of(path, first.position());
        let reason = "the first row has a number in one column and text in the other: \
                      neither a header nor data; name the columns or mend that row"
            .to_owned();
        return Err(DataError::Csv { path: path.to_owned(), line, reason });
    }
    Ok((columns, named || texts > 0))
}

fn describe(index: usize, name: &str, all_numbers: bool) -> String {
    if all_numbers { index.to_string() } else { format!("{} ({index})", excerpt(name)) }
}

fn parse(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn number(path: &Path, record: &ByteRecord, index: usize) -> Result<f64, DataError> {
    let field = record.get(index).unwrap_or_default();
    parse(field).ok_or_else(|| {
        let line = line_of(path, record.position());
        let reason = if field.is_empty() {
            format!("column {index} is empty; fill it in or remove the row")
        } else {
            format!("{:?} in column {index} is not a number", excerpt(&String::from_utf8_lossy(field)))
        };
        DataError::Csv { path: path.to_owned(), line, reason }
    })
}

/// The line, from 1, of the row that the reader found from `position` on. That
/// is where the row before ended; comments and empty lines may stand between.
fn line_of(path: &Path, position: Option<&Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let from_there = || {
        let (mut file, skipped) = open(path)?;
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

fn csv_error(path: &Path, error: &::csv::Error) -> DataError {
    let line = line_of(path, error.position());
    let reason = match error.kind() {
        ::csv::ErrorKind::Io(e) => {
            return DataError::io(path, io::Error::new(e.kind(), e.to_string()));
        }
        ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("number of fields: {len}, where the rows before have {expected_len}")
        }
        _ => error.to_string(),
    };
    DataError::Csv { path: path.to_owned(), line, reason }
}
