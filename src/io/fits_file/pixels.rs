//! The types of pixels, as a header gives them.

use super::header::{Header, KIND};
use crate::array::{DataError, ElementType, Nodata, Scaling};
use crate::io::input::Input;
use crate::io::scaling;

/// What a header says of pixels, or of the numbers of a column.
pub(super) struct Pixels {
    /// The type that is stored.
    pub(super) stored: ElementType,
    /// The type that is read: whole numbers of the other kind of sign are stored with
    /// the first bit turned.
    pub(super) element: ElementType,
    pub(super) nodata: Option<Nodata>,
    /// The scale and the offset that no type stands for.
    pub(super) scaling: Option<Scaling>,
}

/// The keywords of a header.
#[derive(Clone, Copy)]
pub(super) struct Keywords<'k> {
    pub(super) scale: &'k str,
    pub(super) zero: &'k str,
    pub(super) blanks: &'k [&'k str],
}

impl Pixels {
    /// Pixels of so many bits, negative for floating-point numbers.
    pub(super) fn of(input: &Input<'_>, header: &Header, bits: Option<i64>) -> Result<Self, DataError> {
        let stored = bits.and_then(element_type).ok_or_else(|| {
            let bits = bits.map_or("nothing".to_owned(), |bits| bits.to_string());
            input.invalid(KIND, &format!("its BITPIX is {bits}, where there are 8, 16, 32, 64, -32 and -64"))
        })?;
        let keywords = Keywords { scale: "BSCALE", zero: "BZERO", blanks: &["BLANK", "ZBLANK"] };
        Ok(Self::stored_as(stored, header, keywords))
    }

    /// Numbers of a type, with the scale, the offset and the missing value of a header.
    pub(super) fn stored_as(stored: ElementType, header: &Header, keywords: Keywords<'_>) -> Self {
        let scale = header.real(keywords.scale).unwrap_or(1.0);
        let offset = header.real(keywords.zero).unwrap_or(0.0);
        let turned = turned(stored, scale, offset);
        let is_scaled = turned.is_none() && (scale != 1.0 || offset != 0.0);
        let blank = keywords.blanks.iter().find_map(|keyword| header.whole(keyword));
        let blank = blank.filter(|_| !stored.is_float()).map(i128::from);
        let first_bit = if stored == ElementType::U8 { -128 } else { 1 << (8 * stored.size() - 1) };
        let blank = blank.map(|blank| if turned.is_some() { blank + first_bit } else { blank });
        Self {
            stored,
            element: turned.unwrap_or(stored),
            nodata: blank.map(nodata),
            scaling: is_scaled.then_some(Scaling { scale, offset }),
        }
    }

    /// What a list of arrays says of them.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.scaling.map(|scaling| scaling::note(scaling).to_string()).into_iter().collect()
    }

    pub(super) fn is_turned(&self) -> bool {
        self.stored != self.element
    }
}

#[expect(clippy::cast_precision_loss, reason = "where f64 has the number")]
fn nodata(whole: i128) -> Nodata {
    if whole.unsigned_abs() <= 1 << 53 { Nodata::Number(whole as f64) } else { Nodata::Whole(whole) }
}

fn element_type(bits: i64) -> Option<ElementType> {
    Some(match bits {
        8 => ElementType::U8,
        16 => ElementType::I16,
        32 => ElementType::I32,
        64 => ElementType::I64,
        -32 => ElementType::F32,
        -64 => ElementType::F64,
        _ => return None,
    })
}

/// The type of whole numbers that an offset of half their range makes of stored ones.
fn turned(stored: ElementType, scale: f64, offset: f64) -> Option<ElementType> {
    let (turned, half) = match stored {
        ElementType::U8 => (ElementType::I8, -128.0),
        ElementType::I16 => (ElementType::U16, 32_768.0),
        ElementType::I32 => (ElementType::U32, 2_147_483_648.0),
        ElementType::I64 => (ElementType::U64, 9_223_372_036_854_775_808.0),
        _ => return None,
    };
    (scale == 1.0 && offset == half).then_some(turned)
}

/// Copies big-endian numbers of so many bytes to this machine's order; of turned ones
/// with the other first bit.
pub(super) fn to_native(from: &[u8], to: &mut [u8], size: usize, is_turned: bool) {
    for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
        to.copy_from_slice(from);
        if is_turned {
            to[0] ^= 0x80;
        }
        if cfg!(target_endian = "little") {
            to.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stored: ElementType, cards: &str) -> Pixels {
        let keywords = Keywords { scale: "BSCALE", zero: "BZERO", blanks: &["BLANK"] };
        Pixels::stored_as(stored, &Header::of(cards), keywords)
    }

    /// Table 11 of the standard.
    #[test]
    fn offsets_of_half_the_range_are_other_types() {
        for (stored, zero, element) in [
            (ElementType::U8, "-128", ElementType::I8),
            (ElementType::I16, "32768", ElementType::U16),
            (ElementType::I32, "2147483648", ElementType::U32),
            (ElementType::I64, "9223372036854775808", ElementType::U64),
        ] {
            let pixels = of(stored, &format!("BZERO   = {zero}\nBLANK   = 0"));
            assert_eq!((pixels.element, pixels.is_turned(), pixels.scaling), (element, true, None));
            let pixels = of(stored, &format!("BZERO   = {zero}\nBSCALE  = 2.0"));
            assert_eq!(pixels.element, stored);
            assert!(pixels.scaling.is_some_and(|scaling| scaling.scale == 2.0));
        }
        let nodata = |stored, cards| of(stored, cards).nodata;
        let number = |value| Some(Nodata::Number(value));
        assert_eq!(nodata(ElementType::I16, "BLANK   = -32768"), number(-32768.0));
        assert_eq!(nodata(ElementType::I16, "BLANK   = -32768\nBZERO   = 32768"), number(0.0));
        assert_eq!(nodata(ElementType::U8, "BLANK   = 255\nBZERO   = -128"), number(127.0));
        assert_eq!(nodata(ElementType::F32, "BLANK   = 3"), None);
        let most = i128::from(u64::MAX);
        let cards = "BLANK   = 9223372036854775807\nBZERO   = 9223372036854775808";
        assert_eq!(nodata(ElementType::I64, cards), Some(Nodata::Whole(most)));
    }

    #[test]
    fn bytes_are_turned_and_swapped() {
        let mut to = [0; 4];
        to_native(&[0x80, 0x01, 0x00, 0x02], &mut to, 2, true);
        assert_eq!(to.chunks(2).map(|b| u16::from_ne_bytes([b[0], b[1]])).collect::<Vec<_>>(), [1, 0x8002]);
        to_native(&[0x80, 0x01, 0x00, 0x02], &mut to, 4, false);
        assert_eq!(u32::from_ne_bytes(to), 0x8001_0002);
    }
}
