//! What is fitted: typed arrays, what holds their bytes, and the checked
//! problem made of them.
//!
//! An [`Array`] is a shape, an [`ElementType`] and bytes, still in the type and
//! the order in which a file stores them. [`Problem`] puts X and T together,
//! checks that their shapes match and that every valid element is a finite
//! number, and settles the one order in which every engine visits the elements,
//! the [`ChunkGrid`] that results are merged along and the [`Fits`] that elements
//! belong to.
//! A `spool` takes elements that a format has to decode: to memory or, beyond a
//! bound, to a temporary file.

#[allow(clippy::module_inception, reason = "the type that the room is named after")]
pub(crate) mod array;
pub(crate) mod attribute;
pub(crate) mod choice;
pub(crate) mod element;
pub(crate) mod error;
pub(crate) mod georeference;
mod grid;
mod groups;
pub(crate) mod hint;
pub(crate) mod identity;
pub(crate) mod mapping;
pub(crate) mod note;
pub(crate) mod nulls;
mod problem;
pub(crate) mod scan;
mod shape;
pub(crate) mod spool;
mod validity;
mod whole;

pub use array::{Array, Rounding};
pub use attribute::{NodataError, nodata};
pub use element::{Bool8, Element, ElementType, Real, with_element};
pub use error::DataError;
pub(crate) use error::{harmless, shown};
pub use georeference::Georeference;
pub use grid::{CHUNK_ELEMENTS, ChunkGrid};
pub use groups::{Fits, Groups, GroupsError};
pub(crate) use hint::alternatives;
pub use hint::{Hint, Hinted};
pub use mapping::guard_mappings;
pub use note::{HeaderSign, LinesLike, NamesLike, Note};
pub use problem::Problem;
pub use shape::{Order, Shape};
pub use validity::{Excluded, Validity, ValidityRules};
pub use whole::{Saturated, Whole};
