//! NumPy's `.npy` files, format versions 1 to 3, memory-mapped.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use npyz::{Endianness, NpyHeader, TypeChar, WriterBuilder};

use super::input::Input;
use super::writer::ResultFile;
use crate::array::error::{excerpt, shown};
use crate::array::mapping::Mapping;
use crate::array::{Array, DataError, ElementType, Layout, Order, Shape};

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy refuses longer headers too (`max_header_size`).
pub(super) const MAX_HEADER_BYTES: usize = 10_000;

/// Bytes before the header: signature, version and length.
const LONGEST_PREFIX: usize = 12;

/// No header of an array of plain values opens more brackets than
/// `{'descr': '<M8[s]', …, 'shape': (…)}`. The header's parser may read what
/// is in brackets twice, in brackets in brackets four times, and so on.
const MAX_HEADER_BRACKETS: usize = 3;

const NOT_A_HEADER: &str = "its header is not a dictionary with descr, fortran_order and shape";

/// Opens a `.npy` file: maps it into memory and checks that its header makes
/// sense and that all its data is there. Elements are read when used.
///
/// # Errors
/// [`DataError`]: the file can't be opened or mapped, its header is invalid,
/// its elements aren't numbers, or it is truncated.
pub fn open(path: &Path) -> Result<Array, DataError> {
    map(path, &File::open(path).map_err(|e| DataError::io(path, e))?)
}

/// Opens the array of an input.
pub(super) fn read(input: &Input<'_>) -> Result<Array, DataError> {
    input.refuse_key().and_then(|()| map(input.path, input.file))
}

fn map(path: &Path, file: &File) -> Result<Array, DataError> {
    let map = Mapping::named(path, file).map_err(|e| DataError::io(path, e))?;
    let layout = layout(path, map.bytes())?;
    Array::new(shown(path).to_string(), Arc::new(map), layout)
}

/// The layout that the header of a `.npy` file gives.
pub(super) fn layout(path: &Path, file: &[u8]) -> Result<Layout, DataError> {
    let invalid = |reason: String| invalid(path, reason);
    // What a mapped file has may change: the header is copied once, so that
    // what is parsed is what was checked.
    let file = &file[..file.len().min(MAX_HEADER_BYTES + LONGEST_PREFIX)].to_vec();
    let (text, offset) = header_text(file).map_err(invalid)?;
    if has_fields(text) {
        let found = "record (several named fields)".to_owned();
        return Err(DataError::ElementType { path: path.to_owned(), found });
    }
    check_plain(text).map_err(|reason| invalid(reason.to_owned()))?;
    check_shape(path, text)?;
    let header = parse(&file[..offset]).map_err(invalid)?;

    let (element, swapped) = element_type(&header)
        .ok_or_else(|| DataError::ElementType { path: path.to_owned(), found: header.dtype().descr() })?;
    let order = match header.order() {
        npyz::Order::C => Order::C,
        npyz::Order::Fortran => Order::Fortran,
    };
    Ok(Layout { swapped, offset, ..Layout::contiguous(Shape(header.shape().to_vec()), element, order) })
}

fn invalid(path: &Path, reason: String) -> DataError {
    DataError::Invalid { path: path.to_owned(), kind: ".npy", reason }
}

/// The text of the header, after a first look at its size, and where the data
/// starts.
fn header_text(file: &[u8]) -> Result<(&str, usize), String> {
    if !file.starts_with(MAGIC) {
        return Err("it does not start with the .npy signature".to_owned());
    }
    let truncated = || "the header is truncated; copy or write the file again".to_owned();
    let Some([.., major, minor, a, b, c, d]) = file.first_chunk::<LONGEST_PREFIX>() else {
        return Err(truncated());
    };
    let (start, bytes) = match major {
        1 => (10, usize::from(u16::from_le_bytes([*a, *b]))),
        2 | 3 => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        _ => return Err(format!("unknown format version {major}.{minor}")),
    };
    if bytes > MAX_HEADER_BYTES {
        return Err(format!("its header of {bytes} bytes is longer than {MAX_HEADER_BYTES}"));
    }
    let offset = start + bytes;
    let text = file.get(start..offset).ok_or_else(truncated)?;
    let text = std::str::from_utf8(text).map_err(|_| "its header is not text".to_owned())?;
    Ok((text, offset))
}

/// Whether the type in the header is a list of fields.
fn has_fields(header: &str) -> bool {
    header
        .split_once("descr")
        .is_some_and(|(_, rest)| rest.trim_start_matches(['\'', '"', ':', ' ']).starts_with('['))
}

/// Refuses headers that a damaged or hostile file may have and no array of
/// plain values has, before the header's parser spends too long on them or is
/// shown another shape than [`check_shape`].
fn check_plain(header: &str) -> Result<(), &'static str> {
    let brackets = header.matches(['(', '[', '{']).count();
    let shapes = header.matches("shape").count();
    if brackets > MAX_HEADER_BRACKETS || shapes > 1 || header.contains('\\') {
        return Err(NOT_A_HEADER);
    }
    Ok(())
}

