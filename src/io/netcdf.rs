//! Variables of classic NetCDF files: versions 1, 2 (64-bit offsets) and 5 (64-bit
//! data) of the format. All of them lie in the file as big-endian numbers, and are mapped;
//! those that grow along the record dimension are strided there. (NetCDF-4 files are
//! [HDF5](super::hdf5).)

use std::sync::Arc;

use super::cf::{self, Attributes, Number, Value};
use super::chunked::{Chunks, Grid, swap};
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use crate::array::error::{excerpt, shown};
use crate::array::mapping::Mapping;
use crate::array::{Array, DataError, ElementType, Layout, Order, Shape};

/// The kind of file in messages.
const KIND: &str = "NetCDF";

/// What the arrays of a file are called.
const WHAT: &str = "variable";

/// Opens a variable; without a name the only one of numbers that is no axis of another.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let map = Arc::new(input.map()?);
    let damaged = || damaged(input);
    let header = Header::new(map.bytes()).ok_or_else(damaged)?;
    let variables: Vec<&Variable> = match input.key {
        Some(_) => header.variables.iter().collect(),
        None => header.numbers(),
    };
    let names: Vec<String> = variables.iter().map(|variable| variable.name.clone()).collect();
    // Groups came with NetCDF-4: the root's variables may be called by their paths.
    let key = input.key.map(|key| key.strip_prefix('/').unwrap_or(key));
    let variable = variables[Input { key, ..*input }.choose(WHAT, &names)?];
    let Some(stored) = variable.element else {
        let path = format!("{}:{}", input.path.display(), excerpt(&variable.name)).into();
        return Err(DataError::ElementType { path, found: "text".to_owned() });
    };
    let element = cf::element(stored, &variable.attributes);
    let array = header.array(input, &map, variable, element).ok_or_else(damaged)??.keyed(&variable.name);
    // The library fills with it unless it is told not to.
    let fill = cf::default_fill(element).map(|number| match (number, element) {
        (Number::Float(value), ElementType::F64) => value.to_ne_bytes().to_vec(),
        #[expect(clippy::cast_possible_truncation, reason = "it is one of f32")]
        (Number::Float(value), _) => (value as f32).to_ne_bytes().to_vec(),
        (Number::Whole(whole), _) if cfg!(target_endian = "big") => {
            whole.to_be_bytes()[16 - element.size()..].to_vec()
        }
        (Number::Whole(whole), _) => whole.to_le_bytes()[..element.size()].to_vec(),
    });
    cf::opened(array, &variable.attributes, fill.as_deref())
}

/// What the file says of its variables of numbers.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let map = input.map()?;
    let header = Header::new(map.bytes()).ok_or_else(|| damaged(input))?;
    let one = |variable: &&Variable| {
        let element = cf::element(variable.element?, &variable.attributes);
        let shape = Some(Shape(header.shape(variable)));
        let listed = Listed::decoded(variable.name.clone(), shape, element.name());
        Some(Listed { is_mapped: true, ..cf::listed(listed, &variable.attributes) })
    };
    Ok(header.numbers().iter().filter_map(one).collect())
}

fn damaged(input: &Input<'_>) -> DataError {
    input.invalid(KIND, "its header ends too early; it is truncated or damaged; copy or write it again")
}

/// What the first bytes of a file say of it.
struct Header {
    records: u64,
    record_bytes: u64,
    dimensions: Vec<(String, u64)>,
    variables: Vec<Variable>,
}

struct Variable {
    name: String,
    dimensions: Vec<usize>,
    attributes: Attributes,
    /// `None` for text.
    element: Option<ElementType>,
    start: u64,
}

/// A header's bytes, read one number after another.
struct Bytes<'f> {
    rest: &'f [u8],
    /// Bytes of a count, and of a place.
    count_bytes: usize,
    place_bytes: usize,
}

