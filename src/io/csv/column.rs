//! A column in the making: parts, one a block of rows, and the whole of them.
//!
//! The type of a column does not depend on how it is cut: f64, unless there are whole
//! numbers beyond f64 and nothing but whole numbers, of which all fit i64, or all
//! u64. Which it is, is known when all was read; until then it is the first of
//! these types that holds all so far, and when that changes, the file is read again.

use std::path::Path;

use super::field::Field;
use super::lines::Lines;
use super::number::{self, Kind, MOST_EXACT};
use crate::array::spool::Spool;
use crate::array::{Bitmap, DataError, Shape};
use crate::io::metadata::Opened;
use crate::io::note::Note;

/// The kind of a column's elements, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Elements {
    /// Numbers that f64 holds, so far.
    Any,
    /// Whole numbers, some of them beyond f64.
    I64,
    /// The same, some of them beyond i64.
    U64,
    /// Numbers of which f64 loses some digits.
    F64,
}

/// Why a field was not appended.
pub(super) enum Refused {
    /// It is no number.
    Text,
    /// It is a number that f64 has no place for.
    Beyond,
    /// It is a number, where the first row has true or false.
    NotBoolean,
    /// The elements are to be read again, as these.
    Again(Elements),
    Spool(DataError),
}

impl From<DataError> for Refused {
    fn from(error: DataError) -> Self {
        Self::Spool(error)
    }
}

/// The elements of a part of a column, in one of their types.
enum Values {
    F64(Vec<f64>),
    I64(Vec<i64>),
    U64(Vec<u64>),
}

impl Values {
    fn new(elements: Elements) -> Self {
        match elements {
            Elements::Any | Elements::F64 => Self::F64(Vec::new()),
            Elements::I64 => Self::I64(Vec::new()),
            Elements::U64 => Self::U64(Vec::new()),
        }
    }
}

/// The part of a column that is in a block of rows.
pub(super) struct Part {
    values: Values,
    elements: Elements,
    /// Whether the first row of the file has true or false, and so must all others.
    is_boolean: bool,
    has_fractions: bool,
    has_negatives: bool,
    /// The narrowest type that holds all whole numbers beyond f64, if there are any
    /// and their type is not settled.
    long: Option<Elements>,
    valid: Bitmap,
    rows: usize,
    /// Numbers of which f64 lost digits, and the line of the first.
    lost: Lines,
}

impl Part {
    pub(super) fn new(elements: Elements, is_boolean: bool) -> Self {
        Self {
            values: Values::new(elements),
            elements,
            is_boolean,
            has_fractions: false,
            has_negatives: false,
            long: None,
            valid: Bitmap::default(),
            rows: 0,
            lost: Lines::default(),
        }
    }

    /// Whether numbers may be appended as they are.
    pub(super) fn takes_numbers(&self) -> bool {
        !self.is_boolean
    }

    /// Appends what a field says.
    pub(super) fn push(&mut self, field: &[u8], decimal: u8, line: u64) -> Result<(), Refused> {
        match Field::of(field, decimal) {
            Field::Number(_, Kind::Beyond) => Err(Refused::Beyond),
            Field::Number(..) if self.is_boolean => Err(Refused::NotBoolean),
            Field::Number(number, kind) => self.push_number(field, number, kind, line),
            Field::Boolean(value) => {
                self.push_small(u8::from(value));
                Ok(())
            }
            Field::Null => {
                self.push_null();
                Ok(())
            }
            Field::Text => Err(Refused::Text),
        }
    }

    /// Appends a missing value.
    pub(super) fn push_null(&mut self) {
        self.valid.exclude(self.rows);
        self.push_small(0);
    }

    fn push_small(&mut self, number: u8) {
        match &mut self.values {
            Values::F64(values) => values.push(number.into()),
            Values::I64(values) => values.push(number.into()),
            Values::U64(values) => values.push(number.into()),
        }
        self.rows += 1;
    }

    /// Appends a number, none that is beyond f64.
    #[inline]
    pub(super) fn push_number(
        &mut self,
        field: &[u8],
        number: f64,
        kind: Kind,
        line: u64,
    ) -> Result<(), Refused> {
        let Values::F64(values) = &mut self.values else { return self.push_whole(field, number, kind) };
        match kind {
            Kind::Whole => {}
            Kind::Decimal => {
                if !self.has_fractions {
                    self.has_fractions = !is_exact_whole(number, kind);
                }
            }
            Kind::Long | Kind::Lost | Kind::Beyond => {
                if kind == Kind::Lost || number::is_rounded(field, number) {
                    self.lost.add(line);
                }
                if kind == Kind::Long && self.elements == Elements::Any {
                    self.long = self.long.max(Some(wider(Elements::Any, field)));
                } else {
                    self.has_fractions = true;
                }
            }
        }
        values.push(number);
        self.rows += 1;
        Ok(())
    }

