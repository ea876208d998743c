//! Blocks of rows, put together in their order.
//!
//! A block is parsed as though it followed a row. When the blocks before it are
//! known, it is known whether it does: whether it begins where they end, which a
//! row of several lines can be in the way of, and whether a row came before. If
//! not, it is parsed again, from where they end. So the result, the first error
//! and every line number are those of one row after another.

use super::blocks::Blocks;
use super::column::{Elements, Making, Refused};
use super::faults::{error_at, fault, refused_at};
use super::header::Head;
use super::lines::NotRows;
use super::parse::{Before, Parsed, Plan, Stop, parse};
use super::records::{Comments, Fault, Text};
use crate::array::DataError;
use crate::io::input::Input;
use crate::io::pieces;

/// The most bytes of elements for a byte of text: a digit and a line end are an f64.
const EXPANSION: u64 = 4;

/// The outcome of reading a file from its start to its end.
pub(super) enum Pass {
    Done(Vec<Making>, NotRows),
    /// It must be read again, with these elements.
    Again(Vec<Elements>),
}

/// A reason to read no further.
enum End {
    Error(DataError),
    /// A column must be read again, as these.
    Again(usize, Elements),
}

impl From<DataError> for End {
    fn from(error: DataError) -> Self {
        Self::Error(error)
    }
}

/// Reads all rows of the blocks of a file, the columns of these numbers.
pub(super) fn pass(
    input: &Input<'_>,
    head: &Head,
    blocks: &Blocks<'_>,
    (delimiter, comments): (u8, Comments),
    numbers: &[usize],
    elements: &[Elements],
) -> Result<Pass, DataError> {
    let is_boolean =
        |number: &usize| head.columns.iter().any(|column| column.index == *number && column.is_boolean);
    let plan = Plan {
        numbers: numbers.to_vec(),
        elements: elements.to_vec(),
        is_boolean: numbers.iter().map(is_boolean).collect(),
        count: head.count,
    };
    let reader = Reader { input, plan: &plan, blocks, delimiter };
    let first = Before { comments, is_header: head.has_header };
    let making = |&elements: &Elements| Making::new(input.path, input.memory_bytes, elements);
    let mut table = Table {
        reader: &reader,
        head,
        at: blocks.start(),
        line: 1,
        before: first,
        columns: elements.iter().map(making).collect(),
        not_rows: NotRows::default(),
    };
    let decode = |text: &mut Vec<u8>, k: u64| {
        let before = if k == 0 { first } else { after_a_row(first) };
        reader.block(k, before, text)
    };
    let at_once = pieces::at_once((1 + EXPANSION) * blocks.block_bytes(), input.memory_bytes);
    let read = pieces::in_order(0..blocks.count(), at_once, decode, |block| table.append(block?));
    match read {
        Ok(()) => Ok(Pass::Done(table.columns, table.not_rows)),
        Err(End::Again(place, wider)) => {
            let mut elements = elements.to_vec();
            elements[place] = wider;
            Ok(Pass::Again(elements))
        }
        Err(End::Error(error)) => Err(error),
    }
}

/// The most bytes of a block, of as many as are in memory at a time.
pub(super) fn most_block_bytes(memory_bytes: u64) -> u64 {
    memory_bytes / (1 + EXPANSION) / pieces::at_once(0, u64::MAX) as u64
}

/// The facts that hold before most blocks.
fn after_a_row(first: Before) -> Before {
    let comments = match first.comments {
        Comments::BeforeRows => Comments::Never,
        comments => comments,
    };
    Before { comments, is_header: false }
}

/// A reader of blocks.
struct Reader<'r> {
    input: &'r Input<'r>,
    plan: &'r Plan,
    blocks: &'r Blocks<'r>,
    delimiter: u8,
}

/// A block, parsed as if something came before it.
struct Block {
    /// The offsets at which it begins and ends in the file.
    start: u64,
    end: u64,
    before: Before,
    parsed: Parsed,
}

impl Reader<'_> {
    /// Block number `k` after `before`.
    fn block(&self, k: u64, before: Before, text: &mut Vec<u8>) -> Result<Block, DataError> {
        let (from, part) = self.blocks.block(k, text).map_err(|e| DataError::io(self.input.path, e))?;
        let (start, end) = (from + part.start as u64, from + part.end as u64);
        let parsed = parse(self.plan, before, self.text(&text[part], end));
        Ok(Block { start, end, before, parsed })
    }

    /// The rows from a place to another, after `before`.
    fn again(&self, start: u64, end: u64, before: Before) -> Result<Block, DataError> {
        let mut text = Vec::new();
        self.blocks.read(start..end, &mut text).map_err(|e| DataError::io(self.input.path, e))?;
        let parsed = parse(self.plan, before, self.text(&text, end));
        Ok(Block { start, end, before, parsed })
    }

    fn text<'t>(&self, bytes: &'t [u8], end: u64) -> Text<'t> {
        Text { bytes, delimiter: self.delimiter, at_end: self.blocks.is_end(end), ends_with_line: true }
    }
}

/// The rows so far.
struct Table<'t> {
    reader: &'t Reader<'t>,
    head: &'t Head,
    /// The place in the file, and the line, where they end.
    at: u64,
    line: u64,
    before: Before,
    columns: Vec<Making>,
    not_rows: NotRows,
}

impl Table<'_> {
    fn append(&mut self, block: Block) -> Result<(), End> {
        let block = if block.end <= self.at {
            return Ok(());
        } else if (block.start, block.before) == (self.at, self.before) {
            block
        } else {
            self.reader.again(self.at, block.end, self.before)?
        };
        let Parsed { columns, not_rows, lines, bytes, after, stop } = block.parsed;
        if let Some(stop) = stop {
            return Err(self.end(stop));
        }
        for (place, (all, part)) in self.columns.iter_mut().zip(&columns).enumerate() {
            match all.append(part, self.line) {
                Ok(()) => {}
                Err(Refused::Spool(error)) => return Err(End::Error(error)),
                Err(Refused::Again(wider)) => return Err(End::Again(place, wider)),
                Err(refused) => {
                    return Err(self.end(Stop::Field { line: 1, place, field: Vec::new(), refused }));
                }
            }
        }
        self.not_rows.append(&not_rows, self.line);
        self.at += bytes as u64;
        self.line += lines;
        self.before = after;
        Ok(())
    }

    /// The reason of a stop in the block that follows.
    fn end(&self, stop: Stop) -> End {
        let input = self.reader.input;
        let before = self.line - 1;
        End::Error(match stop {
            Stop::Field { place, refused: Refused::Again(wider), .. } => return End::Again(place, wider),
            Stop::Fault(Fault::Line(line, reason)) => fault(input, Fault::Line(before + line, reason)),
            Stop::Fault(other) => fault(input, other),
            Stop::Count { line, count } => {
                let expected = self.head.count;
                let reason = format!("number of fields: {count}, where the rows before have {expected}");
                error_at(input, before + line, reason)
            }
            Stop::Field { line, place, field, refused } => refused_at(
                input,
                self.head.count,
                before + line,
                self.reader.plan.numbers[place],
                &field,
                refused,
            ),
        })
    }
}
