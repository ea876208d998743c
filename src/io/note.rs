use std::fmt;

use super::text_rules::Delimiter;
use crate::array::{Hint, Hinted};

/// A finding of a file's reader that does not stop a fit, but that its user
/// should know. The text says what was done; where there is a choice, a
/// [hint](Hinted::hints) says how to have it done otherwise.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The file has a scale and an offset, which are not applied.
    NotScaled {
        /// The file's scale.
        scale: f64,
        /// The file's offset.
        offset: f64,
    },
    /// Lines of a text file that are no rows, or empty ones.
    Lines {
        /// Their kind.
        what: LinesLike,
        /// The number of them.
        count: u64,
        /// The number of the first of them, from 1.
        first_line: u64,
    },
    /// The first row of a text file is read as data, but may be names.
    FirstRowIsData {
        /// The likeness of its numbers to names.
        like: NamesLike,
    },
    /// The first row of a text file is read as names, but may be data.
    FirstRowIsHeader {
        /// Its text in this column.
        name: String,
        /// The sign of a header.
        sign: HeaderSign,
    },
    /// The separator of a text file's fields is what its first rows have.
    Separator {
        /// The separator.
        delimiter: Delimiter,
        /// Whether it may as well be part of numbers.
        is_doubtful: bool,
    },
    /// A comment above the first row of a text file is read as names.
    NamesInComment {
        /// Its line, from 1.
        line: u64,
    },
    /// Rows of a text file that take several lines.
    LongRows {
        /// The number of them.
        count: u64,
        /// The lines that they take together.
        lines: u64,
        /// The number of the first of these, from 1.
        first_line: u64,
    },
    /// A key is the name of one column, as which it is read, and the number of
    /// another.
    NameOrNumber {
        /// The number of the column that is called so.
        name: usize,
        /// The key as a number.
        number: usize,
    },
    /// Numbers in a text file have digits that f64 does not hold.
    DigitsLost {
        /// The number of them.
        count: u64,
        /// The number of all.
        n: u64,
        /// The line of the first, from 1.
        first_line: u64,
    },
    /// Decimals have more digits than f64 holds.
    DecimalsRounded {
        /// The number of them.
        count: u64,
        /// The number of all.
        n: u64,
    },
    /// A mask of the image's own, or a marker in its place, excludes pixels.
    Masked {
        /// The name of the mask.
        by: String,
        /// Whether it is the alpha band, which can be ignored.
        is_alpha: bool,
        /// The number of pixels that it excludes.
        count: u64,
        /// The image's nodata value, if it has one too, which is not used then.
        unused: Option<String>,
    },
    /// A valid range of the file's own excludes elements.
    OutOfRange {
        /// The name of the attribute.
        by: &'static str,
        /// The number of elements that it excludes.
        count: u64,
    },
    /// A possible mask is not used.
    NotMasked {
        /// The name of the mask.
        by: String,
        /// The reason.
        reason: &'static str,
        /// The remedy, if there is one.
        remedy: Option<Hint>,
    },
    /// The nodata value comes from a file beside the image.
    NodataBeside {
        /// The value.
        value: String,
        /// The file.
        file: String,
    },
    /// The first image of a file is a reduced copy, and another one is read.
    ReducedFirst,
    /// The only image of a file calls itself a reduced copy.
    OnlyReduced,
    /// The sizes of strips or tiles are not in the file.
    SizesCalculated,
    /// The overviews of X's image are not written.
    OverviewsDropped,
    /// Tiles or strips that are written have fewer rows than those of X's image.
    BlocksLower {
        /// The rows of those.
        asked: u32,
        /// Theirs.
        rows: u32,
    },
    /// An image is not compressed, because its place is a pipe.
    NotCompressed,
}

/// Lines of a text file that are no rows, or empty ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinesLike {
    /// Comments, which are skipped.
    Comments,
    /// Empty lines between rows of several fields, which are skipped.
    Empty,
    /// Empty lines of a single column, which are missing values.
    Nulls,
}

/// The likeness of a row of numbers to names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamesLike {
    /// They are 0, 1, 2, ….
    Counted,
    /// They are years, and those below are not.
    Years,
    /// They are whole numbers, and those below have fractions.
    Whole,
    /// They are far from those below.
    Far,
}

/// The sign of a header in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderSign {
    /// There is text in it, in whichever column.
    Text,
    /// The only text in it is of marks, such as `-`.
    Marks,
    /// It has true or false above numbers.
    Booleans,
    /// It has an empty field and 0, 1, 2, … above the index and the columns of
    /// a table that was written without names.
    Counted,
}

impl Note {
    /// The note about decimals with more digits than f64 holds, if there are any.
    #[cfg(feature = "parquet")]
    pub(super) fn of_decimals(count: u64, n: u64) -> Option<Self> {
        (count > 0).then_some(Self::DecimalsRounded { count, n })
    }

    /// Whether only a verbose command tells it.
    #[must_use]
    pub fn is_detail(&self) -> bool {
        matches!(
            self,
            Self::NotScaled { .. }
                | Self::Masked { count: 0, unused: None, .. }
                | Self::Separator { is_doubtful: false, .. }
                | Self::NamesInComment { .. }
        )
    }

    /// Whether it tells which elements are excluded.
    #[must_use]
    pub fn is_exclusion(&self) -> bool {
        matches!(self, Self::Masked { .. } | Self::NodataBeside { .. } | Self::OutOfRange { .. })
    }
}

