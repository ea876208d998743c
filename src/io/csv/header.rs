//! The columns that are meant, and whether the first row names them.

use std::borrow::Cow;
use std::io::Read;

use super::comment_names::names_in;
use super::dialect::Dialect;
use super::faults::{fault, separated_otherwise};
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
    /// The line of a comment that names the columns.
    pub(super) names_line: Option<u64>,
    /// A note on the file.
    pub(super) note: Option<Note>,
}

impl Head {
    /// The name of each column, if there are names, and whether its first row of data
    /// has text in it.
    pub(super) fn columns<R: Read>(
        input: &Input<'_>,
        mut records: Records<R>,
    ) -> Result<Vec<(Option<String>, bool)>, DataError> {
        let dialect = records.dialect();
        let mut comment = None;
        let first = next_row(input, &mut records, |record| comment = Some(record.clone().into_owned()))?;
        let first = first.ok_or_else(|| DataError::Empty { path: input.path.to_owned() })?.into_owned();
        let second = next_row(input, &mut records, |_| ())?;
        let mut row = FirstRow::new(input, dialect, &first, second.as_ref());
        let comment = comment.filter(|_| row.header.is_none());
        row.comment_names = comment.and_then(|line| names_in(&line.bytes, row.count, dialect));
        let data = if row.header.is_some() { second.as_ref() } else { Some(&first) };
        let is_text = |place: usize| {
            let field = data.and_then(|data| data.fields().nth(place)).map(content);
            field.is_some_and(|field| row.field(&field) == Field::Text)
        };
        let has_names = row.has_names();
        let columns = row.names().enumerate().map(|(place, name)| {
            (has_names.then(|| String::from_utf8_lossy(&name).into_owned()), is_text(place))
        });
        Ok(columns.collect())
    }

    /// Reads as many rows as it takes to choose the columns.
    pub(super) fn read<R: Read>(
        input: &Input<'_>,
        mut records: Records<R>,
        keys: &[Option<&str>],
    ) -> Result<Self, DataError> {
        let dialect = records.dialect();
        let mut comment = None;
        let first = next_row(input, &mut records, |record| comment = Some(record.clone().into_owned()))?;
        let first = first.ok_or_else(|| DataError::Empty { path: input.path.to_owned() })?.into_owned();
        if first.bytes.contains(&0) {
            let found = "its first row has NUL bytes: it is UTF-16 without a mark, or no text".to_owned();
            return Err(input.unsupported(found, "save it as text in UTF-8"));
        }
        let second = next_row(input, &mut records, |_| ())?;
        let mut first = FirstRow::new(input, dialect, &first, second.as_ref());
        let comment = comment.filter(|_| first.header.is_none());
        first.comment_names = comment.as_ref().and_then(|line| names_in(&line.bytes, first.count, dialect));
        let columns = keys.iter().map(|key| first.choose(*key)).collect::<Result<Vec<_>, _>>()?;
        // Before all is read in vain.
        choice::check_all(columns.iter().filter_map(|column| column.choice.as_ref()))?;
        let mut head = Self {
            columns,
            count: first.count,
            has_header: first.header.is_some(),
            names_line: comment.filter(|_| first.comment_names.is_some()).map(|comment| comment.line),
            note: None,
        };
        if let Some(line) = head.names_line {
            head.note = Some(Note::NamesInComment { line });
        } else if !head.has_header && input.text.header.is_none() && first.is_all_numbers {
            let mut sample = Sample::new(&head.columns, &first);
            let mut years = false;
            if let Some(second) = &second {
                years = first.are_years() && !FirstRow::new(input, dialect, second, None).are_years();
                sample.add(second, dialect);
            }
            while sample.rows < SAMPLE_ROWS
                && let Some(row) = next_row(input, &mut records, |_| ())?
            {
                sample.add(&row, dialect);
            }
            let like = first.names_like(&sample, years);
            head.note = like.map(|like| Note::FirstRowIsData { like });
        }
        Ok(head)
    }
}

