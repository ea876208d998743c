//! The input of every format's reader: a file, a key and how to read it.

use std::fs::File;
use std::io::Seek;
use std::path::Path;
use std::sync::Arc;

use super::nearest::nearest;
use super::raw_layout::RawLayout;
use super::text_rules::TextRules;
use crate::array::error::{excerpt, listed, shown};
use crate::array::mapping::Mapping;
use crate::array::{Array, DataError, Layout, MemoryPlan};

/// The name of stdin in messages.
pub(super) const STDIN_LABEL: &str = "stdin";

/// The input of a format's reader.
pub(super) struct Input<'a> {
    /// The file's name, for messages.
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
    /// The array within the file.
    pub(super) key: Option<&'a str>,
    /// The most bytes of the decoded elements of an array that may be in memory.
    pub(super) memory_bytes: u64,
    pub(super) raw: Option<&'a RawLayout>,
    pub(super) text: TextRules,
    /// Whether an image's alpha band excludes pixels.
    #[allow(dead_code, reason = "images may be left out")]
    pub(super) alpha: bool,
}

impl Input<'_> {
    /// The file, mapped.
    pub(super) fn map(&self) -> Result<Mapping, DataError> {
        Mapping::named(self.path, self.file).map_err(|e| DataError::io(self.path, e))
    }

    /// The file, at its start, for a reader that wants it for itself.
    pub(super) fn clone_file(&self) -> Result<File, DataError> {
        let clone = || -> std::io::Result<File> {
            let mut file = self.file.try_clone()?;
            file.rewind()?;
            Ok(file)
        };
        clone().map_err(|e| DataError::io(self.path, e))
    }

    /// The most bytes of a row of an image that is decoded row by row.
    #[cfg(any(feature = "png", feature = "tiff"))]
    pub(super) fn row_bytes(&self) -> u64 {
        self.memory().unit_bytes()
    }

    /// The shares of the memory that the array may take.
    #[allow(dead_code, reason = "the formats that need it are features")]
    pub(super) fn memory(&self) -> MemoryPlan {
        MemoryPlan::new(self.memory_bytes)
    }

    /// An array of the mapped file, which must have all of it.
    pub(super) fn array(&self, map: Mapping, layout: Layout) -> Result<Array, DataError> {
        Array::new(shown(self.path).to_string(), Arc::new(map), layout)
    }

    /// Fails if a key was given for a file with a single array.
    pub(super) fn refuse_key(&self) -> Result<(), DataError> {
        match self.key {
            Some(key) => Err(DataError::KeyNotUsed { path: self.path.to_owned(), key: excerpt(key) }),
            None => Ok(()),
        }
    }

    /// The place of the array that the key means: the one of that name, or the
    /// only one.
    pub(super) fn choose(&self, what: &'static str, names: &[String]) -> Result<usize, DataError> {
        let available = || listed(names.iter().map(|name| excerpt(name)));
        match self.key {
            Some(key) => {
                let no_such = || self.no_such(what, key, names.iter().map(String::as_str), available());
                names.iter().position(|name| name == key).ok_or_else(no_such)
            }
            None if names.is_empty() => Err(DataError::NoArrays { path: self.path.to_owned(), what }),
            None if names.len() == 1 => Ok(0),
            None => Err(DataError::WhichArray {
                path: self.path.to_owned(),
                what,
                count: names.len(),
                available: available(),
            }),
        }
    }

    /// Like [`choose`](Self::choose), of so many that are numbered from 1, of which
    /// none is named unless a message needs it.
    #[cfg(any(feature = "png", feature = "tiff"))]
    pub(super) fn choose_number(&self, what: &'static str, count: usize) -> Result<usize, DataError> {
        let available = || listed((0..count).map(|place| (place + 1).to_string()));
        match self.key {
            Some(key) => {
                let place = key.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let place = place.filter(|place| *place < count && (place + 1).to_string() == key);
                place.ok_or_else(|| self.no_such(what, key, [], available()))
            }
            None if count == 1 => Ok(0),
            None if count == 0 => Err(DataError::NoArrays { path: self.path.to_owned(), what }),
            None => {
                Err(DataError::WhichArray { path: self.path.to_owned(), what, count, available: available() })
            }
        }
    }

    /// The place of the only one that is called so, if one is; fails if several
    /// are.
    pub(super) fn only_one(
        &self,
        what: &'static str,
        key: &str,
        is_called_so: impl Iterator<Item = bool>,
    ) -> Result<Option<usize>, DataError> {
        let places: Vec<usize> =
            is_called_so.enumerate().filter(|(_, is)| *is).map(|(place, _)| place).collect();
        match places[..] {
            [] => Ok(None),
            [place] => Ok(Some(place)),
            _ => Err(DataError::SameNames {
                path: self.path.to_owned(),
                what,
                key: excerpt(key),
                numbers: listed(places.iter().map(usize::to_string)),
            }),
        }
    }

    /// The error of a key that means no array, of some that are called so.
    pub(super) fn no_such<'n>(
        &self,
        what: &'static str,
        key: &str,
        names: impl IntoIterator<Item = &'n str>,
        available: String,
    ) -> DataError {
        let nearest = nearest(key, names).map(excerpt);
        DataError::NoSuchArray { path: self.path.to_owned(), what, key: excerpt(key), nearest, available }
    }

    /// The error of a file that isn't what its name or its start says.
    pub(super) fn invalid(&self, kind: &'static str, reason: &str) -> DataError {
        DataError::Invalid { path: self.path.to_owned(), kind, reason: reason.to_owned() }
    }

    /// The error of a file that is valid, but of a variant that isn't read.
    pub(super) fn unsupported(&self, found: String, remedy: &'static str) -> DataError {
        DataError::Unsupported { path: self.path.to_owned(), found, remedy }
    }
}
