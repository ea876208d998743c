//! Tensors of `.safetensors` files, memory-mapped.

use std::io::{self, Write};
use std::path::Path;

use ::safetensors::tensor::{Metadata, TensorInfo};
use ::safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value};

use super::fits_plan::{COUNT, FitsPlan, Keys, NUMBERS};
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::output::OutputFile;
use super::writer::{NAME, ResultPlan};
use super::{nodata, scaling};
use crate::array::error::{excerpt, reason};
use crate::array::{DataError, ElementType, LabelNames, Layout, Order, Shape};

const KIND: &str = ".safetensors";

/// Bytes before the header: its length, little-endian.
const LENGTH_BYTES: usize = 8;

/// Maps a tensor; without a key the only one.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let map = input.map()?;
    let header = Header::read(input, map.bytes())?;
    let names = header.metadata.offset_keys();
    let name = &names[input.choose("tensor", &names)?];
    let info = header.metadata.info(name).ok_or_else(|| input.invalid(KIND, "a tensor has no entry"))?;
    let unread = header.others.iter().find(|(other, _)| other == name).map(|(_, dtype)| dtype.clone());
    let element =
        element_type(info.dtype).filter(|_| unread.is_none()).ok_or_else(|| DataError::ElementType {
            path: format!("{}:{}", input.path.display(), excerpt(name)).into(),
            found: unread.map_or_else(|| info.dtype.to_string(), |dtype| excerpt(&dtype)),
        })?;
    let shape = Shape(info.shape.iter().map(|&extent| extent as u64).collect());
    let layout = Layout {
        swapped: cfg!(target_endian = "big"),
        offset: LENGTH_BYTES + header.bytes + info.data_offsets.0,
        ..Layout::contiguous(shape, element, Order::C)
    };
    let notes = header.metadata.metadata().as_ref();
    // The attribute of this tensor, else of all.
    let attributes = [&format!("{name}._FillValue"), "_FillValue"];
    let nodata = nodata::find(&attributes, |attribute| notes?.get(attribute));
    let own = [format!("{name}.scale_factor"), format!("{name}.add_offset")];
    let scaling = scaling::find(&[[&own[0], &own[1]]], |attribute| notes?.get(attribute));
    let opened = Opened::from(input.array(map, layout)?.keyed(name));
    Ok(opened.with_nodata(nodata).with_scaling(scaling))
}

/// The tensors of a file.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let map = input.map()?;
    let header = Header::read(input, map.bytes())?;
    let listed = |name: String| {
        let Some(info) = header.metadata.info(&name) else {
            return Listed::unread(name, "it has no entry".to_owned());
        };
        let other = header.others.iter().find(|(other, _)| *other == name).map(|(_, dtype)| dtype);
        match (element_type(info.dtype), other) {
            (Some(element), None) => {
                let shape = Shape(info.shape.iter().map(|&extent| extent as u64).collect());
                let notes = header.metadata.metadata().as_ref();
                let attributes = [&format!("{name}._FillValue"), "_FillValue"];
                let nodata = nodata::find(&attributes, |attribute| notes?.get(attribute));
                let listed = Listed::decoded(name, Some(shape), element.name()).missing(nodata.as_ref());
                Listed { is_mapped: true, ..listed }
            }
            (_, other) => {
                let found = other.map_or_else(|| info.dtype.to_string(), |dtype| excerpt(dtype));
                Listed::unread(name, format!("its type {found} is not read"))
            }
        }
    };
    Ok(header.metadata.offset_keys().into_iter().map(listed).collect())
}

/// A longer header the format's library refuses, and so does what reads it in
/// its place.
const MAX_HEADER_BYTES: usize = 100_000_000;

/// The header of a file: the places and types of its tensors.
struct Header {
    /// Its length, without the bytes that give it.
    bytes: usize,
    metadata: Metadata,
    /// The tensors of types that the format's library does not know, and these
    /// types; in the metadata they are bytes.
    others: Vec<(String, String)>,
}

impl Header {
    fn read(input: &Input<'_>, file: &[u8]) -> Result<Self, DataError> {
        match SafeTensors::read_metadata(file) {
            Ok((bytes, metadata)) => Ok(Self { bytes, metadata, others: Vec::new() }),
            // One tensor of a type that is not known keeps no other from being
            // read.
            Err(e) => Self::with_others(file).ok_or_else(|| input.invalid(KIND, &reason(&e.to_string()))),
        }
    }

