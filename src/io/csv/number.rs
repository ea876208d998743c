//! Numbers as text writes them, and whether f64 holds their digits.
//!
//! [`prefix`] reads what nearly all fields are, eight digits at a time, with the
//! end of the number found on the way. A number that it does not read is read by
//! [`parse`], which knows them all. Both round right: where the digits and the power
//! of ten are exact in f64, their product or quotient is rounded once; else by
//! [`nearest`].

use super::nearest::nearest;

/// Powers of ten that f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Powers of five that have their place in [`kept`].
const FIVES: [u128; 33] = {
    let mut fives = [1; 33];
    let mut k = 1;
    while k < fives.len() {
        fives[k] = 5 * fives[k - 1];
        k += 1;
    }
    fives
};

/// Whole numbers up to this are exact in f64.
pub(super) const MOST_EXACT: f64 = 9_007_199_254_740_992.0; // 2⁵³

/// Decimals of so many digits are told apart by f64: they are read, and written
/// again, as they were.
const SAFE_DIGITS: u64 = 1_000_000_000_000_000; // 15 of them

/// Digits that u64 always holds.
const MOST_DIGITS: usize = 19;

/// The kind of a number, by what f64 makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number within ±2⁵³, written without a point or an exponent.
    Whole,
    /// A whole number beyond, written so.
    Long,
    /// Any other, whose digits f64 keeps: written with as many digits again,
    /// it reads the same. NaN and infinities, if written so, are among these.
    Decimal,
    /// Any other, of which digits are lost.
    Lost,
    /// Beyond the range of f64.
    Beyond,
}

/// The number that a text without blanks around it is, rounded to the nearest
/// f64; `None` if it is none. Numbers are what [`f64`]'s `from_str` takes, with
/// `decimal` before the fraction.
pub(super) fn parse(text: &[u8], decimal: u8) -> Option<(f64, Kind)> {
    match prefix(text, decimal) {
        Some((number, kind, length)) if length == text.len() => Some((number, kind)),
        _ if decimal == b'.' => of_any_text(text),
        // A point may set off thousands.
        _ if text.contains(&b'.') => None,
        _ => of_any_text(&with_point(text, decimal)),
    }
}

/// A text with a point where it has `decimal`.
fn with_point(text: &[u8], decimal: u8) -> Vec<u8> {
    text.iter().map(|&byte| if byte == decimal { b'.' } else { byte }).collect()
}

/// The number that a text begins with, up to the first byte that is no part of it,
/// and the bytes that it takes; `None` for one of more digits than u64 holds and
/// for words.
pub(super) fn prefix(text: &[u8], decimal: u8) -> Option<(f64, Kind, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let mut at = sign;
    let mut mantissa = 0;
    at += digits(&text[at..], &mut mantissa);
    let mut count = at - sign;
    let mut exponent = 0;
    let is_plain = text.get(at) != Some(&decimal);
    if !is_plain {
        let fraction = digits(&text[at + 1..], &mut mantissa);
        count += fraction;
        exponent = -i64::try_from(fraction).ok()?;
        at += 1 + fraction;
    }
    if count > MOST_DIGITS {
        count -= zeros(&text[sign..at], decimal);
    }
    if count == 0 || count > MOST_DIGITS {
        // No digits, or too many, or zeros alone.
        return None;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        return prefix_with_power(text, at, mantissa, exponent);
    }
    let magnitude = magnitude(mantissa, exponent)?;
    let kind = if is_plain { of_whole(mantissa) } else { of_fraction(mantissa, exponent, magnitude)? };
    Some((if text[0] == b'-' { -magnitude } else { magnitude }, kind, at))
}

