//! Nodata values as files and users write them.

#[cfg(feature = "tiff")]
use std::ops::RangeInclusive;

#[cfg(feature = "tiff")]
use crate::array::ElementType;
use crate::array::{Hint, Hinted, Nodata};

/// The nodata value of an attribute: the first of these names that the file has.
pub(super) fn find<'a>(names: &[&str], value: impl Fn(&str) -> Option<&'a String>) -> Option<Nodata> {
    names.iter().find_map(|name| Some(parse(name, value(name)?)))
}

/// The nodata value of the attribute of that name, which says `text`.
fn parse(name: &str, text: &str) -> Nodata {
    match nodata(text) {
        Ok(number) => Nodata::Number(number),
        Err(_) => Nodata::Unclear { name: name.to_owned(), text: text.to_owned() },
    }
}

/// The nodata value of the attribute of that name of an image, which may say NaN
/// and infinity as Windows wrote them.
#[cfg(any(feature = "png", feature = "tiff"))]
pub(super) fn of_image(name: &str, text: &str) -> Nodata {
    const SPELLINGS: [(&str, f64); 5] = [
        ("1.#QNAN", f64::NAN),
        ("1.#SNAN", f64::NAN),
        ("1.#NAN", f64::NAN),
        ("1.#IND", f64::NAN),
        ("1.#INF", f64::INFINITY),
    ];
    let unsigned = text.trim().trim_start_matches(['-', '+']);
    let is_it = |spelling: &str| {
        unsigned.get(..spelling.len()).is_some_and(|start| start.eq_ignore_ascii_case(spelling))
    };
    match SPELLINGS.iter().find(|(spelling, _)| is_it(spelling)) {
        Some((_, value)) if text.trim().starts_with('-') => Nodata::Number(-value),
        Some((_, value)) => Nodata::Number(*value),
        None => parse(name, text),
    }
}

/// The nodata value for elements of a type, which may have whole numbers that f64
/// has not.
#[cfg(feature = "tiff")]
pub(super) fn of_elements(nodata: Nodata, element: ElementType) -> Nodata {
    let range: RangeInclusive<i128> = match element {
        ElementType::I64 => i64::MIN.into()..=i64::MAX.into(),
        ElementType::U64 => 0..=u64::MAX.into(),
        _ => return nodata,
    };
    match &nodata {
        Nodata::Unclear { text, .. } => match text.trim().parse() {
            Ok(whole) if range.contains(&whole) => Nodata::Whole(whole),
            _ => nodata,
        },
        _ => nodata,
    }
}

/// The nodata value as a text, if it is clear.
pub(super) fn shown(nodata: &Nodata) -> Option<String> {
    const MOST_DIGITS: f64 = 1e15;
    match nodata {
        Nodata::Number(value) if value.abs() < MOST_DIGITS => Some(value.to_string()),
        Nodata::Number(value) => Some(format!("{value:?}")),
        Nodata::Whole(value) => Some(value.to_string()),
        Nodata::Unclear { .. } => None,
    }
}

/// A text that gives no nodata value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodataError {
    /// It is no number.
    #[error("expected a number or nan")]
    NotANumber,
    /// It is a whole number that 64 bits hold and f64 does not, which would be
    /// taken for a neighbour.
    #[error("more digits than f64 holds")]
    TooManyDigits,
}

impl Hinted for NodataError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::NotANumber => Vec::new(),
            Self::TooManyDigits => vec![Hint::Mask],
        }
    }
}

