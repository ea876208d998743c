//! The rows of a strip or a tile, decompressed one after another: no more of it
//! is in memory than a row, however large it is, and nothing beyond the rows
//! that are asked for is decompressed.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use crate::array::mapping::Mapping;
pub(super) use crate::io::image_profile::ImageCompression as Compression;

/// Bytes of the file that are read before their memory is released.
const RELEASED_BYTES: usize = 1 << 20;

impl Compression {
    /// The method of a number in the tag, if it is one that is read.
    pub(super) fn of(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::None,
            5 => Self::Lzw,
            8 | 32_946 => Self::Deflate,
            32_773 => Self::PackBits,
            50_000 => Self::Zstd,
            _ => return None,
        })
    }

    /// The number in the tag.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::None => 1,
            Self::Lzw => 5,
            Self::Deflate => 8,
            Self::PackBits => 32_773,
            Self::Zstd => 50_000,
        }
    }

    /// The most bytes that a compressed byte can stand for.
    pub(super) fn most_expansion(self) -> u64 {
        match self {
            Self::None => 1,
            // 128 bytes from two.
            Self::PackBits => 64,
            // 258 bytes from two codes of a bit each.
            Self::Deflate => 1_032,
            // A code of 12 bits stands for at most 3,839 bytes.
            Self::Lzw => 2_560,
            // A block of 128 KiB that repeats a byte takes four.
            Self::Zstd => 1 << 15,
        }
    }

    /// Whether a predictor is undone: libtiff knows none for the others.
    pub(super) fn has_predictor(self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate | Self::Zstd)
    }
}

/// The name of a method of compression, if it is one.
pub(super) fn label(method: u64) -> Option<String> {
    Some(match Compression::of(method) {
        Some(Compression::None) => return None,
        Some(Compression::Lzw) => "LZW".to_owned(),
        Some(Compression::Deflate) => "Deflate".to_owned(),
        Some(Compression::PackBits) => "PackBits".to_owned(),
        Some(Compression::Zstd) => "Zstandard".to_owned(),
        None => name(method),
    })
}

/// The name of a method of compression that is not read.
pub(super) fn name(method: u64) -> String {
    let name = match method {
        2 => "CCITT Huffman",
        3 => "CCITT Group 3",
        4 => "CCITT Group 4",
        6 => "old-style JPEG",
        7 => "JPEG",
        9 | 10 | 34_661 => "JBIG",
        22_610 | 34_934 => "JPEG XR",
        32_809 => "ThunderScan",
        33_003..=33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGILog",
        34_887 => "LERC",
        34_892 => "lossy JPEG",
        34_925 => "LZMA",
        34_926 => "Zstandard by an old number",
        34_933 => "PNG",
        50_001 => "WebP",
        50_002 | 52_546 => "JPEG XL",
        other => return format!("method {other}"),
    };
    name.to_owned()
}

/// Bytes of a mapped file, whose memory is released as they are read.
struct Stored<'a> {
    map: &'a Mapping,
    range: Range<usize>,
    held: usize,
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stored<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let end = self.range.end.min(self.range.start.saturating_add(RELEASED_BYTES));
        Ok(self.map.bytes().get(self.range.start..end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.range.start += count;
        if self.range.start - self.held >= RELEASED_BYTES {
            self.map.release(self.held..self.range.start);
            self.held = self.range.start;
        }
    }
}

/// The decompressed bytes.
pub(super) struct Decompressed<'a>(Box<dyn Read + 'a>);

impl<'a> Decompressed<'a> {
    /// The decompressed bytes of a range of the file.
    pub(super) fn new(
        map: &'a Mapping,
        range: Range<usize>,
        compression: Compression,
        memory_bytes: u64,
    ) -> io::Result<Self> {
        let stored = Stored { map, held: range.start, range };
        Ok(Self(match compression {
            Compression::None => Box::new(stored),
            Compression::Deflate => Box::new(flate2::bufread::ZlibDecoder::new(stored)),
            Compression::Lzw => Box::new(Lzw {
                stored,
                decoder: weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8),
            }),
            Compression::PackBits => Box::new(PackBits { stored, literal: 0, repeated: (0, 0) }),
            Compression::Zstd => {
                // The window that a frame asks for is held in memory.
                const LEAST_LOG: u32 = 25;
                const MOST_LOG: u32 = 27;
                let log = memory_bytes.checked_ilog2().unwrap_or(0).clamp(LEAST_LOG, MOST_LOG);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
                decoder.window_log_max(log)?;
                Box::new(decoder)
            }
        }))
    }
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

struct Lzw<'a> {
    stored: Stored<'a>,
    decoder: weezl::decode::Decoder,
}

impl Read for Lzw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let bytes = self.stored.fill_buf()?;
            let is_end = bytes.is_empty();
            let result = self.decoder.decode_bytes(bytes, buffer);
            self.stored.consume(result.consumed_in);
            let status =
                result.status.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            let is_over = is_end || matches!(status, weezl::LzwStatus::Done);
            if result.consumed_out > 0 || is_over {
                return Ok(result.consumed_out);
            }
        }
    }
}

/// Runs of bytes that are the same, and of others.
struct PackBits<'a> {
    stored: Stored<'a>,
    /// Bytes that follow as they are.
    literal: usize,
    /// A byte that follows, and its number of times.
    repeated: (usize, u8),
}

impl Read for PackBits<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let (times, byte) = &mut self.repeated;
            if *times > 0 {
                let count = (*times).min(buffer.len());
                buffer[..count].fill(*byte);
                *times -= count;
                return Ok(count);
            }
            if self.literal > 0 {
                let count = self.literal.min(buffer.len());
                let count = self.stored.read(&mut buffer[..count])?;
                self.literal -= count;
                return Ok(count);
            }
            let mut head = [0];
            if self.stored.read(&mut head)? == 0 {
                return Ok(0);
            }
            match head[0] {
                128 => {}
                literal @ 0..128 => self.literal = usize::from(literal) + 1,
                repeated => {
                    self.stored.read_exact(&mut head)?;
                    self.repeated = (257 - usize::from(repeated), head[0]);
                }
            }
        }
    }
}
