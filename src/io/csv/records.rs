//! Rows of a text, one after the other: of one in memory ([`Text`]), or of a file
//! in a bounded buffer ([`Records`]).
//!
//! Stricter than most readers, because a stray quote swallows rows: a quoted
//! field must be closed, soon, and end with its closing quote. A quote within
//! a field that does not begin with one is a character like any other.

use std::borrow::Cow;
use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr3};

use super::dialect::{Dialect, is_blank, leading_blanks};
use super::field::{LONGEST_ERROR, begins_with_error};
use crate::io::text_rules::Delimiter;

/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 1 << 18;

/// The longest row: a million columns of 16 characters. Longer ones are more
/// likely no table at all.
pub(super) const MOST_BYTES: usize = 1 << 24;

/// The longest quoted field. What is longer is more likely a stray quote.
pub(super) const MOST_QUOTED_BYTES: usize = 1 << 20;

/// The lines that are comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// Lines before the first row that begin with `#` and not with a
    /// spreadsheet's error.
    BeforeRows,
    /// Lines that begin with this character.
    Anywhere(u8),
    /// None.
    Never,
}

/// A fault of a file's lines.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// A fault of one line: its number from 1, and the reason.
    Line(u64, String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The meaning of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Comment,
    /// Nothing but blanks.
    Empty,
    Row,
}

/// A row, which may take several lines, or a line that is none.
#[derive(Debug, Clone)]
pub(super) struct Record<'b> {
    pub(super) meaning: Meaning,
    /// All of it but its line end.
    pub(super) bytes: Cow<'b, [u8]>,
    /// The number of its first line, from 1.
    pub(super) line: u64,
    /// The number of lines that it takes.
    pub(super) lines: u64,
    dialect: Dialect,
    has_quotes: bool,
}

impl Record<'_> {
    pub(super) fn into_owned(self) -> Record<'static> {
        Record { bytes: Cow::Owned(self.bytes.into_owned()), ..self }
    }

    /// The fields as they are written.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields { rest: Some(&self.bytes), dialect: self.dialect, has_quotes: self.has_quotes }
    }

    /// Finds some of the fields, by their numbers from 0, and says how many
    /// there are of all.
    pub(super) fn pick<'f>(&'f self, numbers: &[usize], picked: &mut [&'f [u8]]) -> usize {
        let last = numbers.iter().copied().max().unwrap_or(0);
        let mut fields = self.fields();
        for place in 0..=last {
            let Some(field) = fields.next() else { return place };
            for (number, picked) in numbers.iter().zip(picked.iter_mut()) {
                if *number == place {
                    *picked = field;
                }
            }
        }
        last + 1 + fields.count()
    }
}

/// The text of a field, without the quotes and blanks around it.
pub(super) fn content(field: &[u8]) -> Cow<'_, [u8]> {
    let field = field.trim_ascii();
    let Some(quoted) = field.strip_prefix(b"\"") else { return Cow::Borrowed(field) };
    let inner = quoted.strip_suffix(b"\"").unwrap_or(quoted);
    if memchr(b'"', inner).is_none() {
        return Cow::Borrowed(inner.trim_ascii());
    }
    let mut single = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr(b'"', rest) {
        single.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    single.extend_from_slice(rest);
    Cow::Owned(single.trim_ascii().to_vec())
}

/// The fields of a row as they are written.
pub(super) struct Fields<'f> {
    rest: Option<&'f [u8]>,
    dialect: Dialect,
    has_quotes: bool,
}

impl<'f> Iterator for Fields<'f> {
    type Item = &'f [u8];

    fn next(&mut self) -> Option<&'f [u8]> {
        let rest = self.rest?;
        // A delimiter in quotes parts nothing.
        let from = if self.has_quotes { closing_quote(rest, self.dialect).unwrap_or(0) } else { 0 };
        let Delimiter::Character(character) = self.dialect.delimiter else {
            return self.between_blanks(from);
        };
        let Some(at) = memchr(character, &rest[from..]) else { return self.rest.take() };
        self.rest = Some(&rest[from + at + 1..]);
        Some(&rest[..from + at])
    }

    fn count(self) -> usize {
        match (self.rest, self.dialect.delimiter) {
            (None, _) => 0,
            (Some(rest), Delimiter::Character(character)) if !self.has_quotes => {
                1 + memchr_iter(character, rest).count()
            }
            _ => self.fold(0, |count, _| count + 1),
        }
    }
}

impl<'f> Fields<'f> {
    /// The fields of a text of one row.
    pub(super) fn of(text: &'f [u8], dialect: Dialect) -> Self {
        Self { rest: Some(text), dialect, has_quotes: memchr(b'"', text).is_some() }
    }

