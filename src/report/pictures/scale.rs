//! The numbers along an axis of a picture.

use std::fmt::Write;

/// The way from values to places along an axis, on which numbers are easy to read:
/// less an offset, where the values differ by little, and in a power of ten, where
/// they are large or small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    offset: f64,
    exponent: i32,
    /// Whether places are powers of ten of the numbers that are written.
    is_power: bool,
}

/// An offset is taken off values that differ by less than this share of them.
const CLOSE: f64 = 1e-3;

/// Numbers within these bounds are written as they are.
const PLAIN: std::ops::Range<f64> = 1e-2..1e5;

impl Scale {
    /// The axis of values from `low` to `high`.
    pub(super) fn new([low, high]: [f64; 2]) -> Self {
        let width = high / 2.0 - low / 2.0;
        let (middle, most) = (low / 2.0 + high / 2.0, low.abs().max(high.abs()));
        let offset = if width < CLOSE / 2.0 * most {
            // To the digit before the first one that changes.
            let unit = power_of_ten(exponent(width.max(f64::MIN_POSITIVE)) + 2);
            let rounded = (middle / unit).round() * unit;
            if rounded.is_finite() { rounded } else { middle }
        } else {
            0.0
        };
        let size = (low - offset).abs().max((high - offset).abs());
        let exponent =
            if size == 0.0 || PLAIN.contains(&size) { 0 } else { exponent(size).div_euclid(3) * 3 };
        Self { low, high, offset, exponent, is_power: false }
    }

    /// The axis of numbers that are written as they are.
    pub(super) fn plain([low, high]: [f64; 2]) -> Self {
        Self { low, high, offset: 0.0, exponent: 0, is_power: false }
    }

    /// The axis of numbers by their decimal logarithm, between whole ones.
    pub(super) fn powers([low, high]: [f64; 2]) -> Self {
        Self { low, high: high.max(low + 1.0), offset: 0.0, exponent: 0, is_power: true }
    }

    /// The same from right to left.
    pub(super) fn reversed(self) -> Self {
        Self { low: self.high, high: self.low, ..self }
    }

    /// The same with a margin on both sides, a share of the width.
    pub(super) fn with_margin(range: [f64; 2], share: f64) -> Self {
        let range = if range.iter().all(|end| end.is_finite()) { range } else { [0.0, 1.0] };
        let margin = (range[1] - range[0]) * share;
        let margin = if margin > 0.0 && margin.is_finite() { margin } else { 0.0 };
        let scale = Self::new(range);
        if scale.low < scale.high {
            return Self { low: range[0] - margin, high: range[1] + margin, ..scale };
        }
        let half = 0.5f64.max(range[0].abs() * CLOSE);
        Self::new([range[0] - half, range[0] + half])
    }

    /// The place of a value.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.offset) / power_of_ten(self.exponent)
    }

    /// The places of the ends.
    pub(super) fn range(&self) -> std::ops::Range<f64> {
        self.place(self.low)..self.place(self.high)
    }

    /// The values at the ends.
    pub(super) fn ends(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// The text at a place.
    pub(super) fn tick(&self, place: f64) -> String {
        if self.is_power {
            #[expect(clippy::cast_possible_truncation, reason = "an exponent")]
            return if place.fract() == 0.0 {
                format!("10{}", superscript(place as i32))
            } else {
                String::new()
            };
        }
        let range = self.range();
        let step = (range.end - range.start).abs() / 10.0;
        let decimals = usize::try_from(-exponent(step.max(1e-12))).unwrap_or(0).min(12);
        trimmed(&format!("{:.decimals$}", place + 0.0))
    }

    /// A name of the values, with what was taken off and the power of ten.
    pub(super) fn title(&self, name: &str) -> String {
        let mut title = name.to_owned();
        if self.offset != 0.0 {
            let sign = if self.offset < 0.0 { '+' } else { '−' };
            let _ = write!(title, " {sign} {}", plain(self.offset.abs()));
        }
        if self.exponent != 0 {
            let _ = write!(title, ", in 10{}", superscript(self.exponent));
        }
        title
    }
}

/// A number with all digits that matter, plain where that is short.
fn plain(value: f64) -> String {
    if (1e-4..1e15).contains(&value) { format!("{value}") } else { format!("{value:e}") }
}

/// The power of ten of a number's first digit.
fn exponent(value: f64) -> i32 {
    let digits = format!("{value:e}");
    digits.rsplit_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}

fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(1.0f64).max(f64::from_bits(1))
}

/// A number without zeros at its end, and without the sign of a zero.
fn trimmed(text: &str) -> String {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    let text = if text == "-0" { "0" } else { text };
    text.replace('-', "−")
}

/// An exponent in small digits.
pub(super) fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let small = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.to_string().chars().map(small).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_titles_say_the_rest() {
        for (range, title, at, tick) in [
            ([0.0, 7.0], "x", 3.5, "3.5"),
            ([-20.0, 255.0], "x", 200.0, "200"),
            ([1e9, 1e9 + 4.0], "x − 1000000000", 1e9 + 2.5, "2.5"),
            ([-1e9 - 4.0, -1e9], "x + 1000000000", -1e9 - 2.5, "−2.5"),
            ([0.0, 2e6], "x, in 10⁶", 1.5e6, "1.5"),
            ([-3e-8, 1e-8], "x, in 10⁻⁹", -2e-8, "−20"),
            ([0.0, 1e300], "x, in 10³⁰⁰", 5e299, "0.5"),
            ([-1.7e308, 1.7e308], "x, in 10³⁰⁶", 0.0, "0"),
        ] {
            let scale = Scale::new(range);
            assert_eq!((&scale.title("x")[..], &scale.tick(scale.place(at))[..]), (title, tick), "{range:?}");
        }
    }

    #[test]
    fn every_range_has_places() {
        for range in
            [[7.0, 7.0], [0.0, 0.0], [0.0, 5e-324], [1e17, 1e17], [-1.7e308, 1.7e308], [1e15, 1e15 + 0.25]]
        {
            let places = Scale::with_margin(range, 0.05).range();
            assert!(
                places.start < places.end && (places.end - places.start).is_finite(),
                "{range:?} {places:?}"
            );
        }
    }
}
