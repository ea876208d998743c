//! The samples of a row: their byte order, and the predictor that is undone.

/// The change of the rows before they were compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    /// Samples are differences to the pixel before.
    Horizontal,
    /// The same of the bytes of floating-point numbers, the first bytes of all
    /// samples before the second ones.
    FloatingPoint,
}

/// The layout of the samples of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packing {
    pub(super) bits: u8,
    /// Samples of a pixel.
    pub(super) samples: usize,
    pub(super) big_endian: bool,
    pub(super) predictor: Predictor,
}

impl Packing {
    /// Brings a row into this machine's byte order and undoes the predictor;
    /// `scratch` is as long as the row, if it is needed.
    pub(super) fn unpack(self, row: &mut [u8], scratch: &mut Vec<u8>) {
        if self.predictor == Predictor::FloatingPoint {
            self.sum(row, |[a], [b]| [a.wrapping_add(b)]);
            scratch.clear();
            scratch.extend_from_slice(row);
            let size = usize::from(self.bits / 8);
            let values = row.len() / size;
            for (k, value) in row.chunks_exact_mut(size).enumerate() {
                for (place, byte) in value.iter_mut().enumerate() {
                    let from_first = if cfg!(target_endian = "big") { place } else { size - 1 - place };
                    *byte = scratch[from_first * values + k];
                }
            }
            return;
        }
        if self.bits > 8 && self.big_endian != cfg!(target_endian = "big") {
            row.chunks_exact_mut(usize::from(self.bits / 8)).for_each(<[u8]>::reverse);
        }
        if self.predictor == Predictor::Horizontal {
            match self.bits {
                8 => self.sum(row, |[a], [b]| [a.wrapping_add(b)]),
                16 => self
                    .sum(row, |a, b| u16::from_ne_bytes(a).wrapping_add(u16::from_ne_bytes(b)).to_ne_bytes()),
                32 => self
                    .sum(row, |a, b| u32::from_ne_bytes(a).wrapping_add(u32::from_ne_bytes(b)).to_ne_bytes()),
                _ => self
                    .sum(row, |a, b| u64::from_ne_bytes(a).wrapping_add(u64::from_ne_bytes(b)).to_ne_bytes()),
            }
        }
    }

    /// Adds to each sample that of the pixel before.
    fn sum<const N: usize>(self, row: &mut [u8], add: impl Fn([u8; N], [u8; N]) -> [u8; N]) {
        let (values, _) = row.as_chunks_mut::<N>();
        // What was added last stays in a register.
        match self.samples {
            1 => sum_pixels::<N, 1>(values, add),
            2 => sum_pixels::<N, 2>(values, add),
            3 => sum_pixels::<N, 3>(values, add),
            4 => sum_pixels::<N, 4>(values, add),
            samples => {
                for k in samples..values.len() {
                    values[k] = add(values[k], values[k - samples]);
                }
            }
        }
    }
}

fn sum_pixels<const N: usize, const S: usize>(
    values: &mut [[u8; N]],
    add: impl Fn([u8; N], [u8; N]) -> [u8; N],
) {
    let mut before = [[0; N]; S];
    let (pixels, rest) = values.as_chunks_mut::<S>();
    for pixel in pixels {
        for (sum, value) in before.iter_mut().zip(pixel) {
            *sum = add(*value, *sum);
            *value = *sum;
        }
    }
    rest.iter_mut().zip(before).for_each(|(value, sum)| *value = add(*value, sum));
}
