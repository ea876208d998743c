//! Rules for text files that are not in them.

use std::str::FromStr;

/// Rules for text files that are not in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextRules {
    /// Whether the first row names the columns; without it, whether a field of
    /// it is text.
    pub header: Option<bool>,
    /// The character that lines of comments begin with; without it, `#` before the
    /// first row.
    pub comment: Option<u8>,
    /// What separates the fields; without it, what separates those of the first
    /// rows.
    pub delimiter: Option<Delimiter>,
    /// What separates the digits of a fraction from those of the whole.
    pub decimal: Decimal,
}

/// What separates the fields of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// A character of ASCII. Two in a row have an empty field between them.
    Character(u8),
    /// Blanks and tabs, as many as there are.
    Blanks,
}

/// `,`, `;` or another mark, `tab`, or `blanks`.
impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match (text, text.as_bytes()) {
            ("tab" | "\\t" | "\t", _) => Ok(Self::Character(b'\t')),
            ("blanks" | "blank" | "space" | " ", _) => Ok(Self::Blanks),
            (_, &[mark]) if mark.is_ascii_punctuation() && !b"\"+-.#".contains(&mark) => {
                Ok(Self::Character(mark))
            }
            _ => Err("expected tab, blanks, or one character that no number has: , ; or |, for example"),
        }
    }
}

/// The sign before the fraction of a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Decimal {
    /// `1.5`
    #[default]
    Point,
    /// `1,5`
    Comma,
}

impl Decimal {
    /// The character.
    #[must_use]
    pub fn character(self) -> u8 {
        match self {
            Self::Point => b'.',
            Self::Comma => b',',
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_have_names_or_are_marks() {
        for (text, delimiter) in [
            (",", Delimiter::Character(b',')),
            (";", Delimiter::Character(b';')),
            ("|", Delimiter::Character(b'|')),
            ("tab", Delimiter::Character(b'\t')),
            ("\\t", Delimiter::Character(b'\t')),
            ("blanks", Delimiter::Blanks),
            (" ", Delimiter::Blanks),
        ] {
            assert_eq!(text.parse(), Ok(delimiter), "{text:?}");
        }
        for text in ["", "\"", ".", "-", "1", "x", ",,", "é", "\n"] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }
}