/// The nodata value, a number or NaN, that a text gives.
///
/// # Errors
/// [`NodataError`].
pub fn nodata(text: &str) -> Result<f64, NodataError> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "the question is what is lost"
    )]
    let is_lost = |whole: i128| (whole as f64) as i128 != whole;
    // The greatest ones, which often are nodata values, are told from others.
    let is_greatest = |whole: i128| [i64::MAX.into(), u64::MAX.into()].contains(&whole);
    let in_64_bits = i64::MIN.into()..=i128::from(u64::MAX);
    let text = text.trim();
    let number = text.parse().map_err(|_| NodataError::NotANumber)?;
    match text.parse() {
        Ok(whole) if in_64_bits.contains(&whole) && is_lost(whole) && !is_greatest(whole) => {
            Err(NodataError::TooManyDigits)
        }
        _ => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_they_say() {
        for (text, number) in [("-9999", -9999.0), (" 1.5e3\n", 1500.0), ("-inf", f64::NEG_INFINITY)] {
            assert_eq!(parse("a", text), Nodata::Number(number), "{text}");
        }
        // Extremes of 64 bits, and of f32 as GDAL writes it.
        for (text, number) in [
            ("9007199254740992", 9_007_199_254_740_992.0),
            ("9223372036854775807", 9_223_372_036_854_775_808.0),
            ("-9223372036854775808", -9_223_372_036_854_775_808.0),
            ("18446744073709551615", 18_446_744_073_709_551_616.0),
            ("-340282346638528859811704183484516925440", f64::from(f32::MIN)),
        ] {
            assert_eq!(parse("a", text), Nodata::Number(number), "{text}");
        }
        for text in ["nan", "NaN", "-nan"] {
            assert!(matches!(parse("a", text), Nodata::Number(n) if n.is_nan()));
        }
        for text in ["", "none", "1,5", "0x10", "-9999f", "9007199254740993", "-9223372036854775807"] {
            let unclear = Nodata::Unclear { name: "a".to_owned(), text: text.to_owned() };
            assert_eq!(parse("a", text), unclear);
        }
    }

    #[cfg(any(feature = "png", feature = "tiff"))]
    #[test]
    fn windows_spells_what_is_not_finite() {
        let of = |text| of_image("a", text);
        for (text, number) in [("1.#INF", f64::INFINITY), (" -1.#inf00 ", f64::NEG_INFINITY)] {
            assert_eq!(of(text), Nodata::Number(number), "{text}");
        }
        for text in ["1.#QNAN", "-1.#IND", "1.#SNAN", "-1.#qnan0"] {
            assert!(matches!(of(text), Nodata::Number(n) if n.is_nan()), "{text}");
        }
        for text in ["-9999m", "1.#", "2.#INF", "1.#IN"] {
            assert!(matches!(of(text), Nodata::Unclear { .. }), "{text}");
        }
    }

    #[cfg(feature = "tiff")]
    #[test]
    fn whole_numbers_of_64_bits_are_exact_for_elements_that_have_them() {
        let of = |text, element| of_elements(of_image("a", text), element);
        let whole = 9_007_199_254_740_993;
        assert_eq!(of("9007199254740993", ElementType::I64), Nodata::Whole(whole));
        assert_eq!(of("-9007199254740993", ElementType::I64), Nodata::Whole(-whole));
        let most = i128::from(u64::MAX) - 1;
        assert_eq!(of("18446744073709551614", ElementType::U64), Nodata::Whole(most));
        for (text, element) in [
            ("9007199254740993", ElementType::F64),
            ("18446744073709551614", ElementType::I64),
            ("-9007199254740993", ElementType::U64),
            ("9007199254740993m", ElementType::I64),
        ] {
            assert!(matches!(of(text, element), Nodata::Unclear { .. }), "{text}");
        }
        assert_eq!(of("7", ElementType::I64), Nodata::Number(7.0));
    }

    #[test]
    fn the_first_name_counts() {
        let value = "7".to_owned();
        let of =
            |there: &'static str| find(&["b", "a"], |name| Some(&value).filter(|_| there.contains(name)));
        assert_eq!(of("a"), Some(Nodata::Number(7.0)));
        assert_eq!(of("c"), None);
        let two = ["1".to_owned(), "2".to_owned()];
        let both = |name: &str| Some(&two[usize::from(name == "b")]);
        assert_eq!(find(&["b", "a"], both), Some(Nodata::Number(2.0)));
    }
}
