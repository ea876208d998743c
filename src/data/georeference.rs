/// Where on Earth an image's pixels are: the GeoTIFF tags (OGC 19-008r4) of
/// the file it came from, kept for the file that a prediction goes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Georeference(pub(super) Vec<(u16, GeoValue)>);

/// The value of a GeoTIFF tag.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(not(feature = "tiff"), expect(dead_code, reason = "only images are somewhere"))]
pub(super) enum GeoValue {
    /// Scales, tie points, transformations, parameters.
    Doubles(Vec<f64>),
    /// The directory of keys.
    Shorts(Vec<u16>),
    /// Names.
    Text(String),
}
