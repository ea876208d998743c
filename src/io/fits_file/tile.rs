//! One tile of a compressed image (FITS standard 4.0, section 10).

use std::io::Read;

use super::header::{Header, KIND};
use super::rice;
use crate::array::DataError;
use crate::array::error::excerpt;
use crate::io::input::Input;

/// The most bytes that Deflate makes of one.
const MOST_EXPANSION: usize = 1_032;

/// The way in which tiles are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// In blocks of so many numbers, of so many bytes.
    Rice {
        block: usize,
        number_bytes: usize,
    },
    Gzip,
    /// Of all first bytes of the numbers, then all second ones, ….
    ShuffledGzip,
    None,
}

impl Compression {
    pub(super) fn of(input: &Input<'_>, header: &Header) -> Result<Self, DataError> {
        let parameter = |name: &str, default: usize| {
            let is_it = |k: &u32| header.text(&format!("ZNAME{k}")).as_deref() == Some(name);
            let value = (1..=9).find(is_it).and_then(|k| header.whole(&format!("ZVAL{k}")));
            value.map_or(Some(default), |value| usize::try_from(value).ok().filter(|value| *value > 0))
        };
        let kind = header.text("ZCMPTYPE").unwrap_or_default();
        if header.text("ZMASKCMP").is_some() {
            return Err(input.unsupported("its missing pixels are in a mask of their own".to_owned(), REMEDY));
        }
        match kind.as_str() {
            "RICE_1" | "RICE_ONE" => match (parameter("BLOCKSIZE", 32), parameter("BYTEPIX", 4)) {
                (Some(block), Some(number_bytes)) => Ok(Self::Rice { block, number_bytes }),
                _ => Err(input.invalid(KIND, "the parameters of its compression are no sizes")),
            },
            "GZIP_1" => Ok(Self::Gzip),
            "GZIP_2" => Ok(Self::ShuffledGzip),
            "NOCOMPRESS" => Ok(Self::None),
            other => {
                Err(input.unsupported(format!("its tiles are compressed by {}", excerpt(other)), REMEDY))
            }
        }
    }

    /// Decodes so many numbers of so many bytes, to big-endian ones; `None` if the
    /// bytes are not those of so many.
    pub(super) fn decode(self, bytes: &[u8], count: usize, size: usize) -> Option<Vec<u8>> {
        let wanted = count.checked_mul(size)?;
        match self {
            Self::None => (bytes.len() == wanted).then(|| bytes.to_vec()),
            Self::Gzip => inflated(bytes, wanted),
            Self::ShuffledGzip => {
                let shuffled = inflated(bytes, wanted)?;
                let mut numbers = vec![0; wanted];
                for (k, &byte) in shuffled.iter().enumerate() {
                    numbers[(k % count) * size + k / count] = byte;
                }
                Some(numbers)
            }
            Self::Rice { block, number_bytes } => {
                if count > rice::most_numbers(bytes.len(), block, number_bytes) {
                    return None;
                }
                let mut numbers = vec![0; count];
                rice::decode(bytes, number_bytes, block, &mut numbers)?;
                let mut wide = Vec::with_capacity(wanted);
                for number in numbers {
                    let number = number.to_be_bytes();
                    wide.extend_from_slice(number.get(number.len().checked_sub(size)?..)?);
                }
                Some(wide)
            }
        }
    }
}

/// The way out of what is not read.
pub(super) const REMEDY: &str = "uncompress it with funpack, which comes with cfitsio";

fn inflated(bytes: &[u8], wanted: usize) -> Option<Vec<u8>> {
    if wanted > bytes.len().saturating_mul(MOST_EXPANSION) {
        return None;
    }
    let mut inflated = Vec::with_capacity(wanted);
    let decoder = flate2::read::MultiGzDecoder::new(bytes);
    decoder.take(wanted as u64 + 1).read_to_end(&mut inflated).ok()?;
    (inflated.len() == wanted).then_some(inflated)
}
