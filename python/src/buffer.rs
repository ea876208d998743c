//! The memory of a NumPy array as linfit's storage, without a copy.

use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use linfit::array::{Array, ElementType, Layout, Shape, Storage};
use numpy::npyffi::objects::_PyArray_GET_ITEM_DATA;
use numpy::prelude::*;
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The bytes from the first to the last of the elements of a NumPy array, which
/// lives as long as they are used. It may be a view, of which the base then lives
/// on.
struct Buffer {
    start: NonNull<u8>,
    bytes: usize,
    _array: Py<PyAny>,
}

// SAFETY: the bytes are only read, and the array that owns them is not touched but to
// drop the reference to it, which needs no attached thread.
unsafe impl Send for Buffer {}
// SAFETY: likewise.
unsafe impl Sync for Buffer {}

impl Storage for Buffer {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `of` found that the array's elements are these bytes, and the array is
        // kept. NumPy lets other threads write to it meanwhile; the documentation asks
        // not to.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

/// A NumPy array of numbers, of any strides and byte order.
///
/// # Errors
/// `TypeError` for elements that are no numbers; `ValueError` for strides that are
/// not whole elements.
pub(crate) fn array_of(label: &str, array: &Bound<'_, PyUntypedArray>) -> PyResult<Array> {
    let (element, swapped) = element_of(label, array)?;
    let size = element.size();
    let shape = Shape(array.shape().iter().map(|&extent| extent as u64).collect());
    let apart =
        || PyValueError::new_err(format!("{label}: its strides are not whole elements; copy it first"));
    let is_empty = array.shape().contains(&0);
    let (mut before, mut after) = (0usize, size);
    let mut strides = Vec::with_capacity(array.shape().len());
    for (&extent, &stride) in array.shape().iter().zip(array.strides()) {
        // Along an axis of one element the stride may be anything.
        if is_empty || extent == 1 {
            strides.push(0);
            continue;
        }
        if stride.unsigned_abs() % size != 0 {
            return Err(apart());
        }
        let span = stride.unsigned_abs() * (extent - 1);
        if stride < 0 {
            before += span;
        } else {
            after += span;
        }
        strides.push(stride / isize::try_from(size).map_err(|_| apart())?);
    }
    // SAFETY: the pointer is to a live array; its data are what NumPy says.
    let first = unsafe { (*_PyArray_GET_ITEM_DATA(array.as_array_ptr())).data }.cast::<u8>();
    // SAFETY: the elements that the negative strides lead to are in the same allocation.
    let start = NonNull::new(first).map(|first| unsafe { first.sub(before) });
    let (start, bytes) = match start {
        Some(start) if !is_empty => (start, before + after),
        _ => (NonNull::dangling(), 0),
    };
    let offset = if is_empty { 0 } else { before };
    let storage = Buffer { start, bytes, _array: array.clone().into_any().unbind() };
    let layout = Layout { shape, element, strides, swapped, offset };
    Array::new(label.to_owned(), Arc::new(storage), layout).map_err(crate::error::of_data)
}

/// The type of an array's elements, and whether their bytes are in the other order.
fn element_of(label: &str, array: &Bound<'_, PyUntypedArray>) -> PyResult<(ElementType, bool)> {
    let dtype = array.dtype();
    let element = match (dtype.kind(), dtype.itemsize()) {
        (b'b', 1) => ElementType::Bool,
        (b'u', 1) => ElementType::U8,
        (b'i', 1) => ElementType::I8,
        (b'u', 2) => ElementType::U16,
        (b'i', 2) => ElementType::I16,
        (b'u', 4) => ElementType::U32,
        (b'i', 4) => ElementType::I32,
        (b'u', 8) => ElementType::U64,
        (b'i', 8) => ElementType::I64,
        (b'f', 2) => ElementType::F16,
        (b'f', 4) => ElementType::F32,
        (b'f', 8) => ElementType::F64,
        // The type of the package ml_dtypes.
        (_, 2) if dtype.getattr("name")?.cast::<PyString>().is_ok_and(|name| name == "bfloat16") => {
            ElementType::Bf16
        }
        _ => {
            return Err(PyTypeError::new_err(format!(
                "{label}: elements of type {dtype} are not numbers that can be fitted; convert them to float64, \
                 for example"
            )));
        }
    };
    let swapped = dtype.is_native_byteorder() == Some(false);
    Ok((element, swapped))
}
