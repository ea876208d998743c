//! Every test of linfit as its users see it, the library and the program, in
//! one program: linking once instead of once a theme.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod batches;
mod bench;
mod bins;
mod cli;
mod common;
mod descent;
mod differential;
mod digits;
#[cfg(all(unix, feature = "parquet", feature = "plot", feature = "tiff"))]
mod docs;
mod drivers;
mod engines;
mod extremes;
mod far;
#[cfg(all(feature = "parquet", feature = "png", feature = "tiff"))]
mod faults;
mod foreign;
mod formats;
mod layout;
mod markers;
mod missing;
mod moments;
mod partials;
mod precision;
mod robust;
mod solvers;
mod stream;
mod torch;
mod weights;
