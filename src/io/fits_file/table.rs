//! Columns of binary tables (FITS standard 4.0, section 7.3).

use super::hdu::Hdu;
use super::header::{Header, KIND};
use super::pixels::{Keywords, Pixels, to_native};
use crate::array::error::{excerpt, listed};
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Bitmap, Bool8, DataError, Element, ElementType, Shape};
use crate::io::input::Input;
use crate::io::listing::Listed;
use crate::io::metadata::Opened;
use crate::with_element;

/// Rows that are copied at a time, at least.
const RUN_BYTES: usize = 1 << 20;

/// The most fields of a table.
const MOST_FIELDS: i64 = 999;

/// A column of a table.
pub(super) struct Column {
    pub(super) name: String,
    /// The numbers of each row, or descriptors of them.
    repeat: usize,
    /// The standard's letter for their type.
    pub(super) letter: char,
    /// The bytes of a row before it.
    pub(super) start: usize,
    number: i64,
}

impl Column {
    /// The type of its numbers, of which so many bytes are stored.
    fn pixels(&self, header: &Header, stored: ElementType) -> Pixels {
        let [scale, zero, null] =
            ["TSCAL", "TZERO", "TNULL"].map(|keyword| format!("{keyword}{}", self.number));
        let keywords = Keywords { scale: &scale, zero: &zero, blanks: &[&null] };
        Pixels::stored_as(stored, header, keywords)
    }
}

/// A table's rows and columns.
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) row_bytes: usize,
    pub(super) rows: usize,
}

impl Table {
    pub(super) fn of(input: &Input<'_>, header: &Header) -> Result<Self, DataError> {
        let whole = |keyword: &str| header.whole(keyword).and_then(|whole| usize::try_from(whole).ok());
        let invalid = |reason: &str| input.invalid(KIND, reason);
        let sizes = whole("NAXIS1").zip(whole("NAXIS2"));
        let (row_bytes, rows) = sizes.ok_or_else(|| invalid("a table has no number of rows"))?;
        let fields = header.whole("TFIELDS").filter(|fields| (0..=MOST_FIELDS).contains(fields));
        let fields = fields.ok_or_else(|| invalid("a table has no number of fields"))?;
        let (mut columns, mut start) = (Vec::new(), 0usize);
        for number in 1..=fields {
            let form = header.text(&format!("TFORM{number}")).unwrap_or_default();
            let form = form.trim();
            let digits = form.find(|c: char| !c.is_ascii_digit()).unwrap_or(form.len());
            let repeat = if digits == 0 { Some(1) } else { form[..digits].parse::<usize>().ok() };
            let letter = form[digits..].chars().next().unwrap_or('?');
            let bytes = repeat.and_then(|repeat| width(letter, repeat));
            let end = bytes.and_then(|bytes| start.checked_add(bytes)).filter(|end| *end <= row_bytes);
            let (Some(repeat), Some(end)) = (repeat, end) else {
                return Err(invalid(&format!("the form {:?} of column {number} fits no row", excerpt(form))));
            };
            let name = header.text(&format!("TTYPE{number}")).unwrap_or_default();
            columns.push(Column { name, repeat, letter, start, number });
            start = end;
        }
        Ok(Self { columns, row_bytes, rows })
    }

    /// The shape of a column: one number for each row, or several.
    fn shape(&self, column: &Column) -> Shape {
        let rows = self.rows as u64;
        Shape(if column.repeat == 1 { vec![rows] } else { vec![rows, column.repeat as u64] })
    }

    pub(super) fn named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The column that a key means; names before numbers from 0.
    fn find(&self, input: &Input<'_>, hdu: usize, key: Option<&str>) -> Result<&Column, DataError> {
        let names = || self.columns.iter().map(|column| format!("{hdu}.{}", excerpt(&column.name)));
        let Some(key) = key else {
            return Err(DataError::WhichArray {
                path: input.path.to_owned(),
                what: "column",
                count: self.columns.len(),
                available: listed(names().collect::<Vec<_>>().into_iter()),
            });
        };
        let exact = self.columns.iter().map(|column| column.name == key);
        let found = match input.only_one("column", key, exact)? {
            Some(place) => self.columns.get(place),
            None => self.named(key).or_else(|| self.columns.get(key.parse::<usize>().ok()?)),
        };
        found.ok_or_else(|| {
            let own = self.columns.iter().map(|column| column.name.as_str());
            input.no_such("column", key, own, listed(names().collect::<Vec<_>>().into_iter()))
        })
    }
}

/// The bytes of so many numbers of a type.
fn width(letter: char, repeat: usize) -> Option<usize> {
    let bytes = match letter {
        'X' => return Some(repeat.div_ceil(8)),
        'L' | 'B' | 'A' => 1,
        'I' => 2,
        'J' | 'E' => 4,
        'K' | 'D' | 'C' | 'P' => 8,
        'M' | 'Q' => 16,
        _ => return None,
    };
    repeat.checked_mul(bytes)
}

