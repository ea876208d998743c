//! The filters that a chunk went through when it was written.

use super::bytes::Bytes;
use super::fault::Fault;
use super::lzf;

/// A filter that is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Deflate,
    Lzf,
    Zstd,
    /// The bytes of elements of this size, the first ones first.
    Shuffle(usize),
    Fletcher32,
}

impl Filter {
    /// The most bytes that one byte can stand for.
    fn most_expansion(self) -> u64 {
        match self {
            Self::Deflate => 1_032,
            // Three bytes stand for 264.
            Self::Lzf => 88,
            Self::Zstd => 1 << 15,
            Self::Shuffle(_) | Self::Fletcher32 => 1,
        }
    }
}

/// Bytes of a chunk's checksum.
const SUM_BYTES: usize = 4;

/// The filters of a dataset, in the order in which chunks go through them when they
/// are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Filters(Vec<Filter>);

impl Filters {
    /// Reads a dataset's filters.
    pub(super) fn new(mut body: Bytes<'_>) -> Result<Self, Fault> {
        let version = body.version("filter pipeline", 1..=2)?;
        let count = body.u8()?;
        if version == 1 {
            body.take(6)?;
        }
        let mut filters = Vec::new();
        for _ in 0..count {
            const NAMED: usize = 256;
            let number = body.u16()?;
            let name_bytes = if version == 1 || number >= NAMED { body.u16()? } else { 0 };
            body.u16()?;
            let values = body.u16()?;
            let name_bytes = if version == 1 { name_bytes.next_multiple_of(8) } else { name_bytes };
            body.take(name_bytes)?;
            let mut parameters = body.part(4 * values)?;
            if version == 1 && values % 2 == 1 {
                body.take(4)?;
            }
            filters.push(match number {
                1 => Filter::Deflate,
                2 => Filter::Shuffle(parameters.size(4)?),
                3 => Filter::Fletcher32,
                32_000 => Filter::Lzf,
                32_015 => Filter::Zstd,
                other => return Err(Fault::unsupported(format!("it is compressed by {}", name(other)))),
            });
        }
        if filters.iter().filter(|filter| filter.most_expansion() > 1).count() > 1 {
            return Err(Fault::unsupported("it is compressed twice".to_owned()));
        }
        Ok(Self(filters))
    }