/// The same for a number with an exponent, which begins at a place.
fn prefix_with_power(text: &[u8], at: usize, mantissa: u64, exponent: i64) -> Option<(f64, Kind, usize)> {
    let mut end = at + 1;
    end += usize::from(matches!(text.get(end), Some(b'-' | b'+')));
    end += text.get(end..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let exponent = exponent + power_of_ten(&text[at + 1..end]).filter(|power| power.abs() < 400)?;
    let magnitude = magnitude(mantissa, exponent)?;
    let kind = of_fraction(mantissa, exponent, magnitude)?;
    Some((if text[0] == b'-' { -magnitude } else { magnitude }, kind, end))
}

/// The zeros before the first other digit of a number without its sign.
fn zeros(unsigned: &[u8], decimal: u8) -> usize {
    let before = unsigned.iter().take_while(|&&byte| byte == b'0' || byte == decimal);
    before.filter(|byte| **byte == b'0').count()
}

/// The f64 nearest to mantissa·10^exponent, if no text is needed to find it.
#[expect(clippy::cast_precision_loss, reason = "where it loses digits, it is not used")]
fn magnitude(mantissa: u64, exponent: i64) -> Option<f64> {
    match usize::try_from(exponent.unsigned_abs()).ok().and_then(|k| POWERS.get(k)) {
        // Both are exact, so that the result is rounded once.
        Some(power) if mantissa <= 1 << 53 => {
            Some(if exponent < 0 { mantissa as f64 / power } else { mantissa as f64 * power })
        }
        _ => nearest(mantissa, exponent),
    }
}

fn of_whole(mantissa: u64) -> Kind {
    if mantissa <= 1 << 53 { Kind::Whole } else { Kind::Long }
}

/// The kind of a number with a point or an exponent; `None` if its digits are needed
/// to tell.
fn of_fraction(mantissa: u64, exponent: i64, magnitude: f64) -> Option<Kind> {
    if magnitude.is_infinite() {
        Some(Kind::Beyond)
    } else if mantissa < SAFE_DIGITS && (magnitude >= f64::MIN_POSITIVE || mantissa == 0) {
        Some(Kind::Decimal)
    } else {
        kept(mantissa, exponent, magnitude).map(of_decimal)
    }
}

/// Appends the digits that a text begins with to a number, as
/// [`accumulate`] does, eight at a time.
#[inline]
fn digits(text: &[u8], mantissa: &mut u64) -> usize {
    let mut count = 0;
    while let Some(eight) = text.get(count..).and_then(|rest| rest.first_chunk::<8>()) {
        let eight = u64::from_le_bytes(*eight);
        if !are_digits(eight) {
            break;
        }
        *mantissa = mantissa.wrapping_mul(100_000_000).wrapping_add(value_of(eight));
        count += 8;
    }
    count + accumulate(&text[count..], mantissa)
}

/// Whether each of eight bytes is a digit: has 3 as its upper half, also after 6 is
/// added to the lower.
fn are_digits(eight: u64) -> bool {
    const UPPER: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const THREES: u64 = 0x3030_3030_3030_3030;
    const SIXES: u64 = 0x0606_0606_0606_0606;
    (eight & UPPER) == THREES && (eight.wrapping_add(SIXES) & UPPER) == THREES
}

/// The number of eight digits, the first of them in the lowest byte: by pairs, of
/// these by fours, of these by eights (D. Lemire, 2018).
fn value_of(eight: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    const HUNDREDS: u64 = 0x000f_4240_0000_0064;
    const ONES: u64 = 0x0000_2710_0000_0001;
    let eight = eight.wrapping_sub(0x3030_3030_3030_3030);
    let pairs = eight.wrapping_mul(10).wrapping_add(eight >> 8);
    let (first, second) = (pairs & PAIRS, (pairs >> 16) & PAIRS);
    first.wrapping_mul(HUNDREDS).wrapping_add(second.wrapping_mul(ONES)) >> 32
}

/// The same as [`parse`], of any text.
fn of_any_text(text: &[u8]) -> Option<(f64, Kind)> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut mantissa = 0u64;
    let whole_digits = accumulate(unsigned, &mut mantissa);
    let mut rest = &unsigned[whole_digits..];
    let mut digits = whole_digits;
    let mut exponent = 0i64;
    let mut is_plain = true;
    if let [b'.', fraction @ ..] = rest {
        let fraction_digits = accumulate(fraction, &mut mantissa);
        digits += fraction_digits;
        exponent = -i64::try_from(fraction_digits).ok()?;
        rest = &fraction[fraction_digits..];
        is_plain = false;
    }
    if digits == 0 {
        return word(text);
    }
    if let [b'e' | b'E', power @ ..] = rest {
        exponent = exponent.saturating_add(power_of_ten(power)?);
        rest = &[];
        is_plain = false;
    }
    if !rest.is_empty() {
        return None;
    }
    if digits > MOST_DIGITS
        && unsigned.iter().filter(|b| b.is_ascii_digit()).skip_while(|&&b| b == b'0').count() > MOST_DIGITS
    {
        return long(text, unsigned, is_plain);
    }
    let magnitude = match magnitude(mantissa, exponent) {
        Some(magnitude) => magnitude,
        None => std::str::from_utf8(unsigned).ok()?.parse::<f64>().ok()?,
    };
    let kind = if is_plain {
        of_whole(mantissa)
    } else {
        of_fraction(mantissa, exponent, magnitude).unwrap_or_else(|| by_digits(unsigned, magnitude))
    };
    Some((if negative { -magnitude } else { magnitude }, kind))
}