/// Parses a file's first bytes up to the data.
fn parse(head: &[u8]) -> Result<NpyHeader, String> {
    let mut head = head.to_vec();
    // Python 2 wrote long integers as 3L, which the parser doesn't know.
    for k in 1..head.len() {
        if head[k] == b'L' && head[k - 1].is_ascii_digit() {
            head[k] = b' ';
        }
    }
    NpyHeader::from_reader(&head[..]).map_err(|e| {
        let reason = e.to_string();
        // A syntax error comes as a drawing of several lines.
        if reason.contains('\n') { NOT_A_HEADER.to_owned() } else { reason }
    })
}

/// Refuses a shape that isn't a tuple of counts, or that has more elements
/// than a `u64` counts, before the header's parser multiplies its extents.
fn check_shape(path: &Path, header: &str) -> Result<(), DataError> {
    // A header without a shape is left to the parser's own message.
    let Some((_, rest)) = header.split_once("shape") else { return Ok(()) };
    let tuple: String =
        rest.chars().skip_while(|c| !"([".contains(*c)).take_while(|c| !")]".contains(*c)).collect();
    let extents =
        tuple.trim_start_matches(['(', '[']).split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let mut product = 1u64;
    for extent in extents {
        let digits = extent.strip_suffix('L').unwrap_or(extent);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let reason = format!("its shape has {:?} where a count should be", excerpt(extent));
            return Err(invalid(path, reason));
        }
        product = digits.parse().ok().and_then(|extent: u64| product.checked_mul(extent.max(1))).ok_or_else(
            || DataError::AbsurdShape { path: path.to_owned(), shape: excerpt(&format!("{tuple})")) },
        )?;
    }
    Ok(())
}

/// The element type, and whether its bytes are in the other order than this
/// machine's; `None` for anything that isn't a plain real number.
fn element_type(header: &NpyHeader) -> Option<(ElementType, bool)> {
    let npyz::DType::Plain(plain) = header.dtype() else { return None };
    let element = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Bool, 1) => ElementType::Bool,
        (TypeChar::Uint, 1) => ElementType::U8,
        (TypeChar::Uint, 2) => ElementType::U16,
        (TypeChar::Uint, 4) => ElementType::U32,
        (TypeChar::Uint, 8) => ElementType::U64,
        (TypeChar::Int, 1) => ElementType::I8,
        (TypeChar::Int, 2) => ElementType::I16,
        (TypeChar::Int, 4) => ElementType::I32,
        (TypeChar::Int, 8) => ElementType::I64,
        (TypeChar::Float, 2) => ElementType::F16,
        (TypeChar::Float, 4) => ElementType::F32,
        (TypeChar::Float, 8) => ElementType::F64,
        _ => return None,
    };
    let endianness = plain.endianness();
    let swapped = endianness != Endianness::Irrelevant && endianness != Endianness::of_machine();
    Some((element, swapped))
}

/// Starts a `.npy` file for an array of this shape, whose elements will be given
/// in `order`, in this machine's byte order.
///
/// # Errors
/// [`DataError::Write`], [`DataError::OutputFormat`],
/// [`DataError::OutputTooLarge`].
pub fn create(
    path: &Path,
    shape: &Shape,
    element: ElementType,
    order: Order,
) -> Result<ResultFile, DataError> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npy")) {
        return Err(DataError::OutputFormat { path: path.to_owned(), what: "results", formats: ".npy" });
    }
    if shape.elements().and_then(|elements| elements.checked_mul(element.size() as u64)).is_none() {
        return Err(DataError::OutputTooLarge { path: path.to_owned(), shape: shape.clone() });
    }
    ResultFile::headed(path, shape, element, &header(path, shape, element, order)?)
}

/// The first bytes of a `.npy` file, up to its data.
pub(super) fn header(
    path: &Path,
    shape: &Shape,
    element: ElementType,
    order: Order,
) -> Result<Vec<u8>, DataError> {
    let kind = match element {
        ElementType::Bool => 'b',
        ElementType::U8 | ElementType::U16 | ElementType::U32 | ElementType::U64 => 'u',
        ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64 => 'i',
        ElementType::F16 | ElementType::F32 | ElementType::F64 => 'f',
        ElementType::Bf16 => {
            let shape = shape.clone();
            return Err(DataError::OutputShape { path: path.to_owned(), kind: ".npy", element, shape });
        }
    };
    let endian = match (element.size(), cfg!(target_endian = "little")) {
        (1, _) => '|',
        (_, true) => '<',
        (_, false) => '>',
    };
    let descr = format!("{endian}{kind}{}", element.size());
    let failed = |e| DataError::write(path, e);
    let plain = descr.parse().map_err(|e| failed(io::Error::other(format!("{descr}: {e}"))))?;
    let order = match order {
        Order::C => npyz::Order::C,
        Order::Fortran => npyz::Order::Fortran,
    };
    let mut header = Vec::new();
    npyz::WriteOptions::new_header_only()
        .dtype(npyz::DType::Plain(plain))
        .shape(&shape.0)
        .order(order)
        .writer(&mut header)
        .write_header_only()
        .map_err(failed)?;
    Ok(header)
}
