//! Labels of groups: whole numbers of any array, or a column of text.

use std::ffi::OsStr;
use std::path::Path;

use super::metadata::Opened;
use super::source::{Reading, Source};
use super::source_name::SourceName;
use super::texts::Texts;
use crate::array::{Array, Bitmap, DataError, Order};

fn extension(path: &Path) -> String {
    path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase()
}

impl Reading {
    /// Opens a column of text of a table; `None` if the file is of another format, or the
    /// column is of numbers.
    ///
    /// # Errors
    /// Any fault of the file.
    pub fn open_texts(&self, source: &Source) -> Result<Option<Texts>, DataError> {
        let named = SourceName { path: &source.path, key: source.key.as_deref() };
        if let Some(text) = super::csv::named(&source.path) {
            return Ok(super::csv::open_texts(&named, text, self.text));
        }
        match extension(&source.path).as_str() {
            #[cfg(feature = "parquet")]
            "parquet" => super::parquet::open_texts(&named),
            #[cfg(feature = "parquet")]
            "arrow" | "feather" | "ipc" => super::arrow::open_texts(&named),
            _ => Ok(None),
        }
    }

    /// Opens an array of whole numbers: of text files, which do not tell them from
    /// fractions, a column of nothing but whole ones.
    ///
    /// # Errors
    /// Those of [`Reading::open`].
    pub fn open_whole(&self, source: &Source) -> Result<Opened, DataError> {
        let opened = self.open(source)?;
        if super::csv::named(&source.path).is_none() || !opened.element().is_float() {
            return Ok(opened);
        }
        let mut numbers = vec![0f64; opened.len()];
        opened.read(Order::C, 0, &mut numbers);
        let is_null = |k: usize| opened.metadata().is_null(k);
        let is_whole = |number: f64| number.fract() == 0.0 && number.abs() < 2f64.powi(53);
        if !numbers.iter().enumerate().all(|(k, number)| is_null(k) || is_whole(*number)) {
            return Ok(opened);
        }
        #[expect(clippy::cast_possible_truncation, reason = "they are whole")]
        let wholes: Vec<i64> = numbers.into_iter().map(|number| number as i64).collect();
        let mut valid = Bitmap::default();
        (0..wholes.len()).filter(|&k| is_null(k)).for_each(|k| valid.exclude(k));
        let array = Array::from_vec(opened.label(), &opened.shape().0, wholes);
        Ok(Opened::from(array).with_nulls(valid))
    }
}
