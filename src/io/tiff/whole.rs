//! Strips and tiles decompressed in one go.
//!
//! Deflate is libdeflate's, which GDAL uses too: with all of its input and of its
//! output before it, it makes 1.8 times as many bytes a second as zlib-rs (655 MB
//! against 362, of noisy 16-bit tiles with predictor 2, by one thread). LZW is of this
//! house ([`lzw`](super::lzw)): 3 times as many as weezl (362 MB against 118). What
//! fails here is tried again row by row, by the decoders of
//! [`compression`](super::compression), which stop after the rows that are asked for
//! and say what is wrong: so nothing here has to.

use super::compression::Compression;
use super::lzw;

/// Decompressors, which are used again and again.
#[derive(Default)]
pub(super) struct Whole {
    deflate: Option<libdeflater::Decompressor>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    lzw: lzw::Table,
}

impl Whole {
    /// Decompresses a block to all of its bytes; `false` if it has fewer, or more, or
    /// is damaged.
    pub(super) fn decompress(&mut self, compression: Compression, from: &[u8], to: &mut [u8]) -> bool {
        match compression {
            Compression::None => from.get(..to.len()).map(|from| to.copy_from_slice(from)).is_some(),
            Compression::Deflate => {
                let deflate = self.deflate.get_or_insert_with(libdeflater::Decompressor::new);
                deflate.zlib_decompress(from, to) == Ok(to.len())
            }
            Compression::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = zstd::bulk::Decompressor::new().ok();
                }
                let Some(zstd) = &mut self.zstd else { return false };
                zstd.decompress_to_buffer(from, to).is_ok_and(|bytes| bytes == to.len())
            }
            Compression::Lzw => self.lzw.decode(from, to).is_some(),
            Compression::PackBits => pack_bits(from, to).is_some(),
        }
    }
}

/// Runs of bytes that are the same, and of others.
fn pack_bits(mut from: &[u8], mut to: &mut [u8]) -> Option<()> {
    while !to.is_empty() {
        let (&head, rest) = from.split_first()?;
        from = rest;
        match head {
            128 => {}
            literal @ 0..128 => {
                let count = (usize::from(literal) + 1).min(to.len());
                let (bytes, rest) = from.split_at_checked(count)?;
                let (filled, left) = to.split_at_mut(count);
                filled.copy_from_slice(bytes);
                (from, to) = (rest, left);
            }
            repeated => {
                let (&byte, rest) = from.split_first()?;
                let count = (257 - usize::from(repeated)).min(to.len());
                let (filled, left) = to.split_at_mut(count);
                filled.fill(byte);
                (from, to) = (rest, left);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use proptest::prelude::*;

    use super::*;

    fn packed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Lzw => {
                weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(bytes).unwrap()
            }
            Compression::Zstd => zstd::bulk::compress(bytes, 3).unwrap(),
            Compression::PackBits => bytes
                .chunks(128)
                .flat_map(|run| [&[u8::try_from(run.len() - 1).unwrap()], run].concat())
                .collect(),
            Compression::None => bytes.to_vec(),
        }
    }

    const ALL: [Compression; 5] =
        [Compression::None, Compression::Lzw, Compression::Deflate, Compression::PackBits, Compression::Zstd];

    fn check(bytes: &[u8]) {
        let mut whole = Whole::default();
        for compression in ALL {
            let packed = packed(compression, bytes);
            for _ in 0..2 {
                let mut to = vec![0xaa; bytes.len()];
                assert!(whole.decompress(compression, &packed, &mut to), "{compression:?}");
                assert!(to == bytes, "{compression:?}");
            }
            // More than there is.
            let mut to = vec![0; bytes.len() + 1];
            assert!(!whole.decompress(compression, &packed, &mut to), "{compression:?}");
        }
    }

    #[test]
    fn blocks_of_every_compression() {
        let noise = |k: u64| (k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        for length in [1, 2, 100, 4_095, 70_000] {
            check(&vec![7; length]);
            check(&(0..length as u64).map(noise).collect::<Vec<_>>());
            check(&(0..length as u64).map(|k| noise(k / 3) & 7).collect::<Vec<_>>());
            check(&(0..length as u64).map(|k| noise(k % 41)).collect::<Vec<_>>());
        }
    }

    /// libtiff's own words for a run and for nothing.
    #[test]
    fn runs_of_equal_bytes() {
        let mut to = [0; 8];
        assert_eq!(pack_bits(&[254, 9, 128, 1, 1, 2, 0x80, 254, 5], &mut to), Some(()));
        assert_eq!(to, [9, 9, 9, 1, 2, 5, 5, 5]);
        assert_eq!(pack_bits(&[254], &mut to), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// As the decoder of rows, also of damaged bytes.
        #[test]
        fn lzw_as_another_decoder(bytes in prop::collection::vec(0u8..4, 1..3_000), damage in any::<Option<(usize, u8)>>()) {
            let mut packed = packed(Compression::Lzw, &bytes);
            if let Some((place, byte)) = damage {
                let place = place % packed.len();
                packed[place] ^= byte;
            }
            let mut want = vec![0; bytes.len()];
            let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
            let mut read = 0;
            let (mut from, mut is_right) = (&packed[..], true);
            while read < want.len() {
                let result = decoder.decode_bytes(from, &mut want[read..]);
                from = &from[result.consumed_in..];
                read += result.consumed_out;
                is_right = result.status.is_ok();
                if !is_right || (result.consumed_out == 0 && result.consumed_in == 0) {
                    break;
                }
            }
            let mut to = vec![0; bytes.len()];
            if lzw::Table::default().decode(&packed, &mut to).is_some() && is_right && read == want.len() {
                prop_assert!(to == want);
            } else if damage.is_none() {
                prop_assert!(false);
            }
        }
    }

    #[test]
    fn every_prefix_of_a_block() {
        let bytes: Vec<u8> = (0..5_000u32).map(|k| ((k * k) >> 5).to_le_bytes()[0] & 15).collect();
        for compression in ALL {
            let packed = packed(compression, &bytes);
            let mut whole = Whole::default();
            for length in 0..packed.len() {
                let mut to = vec![0; bytes.len()];
                if whole.decompress(compression, &packed[..length], &mut to) {
                    assert!(to == bytes, "{compression:?} {length}");
                }
            }
        }
        let mut rest = Vec::new();
        flate2::read::ZlibDecoder::new(&packed(Compression::Deflate, &bytes)[..])
            .read_to_end(&mut rest)
            .unwrap();
        assert!(rest == bytes);
    }
}