/// Appends the digits that a text begins with to a number, which wraps if they
/// are too many; says how many they are.
fn accumulate(text: &[u8], mantissa: &mut u64) -> usize {
    let mut count = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    count
}

/// The power of ten after an `e`. One that no number of f64's range has stands
/// for all that are greater.
fn power_of_ten(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits.iter().fold(0i64, |power, digit| {
        (power.saturating_mul(10)).saturating_add(i64::from(digit - b'0')).min(1 << 40)
    });
    Some(sign * power)
}

/// NaN and the infinities.
fn word(text: &[u8]) -> Option<(f64, Kind)> {
    // None is longer.
    const LONGEST: usize = "-infinity".len();
    let text = std::str::from_utf8(text.get(..=LONGEST).map_or(text, |_| b"")).ok()?;
    text.parse().ok().map(|number| (number, Kind::Decimal))
}

/// A number of more digits than u64 holds.
fn long(text: &[u8], unsigned: &[u8], is_plain: bool) -> Option<(f64, Kind)> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let kind = match number {
        number if number.is_infinite() => Kind::Beyond,
        _ if is_plain => Kind::Long,
        number => by_digits(unsigned, number.abs()),
    };
    Some((number, kind))
}

fn of_decimal(is_kept: bool) -> Kind {
    if is_kept { Kind::Decimal } else { Kind::Lost }
}

/// Whether a number keeps the digits of `mantissa`·10^`exponent`, whose nearest
/// f64 it is: whether it is at most half of the last one away. `None` if 128
/// bits don't suffice to tell.
fn kept(mut mantissa: u64, mut exponent: i64, number: f64) -> Option<bool> {
    while mantissa != 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        exponent += 1;
    }
    if mantissa < SAFE_DIGITS && number >= f64::MIN_POSITIVE {
        return Some(true);
    }
    // number·10^places = significand·5^places / 2^shift, and 53 + 75 bits are
    // enough for 32 places.
    let places = u32::try_from(-exponent).ok().filter(|&places| places <= 32)?;
    let bits = number.to_bits();
    let biased = i64::try_from(bits >> 52).ok().filter(|&biased| biased > 0)?;
    let significand = u128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let scaled = significand * FIVES[places as usize];
    let shift =
        u32::try_from(1075 - biased - i64::from(places)).ok().filter(|shift| (1..128).contains(shift))?;
    let (below, rest, half) = (scaled >> shift, scaled & ((1 << shift) - 1), 1u128 << (shift - 1));
    let mantissa = u128::from(mantissa);
    // Of two decimals that are half a digit away, programs write either.
    Some((mantissa == below && rest <= half) || (mantissa == below + 1 && rest >= half))
}

/// Whether the nearest f64 keeps all digits of a number, by writing it with as
/// many; for whatever [`kept`] does not tell.
fn by_digits(unsigned: &[u8], number: f64) -> Kind {
    /// No f64 has more.
    const MOST: usize = 767;
    let end = unsigned.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(unsigned.len());
    let digits = unsigned[..end].iter().copied().filter(u8::is_ascii_digit).skip_while(|&b| b == b'0');
    let mut digits: Vec<u8> = digits.collect();
    digits.truncate(digits.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1));
    let Some(places) = digits.len().checked_sub(1) else { return Kind::Decimal };
    if places >= MOST {
        return Kind::Lost;
    }
    let written = format!("{number:.places$e}");
    let end = written.find('e').unwrap_or(written.len());
    of_decimal(written.as_bytes()[..end].iter().copied().filter(u8::is_ascii_digit).eq(digits))
}

