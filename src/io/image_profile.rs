//! How an image's file stores it, and what else it says: kept for the file that a
//! prediction goes to.

#[cfg(feature = "tiff")]
use super::xml;

/// The compression of strips and tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageCompression {
    /// Bytes as they are.
    None,
    /// LZW.
    Lzw,
    /// Deflate, in zlib's frame.
    Deflate,
    /// Runs of bytes.
    PackBits,
    /// Zstandard.
    Zstd,
}

/// How a TIFF stores an image, and the texts that go with it.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ImageProfile {
    /// Columns and rows of a tile; strips have all columns.
    pub(super) tile: Option<[u32; 2]>,
    /// Rows of a strip.
    pub(super) strip_rows: u32,
    pub(super) compression: ImageCompression,
    /// Whether a predictor was applied before.
    pub(super) has_predictor: bool,
    /// Whether offsets have 64 bits.
    pub(super) is_big: bool,
    /// Whether the bands of a pixel lie side by side.
    pub(super) is_chunky: bool,
    pub(super) has_overviews: bool,
    /// Texts about the whole file, by their tags.
    pub(super) texts: Vec<(u16, String)>,
    /// GDAL's notes on the file and its bands, as XML.
    pub(super) notes: Option<String>,
    /// The bands that are read, by their numbers in the notes, from 0.
    pub(super) bands: Vec<usize>,
}

#[cfg(feature = "tiff")]
impl ImageProfile {
    /// The notes that hold for another image of these bands: names and descriptions, but
    /// no statistics, scales, units and markers of missing values. `None` if there are none.
    pub(super) fn notes_of_bands(&self) -> Option<String> {
        let mut items = String::new();
        xml::for_each_text(self.notes.as_deref()?, |open, text| {
            let [root, item] = open else { return };
            if !root.is("GDALMetadata") || !item.is("Item") {
                return;
            }
            let attribute = |name| item.attribute(name).unwrap_or_default();
            let (name, role, domain) = (attribute("name"), attribute("role"), attribute("domain"));
            let upper = name.to_ascii_uppercase();
            let is_of_values = ["STATISTICS_", "NODATA_VALUES", "INTERNAL_MASK_FLAGS"]
                .iter()
                .any(|start| upper.starts_with(start));
            let is_kept = role.is_empty() || role.eq_ignore_ascii_case("description");
            if is_of_values || !is_kept || domain.eq_ignore_ascii_case("IMAGE_STRUCTURE") {
                return;
            }
            let sample = item.attribute("sample").map(|sample| sample.trim().parse::<usize>());
            let places: Vec<Option<usize>> = match sample {
                None => vec![None],
                Some(Ok(sample)) => {
                    let bands = self.bands.iter().enumerate().filter(|(_, band)| **band == sample);
                    bands.map(|(place, _)| Some(place)).collect()
                }
                Some(Err(_)) => Vec::new(),
            };
            for place in places {
                let sample = place.map(|place| format!(" sample=\"{place}\"")).unwrap_or_default();
                let [role, domain] = [("role", &role), ("domain", &domain)].map(|(key, value)| {
                    if value.is_empty() { String::new() } else { format!(" {key}=\"{}\"", escaped(value)) }
                });
                let name = escaped(&name);
                items.extend([format!(
                    "  <Item name=\"{name}\"{sample}{role}{domain}>{}</Item>\n",
                    escaped(text)
                )]);
            }
        });
        (!items.is_empty()).then(|| format!("<GDALMetadata>\n{items}</GDALMetadata>\n"))
    }
}

#[cfg(feature = "tiff")]
fn escaped(text: &str) -> String {
    let pairs = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
    pairs.iter().fold(text.to_owned(), |text, (character, name)| text.replace(character, name))
}

#[cfg(feature = "tiff")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_other_bands_and_of_the_values_stay_behind() {
        let notes = "<GDALMetadata><Item name=\"AREA\">a &lt; b</Item>\
            <Item name=\"DESCRIPTION\" sample=\"0\" role=\"description\">red</Item>\
            <Item name=\"DESCRIPTION\" sample=\"2\" role=\"description\">near infrared</Item>\
            <Item name=\"SCALE\" sample=\"2\" role=\"scale\">0.1</Item>\
            <Item name=\"STATISTICS_MEAN\" sample=\"2\">3</Item><Item name=\"NODATA_VALUES\">1 2 3</Item>\
            <Item name=\"WAVELENGTH\" sample=\"2\">842</Item></GDALMetadata>";
        let profile = |bands: &[usize], notes: &str| ImageProfile {
            tile: None,
            strip_rows: 1,
            compression: ImageCompression::None,
            has_predictor: false,
            is_big: false,
            is_chunky: true,
            has_overviews: false,
            texts: Vec::new(),
            notes: Some(notes.to_owned()),
            bands: bands.to_vec(),
        };
        let kept = profile(&[2], notes).notes_of_bands().unwrap();
        assert_eq!(
            kept,
            "<GDALMetadata>\n  <Item name=\"AREA\">a &lt; b</Item>\n  \
             <Item name=\"DESCRIPTION\" sample=\"0\" role=\"description\">near infrared</Item>\n  \
             <Item name=\"WAVELENGTH\" sample=\"0\">842</Item>\n</GDALMetadata>\n"
        );
        let both = profile(&[2, 0], notes).notes_of_bands().unwrap();
        assert!(both.contains("sample=\"1\" role=\"description\">red<"), "{both}");
        assert_eq!(profile(&[0], "<GDALMetadata></GDALMetadata>").notes_of_bands(), None);
    }
}
