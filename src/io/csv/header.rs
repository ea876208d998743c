//! The columns that are meant, and whether the first row names them.

use std::borrow::Cow;
use std::io::Read;

use super::faults::{error_at, fault, separated_otherwise};
use super::field::{Field, is_of_marks};
use super::number::Kind;
use super::records::{Meaning, Record, Records, content};
use crate::array::DataError;
use crate::array::error::{excerpt, listed_of};
use crate::io::choice::{self, Choice};
use crate::io::input::Input;
use crate::io::note::{HeaderSign, NamesLike, Note};

/// Rows by which names that are numbers are told from data.
const SAMPLE_ROWS: usize = 200;

/// Numbers that are more likely years than anything else where a row has no
/// others.
const YEARS: std::ops::RangeInclusive<f64> = 1800.0..=2200.0;

/// A column that is read.
pub(super) struct Chosen {
    /// Its number, from 0.
    pub(super) index: usize,
    /// The key by which it was chosen, if there is one.
    pub(super) choice: Option<Choice>,
    /// Whether the first row is data and has true or false in it.
    pub(super) is_boolean: bool,
    pub(super) notes: Vec<Note>,
}

/// The head of a file: what its first rows settle.
pub(super) struct Head {
    pub(super) columns: Vec<Chosen>,
    /// The number of columns of the file.
    pub(super) count: usize,
    pub(super) has_header: bool,
    /// A note on the file.
    pub(super) note: Option<Note>,
}

impl Head {
    /// Reads as many rows as it takes to choose the columns.
    pub(super) fn read<R: Read>(
        input: &Input<'_>,
        mut records: Records<R>,
        keys: &[Option<&str>],
    ) -> Result<Self, DataError> {
        let first = next_row(input, &mut records)?;
        let first = first.ok_or_else(|| DataError::Empty { path: input.path.to_owned() })?.into_owned();
        if first.bytes.contains(&0) {
            let found = "its first row has NUL bytes: it is UTF-16, or no text".to_owned();
            return Err(input.unsupported(found, "save it as text in UTF-8"));
        }
        let second = next_row(input, &mut records)?;
        let first = FirstRow::new(input, &first, second.as_ref());
        let columns = keys.iter().map(|key| first.choose(*key)).collect::<Result<Vec<_>, _>>()?;
        // Before all is read in vain.
        choice::check_all(columns.iter().filter_map(|column| column.choice.as_ref()))?;
        let mut head = Self { columns, count: first.count, has_header: first.header.is_some(), note: None };
        if !head.has_header && input.text.header.is_none() && first.is_all_numbers {
            let mut sample = Sample::new(&head.columns, &first);
            let mut years = false;
            if let Some(second) = &second {
                years = first.are_years() && !FirstRow::new(input, second, None).are_years();
                sample.add(second);
            }
            while sample.rows < SAMPLE_ROWS
                && let Some(row) = next_row(input, &mut records)?
            {
                sample.add(&row);
            }
            let like = first.names_like(&sample, years);
            head.note = like.map(|like| Note::FirstRowIsData { like });
        }
        Ok(head)
    }
}

/// The next row, past comments and empty lines.
fn next_row<'r, R: Read>(
    input: &Input<'_>,
    records: &'r mut Records<R>,
) -> Result<Option<Record<'r>>, DataError> {
    // The borrow checker does not see that a record that is passed over is
    // given back.
    loop {
        match records.peek().map_err(|e| fault(input, e))? {
            None => return Ok(None),
            Some(Meaning::Row) => return records.next().map_err(|e| fault(input, e)),
            Some(_) => drop(records.next().map_err(|e| fault(input, e))?),
        }
    }
}

/// Why a row is a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// The user says so.
    Asked,
    Seen(HeaderSign),
}

/// The first row of a file, and what it is.
struct FirstRow<'r> {
    input: &'r Input<'r>,
    row: &'r Record<'r>,
    count: usize,
    /// Whether there are numbers in all its fields.
    is_all_numbers: bool,
    /// `None` for data.
    header: Option<Header>,
}

