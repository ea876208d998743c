//! How a text sets off its fields and the fractions of its numbers.

use memchr::memchr3;

use crate::io::text_rules::Delimiter;

/// How a text sets off its fields and the fractions of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: Delimiter,
    /// The character before a fraction.
    pub(super) decimal: u8,
}

impl Dialect {
    /// Whether fields end with this character.
    pub(super) fn is_delimiter(self, byte: u8) -> bool {
        match self.delimiter {
            Delimiter::Character(character) => byte == character,
            Delimiter::Blanks => is_blank(byte),
        }
    }

    /// The place of the first delimiter or line end of a text.
    pub(super) fn find_end(self, text: &[u8]) -> Option<usize> {
        match self.delimiter {
            Delimiter::Character(character) => memchr3(character, b'\n', b'\r', text),
            Delimiter::Blanks => text.iter().position(|&b| is_blank(b) || matches!(b, b'\n' | b'\r')),
        }
    }

    /// The number of blanks that a text begins with, of which none is a field's end.
    pub(super) fn blanks(self, text: &[u8]) -> usize {
        match self.delimiter {
            Delimiter::Character(b'\t') => text.iter().take_while(|b| **b == b' ').count(),
            _ => leading_blanks(text),
        }
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The number of blanks and tabs that a text begins with.
pub(super) fn leading_blanks(text: &[u8]) -> usize {
    text.iter().take_while(|&&b| is_blank(b)).count()
}
