//! What is fitted: matrices of any shape, order and element type, and the
//! files they come from.
//!
//! A [`Source`] names a file and, where the format holds several arrays, a
//! key in it. Opening it gives a [`Matrix`]: the shape, the [`ElementType`]
//! and the bytes, still in the file's own type, usually still in the file
//! (memory-mapped). [`Dataset`] puts X and T together, checks that they fit
//! each other and that every element is a finite number, and settles the one
//! order in which all engines visit the elements.
//!
//! One file a format: `npy`, `npz`, `safetensors`, `raw`, `tiff`, `png`,
//! `parquet`, `arrow`, `csv`. What cannot be mapped as it is, such as
//! compressed images and text, a [`Matrix`] takes from a spool: decoded once,
//! chunk by chunk, to memory or, beyond a bound, to a temporary file.
//! What an image's own masks and markers exclude, in the file or in `sidecar`
//! files beside it, is null. [`results`] writes predictions in most of these formats, and [`output`]
//! sees to it that no half-written file is ever left.

#[cfg(feature = "parquet")]
mod arrow;
mod attribute;
#[cfg(any(feature = "png", feature = "tiff"))]
mod bits;
mod choice;
mod claims;
mod counted;
mod csv;
mod dataset;
mod decoding;
mod element;
mod error;
mod georeference;
mod identity;
mod mapping;
mod matrix;
mod note;
pub mod npy;
mod npz;
mod nulls;
pub mod output;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "png")]
mod png;
mod raw;
pub mod results;
mod safetensors;
mod shape;
#[cfg(any(feature = "png", feature = "tiff"))]
mod sidecar;
mod source;
mod spool;
pub mod synthetic;
#[cfg(feature = "tiff")]
mod tiff;
mod validity;
mod whole;
#[cfg(any(feature = "png", feature = "tiff"))]
mod xml;

pub use attribute::nodata;
pub use dataset::Dataset;
pub use decoding::is_catching;
pub use element::{Bool8, Element, ElementType, Real, with_element};
pub use error::DataError;
pub(crate) use error::{harmless, shown};
pub use georeference::Georeference;
pub use mapping::guard_mappings;
pub use matrix::{Matrix, Rounding};
pub use note::{HeaderSign, LinesLike, NamesLike, Note};
pub use raw::{RawLayout, RawType};
pub use shape::{Order, Shape};
pub use source::{Reading, Source, TextRules, open, open_pair};
pub use validity::{Excluded, HoleRules, Validity};
pub use whole::{Saturated, Whole};
