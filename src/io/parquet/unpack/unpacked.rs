use std::fs::File;
use std::io::{self, Read, Write};

use super::bytes::fault;

/// The distance that a copy may reach back in LZ4. Snappy's encoder divides its
/// input into blocks of so many bytes, although its format could reach further.
const WINDOW_BYTES: usize = 1 << 16;

/// Decompressed bytes that are in memory, of a page that goes to a file.
const BUFFER_BYTES: usize = 1 << 20;

/// The bytes of a page so far, of which the last ones are in memory.
pub(in crate::io::parquet) struct Unpacked {
    pub(super) recent: Vec<u8>,
    /// The file of all but the recent ones, unless all are in memory.
    pub(super) file: Option<File>,
    /// The bytes that are still to come.
    left: u64,
    /// The error of writing the file.
    failure: Option<io::Error>,
}

impl Unpacked {
    /// Room for a page of so many bytes in memory.
    pub(in crate::io::parquet) fn in_memory(bytes: u64) -> io::Result<Self> {
        let mut recent = Vec::new();
        let room = usize::try_from(bytes).map_err(|_| fault("it is larger than any memory"))?;
        recent.try_reserve_exact(room)?;
        Ok(Self { recent, file: None, left: bytes, failure: None })
    }

    /// Room for a page of so many bytes in a file.
    pub(in crate::io::parquet) fn in_file(bytes: u64, file: File) -> Self {
        Self { recent: Vec::new(), file: Some(file), left: bytes, failure: None }
    }

    /// The error of writing the file, if there was one.
    pub(in crate::io::parquet) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// The number of bytes that are still to come.
    pub(in crate::io::parquet) fn left(&self) -> u64 {
        self.left
    }

    /// Fails unless all bytes came, and writes out the last of them.
    pub(in crate::io::parquet) fn end(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(fault("it has fewer bytes than it claims"));
        }
        self.flush(0)
    }

    /// The bytes that are in memory, and the file.
    pub(in crate::io::parquet) fn into_parts(self) -> (Vec<u8>, Option<File>) {
        (self.recent, self.file)
    }

    /// Appends what a decoder makes, which must not be more than is to come.
    pub(in crate::io::parquet) fn append(&mut self, from: &mut impl Read) -> io::Result<()> {
        while self.left > 0 {
            let before = self.recent.len();
            let most = self.left.min(WINDOW_BYTES as u64);
            self.left -= from.by_ref().take(most).read_to_end(&mut self.recent)? as u64;
            if self.recent.len() == before {
                return Ok(());
            }
            self.keep_recent()?;
        }
        match from.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(fault("it has more bytes than it claims")),
            Err(e) => Err(e),
        }
    }

    /// Appends the next `count` bytes.
    pub(super) fn take(&mut self, from: &mut impl Read, count: u64) -> io::Result<()> {
        self.spend(count)?;
        let mut count = count;
        while count > 0 {
            let piece = count.min(WINDOW_BYTES as u64);
            if from.by_ref().take(piece).read_to_end(&mut self.recent)? as u64 != piece {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            count -= piece;
            self.keep_recent()?;
        }
        Ok(())
    }

    /// Appends `count` bytes of what is there, from `back` bytes before its end,
    /// those among them that it appends itself.
    pub(super) fn copy(&mut self, back: usize, count: usize) -> io::Result<()> {
        self.spend(count as u64)?;
        let (mut back, mut count) = (back, count);
        while count > 0 {
            let start = self.recent.len().checked_sub(back).filter(|_| back > 0);
            let start = start.ok_or_else(|| fault("a copy begins before its bytes do, or too far back"))?;
            let piece = count.min(back).min(WINDOW_BYTES);
            self.recent.try_reserve(piece)?;
            self.recent.extend_from_within(start..start + piece);
            count -= piece;
            // The bytes before the end are now the same twice: a longer piece is
            // faster.
            if 2 * back <= WINDOW_BYTES {
                back *= 2;
            }
            self.keep_recent()?;
        }
        Ok(())
    }

    fn spend(&mut self, count: u64) -> io::Result<()> {
        let left = self.left.checked_sub(count);
        self.left = left.ok_or_else(|| fault("it has more bytes than it claims"))?;
        Ok(())
    }

    /// Writes out what no copy can reach any longer.
    fn keep_recent(&mut self) -> io::Result<()> {
        if self.recent.len() >= BUFFER_BYTES { self.flush(WINDOW_BYTES) } else { Ok(()) }
    }

    fn flush(&mut self, keep: usize) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let end = self.recent.len() - keep;
        if let Err(e) = file.write_all(&self.recent[..end]) {
            self.failure = Some(e);
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.recent.drain(..end);
        Ok(())
    }
}
