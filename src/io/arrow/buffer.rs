//! A buffer of a batch, read piece by piece as it is in the file or
//! decompressed, so that no more of it is in memory than a piece.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use arrow_ipc::CompressionType;
use lz4_flex::frame::FrameDecoder;

use crate::array::mapping::Mapping;

/// Bytes of the file that are read before they are released.
const RELEASE_BYTES: usize = 1 << 20;

/// The fault of a buffer that is not read, as a message says it.
pub(super) type Fault = String;

/// The rest of a buffer.
pub(super) struct Buffer<'m> {
    data: Data<'m>,
    compressed_bytes: usize,
    /// Bytes that it claims to have still, once decompressed.
    left: u64,
}

enum Data<'m> {
    Stored(Mapped<'m>),
    Lz4(Box<FrameDecoder<Mapped<'m>>>),
    Zstd(zstd::Decoder<'static, Mapped<'m>>),
}

impl<'m> Buffer<'m> {
    /// The buffer at a place of a file. A compressed one begins with its length
    /// once decompressed, or with -1 if it isn't.
    pub(super) fn new(
        map: &'m Mapping,
        range: Range<usize>,
        compression: Option<CompressionType>,
    ) -> Result<Self, Fault> {
        let mut mapped = Mapped { map, released: range.start, rest: range };
        let compressed_bytes = mapped.rest.len();
        let stored = |mapped: Mapped<'m>| Self {
            left: mapped.rest.len() as u64,
            compressed_bytes,
            data: Data::Stored(mapped),
        };
        let compression = match compression {
            Some(compression) if compressed_bytes > 0 => compression,
            _ => return Ok(stored(mapped)),
        };
        let mut length = [0; 8];
        mapped.read_exact(&mut length).map_err(|_| "a compressed buffer has no length".to_owned())?;
        let claimed = i64::from_le_bytes(length);
        if claimed == -1 {
            return Ok(stored(mapped));
        }
        let compressed_bytes = mapped.rest.len();
        let name = compression.variant_name().unwrap_or("").trim_end_matches("_FRAME").to_lowercase();
        let utmost = (compressed_bytes as u64).saturating_mul(utmost_ratio(compression));
        let left = u64::try_from(claimed).ok().filter(|&claimed| claimed <= utmost).ok_or_else(|| {
            format!(
                "a buffer claims {claimed} bytes once decompressed, where {name} makes no more than {utmost} of \
                 its {compressed_bytes}"
            )
        })?;
        let data = match compression {
            CompressionType::LZ4_FRAME => Data::Lz4(Box::new(FrameDecoder::new(mapped))),
            CompressionType::ZSTD => {
                Data::Zstd(zstd::Decoder::with_buffer(mapped).map_err(|e| e.to_string())?)
            }
            other => return Err(format!("it has an unknown compression, number {}", other.0)),
        };
        Ok(Self { data, compressed_bytes, left })
    }

    /// Fills a piece with the next bytes.
    pub(super) fn fill(&mut self, piece: &mut [u8]) -> Result<(), Fault> {
        let too_short = || "a buffer is shorter than its column".to_owned();
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(too_short)?;
        self.read(piece).and_then(|read| if read == piece.len() { Ok(()) } else { Err(too_short()) })
    }

    /// Reads what is left, which must be as much as it claims: a compression
    /// tells that a buffer is damaged at its end.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        if matches!(self.data, Data::Stored(_)) {
            return Ok(());
        }
        let mut piece = [0; 1 << 12];
        let mut read = 0u64;
        loop {
            match self.read(&mut piece)? {
                0 if read == self.left => return Ok(()),
                0 => break,
                bytes => read += bytes as u64,
            }
            if read > self.left {
                break;
            }
        }
        Err(format!(
            "a compressed buffer of {} bytes has not the length that it claims",
            self.compressed_bytes
        ))
    }

    /// Reads until a piece is full or there is no more.
    fn read(&mut self, piece: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while filled < piece.len() {
            let rest = &mut piece[filled..];
            let read = match &mut self.data {
                Data::Stored(data) => data.read(rest),
                Data::Lz4(data) => data.read(rest),
                Data::Zstd(data) => data.read(rest),
            };
            match read.map_err(|e| format!("a compressed buffer is damaged: {e}"))? {
                0 => break,
                bytes => filled += bytes,
            }
        }
        Ok(filled)
    }
}

/// The most bytes that a compression makes of one.
fn utmost_ratio(compression: CompressionType) -> u64 {
    match compression {
        // A byte of a length counts for 255.
        CompressionType::LZ4_FRAME => 255,
        // A block of 128 KiB takes 4 bytes.
        _ => 1 << 15,
    }
}

/// Bytes of a mapped file, released after they were read.
struct Mapped<'m> {
    map: &'m Mapping,
    rest: Range<usize>,
    /// The first byte that is not released.
    released: usize,
}

impl Read for Mapped<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let bytes = piece.len().min(self.rest.len());
        piece[..bytes].copy_from_slice(&self.map.bytes()[self.rest.start..][..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}

impl BufRead for Mapped<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.map.bytes()[self.rest.clone()][..self.rest.len().min(RELEASE_BYTES)])
    }

    fn consume(&mut self, bytes: usize) {
        self.rest.start += bytes.min(self.rest.len());
        if self.rest.start - self.released >= RELEASE_BYTES || self.rest.is_empty() {
            self.map.release(self.released..self.rest.start);
            self.released = self.rest.start;
        }
    }
}
