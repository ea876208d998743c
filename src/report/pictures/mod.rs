//! Pictures of a fit: the density of T against X with the line, the residuals, and
//! the descent. A `view` of the data holds everything that is drawn; drawing reads
//! no data. The crate that draws, axes and text included, is plotters: it gives
//! SVG and, from the same drawing and with a font that is in the program, PNG.

mod bench;
mod canvas;
mod clip;
mod density;
mod descent;
mod format;
mod residuals;
mod scale;

use super::BenchReport;
use super::view::FitView;
use canvas::drawn;

pub use format::{PictureError, PictureFormat};

/// A picture of this kind for a page, whose background it takes.
///
/// # Errors
/// [`PictureError`].
pub(super) fn inline(
    kind: fn(&FitView, PictureFormat) -> Result<Vec<u8>, PictureError>,
    view: &FitView,
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

/// The throughput of passes by size.
///
/// # Errors
/// [`PictureError`].
pub fn throughput(report: &BenchReport, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
    drawn(&bench::Throughput { report }, format)
}
