//! Columns of text, which name groups.

use crate::array::{Array, NO_GROUP};

/// A column of text: the place of each row's text among distinct ones.
pub struct Texts {
    /// A number for each row, [`NO_GROUP`] where it is null.
    pub ids: Array,
    /// The texts.
    pub texts: Vec<String>,
}

impl Texts {
    /// The texts of rows, of which each has its place or none.
    pub(super) fn of(label: &str, ids: Vec<u32>, texts: Vec<String>) -> Self {
        Self { ids: Array::from_vec(label, &[ids.len() as u64], ids), texts }
    }
}

/// Numbers for texts, in the order in which they come.
#[derive(Default)]
pub(super) struct Interner {
    places: std::collections::HashMap<String, u32>,
    texts: Vec<String>,
}

impl Interner {
    /// The number of a text.
    pub(super) fn place(&mut self, text: &str) -> u32 {
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(NO_GROUP);
        self.places.insert(text.to_owned(), place);
        self.texts.push(text.to_owned());
        place
    }

    pub(super) fn texts(self) -> Vec<String> {
        self.texts
    }
}
