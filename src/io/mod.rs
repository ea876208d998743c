//! Files to arrays and back.
//!
//! A [`Source`] names a file and, where the format holds several arrays, a
//! key in it. Opening it gives an [`Opened`]: an [`Array`](crate::array::Array),
//! usually still in the file (memory-mapped), and the [`Metadata`] that the file
//! has for it.
//!
//! Each format is one place: `npy`, `npz`, `safetensors`, `raw`, `tiff`, `png`,
//! `parquet`, `arrow`, `csv`, `hdf5`, `netcdf`, `zarr`; the last three share `chunked`
//! arrays and the conventions of `cf`. Its reader is given an `input`, its writer a
//! [`ResultPlan`](results::ResultPlan). Only the two front doors, `source` and
//! [`results`], name the formats. Pixels that an image's own masks and markers
//! exclude, in the file or in `sidecar` files beside it, are null. [`output`] sees
//! to it that no half-written file is ever left. The small files that linfit writes
//! for itself, a model and a benchmark's results, are read as `document`s.

#[cfg(feature = "parquet")]
mod arrow;
mod baseline;
#[cfg(any(feature = "png", feature = "tiff"))]
mod bits;
#[cfg(any(feature = "hdf5", feature = "zarr"))]
mod cf;
mod checked;
mod choice;
#[cfg(any(feature = "hdf5", feature = "zarr"))]
mod chunked;
mod claims;
mod csv;
mod dataset;
mod decoding;
mod document;
mod envi;
pub mod fits;
mod fits_file;
mod fits_plan;
mod georeference;
#[cfg(feature = "hdf5")]
mod hdf5;
mod image_profile;
mod input;
mod labels;
mod listing;
mod metadata;
mod model;
mod nearest;
#[cfg(feature = "hdf5")]
mod netcdf;
mod nodata;
mod note;
pub mod npy;
mod npz;
pub mod output;
#[cfg(feature = "parquet")]
mod parquet;
mod pieces;
#[cfg(feature = "png")]
mod png;
mod raw;
mod raw_layout;
mod read_at;
pub mod results;
mod safetensors;
mod safetensors_shards;
mod scaling;
mod selection;
#[cfg(any(feature = "png", feature = "tiff"))]
mod sidecar;
mod source;
mod source_name;
mod stack;
pub mod synthetic;
mod text_rules;
mod texts;
#[cfg(feature = "tiff")]
mod tiff;
mod writer;
#[cfg(any(feature = "png", feature = "tiff"))]
mod xml;
#[cfg(feature = "zarr")]
mod zarr;

pub use baseline::{Baseline, BaselineResult};
pub use decoding::is_catching;
pub use document::{Document, DocumentError, read_object};
pub use georeference::Georeference;
pub use image_profile::{ImageCompression, ImageProfile};
pub use listing::{Listed, Listing};
pub use metadata::{Metadata, Opened, check_keys};
pub use model::{ModelFormat, SavedDescent, load_descent, load_model, to_safetensors};
pub use nodata::{NodataError, nodata};
pub use note::{HeaderSign, LinesLike, NamesLike, Note};
pub use raw_layout::{RawLayout, RawType};
pub use source::{Reading, Source, open, open_pair};
pub use text_rules::{Decimal, Delimiter, TextRules};
pub use texts::Texts;
