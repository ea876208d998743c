//! What is fitted: matrices of any shape, order and element type, and the
//! files they come from.
//!
//! A [`Source`] names a file and, where the format holds several arrays, a
//! key in it. Opening it gives a [`Matrix`]: the shape, the [`ElementType`]
//! and the bytes, still in the file's own type, usually still in the file
//! (memory-mapped). [`Dataset`] puts X and T together, checks that they fit
//! each other and that every element is a finite number, and settles the one
//! order in which all engines visit the elements. One file a format:
//! [`npy`], [`csv`]; [`output`] writes results so that no half-written file
//! is ever left.

pub mod csv;
mod dataset;
mod element;
mod error;
mod mapping;
mod matrix;
pub mod npy;
pub mod output;
mod shape;
mod source;
pub mod synthetic;

pub use dataset::Dataset;
pub use element::{Bool8, Element, ElementType, Real, with_element};
pub use error::DataError;
pub use matrix::{Matrix, Rounding};
pub use shape::{Order, Shape};
pub use source::{Source, open, open_pair};
