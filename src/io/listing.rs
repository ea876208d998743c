//! What a file says of its arrays, without their elements.

use super::metadata::Opened;
use super::nodata;
use crate::array::{Nodata, Shape};

/// The arrays of a file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing {
    /// The file's format.
    pub format: &'static str,
    /// Its size.
    pub bytes: u64,
    /// The arrays, bands or columns.
    pub arrays: Vec<Listed>,
}

/// What a file says of one of its arrays.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Listed {
    /// The key by which it is opened; `None` if none is needed.
    pub key: Option<String>,
    /// Its name, if it has one beside its key.
    pub name: Option<String>,
    /// Its shape; unknown of a text, whose rows were not counted.
    pub shape: Option<Shape>,
    /// The type of its elements.
    pub element: Option<String>,
    /// The mark of its missing values.
    pub missing: Option<String>,
    /// Its place on Earth.
    pub place: Option<String>,
    /// The method by which it is compressed.
    pub compression: Option<String>,
    /// Whether its elements are read where they are in the file; else they are decoded.
    pub is_mapped: bool,
    /// What else there is to know of how it is read, or why it is not.
    pub remarks: Vec<String>,
}

impl Listed {
    /// An array that is decoded.
    pub(super) fn decoded(key: impl Into<Option<String>>, shape: Option<Shape>, element: &str) -> Self {
        Self { key: key.into(), shape, element: Some(element.to_owned()), ..Self::default() }
    }

    /// An array that was opened, which is cheap where it is mapped.
    pub(super) fn mapped(key: Option<String>, opened: &Opened) -> Self {
        let metadata = opened.metadata();
        Self {
            key,
            shape: Some(opened.shape().clone()),
            element: Some(opened.element().name().to_owned()),
            missing: metadata.marker().map(missing),
            place: metadata.georeference().map(ToString::to_string),
            is_mapped: true,
            remarks: metadata.notes().iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// One that is not read, and the reason.
    pub(super) fn unread(key: impl Into<Option<String>>, reason: String) -> Self {
        Self { key: key.into(), remarks: vec![reason], ..Self::default() }
    }

    pub(super) fn named(self, name: &str) -> Self {
        Self { name: (!name.is_empty()).then(|| name.to_owned()), ..self }
    }

    pub(super) fn compressed(self, compression: impl Into<Option<String>>) -> Self {
        Self { compression: compression.into(), ..self }
    }

    pub(super) fn missing(self, marker: Option<&Nodata>) -> Self {
        Self { missing: marker.map(missing), ..self }
    }
}

/// A marker of missing values as a text.
pub(super) fn missing(nodata: &Nodata) -> String {
    match nodata {
        Nodata::Unclear { text, .. } => format!("{text:?}, which is unclear"),
        clear => nodata::shown(clear).unwrap_or_default(),
    }
}
