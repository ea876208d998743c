//! The numbers of the fit: parameters, sums over the data, loss and gradients.
//!
//! Everything here is plain `f64` arithmetic on a handful of values. Nothing
//! reads a file, starts a thread or knows of a device; every other module is
//! built on this one. A pass over data yields [`ResidualSums`]; an
//! [`Evaluation`] is what they mean; [`Affine::descend`] is what is done
//! about it.

mod affine;
mod compensated;
mod evaluation;
mod sums;

pub use affine::Affine;
pub use compensated::{Compensated, two_sum};
pub use evaluation::Evaluation;
pub use sums::{ResidualSums, SumsAccumulator};