impl fmt::Display for Note {
    #[expect(clippy::too_many_lines, reason = "a sentence for each note")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotScaled { scale, offset } => {
                write!(f, "read as it is stored, not with its scale {scale:?} and offset {offset:?}")
            }
            Self::Lines { what, count, first_line } => {
                let (line, is, it) =
                    if *count == 1 { ("line", "is", "line") } else { ("lines", "are", "the first is line") };
                match what {
                    LinesLike::Comments => write!(f, "{count} {line} skipped as comments, {it} {first_line}"),
                    LinesLike::Empty => write!(f, "{count} empty {line} skipped, {it} {first_line}"),
                    LinesLike::Nulls => {
                        write!(f, "{count} empty {line} {is} read as missing, {it} {first_line}")
                    }
                }
            }
            Self::LongRows { count, lines, first_line } => {
                let (rows, first) =
                    if *count == 1 { ("row takes", "beginning in") } else { ("rows take", "the first beginning in") };
                write!(
                    f,
                    "{count} {rows} {lines} lines, {first} line {first_line}, by line ends within quotes; if that is \
                     wrong, a quote is astray there"
                )
            }
            Self::FirstRowIsData { like } => {
                let like = match like {
                    NamesLike::Counted => "they are 0, 1, 2, …",
                    NamesLike::Years => "they are years",
                    NamesLike::Whole => "they are whole numbers above fractions",
                    NamesLike::Far => "they are far from the numbers below",
                };
                write!(
                    f,
                    "the first row is read as data, but its numbers may be names of columns ({like})"
                )
            }
            Self::FirstRowIsHeader { name, sign } => {
                let sign = match sign {
                    HeaderSign::Text => "it has text in another column",
                    HeaderSign::Marks => "it has a mark that is no number, and no other text",
                    HeaderSign::Booleans => "it has true or false above numbers",
                    HeaderSign::Counted => "it has an empty field and 0, 1, 2, …, as pandas writes them",
                };
                write!(
                    f,
                    "the first row is read as names of columns, this one's is {name:?}, because {sign}"
                )
            }
            Self::Separator { delimiter, .. } => {
                f.write_str("its first rows have their fields separated by ")?;
                match delimiter {
                    Delimiter::Character(b',') => f.write_str("commas"),
                    Delimiter::Character(b';') => f.write_str("semicolons"),
                    Delimiter::Character(b'\t') => f.write_str("tabs"),
                    Delimiter::Character(other) => write!(f, "{:?}", char::from(*other)),
                    Delimiter::Blanks => f.write_str("blanks"),
                }
            }
            Self::NamesInComment { line } => write!(f, "the comment in line {line} names its columns"),
            Self::NameOrNumber { name, number } => write!(
                f,
                "read as the name of a column, which is number {name}; another one is number {number}"
            ),
            Self::DigitsLost { count, n, first_line } => write!(
                f,
                "{count} of {n} numbers have more digits than f64 holds, the first in line {first_line}; take a \
                 constant off them first if their differences matter"
            ),
            Self::DecimalsRounded { count, n } => write!(
                f,
                "{count} of {n} decimals have more digits than f64 holds and are rounded; cast whole ones to 64-bit \
                 integers, which keep theirs, or take a constant off them first if their differences matter"
            ),
            Self::Masked { by, count, unused, .. } => {
                write!(f, "{count} pixel{} excluded by {by}", if *count == 1 { " is" } else { "s are" })?;
                let Some(value) = unused else { return Ok(()) };
                write!(f, "; its nodata value {value} is not used beside it")
            }
            Self::OutOfRange { by, count } => {
                write!(f, "{count} element{} excluded by {by}", if *count == 1 { " is" } else { "s are" })
            }
            Self::NotMasked { by, reason, .. } => write!(f, "{by} excludes no pixels: {reason}"),
            Self::NodataBeside { value, file } => write!(f, "its nodata value {value} comes from {file}"),
            Self::ReducedFirst => f.write_str(
                "its first image calls itself a reduced copy and is passed over; what is read is the image \
                 in full that is there too",
            ),
            Self::OnlyReduced => f.write_str(
                "its only image calls itself a reduced copy of another one, and is read; if that other one is \
                 meant, find the file that has it",
            ),
            Self::OverviewsDropped => f.write_str(
                "the overviews of X's image are not written; make them with gdaladdo, for example",
            ),
            Self::BlocksLower { asked, rows } => write!(
                f,
                "its tiles or strips have {rows} rows, not the {asked} of X's image, for which the bound of memory is \
                 too low"
            ),
            Self::NotCompressed => f.write_str("not compressed, because it goes to a pipe or a device"),
            Self::SizesCalculated => f.write_str(
                "its strips or tiles have places but no sizes, which were calculated from the image's; write it \
                 again, for example with tiffcp",
            ),
        }
    }
}

impl Hinted for Note {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::FirstRowIsData { .. } | Self::FirstRowIsHeader { .. } => vec![Hint::Header],
            Self::Separator { is_doubtful: true, .. } => vec![Hint::Delimiter, Hint::Decimal],
            Self::Masked { is_alpha: true, .. } => vec![Hint::IncludeTransparent],
            Self::NotMasked { remedy, .. } => remedy.iter().copied().collect(),
            _ => Vec::new(),
        }
    }
}
