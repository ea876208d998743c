//! Plain numbers without a header: `.raw`, `.bin` and `.dat` files, mapped,
//! whose layout the user gives.

use super::input::Input;
use super::raw_layout::RawType;
use crate::array::{Array, DataError, Layout, Order, Shape};

/// Maps the numbers.
pub(super) fn open(input: &Input<'_>) -> Result<Array, DataError> {
    input.refuse_key()?;
    let raw = input.raw.ok_or_else(|| DataError::RawUnknown { path: input.path.to_owned() })?;
    let RawType { element, swapped } = raw.dtype;
    let map = input.map()?;
    let found_bytes = map.bytes().len() as u64;
    let size = element.size() as u64;
    let rest = found_bytes.saturating_sub(raw.offset);
    let shape = raw.shape.clone().unwrap_or_else(|| Shape(vec![rest / size]));
    let data_bytes = shape.elements().and_then(|elements| elements.checked_mul(size));
    let expected_bytes = data_bytes.and_then(|bytes| bytes.checked_add(raw.offset)).unwrap_or(u64::MAX);
    if expected_bytes != found_bytes {
        return Err(DataError::RawSize { path: input.path.to_owned(), expected_bytes, found_bytes });
    }
    let offset = usize::try_from(raw.offset).unwrap_or(usize::MAX);
    input.array(map, Layout { swapped, offset, ..Layout::contiguous(shape, element, Order::C) })
}
