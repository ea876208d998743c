//! Numbers as Arrow stores them, from the bytes of a buffer or from an array.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Decimal256Type};
use arrow_schema::DataType;

use super::column::{Column, KIND, element_type};
use crate::array::spool::Spool;
use crate::array::{Bitmap, Bool8, DataError, Element, Shape};
use crate::io::input::Input;
use crate::io::metadata::Opened;
use crate::with_element;

impl Column {
    /// Reads the column, the only one in each of the batches.
    pub(in super::super) fn read(
        &self,
        input: &Input<'_>,
        batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
    ) -> Result<Opened, DataError> {
        let unlike = || input.invalid(KIND, "a column is not what the schema says");
        with_element!(self.element, E => {
            let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
            let mut valid = Bitmap::default();
            let mut rows = 0;
            let mut rounded = 0;
            for batch in batches {
                let batch = batch?;
                let mut array = batch.column(0);
                null_rows(array).into_iter().for_each(|k| valid.exclude(rows + k));
                for &place in &self.fields {
                    array = array.as_struct_opt().and_then(|fields| fields.columns().get(place)).ok_or_else(unlike)?;
                    null_rows(array).into_iter().for_each(|k| valid.exclude(rows + k));
                }
                let places = append(array.as_ref(), &mut spool)?.ok_or_else(unlike)?;
                // In the place of a null there may be anything.
                rounded += places.iter().filter(|&k| valid.contains(rows + k)).count() as u64;
                rows += batch.num_rows();
            }
            Ok(self.opened(spool.finish(Shape(vec![rows as u64]))?, valid, rounded))
        })
    }
}

/// The rows of an array that are null.
fn null_rows(array: &dyn arrow_array::Array) -> Vec<usize> {
    array
        .logical_nulls()
        .map_or_else(Vec::new, |nulls| (0..array.len()).filter(|&k| nulls.is_null(k)).collect())
}

/// Appends the values of an array, 0 for a null, and tells which decimals are
/// rounded; `None` if they are of another type or fewer than they should be.
fn append<E: Element>(
    array: &dyn arrow_array::Array,
    spool: &mut Spool<E>,
) -> Result<Option<Vec<usize>>, DataError> {
    let data_type = array.data_type();
    if element_type(data_type) != Some(E::TYPE) {
        return Ok(None);
    }
    let mut rounded = Vec::new();
    let values = match array.as_boolean_opt() {
        Some(bits) => {
            let bytes: Vec<Bool8> = bits.values().iter().map(|bit| Bool8(u8::from(bit))).collect();
            bytemuck::try_cast_vec(bytes).ok()
        }
        None => stored(array).and_then(|bytes| {
            rounded = rounded_decimals(data_type, &bytes);
            numbers::<E>(data_type, &bytes, array.len())
        }),
    };
    let Some(mut values) = values else { return Ok(None) };
    // Whatever the file has in their place.
    null_rows(array).into_iter().for_each(|k| values[k] = E::zeroed());
    spool.append(&values)?;
    Ok(Some(rounded))
}

/// The bytes of an array of numbers.
fn stored(array: &dyn arrow_array::Array) -> Option<Vec<u8>> {
    let data = array.to_data();
    let size = data.data_type().primitive_width()?;
    let start = data.offset() * size;
    data.buffers().first()?.get(start..start + data.len() * size).map(<[u8]>::to_vec)
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
