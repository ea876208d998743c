/// A positive number in six digits, for people: the next smaller one, so that a
/// number that must be below a bound is, if it is below the printed one.
#[must_use]
pub fn six_digits_below(value: f64) -> f64 {
    let text = format!("{value:.5e}");
    let rounded: f64 = text.parse().unwrap_or(value);
    if rounded <= value {
        return rounded;
    }
    let unit = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    let lower = rounded - unit.map_or(0.0, |exponent| 10f64.powi(exponent - 5));
    format!("{lower:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_are_never_above() {
        for (value, want) in [
            (0.123_456_4, 0.123_456),
            (0.123_456_9, 0.123_456),
            (9.999_999, 9.999_99),
            (1.0, 1.0),
            (1e300 / 3.0, 3.333_33e299),
            (2.0 / 3e-9, 666_666_000.0),
        ] {
            assert_eq!(six_digits_below(value), want, "{value}");
        }
    }
}