    /// Reads a header as if tensors of types that are not known were bytes;
    /// `None` if there are none, or something else is wrong.
    fn with_others(file: &[u8]) -> Option<Self> {
        let (length, rest) = file.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (text, data) = rest.split_at_checked(length).filter(|_| length <= MAX_HEADER_BYTES)?;
        let mut header: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let mut others = Vec::new();
        for (name, entry) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
            let dtype = entry.get("dtype")?.clone();
            if serde_json::from_value::<Dtype>(dtype.clone()).is_err() {
                let offset = |k: usize| entry.get("data_offsets")?.get(k)?.as_u64();
                let bytes = offset(1)?.checked_sub(offset(0)?)?;
                let entry = entry.as_object_mut()?;
                entry.insert("dtype".to_owned(), "U8".into());
                entry.insert("shape".to_owned(), vec![bytes].into());
                others.push((name.clone(), dtype.as_str()?.to_owned()));
            }
        }
        let metadata: Metadata = serde_json::from_value(header.into()).ok()?;
        let end = metadata.tensors().values().map(|info| info.data_offsets.1).max();
        (!others.is_empty() && end == Some(data.len())).then_some(Self {
            bytes: text.len(),
            metadata,
            others,
        })
    }
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
pub(super) fn header(path: &Path, plan: &ResultPlan<'_>) -> Result<Vec<u8>, DataError> {
    let &ResultPlan { shape, element, .. } = plan;
    let failed = |reason: String| DataError::write(path, io::Error::other(reason));
    let dtype = dtype(element);
    let shape: Vec<usize> =
        shape.0.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
    let bytes = shape.iter().try_fold(dtype.bitsize() / 8, |bytes, &extent| bytes.checked_mul(extent));
    let bytes = bytes.ok_or_else(|| failed("the array is larger than any memory".to_owned()))?;
    let info = TensorInfo { dtype, shape, data_offsets: (0, bytes) };
    let metadata = Metadata::new(None, vec![(NAME.to_owned(), info)]).map_err(|e| failed(e.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|e| failed(e.to_string()))?;
    // The format aligns the data to 8 bytes.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}

/// Writes a file with a tensor for each number of many fits, and one that says what
/// numbers them: `axis` and `tile` as they were asked for, or the labels, `groups`.
pub(super) fn write_fits(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    const FITS: usize = 1 << 16;
    let failed = |reason: String| DataError::write(path, io::Error::other(reason));
    let (name, keys): (&str, Vec<i64>) = match plan.keys {
        Keys::Along(axes) => ("axis", axes.iter().filter_map(|&axis| i64::try_from(axis).ok()).collect()),
        Keys::Numbering(axes) => {
            ("numbering", axes.iter().filter_map(|&axis| i64::try_from(axis).ok()).collect())
        }
        Keys::Tiles { rows, columns } => {
            ("tile", [*rows, *columns].into_iter().filter_map(|extent| i64::try_from(extent).ok()).collect())
        }
        Keys::Labels(LabelNames::Whole(labels)) => {
            let labels = labels.iter().map(|&label| i64::try_from(label)).collect::<Result<_, _>>();
            ("groups", labels.map_err(|_| failed("a label is beyond i64; save as .parquet".to_owned()))?)
        }
        Keys::Labels(LabelNames::Text(_)) => {
            return Err(DataError::FitsOutput {
                path: path.to_owned(),
                reason: "the labels are text, which it does not hold",
                formats: ".parquet, .arrow, .csv or .json",
            });
        }
    };
    let shape: Vec<usize> =
        plan.shape.0.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
    let mut place = 0;
    let mut info = |dtype, shape: Vec<usize>, count: usize| {
        let data_offsets = (place, place + 8 * count);
        place = data_offsets.1;
        TensorInfo { dtype, shape, data_offsets }
    };
    let mut tensors = vec![(name.to_owned(), info(Dtype::I64, vec![keys.len()], keys.len()))];
    for (column, name) in plan.names.iter().enumerate() {
        let dtype = if column == COUNT { Dtype::I64 } else { Dtype::F64 };
        tensors.push(((*name).to_owned(), info(dtype, shape.clone(), plan.count)));
    }
    let metadata = Metadata::new(None, tensors).map_err(|e| failed(e.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|e| failed(e.to_string()))?;
    text.resize(text.len().next_multiple_of(LENGTH_BYTES), b' ');
    let mut file = OutputFile::create(path)?;
    let mut write = || -> io::Result<()> {
        file.write_all(&(text.len() as u64).to_le_bytes())?;
        file.write_all(&text)?;
        file.write_all(bytemuck::cast_slice(&keys))?;
        for column in 0..NUMBERS {
            for first in (0..plan.count).step_by(FITS) {
                file.write_all(&plan.bytes(column, first..plan.count.min(first + FITS)))?;
            }
        }
        Ok(())
    };
    write().map_err(|e| DataError::write(path, e))?;
    file.finish()
}
