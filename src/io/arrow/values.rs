//! Numbers as Arrow stores them, from the bytes of a buffer or from an array.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Decimal256Type};
use arrow_schema::DataType;

use super::column::{Column, KIND, element_type};
use crate::array::bitmap::WORD;
use crate::array::spool::Spool;
use crate::array::{Bitmap, Bool8, DataError, Element, Shape};
use crate::io::input::Input;
use crate::io::metadata::Opened;
use crate::with_element;

/// A part of a column that was decoded to its place.
#[derive(Default)]
pub(in super::super) struct Part {
    /// The rows that were found, also beyond those that there is room for.
    pub(in super::super) rows: usize,
    /// Those that are not null, counted from the part's first.
    pub(in super::super) valid: Bitmap,
    /// Decimals that have more digits than f64 holds.
    pub(in super::super) rounded: u64,
}

impl Part {
    /// Adds the part that follows.
    pub(in super::super) fn append(&mut self, part: &Self) {
        self.valid.append(self.rows, &part.valid);
        self.rows += part.rows;
        self.rounded += part.rounded;
    }
}

impl Column {
    /// Reads the column, the only one in each of the batches.
    pub(in super::super) fn read(
        &self,
        input: &Input<'_>,
        batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    ) -> Result<Opened, DataError> {
        with_element!(self.element, E => {
            let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
            let mut part = Part::default();
            let mut values: Vec<E> = Vec::new();
            for batch in batches {
                let batch = batch?;
                values.clear();
                values.resize(batch.num_rows(), <E as bytemuck::Zeroable>::zeroed());
                self.batch(input, &batch, bytemuck::cast_slice_mut(&mut values), &mut part)?;
                spool.append(&values)?;
            }
            let Part { rows, valid, rounded } = part;
            Ok(self.opened(spool.finish(Shape(vec![rows as u64]))?, valid, rounded))
        })
    }

    /// Reads a part of the column, the only one in each of the batches, to the bytes
    /// of its place.
    pub(in super::super) fn fill(
        &self,
        input: &Input<'_>,
        batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
        place: &mut [u8],
    ) -> Result<Part, DataError> {
        let mut part = Part::default();
        let size = self.element.size();
        let mut beyond = Vec::new();
        for batch in batches {
            let batch = batch?;
            let (start, bytes) = (part.rows * size, batch.num_rows() * size);
            let to = if let Some(to) = place.get_mut(start..).and_then(|rest| rest.get_mut(..bytes)) {
                to
            } else {
                // The file has more rows than it claims: they are counted.
                beyond.resize(bytes, 0);
                &mut beyond[..bytes]
            };
            self.batch(input, &batch, to, &mut part)?;
        }
        Ok(part)
    }

    /// Reads the rows of a batch to the bytes of their place.
    fn batch(
        &self,
        input: &Input<'_>,
        batch: &RecordBatch,
        to: &mut [u8],
        part: &mut Part,
    ) -> Result<(), DataError> {
        let unlike = || input.invalid(KIND, "a column is not what the schema says");
        let mut array = batch.column(0);
        if let Some(nulls) = nulls(array) {
            part.valid.append(part.rows, &nulls);
        }
        for &place in &self.fields {
            array =
                array.as_struct_opt().and_then(|fields| fields.columns().get(place)).ok_or_else(unlike)?;
            let nulls = nulls(array);
            nulls
                .iter()
                .flat_map(crate::array::bitmap::Bitmap::excluded)
                .for_each(|k| part.valid.exclude(part.rows + k));
        }
        let places = with_element!(self.element, E => {
            // Of unaligned bytes there are none: they are a vector's of elements, or held.
            bytemuck::try_cast_slice_mut::<u8, E>(to).ok().and_then(|to| copy(array.as_ref(), to))
        });
        let places = places.ok_or_else(unlike)?;
        // In the place of a null there may be anything.
        part.rounded += places.iter().filter(|&k| part.valid.contains(part.rows + k)).count() as u64;
        part.rows += batch.num_rows();
        Ok(())
    }
}

/// The rows of an array that are not null; `None` if none is null.
fn nulls(array: &dyn arrow_array::Array) -> Option<Bitmap> {
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0)?;
    let chunks = nulls.inner().bit_chunks();
    let whole = chunks.iter().chain((chunks.remainder_len() > 0).then(|| chunks.remainder_bits()));
    #[expect(clippy::cast_possible_truncation, reason = "halves")]
    let mut words: Vec<u32> = whole.flat_map(|word| [word as u32, (word >> 32) as u32]).collect();
    words.truncate(array.len().div_ceil(WORD));
    Some(Bitmap::from_words(words, array.len()))
}

/// Copies the values of an array, 0 for a null, and tells which decimals are
/// rounded; `None` if they are of another type or fewer than they should be.
fn copy<E: Element>(array: &dyn arrow_array::Array, to: &mut [E]) -> Option<Vec<usize>> {
    let data_type = array.data_type();
    if element_type(data_type) != Some(E::TYPE) || array.len() != to.len() {
        return None;
    }
    let mut rounded = Vec::new();
    if let Some(bits) = array.as_boolean_opt() {
        let bytes: Vec<Bool8> = bits.values().iter().map(|bit| Bool8(u8::from(bit))).collect();
        to.copy_from_slice(bytemuck::try_cast_slice(&bytes).ok()?);
    } else {
        let data = array.to_data();
        let size = data.data_type().primitive_width()?;
        let start = data.offset() * size;
        let bytes = data.buffers().first()?.get(start..start + data.len() * size)?;
        if data_type.is_decimal() {
            rounded = rounded_decimals(data_type, bytes);
            to.copy_from_slice(&numbers::<E>(data_type, bytes, array.len())?);
        } else {
            bytemuck::try_cast_slice_mut::<E, u8>(to).ok()?.copy_from_slice(bytes);
        }
    }
    // Whatever the file has in their place.
    nulls(array).iter().flat_map(crate::array::bitmap::Bitmap::excluded).for_each(|k| to[k] = E::zeroed());
    Some(rounded)
}

