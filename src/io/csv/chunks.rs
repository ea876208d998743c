//! A text that comes as a stream, cut into chunks at line ends.
//!
//! Beside [`blocks`](super::blocks), for texts that cannot be read at a place.

use std::io::{self, ErrorKind, Read};

use memchr::{memchr, memrchr, memrchr_iter};

use super::records::MOST_BYTES;

/// A part of a text, which ends where a line does, unless a line is too long.
pub(super) struct Chunk {
    /// Its place in the text.
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
    /// Whether the text ends with it.
    pub(super) is_last: bool,
}

/// The chunks of a text. The last one may be empty.
pub(super) struct Chunks<R> {
    reader: R,
    chunk_bytes: usize,
    /// What was read after the last line end.
    rest: Vec<u8>,
    start: u64,
    /// The last byte of a line end; unknown before the first chunk.
    line_end: Option<u8>,
    is_done: bool,
}

impl<R: Read> Chunks<R> {
    /// Chunks of so many bytes, more or less.
    pub(super) fn new(reader: R, chunk_bytes: u64) -> Self {
        let chunk_bytes = usize::try_from(chunk_bytes).unwrap_or(usize::MAX).max(1);
        Self { reader, chunk_bytes, rest: Vec::new(), start: 0, line_end: None, is_done: false }
    }

    fn next_chunk(&mut self) -> io::Result<Chunk> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            bytes.try_reserve(self.chunk_bytes).map_err(|_| ErrorKind::OutOfMemory)?;
            let read =
                Read::by_ref(&mut self.reader).take(self.chunk_bytes as u64).read_to_end(&mut bytes)?;
            self.is_done = read < self.chunk_bytes;
            let cut = if self.is_done { Some(bytes.len()) } else { self.cut(&bytes) };
            let cut = cut.or_else(|| (bytes.len() > MOST_BYTES).then_some(bytes.len()));
            if let Some(cut) = cut {
                self.rest = bytes[cut..].to_vec();
                bytes.truncate(cut);
                let start = self.start;
                self.start += cut as u64;
                return Ok(Chunk { start, bytes, is_last: self.is_done });
            }
        }
    }

    /// The place after the last line end.
    fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        // Old programs end lines by carriage returns alone.
        let is_old = || memchr(b'\n', bytes).is_none() && memchr(b'\r', bytes).is_some();
        let line_end = *self.line_end.get_or_insert_with(|| if is_old() { b'\r' } else { b'\n' });
        let last = match line_end {
            // A line feed may follow.
            b'\r' => memrchr_iter(b'\r', bytes).find(|at| bytes.get(at + 1).is_some_and(|b| *b != b'\n')),
            _ => memrchr(b'\n', bytes),
        };
        last.map(|at| at + 1)
    }
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = io::Result<Chunk>;

    fn next(&mut self) -> Option<io::Result<Chunk>> {
        if self.is_done {
            return None;
        }
        let chunk = self.next_chunk();
        self.is_done |= chunk.is_err();
        Some(chunk)
    }
}
