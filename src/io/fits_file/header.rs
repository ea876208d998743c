//! The header of a part of a FITS file: cards of 80 characters, each with a keyword
//! and a value (FITS standard 4.0, section 4).

use crate::array::DataError;
use crate::io::input::Input;

pub(super) const KIND: &str = "FITS";

/// Headers and data fill blocks of so many bytes.
pub(super) const BLOCK_BYTES: usize = 2880;

pub(super) const CARD_BYTES: usize = 80;

/// A keyword's characters, and those before a value.
const KEYWORD_BYTES: usize = 8;
const VALUE_AT: usize = 10;

/// The cards of a header.
pub(super) struct Header {
    /// All cards before `END`.
    cards: Vec<u8>,
}

impl Header {
    /// The header at a place of a file, and the place after it, if it has an end within
    /// `most_bytes`.
    pub(super) fn read(
        input: &Input<'_>,
        file: &[u8],
        at: usize,
        most_bytes: u64,
    ) -> Result<(Self, usize), DataError> {
        let mut cards = Vec::new();
        for block in file.get(at..).unwrap_or_default().chunks(BLOCK_BYTES) {
            for card in block.chunks_exact(CARD_BYTES) {
                if card.starts_with(b"END") && card[3..].iter().all(|&byte| byte == b' ') {
                    let blocks = (cards.len() + CARD_BYTES).div_ceil(BLOCK_BYTES);
                    return Ok((Self { cards }, at + blocks * BLOCK_BYTES));
                }
                cards.extend_from_slice(card);
            }
            let bytes = cards.len() as u64;
            if bytes > most_bytes {
                return Err(DataError::Claim { path: input.path.to_owned(), what: "header", bytes });
            }
        }
        Err(input.invalid(KIND, "a header has no END; the file is truncated or damaged, copy it again"))
    }

    /// The bytes that it takes in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.cards.len() as u64
    }

    /// The text after the keyword's `=`.
    fn value(&self, keyword: &str) -> Option<String> {
        let is_it = |card: &&[u8]| {
            let (name, rest) = card.split_at(KEYWORD_BYTES);
            name.trim_ascii_end() == keyword.as_bytes() && rest.starts_with(b"= ")
        };
        let card = self.cards.chunks_exact(CARD_BYTES).find(is_it)?;
        Some(String::from_utf8_lossy(&card[VALUE_AT..]).into_owned())
    }

    /// A text in quotes, of which two within stand for one.
    pub(super) fn text(&self, keyword: &str) -> Option<String> {
        let value = self.value(keyword)?;
        let mut rest = value.trim_start().strip_prefix('\'')?;
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('\'') {
            text += before;
            let Some(more) = after.strip_prefix('\'') else { break };
            text.push('\'');
            rest = more;
        }
        Some(text.trim_end().to_owned())
    }

    /// A value without quotes, up to the comment.
    fn plain(&self, keyword: &str) -> Option<String> {
        let value = self.value(keyword)?;
        let value = value.split('/').next().unwrap_or_default().trim();
        (!value.is_empty() && !value.starts_with('\'')).then(|| value.to_owned())
    }

    /// A whole number; fractions of 0 are allowed for.
    pub(super) fn whole(&self, keyword: &str) -> Option<i64> {
        let value = self.plain(keyword)?;
        value.parse().ok().or_else(|| value.strip_suffix('.')?.parse().ok())
    }

    /// A number, whose exponent may begin with `D`.
    pub(super) fn real(&self, keyword: &str) -> Option<f64> {
        self.plain(keyword)?.replace(['D', 'd'], "E").parse().ok()
    }

    /// Whether a value is true.
    pub(super) fn is_true(&self, keyword: &str) -> bool {
        self.plain(keyword).as_deref() == Some("T")
    }

    /// The card that begins with a keyword, as it is.
    pub(super) fn starts_with(&self, keyword: &str) -> bool {
        self.cards.starts_with(format!("{keyword:<8}=").as_bytes())
    }
}

#[cfg(test)]
impl Header {
    /// A header of cards, each a line.
    pub(super) fn of(cards: &str) -> Self {
        Self { cards: cards.lines().flat_map(|card| format!("{card:<80}").into_bytes()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_their_types() {
        let header = Header::of(
            "SIMPLE  =                    T / conforms\nBITPIX  =                  -32\nEXTNAME = 'It''s / it  '\n\
             BZERO   =              32768.0\nBSCALE  =         1.5D-3 / scale\nEMPTY   =\nCOMMENT = 'no'\n\
             BLANK   = -2147483648\nNAXIS1  = 4.",
        );
        assert!(header.is_true("SIMPLE") && header.starts_with("SIMPLE") && !header.is_true("BITPIX"));
        assert_eq!(header.whole("BITPIX"), Some(-32));
        assert_eq!(header.text("EXTNAME").as_deref(), Some("It's / it"));
        assert_eq!((header.real("BZERO"), header.whole("BZERO")), (Some(32768.0), None));
        assert_eq!(header.real("BSCALE"), Some(0.0015));
        assert_eq!((header.real("EMPTY"), header.text("EMPTY"), header.whole("NONE")), (None, None, None));
        assert_eq!((header.whole("BLANK"), header.whole("NAXIS1")), (Some(-2_147_483_648), Some(4)));
    }
}
