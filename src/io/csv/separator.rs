//! What separates the fields of a text, where nobody says so.
//!
//! The first two rows tell: they have the same number of fields, more than one, by
//! the right separator. Of several such, one that makes all fields of the second row
//! numbers is meant, with whichever sign before their fractions; else the first.

use super::dialect::Dialect;
use super::field::Field;
use super::records::{Comments, Meaning, Record, Records, content};
use super::stored::Stored;
use crate::array::DataError;
use crate::io::note::Note;
use crate::io::text_rules::{Decimal, Delimiter, TextRules};

const COMMA: Delimiter = Delimiter::Character(b',');
const SEMICOLON: Delimiter = Delimiter::Character(b';');
const TAB: Delimiter = Delimiter::Character(b'\t');

/// What the name of a file says of its separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Named {
    /// `.csv`: commas, or what spreadsheets have in their place.
    Commas,
    /// `.tsv`: tabs.
    Tabs,
    /// `.txt`, `.dat`: any.
    Any,
}

impl Named {
    fn candidates(self) -> &'static [Delimiter] {
        match self {
            Self::Commas => &[COMMA, SEMICOLON, TAB],
            Self::Tabs => &[TAB],
            Self::Any => &[COMMA, SEMICOLON, TAB, Delimiter::Blanks],
        }
    }
}

/// The dialect of a text, and a note if it was found by its rows.
pub(super) fn dialect(
    stored: &Stored<'_>,
    rules: TextRules,
    named: Named,
) -> Result<(Dialect, Option<Note>), DataError> {
    let decimal = rules.decimal.character();
    let of = |delimiter| Dialect { delimiter, decimal };
    if let Some(delimiter) = rules.delimiter {
        return Ok((of(delimiter), None));
    }
    let is_free = |delimiter: &&Delimiter| **delimiter != Delimiter::Character(decimal);
    let candidates: Vec<Delimiter> = named.candidates().iter().filter(is_free).copied().collect();
    let [first, _, ..] = candidates[..] else {
        return Ok((of(candidates.first().copied().unwrap_or(TAB)), None));
    };
    let comments = rules.comment.map_or(Comments::BeforeRows, Comments::Anywhere);
    let mut fitting = Vec::new();
    for &delimiter in &candidates {
        let rows = Rows::of(Records::new(stored.reader()?, of(delimiter), comments));
        if rows.are_alike() {
            fitting.push((delimiter, rows.are_numbers));
        } else if delimiter == Delimiter::Blanks && rows.are_many() {
            // Rows of different lengths, which are an error of theirs.
            fitting.push((delimiter, false));
        }
    }
    let best = fitting.iter().find(|(_, are_numbers)| *are_numbers).or(fitting.first());
    let delimiter = match (best, named) {
        (Some((delimiter, _)), _) => *delimiter,
        // One column, whose name may have blanks.
        (None, Named::Any) => TAB,
        (None, _) => first,
    };
    // What is a comma there may be before a fraction.
    let is_doubtful = named == Named::Any && delimiter == COMMA;
    let is_told = best.is_some() && (named == Named::Any || delimiter != COMMA);
    Ok((of(delimiter), is_told.then_some(Note::Separator { delimiter, is_doubtful })))
}

/// The first two rows by one of the separators.
struct Rows {
    /// Their numbers of fields.
    counts: [Option<usize>; 2],
    /// Whether there is no text in the first, and in the last of them.
    begin_with_numbers: bool,
    are_numbers: bool,
}

impl Rows {
    fn of<R: std::io::Read>(mut records: Records<R>) -> Self {
        let mut rows = Self { counts: [None; 2], begin_with_numbers: false, are_numbers: false };
        for (place, count) in rows.counts.iter_mut().enumerate() {
            // Any fault is found again.
            while let Ok(Some(record)) = records.next() {
                if record.meaning == Meaning::Row {
                    *count = Some(record.fields().count());
                    rows.are_numbers = are_numbers(&record);
                    rows.begin_with_numbers |= place == 0 && rows.are_numbers;
                    break;
                }
            }
        }
        rows
    }

    /// Whether a row has several fields, and is no name with blanks in it.
    fn are_many(&self) -> bool {
        let has_many = |count: Option<usize>| count.is_some_and(|count| count > 1);
        has_many(self.counts[1]) || (has_many(self.counts[0]) && self.begin_with_numbers)
    }

    fn are_alike(&self) -> bool {
        match self.counts {
            [Some(one), Some(other)] => one == other && one > 1,
            [Some(one), None] => one > 1,
            _ => false,
        }
    }
}

fn are_numbers(row: &Record<'_>) -> bool {
    let is_text = |field: &[u8], decimal: Decimal| Field::of(field, decimal.character()) == Field::Text;
    row.fields()
        .map(content)
        .all(|field| [Decimal::Point, Decimal::Comma].into_iter().any(|decimal| !is_text(&field, decimal)))
}