    /// Appends a whole number as it is, to whole numbers.
    fn push_whole(&mut self, field: &[u8], number: f64, kind: Kind) -> Result<(), Refused> {
        if kind != Kind::Long && !is_exact_whole(number, kind) {
            return Err(Refused::Again(Elements::F64));
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within ±2⁵³")]
        let small = number as i64;
        let refused = match &mut self.values {
            Values::F64(_) => None,
            Values::I64(values) => {
                let whole = if kind == Kind::Long { whole(field) } else { Some(small) };
                self.has_negatives |= whole.is_some_and(i64::is_negative);
                match whole {
                    Some(whole) => {
                        values.push(whole);
                        self.rows += 1;
                        return Ok(());
                    }
                    None if self.has_negatives => None,
                    None => Some(wider(Elements::I64, field)),
                }
            }
            Values::U64(values) => {
                let whole = if kind == Kind::Long { whole(field) } else { u64::try_from(small).ok() };
                match whole {
                    Some(whole) => {
                        values.push(whole);
                        self.rows += 1;
                        return Ok(());
                    }
                    None => None,
                }
            }
        };
        Err(Refused::Again(refused.unwrap_or(Elements::F64)))
    }
}

/// All elements so far, in one of their types.
enum Store {
    F64(Spool<f64>),
    I64(Spool<i64>),
    U64(Spool<u64>),
}

/// A column in the making, of the parts that there are so far.
pub(super) struct Making {
    store: Store,
    has_fractions: bool,
    long: Option<Elements>,
    valid: Bitmap,
    rows: usize,
    lost: Lines,
}

impl Making {
    pub(super) fn new(path: &Path, memory_bytes: u64, elements: Elements) -> Self {
        let store = match elements {
            Elements::Any | Elements::F64 => Store::F64(Spool::new(path, memory_bytes)),
            Elements::I64 => Store::I64(Spool::new(path, memory_bytes)),
            Elements::U64 => Store::U64(Spool::new(path, memory_bytes)),
        };
        Self {
            store,
            has_fractions: false,
            long: None,
            valid: Bitmap::default(),
            rows: 0,
            lost: Lines::default(),
        }
    }

    /// Appends a part, of which the first line is that number of the file's.
    pub(super) fn append(&mut self, part: &Part, first_line: u64) -> Result<(), Refused> {
        match (&mut self.store, &part.values) {
            (Store::F64(all), Values::F64(values)) => all.append(values)?,
            (Store::I64(all), Values::I64(values)) => all.append(values)?,
            (Store::U64(all), Values::U64(values)) => all.append(values)?,
            _ => return Err(Refused::Again(part.elements)),
        }
        self.valid.append(self.rows, &part.valid);
        self.rows += part.rows;
        self.lost.append(&part.lost, first_line);
        self.has_fractions |= part.has_fractions;
        self.long = self.long.max(part.long);
        // Beside fractions, whole numbers beyond f64 are rounded as these are.
        match self.long.filter(|_| !self.has_fractions) {
            Some(wider) => Err(Refused::Again(wider)),
            None => Ok(()),
        }
    }

    /// The column, and a note if f64 lost some of its digits.
    pub(super) fn finish(self) -> Result<Opened, DataError> {
        let shape = Shape(vec![self.rows as u64]);
        let array = match self.store {
            Store::F64(all) => all.finish(shape),
            Store::I64(all) => all.finish(shape),
            Store::U64(all) => all.finish(shape),
        }?;
        let (count, n, first_line) = (self.lost.count, self.rows as u64, self.lost.first);
        let note = (count > 0).then_some(Note::DigitsLost { count, n, first_line });
        Ok(Opened::from(array).with_nulls(self.valid).noted(note))
    }
}

/// Whether a number is a whole one that f64 holds.
fn is_exact_whole(number: f64, kind: Kind) -> bool {
    match kind {
        Kind::Whole => true,
        Kind::Decimal => number.fract() == 0.0 && number.abs() <= MOST_EXACT,
        Kind::Long | Kind::Lost | Kind::Beyond => false,
    }
}

/// The first type of whole numbers after one that holds a number, else f64.
fn wider(elements: Elements, field: &[u8]) -> Elements {
    if elements < Elements::I64 && whole::<i64>(field).is_some() {
        Elements::I64
    } else if whole::<u64>(field).is_some() {
        Elements::U64
    } else {
        Elements::F64
    }
}

fn whole<W: std::str::FromStr>(field: &[u8]) -> Option<W> {
    std::str::from_utf8(field).ok()?.parse().ok()
}
