//! A block of rows, parsed.
//!
//! Nearly all rows are plain: numbers and empty fields, without quotes and blanks
//! around them. These are read as they come, each number to its end, which must be
//! the field's. A row that is anything else, or has a fault, is read again by
//! [`Text::record`], which knows all of the format.

use memchr::{memchr, memchr2, memchr3};

use super::column::{Elements, Part, Refused};
use super::dialect::leading_blanks;
use super::lines::NotRows;
use super::number::{self, Kind};
use super::records::{Comments, Fault, Meaning, Record, Text, content};
use crate::io::text_rules::Delimiter;

/// The facts that the rows before a block settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) comments: Comments,
    /// Whether the header is still to come.
    pub(super) is_header: bool,
}

/// The columns that are read.
pub(super) struct Plan {
    /// Their numbers, all different.
    pub(super) numbers: Vec<usize>,
    pub(super) elements: Vec<Elements>,
    /// Whether each has true or false in the first row.
    pub(super) is_boolean: Vec<bool>,
    /// The number of columns of the file.
    pub(super) count: usize,
}

/// A block of rows, or as much of it as there is before a fault.
pub(super) struct Parsed {
    pub(super) columns: Vec<Part>,
    pub(super) not_rows: NotRows,
    /// The number of lines.
    pub(super) lines: u64,
    /// The bytes that were parsed. A row that goes on after the block is none of it.
    pub(super) bytes: usize,
    /// The facts that it settles for the rows after it.
    pub(super) after: Before,
    pub(super) stop: Option<Stop>,
}

/// The cause of an end before the end of a block; lines are numbered from the
/// block's first, from 1.
pub(super) enum Stop {
    Fault(Fault),
    /// A row of another number of fields.
    Count {
        line: u64,
        count: usize,
    },
    /// A field, of the column at a place in the plan.
    Field {
        line: u64,
        place: usize,
        field: Vec<u8>,
        refused: Refused,
    },
}

/// Parses a block whose first line is the file's, or follows a row.
pub(super) fn parse(plan: &Plan, before: Before, text: Text<'_>) -> Parsed {
    let mut parser = Parser::new(plan, before, text);
    let stop = parser.run().err().map(|stop| *stop);
    let Parser { columns, not_rows, line, at, before: after, .. } = parser;
    Parsed { columns, not_rows, lines: line - 1, bytes: at, after, stop }
}

/// A field of a plain row.
#[derive(Clone, Copy)]
enum Plain {
    Null,
    Number { number: f64, kind: Kind, start: usize, end: usize },
}

struct Parser<'p> {
    plan: &'p Plan,
    text: Text<'p>,
    /// The columns in the order of the file: the number of fields before each, after
    /// the one before, and its place in the plan.
    steps: Vec<(usize, usize)>,
    /// The fields after the last of them.
    left: usize,
    has_quotes: bool,
    has_returns: bool,
    before: Before,
    at: usize,
    line: u64,
    columns: Vec<Part>,
    not_rows: NotRows,
    /// The fields of a row, by their places in the plan.
    row: Vec<Plain>,
}

impl<'p> Parser<'p> {
    fn new(plan: &'p Plan, before: Before, text: Text<'p>) -> Self {
        let mut order: Vec<usize> = (0..plan.numbers.len()).collect();
        order.sort_unstable_by_key(|&place| plan.numbers[place]);
        let mut next = 0;
        let mut steps = Vec::with_capacity(order.len());
        for place in order {
            steps.push((plan.numbers[place] - next, place));
            next = plan.numbers[place] + 1;
        }
        let part = |(&elements, &is_boolean): (&Elements, &bool)| Part::new(elements, is_boolean);
        Self {
            plan,
            text,
            steps,
            left: plan.count.saturating_sub(next),
            has_quotes: memchr(b'"', text.bytes).is_some(),
            has_returns: memchr(b'\r', text.bytes).is_some(),
            before,
            at: 0,
            line: 1,
            columns: plan.elements.iter().zip(&plan.is_boolean).map(part).collect(),
            not_rows: NotRows::default(),
            row: vec![Plain::Null; plan.numbers.len()],
        }
    }

