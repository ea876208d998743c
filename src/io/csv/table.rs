//! Blocks of rows, put together in their order.
//!
//! A block is parsed as though it followed a row. When the blocks before it are
//! known, it is known whether it does: whether it begins where they end, which a
//! row of several lines can be in the way of, and whether a row came before. If
//! not, it is parsed again, from where they end. So the result, the first error
//! and every line number are those of one row after another.
//!
//! A text that comes as a stream is cut into chunks instead, which keep their text,
//! for nothing can be read again there.

use super::blocks::Blocks;
use super::chunks::{Chunk, Chunks};
use super::column::{Elements, Making, Refused};
use super::dialect::Dialect;
use super::faults::{error_at, fault, refused_at};
use super::header::Head;
use super::lines::NotRows;
use super::parse::{Before, Parsed, Plan, Stop, parse};
use super::records::{Comments, Fault, Text};
use super::stored::{TextReader, io_error};
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

/// The text of a file, in parts.
pub(super) enum Parts<'f> {
    /// The file has it as it is.
    Blocks(Blocks<'f>),
    /// It comes as a stream, in chunks of so many bytes.
    Stream(TextReader<'f>, u64),
}

impl Parts<'_> {
    fn part_bytes(&self) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks.block_bytes(),
            Self::Stream(_, chunk_bytes) => *chunk_bytes,
        }
    }
}

/// A part that is to be parsed.
enum Unparsed {
    Block(u64),
    Chunk(std::io::Result<Chunk>),
}

/// Reads all rows of the parts of a file, the columns of these numbers.
pub(super) fn pass(
    input: &Input<'_>,
    head: &Head,
    parts: Parts<'_>,
    (dialect, comments): (Dialect, Comments),
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
    let part_bytes = parts.part_bytes();
    let (blocks, unparsed): (_, Box<dyn Iterator<Item = Unparsed> + Send>) = match parts {
        Parts::Blocks(blocks) => {
            let count = blocks.count();
            (Some(blocks), Box::new((0..count).map(Unparsed::Block)))
        }
        Parts::Stream(reader, bytes) => (None, Box::new(Chunks::new(reader, bytes).map(Unparsed::Chunk))),
    };
    let reader = Reader { input, plan: &plan, blocks: blocks.as_ref(), dialect };
    let first = Before { comments, is_header: head.has_header };
    let making = |&elements: &Elements| Making::new(input.path, input.memory_bytes, elements);
    let mut table = Table {
        reader: &reader,
        head,
        at: blocks.as_ref().map_or(0, Blocks::start),
        rest: Vec::new(),
        line: 1,
        before: first,
        columns: elements.iter().map(making).collect(),
        not_rows: NotRows::default(),
    };
    let before = |is_first: bool| if is_first { first } else { after_a_row(first) };
    let decode = |text: &mut Vec<u8>, part: Unparsed| match part {
        Unparsed::Block(k) => reader.block(k, before(k == 0), text),
        Unparsed::Chunk(Ok(chunk)) => Ok(reader.chunk(before(chunk.start == 0), chunk)),
        Unparsed::Chunk(Err(e)) => Err(io_error(input.path, e)),
    };
    let at_once = pieces::at_once((1 + EXPANSION) * part_bytes, input.memory_bytes);
    let read = pieces::in_order(unparsed, at_once, decode, |block| table.append(block?));
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
    /// The blocks of a text that can be read again.
    blocks: Option<&'r Blocks<'r>>,
    dialect: Dialect,
}

/// A block, parsed as if something came before it.
struct Block {
    /// The offsets at which it begins and ends in the file.
    start: u64,
    end: u64,
    before: Before,
    parsed: Parsed,
    /// The text of a chunk, and whether it is the last one.
    text: Vec<u8>,
    is_last: bool,
}

impl Reader<'_> {
    /// Block number `k` after `before`.
    fn block(&self, k: u64, before: Before, text: &mut Vec<u8>) -> Result<Block, DataError> {
        let Some(blocks) = self.blocks else { return Err(self.input.invalid("text", "it has no blocks")) };
        let (from, part) = blocks.block(k, text).map_err(|e| DataError::io(self.input.path, e))?;
        let (start, end) = (from + part.start as u64, from + part.end as u64);
        let is_last = blocks.is_end(end);
        let parsed = parse(self.plan, before, self.text(&text[part], is_last));
        Ok(Block { start, end, before, parsed, text: Vec::new(), is_last })
    }

    /// A chunk after `before`.
    fn chunk(&self, before: Before, chunk: Chunk) -> Block {
        let Chunk { start, bytes, is_last } = chunk;
        let parsed = parse(self.plan, before, self.text(&bytes, is_last));
        Block { start, end: start + bytes.len() as u64, before, parsed, text: bytes, is_last }
    }

    /// A block from another start on, after `before`. Of a chunk, `rest` is the text
    /// between.
    fn again(&self, start: u64, before: Before, rest: Vec<u8>, block: &Block) -> Result<Block, DataError> {
        let &Block { end, is_last, .. } = block;
        let mut text = rest;
        match self.blocks {
            Some(blocks) => {
                blocks.read(start..end, &mut text).map_err(|e| DataError::io(self.input.path, e))?;
            }
            None => text.extend_from_slice(&block.text),
        }
        let parsed = parse(self.plan, before, self.text(&text, is_last));
        Ok(Block { start, end, before, parsed, text, is_last })
    }

    fn text<'t>(&self, bytes: &'t [u8], at_end: bool) -> Text<'t> {
        Text { bytes, dialect: self.dialect, at_end, ends_with_line: true }
    }
}

/// The rows so far.
struct Table<'t> {
    reader: &'t Reader<'t>,
    head: &'t Head,
    /// The place in the file, and the line, where they end.
    at: u64,
    /// The text from there on to the end of the last chunk.
    rest: Vec<u8>,
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
            self.reader.again(self.at, self.before, std::mem::take(&mut self.rest), &block)?
        };
        let Parsed { columns, not_rows, lines, bytes, after, stop } = block.parsed;
        self.rest = block.text.get(bytes..).unwrap_or_default().to_vec();
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