impl<'r> FirstRow<'r> {
    fn new(input: &'r Input<'r>, row: &'r Record<'r>, second: Option<&Record<'_>>) -> Self {
        let mut first = Self { input, row, count: row.fields().count(), is_all_numbers: false, header: None };
        let says = |what: fn(&Field) -> bool| first.says().any(|field| what(&field));
        let has_text = says(|field| *field == Field::Text);
        let has_names = first.names().any(|name| Field::of(&name) == Field::Text && !is_of_marks(&name));
        let is_all_numbers = !says(|field| !matches!(field, Field::Number(..)));
        first.header = match input.text.header {
            Some(true) => Some(Header::Asked),
            Some(false) => None,
            None if has_names => Some(Header::Seen(HeaderSign::Text)),
            None if has_text => Some(Header::Seen(HeaderSign::Marks)),
            None => second.and_then(|second| first.sign_above(second)).map(Header::Seen),
        };
        first.is_all_numbers = is_all_numbers;
        first
    }

    fn names(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.row.fields().map(content)
    }

    fn says(&self) -> impl Iterator<Item = Field> {
        self.names().map(|name| Field::of(&name))
    }

    /// The sign of a header in a row without text, by the row below it.
    fn sign_above(&self, second: &Record<'_>) -> Option<HeaderSign> {
        let below = || second.fields().map(|field| Field::of(&content(field)));
        let is_boolean_above = |(above, below): (Field, Field)| {
            matches!(above, Field::Boolean(_)) && matches!(below, Field::Number(..))
        };
        if self.says().zip(below()).any(is_boolean_above) {
            return Some(HeaderSign::Booleans);
        }
        // The names of a table of pandas that was given none, beside its index.
        let mut names = self.names();
        let is_index =
            names.next().is_some_and(|name| name.is_empty()) && below().next() != Some(Field::Null);
        (self.count > 1 && is_index && are_counted(names)).then_some(HeaderSign::Counted)
    }

    /// Whether it has several, all different.
    fn are_years(&self) -> bool {
        let is_year = |field| matches!(field, Field::Number(number, Kind::Whole) if YEARS.contains(&number));
        self.count > 1 && self.says().all(is_year) && self.are_distinct()
    }

    fn is_rising(&self) -> bool {
        self.says().is_sorted_by(|a, b| match (a, b) {
            (Field::Number(a, _), Field::Number(b, _)) => a < b,
            _ => false,
        })
    }

    /// The kind of names that the numbers of the row are like.
    fn names_like(&self, sample: &Sample, years: bool) -> Option<NamesLike> {
        let is_whole = |field: Field| match field {
            Field::Number(number, Kind::Whole | Kind::Decimal) => number.fract() == 0.0,
            _ => false,
        };
        let is_plain = |field: Field| matches!(field, Field::Number(_, Kind::Whole));
        if self.count == 1 {
            // A table of pandas is written so, and a column that begins with a
            // whole number is not, as far as it has a point in all others.
            let is_zero = self.names().next().as_deref() == Some(b"0");
            let is_unlike = self.says().all(is_plain) && sample.all_pointed();
            return (is_unlike && (is_zero || sample.has_pointed_whole() || sample.are_far()))
                .then_some(NamesLike::Whole);
        }
        if are_counted(self.names()) {
            return Some(NamesLike::Counted);
        }
        if years && (self.is_rising() || sample.are_beyond()) {
            return Some(NamesLike::Years);
        }
        if !self.says().all(is_whole) || !self.are_distinct() {
            return None;
        }
        let are_plain = self.says().all(is_plain);
        let is_unlike = (sample.most_are_fractions() && !sample.continues())
            || (are_plain && sample.all_pointed() && sample.has_pointed_whole())
            || (are_plain && sample.has_fractions() && !sample.continues());
        if is_unlike {
            return Some(NamesLike::Whole);
        }
        (are_plain && sample.are_far()).then_some(NamesLike::Far)
    }

