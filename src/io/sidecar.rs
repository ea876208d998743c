//! The files that GDAL keeps beside an image: a mask in `FILE.msk`, and nodata
//! values in `FILE.aux.xml`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::input::{Input, STDIN_LABEL};
use super::note::Note;
use super::{nodata, xml};
use crate::array::{DataError, Nodata};

/// Far more than any that is known; beyond that it is not read.
const MOST_BYTES: u64 = 16 << 20;

/// The file of that name and this extension beside an image, if it is there.
fn beside(input: &Input<'_>, extensions: &[&str]) -> Option<PathBuf> {
    if input.path == Path::new(STDIN_LABEL) {
        return None;
    }
    let path = |extension: &&str| {
        let mut name: OsString = input.path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    extensions.iter().map(path).find(|path| path.is_file())
}

/// A file's name without its directory.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().display().to_string()
}

/// The contents of `FILE.aux.xml`.
pub(super) struct Notes {
    /// Its name.
    pub(super) name: String,
    xml: String,
}

impl Notes {
    /// The notes beside an image, if there are some that are whole: others GDAL does
    /// not use either.
    pub(super) fn of(input: &Input<'_>, notes: &mut Vec<Note>) -> Result<Option<Self>, DataError> {
        let Some(path) = beside(input, &[".aux.xml", ".AUX.XML"]) else { return Ok(None) };
        let failed = |e| DataError::io(&path, e);
        let mut xml = Vec::new();
        File::open(&path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut xml)).map_err(failed)?;
        if xml.len() as u64 > MOST_BYTES {
            return Err(failed(io::Error::other("is too large for notes on an image; move it elsewhere")));
        }
        let (name, xml) = (name(&path), String::from_utf8_lossy(&xml).into_owned());
        if !xml::for_each_text(&xml, |_, _| ()) {
            let reason = "it is cut off or damaged, so that GDAL does not use it either";
            notes.push(Note::NotMasked { by: name, reason, remedy: None });
            return Ok(None);
        }
        Ok(Some(Self { name, xml }))
    }

    /// The nodata value of a band, numbered from 1.
    pub(super) fn nodata(&self, band: usize) -> Option<Nodata> {
        let mut found = None;
        xml::for_each_text(&self.xml, |open, text| {
            let [root, of, value] = open else { return };
            let is_it = root.is("PAMDataset")
                && of.is("PAMRasterBand")
                && value.is("NoDataValue")
                && of.attribute("band").is_some_and(|number| number.trim().parse() == Ok(band));
            if is_it {
                // The digits may be fewer than the number has.
                let exact = value.attribute("le_hex_equiv").and_then(|hex| from_hex(&hex));
                let name = format!("NoDataValue in {}", self.name);
                found = Some(exact.map_or_else(|| nodata::of_image(&name, text), Nodata::Number));
            }
        });
        found
    }

    /// The scale and the offset of a band, numbered from 1, where it has them.
    pub(super) fn scaling(&self, band: usize) -> [Option<f64>; 2] {
        let mut found = [None; 2];
        xml::for_each_text(&self.xml, |open, text| {
            let [root, of, value] = open else { return };
            let number = of.attribute("band");
            let is_it = root.is("PAMDataset") && of.is("PAMRasterBand");
            if is_it && number.is_some_and(|number| number.trim().parse() == Ok(band)) {
                for (name, found) in ["Scale", "Offset"].into_iter().zip(&mut found) {
                    if value.is(name) {
                        *found = text.trim().parse().ok();
                    }
                }
            }
        });
        found
    }

    /// The dataset's item NODATA_VALUES: a value for each band.
    pub(super) fn nodata_values(&self) -> Option<String> {
        let mut values = None;
        xml::for_each_text(&self.xml, |open, text| {
            let [root, metadata, item] = open else { return };
            let is_default = metadata.attribute("domain").is_none_or(|domain| domain.is_empty());
            if root.is("PAMDataset")
                && metadata.is("Metadata")
                && is_default
                && item.attribute("key").is_some_and(|key| key.eq_ignore_ascii_case(NODATA_VALUES))
            {
                values = Some(text.to_owned());
            }
        });
        values
    }
}

/// The name of an item that has a value for each band: pixels are excluded
/// where all bands have theirs.
pub(super) const NODATA_VALUES: &str = "NODATA_VALUES";

/// The eight bytes of a number, the last one first.
fn from_hex(hex: &str) -> Option<f64> {
    let bits = u64::from_str_radix(hex.trim(), 16).ok().filter(|_| hex.trim().len() == 16)?;
    Some(f64::from_bits(bits.swap_bytes()))
}

/// The file of a mask beside an image, if there is one.
pub(super) fn mask(input: &Input<'_>) -> Option<PathBuf> {
    beside(input, &[".msk", ".MSK"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(xml: &str) -> Notes {
        Notes { name: "x.tif.aux.xml".to_owned(), xml: xml.to_owned() }
    }

    #[test]
    fn each_band_has_its_own_nodata_value() {
        let notes = notes(
            "<PAMDataset><Metadata domain=\"OTHER\"><MDI key=\"NODATA_VALUES\">9 9</MDI></Metadata>\
             <Metadata><MDI key=\"NODATA_VALUES\">1 2</MDI></Metadata>\
             <PAMRasterBand band=\"1\"><NoDataValue>-9.99900000000000E+03</NoDataValue></PAMRasterBand>\
             <PAMRasterBand band=\"2\"><NoDataValue le_hex_equiv=\"000000E0FFFFEFC7\">-3.4E+38</NoDataValue>\
             </PAMRasterBand><PAMRasterBand band=\"12\"><NoDataValue>nan</NoDataValue></PAMRasterBand></PAMDataset>",
        );
        assert_eq!(notes.nodata(1), Some(Nodata::Number(-9999.0)));
        assert_eq!(notes.nodata(2), Some(Nodata::Number(f64::from(f32::MIN))));
        assert!(matches!(notes.nodata(12), Some(Nodata::Number(n)) if n.is_nan()));
        assert_eq!(notes.nodata(3), None);
        assert_eq!(notes.nodata_values().as_deref(), Some("1 2"));
    }

    /// GDAL takes the band's number as a number, and sees no case in names.
    #[test]
    fn names_have_no_case_and_bands_are_numbers() {
        let notes = notes(
            "<pamdataset><METADATA><mdi KEY=\"nodata_values\">1 2</mdi></METADATA><PamRasterBand BAND=\" 01\">\
             <NODATAVALUE>14</NODATAVALUE></PamRasterBand></pamdataset>",
        );
        assert_eq!(notes.nodata(1), Some(Nodata::Number(14.0)));
        assert_eq!(notes.nodata(10), None);
        assert_eq!(notes.nodata_values().as_deref(), Some("1 2"));
    }
}
