//! An array as a file has it, with what the file says of it.

use std::ops::Deref;
use std::sync::Arc;

use super::choice::{self, Choice};
use super::georeference::Georeference;
use super::note::Note;
use crate::array::{Array, Bitmap, DataError, MaskedArray, Missing, Nodata};

/// The information of a file about one of its arrays.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    missing: Missing,
    /// The value at missing elements that something else marks.
    fill: Option<f64>,
    georeference: Option<Georeference>,
    notes: Vec<Note>,
    choice: Option<Choice>,
}

impl Metadata {
    /// The nodata value or the f64 nearest to it, if the file names one.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        self.missing.nodata.as_ref().and_then(Nodata::nearest)
    }

    /// The nodata value, clear or not.
    pub(super) fn marker(&self) -> Option<&Nodata> {
        self.missing.nodata.as_ref()
    }

    /// The nodata value, where it is a number that f64 has.
    pub(super) fn missing_number(&self) -> Option<f64> {
        match self.missing.nodata {
            Some(Nodata::Number(value)) => Some(value),
            _ => None,
        }
    }

    /// The value to be written for missing elements: the nodata value, or what
    /// the file has at those that its own mask excludes.
    #[must_use]
    pub fn fill(&self) -> Option<f64> {
        self.nodata().or(self.fill)
    }

    /// Whether some elements are null.
    #[must_use]
    pub fn has_nulls(&self) -> bool {
        self.missing.valid.is_some()
    }

    /// Whether element number `k`, row by row, is null: of a table's column, or
    /// under an image's own mask.
    #[must_use]
    pub fn is_null(&self, k: usize) -> bool {
        self.missing.valid.as_ref().is_some_and(|valid| !valid.contains(k))
    }

    /// The elements that are not null, numbered row by row; `None` if none is
    /// null.
    pub(super) fn valid(&self) -> Option<&Arc<Bitmap>> {
        self.missing.valid.as_ref()
    }

    /// The place of the elements on Earth, if the file gives one.
    #[must_use]
    pub fn georeference(&self) -> Option<&Georeference> {
        self.georeference.as_ref()
    }

    /// Notes for the user on how the array is read.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// An array of a file, and the file's information about it. It is used as the
/// array is, and a [`Problem`](crate::array::Problem) is made from it.
#[derive(Debug, Clone)]
pub struct Opened {
    array: Array,
    metadata: Metadata,
}

impl Opened {
    /// The file's information.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Sets the nodata value, in the place of the file's.
    pub fn set_nodata(&mut self, nodata: Option<f64>) {
        self.metadata.missing.nodata = nodata.map(Nodata::Number);
    }

    /// The array, labelled as the array `key` of its file.
    pub(super) fn keyed(self, key: &str) -> Self {
        Self { array: self.array.keyed(key), ..self }
    }

    /// Another array, of which the file says the same.
    pub(super) fn with_array(self, array: Array) -> Self {
        Self { array, ..self }
    }

    /// The array, a column that was chosen by a key.
    pub(super) fn chosen(mut self, choice: Option<Choice>) -> Self {
        self.metadata.choice = choice;
        self
    }

    /// The array with the nodata value of its file.
    pub(super) fn with_nodata(mut self, nodata: Option<Nodata>) -> Self {
        self.metadata.missing.nodata = nodata;
        self
    }

    /// The array with its null elements, numbered row by row.
    pub(super) fn with_nulls(mut self, valid: Bitmap) -> Self {
        self.metadata.missing.valid = (valid.missing() > 0).then(|| Arc::new(valid));
        self
    }

    /// The array with the value at the missing elements that something else marks.
    #[cfg(any(feature = "hdf5", feature = "png", feature = "tiff", feature = "zarr"))]
    pub(super) fn with_fill(mut self, nodata: Option<&Nodata>) -> Self {
        self.metadata.fill = nodata.and_then(Nodata::nearest);
        self
    }

    /// The array, an image, whose elements equal its nodata value where GDAL says
    /// so.
    #[cfg(feature = "tiff")]
    pub(super) fn compared_as_gdal_does(mut self) -> Self {
        self.metadata.missing.comparison = crate::array::Comparison::AsGdal;
        self
    }

    /// The array with the place that an image gives.
    #[cfg(feature = "tiff")]
    pub(super) fn located(mut self, georeference: Option<Georeference>) -> Self {
        self.metadata.georeference = georeference;
        self
    }

    /// The array with notes on how it is read.
    pub(super) fn noted(mut self, notes: impl IntoIterator<Item = Note>) -> Self {
        self.metadata.notes.extend(notes);
        self
    }
}

/// An array of which no file says anything.
impl From<Array> for Opened {
    fn from(array: Array) -> Self {
        Self { array, metadata: Metadata::default() }
    }
}

impl From<Opened> for MaskedArray {
    fn from(Opened { array, metadata }: Opened) -> Self {
        Self { array, missing: metadata.missing }
    }
}

impl From<&Opened> for MaskedArray {
    fn from(Opened { array, metadata }: &Opened) -> Self {
        Self { array: array.clone(), missing: metadata.missing.clone() }
    }
}

impl Deref for Opened {
    type Target = Array;

    fn deref(&self) -> &Array {
        &self.array
    }
}

/// Fails if columns of one file were chosen by keys that contradict each other.
///
/// # Errors
/// [`DataError::NameAndNumber`], [`DataError::SameColumn`].
pub fn check_keys<'o>(opened: impl IntoIterator<Item = &'o Opened>) -> Result<(), DataError> {
    let choices: Vec<&Choice> =
        opened.into_iter().filter_map(|opened| opened.metadata.choice.as_ref()).collect();
    choice::check_all(choices.into_iter())
}
