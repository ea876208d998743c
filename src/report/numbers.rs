use bytesize::ByteSize;

/// A number as short as it can be read, with six digits or, before the point,
/// more: plain where that's short, with an exponent where it isn't.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    if size < 1e15 && value.trunc() == value {
        // Adding 0 takes the sign off a 0.
        (value + 0.0).to_string()
    } else if (1e-4..1e7).contains(&size) {
        let zeros = [1e-1, 1e-2, 1e-3].iter().filter(|&&power| size < power).count();
        let text = format!("{value:.*}", 6 + zeros);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        text.to_owned()
    } else {
        format!("{value:.5e}")
    }
}

/// A number from −1 to 1 as [`short`] has it, but for what that takes for ±1.
pub(super) fn near_one(value: f64) -> String {
    let rest = 1.0 - value.abs();
    if rest > 0.0 && short(value.abs()) == "1" {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}(1 - {rest:.1e})")
    } else {
        short(value)
    }
}

/// A number of bytes: 128.0 MiB.
pub(super) fn bytes(value: u64) -> String {
    ByteSize::b(value).display().iec().to_string()
}

/// A number of things, one or more.
pub(super) fn counted(value: u64, what: &str) -> String {
    format!("{} {what}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A number with all its digits, with an exponent where that's shorter.
pub(super) fn exact(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) { value.to_string() } else { format!("{value:e}") }
}

/// Thousands set apart: 67,108,864.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in a unit of its size.
pub(super) fn seconds(value: f64) -> String {
    match value {
        v if v < 1e-6 => format!("{:.1} ns", v * 1e9),
        v if v < 1e-3 => format!("{:.1} µs", v * 1e6),
        v if v < 1.0 => format!("{:.2} ms", v * 1e3),
        v => format!("{v:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(short(0.415_755_423), "0.415755");
        assert_eq!(short(-3.0), "-3");
        assert_eq!((short(0.0), short(-0.0)), ("0".to_owned(), "0".to_owned()));
        assert_eq!(
            (short(16_777_217.0), short(16_777_217.5)),
            ("16777217".to_owned(), "1.67772e7".to_owned())
        );
        assert_eq!(short(1.25e-9), "1.25000e-9");
        assert_eq!(short(0.000_705_087_79), "0.000705088");
        assert_eq!(near_one(0.999_999_97), "(1 - 3.0e-8)");
        assert_eq!(near_one(-0.999_999_97), "-(1 - 3.0e-8)");
        assert_eq!((near_one(1.0), near_one(-0.5)), ("1".to_owned(), "-0.5".to_owned()));
        assert_eq!(
            (counted(1, "step"), counted(2_000, "step")),
            ("1 step".to_owned(), "2,000 steps".to_owned())
        );
        assert_eq!(exact(-0.1), "-0.1");
        assert_eq!(exact(4e-5), "4e-5");
        assert_eq!(exact(-1.5e300), "-1.5e300");
        assert_eq!(count(67_108_864), "67,108,864");
        assert_eq!(count(100), "100");
        assert_eq!(seconds(0.0136), "13.60 ms");
        assert_eq!(seconds(0.000_004), "4.0 µs");
        assert_eq!(seconds(8.7e-9), "8.7 ns");
    }
}
