/// The place of an image's pixels on Earth: the GeoTIFF tags (OGC 19-008r4) of
/// the file it came from, kept for the file that a prediction goes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Georeference(pub(super) Vec<(u16, GeoValue)>);

/// GeoTIFF's tags.
mod tag {
    pub(crate) const SCALE: u16 = 33550;
    pub(crate) const TIE_POINTS: u16 = 33922;
    pub(crate) const TRANSFORMATION: u16 = 34264;
    pub(crate) const KEYS: u16 = 34735;
}

impl Georeference {
    /// The difference between the places of two images' pixels, in words, if there
    /// is one.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        /// The share of a pixel that other ways to write the same numbers may cost.
        const TOLERANCE: f64 = 1e-3;
        if self.system() != other.system() {
            return Some("coordinate systems");
        }
        let (mine, theirs) = (self.transformation()?, other.transformation()?);
        let pixel = mine[0].hypot(mine[3]);
        let apart = mine.iter().zip(theirs).any(|(a, b)| (a - b).abs() > TOLERANCE * pixel);
        apart.then_some("places or sizes of pixels")
    }

    /// The place of an image whose pixels are so many rows and columns of this one's.
    #[must_use]
    pub fn coarser(&self, [rows, columns]: [f64; 2]) -> Self {
        let mut coarser = self.clone();
        for (found, value) in &mut coarser.0 {
            let GeoValue::Doubles(values) = value else { continue };
            match (*found, &mut values[..]) {
                (tag::SCALE, [width, height, ..]) => {
                    *width *= columns;
                    *height *= rows;
                }
                // A tie point is a place in the image, and one on Earth.
                (tag::TIE_POINTS, points) => {
                    for point in points.chunks_exact_mut(6) {
                        point[0] /= columns;
                        point[1] /= rows;
                    }
                }
                (tag::TRANSFORMATION, [a, b, _, _, d, e, ..]) => {
                    *a *= columns;
                    *b *= rows;
                    *d *= columns;
                    *e *= rows;
                }
                _ => {}
            }
        }
        coarser
    }

    fn doubles(&self, tag: u16) -> Option<&[f64]> {
        self.0.iter().find_map(|(found, value)| match value {
            GeoValue::Doubles(values) if *found == tag => Some(&values[..]),
            _ => None,
        })
    }

    /// The place of the pixel of a column and a row: a, b, c and d, e, f of
    /// x = a·column + b·row + c and y = d·column + e·row + f.
    fn transformation(&self) -> Option<[f64; 6]> {
        if let Some(&[a, b, _, c, d, e, _, f, ..]) = self.doubles(tag::TRANSFORMATION) {
            return Some([a, b, c, d, e, f]);
        }
        let (&[width, height, ..], &[column, row, _, x, y, ..]) =
            (self.doubles(tag::SCALE)?, self.doubles(tag::TIE_POINTS)?)
        else {
            return None;
        };
        Some([width, 0.0, x - column * width, 0.0, -height, y + row * height])
    }

    /// The part of a pixel that its place is of, its area (1) or its middle, and the
    /// code of the coordinate system, projected or else of degrees.
    fn system(&self) -> (u16, Option<u16>) {
        const RASTER_TYPE: u16 = 1025;
        const DEGREES: u16 = 2048;
        const PROJECTED: u16 = 3072;
        let keys = self.0.iter().find_map(|(found, value)| match value {
            GeoValue::Shorts(values) if *found == tag::KEYS => Some(&values[..]),
            _ => None,
        });
        let entries: &[[u16; 4]] = keys.unwrap_or_default().as_chunks().0;
        // After a head, each has a key, where the value is (0: here), a count
        // and the value.
        let code = |key| entries.iter().skip(1).find(|entry| entry[..2] == [key, 0]).map(|entry| entry[3]);
        (code(RASTER_TYPE).unwrap_or(1), code(PROJECTED).or(code(DEGREES)))
    }
}

/// The coordinate system, the place of the first pixel, and the size of one.
impl std::fmt::Display for Georeference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.system() {
            (_, Some(code)) => write!(f, "EPSG:{code}")?,
            (_, None) => f.write_str("a coordinate system without a code")?,
        }
        match self.transformation() {
            Some([width, 0.0, x, 0.0, height, y]) => {
                write!(f, ", from {x}, {y} in steps of {width}, {height}")
            }
            Some(_) => f.write_str(", rotated"),
            None => Ok(()),
        }
    }
}

/// The value of a GeoTIFF tag.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(not(feature = "tiff"), allow(dead_code, reason = "only images have places"))]
pub(super) enum GeoValue {
    /// Scales, tie points, transformations, parameters.
    Doubles(Vec<f64>),
    /// The directory of keys.
    Shorts(Vec<u16>),
    /// Names.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels of 10 m in zone 32 or another, from a corner on.
    fn at(x: f64, y: f64, zone: u16) -> Georeference {
        Georeference(vec![
            (tag::SCALE, GeoValue::Doubles(vec![10.0, 10.0, 0.0])),
            (tag::TIE_POINTS, GeoValue::Doubles(vec![0.0, 0.0, 0.0, x, y, 0.0])),
            (tag::KEYS, GeoValue::Shorts(vec![1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32_600 + zone])),
        ])
    }

    #[test]
    fn images_of_other_places_differ() {
        let here = at(600_000.0, 5_100_000.0, 32);
        assert_eq!(here.difference(&here), None);
        assert_eq!(here.difference(&at(600_000.0, 5_100_000.0, 33)), Some("coordinate systems"));
        assert_eq!(here.difference(&at(600_010.0, 5_100_000.0, 32)), Some("places or sizes of pixels"));
        assert_eq!(here.difference(&at(600_000.0, 5_100_000.000_1, 32)), None);
    }

    #[test]
    fn the_same_place_may_be_said_in_other_words() {
        let here = at(600_000.0, 5_100_000.0, 32);
        let keys = here.0[2].clone();
        // Tied at its third column and fifth row; and as a matrix, with a name.
        let tie = vec![3.0, 5.0, 0.0, 600_030.0, 5_099_950.0, 0.0];
        let tied =
            Georeference(vec![here.0[0].clone(), (tag::TIE_POINTS, GeoValue::Doubles(tie)), keys.clone()]);
        let mut matrix = vec![10.0, 0.0, 0.0, 600_000.0, 0.0, -10.0, 0.0, 5_100_000.0];
        matrix.extend([0.0; 7]);
        matrix.push(1.0);
        let name = (34_737, GeoValue::Text("UTM".to_owned()));
        let turned = Georeference(vec![(tag::TRANSFORMATION, GeoValue::Doubles(matrix)), keys, name]);
        for other in [tied, turned] {
            assert_eq!(here.difference(&other), None);
            assert_eq!(other.difference(&here), None);
        }
        assert_eq!(here.difference(&Georeference(Vec::new())), Some("coordinate systems"));
    }
}