    /// The next field, of those with blanks around them, which ends at `from` or after.
    fn between_blanks(&mut self, from: usize) -> Option<&'f [u8]> {
        let rest = self.rest.take()?;
        let start = leading_blanks(rest);
        if start == rest.len() {
            return None;
        }
        let from = from.max(start);
        let end = rest[from..].iter().position(|&b| is_blank(b)).map(|at| from + at);
        self.rest = end.map(|end| &rest[end..]);
        Some(&rest[start..end.unwrap_or(rest.len())])
    }
}

/// The place of the closing quote of the field that a text begins with, if it has
/// quotes.
fn closing_quote(text: &[u8], dialect: Dialect) -> Option<usize> {
    let mut from = opening_quote(text, dialect)? + 1;
    loop {
        let at = from + memchr(b'"', text.get(from..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// The place of the opening quote of the field that a text begins with, if it has
/// one.
fn opening_quote(text: &[u8], dialect: Dialect) -> Option<usize> {
    let at = dialect.blanks(text);
    (text.get(at) == Some(&b'"')).then_some(at)
}

/// Lines that begin in a text, beside the first.
fn more_lines(text: &[u8]) -> u64 {
    let lone_returns = memchr_iter(b'\r', text).filter(|&at| text.get(at + 1) != Some(&b'\n')).count();
    (memchr_iter(b'\n', text).count() + lone_returns) as u64
}

/// A text of rows, the whole of it or a part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) bytes: &'t [u8],
    pub(super) dialect: Dialect,
    /// Whether the text ends where the file does.
    pub(super) at_end: bool,
    /// Whether it ends where a line may, so that no line feed follows a carriage
    /// return at its end.
    pub(super) ends_with_line: bool,
}

/// The end of a record.
struct Ending {
    /// Its bytes without the line end.
    bytes: usize,
    line_end: usize,
    meaning: Meaning,
    has_quotes: bool,
}

impl<'t> Text<'t> {
    /// The row, or line that is none, at a place, and the place after it; `None` if
    /// more of the file is needed to tell.
    pub(super) fn record(
        self,
        at: usize,
        line: u64,
        comments: Comments,
    ) -> Result<Option<(Record<'t>, usize)>, Fault> {
        let rest = &self.bytes[at..];
        let text = match rest.get(..MOST_BYTES) {
            Some(most) => Self { bytes: most, at_end: false, ends_with_line: false, ..self },
            None => Self { bytes: rest, ..self },
        };
        match text.ending(line, comments)? {
            None if text.bytes.len() >= MOST_BYTES => Err(too_long(line)),
            None => Ok(None),
            Some(ending) => {
                let record = text.record_of(&ending, line);
                Ok(Some((record, at + ending.bytes + ending.line_end)))
            }
        }
    }

    /// The record at the start.
    fn record_of(self, ending: &Ending, line: u64) -> Record<'t> {
        let bytes = &self.bytes[..ending.bytes];
        Record {
            meaning: ending.meaning,
            bytes: Cow::Borrowed(bytes),
            line,
            lines: 1 + if ending.has_quotes { more_lines(bytes) } else { 0 },
            dialect: self.dialect,
            has_quotes: ending.has_quotes,
        }
    }

    /// The end of the record at the start; `None` if more must be read to tell.
    fn ending(self, line: u64, comments: Comments) -> Result<Option<Ending>, Fault> {
        let text = self.bytes;
        let Some(&first) = text.first() else { return Ok(None) };
        let is_comment = match comments {
            Comments::Anywhere(character) => first == character,
            Comments::BeforeRows if first == b'#' => {
                if text.len() < LONGEST_ERROR && !self.at_end {
                    return Ok(None);
                }
                !begins_with_error(text, |byte| self.dialect.is_delimiter(byte))
            }
            Comments::BeforeRows | Comments::Never => false,
        };
        if is_comment {
            let end = memchr::memchr2(b'\n', b'\r', text);
            return Ok(self.ends_at(end, Meaning::Comment, false));
        }
        match memchr3(b'\n', b'\r', b'"', text) {
            Some(at) if text[at] == b'"' => self.ending_with_quotes(line),
            end => {
                let bytes = end.unwrap_or(text.len());
                // A line of the delimiter alone has fields.
                let is_empty =
                    bytes == 0 || (is_blank(first) && self.dialect.blanks(&text[..bytes]) == bytes);
                let meaning = if is_empty { Meaning::Empty } else { Meaning::Row };
                Ok(self.ends_at(end, meaning, false))
            }
        }
    }

    /// The record that ends with the line end there or, without one, with the
    /// file.
    fn ends_at(self, line_end: Option<usize>, meaning: Meaning, has_quotes: bool) -> Option<Ending> {
        let text = self.bytes;
        let ending = |bytes, line_end| Some(Ending { bytes, line_end, meaning, has_quotes });
        let Some(at) = line_end else {
            return if self.at_end { ending(text.len(), 0) } else { None };
        };
        match (text[at], text.get(at + 1)) {
            (b'\r', Some(b'\n')) => ending(at, 2),
            (b'\r', None) if !self.at_end && !self.ends_with_line => None,
            _ => ending(at, 1),
        }
    }

    /// The end of a record that has quotes.
    fn ending_with_quotes(self, line: u64) -> Result<Option<Ending>, Fault> {
        let text = self.bytes;
        let fault =
            |at: usize, reason: &str| Err(Fault::Line(line + more_lines(&text[..at]), reason.to_owned()));
        let mut from = 0;
        loop {
            let field = &text[from..];
            let mut end = 0;
            if let Some(opening) = opening_quote(field, self.dialect) {
                let closing = closing_quote(field, self.dialect);
                if closing.unwrap_or(field.len()) - opening > MOST_QUOTED_BYTES {
                    return fault(
                        from + opening,
                        "a quote opens that does not close within 1 MiB; remove or close it",
                    );
                }
                let Some(closing) = closing else {
                    return if self.at_end {
                        fault(
                            from + opening,
                            "a quote opens that does not close before the file ends; remove or close it",
                        )
                    } else {
                        Ok(None)
                    };
                };
                end = closing + 1;
                if self.dialect.delimiter != Delimiter::Blanks {
                    end += self.dialect.blanks(&field[end..]);
                }
                match field.get(end) {
                    // Another quote, of a pair, may follow.
                    None if !self.at_end => return Ok(None),
                    Some(&b) if !self.dialect.is_delimiter(b) && !matches!(b, b'\n' | b'\r') => {
                        return fault(
                            from + closing,
                            "text follows a closing quote; write quotes within quotes twice, or remove them",
                        );
                    }
                    _ => {}
                }
            }
            match self.dialect.find_end(&field[end..]) {
                Some(at) if self.dialect.is_delimiter(field[end + at]) => from += end + at + 1,
                at => return Ok(self.ends_at(at.map(|at| from + end + at), Meaning::Row, true)),
            }
        }
    }
}

fn too_long(line: u64) -> Fault {
    let reason = format!("a row of more than {} MiB; is it a table?", MOST_BYTES >> 20);
    Fault::Line(line, reason)
}

/// The rows of a file.
pub(super) struct Records<R> {
    source: R,
    dialect: Dialect,
    comments: Comments,
    /// Bytes that were read; from `start` on, not yet given.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the buffer ends with the file.
    at_end: bool,
    /// The number of the next line, from 1.
    line: u64,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R, dialect: Dialect, comments: Comments) -> Self {
        let buffer = vec![0; BLOCK_BYTES];
        Self { source, dialect, comments, buffer, start: 0, end: 0, at_end: false, line: 1 }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The bytes that were read and not yet given.
    fn text(&self) -> Text<'_> {
        let bytes = &self.buffer[self.start..self.end];
        Text { bytes, dialect: self.dialect, at_end: self.at_end, ends_with_line: false }
    }

    /// Finds the next row, or line that is none, and reads as far.
    fn locate(&mut self) -> Result<Option<Ending>, Fault> {
        loop {
            if self.start == self.end && self.at_end {
                return Ok(None);
            }
            match self.text().ending(self.line, self.comments)? {
                None => self.fill()?,
                ending => return Ok(ending),
            }
        }
    }

    /// The meaning of the next record.
    pub(super) fn peek(&mut self) -> Result<Option<Meaning>, Fault> {
        Ok(self.locate()?.map(|ending| ending.meaning))
    }

    /// The next row, or line that is none.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Fault> {
        let Some(ending) = self.locate()? else { return Ok(None) };
        let (start, line) = (self.start, self.line);
        if ending.meaning == Meaning::Row && self.comments == Comments::BeforeRows {
            self.comments = Comments::Never;
        }
        self.start += ending.bytes + ending.line_end;
        let bytes = &self.buffer[start..self.start];
        let text = Text { bytes, dialect: self.dialect, at_end: false, ends_with_line: false };
        let record = text.record_of(&ending, line);
        self.line += record.lines;
        Ok(Some(record))
    }

    /// Reads more, to a larger buffer if this one is full.
    fn fill(&mut self) -> Result<(), Fault> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let size = self.buffer.len();
        if self.end == size {
            if size >= MOST_BYTES {
                return Err(too_long(self.line));
            }
            self.buffer.try_reserve_exact(size).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            self.buffer.resize(2 * size, 0);
        }
        let read = loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += read;
        self.at_end = read == 0;
        Ok(())
    }
}
