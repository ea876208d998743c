//! A column in the making.

use std::path::Path;

use super::field::Field;
use super::number::{self, Kind, MOST_EXACT};
use crate::array::spool::Spool;
use crate::array::{Array, Bitmap, DataError, Element, Shape};
use crate::io::metadata::Opened;
use crate::io::note::Note;

/// Elements that are decoded before they are spooled.
const CHUNK: usize = 1 << 12;

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

/// The elements so far, in one of their types.
struct Part<E> {
    spool: Spool<E>,
    chunk: Vec<E>,
}

impl<E: Element> Part<E> {
    fn new(path: &Path, memory_bytes: u64) -> Self {
        Self { spool: Spool::new(path, memory_bytes), chunk: Vec::with_capacity(CHUNK) }
    }

    fn push(&mut self, element: E) -> Result<(), DataError> {
        self.chunk.push(element);
        if self.chunk.len() == CHUNK {
            self.spool.append(&self.chunk)?;
            self.chunk.clear();
        }
        Ok(())
    }

    fn finish(mut self, rows: usize) -> Result<Array, DataError> {
        self.spool.append(&self.chunk)?;
        self.spool.finish(Shape(vec![rows as u64]))
    }
}

enum Store {
    F64(Part<f64>),
    I64(Part<i64>),
    U64(Part<u64>),
}

/// A column in the making.
pub(super) struct Making {
    store: Store,
    elements: Elements,
    /// Whether the first row has true or false, and so must all others.
    is_boolean: bool,
    has_fractions: bool,
    has_negatives: bool,
    valid: Bitmap,
    rows: usize,
    /// Numbers of which f64 lost digits, and the line of the first.
    lost: u64,
    first_lost: u64,
}

impl Making {
    pub(super) fn new(path: &Path, memory_bytes: u64, elements: Elements, is_boolean: bool) -> Self {
        let store = match elements {
            Elements::Any | Elements::F64 => Store::F64(Part::new(path, memory_bytes)),
            Elements::I64 => Store::I64(Part::new(path, memory_bytes)),
            Elements::U64 => Store::U64(Part::new(path, memory_bytes)),
        };
        Self {
            store,
            elements,
            is_boolean,
            has_fractions: false,
            has_negatives: false,
            valid: Bitmap::default(),
            rows: 0,
            lost: 0,
            first_lost: 0,
        }
    }

    /// Appends what a field says.
    pub(super) fn push(&mut self, field: &[u8], line: u64) -> Result<(), Refused> {
        match Field::of(field) {
            Field::Number(_, Kind::Beyond) => return Err(Refused::Beyond),
            Field::Number(..) if self.is_boolean => return Err(Refused::NotBoolean),
            Field::Number(number, kind) => self.push_number(field, number, kind, line)?,
            Field::Boolean(value) => self.push_small(u8::from(value))?,
            Field::Null => {
                self.valid.exclude(self.rows);
                self.push_small(0)?;
            }
            Field::Text => return Err(Refused::Text),
        }
        self.rows += 1;
        Ok(())
    }

    fn push_small(&mut self, number: u8) -> Result<(), DataError> {
        match &mut self.store {
            Store::F64(part) => part.push(number.into()),
            Store::I64(part) => part.push(number.into()),
            Store::U64(part) => part.push(number.into()),
        }
    }

    fn push_number(&mut self, field: &[u8], number: f64, kind: Kind, line: u64) -> Result<(), Refused> {
        let part = match &mut self.store {
            Store::F64(part) => part,
            Store::I64(_) | Store::U64(_) => return self.push_whole(field, number, kind),
        };
        match kind {
            Kind::Whole => {}
            Kind::Decimal => {
                if !self.has_fractions {
                    self.has_fractions = !is_exact_whole(number, kind);
                }
            }
            Kind::Long if self.elements == Elements::Any && !self.has_fractions => {
                return Err(Refused::Again(wider(Elements::Any, field)));
            }
            Kind::Lost | Kind::Long | Kind::Beyond => {
                self.has_fractions = true;
                if kind == Kind::Lost || number::is_rounded(field, number) {
                    self.lost += 1;
                    if self.lost == 1 {
                        self.first_lost = line;
                    }
                }
            }
        }
        Ok(part.push(number)?)
    }

    /// Appends a whole number as it is, to whole numbers.
    fn push_whole(&mut self, field: &[u8], number: f64, kind: Kind) -> Result<(), Refused> {
        if kind != Kind::Long && !is_exact_whole(number, kind) {
            return Err(Refused::Again(Elements::F64));
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within ±2⁵³")]
        let small = number as i64;
        let refused = match &mut self.store {
            Store::F64(_) => None,
            Store::I64(part) => {
                let whole = if kind == Kind::Long { whole(field) } else { Some(small) };
                self.has_negatives |= whole.is_some_and(i64::is_negative);
                match whole {
                    Some(whole) => return Ok(part.push(whole)?),
                    None if self.has_negatives => None,
                    None => Some(wider(Elements::I64, field)),
                }
            }
            Store::U64(part) => {
                let whole = if kind == Kind::Long { whole(field) } else { u64::try_from(small).ok() };
                match whole {
                    Some(whole) => return Ok(part.push(whole)?),
                    None => None,
                }
            }
        };
        Err(Refused::Again(refused.unwrap_or(Elements::F64)))
    }

    /// The column, and a note if f64 lost some of its digits.
    pub(super) fn finish(self) -> Result<Opened, DataError> {
        let array = match self.store {
            Store::F64(part) => part.finish(self.rows),
            Store::I64(part) => part.finish(self.rows),
            Store::U64(part) => part.finish(self.rows),
        }?;
        let (count, n, first_line) = (self.lost, self.rows as u64, self.first_lost);
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
