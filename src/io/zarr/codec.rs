//! The codecs that chunks went through when they were written.

use serde_json::{Map, Value};

use super::blosc;

/// A codec of bytes, which is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Blosc,
    Gzip,
    Zlib,
    Zstd,
    /// Blocks of LZ4, after their size.
    Lz4,
    /// A checksum after the bytes.
    Crc32c,
    /// One before them, of zip's kind.
    Crc32,
    /// The bytes of elements of this size, the first ones first.
    Shuffle(usize),
}

/// Bytes of a checksum.
const SUM_BYTES: usize = 4;

impl Codec {
    /// The codec of that name; the error is what it is called.
    pub(super) fn new(name: &str, configuration: &Map<String, Value>) -> Result<Self, String> {
        let own = name.strip_prefix("numcodecs.").unwrap_or(name);
        Ok(match own {
            "blosc" => Self::Blosc,
            "gzip" => Self::Gzip,
            "zlib" => Self::Zlib,
            "zstd" => Self::Zstd,
            "lz4" => Self::Lz4,
            "crc32c" if own == name => Self::Crc32c,
            "crc32" => Self::Crc32,
            "shuffle" => {
                let size = configuration.get("elementsize").map_or(Some(4), Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
                Self::Shuffle(size.ok_or_else(|| "shuffle of no size".to_owned())?)
            }
            _ => return Err(name.to_owned()),
        })
    }

    /// The most bytes that one byte can stand for.
    pub(super) fn most_expansion(self) -> u64 {
        match self {
            Self::Blosc | Self::Zstd => 1 << 15,
            Self::Gzip | Self::Zlib => 1_032,
            Self::Lz4 => 255,
            Self::Crc32c | Self::Crc32 | Self::Shuffle(_) => 1,
        }
    }

    fn is_sum(self) -> bool {
        matches!(self, Self::Crc32c | Self::Crc32)
    }
}

/// What a thread uses again for the next chunk.
#[derive(Default)]
pub(super) struct Scratch {
    /// What was decoded last.
    pub(super) chunk: Vec<u8>,
    other: Vec<u8>,
    blosc: blosc::Scratch,
    deflate: Option<libdeflater::Decompressor>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

/// Undoes codecs, given in the order in which chunks go through them, to so many
/// bytes. The error says what is wrong.
pub(super) fn undo(
    codecs: &[Codec],
    from: &[u8],
    bytes: usize,
    scratch: &mut Scratch,
) -> Result<(), &'static str> {
    const DAMAGED: &str = "is damaged";
    let Scratch { chunk, other, blosc, deflate, zstd } = scratch;
    chunk.clear();
    for (place, codec) in codecs.iter().enumerate().rev() {
        let sums = codecs[..place].iter().filter(|codec| codec.is_sum()).count();
        let unpacked = bytes + SUM_BYTES * sums;
        let source: &[u8] = if place + 1 == codecs.len() { from } else { chunk };
        let is_whole = |found: Option<usize>| if found == Some(unpacked) { Ok(()) } else { Err(DAMAGED) };
        match codec {
            Codec::Crc32c => {
                let (data, sum) = source.split_last_chunk::<SUM_BYTES>().ok_or(DAMAGED)?;
                if crc32c(data) != u32::from_le_bytes(*sum) {
                    return Err(DAMAGED);
                }
                other.clear();
                other.extend_from_slice(data);
            }
            Codec::Crc32 => {
                let (sum, data) = source.split_first_chunk::<SUM_BYTES>().ok_or(DAMAGED)?;
                if crc32fast::hash(data) != u32::from_le_bytes(*sum) {
                    return Err(DAMAGED);
                }
                other.clear();
                other.extend_from_slice(data);
            }
            _ => {
                other.resize(unpacked, 0);
                match codec {
                    Codec::Blosc => blosc::decode(source, other, blosc)?,
                    Codec::Gzip | Codec::Zlib => {
                        let deflate = deflate.get_or_insert_with(libdeflater::Decompressor::new);
                        let done = if *codec == Codec::Gzip {
                            deflate.gzip_decompress(source, other)
                        } else {
                            deflate.zlib_decompress(source, other)
                        };
                        is_whole(done.ok())?;
                    }
                    Codec::Zstd => {
                        if zstd.is_none() {
                            *zstd = zstd::bulk::Decompressor::new().ok();
                        }
                        let zstd =
                            zstd.as_mut().ok_or("cannot be decompressed: there is too little memory")?;
                        is_whole(zstd.decompress_to_buffer(source, other).ok())?;
                    }
                    Codec::Lz4 => {
                        let (size, data) = source.split_first_chunk::<4>().ok_or(DAMAGED)?;
                        is_whole(usize::try_from(u32::from_le_bytes(*size)).ok())?;
                        is_whole(lz4_flex::block::decompress_into(data, other).ok())?;
                    }
                    Codec::Shuffle(size) if source.len() == unpacked => {
                        blosc::unshuffle(source, *size, other);
                    }
                    _ => return Err(DAMAGED),
                }
            }
        }
        std::mem::swap(chunk, other);
    }
    if codecs.is_empty() {
        chunk.extend_from_slice(from);
    }
    if chunk.len() == bytes { Ok(()) } else { Err(DAMAGED) }
}

/// Castagnoli's checksum.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut k = 0;
        while k < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
            let mut sum = k as u32;
            let mut bit = 0;
            while bit < 8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
                bit += 1;
            }
            table[k] = sum;
            k += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum, &byte| sum >> 8 ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue of checksums (CRC-32/ISCSI).
    #[test]
    fn the_sum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
