//! Predictions on their way to a file of any kind that people expect them in.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::output::OutputFile;
use super::{csv, npy, npz, safetensors};
use crate::array::{Array, DataError, Element, ElementType, Order};

/// The name of the array or column that predictions are written as.
const NAME: &str = "y";

const FORMATS: &str = ".npy .npz .csv .tsv .parquet .arrow .feather .tif .png .safetensors .raw .bin .dat";

/// A kind of file that predictions are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// NumPy's array.
    Npy,
    /// NumPy's archive, with an array `y`.
    Npz,
    /// Text, a column `y`.
    Text,
    /// A column `y`.
    Parquet,
    /// Arrow IPC (Feather), a column `y`.
    Arrow,
    /// An image, where X is.
    Tiff,
    /// A grey image of whole numbers.
    Png,
    /// A tensor `y`.
    Safetensors,
    /// Plain numbers.
    Raw,
}

impl ResultFormat {
    /// The format that a file's extension asks for.
    ///
    /// # Errors
    /// [`DataError::OutputFormat`].
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        Ok(match extension.as_str() {
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "csv" | "tsv" => Self::Text,
            "parquet" => Self::Parquet,
            "arrow" | "feather" => Self::Arrow,
            "tif" | "tiff" => Self::Tiff,
            "safetensors" => Self::Safetensors,
            "raw" | "bin" | "dat" => Self::Raw,
            "png" => Self::Png,
            _ => {
                return Err(DataError::OutputFormat {
                    path: path.to_owned(),
                    what: "results",
                    formats: FORMATS,
                });
            }
        })
    }

    /// Whether elements may be given column by column.
    #[must_use]
    pub fn knows_order(self) -> bool {
        matches!(self, Self::Npy | Self::Npz)
    }

    /// Whether a file has nulls where X has, whatever is given for them.
    #[must_use]
    pub fn holds_nulls(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::Text)
    }
}

/// What a file of predictions is to hold.
#[derive(Debug, Clone, Copy)]
pub struct ResultPlan<'x> {
    /// What they are made from: they have its shape, its nulls and its place on
    /// Earth.
    pub x: &'x Array,
    /// The type of the predictions.
    pub element: ElementType,
    /// The order in which they will be given: row-major unless the format
    /// [`knows_order`](ResultFormat::knows_order).
    pub order: Order,
    /// The value that stands for nothing among them.
    pub nodata: Option<f64>,
}

/// Takes an array's elements, as they are computed, to a file.
pub(super) trait ArrayWriter {
    /// Writes the next elements, given as bytes in this machine's order.
    fn write(&mut self, elements: &[u8]) -> io::Result<()>;

    /// Puts the finished file in its place.
    fn finish(self: Box<Self>) -> Result<(), DataError>;
}

/// A file whose header is written: the elements follow as they are.
impl ArrayWriter for OutputFile {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        self.write_all(elements)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        Self::finish(*self)
    }
}

/// Writes predictions chunk by chunk. Nothing stands under the file's name
/// until [`finish`](Self::finish).
pub struct ResultFile {
    writer: Box<dyn ArrayWriter>,
    path: PathBuf,
    left: u64,
}

impl ResultFile {
    /// Starts a file.
    ///
    /// # Errors
    /// [`DataError::Write`]; [`DataError::OutputShape`] and
    /// [`DataError::OutputElement`] for what the format cannot hold.
    pub fn create(format: ResultFormat, path: &Path, plan: &ResultPlan<'_>) -> Result<Self, DataError> {
        let &ResultPlan { x, element, order, .. } = plan;
        let shape = x.shape();
        let headed = |header: Vec<u8>| -> Result<Box<dyn ArrayWriter>, DataError> {
            let mut file = OutputFile::create(path)?;
            file.write_all(&header).map_err(|e| DataError::write(path, e))?;
            Ok(Box::new(file))
        };
        let writer = match format {
            ResultFormat::Npy => headed(npy::header(path, shape, element, order)?)?,
            ResultFormat::Npz => Box::new(npz::Writer::create(path, NAME, shape, element, order)?),
            ResultFormat::Text => Box::new(csv::Writer::create(path, NAME, x, element)?),
            ResultFormat::Safetensors => headed(safetensors::header(path, shape, NAME, element)?)?,
            ResultFormat::Raw => headed(Vec::new())?,
            #[cfg(feature = "tiff")]
            ResultFormat::Tiff => headed(super::tiff::header(path, plan)?)?,
            #[cfg(feature = "png")]
            ResultFormat::Png => Box::new(super::png::Writer::create(path, shape, element)?),
            #[cfg(feature = "parquet")]
            ResultFormat::Parquet => Box::new(super::parquet::Writer::create(path, NAME, x, element)?),
            #[cfg(feature = "parquet")]
            ResultFormat::Arrow => Box::new(super::arrow::Writer::create(path, NAME, x, element)?),
            #[cfg(not(feature = "tiff"))]
            ResultFormat::Tiff => return Err(DataError::not_built(path, "TIFF", "tiff")),
            #[cfg(not(feature = "png"))]
            ResultFormat::Png => return Err(DataError::not_built(path, "PNG", "png")),
            #[cfg(not(feature = "parquet"))]
            ResultFormat::Parquet | ResultFormat::Arrow => {
                return Err(DataError::not_built(path, "Parquet and Arrow", "parquet"));
            }
        };
        Ok(Self { writer, path: path.to_owned(), left: x.stored_bytes() / x.element().size() as u64 })
    }

    /// Writes the next elements, of the type the file was started with.
    ///
    /// # Errors
    /// The write's own.
    pub fn write<E: Element>(&mut self, values: &[E]) -> io::Result<()> {
        let more = || io::Error::other("more elements than the shape has");
        self.left = self.left.checked_sub(values.len() as u64).ok_or_else(more)?;
        self.writer.write(bytemuck::cast_slice(values))
    }

    /// The error of a failed [`write`](Self::write), with the file's name.
    #[must_use]
    pub fn failed(&self, source: io::Error) -> DataError {
        DataError::write(&self.path, source)
    }

    /// Puts the finished file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`], also if elements are missing.
    pub fn finish(self) -> Result<(), DataError> {
        if self.left > 0 {
            let missing = io::Error::other(format!("{} elements are missing", self.left));
            return Err(DataError::write(&self.path, missing));
        }
        self.writer.finish()
    }
}