    fn are_distinct(&self) -> bool {
        // Rows that are compared are short; a long one is not taken for names.
        const MOST: usize = 1 << 16;
        let mut names: Vec<_> = self.names().take(MOST).collect();
        names.sort_unstable();
        self.count <= MOST && names.windows(2).all(|pair| pair[0] != pair[1])
    }

    fn available(&self) -> String {
        let describe = |(index, name): (usize, Cow<'_, [u8]>)| match self.header {
            Some(_) => format!("{} ({index})", excerpt(&String::from_utf8_lossy(&name))),
            None => index.to_string(),
        };
        listed_of(self.count, self.names().enumerate().map(describe))
    }

    fn by_name(&self, key: &str) -> Result<Option<usize>, DataError> {
        if self.header.is_none() {
            return Ok(None);
        }
        self.input.only_one("column", key, self.names().map(|name| *name == *key.as_bytes()))
    }

    fn by_number(&self, key: &str) -> Option<usize> {
        key.parse().ok().filter(|&index: &usize| index < self.count)
    }

    /// Finds a column by its name or, if none is called so, its number; without
    /// either the only one.
    fn choose(&self, key: Option<&str>) -> Result<Chosen, DataError> {
        let Some(key) = key else {
            if self.count != 1 {
                return Err(DataError::WhichArray {
                    path: self.input.path.to_owned(),
                    what: "column",
                    count: self.count,
                    available: self.available(),
                });
            }
            return Ok(self.chosen(None));
        };
        let found = [self.by_name(key)?, self.by_number(key)];
        let choice = Choice::of(self.input.path, key, found, || self.available());
        choice.map(|choice| self.chosen(Some(choice))).ok_or_else(|| self.no_such(key))
    }

    fn chosen(&self, choice: Option<Choice>) -> Chosen {
        let index = choice.as_ref().map_or(0, Choice::column);
        let by_name = choice.as_ref().is_some_and(Choice::is_named);
        let name = self.names().nth(index).unwrap_or_default();
        let field = Field::of(&name);
        let is_name = by_name || name.is_empty() || (field == Field::Text && !is_of_marks(&name));
        let is_unsure = match self.header {
            None | Some(Header::Asked) => None,
            Some(Header::Seen(HeaderSign::Text)) if is_name => None,
            Some(Header::Seen(HeaderSign::Marks)) if by_name => None,
            Some(Header::Seen(sign)) => Some(sign),
        };
        let name = excerpt(&String::from_utf8_lossy(&name));
        Chosen {
            index,
            is_boolean: matches!(field, Field::Boolean(_))
                && self.header.is_none()
                && self.input.text.header.is_none(),
            notes: is_unsure
                .map(|sign| Note::FirstRowIsHeader { name, sign })
                .into_iter()
                .chain(choice.as_ref().and_then(Choice::note))
                .collect(),
            choice,
        }
    }

    fn no_such(&self, key: &str) -> DataError {
        let is_among =
            |parts: &[&str]| parts.contains(&key) || key.parse().is_ok_and(|k: usize| k < parts.len());
        let is_one = self.count == 1;
        if let Some(how) = separated_otherwise(&self.row.bytes, is_among).filter(|_| is_one) {
            return error_at(self.input, self.row.line, format!("no column {:?}: {how}", excerpt(key)));
        }
        let available = self.available();
        if self.header.is_none() && self.names().any(|name| *name == *key.as_bytes()) {
            let path = self.input.path.to_owned();
            return DataError::NameInData { path, key: excerpt(key), available };
        }
        let names: Vec<_> = match self.header {
            Some(_) => self.names().map(|name| String::from_utf8_lossy(&name).into_owned()).collect(),
            None => Vec::new(),
        };
        self.input.no_such("column", key, names.iter().map(String::as_str), available)
    }
}

