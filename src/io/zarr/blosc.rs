//! Blosc's container, version 1 and 2 of its format (c-blosc 1.x), which packs the bytes
//! of a chunk in blocks: shuffled by bytes or by bits, then compressed each, or each
//! byte of its elements on its own. The layout is that of c-blosc's README_CHUNK_FORMAT.

use super::blosclz;

/// Bytes before the blocks.
const HEADER_BYTES: usize = 16;

/// Decodes all of `to`. The error says what is wrong, or what is not read.
pub(super) fn decode(from: &[u8], to: &mut [u8], scratch: &mut Scratch) -> Result<(), &'static str> {
    const DAMAGED: &str = "is damaged";
    decode_blocks(from, to, scratch).unwrap_or(Err(DAMAGED))
}

/// What is used again for the next chunk.
#[derive(Default)]
pub(super) struct Scratch {
    block: Vec<u8>,
    deflate: Option<libdeflater::Decompressor>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

/// The compression of blocks.
#[derive(Debug, Clone, Copy)]
enum Packing {
    BloscLz,
    Lz4,
    Zlib,
    Zstd,
}

fn decode_blocks(from: &[u8], to: &mut [u8], scratch: &mut Scratch) -> Option<Result<(), &'static str>> {
    const SHUFFLED: u8 = 0x01;
    const AS_IT_IS: u8 = 0x02;
    const BITS: u8 = 0x04;
    const WHOLE: u8 = 0x10;
    let header = from.get(..HEADER_BYTES)?;
    let (version, flags, size) = (header[0], header[2], usize::from(header[3]));
    if !(1..=2).contains(&version) {
        return Some(Err("is of another version of Blosc"));
    }
    let number = |at: usize| {
        let bytes: [u8; 4] = from.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(i32::from_le_bytes(bytes)).ok()
    };
    let (bytes, block_bytes, packed_bytes) = (number(4)?, number(8)?, number(12)?);
    if bytes != to.len() || packed_bytes != from.len() || size == 0 {
        return None;
    }
    if flags & AS_IT_IS > 0 {
        to.copy_from_slice(from.get(HEADER_BYTES..HEADER_BYTES + bytes)?);
        return Some(Ok(()));
    }
    let packing = match flags >> 5 {
        0 => Packing::BloscLz,
        1 => Packing::Lz4,
        2 => return Some(Err("is compressed by Snappy")),
        3 => Packing::Zlib,
        4 => Packing::Zstd,
        _ => return None,
    };
    if bytes > 0 && (block_bytes == 0 || block_bytes > bytes) {
        return None;
    }
    for (number_of_block, block) in to.chunks_mut(block_bytes.max(1)).enumerate() {
        let mut at = number(HEADER_BYTES + 4 * number_of_block)?;
        // The last block may be shorter, and is not split then.
        let is_split =
            flags & WHOLE == 0 && size <= 16 && block_bytes / size >= 128 && block.len() == block_bytes;
        let parts = if is_split { size } else { 1 };
        if block.len() % parts != 0 {
            return None;
        }
        let is_shuffled = flags & BITS > 0 || (flags & SHUFFLED > 0 && size > 1);
        let Scratch { block: unshuffled, deflate, zstd } = scratch;
        unshuffled.resize(block.len(), 0);
        let part_bytes = block.len() / parts;
        let target: &mut [u8] = if is_shuffled { unshuffled } else { &mut *block };
        for part in target.chunks_exact_mut(part_bytes) {
            let packed = number(at)?;
            let source = from.get(at + 4..(at + 4).checked_add(packed)?)?;
            at += 4 + packed;
            if packed == part.len() {
                part.copy_from_slice(source);
                continue;
            }
            match packing {
                Packing::BloscLz => blosclz::decode(source, part)?,
                Packing::Lz4 => {
                    lz4_flex::block::decompress_into(source, part)
                        .ok()
                        .filter(|bytes| *bytes == part.len())?;
                }
                Packing::Zlib => {
                    let deflate = deflate.get_or_insert_with(libdeflater::Decompressor::new);
                    deflate.zlib_decompress(source, part).ok().filter(|bytes| *bytes == part.len())?;
                }
                Packing::Zstd => {
                    if zstd.is_none() {
                        *zstd = zstd::bulk::Decompressor::new().ok();
                    }
                    let unpacked = zstd.as_mut()?.decompress_to_buffer(source, part).ok();
                    unpacked.filter(|bytes| *bytes == part.len())?;
                }
            }
        }
        if flags & BITS > 0 {
            unshuffle_bits(unshuffled, size, block);
        } else if is_shuffled {
            unshuffle(unshuffled, size, block);
        }
    }
    Some(Ok(()))
}

