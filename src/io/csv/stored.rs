//! The text of a file: its own bytes, or those that they are decompressed and brought
//! to UTF-8 to, as a stream, of which no more than a buffer is in memory.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::utf16::{Order, Utf16};
use crate::array::error::reason;
use crate::array::{DataError, MemoryPlan};
use crate::io::read_at::read_at;

/// Bytes that are read or decoded at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// Bytes that tell how a text is encoded.
const MARK_BYTES: u64 = 4;

const UTF_8: &[u8] = b"\xEF\xBB\xBF";

/// The largest window of Zstandard, 2²⁷ bytes, that decoders must take.
const MOST_WINDOW_LOG: u32 = 27;

/// The way in which a text is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstandard,
}

impl Compression {
    const SIGNATURES: [(&'static [u8], Self); 2] =
        [(b"\x1f\x8b", Self::Gzip), (b"\x28\xb5\x2f\xfd", Self::Zstandard)];

    fn of(start: &[u8]) -> Option<Self> {
        Self::SIGNATURES.iter().find(|(mark, _)| start.starts_with(mark)).map(|(_, compression)| *compression)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
        }
    }
}

/// The name of the compression of a file that begins with these bytes.
pub(in crate::io) fn compression(start: &[u8]) -> Option<&'static str> {
    Compression::of(start).map(Compression::name)
}

/// A file of text.
pub(super) struct Stored<'f> {
    path: &'f Path,
    file: &'f File,
    memory_bytes: u64,
    compression: Option<Compression>,
    encoding: Option<Order>,
    /// The bytes of the byte-order mark.
    mark_bytes: u64,
}

/// The text, from its start to its end.
pub(super) type TextReader<'f> = Box<dyn Read + Send + 'f>;

impl<'f> Stored<'f> {
    /// The text of a file, by its first bytes.
    pub(super) fn of(path: &'f Path, file: &'f File, memory_bytes: u64) -> Result<Self, DataError> {
        let mut stored = Self { path, file, memory_bytes, compression: None, encoding: None, mark_bytes: 0 };
        stored.compression = Compression::of(&stored.start()?);
        let start = stored.start()?;
        if start.starts_with(b"\xFF\xFE\0\0") {
            return Err(DataError::Unsupported {
                path: path.to_owned(),
                found: "its text is UTF-32".to_owned(),
                remedy: "save it as UTF-8",
            });
        }
        (stored.encoding, stored.mark_bytes) = match &start[..] {
            [0xFF, 0xFE, ..] => (Some(Order::Little), 2),
            [0xFE, 0xFF, ..] => (Some(Order::Big), 2),
            start if start.starts_with(UTF_8) => (None, UTF_8.len() as u64),
            _ => (None, 0),
        };
        Ok(stored)
    }

    /// The first bytes, past the compression that is known.
    fn start(&self) -> Result<Vec<u8>, DataError> {
        let mut start = Vec::new();
        let read = self.decompressed().and_then(|reader| reader.take(MARK_BYTES).read_to_end(&mut start));
        read.map_err(|e| io_error(self.path, e))?;
        Ok(start)
    }

    /// The place where the text begins, if its bytes are the file's.
    pub(super) fn place(&self) -> Option<u64> {
        (self.compression.is_none() && self.encoding.is_none()).then_some(self.mark_bytes)
    }

    /// How the text is compressed and encoded, if it is.
    pub(super) fn label(&self) -> Option<String> {
        let parts = [self.compression.map(Compression::name), self.encoding.map(|_| "UTF-16")];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The text from its start.
    pub(super) fn reader(&self) -> Result<TextReader<'f>, DataError> {
        let mark = |mut reader: TextReader<'f>| -> io::Result<TextReader<'f>> {
            io::copy(&mut Read::by_ref(&mut reader).take(self.mark_bytes), &mut io::sink())?;
            Ok(reader)
        };
        let reader = self.decompressed().and_then(mark).map_err(|e| io_error(self.path, e))?;
        Ok(match self.encoding {
            None => reader,
            Some(order) => Box::new(Checked { reader: Utf16::new(reader, order), kind: "UTF-16" }),
        })
    }

    fn decompressed(&self) -> io::Result<TextReader<'f>> {
        let file = At { file: self.file, place: 0 };
        let Some(compression) = self.compression else { return Ok(Box::new(file)) };
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        let kind = compression.name();
        Ok(match compression {
            // Several streams, one after another, are one text.
            Compression::Gzip => {
                Box::new(Checked { reader: flate2::bufread::MultiGzDecoder::new(file), kind })
            }
            Compression::Zstandard => self.zstandard(file, kind)?,
        })
    }

    #[cfg(any(feature = "parquet", feature = "tiff"))]
    fn zstandard(&self, file: BufReader<At<'f>>, kind: &'static str) -> io::Result<TextReader<'f>> {
        let mut reader = zstd::stream::read::Decoder::with_buffer(file)?;
        let window_bytes = MemoryPlan::new(self.memory_bytes).unit_bytes();
        reader.window_log_max(window_bytes.ilog2().min(MOST_WINDOW_LOG))?;
        Ok(Box::new(Checked { reader, kind }))
    }

    #[cfg(not(any(feature = "parquet", feature = "tiff")))]
    fn zstandard(&self, _: BufReader<At<'f>>, _: &'static str) -> io::Result<TextReader<'f>> {
        let _ = (MOST_WINDOW_LOG, self.memory_bytes, MemoryPlan::UNBOUNDED);
        Err(io::Error::new(io::ErrorKind::Unsupported, NotBuilt))
    }
}

/// A file from a place on, which no other reader moves.
struct At<'f> {
    file: &'f File,
    place: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = read_at(self.file, buffer, self.place)?;
        self.place += bytes as u64;
        Ok(bytes)
    }
}

/// A decoder whose errors say of what they are.
struct Checked<R> {
    reader: R,
    kind: &'static str,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|e| {
            let is_its_own = e.raw_os_error().is_none() && e.kind() != io::ErrorKind::Interrupted;
            let is_told = e.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Damage>);
            if is_its_own && !is_told { Damage::of(self.kind, &e).into() } else { e }
        })
    }
}

/// Bytes that a decoder cannot decode.
#[derive(Debug)]
struct Damage {
    kind: &'static str,
    reason: String,
    is_too_large: bool,
}

impl Damage {
    fn of(kind: &'static str, error: &io::Error) -> Self {
        let text = error.to_string();
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is truncated; copy or write it again".to_owned(),
            _ => format!("{}; copy or write it again", reason(&text)),
        };
        Self { kind, reason, is_too_large: text.contains("too much memory") }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason)
    }
}

impl std::error::Error for Damage {}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage)
    }
}

/// The decoder was left out of this program.
#[derive(Debug, thiserror::Error)]
#[error("not built")]
#[allow(dead_code, reason = "not if the decoder is built in")]
struct NotBuilt;

/// The error of reading a text.
pub(super) fn io_error(path: &Path, error: io::Error) -> DataError {
    let cause = error.get_ref();
    if cause.is_some_and(<dyn std::error::Error + Send + Sync>::is::<NotBuilt>) {
        return DataError::not_built(path, "Zstandard", "tiff");
    }
    match cause.and_then(|cause| cause.downcast_ref::<Damage>()) {
        Some(Damage { is_too_large: true, .. }) => {
            DataError::BeyondMemory { path: path.to_owned(), what: "takes memory to decompress".to_owned() }
        }
        Some(Damage { kind, reason, .. }) => {
            DataError::Invalid { path: path.to_owned(), kind, reason: reason.clone() }
        }
        None => DataError::io(path, error),
    }
}