/// Whether these are 0, 1, 2, ….
fn are_counted<'n>(names: impl Iterator<Item = Cow<'n, [u8]>>) -> bool {
    names.enumerate().all(|(number, name)| {
        // Without a sign and leading zeros.
        name.len() <= 8 && *name == *number.to_string().as_bytes()
    })
}

/// The numbers below the first row, in the columns that are read.
struct Sample {
    rows: usize,
    columns: Vec<SampleColumn>,
}

#[derive(Default)]
struct SampleColumn {
    index: usize,
    /// The number in the first row.
    first: f64,
    /// The first two below it.
    next: [f64; 2],
    least: f64,
    greatest: f64,
    numbers: usize,
    fractions: usize,
    /// Numbers with a point or an exponent.
    pointed: usize,
    /// Whole ones of these.
    pointed_whole: usize,
}

impl Sample {
    fn new(columns: &[Chosen], first: &FirstRow<'_>) -> Self {
        let column = |chosen: &Chosen| {
            let index = chosen.index;
            let first = match first.says().nth(index) {
                Some(Field::Number(number, _)) => number,
                _ => f64::NAN,
            };
            let (least, greatest) = (f64::INFINITY, f64::NEG_INFINITY);
            SampleColumn { index, first, least, greatest, ..SampleColumn::default() }
        };
        Self { rows: 0, columns: columns.iter().map(column).collect() }
    }

    fn add(&mut self, row: &Record<'_>) {
        self.rows += 1;
        for column in &mut self.columns {
            let field = row.fields().nth(column.index).map(content).unwrap_or_default();
            if let Field::Number(number, kind) = Field::of(&field) {
                let is_pointed = !matches!(kind, Kind::Whole | Kind::Long);
                let is_fraction = number.fract() != 0.0;
                if let Some(next) = column.next.get_mut(column.numbers) {
                    *next = number;
                }
                column.least = column.least.min(number);
                column.greatest = column.greatest.max(number);
                column.numbers += 1;
                column.fractions += usize::from(is_fraction);
                column.pointed += usize::from(is_pointed);
                column.pointed_whole += usize::from(is_pointed && !is_fraction);
            }
        }
    }

    /// Whether some column has many fractions.
    fn has_fractions(&self) -> bool {
        self.columns.iter().any(|c| c.numbers > 0 && 2 * c.fractions >= c.numbers)
    }

    /// Whether some column goes on as the first row begins it: in equal steps,
    /// or with whole numbers that are not far from it.
    fn continues(&self) -> bool {
        self.columns.iter().any(|c| c.has_equal_steps() || (c.pointed == 0 && !c.is_beyond(1.0)))
    }

    /// Whether the first row is out of the range of what is below in all
    /// columns.
    fn are_beyond(&self) -> bool {
        self.columns.iter().all(|c| c.is_beyond(1.0))
    }

    /// Whether the first row is far from what is below in all columns.
    fn are_far(&self) -> bool {
        self.columns.iter().all(|c| c.numbers >= 3 && c.is_beyond(10.0))
    }

    fn most_are_fractions(&self) -> bool {
        self.columns.iter().all(|c| c.numbers > 0 && 4 * c.fractions >= 3 * c.numbers)
    }

    fn all_pointed(&self) -> bool {
        self.columns.iter().all(|c| c.numbers > 0 && c.pointed == c.numbers)
    }

    fn has_pointed_whole(&self) -> bool {
        self.columns.iter().any(|c| c.pointed_whole > 0)
    }
}

impl SampleColumn {
    /// Whether the first three numbers are in equal steps.
    fn has_equal_steps(&self) -> bool {
        let [second, third] = self.next;
        let (one, other) = (second - self.first, third - second);
        self.numbers >= 2 && one != 0.0 && (one - other).abs() <= 1e-9 * one.abs()
    }

    /// Whether the first number is farther from the others than so many times
    /// their range.
    fn is_beyond(&self, ranges: f64) -> bool {
        let distance = (self.least - self.first).max(self.first - self.greatest);
        self.numbers > 0 && distance > ranges * (self.greatest - self.least)
    }
}
