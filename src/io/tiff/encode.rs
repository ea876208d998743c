//! A strip or a tile on its way to a file: the predictor, then the compression.

use std::io;

use super::compression::Compression;
use super::packing::Predictor;

/// The levels of Deflate and Zstandard that GDAL compresses with unless it is asked.
const DEFLATE_LEVEL: i32 = 6;
const ZSTD_LEVEL: i32 = 9;

/// The samples of a block's rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Samples {
    /// Bytes of a sample.
    pub(super) bytes: usize,
    /// Samples of a pixel that lie side by side.
    pub(super) in_pixel: usize,
    /// Bytes of a row of the block.
    pub(super) row_bytes: usize,
}

/// Compressors, which are used again and again.
#[derive(Default)]
pub(super) struct Encoder {
    deflate: Option<libdeflater::Compressor>,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    scratch: Vec<u8>,
}

impl Encoder {
    /// The bytes of a block as they stand in a file.
    pub(super) fn encode(
        &mut self,
        mut block: Vec<u8>,
        samples: Samples,
        compression: Compression,
        predictor: Predictor,
    ) -> io::Result<Vec<u8>> {
        for row in block.chunks_exact_mut(samples.row_bytes.max(1)) {
            self.predict(row, samples, predictor);
        }
        match compression {
            Compression::None => Ok(block),
            Compression::PackBits => {
                let mut packed = Vec::with_capacity(block.len() + block.len() / 64);
                // Libtiff's own readers want no run beyond a row.
                block.chunks(samples.row_bytes.max(1)).for_each(|row| pack_bits(row, &mut packed));
                Ok(packed)
            }
            Compression::Lzw => {
                let mut encoder = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
                encoder.encode(&block).map_err(|e| io::Error::other(e.to_string()))
            }
            Compression::Deflate => {
                let deflate = match &mut self.deflate {
                    Some(deflate) => deflate,
                    none => {
                        let level = libdeflater::CompressionLvl::new(DEFLATE_LEVEL).unwrap_or_default();
                        none.insert(libdeflater::Compressor::new(level))
                    }
                };
                let mut bytes = vec![0; deflate.zlib_compress_bound(block.len())];
                let len =
                    deflate.zlib_compress(&block, &mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
                bytes.truncate(len);
                Ok(bytes)
            }
            Compression::Zstd => {
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
                };
                zstd.compress(&block)
            }
        }
    }

    /// Puts differences in the place of samples. Twin of [`Packing::unpack`](super::packing::Packing::unpack).
    fn predict(&mut self, row: &mut [u8], samples: Samples, predictor: Predictor) {
        let Samples { bytes, in_pixel, .. } = samples;
        match predictor {
            Predictor::None => {}
            Predictor::Horizontal => match bytes {
                1 => differences(row, in_pixel, |[a], [b]| [a.wrapping_sub(b)]),
                2 => differences(row, in_pixel, |a, b| {
                    u16::from_ne_bytes(a).wrapping_sub(u16::from_ne_bytes(b)).to_ne_bytes()
                }),
                4 => differences(row, in_pixel, |a, b| {
                    u32::from_ne_bytes(a).wrapping_sub(u32::from_ne_bytes(b)).to_ne_bytes()
                }),
                _ => differences(row, in_pixel, |a, b| {
                    u64::from_ne_bytes(a).wrapping_sub(u64::from_ne_bytes(b)).to_ne_bytes()
                }),
            },
            Predictor::FloatingPoint => {
                self.scratch.clear();
                self.scratch.extend_from_slice(row);
                let values = row.len() / bytes;
                for (k, value) in self.scratch.chunks_exact(bytes).enumerate() {
                    for (place, &byte) in value.iter().enumerate() {
                        let from_first = if cfg!(target_endian = "big") { place } else { bytes - 1 - place };
                        row[from_first * values + k] = byte;
                    }
                }
                differences(row, in_pixel, |[a], [b]| [a.wrapping_sub(b)]);
            }
        }
    }
}

/// Takes from each sample that of the pixel before.
fn differences<const N: usize>(row: &mut [u8], in_pixel: usize, sub: impl Fn([u8; N], [u8; N]) -> [u8; N]) {
    let (values, _) = row.as_chunks_mut::<N>();
    for k in (in_pixel..values.len()).rev() {
        values[k] = sub(values[k], values[k - in_pixel]);
    }
}

/// Runs of the same byte, of three or more, and of others, each of up to 128.
fn pack_bits(row: &[u8], packed: &mut Vec<u8>) {
    const MOST: usize = 128;
    const LEAST: usize = 3;
    let run = |at: usize| row[at..].iter().take(MOST).take_while(|byte| **byte == row[at]).count();
    let mut at = 0;
    while at < row.len() {
        let same = run(at);
        let count = if same >= LEAST {
            same
        } else {
            (at..row.len().min(at + MOST)).take_while(|&k| run(k) < LEAST).count()
        };
        let head = u8::try_from(count - 1).unwrap_or(127);
        if same >= LEAST {
            packed.extend([0u8.wrapping_sub(head), row[at]]);
        } else {
            packed.push(head);
            packed.extend_from_slice(&row[at..at + count]);
        }
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::super::packing::Packing;
    use super::super::whole::Whole;
    use super::*;

    const COMPRESSIONS: [Compression; 5] =
        [Compression::None, Compression::Lzw, Compression::Deflate, Compression::PackBits, Compression::Zstd];

    /// What a decoder makes of encoded bytes is what was encoded.
    #[test]
    fn blocks_come_back() {
        let (mut encoder, mut whole) = (Encoder::default(), Whole::default());
        for compression in COMPRESSIONS {
            for (bytes, predictor) in [
                (1, Predictor::None),
                (1, Predictor::Horizontal),
                (2, Predictor::Horizontal),
                (4, Predictor::Horizontal),
                (4, Predictor::FloatingPoint),
                (8, Predictor::Horizontal),
                (8, Predictor::FloatingPoint),
            ] {
                for in_pixel in [1, 3] {
                    let row_bytes = 24 * bytes * in_pixel;
                    let block: Vec<u8> = (0..5 * row_bytes as u64)
                        .map(|k| (k * k / 7 % 251 * (k / 40 % 2)).to_le_bytes()[0])
                        .collect();
                    let samples = Samples { bytes, in_pixel, row_bytes };
                    let encoded = encoder.encode(block.clone(), samples, compression, predictor).unwrap();
                    let mut decoded = vec![0; block.len()];
                    assert!(whole.decompress(compression, &encoded, &mut decoded), "{compression:?}");
                    let packing = Packing {
                        bits: (8 * bytes).to_le_bytes()[0],
                        samples: in_pixel,
                        big_endian: cfg!(target_endian = "big"),
                        predictor,
                    };
                    let mut scratch = Vec::new();
                    decoded.chunks_exact_mut(row_bytes).for_each(|row| packing.unpack(row, &mut scratch));
                    assert_eq!(decoded, block, "{compression:?} {predictor:?} {bytes} {in_pixel}");
                }
            }
        }
    }

    /// The example of Apple's note on PackBits (TN1023), as any encoder may write it.
    #[test]
    fn runs_are_packed_as_the_note_says() {
        let row = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22, 0xaa, 0xaa,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        let mut packed = Vec::new();
        pack_bits(&row, &mut packed);
        let want = [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
        assert_eq!(packed, want);
    }
}
