//! Columns of numbers from `.csv` and `.tsv` files.
//!
//! Lines that start with `#` are comments; quoted fields, CRLF line ends and
//! a byte-order mark are understood. The first row is a header if the chosen
//! column's field in it is not a number.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use ::csv::{ByteRecord, Position, ReaderBuilder, Trim};

use super::error::{excerpt, listed};
use super::output::OutputFile;
use super::results::ArrayWriter;
use super::source::Input;
use super::spool::Spool;
use super::{DataError, ElementType, Matrix, Shape};
use crate::with_element;

/// Elements that are decoded before they are spooled.
const CHUNK: usize = 1 << 12;

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
    let mut rows = 0u64;
    let mut more = !has_header || next(&mut record)?;
    while more {
        rows += 1;
        for ((column, chunk), spool) in columns.iter().zip(&mut chunks).zip(&mut spools) {
            chunk.push(number(input, &record, column.index)?);
            if chunk.len() == CHUNK {
                spool.append(chunk)?;
                chunk.clear();
            }
        }
        more = next(&mut record)?;
    }
    let mut matrices = Vec::with_capacity(COLUMNS);
    for ((column, chunk), mut spool) in columns.iter().zip(&chunks).zip(spools) {
        spool.append(chunk)?;
        let matrix = spool.finish(Shape(vec![rows]))?;
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
    let path = input.path;
    let names: Vec<_> = first.iter().map(String::from_utf8_lossy).collect();
    let is_number = |field: &[u8]| parse(field).is_some() || field.is_empty();
    let all_numbers = first.iter().all(is_number);
    let available =
        || listed(names.iter().enumerate().map(|(index, name)| describe(index, name, all_numbers)));

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
                return Err(DataError::WhichArray {
                    path: path.to_owned(),
                    what: "column",
                    count: names.len(),
                    available: available(),
                });
            }
            (Some(key), None) => {
                let key = key.to_owned();
                return Err(DataError::NoSuchArray {
                    path: path.to_owned(),
                    what: "column",
                    key,
                    available: available(),
                });
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
        let line = line_of(input, first.position());
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

fn number(input: &Input<'_>, record: &ByteRecord, index: usize) -> Result<f64, DataError> {
    let field = record.get(index).unwrap_or_default();
    parse(field).ok_or_else(|| {
        let line = line_of(input, record.position());
        let reason = if field.is_empty() {
            format!("column {index} is empty; fill it in or remove the row")
        } else {
            format!("{:?} in column {index} is not a number", excerpt(&String::from_utf8_lossy(field)))
        };
        DataError::Csv { path: input.path.to_owned(), line, reason }
    })
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
/// number it is.
pub(super) struct Writer {
    file: OutputFile,
    element: ElementType,
}

impl Writer {
    pub(super) fn create(path: &Path, name: &str, element: ElementType) -> Result<Self, DataError> {
        let mut file = OutputFile::create(path)?;
        writeln!(file, "{name}").map_err(|e| DataError::write(path, e))?;
        Ok(Self { file, element })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        with_element!(self.element, E => {
            elements.chunks_exact(size_of::<E>()).try_for_each(|bytes| {
                writeln!(self.file, "{:?}", bytemuck::pod_read_unaligned::<E>(bytes))
            })
        })
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        self.file.finish()
    }
}