/// Opens a column: a vector of one number for each row, or so many rows of several.
pub(super) fn open(
    input: &Input<'_>,
    map: &Mapping,
    hdu: &Hdu,
    number: usize,
    key: Option<&str>,
) -> Result<Opened, DataError> {
    let table = Table::of(input, &hdu.header)?;
    let column = table.find(input, number, key)?;
    let stored = element_type(column.letter).map_err(|found| DataError::ColumnType {
        path: input.path.to_owned(),
        column: excerpt(&column.name),
        found: format!("it has {found}"),
        remedy: "name a column of numbers".to_owned(),
    })?;
    let bytes = (table.rows as u64).saturating_mul(table.row_bytes as u64);
    let found_bytes = map.bytes().len().saturating_sub(hdu.data) as u64;
    if bytes > found_bytes {
        let (path, expected_bytes) = (input.path.to_owned(), bytes);
        return Err(DataError::Truncated { path, expected_bytes, found_bytes });
    }
    let rows = Rows { input, map, start: hdu.data, table: &table, column };
    if stored == ElementType::Bool {
        return rows.booleans();
    }
    let pixels = column.pixels(&hdu.header, stored);
    let turned = pixels.is_turned();
    let array = with_element!(pixels.element, E => {
        let to = |bytes: &[u8], elements: &mut [E]| {
            to_native(bytes, bytemuck::cast_slice_mut(elements), size_of::<E>(), turned);
        };
        rows.copied::<E>(to)?
    });
    Ok(Opened::from(array).with_nodata(pixels.nodata).with_scaling(pixels.scaling))
}

/// The columns of a table.
pub(super) fn list(input: &Input<'_>, hdu: &Hdu, number: usize) -> Result<Vec<Listed>, DataError> {
    let table = Table::of(input, &hdu.header)?;
    let listed = table.columns.iter().map(|column| {
        let key = format!("{number}.{}", column.name);
        match element_type(column.letter) {
            Ok(stored) => {
                let pixels = column.pixels(&hdu.header, stored);
                let remarks = pixels.remarks();
                let listed = Listed::decoded(key, Some(table.shape(column)), pixels.element.name());
                Listed { remarks, ..listed.missing(pixels.nodata.as_ref()) }
            }
            Err(found) => Listed::unread(key, format!("it has {found}, which is not read")),
        }
    });
    Ok(listed.collect())
}

/// The type of a column by its letter, or what it has else.
fn element_type(letter: char) -> Result<ElementType, &'static str> {
    Ok(match letter {
        'L' => ElementType::Bool,
        'B' => ElementType::U8,
        'I' => ElementType::I16,
        'J' => ElementType::I32,
        'K' => ElementType::I64,
        'E' => ElementType::F32,
        'D' => ElementType::F64,
        'A' => return Err("text"),
        'X' => return Err("bits"),
        'C' | 'M' => return Err("complex numbers"),
        _ => return Err("lists of different lengths"),
    })
}

/// The rows of a column.
struct Rows<'r> {
    input: &'r Input<'r>,
    map: &'r Mapping,
    start: usize,
    table: &'r Table,
    column: &'r Column,
}

impl Rows<'_> {
    /// All rows, each brought to elements.
    fn copied<E: Element>(
        &self,
        mut to: impl FnMut(&[u8], &mut [E]),
    ) -> Result<crate::array::Array, DataError> {
        let &Self { table, column, .. } = self;
        let mut spool = Spool::<E>::new(self.input.path, self.input.memory_bytes);
        let width = column.repeat * size_of::<E>();
        let run = (RUN_BYTES / table.row_bytes.max(1)).max(1);
        let mut elements = Vec::new();
        for first in (0..table.rows).step_by(run) {
            let count = run.min(table.rows - first);
            elements.clear();
            elements.resize(count * column.repeat, E::zeroed());
            let range = self.start + first * table.row_bytes..self.start + (first + count) * table.row_bytes;
            let bytes = self.map.bytes().get(range.clone()).unwrap_or_default();
            if column.repeat > 0 {
                let rows = bytes.chunks_exact(table.row_bytes).zip(elements.chunks_exact_mut(column.repeat));
                rows.for_each(|(row, elements)| to(&row[column.start..column.start + width], elements));
            }
            self.map.release(range);
            spool.append(&elements)?;
        }
        self.map.check_intact()?;
        spool.finish(table.shape(column))
    }

    /// Logical values: `T`, `F`, or 0 for a missing one.
    fn booleans(&self) -> Result<Opened, DataError> {
        let (mut valid, mut place, mut other) = (Bitmap::default(), 0, None);
        let to = |bytes: &[u8], elements: &mut [Bool8]| {
            for (&byte, element) in bytes.iter().zip(elements) {
                match byte {
                    b'T' => *element = Bool8(1),
                    b'F' => {}
                    0 => valid.exclude(place),
                    _ => other = other.or(Some((place, byte))),
                }
                place += 1;
            }
        };
        let array = self.copied::<Bool8>(to)?;
        if let Some((place, byte)) = other {
            let reason = format!("a logical value, number {place}, is neither T nor F but {byte}");
            return Err(self.input.invalid(KIND, &reason));
        }
        Ok(Opened::from(array).with_nulls(valid))
    }
}
