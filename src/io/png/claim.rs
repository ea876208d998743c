use crate::array::{DataError, Shape};
use crate::io::claims::room;
use crate::io::input::Input;
use crate::io::listing::Listed;

pub(super) const KIND: &str = "PNG";

/// The most bytes that Deflate makes of one.
const MOST_EXPANSION: u64 = 1_032;

/// The size that a header claims, and the bytes that the file has for it.
pub(super) struct Claim {
    width: u32,
    height: u32,
    bits: u64,
    samples: u64,
    depth: u8,
    /// Bytes of compressed pixels.
    data_bytes: u64,
}

impl Claim {
    /// The channels, of so many rows and columns.
    pub(super) fn list(&self) -> Vec<Listed> {
        let element = if self.depth == 16 { "u16" } else { "u8" };
        let shape = Shape(vec![self.height.into(), self.width.into()]);
        let listed = |band: u64| {
            let key = (self.samples > 1).then(|| band.to_string());
            Listed::decoded(key, Some(shape.clone()), element).compressed("Deflate".to_owned())
        };
        (1..=self.samples).map(listed).collect()
    }

    /// The claim of a file, whose chunks are gone through without being read.
    pub(super) fn of(input: &Input<'_>) -> Result<Self, DataError> {
        const SIGNATURE_BYTES: usize = 8;
        /// The bytes of a chunk's length and type before it and its checksum after it.
        const AROUND_BYTES: usize = 12;
        let map = input.map()?;
        let bytes = map.bytes();
        let number = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
        let truncated = || input.invalid(KIND, "it is truncated; copy or write it again");
        let (mut at, mut data_bytes) = (SIGNATURE_BYTES, 0u64);
        while let Some((length, kind)) = number(at).zip(bytes.get(at + 4..at + 8)) {
            if kind == b"IDAT" {
                let found = bytes.len().saturating_sub(at + 8) as u64;
                data_bytes += u64::from(length).min(found);
            }
            at = at.saturating_add(length as usize).saturating_add(AROUND_BYTES);
        }
        let width = number(16).ok_or_else(truncated)?;
        let height = number(20).ok_or_else(truncated)?;
        let kind: [u8; 2] = *bytes.get(24..).and_then(<[u8]>::first_chunk).ok_or_else(truncated)?;
        let samples = match kind[1] {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        Ok(Self { width, height, bits: samples * u64::from(kind[0]), samples, depth: kind[0], data_bytes })
    }

    /// Fails if so much cannot come of the bytes that are there, before anything
    /// believes it.
    pub(super) fn check(&self, input: &Input<'_>) -> Result<(), DataError> {
        let row_bytes = (u64::from(self.width) * self.bits).div_ceil(8);
        let bytes = row_bytes.saturating_mul(self.height.into());
        if bytes > self.data_bytes.saturating_mul(MOST_EXPANSION) {
            let reason = format!(
                "it claims {} × {} pixels, {bytes} bytes, of which {} are there, compressed, of which so many \
                 cannot come; it is truncated or damaged",
                self.width, self.height, self.data_bytes
            );
            return Err(input.invalid(KIND, &reason));
        }
        // Numbers of a sample, a byte or two each, of a row that may have bits.
        let bytes = row_bytes.max(u64::from(self.width) * self.bits.div_ceil(8));
        room::<u8>(input.path, "row", bytes, input.row_bytes()).map(drop)
    }
}
