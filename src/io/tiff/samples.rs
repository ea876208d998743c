//! The number and the kind of an image's samples.

use super::directory::Directory;
use super::tag;
use crate::array::{DataError, ElementType};
use crate::io::input::Input;

/// Samples of a pixel of a directory.
pub(super) fn count(directory: &Directory<'_>) -> Result<usize, DataError> {
    let samples = directory.number(tag::SAMPLES)?.unwrap_or(1);
    Ok(usize::from(u16::try_from(samples).unwrap_or(u16::MAX)).max(1))
}

/// Kinds of samples.
pub(super) mod format {
    pub(in crate::io::tiff) const UINT: u64 = 1;
    pub(in crate::io::tiff) const INT: u64 = 2;
    pub(in crate::io::tiff) const FLOAT: u64 = 3;
    pub(in crate::io::tiff) const COMPLEX_INT: u64 = 5;
    pub(in crate::io::tiff) const COMPLEX_FLOAT: u64 = 6;
}

/// The type of samples, if they are read.
pub(super) fn element_type(format: u64, bits: u64) -> Option<ElementType> {
    Some(match (format, bits) {
        (format::UINT, 1 | 2 | 4 | 8) => ElementType::U8,
        (format::UINT, 16) => ElementType::U16,
        (format::UINT, 32) => ElementType::U32,
        (format::UINT, 64) => ElementType::U64,
        (format::INT, 8) => ElementType::I8,
        (format::INT, 16) => ElementType::I16,
        (format::INT, 32) => ElementType::I32,
        (format::INT, 64) => ElementType::I64,
        (format::FLOAT, 16) => ElementType::F16,
        (format::FLOAT, 32) => ElementType::F32,
        (format::FLOAT, 64) => ElementType::F64,
        _ => return None,
    })
}

/// The error of samples that are not read.
pub(super) fn other_samples(input: &Input<'_>, format: u64, bits: u64) -> DataError {
    let kind = match format {
        format::UINT | format::INT => "whole numbers",
        format::FLOAT => "floating-point numbers",
        format::COMPLEX_INT | format::COMPLEX_FLOAT => "complex numbers",
        _ => "of an unknown kind",
    };
    let remedy = match format {
        format::UINT => "convert them to 1, 2, 4, 8, 16, 32 or 64 bits",
        format::INT => "convert them to 8, 16, 32 or 64 bits",
        format::FLOAT => "convert them to 16, 32 or 64 bits",
        _ => "convert them to real numbers of 32 or 64 bits",
    };
    input.unsupported(format!("its samples are {kind} ({bits} bits)"), remedy)
}
