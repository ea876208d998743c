use clap::{Args, ValueEnum};

use super::hint::{flags, told};
use super::values::ShapeArgument;
use super::verbosity::Verbosity;
use crate::array::{DataError, Hint, Hinted};
use crate::io::{Decimal, Delimiter, Opened, RawLayout, RawType, Reading, TextRules};

/// Options for reading data arguments.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(super) struct ReadingArguments {
    /// The type of the numbers in .raw, .bin and .dat files: bool u8 i8 u16 i16 u32 i32 u64 i64 f16
    /// bf16 f32 f64, with be or le for big or little endian: u16be
    #[arg(long, value_name = "TYPE")]
    raw_dtype: Option<RawType>,

    /// The rows and columns of raw numbers. Default: all numbers of the file in one row
    #[arg(long, value_name = "RxC", requires = "raw_dtype")]
    raw_shape: Option<ShapeArgument>,

    /// The bytes before the first raw number. Default: 0
    #[arg(long, value_name = "BYTES", requires = "raw_dtype")]
    raw_offset: Option<u64>,

    /// What separates the fields of text files: a character, tab or blanks. Default: what separates
    /// those of the first rows (of .tsv files, tabs)
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    delimiter: Option<Delimiter>,

    /// What precedes the fractions of numbers in text files, a point (.) unless it is a comma (,)
    #[arg(long, value_name = "CHAR", value_parser = decimal)]
    decimal: Option<Decimal>,

    /// The first row of text files names the columns, or not. Default: yes if any of its
    /// fields is text
    #[arg(long, value_enum, value_name = "yes|no", hide_possible_values = true)]
    header: Option<Answer>,

    /// Skip lines of text files that begin with this character. Default: # before the first row
    #[arg(long, value_name = "CHAR", value_parser = comment)]
    comment: Option<u8>,

    /// Apply the scale and the offset that the file of X, or of T, has for it (GDAL's of a .tif,
    /// scale_factor and add_offset of columns and tensors): W and b are then of such values. Nodata
    /// values are numbers as they are stored, valid ranges are of scaled values
    #[arg(long)]
    scaled: bool,

    /// Ignore the alpha band of an image, which otherwise excludes the pixels where it is 0
    #[arg(long)]
    no_alpha: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Answer {
    Yes,
    No,
}

/// What separates fields. The type's own parsing, which the help names by it.
fn delimiter(text: &str) -> Result<Delimiter, String> {
    text.parse().map_err(str::to_owned)
}

/// The sign before a fraction.
fn decimal(text: &str) -> Result<Decimal, String> {
    match text {
        "." => Ok(Decimal::Point),
        "," => Ok(Decimal::Comma),
        _ => Err("expected . or ,".to_owned()),
    }
}

/// A character that no row begins with.
fn comment(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [character] if character.is_ascii_punctuation() && !b"\",+-.".contains(character) => Ok(*character),
        _ => Err("expected one character that no number begins with: # or %, for example".to_owned()),
    }
}

impl ReadingArguments {
    /// The values of X, or of T, if they are to be scaled; whether they are then. Beyond a bound
    /// of memory they are in a temporary file.
    pub(super) fn scaled(
        &self,
        opened: Opened,
        nodata: Option<f64>,
        memory_bytes: u64,
    ) -> Result<(Opened, bool), DataError> {
        if !self.scaled || !opened.has_scaling() {
            return Ok((opened, false));
        }
        Ok((opened.scaled(nodata, memory_bytes)?, true))
    }

    /// Tells that files have nothing to scale by.
    pub(super) fn tell_unscaled(&self, opened: &[&Opened], verbosity: Verbosity) {
        if self.scaled && !opened.iter().any(|array| array.has_scaling()) {
            verbosity.note(&"--scaled: the file has no scale or offset, so its numbers are used as they are");
        }
    }

    /// The reading that was asked for, with a bound of memory for decoded data.
    pub(super) fn within(&self, memory_bytes: u64) -> Reading {
        let raw = self.raw_dtype.map(|dtype| RawLayout {
            dtype,
            shape: self.raw_shape.as_ref().map(|shape| shape.0.clone()),
            offset: self.raw_offset.unwrap_or(0),
        });
        let header = self.header.map(|answer| answer == Answer::Yes);
        Reading {
            memory_bytes,
            raw,
            text: TextRules {
                header,
                comment: self.comment,
                delimiter: self.delimiter,
                decimal: self.decimal.unwrap_or_default(),
            },
            alpha: !self.no_alpha,
        }
    }
}

/// The masks that a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Masks {
    Given,
    None,
}

/// Tells the user what the readers noted and, if curious, what takes room on
/// the disk.
pub(super) fn tell_details(verbosity: Verbosity, opened: &[&Opened], masks: Masks) {
    for array in opened {
        let label = array.label();
        if array.is_spooled() {
            let bytes = array.stored_bytes();
            verbosity.detail(&format_args!("{label}: decoded to a temporary file of {bytes} bytes"));
        }
        for note in array.metadata().notes() {
            let note_text = match (masks, &note.hints()[..]) {
                (Masks::None, [Hint::GiveMask]) => note.to_string(),
                (Masks::None, [Hint::Exclude]) => note.worded(|_| flags(Hint::NodataValue)),
                _ => told(note),
            };
            let text = format_args!("{label}: {note_text}");
            if note.is_detail() { verbosity.detail(&text) } else { verbosity.note(&text) }
        }
    }
}