    fn run(&mut self) -> Result<(), Box<Stop>> {
        let takes_plain = self.columns.iter().all(Part::takes_numbers);
        while self.at < self.text.bytes.len() {
            let is_plain =
                takes_plain && !self.before.is_header && self.before.comments != Comments::BeforeRows;
            match if is_plain { self.plain_row() } else { None } {
                Some(end) => {
                    self.push_plain()?;
                    self.at = end;
                    self.line += 1;
                }
                None => {
                    if !self.record()? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the fields of a row that is plain, and tells where the next one begins.
    #[inline]
    fn plain_row(&mut self) -> Option<usize> {
        let text = self.text.bytes;
        let mut at = self.at;
        let first = text[at];
        if matches!(first, b'\n' | b'\r') || self.before.comments == Comments::Anywhere(first) {
            return None;
        }
        // In a field that is passed over there may be quotes.
        if self.has_quotes && memchr2(b'\n', b'"', &text[at..]).is_none_or(|found| text[at + found] == b'"') {
            return None;
        }
        let Delimiter::Character(delimiter) = self.text.dialect.delimiter else {
            return self.plain_row_of_blanks();
        };
        let decimal = self.text.dialect.decimal;
        let mut ends_row = false;
        for &(skipped, place) in &self.steps {
            // After a line end there is no field.
            if ends_row {
                return None;
            }
            for _ in 0..skipped {
                at = self.after_field(delimiter, at)?;
            }
            let start = at;
            let next = *text.get(at)?;
            self.row[place] = if next == delimiter || matches!(next, b'\n' | b'\r') {
                Plain::Null
            } else {
                let (number, kind, length) = number::prefix(&text[at..], decimal)?;
                if kind == Kind::Beyond {
                    return None;
                }
                at += length;
                Plain::Number { number, kind, start, end: at }
            };
            if text.get(at) == Some(&delimiter) {
                at += 1;
            } else {
                ends_row = true;
            }
        }
        if self.left > 0 {
            if ends_row {
                return None;
            }
            for _ in 1..self.left {
                at = self.after_field(delimiter, at)?;
            }
            at += if self.has_returns {
                memchr3(delimiter, b'\n', b'\r', &text[at..])?
            } else {
                memchr2(delimiter, b'\n', &text[at..])?
            };
        } else if !ends_row {
            return None;
        }
        match (text.get(at)?, text.get(at + 1)) {
            (b'\r', Some(b'\n')) => Some(at + 2),
            (b'\n', _) | (b'\r', Some(_)) => Some(at + 1),
            _ => None,
        }
    }

    /// The place after the field there, if another one follows.
    #[inline]
    fn after_field(&self, delimiter: u8, at: usize) -> Option<usize> {
        let rest = &self.text.bytes[at..];
        let end = if self.has_returns {
            memchr3(delimiter, b'\n', b'\r', rest)?
        } else {
            memchr2(delimiter, b'\n', rest)?
        };
        (rest[end] == delimiter).then_some(at + end + 1)
    }

    /// The same as [`plain_row`](Self::plain_row) where blanks are around fields.
    fn plain_row_of_blanks(&mut self) -> Option<usize> {
        let text = self.text.bytes;
        let decimal = self.text.dialect.decimal;
        let is_end = |at: usize| matches!(text.get(at), Some(b'\n' | b'\r'));
        let mut at = self.at + leading_blanks(&text[self.at..]);
        for &(skipped, place) in &self.steps {
            for _ in 0..skipped {
                at = self.after_blanks(at)?;
            }
            let (number, kind, length) = number::prefix(&text[at..], decimal)?;
            if kind == Kind::Beyond {
                return None;
            }
            self.row[place] = Plain::Number { number, kind, start: at, end: at + length };
            at += length;
            let blanks = leading_blanks(&text[at..]);
            at += blanks;
            if blanks == 0 && !is_end(at) {
                return None;
            }
        }
        for _ in 0..self.left {
            at = self.after_blanks(at)?;
        }
        match (text.get(at)?, text.get(at + 1)) {
            (b'\r', Some(b'\n')) => Some(at + 2),
            (b'\n', _) | (b'\r', Some(_)) => Some(at + 1),
            _ => None,
        }
    }

    /// The place after the field there and the blanks after it.
    fn after_blanks(&self, at: usize) -> Option<usize> {
        let rest = &self.text.bytes[at..];
        let end = self.text.dialect.find_end(rest).filter(|&end| end > 0)?;
        Some(at + end + leading_blanks(&rest[end..]))
    }

    /// Appends the fields of a plain row.
    #[inline]
    fn push_plain(&mut self) -> Result<(), Box<Stop>> {
        for (place, (column, &field)) in self.columns.iter_mut().zip(&self.row).enumerate() {
            match field {
                Plain::Null => column.push_null(),
                Plain::Number { number, kind, start, end } => {
                    let field = &self.text.bytes[start..end];
                    if let Err(refused) = column.push_number(field, number, kind, self.line) {
                        let (line, field) = (self.line, field.to_vec());
                        return Err(Box::new(Stop::Field { line, place, field, refused }));
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a row of any kind, or a line that is none; `false` if its end is not in
    /// the block.
    fn record(&mut self) -> Result<bool, Box<Stop>> {
        let record = self
            .text
            .record(self.at, self.line, self.before.comments)
            .map_err(|fault| Box::new(Stop::Fault(fault)))?;
        let Some((record, end)) = record else { return Ok(false) };
        self.push_record(&record)?;
        self.at = end;
        self.line += record.lines;
        Ok(true)
    }

    fn push_record(&mut self, record: &Record<'_>) -> Result<(), Box<Stop>> {
        let line = record.line;
        if record.lines > 1 {
            self.not_rows.long.add(line);
            self.not_rows.long_lines += record.lines;
        }
        let mut fields = vec![&b""[..]; self.plan.numbers.len()];
        match record.meaning {
            Meaning::Row => {
                if self.before.comments == Comments::BeforeRows {
                    self.before.comments = Comments::Never;
                }
                if std::mem::take(&mut self.before.is_header) {
                    return Ok(());
                }
                let count = record.pick(&self.plan.numbers, &mut fields);
                if count != self.plan.count {
                    return Err(Box::new(Stop::Count { line, count }));
                }
            }
            // A row of one field, which is empty.
            Meaning::Empty if self.plan.count == 1 && !self.before.is_header => self.not_rows.nulls.add(line),
            Meaning::Empty => {
                self.not_rows.empty.add(line);
                return Ok(());
            }
            Meaning::Comment => {
                self.not_rows.comments.add(line);
                return Ok(());
            }
        }
        for (place, (column, field)) in self.columns.iter_mut().zip(fields).enumerate() {
            if let Err(refused) = column.push(&content(field), self.text.dialect.decimal, line) {
                return Err(Box::new(Stop::Field { line, place, field: field.to_vec(), refused }));
            }
        }
        Ok(())
    }
}
