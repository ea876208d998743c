//! An array as a file has it, with what the file says of it.

use std::ops::Deref;
use std::sync::Arc;

use super::choice::{self, Choice};
use super::georeference::Georeference;
#[cfg(feature = "tiff")]
use super::image_profile::ImageProfile;
use super::note::Note;
use super::scaling;
use crate::array::{Array, Bitmap, DataError, MaskedArray, Missing, Nodata, Scaling};

/// The information of a file about one of its arrays.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    missing: Missing,
    /// The value at missing elements that something else marks.
    fill: Option<f64>,
    georeference: Option<Georeference>,
    #[cfg(feature = "tiff")]
    profile: Option<Arc<ImageProfile>>,
    /// The scale and the offset of the elements: of each array of a stack, or a single one.
    scalings: Vec<Option<Scaling>>,
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

    /// How the image's file stores it, if it is a TIFF.
    #[cfg(feature = "tiff")]
    pub(super) fn profile(&self) -> Option<&ImageProfile> {
        self.profile.as_deref()
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

    /// The array, an image that is stored so.
    #[cfg(feature = "tiff")]
    pub(super) fn stored_as(mut self, profile: ImageProfile) -> Self {
        self.metadata.profile = Some(Arc::new(profile));
        self
    }

    /// The array with the scale and the offset that its file has, and a note on them.
    pub(super) fn with_scaling(mut self, scaling: Option<Scaling>) -> Self {
        self.metadata.scalings = vec![scaling];
        self.noted(scaling.map(scaling::note))
    }

    /// Whether the file has a scale or an offset for elements.
    #[must_use]
    pub fn has_scaling(&self) -> bool {
        self.metadata.scalings.iter().any(Option::is_some)
    }

    /// The values of the elements by the file's scale and offset, as f64; the same array if
    /// it has none. Missing elements are null: by the nodata value given, or else the file's,
    /// each a number as it is stored. Beyond `memory_bytes` the values are in a temporary
    /// file.
    ///
    /// # Errors
    /// Those of the nodata value, and of a temporary file.
    pub fn scaled(self, nodata: Option<f64>, memory_bytes: u64) -> Result<Self, DataError> {
        if !self.has_scaling() {
            return Ok(self);
        }
        let scalings: Vec<Scaling> =
            self.metadata.scalings.iter().map(|scaling| scaling.unwrap_or(Scaling::NONE)).collect();
        let (array, valid) = MaskedArray::from(&self).scaled(&scalings, nodata, memory_bytes)?;
        let mut metadata = self.metadata;
        metadata.fill = nodata.or(metadata.fill());
        metadata.missing = Missing::default();
        metadata.scalings = Vec::new();
        metadata.notes.retain(|note| !matches!(note, Note::NotScaled { .. }));
        Ok(Self { array, metadata }.with_nulls(valid))
    }

    /// Notes that the array number `place` of a stack of which this is the first is another
    /// one: its bands and its scaling.
    pub(super) fn with_bands_of(&mut self, other: &Self, place: usize) {
        self.metadata.scalings.resize(place, None);
        self.metadata.scalings.push(other.metadata.scalings.first().copied().flatten());
        #[cfg(feature = "tiff")]
        if let (Some(own), Some(other)) = (&mut self.metadata.profile, &other.metadata.profile) {
            Arc::make_mut(own).bands.extend(&other.bands);
        }
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
