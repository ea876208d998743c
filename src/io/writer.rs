//! Elements on their way to a file, as they are computed, and the task of every
//! format's writer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::image_profile::ImageCompression;
use super::metadata::Metadata;
use super::note::Note;
use super::output::OutputFile;
use crate::array::{DataError, Element, ElementType, Order, Shape};

/// The name of the array or column that predictions are written as.
pub(super) const NAME: &str = "y";

/// The contents of a file of predictions.
#[derive(Debug, Clone, Copy)]
pub struct ResultPlan<'x> {
    /// Their shape, that of X.
    pub shape: &'x Shape,
    /// The information of X's file: predictions have its nulls and its place on
    /// Earth.
    pub metadata: &'x Metadata,
    /// The type of the predictions.
    pub element: ElementType,
    /// The order in which they will be given: row-major unless the format
    /// [`knows_order`](super::results::ResultFormat::knows_order).
    pub order: Order,
    /// The nodata value among them.
    pub nodata: Option<f64>,
    /// The table that they are added to, where the format
    /// [`holds_tables`](super::results::ResultFormat::holds_tables).
    pub append: Option<Append<'x>>,
    /// The compression of an image; without it, that of X's image, or none.
    pub compression: Option<ImageCompression>,
    /// The most bytes of them that wait in memory.
    pub memory_bytes: u64,
}

/// A table that predictions are added to.
#[derive(Debug, Clone, Copy)]
pub struct Append<'x> {
    /// The file, that of X.
    pub table: &'x Path,
    /// The name of the column of predictions.
    pub column: &'x str,
}

/// Takes an array's elements, as they are computed, to a file.
pub(in crate::io) trait ArrayWriter {
    /// Writes the next elements, given as bytes in this machine's order.
    fn write(&mut self, elements: &[u8]) -> io::Result<()>;

    /// Writes the elements that were kept in memory so far, as far as the format
    /// can.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Puts the finished file in its place.
    fn finish(self: Box<Self>) -> Result<(), DataError>;
}

/// A file whose header is written: the elements follow as they are.
impl ArrayWriter for OutputFile {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        self.write_all(elements)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(self)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        Self::finish(*self)
    }
}

/// A file of elements, written chunk by chunk. Nothing stands under the file's
/// name until [`finish`](Self::finish).
pub struct ResultFile {
    writer: Box<dyn ArrayWriter>,
    path: PathBuf,
    /// Bytes of elements that are still to come.
    left: u64,
    notes: Vec<Note>,
}

impl ResultFile {
    /// A file of a shape, of elements of a type.
    pub(super) fn new(
        path: &Path,
        shape: &Shape,
        element: ElementType,
        writer: Box<dyn ArrayWriter>,
    ) -> Self {
        let left = shape.elements().unwrap_or(u64::MAX).saturating_mul(element.size() as u64);
        Self { writer, path: path.to_owned(), left, notes: Vec::new() }
    }

    /// The file with notes on how it is written.
    #[cfg(feature = "tiff")]
    pub(super) fn noted(self, notes: Vec<Note>) -> Self {
        Self { notes, ..self }
    }

    /// Notes for the user on how the file is written.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// A file in which elements follow a header as they are.
    pub(super) fn headed(
        path: &Path,
        shape: &Shape,
        element: ElementType,
        header: &[u8],
    ) -> Result<Self, DataError> {
        let mut file = OutputFile::create(path)?;
        file.write_all(header).map_err(|e| DataError::write(path, e))?;
        Ok(Self::new(path, shape, element, Box::new(file)))
    }

    /// Writes the next elements, of the type the file was started with.
    ///
    /// # Errors
    /// The write's own.
    pub fn write<E: Element>(&mut self, values: &[E]) -> io::Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let more = || io::Error::other("more elements than the shape has");
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(more)?;
        self.writer.write(bytes)
    }

    /// The error of a failed [`write`](Self::write), with the file's name.
    #[must_use]
    pub fn failed(&self, source: io::Error) -> DataError {
        DataError::write(&self.path, source)
    }

    /// Writes the elements that were kept in memory so far, so that finishing the
    /// file is only to name it: for files that make sense only together.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn flush(&mut self) -> Result<(), DataError> {
        self.writer.flush().map_err(|e| DataError::write(&self.path, e))
    }

    /// Puts the finished file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`], also if elements are missing.
    pub fn finish(self) -> Result<(), DataError> {
        if self.left > 0 {
            let missing = io::Error::other(format!("{} bytes of data are missing", self.left));
            return Err(DataError::write(&self.path, missing));
        }
        self.writer.finish()
    }
}
