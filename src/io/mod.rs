//! Files to arrays and back.
//!
//! A [`Source`] names a file and, where the format holds several arrays, a
//! key in it. Opening it gives an [`Array`](crate::array::Array): the shape, the
//! type and the bytes, usually still in the file (memory-mapped).
//!
//! Each format is one place: `npy`, `npz`, `safetensors`, `raw`, `tiff`, `png`,
//! `parquet`, `arrow`, `csv`. What an image's own masks and markers exclude, in
//! the file or in `sidecar` files beside it, is null. [`results`] writes
//! predictions in most of these formats, and [`output`] sees to it that no
//! half-written file is ever left. The small files that linfit writes for itself,
//! a model and a benchmark's results, are read as `document`s.

#[cfg(feature = "parquet")]
mod arrow;
mod baseline;
#[cfg(any(feature = "png", feature = "tiff"))]
mod bits;
mod checked;
mod claims;
mod csv;
mod decoding;
mod document;
mod model;
pub mod npy;
mod npz;
pub mod output;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "png")]
mod png;
mod raw;
pub mod results;
mod safetensors;
#[cfg(any(feature = "png", feature = "tiff"))]
mod sidecar;
mod source;
pub mod synthetic;
#[cfg(feature = "tiff")]
mod tiff;
#[cfg(any(feature = "png", feature = "tiff"))]
mod xml;

pub use baseline::{Baseline, BaselineResult};
pub use decoding::is_catching;
pub use document::{Document, DocumentError};
pub use model::{ModelFormat, load_model, to_safetensors};
pub use raw::{RawLayout, RawType};
pub use source::{Reading, Source, TextRules, open, open_pair};
