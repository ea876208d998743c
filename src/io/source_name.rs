use std::path::Path;

use crate::array::error::{Shown, shown};

/// A file and the column in it that a reader of text is asked for.
pub(super) struct SourceName<'a> {
    pub(super) path: &'a Path,
    pub(super) key: Option<&'a str>,
}

impl SourceName<'_> {
    /// The name for messages.
    pub(super) fn label(&self) -> String {
        match self.key {
            Some(key) => format!("{}:{}", shown(self.path), Shown::name(key)),
            None => shown(self.path).to_string(),
        }
    }
}
