//! The meaning of a field of a text file.

use super::number::{self, Kind};

/// The words of pandas, R and databases for a missing value, beside an empty
/// field: those that pandas reads as one, without its spellings of NaN.
const MISSING: [&[u8]; 11] = [
    b"NA",
    b"N/A",
    b"n/a",
    b"<NA>",
    b"null",
    b"NULL",
    b"None",
    b"1.#IND",
    b"-1.#IND",
    b"1.#QNAN",
    b"-1.#QNAN",
];

/// The words of spreadsheets where a formula has no value. All begin with `#`.
const ERRORS: [&[u8]; 12] = [
    b"#N/A",
    b"#NA",
    b"#REF!",
    b"#DIV/0!",
    b"#VALUE!",
    b"#NUM!",
    b"#NAME?",
    b"#NULL!",
    b"#SPILL!",
    b"#CALC!",
    b"#GETTING_DATA",
    b"#N/A N/A",
];

/// Bytes of a line that tell whether it begins with one of these.
pub(super) const LONGEST_ERROR: usize = 16;

/// The meaning of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field {
    /// A number, and how f64 holds it.
    Number(f64, Kind),
    /// True or false.
    Boolean(bool),
    /// A missing value.
    Null,
    /// None of these.
    Text,
}

impl Field {
    /// The meaning of a field without blanks around it; numbers have `decimal` before
    /// their fractions.
    pub(super) fn of(bytes: &[u8], decimal: u8) -> Self {
        if bytes.is_empty() {
            return Self::Null;
        }
        match number::parse(bytes, decimal) {
            Some((number, kind)) => Self::Number(number, kind),
            None => Self::of_word(bytes),
        }
    }

    #[cold]
    fn of_word(bytes: &[u8]) -> Self {
        match bytes {
            b"true" | b"True" | b"TRUE" => Self::Boolean(true),
            b"false" | b"False" | b"FALSE" => Self::Boolean(false),
            _ if MISSING.contains(&bytes) || ERRORS.contains(&bytes) => Self::Null,
            _ => Self::Text,
        }
    }
}

/// Whether a text is of marks alone, as no name is.
pub(super) fn is_of_marks(bytes: &[u8]) -> bool {
    let is_mark = |c: char| !c.is_alphanumeric();
    std::str::from_utf8(bytes).is_ok_and(|text| !text.is_empty() && text.chars().all(is_mark))
}

/// Whether a line begins with a field that is a spreadsheet's error.
pub(super) fn begins_with_error(line: &[u8], is_delimiter: impl Fn(u8) -> bool) -> bool {
    let ends = |&b: &u8| is_delimiter(b) || matches!(b, b'\r' | b'\n');
    let end = line.iter().position(ends).unwrap_or(line.len());
    ERRORS.contains(&line[..end].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_number_or_missing_or_text() {
        for (text, number) in [("-1.5e3", -1500.0), ("inf", f64::INFINITY), (".5", 0.5)] {
            assert_eq!(Field::of(text.as_bytes(), b'.'), Field::Number(number, Kind::Decimal), "{text}");
        }
        for (text, value) in [("True", true), ("false", false), ("TRUE", true)] {
            assert_eq!(Field::of(text.as_bytes(), b'.'), Field::Boolean(value), "{text}");
        }
        for text in ["nan", "NaN"] {
            assert!(
                matches!(Field::of(text.as_bytes(), b'.'), Field::Number(number, _) if number.is_nan()),
                "{text}"
            );
        }
        for text in [
            "", "NA", "null", "NULL", "<NA>", "#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NUM!", "#NAME?",
            "n/a", "1.#IND", "-1.#QNAN",
        ] {
            assert_eq!(Field::of(text.as_bytes(), b'.'), Field::Null, "{text}");
        }
        for text in ["na", "yes", "1,5", "-", "NAN1", "1 2", "#FF00AA", "#1", "#", "1_000", "0x10"] {
            assert_eq!(Field::of(text.as_bytes(), b'.'), Field::Text, "{text}");
        }
    }

    #[test]
    fn the_longest_error_fits() {
        assert!(ERRORS.iter().all(|error| error.len() < LONGEST_ERROR && error.starts_with(b"#")));
        assert!(begins_with_error(b"#N/A,1\n", |b| b == b','));
        assert!(!begins_with_error(b"#N/A is missing,1\n", |b| b == b','));
    }
}