    /// The filter that compresses.
    pub(super) fn compression(&self) -> Option<&'static str> {
        self.0.iter().find_map(|filter| match filter {
            Filter::Deflate => Some("gzip"),
            Filter::Lzf => Some("LZF"),
            Filter::Zstd => Some("Zstandard"),
            Filter::Shuffle(_) | Filter::Fletcher32 => None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most bytes that one byte of a chunk can stand for.
    pub(super) fn most_expansion(&self) -> u64 {
        self.0.iter().map(|filter| filter.most_expansion()).product()
    }

    /// Undoes the filters, but for those of which the bit of `mask` is set, to so many
    /// bytes.
    pub(super) fn undo(
        &self,
        from: &[u8],
        mask: u32,
        bytes: usize,
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        let Scratch { chunk, other, deflate, zstd } = scratch;
        let is_on =
            |place: usize| mask.checked_shr(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0) & 1 == 0;
        chunk.clear();
        let mut is_taken = false;
        for (place, filter) in self.0.iter().enumerate().rev().filter(|(place, _)| is_on(*place)) {
            let sums = self.0[..place]
                .iter()
                .enumerate()
                .filter(|(place, other)| is_on(*place) && **other == Filter::Fletcher32);
            let unpacked = bytes + SUM_BYTES * sums.count();
            let source: &[u8] = if is_taken { chunk } else { from };
            match filter {
                Filter::Deflate => {
                    other.resize(unpacked, 0);
                    let deflate = deflate.get_or_insert_with(libdeflater::Decompressor::new);
                    if deflate.zlib_decompress(source, other) != Ok(unpacked) {
                        return Err(Fault::damaged_chunk());
                    }
                }
                Filter::Zstd => {
                    other.resize(unpacked, 0);
                    if zstd.is_none() {
                        *zstd = zstd::bulk::Decompressor::new().ok();
                    }
                    let unpack = zstd.as_mut().ok_or_else(Fault::damaged_chunk)?;
                    if unpack.decompress_to_buffer(source, other).ok() != Some(unpacked) {
                        return Err(Fault::damaged_chunk());
                    }
                }
                Filter::Lzf => {
                    other.resize(unpacked, 0);
                    lzf::decode(source, other).ok_or_else(Fault::damaged_chunk)?;
                }
                Filter::Shuffle(size) => unshuffle(source, *size, other),
                Filter::Fletcher32 => {
                    let (data, sum) =
                        source.split_last_chunk::<SUM_BYTES>().ok_or_else(Fault::damaged_chunk)?;
                    let found = fletcher32(data);
                    // Some old files have the bytes of its halves the other way round.
                    if ![found, found >> 8 & 0x00ff_00ff | found << 8 & 0xff00_ff00]
                        .contains(&u32::from_le_bytes(*sum))
                    {
                        return Err(Fault::damaged_chunk());
                    }
                    other.clear();
                    other.extend_from_slice(data);
                }
            }
            std::mem::swap(chunk, other);
            is_taken = true;
        }
        if !is_taken {
            chunk.extend_from_slice(from);
        }
        if chunk.len() == bytes { Ok(()) } else { Err(Fault::damaged_chunk()) }
    }
}

/// What a thread uses again for the next chunk.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) chunk: Vec<u8>,
    other: Vec<u8>,
    deflate: Option<libdeflater::Decompressor>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

/// The name of a registered filter that is not undone.
fn name(number: usize) -> String {
    let known = match number {
        4 => "szip",
        5 => "n-bit",
        6 => "scale-offset",
        307 => "bzip2",
        32_001 => "Blosc",
        32_004 => "LZ4",
        32_008 => "Bitshuffle",
        32_013 => "ZFP",
        32_017 => "SZ",
        32_022 => "Granular BitRound",
        32_024 => "SZ3",
        32_026 => "Blosc2",
        32_028 => "HTJ2K",
        _ => return format!("the filter number {number}"),
    };
    format!("{known} (filter {number})")
}

/// Puts the bytes of elements of this size together again; what is left of the last one
/// stays behind them.
pub(super) fn unshuffle(from: &[u8], size: usize, to: &mut Vec<u8>) {
    fn bytes<const N: usize>(from: &[u8], count: usize, to: &mut [u8]) {
        let planes: [&[u8]; N] = std::array::from_fn(|byte| &from[byte * count..(byte + 1) * count]);
        let (elements, _) = to.as_chunks_mut::<N>();
        for (k, element) in elements.iter_mut().take(count).enumerate() {
            *element = std::array::from_fn(|byte| planes[byte][k]);
        }
    }
    let count = from.len() / size.max(1);
    to.clear();
    to.extend_from_slice(from);
    match size {
        0 | 1 => {}
        2 => bytes::<2>(from, count, to),
        4 => bytes::<4>(from, count, to),
        8 => bytes::<8>(from, count, to),
        _ => {
            for (byte, plane) in from.chunks_exact(count.max(1)).take(size).enumerate() {
                plane.iter().enumerate().for_each(|(k, &value)| to[k * size + byte] = value);
            }
        }
    }
}

/// The checksum that the format calls Fletcher's, of 16-bit numbers, the highest byte
/// first.
fn fletcher32(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<2>();
    let (mut one, mut two) = (0u32, 0u32);
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    for words in words.chunks(360) {
        for word in words {
            one += u32::from(u16::from_be_bytes(*word));
            two += one;
        }
        (one, two) = (fold(one), fold(two));
    }
    if let [last] = rest {
        one += u32::from(*last) << 8;
        two += one;
        (one, two) = (fold(one), fold(two));
    }
    (one, two) = (fold(one), fold(two));
    two << 16 | one
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `abcde` that the checksum's page of an encyclopaedia gives are for
    /// the lowest byte first; with the highest first they are worked by hand:
    /// sums of 0x6162, 0x6364 and 0x6500.
    #[test]
    fn the_sum_is_that_of_fletcher() {
        // 24930 + 25444 + 25856 = 76230 = 10695 modulo 65535;
        // 3·24930 + 2·25444 + 25856 = 151534 = 20464 modulo 65535.
        assert_eq!(fletcher32(b"abcde"), (20_464 << 16) + 10_695);
    }

    #[test]
    fn bytes_come_together_again() {
        for (size, from, want) in [(2, "acbdx", "abcdx"), (3, "adbecf", "abcdef"), (1, "abc", "abc")] {
            let mut to = Vec::new();
            unshuffle(from.as_bytes(), size, &mut to);
            assert_eq!(to, want.as_bytes());
        }
    }
}