impl<'f> Bytes<'f> {
    fn take(&mut self, count: u64) -> Option<&'f [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes as u64)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn count(&mut self) -> Option<u64> {
        self.number(self.count_bytes)
    }

    /// So many bytes, which others follow up to a multiple of 4.
    fn padded(&mut self, count: u64) -> Option<&'f [u8]> {
        let taken = self.take(count)?;
        self.take(count.next_multiple_of(4) - count)?;
        Some(taken)
    }

    fn name(&mut self) -> Option<String> {
        let count = self.count()?;
        Some(String::from_utf8_lossy(self.padded(count)?).into_owned())
    }

    /// The number of entries of a list of this kind, which may be absent.
    fn list(&mut self, tag: u64) -> Option<u64> {
        let found = self.number(4)?;
        let count = self.count()?;
        (found == tag || (found == 0 && count == 0)).then_some(count)
    }

    fn attributes(&mut self) -> Option<Attributes> {
        const ATTRIBUTES: u64 = 0x0c;
        let mut attributes = Attributes::new();
        for _ in 0..self.list(ATTRIBUTES)? {
            let name = self.name()?;
            let kind = self.number(4)?;
            let count = self.count()?;
            let element = element(kind);
            if element.is_none() && kind != TEXT {
                return None;
            }
            let size = element.map_or(1, |element| element.size() as u64);
            let bytes = self.padded(count.checked_mul(size)?)?;
            attributes.insert(
                name,
                match element {
                    Some(element) => Value::of(bytes, element, true),
                    None => Value::Text(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()),
                },
            );
        }
        Some(attributes)
    }
}

/// The number of the type of text.
const TEXT: u64 = 2;

/// The type of numbers that is called so.
fn element(kind: u64) -> Option<ElementType> {
    Some(match kind {
        1 => ElementType::I8,
        3 => ElementType::I16,
        4 => ElementType::I32,
        5 => ElementType::F32,
        6 => ElementType::F64,
        7 => ElementType::U8,
        8 => ElementType::U16,
        9 => ElementType::U32,
        10 => ElementType::I64,
        11 => ElementType::U64,
        _ => return None,
    })
}

impl Header {
    /// Reads it; `None` if it is not all there or not what it should be.
    fn new(file: &[u8]) -> Option<Self> {
        const DIMENSIONS: u64 = 0x0a;
        const VARIABLES: u64 = 0x0b;
        let version = *file.get(3)?;
        let mut bytes = Bytes {
            rest: &file[4..],
            count_bytes: if version == 5 { 8 } else { 4 },
            place_bytes: if version == 1 { 4 } else { 8 },
        };
        let records = bytes.count()?;
        let mut header = Self { records, record_bytes: 0, dimensions: Vec::new(), variables: Vec::new() };
        for _ in 0..bytes.list(DIMENSIONS)? {
            header.dimensions.push((bytes.name()?, bytes.count()?));
        }
        bytes.attributes()?;
        for _ in 0..bytes.list(VARIABLES)? {
            let name = bytes.name()?;
            let mut dimensions = Vec::new();
            for _ in 0..bytes.count()? {
                let dimension = usize::try_from(bytes.count()?).ok()?;
                header.dimensions.get(dimension)?;
                dimensions.push(dimension);
            }
            let attributes = bytes.attributes()?;
            let kind = bytes.number(4)?;
            let element = element(kind);
            if element.is_none() && kind != TEXT {
                return None;
            }
            // Bytes, which the format's own page says not to believe.
            bytes.count()?;
            let start = bytes.number(bytes.place_bytes)?;
            header.variables.push(Variable { name, dimensions, attributes, element, start });
        }
        header.find_records(file.len() as u64, version)?;
        Some(header)
    }

    /// Finds the size and the number of the records.
    fn find_records(&mut self, file_bytes: u64, version: u8) -> Option<()> {
        let grows: Vec<&Variable> = self.variables.iter().filter(|variable| self.grows(variable)).collect();
        let mut record_bytes = 0u64;
        for variable in &grows {
            let bytes = self.bytes_of_one(variable)?;
            // Of the only variable, records follow one another without a gap.
            record_bytes = record_bytes.checked_add(if grows.len() == 1 {
                bytes
            } else {
                bytes.checked_next_multiple_of(4)?
            })?;
        }
        let unknown = if version == 5 { u64::MAX } else { u32::MAX.into() };
        if self.records == unknown {
            let start = grows.iter().map(|variable| variable.start).min().unwrap_or(file_bytes);
            self.records = file_bytes.saturating_sub(start).checked_div(record_bytes).unwrap_or(0);
        }
        self.record_bytes = record_bytes;
        Some(())
    }