/// Puts the bytes of elements of this size together again; what is left of the last one
/// stays behind them.
pub(super) fn unshuffle(from: &[u8], size: usize, to: &mut [u8]) {
    fn bytes<const N: usize>(from: &[u8], to: &mut [u8]) {
        let (elements, _) = to.as_chunks_mut::<N>();
        let count = elements.len();
        let planes: [&[u8]; N] = std::array::from_fn(|byte| &from[byte * count..(byte + 1) * count]);
        for (k, element) in elements.iter_mut().enumerate() {
            *element = std::array::from_fn(|byte| planes[byte][k]);
        }
    }
    let count = from.len() / size.max(1);
    let whole = count * size;
    to[whole..].copy_from_slice(&from[whole..]);
    match size {
        2 => bytes::<2>(from, to),
        4 => bytes::<4>(from, to),
        8 => bytes::<8>(from, to),
        _ if count > 0 => {
            for (byte, plane) in from[..whole].chunks_exact(count).enumerate() {
                plane.iter().enumerate().for_each(|(k, &value)| to[k * size + byte] = value);
            }
        }
        _ => {}
    }
}

/// Puts the bits of elements of this size together again: those of one place are
/// neighbours, the lowest first. Elements that are no multiple of 8 were left alone.
fn unshuffle_bits(from: &[u8], size: usize, to: &mut [u8]) {
    let count = from.len() / size;
    to.copy_from_slice(from);
    if count == 0 || !count.is_multiple_of(8) {
        return;
    }
    let plane_bytes = count / 8;
    for byte in 0..size {
        let planes = &from[byte * count..(byte + 1) * count];
        for eight in 0..plane_bytes {
            // Eight bytes, of which each has a bit of eight elements.
            let mut bits = 0u64;
            for bit in 0..8 {
                bits |= u64::from(planes[bit * plane_bytes + eight]) << (8 * bit);
            }
            for (k, value) in transposed(bits).to_le_bytes().into_iter().enumerate() {
                to[(8 * eight + k) * size + byte] = value;
            }
        }
    }
}

/// The 8×8 bits with rows for columns (Warren, Hacker's Delight, 7-3).
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let swapped = (bits ^ (bits >> shift)) & mask;
        bits ^= swapped ^ (swapped << shift);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_transposed() {
        for row in 0..8 {
            for column in 0..8 {
                assert_eq!(transposed(1 << (8 * row + column)), 1 << (8 * column + row));
            }
        }
    }

    #[test]
    fn bytes_come_together_again() {
        for (size, from, want) in [(2, "acbdx", "abcdx"), (3, "adbecf", "abcdef"), (1, "abc", "abc")] {
            let mut to = vec![0; from.len()];
            unshuffle(from.as_bytes(), size, &mut to);
            assert_eq!(to, want.as_bytes());
        }
    }

    #[test]
    fn short_and_wrong_headers_are_damage() {
        const AS_IT_IS: u8 = 2;
        let good = [2, 1, AS_IT_IS, 1, 3, 0, 0, 0, 3, 0, 0, 0, 19, 0, 0, 0, 7, 8, 9];
        let mut to = [0; 3];
        assert_eq!(decode(&good, &mut to, &mut Scratch::default()), Ok(()));
        assert_eq!(to, [7, 8, 9]);
        for end in 0..good.len() {
            assert!(decode(&good[..end], &mut to, &mut Scratch::default()).is_err());
        }
        let mut other = good;
        other[0] = 5;
        assert_eq!(decode(&other, &mut to, &mut Scratch::default()), Err("is of another version of Blosc"));
    }
}
