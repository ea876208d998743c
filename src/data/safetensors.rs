//! Tensors of `.safetensors` files, memory-mapped.

use std::io;
use std::path::Path;

use ::safetensors::tensor::{Metadata, TensorInfo};
use ::safetensors::{Dtype, SafeTensors};

use super::attribute::NodataAttribute;
use super::error::reason;
use super::matrix::{Bytes, Layout};
use super::source::Input;
use super::{DataError, ElementType, Matrix, Order, Shape};

/// Bytes before the header: its length, little-endian.
const LENGTH_BYTES: usize = 8;

/// Maps a tensor; without a key the only one.
pub(super) fn open(input: &Input<'_>) -> Result<Matrix, DataError> {
    let map = input.map()?;
    let (header_bytes, metadata) = SafeTensors::read_metadata(map.bytes())
        .map_err(|e| input.invalid(".safetensors", &reason(&e.to_string())))?;
    let names = metadata.offset_keys();
    let name = &names[input.choose("tensor", &names)?];
    let info = metadata.info(name).ok_or_else(|| input.invalid(".safetensors", "a tensor has no entry"))?;
    let element = element_type(info.dtype).ok_or_else(|| DataError::ElementType {
        path: input.path.to_owned(),
        found: info.dtype.to_string(),
    })?;
    let layout = Layout {
        shape: Shape(info.shape.iter().map(|&extent| extent as u64).collect()),
        element,
        order: Order::C,
        swapped: cfg!(target_endian = "big"),
        offset: LENGTH_BYTES + header_bytes + info.data_offsets.0,
    };
    let notes = metadata.metadata().as_ref();
    // Of this tensor, else of all.
    let attributes = [&format!("{name}._FillValue"), "_FillValue"];
    let nodata = NodataAttribute::find(&attributes, |attribute| notes?.get(attribute));
    Ok(Matrix::from_bytes(input.path, Box::new(map), layout)?.keyed(name).with_nodata(nodata))
}

fn element_type(dtype: Dtype) -> Option<ElementType> {
    Some(match dtype {
        Dtype::BOOL => ElementType::Bool,
        Dtype::U8 => ElementType::U8,
        Dtype::I8 => ElementType::I8,
        Dtype::U16 => ElementType::U16,
        Dtype::I16 => ElementType::I16,
        Dtype::U32 => ElementType::U32,
        Dtype::I32 => ElementType::I32,
        Dtype::U64 => ElementType::U64,
        Dtype::I64 => ElementType::I64,
        Dtype::F16 => ElementType::F16,
        Dtype::BF16 => ElementType::Bf16,
        Dtype::F32 => ElementType::F32,
        Dtype::F64 => ElementType::F64,
        _ => return None,
    })
}

fn dtype(element: ElementType) -> Dtype {
    match element {
        ElementType::Bool => Dtype::BOOL,
        ElementType::U8 => Dtype::U8,
        ElementType::I8 => Dtype::I8,
        ElementType::U16 => Dtype::U16,
        ElementType::I16 => Dtype::I16,
        ElementType::U32 => Dtype::U32,
        ElementType::I32 => Dtype::I32,
        ElementType::U64 => Dtype::U64,
        ElementType::I64 => Dtype::I64,
        ElementType::F16 => Dtype::F16,
        ElementType::Bf16 => Dtype::BF16,
        ElementType::F32 => Dtype::F32,
        ElementType::F64 => Dtype::F64,
    }
}

/// The first bytes of a file with a single tensor, up to its data.
pub(super) fn header(
    path: &Path,
    shape: &Shape,
    name: &str,
    element: ElementType,
) -> Result<Vec<u8>, DataError> {
    let failed = |reason: String| DataError::write(path, io::Error::other(reason));
    let dtype = dtype(element);
    let shape: Vec<usize> =
        shape.0.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
    let bytes = shape.iter().try_fold(dtype.bitsize() / 8, |bytes, &extent| bytes.checked_mul(extent));
    let bytes = bytes.ok_or_else(|| failed("the array is larger than any memory".to_owned()))?;
    let info = TensorInfo { dtype, shape, data_offsets: (0, bytes) };
    let metadata = Metadata::new(None, vec![(name.to_owned(), info)]).map_err(|e| failed(e.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|e| failed(e.to_string()))?;
    // The format aligns the data to 8 bytes.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}
