//! Pictures of a fit: the density of T against X with the line, the residuals, and
//! the descent; of many fits, benchmarks and comparisons. A view of the data holds
//! everything that is drawn; drawing reads no data. The crate that draws, axes and
//! text included, is plotters: it gives SVG and, from the same drawing and with a
//! font that is in the program, PNG.
//!
//! A `canvas` is the surface, a `pen` draws on it the parts that pictures have in
//! common, within a `scale` for each axis and `clip`ped to it; `colors` stand for
//! numbers, and a `raster` is a map of them.

mod bench;
mod canvas;
mod clip;
mod colors;
mod comparison;
mod density;
mod descent;
mod format;
mod many;
mod pen;
mod raster;
mod residuals;
mod scale;

use super::many_view::ManyView;
use super::view::FitView;
use super::{BenchReport, Comparison};
use canvas::drawn;

pub use format::{PictureError, PictureFormat};

/// A picture of this kind for a page, whose background it takes.
///
/// # Errors
/// [`PictureError`].
pub(super) fn inline<V>(
    kind: fn(&V, PictureFormat) -> Result<Vec<u8>, PictureError>,
    view: &V,
) -> Result<String, PictureError> {
    let svg = kind(view, PictureFormat::Inline)?;
    String::from_utf8(svg).map_err(PictureError::of)
}

/// The density of T against X, with the line and the course of the descent.
///
/// # Errors
/// [`PictureError`].
pub fn density(view: &FitView, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&density::Density { view }, format)
}

/// The residuals: their histogram, against X, against a normal distribution, and
/// over the array.
///
/// # Errors
/// [`PictureError`].
pub fn residuals(view: &FitView, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&residuals::Residuals { view }, format)
}

/// The descent: loss and gradients by step, and its path over the loss.
///
/// # Errors
/// [`PictureError`].
pub fn descent(view: &FitView, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&descent::Descent { view }, format)
}

/// Many fits: W, b and R² as maps or histograms, and the worst of them.
///
/// # Errors
/// [`PictureError`].
pub fn many(view: &ManyView, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&many::Many { view }, format)
}

/// The errors of engines against the reference.
///
/// # Errors
/// [`PictureError`].
pub fn errors(comparison: &Comparison, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&comparison::Errors { comparison }, format)
}

/// The throughput of passes by size.
///
/// # Errors
/// [`PictureError`].
pub fn throughput(report: &BenchReport, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&bench::Throughput { report }, format)
}
