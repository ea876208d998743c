use std::fmt;

use serde::Serialize;

use super::table::Column::Words;
use super::table::Table;
use crate::io::{Listed, Listing};

/// What a file says of its arrays.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// The file.
    pub file: String,
    /// Its format.
    pub format: &'static str,
    /// Its size.
    pub bytes: u64,
    /// The arrays, bands or columns.
    pub arrays: Vec<ArrayReport>,
}

/// What a file says of one of its arrays.
#[derive(Debug, Clone, Serialize)]
pub struct ArrayReport {
    /// The key by which it is opened; null if none is needed.
    pub key: Option<String>,
    /// Its name, if it has one beside its key.
    pub name: Option<String>,
    /// Its extents; null where its rows were not counted.
    pub shape: Option<Vec<u64>>,
    /// The type of its elements.
    #[serde(rename = "type")]
    pub element: Option<String>,
    /// The mark of its missing values.
    pub missing: Option<String>,
    /// Its place on Earth.
    pub place: Option<String>,
    /// The method by which it is compressed.
    pub compression: Option<String>,
    /// How it is read: `mapped`, `decoded`, or `not`.
    pub read: &'static str,
    /// What else there is to know.
    pub remarks: Vec<String>,
}

impl FileReport {
    /// The report on a file of that name.
    #[must_use]
    pub fn new(file: String, listing: Listing) -> Self {
        let arrays = listing.arrays.into_iter().map(ArrayReport::from).collect();
        Self { file, format: listing.format, bytes: listing.bytes, arrays }
    }
}

impl From<Listed> for ArrayReport {
    fn from(listed: Listed) -> Self {
        let read = match (listed.is_mapped, &listed.element) {
            (true, _) => "mapped",
            (false, Some(_)) => "decoded",
            (false, None) => "not",
        };
        Self {
            key: listed.key,
            name: listed.name,
            shape: listed.shape.map(|shape| shape.0),
            element: listed.element,
            missing: listed.missing,
            place: listed.place,
            compression: listed.compression,
            read,
            remarks: listed.remarks,
        }
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.arrays.len();
        let arrays = if count == 1 { "array" } else { "arrays" };
        write!(f, "{}: {}, {} bytes, {count} {arrays}", self.file, self.format, self.bytes)?;
        if self.arrays.is_empty() {
            return Ok(());
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let headings = ["key", "name", "shape", "type", "missing", "compression", "read"];
        let mut table = Table::new(headings.map(Words));
        for array in &self.arrays {
            let shape = array.shape.as_ref().map(|shape| {
                let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
                extents.join("×")
            });
            table.add([
                text(&array.key),
                text(&array.name),
                text(&shape),
                text(&array.element),
                text(&array.missing),
                text(&array.compression),
                array.read.to_owned(),
            ]);
        }
        write!(f, "\n{table}")?;
        // What all arrays have is said once.
        let mut told: Vec<&String> = Vec::new();
        for array in &self.arrays {
            for (what, text) in array
                .place
                .iter()
                .map(|text| ("place", text))
                .chain(array.remarks.iter().map(|text| ("note", text)))
            {
                if !told.contains(&text) {
                    told.push(text);
                    let key = array.key.as_ref().map(|key| format!(":{key}")).unwrap_or_default();
                    write!(f, "\n{what}: {}{key}: {text}", self.file)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_have_is_said_once() {
        let array = |key: &str, is_known: bool| ArrayReport {
            key: Some(key.to_owned()),
            name: None,
            shape: is_known.then(|| vec![2, 3]),
            element: is_known.then(|| "u8".to_owned()),
            missing: Some("-9".to_owned()),
            place: Some("EPSG:4326".to_owned()),
            compression: None,
            read: if is_known { "mapped" } else { "not" },
            remarks: Vec::new(),
        };
        let file = "a.tif".to_owned();
        let report =
            FileReport { file, format: "TIFF", bytes: 9, arrays: vec![array("1", true), array("2", false)] };
        let text = report.to_string();
        assert!(text.starts_with("a.tif: TIFF, 9 bytes, 2 arrays\n"), "{text}");
        assert!(text.contains("2×3") && text.contains("mapped"), "{text}");
        assert_eq!(text.matches("EPSG:4326").count(), 1, "{text}");
    }
}
