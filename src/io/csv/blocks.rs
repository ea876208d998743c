//! Blocks of a text file that are read and parsed apart.
//!
//! The file is cut at every so many bytes, and each cut is moved to the end of the
//! line there: the block before and the block after find the same place. A line may
//! end within a quoted field, so that a block may begin in the midst of a row; who
//! puts the blocks together finds out, for the block before then ends without an end
//! of its last row.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::records::MOST_BYTES;
use crate::io::read_at::read_exact_at;

/// Bytes of a block, where the file has enough of them for all threads and memory
/// allows it.
const MOST_BLOCK_BYTES: u64 = 1 << 20;

const LEAST_BLOCK_BYTES: u64 = 1 << 16;

/// Blocks for each thread, so that all end at about the same time.
const PER_THREAD: u64 = 8;

/// Bytes that are read at a time to find the end of a line.
const LOOK_BYTES: u64 = 1 << 12;

/// The bytes of a block of a file of so many, for so many threads, where a block may
/// have no more than a bound.
pub(super) fn block_bytes(file_bytes: u64, threads: usize, bound: u64) -> u64 {
    let share = file_bytes / (PER_THREAD * threads as u64);
    share.min(bound).clamp(LEAST_BLOCK_BYTES, MOST_BLOCK_BYTES)
}

/// A file that is read in blocks.
pub(super) struct Blocks<'f> {
    file: &'f File,
    /// The bytes that are read: from after a byte-order mark to the end.
    range: Range<u64>,
    block_bytes: u64,
    /// The last byte of a line end.
    line_end: u8,
}

impl<'f> Blocks<'f> {
    /// The blocks of a part of a file, each of so many bytes, more or less.
    pub(super) fn new(file: &'f File, range: Range<u64>, block_bytes: u64) -> io::Result<Self> {
        let mut blocks = Self { file, range, block_bytes, line_end: b'\n' };
        // Old programs end lines by carriage returns alone.
        let mut start = Vec::new();
        blocks.read(blocks.range.start..blocks.cut(1), &mut start)?;
        if memchr(b'\n', &start).is_none() && memchr(b'\r', &start).is_some() {
            blocks.line_end = b'\r';
        }
        Ok(blocks)
    }

    /// The bytes of a block, more or less.
    pub(super) fn block_bytes(&self) -> u64 {
        self.block_bytes
    }

    /// The place where the first one begins.
    pub(super) fn start(&self) -> u64 {
        self.range.start
    }

    /// The number of blocks, of which some may be empty.
    pub(super) fn count(&self) -> u64 {
        (self.range.end - self.range.start).div_ceil(self.block_bytes)
    }

    fn cut(&self, k: u64) -> u64 {
        self.range.start.saturating_add(k.saturating_mul(self.block_bytes)).min(self.range.end)
    }

    /// Whether the file ends there.
    pub(super) fn is_end(&self, place: u64) -> bool {
        place == self.range.end
    }

    /// Reads block number `k`. Tells where in the file the text begins, and which
    /// part of it is the block.
    pub(super) fn block(&self, k: u64, text: &mut Vec<u8>) -> io::Result<(u64, Range<usize>)> {
        // The line end there may be the last byte before the cut.
        let from = if k == 0 { self.range.start } else { self.cut(k) - 1 };
        self.read(from..self.cut(k + 1), text)?;
        let skipped = if k == 0 { 0 } else { self.line_after(from, 0, text)? };
        let last = usize::try_from(self.cut(k + 1) - 1 - from).unwrap_or(usize::MAX);
        let end = self.line_after(from, last, text)?;
        Ok((from, skipped.min(end)..end))
    }

    /// The place after the first line end from a place of a text on, which is read
    /// further until there is one. Without one in the longest row, or to the end of
    /// the file, it is where that ends.
    fn line_after(&self, from: u64, start: usize, text: &mut Vec<u8>) -> io::Result<usize> {
        let mut looked = start;
        loop {
            let is_end = |&at: &usize| match (self.line_end, text.get(looked + at + 1)) {
                (b'\r', Some(b'\n')) => false,
                (b'\r', None) => self.is_end(from + text.len() as u64),
                _ => true,
            };
            let found = memchr_iter(self.line_end, &text[looked..]).find(is_end);
            if let Some(at) = found {
                return Ok(looked + at + 1);
            }
            let place = from + text.len() as u64;
            if self.is_end(place) || text.len() - start > MOST_BYTES {
                return Ok(text.len());
            }
            // A carriage return at the end is looked at again.
            looked = text.len() - usize::from(self.line_end == b'\r' && text.len() > start);
            self.read_more(place..(place + LOOK_BYTES).min(self.range.end), text)?;
        }
    }

    /// Reads a range in the place of a text.
    pub(super) fn read(&self, range: Range<u64>, text: &mut Vec<u8>) -> io::Result<()> {
        text.clear();
        self.read_more(range, text)
    }

    fn read_more(&self, range: Range<u64>, text: &mut Vec<u8>) -> io::Result<()> {
        let more = usize::try_from(range.end - range.start).map_err(|_| ErrorKind::OutOfMemory)?;
        text.try_reserve(more).map_err(|_| ErrorKind::OutOfMemory)?;
        let filled = text.len();
        text.resize(filled + more, 0);
        // If it shrank, that is found when all is read.
        read_exact_at(self.file, &mut text[filled..], range.start)
    }
}
