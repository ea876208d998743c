//! Predictions as the primary image of a FITS file.

use std::io::{self, Write};
use std::path::Path;

use super::header::{BLOCK_BYTES, CARD_BYTES, KIND};
use crate::array::{DataError, ElementType};
use crate::io::output::OutputFile;
use crate::io::writer::{ArrayWriter, ResultPlan};

/// Bytes that are brought to the file's order at a time.
const RUN_BYTES: usize = 1 << 16;

/// Writes an image, whose numbers are big-endian, and unsigned ones beyond a byte and
/// signed bytes by an offset.
pub(in crate::io) struct Writer {
    file: OutputFile,
    stored: Stored,
    bytes: usize,
}

/// How elements of a type are stored.
#[derive(Clone, Copy)]
struct Stored {
    bits: i64,
    size: usize,
    /// The offset, if the first bit is turned.
    zero: Option<&'static str>,
}

impl Stored {
    fn of(element: ElementType) -> Option<Self> {
        let (bits, zero) = match element {
            ElementType::U8 | ElementType::Bool => (8, None),
            ElementType::I8 => (8, Some("-128")),
            ElementType::I16 => (16, None),
            ElementType::U16 => (16, Some("32768")),
            ElementType::I32 => (32, None),
            ElementType::U32 => (32, Some("2147483648")),
            ElementType::I64 => (64, None),
            ElementType::U64 => (64, Some("9223372036854775808")),
            ElementType::F32 => (-32, None),
            ElementType::F64 => (-64, None),
            ElementType::F16 | ElementType::Bf16 => return None,
        };
        Some(Self { bits, size: element.size(), zero })
    }
}

impl Writer {
    pub(in crate::io) fn create(path: &Path, plan: &ResultPlan<'_>) -> Result<Self, DataError> {
        let &ResultPlan { shape, element, nodata, .. } = plan;
        let stored = Stored::of(element).ok_or_else(|| DataError::OutputShape {
            path: path.to_owned(),
            kind: KIND,
            element,
            shape: shape.clone(),
        })?;
        let mut cards = vec![card("SIMPLE", "T"), card("BITPIX", &stored.bits.to_string())];
        let extents = if shape.0.is_empty() { &[1][..] } else { &shape.0 };
        cards.push(card("NAXIS", &extents.len().to_string()));
        for (axis, extent) in extents.iter().rev().enumerate() {
            cards.push(card(&format!("NAXIS{}", axis + 1), &extent.to_string()));
        }
        if let Some(zero) = stored.zero {
            cards.extend([card("BSCALE", "1"), card("BZERO", zero)]);
        }
        cards.extend(nodata.and_then(|nodata| blank(nodata, stored)).map(|blank| card("BLANK", &blank)));
        cards.push(format!("{:<CARD_BYTES$}", "END"));
        let mut header = cards.concat().into_bytes();
        header.resize(header.len().next_multiple_of(BLOCK_BYTES), b' ');
        let mut file = OutputFile::create(path)?;
        file.write_all(&header).map_err(|e| DataError::write(path, e))?;
        Ok(Self { file, stored, bytes: 0 })
    }
}

fn card(keyword: &str, value: &str) -> String {
    format!("{:<CARD_BYTES$}", format!("{keyword:<8}= {value:>20}"))
}

/// The stored number that means a missing value. Floating-point numbers have NaN.
#[expect(clippy::cast_possible_truncation, reason = "a value of the elements' type")]
fn blank(nodata: f64, stored: Stored) -> Option<String> {
    let offset: i128 = stored.zero.and_then(|zero| zero.parse().ok()).unwrap_or(0);
    (stored.bits > 0 && nodata.fract() == 0.0).then(|| (nodata as i128 - offset).to_string())
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, stored, bytes } = self;
        for run in elements.chunks(RUN_BYTES) {
            let mut run = run.to_vec();
            for element in run.chunks_exact_mut(stored.size) {
                if cfg!(target_endian = "little") {
                    element.reverse();
                }
                if stored.zero.is_some() {
                    element[0] ^= 0x80;
                }
            }
            file.write_all(&run)?;
        }
        *bytes += elements.len();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.file)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        let Self { file, bytes, .. } = *self;
        file.finish_with(&vec![0; bytes.next_multiple_of(BLOCK_BYTES) - bytes])
    }
}