/// The bits that a number takes in a buffer.
pub(super) fn bits(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean => Some(1),
        number => Some(8 * number.primitive_width()?),
    }
}

/// The numbers in bytes of a buffer, `count` of them; `None` if they are of
/// another type.
pub(super) fn numbers<E: Element>(data_type: &DataType, bytes: &[u8], count: usize) -> Option<Vec<E>> {
    if data_type == &DataType::Boolean {
        let bit = |k: usize| Some(Bool8(bytes.get(k / 8)? >> (k % 8) & 1));
        let bits: Vec<Bool8> = (0..count).map(bit).collect::<Option<_>>()?;
        return bytemuck::try_cast_vec(bits).ok();
    }
    if data_type.is_decimal() {
        return bytemuck::try_cast_vec(decimals(data_type, bytes)?).ok();
    }
    if data_type.primitive_width() != Some(size_of::<E>()) || !bytes.len().is_multiple_of(size_of::<E>()) {
        return None;
    }
    Some(bytemuck::pod_collect_to_vec(bytes))
}

/// The keys in bytes of a buffer, each `None` if it can be no place; `None` if
/// they are of another type.
pub(super) fn keys(key_type: &DataType, bytes: &[u8]) -> Option<Vec<Option<usize>>> {
    fn of<const SIZE: usize, T>(bytes: &[u8], key: impl Fn([u8; SIZE]) -> T) -> Vec<Option<usize>>
    where
        usize: TryFrom<T>,
    {
        let (keys, _) = bytes.as_chunks();
        keys.iter().map(|&bytes| usize::try_from(key(bytes)).ok()).collect()
    }
    Some(match key_type {
        DataType::Int8 => of(bytes, i8::from_ne_bytes),
        DataType::Int16 => of(bytes, i16::from_ne_bytes),
        DataType::Int32 => of(bytes, i32::from_ne_bytes),
        DataType::Int64 => of(bytes, i64::from_ne_bytes),
        DataType::UInt8 => of(bytes, u8::from_ne_bytes),
        DataType::UInt16 => of(bytes, u16::from_ne_bytes),
        DataType::UInt32 => of(bytes, u32::from_ne_bytes),
        DataType::UInt64 => of(bytes, u64::from_ne_bytes),
        _ => return None,
    })
}

/// Decimal numbers, each as the f64 nearest to it.
fn decimals(data_type: &DataType, bytes: &[u8]) -> Option<Vec<f64>> {
    type I256 = <Decimal256Type as ArrowPrimitiveType>::Native;
    fn of<const SIZE: usize, T: Copy + std::fmt::Display>(
        bytes: &[u8],
        scale: i8,
        value: impl Fn([u8; SIZE]) -> T,
        digits: impl Fn(T) -> Option<i128>,
    ) -> Option<Vec<f64>> {
        let nearest = |value: T| match digits(value).and_then(|digits| quotient(digits, scale)) {
            Some(number) => Some(number),
            None => format!("{value}e{}", -i32::from(scale)).parse().ok(),
        };
        let (values, _) = bytes.as_chunks();
        values.iter().map(|&bytes| nearest(value(bytes))).collect()
    }
    match *data_type {
        DataType::Decimal32(_, scale) => of(bytes, scale, i32::from_ne_bytes, |value| Some(value.into())),
        DataType::Decimal64(_, scale) => of(bytes, scale, i64::from_ne_bytes, |value| Some(value.into())),
        DataType::Decimal128(_, scale) => of(bytes, scale, i128::from_ne_bytes, Some),
        DataType::Decimal256(_, scale) => of(bytes, scale, I256::from_le_bytes, I256::to_i128),
        _ => None,
    }
}

/// The places of decimals in bytes of a buffer that have more digits than f64
/// holds, those of nulls included, where there may be anything.
pub(super) fn rounded_decimals(data_type: &DataType, bytes: &[u8]) -> Vec<usize> {
    fn of<const SIZE: usize>(bytes: &[u8], digits: impl Fn([u8; SIZE]) -> Option<i128>) -> Vec<usize> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "the question is whether"
        )]
        let is_rounded = |digits: Option<i128>| digits.is_none_or(|digits| (digits as f64) as i128 != digits);
        let (values, _) = bytes.as_chunks();
        (0..values.len()).filter(|&k| is_rounded(digits(values[k]))).collect()
    }
    match data_type {
        DataType::Decimal64(..) => of(bytes, |bytes| Some(i64::from_ne_bytes(bytes).into())),
        DataType::Decimal128(..) => of(bytes, |bytes| Some(i128::from_ne_bytes(bytes))),
        DataType::Decimal256(..) => {
            of(bytes, |bytes| <Decimal256Type as ArrowPrimitiveType>::Native::from_le_bytes(bytes).to_i128())
        }
        _ => Vec::new(),
    }
}

/// digits / 10^scale, if both are exact in f64, so that the quotient is the
/// nearest number.
#[expect(clippy::cast_precision_loss, reason = "none is lost up to 2^53")]
fn quotient(digits: i128, scale: i8) -> Option<f64> {
    if digits.unsigned_abs() > 1 << 53 || !(0..=22).contains(&scale) {
        return None;
    }
    let power = (0..scale).fold(1.0, |power, _| power * 10.0);
    Some(digits as f64 / power)
}