/// The next row, past comments, which `comment` is given, and empty lines.
fn next_row<'r, R: Read>(
    input: &Input<'_>,
    records: &'r mut Records<R>,
    mut comment: impl FnMut(&Record<'_>),
) -> Result<Option<Record<'r>>, DataError> {
    // The borrow checker does not see that a record that is passed over is
    // given back.
    loop {
        match records.peek().map_err(|e| fault(input, e))? {
            None => return Ok(None),
            Some(Meaning::Row) => return records.next().map_err(|e| fault(input, e)),
            Some(_) => {
                let record = records.next().map_err(|e| fault(input, e))?;
                record.iter().filter(|record| record.meaning == Meaning::Comment).for_each(&mut comment);
            }
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
    dialect: Dialect,
    row: &'r Record<'r>,
    count: usize,
    /// Names that a comment above it has.
    comment_names: Option<Vec<Vec<u8>>>,
    /// Whether there are numbers in all its fields.
    is_all_numbers: bool,
    /// `None` for data.
    header: Option<Header>,
}

impl<'r> FirstRow<'r> {
    fn new(input: &'r Input<'r>, dialect: Dialect, row: &'r Record<'r>, second: Option<&Record<'_>>) -> Self {
        let count = row.fields().count();
        let (is_all_numbers, header, comment_names) = (false, None, None);
        let mut first = Self { input, dialect, row, count, comment_names, is_all_numbers, header };
        let says = |what: fn(&Field) -> bool| first.says().any(|field| what(&field));
        let has_text = says(|field| *field == Field::Text);
        let has_names =
            first.row_names().any(|name| first.field(&name) == Field::Text && !is_of_marks(&name));
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

    fn row_names(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.row.fields().map(content)
    }

    fn says(&self) -> impl Iterator<Item = Field> {
        self.row_names().map(|name| self.field(&name))
    }

    fn field(&self, bytes: &[u8]) -> Field {
        Field::of(bytes, self.dialect.decimal)
    }

    /// The names of the columns, or what the first row has in their place.
    fn names(&self) -> Box<dyn Iterator<Item = Cow<'_, [u8]>> + '_> {
        match &self.comment_names {
            Some(names) => Box::new(names.iter().map(|name| Cow::Borrowed(&name[..]))),
            None => Box::new(self.row_names()),
        }
    }

    fn has_names(&self) -> bool {
        self.header.is_some() || self.comment_names.is_some()
    }

    /// The sign of a header in a row without text, by the row below it.
    fn sign_above(&self, second: &Record<'_>) -> Option<HeaderSign> {
        let below = || second.fields().map(|field| self.field(&content(field)));
        let is_boolean_above = |(above, below): (Field, Field)| {
            matches!(above, Field::Boolean(_)) && matches!(below, Field::Number(..))
        };
        if self.says().zip(below()).any(is_boolean_above) {
            return Some(HeaderSign::Booleans);
        }
        // The names of a table of pandas that was given none, beside its index.
        let mut names = self.row_names();
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
            let is_zero = self.row_names().next().as_deref() == Some(b"0");
            let is_unlike = self.says().all(is_plain) && sample.all_pointed();
            return (is_unlike && (is_zero || sample.has_pointed_whole() || sample.are_far()))
                .then_some(NamesLike::Whole);
        }
        if are_counted(self.row_names()) {
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
        let mut names: Vec<_> = self.row_names().take(MOST).collect();
        names.sort_unstable();
        self.count <= MOST && names.windows(2).all(|pair| pair[0] != pair[1])
    }

    fn available(&self) -> String {
        let describe = |(index, name): (usize, Cow<'_, [u8]>)| {
            if self.has_names() {
                format!("{} ({index})", excerpt(&String::from_utf8_lossy(&name)))
            } else {
                index.to_string()
            }
        };
        listed_of(self.count, self.names().enumerate().map(describe))
    }

    fn by_name(&self, key: &str) -> Result<Option<usize>, DataError> {
        if !self.has_names() {
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
        let name = self.row_names().nth(index).unwrap_or_default();
        let field = self.field(&name);
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
        if let Some(by) = separated_otherwise(&self.row.bytes, is_among).filter(|_| is_one) {
            let found = format!("no column {:?}", excerpt(key));
            let path = self.input.path.to_owned();
            return DataError::SeparatedOtherwise { path, line: self.row.line, found, by };
        }
        let available = self.available();
        if !self.has_names() && self.names().any(|name| *name == *key.as_bytes()) {
            let path = self.input.path.to_owned();
            return DataError::NameInData { path, key: excerpt(key), available };
        }
        let names: Vec<_> = if self.has_names() {
            self.names().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
        } else {
            Vec::new()
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

    fn add(&mut self, row: &Record<'_>, dialect: Dialect) {
        self.rows += 1;
        for column in &mut self.columns {
            let field = row.fields().nth(column.index).map(content).unwrap_or_default();
            if let Field::Number(number, kind) = Field::of(&field, dialect.decimal) {
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