/// Whether a whole number beyond 2⁵³ has become another one in f64. Its zeros
/// at the end are digits, too.
pub(super) fn is_rounded(whole: &[u8], number: f64) -> bool {
    match std::str::from_utf8(whole).ok().and_then(|text| text.parse::<i128>().ok()) {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and at most 2¹²⁷, at which it is cut")]
        Some(whole) => number as i128 != whole,
        // Of so many digits none is known to be kept.
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> Kind {
        parse(text.as_bytes(), b'.').unwrap_or_else(|| panic!("{text} is no number")).1
    }

    #[test]
    fn digits_that_f64_holds_are_kept() {
        for text in [
            "0.1",
            "1e22",
            "123456789012345e-300",
            "0.30000000000000004",
            "0.1000000000000000000000",
            "1.70e18",
            "5e-324",
            "00000000000000000000000.5",
            "nan",
            "-inf",
            "0.0000000000000000000000000",
        ] {
            assert_eq!(kind(text), Kind::Decimal, "{text}");
        }
        for text in ["0", "-0", "9007199254740992", "-9007199254740992", "000000000000000000000000000007"] {
            assert_eq!(kind(text), Kind::Whole, "{text}");
        }
        for text in ["9007199254740993", "-9223372036854775808", "99999999999999999999999999"] {
            assert_eq!(kind(text), Kind::Long, "{text}");
        }
    }

    /// By rational arithmetic (Python's fractions): each differs from its
    /// nearest f64 by more than half of its last digit.
    #[test]
    fn digits_that_f64_drops_are_lost() {
        for text in [
            "1700000000.123456789",
            "1.00000000000000000001",
            "9007199254740993.0",
            "9007199254740992.5",
            "1e-400",
            "1.2345e-320",
            "0.12345678901234567890123",
            "123456789012345678e2",
        ] {
            assert_eq!(kind(text), Kind::Lost, "{text}");
        }
        for text in ["1e309", "-1e400", "1e99999999999999999999"] {
            assert_eq!(kind(text), Kind::Beyond, "{text}");
        }
        assert!(is_rounded(b"9007199254740993", 9_007_199_254_740_992.0));
        // 10²² is the greatest power of ten that f64 holds.
        assert!(is_rounded(b"-100000000000000000000000", -1e23));
        assert!(!is_rounded(b"10000000000000000000000", 1e22));
        assert!(!is_rounded(b"18446744073709551616", 18_446_744_073_709_551_616.0));
    }

    #[test]
    fn a_decimal_comma_is_the_point_of_others() {
        for (text, same) in [
            ("1,5", "1.5"),
            ("-0,25e3", "-0.25e3"),
            (",5", ".5"),
            ("12", "12"),
            ("0,1234567890123456789012", "0.1234567890123456789012"),
            ("00000000000000000000000,5", "00000000000000000000000.5"),
            ("inf", "inf"),
            ("1e-400", "1e-400"),
        ] {
            let (comma, point) = (parse(text.as_bytes(), b','), parse(same.as_bytes(), b'.'));
            assert!(point.is_some() && comma == point, "{text}: {comma:?}");
        }
        for text in ["1.5", "1.234,5", "1,234,5", ",", "1,2.3", "0,1234567890123456789012.", "1.0"] {
            assert_eq!(parse(text.as_bytes(), b','), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", ".", "-", "+", "e5", "1e", "1e+", "1_000", "0x10", "1,5", "1 2", "--1", "1.2.3", "+-1",
            "infinit", "nanx",
        ] {
            assert_eq!(parse(text.as_bytes(), b'.'), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_same_number_as_the_standard_library(text in "[+-]?[0-9]{0,25}\\.?[0-9]{0,25}(e[+-]?[0-9]{0,3})?") {
            let standard = text.parse::<f64>().ok().map(f64::to_bits);
            prop_assert_eq!(parse(text.as_bytes(), b'.').map(|(number, _)| number.to_bits()), standard);
        }

        #[test]
        fn what_programs_write_of_an_f64_is_kept(bits in any::<u64>(), unit in 0.0..1.0f64) {
            for number in [f64::from_bits(bits), unit, unit * 1e-7, unit * 1e12] {
                if number.is_finite() {
                    for text in [format!("{number:?}"), format!("{number:e}"), format!("{number:.16e}"), format!("{number:.18e}"), format!("{number:.30e}")] {
                        let (read, kind) = parse(text.as_bytes(), b'.').unwrap();
                        prop_assert_eq!(read.to_bits(), number.to_bits());
                        prop_assert_eq!(kind, Kind::Decimal, "{}", text);
                    }
                }
            }
        }

        /// The two ways to tell agree, but where two decimals are as near.
        #[test]
        fn by_integers_and_by_digits(mantissa in any::<u64>(), places in 0..40i64) {
            let text = format!("{mantissa}e-{places}");
            let number: f64 = text.parse().unwrap();
            let is_kept = kept(mantissa, -places, number);
            if by_digits(text.as_bytes(), number) == Kind::Decimal {
                prop_assert_ne!(is_kept, Some(false));
            } else if is_kept == Some(true) {
                // Zeros at the end say nothing.
                let zeros = text.split('e').next().map_or(0, |digits| digits.len() - digits.trim_end_matches('0').len());
                let places = usize::try_from(places).unwrap().saturating_sub(zeros);
                let exact = format!("{number:.100}");
                prop_assert!(exact[exact.find('.').unwrap() + 1 + places..].trim_end_matches('0').ends_with('5'), "{}", exact);
            }
        }
    }
}
