//! Predictions on their way to a file of any kind that people expect them in.

use std::ffi::OsStr;
use std::path::Path;

use super::writer::ArrayWriter;
use super::{csv, fits_file, npy, npz, safetensors};
use crate::array::DataError;

pub use super::writer::{Append, ResultFile, ResultPlan};

const FORMATS: &str =
    ".npy .npz .csv .tsv .parquet .arrow .feather .tif .png .safetensors .fits .raw .bin .dat";

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
    /// An image, with X's place on Earth.
    Tiff,
    /// A grey image of whole numbers.
    Png,
    /// A tensor `y`.
    Safetensors,
    /// The primary image of a FITS file.
    Fits,
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
            "fits" | "fit" | "fts" => Self::Fits,
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

    /// Whether predictions can be a column more of X's table.
    #[must_use]
    pub fn holds_tables(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }

    /// Whether a file has nulls where X has, whatever is given for them.
    #[must_use]
    pub fn holds_nulls(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::Text)
    }
}

/// Opens the table that predictions are added to, of either format.
#[cfg(feature = "parquet")]
fn table(path: &Path) -> Result<super::arrow::Table, DataError> {
    use std::io::Read;

    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.map_err(|e| DataError::io(path, e))?;
    let is_stream = start == [0xff; 4];
    match &start {
        b"PAR1" => super::parquet::open_table(path),
        b"ARRO" => super::arrow::open_table(path),
        _ if is_stream => super::arrow::open_table(path),
        _ => Err(DataError::Append { path: path.to_owned(), reason: "it is no Parquet or Arrow file" }),
    }
}

/// Starts a file of predictions.
///
/// # Errors
/// [`DataError::Write`]; [`DataError::OutputShape`] and
/// [`DataError::OutputElement`] for elements that the format cannot hold.
pub fn create(format: ResultFormat, path: &Path, plan: &ResultPlan<'_>) -> Result<ResultFile, DataError> {
    let &ResultPlan { shape, element, order, .. } = plan;
    let headed = |header: Vec<u8>| ResultFile::headed(path, shape, element, &header);
    let writer: Box<dyn ArrayWriter> = match format {
        ResultFormat::Npy => return headed(npy::header(path, shape, element, order)?),
        ResultFormat::Safetensors => return headed(safetensors::header(path, plan)?),
        ResultFormat::Raw => return headed(Vec::new()),
        #[cfg(feature = "tiff")]
        ResultFormat::Tiff => return super::tiff::create(path, plan),
        ResultFormat::Npz => Box::new(npz::Writer::create(path, plan)?),
        ResultFormat::Fits => Box::new(fits_file::Writer::create(path, plan)?),
        ResultFormat::Text => Box::new(csv::Writer::create(path, plan)?),
        #[cfg(feature = "png")]
        ResultFormat::Png => Box::new(super::png::Writer::create(path, plan)?),
        #[cfg(feature = "parquet")]
        ResultFormat::Parquet => Box::new(super::parquet::Writer::create(path, plan, table)?),
        #[cfg(feature = "parquet")]
        ResultFormat::Arrow => Box::new(super::arrow::Writer::create(path, plan, table)?),
        #[cfg(not(feature = "tiff"))]
        ResultFormat::Tiff => return Err(DataError::not_built(path, "TIFF", "tiff")),
        #[cfg(not(feature = "png"))]
        ResultFormat::Png => return Err(DataError::not_built(path, "PNG", "png")),
        #[cfg(not(feature = "parquet"))]
        ResultFormat::Parquet | ResultFormat::Arrow => {
            return Err(DataError::not_built(path, "Parquet and Arrow", "parquet"));
        }
    };
    Ok(ResultFile::new(path, shape, element, writer))
}
