//! The column of a table that a key means.

use std::path::{Path, PathBuf};

use super::note::Note;
use crate::array::DataError;
use crate::array::error::excerpt;

/// A column, or a field of one, and the key that it was chosen by: a name
/// first, then a number.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    path: PathBuf,
    key: String,
    /// The column's number, from 0, and those of fields within it.
    place: Vec<usize>,
    is_named: bool,
    /// The column of which the key is the number, if that is another one than
    /// the one that is called so, and what columns there are.
    other: Option<(usize, String)>,
}

impl Choice {
    /// The column of that name, or else of that number; `None` if there is
    /// neither.
    pub(crate) fn of(
        path: &Path,
        key: &str,
        [name, number]: [Option<usize>; 2],
        available: impl FnOnce() -> String,
    ) -> Option<Self> {
        let column = name.or(number)?;
        let other = number.filter(|&number| number != column);
        Some(Self {
            path: path.to_owned(),
            key: key.to_owned(),
            place: vec![column],
            is_named: name.is_some(),
            other: other.map(|number| (number, available())),
        })
    }

    /// The field, so many fields down, of a column that is called by its first
    /// name.
    #[cfg(feature = "parquet")]
    pub(crate) fn of_field(path: &Path, key: &str, place: Vec<usize>) -> Self {
        Self { path: path.to_owned(), key: key.to_owned(), place, is_named: true, other: None }
    }

    /// The column's number, from 0.
    pub(crate) fn column(&self) -> usize {
        self.place.first().copied().unwrap_or(0)
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// The note of a key that may mean another column.
    pub(crate) fn note(&self) -> Option<Note> {
        let (number, _) = self.other.as_ref()?;
        Some(Note::NameOrNumber { name: self.column(), number: *number })
    }

    /// Fails if two keys of one file can hardly mean what they say: if one is a
    /// name, which read as a number like the other would be another column; or
    /// if they mean the same column in two ways.
    pub(crate) fn check(&self, with: &Self) -> Result<(), DataError> {
        if self.key == with.key || !is_same_file(&self.path, &with.path) {
            return Ok(());
        }
        for (named, numbered) in [(self, with), (with, self)] {
            if let Some((_, available)) = &named.other
                && !numbered.is_named
            {
                return Err(DataError::NameAndNumber {
                    path: self.path.clone(),
                    name: excerpt(&named.key),
                    number: named.column(),
                    other: excerpt(&numbered.key),
                    available: available.clone(),
                });
            }
        }
        if self.place == with.place {
            return Err(DataError::SameColumn {
                path: self.path.clone(),
                keys: [excerpt(&self.key), excerpt(&with.key)],
                number: self.column(),
            });
        }
        Ok(())
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// Checks all choices of one command against each other.
pub(crate) fn check_all<'c>(choices: impl Iterator<Item = &'c Choice> + Clone) -> Result<(), DataError> {
    let mut rest = choices;
    while let Some(choice) = rest.next() {
        rest.clone().try_for_each(|other| choice.check(other))?;
    }
    Ok(())
}