    /// Whether a variable has a part in each record.
    fn grows(&self, variable: &Variable) -> bool {
        variable.dimensions.first().is_some_and(|&first| self.dimensions[first].1 == 0)
    }

    fn shape(&self, variable: &Variable) -> Vec<u64> {
        let extent = |(axis, &dimension): (usize, &usize)| match self.dimensions[dimension].1 {
            0 if axis == 0 => self.records,
            extent => extent,
        };
        variable.dimensions.iter().enumerate().map(extent).collect()
    }

    /// Bytes of a variable in a record.
    fn bytes_of_one(&self, variable: &Variable) -> Option<u64> {
        let size = variable.element.map_or(1, |element| element.size() as u64);
        Shape(self.shape(variable)[1..].to_vec()).elements()?.checked_mul(size)
    }

    /// The variables of numbers; those that are axes of others only if there are no
    /// others.
    fn numbers(&self) -> Vec<&Variable> {
        let is_axis = |variable: &Variable| matches!(variable.dimensions[..], [only] if self.dimensions[only].0 == variable.name);
        let numbers = || self.variables.iter().filter(|variable| variable.element.is_some());
        let others: Vec<&Variable> = numbers().filter(|variable| !is_axis(variable)).collect();
        if others.is_empty() { numbers().collect() } else { others }
    }

    /// The elements of a variable; `None` if no file has so many.
    fn array(
        &self,
        input: &Input<'_>,
        map: &Arc<Mapping>,
        variable: &Variable,
        element: ElementType,
    ) -> Option<Result<Array, DataError>> {
        let shape = Shape(self.shape(variable));
        let offset = usize::try_from(variable.start).ok()?;
        let swapped = element.size() > 1 && cfg!(target_endian = "little");
        let mut layout = Layout { swapped, offset, ..Layout::contiguous(shape, element, Order::C) };
        let size = element.size() as u64;
        if self.grows(variable) {
            if !self.record_bytes.is_multiple_of(size) {
                return Some(self.records(input, map, variable, element, layout.shape.0));
            }
            layout.strides[0] = isize::try_from(self.record_bytes / size).ok()?;
        }
        Some(Array::new(shown(input.path).to_string(), map.clone(), layout))
    }

    /// The elements of a variable of which records are no whole number of elements
    /// apart.
    fn records(
        &self,
        input: &Input<'_>,
        map: &Mapping,
        variable: &Variable,
        element: ElementType,
        shape: Vec<u64>,
    ) -> Result<Array, DataError> {
        let bytes = self.bytes_of_one(variable).unwrap_or(u64::MAX);
        let expected_bytes = bytes.saturating_mul(self.records);
        let end = self.record_bytes.saturating_mul(self.records.saturating_sub(1)).saturating_add(bytes);
        let found_bytes = (map.bytes().len() as u64).saturating_sub(variable.start);
        if self.records > 0 && end > found_bytes {
            return Err(DataError::Truncated { path: input.path.to_owned(), expected_bytes, found_bytes });
        }
        let chunk = shape.iter().enumerate().map(|(axis, &extent)| if axis == 0 { 1 } else { extent.max(1) });
        let grid = Grid { chunk: chunk.collect(), shape, element };
        grid.read(
            input,
            &Records { map, start: variable.start, bytes, record_bytes: self.record_bytes, element },
            &[],
        )
    }
}

/// The parts of a variable that records have.
struct Records<'f> {
    map: &'f Mapping,
    start: u64,
    bytes: u64,
    record_bytes: u64,
    element: ElementType,
}

impl Chunks for Records<'_> {
    type Scratch = Vec<u8>;

    fn decode<'s>(&self, index: &[u64], scratch: &'s mut Vec<u8>) -> Result<Option<&'s [u8]>, DataError> {
        let start = self.start + index.first().copied().unwrap_or(0) * self.record_bytes;
        let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let Some(part) = self.map.bytes().get(place(start)..place(start + self.bytes)) else {
            return Ok(None);
        };
        scratch.clear();
        scratch.extend_from_slice(part);
        if cfg!(target_endian = "little") {
            swap(scratch, self.element);
        }
        Ok(Some(scratch))
    }

    fn stored_bytes(&self) -> u64 {
        self.map.bytes().len() as u64
    }
}
