//! The data that are fitted: typed, strided arrays, the storage of their bytes,
//! and the checked problem made of them.
//!
//! An [`Array`] is a shape, an [`ElementType`] and strides over a [`Storage`]: a
//! mapped file, a vector or the buffer of another library, shared by all arrays
//! over it. A [`MaskedArray`] is an array and its missing elements. [`Problem`]
//! puts X and T together, checks that their shapes match and that every valid
//! element is a finite number (the validity `scan`), and settles the one order in
//! which every engine goes through the elements, the [`ChunkGrid`] that results
//! are merged along and the [`Fits`] that elements belong to. A `spool` takes
//! elements that a format has to decode: to memory or, beyond a bound, to a
//! temporary file.

#[allow(clippy::module_inception, reason = "the type that the room is named after")]
mod array;
mod batches;
pub(crate) mod bitmap;
mod condition;
pub(crate) mod element;
pub(crate) mod error;
mod excluded;
mod gather;
mod grid;
mod groups;
#[cfg(any(feature = "parquet", feature = "tiff"))]
pub(crate) mod held;
pub(crate) mod hint;
pub(crate) mod identity;
mod labels;
mod levels;
pub(crate) mod mapping;
mod masked;
mod memory;
pub(crate) mod nodata;
pub(crate) mod parallel;
mod problem;
mod scaled;
mod scan;
mod selection;
mod shape;
pub(crate) mod spool;
mod storage;
mod validity;
mod whole;
mod window;

pub use array::read::Rounding;
pub use array::{Array, Layout};
pub use batches::{Batch, Batches, Epoch, Shuffle};
pub use bitmap::Bitmap;
pub use condition::Condition;
pub use element::{Bool8, Element, ElementType, Real, with_element};
pub use error::DataError;
pub(crate) use error::{harmless, shown};
pub use excluded::Excluded;
pub use gather::Gathering;
pub use grid::{CHUNK_ELEMENTS, ChunkGrid};
pub use groups::{Fits, Groups, GroupsError, Members};
pub(crate) use hint::alternatives;
pub use hint::{Hint, Hinted};
pub use labels::{LabelNames, Labels, NO_GROUP};
pub use levels::Level;
pub use mapping::guard_mappings;
pub use masked::{MaskedArray, Missing};
pub use memory::MemoryPlan;
pub use nodata::{Comparison, Nodata};
pub use problem::{Problem, ProblemBuilder};
pub use scaled::Scaling;
pub use selection::Selection;
pub use shape::{Order, Shape};
pub use storage::Storage;
pub use validity::{Validity, ValidityRules};
pub use whole::{Saturated, Whole};
pub use window::Window;
