use ::png::{BitDepth, ColorType, Info};

use crate::array::{Bitmap, DataError, Element, Nodata};
use crate::io::input::Input;
use crate::io::nodata;
use crate::io::note::Note;
use crate::io::sidecar::{self, NODATA_VALUES};
#[cfg(feature = "tiff")]
use crate::io::tiff::mask_beside;

/// The markers that exclude pixels, in GDAL's order: see the `tiff` module.
pub(super) struct Markers {
    /// The name of a mask, and the pixels but for those that it excludes.
    pub(super) excluded: Option<(String, Bitmap)>,
    /// Else the pixels that have this colour or are transparent.
    pub(super) by_row: Option<ByRow>,
    pub(super) nodata: Option<Nodata>,
    pub(super) notes: Vec<Note>,
}

/// The sign by which pixels of a row are excluded.
pub(super) enum ByRow {
    Colour(String, Vec<u16>),
    Alpha(String),
}

impl Markers {
    /// The markers of sample number `sample` of an image.
    pub(super) fn of(input: &Input<'_>, info: &Info<'_>, sample: usize) -> Result<Self, DataError> {
        let samples = info.color_type.samples();
        let size = [info.width as usize, info.height as usize];
        let mut notes = Vec::new();
        let beside = sidecar::Notes::of(input, &mut notes)?;
        // The decoder keeps a byte of each of those that have no more. Of these
        // it uses as many bits as a sample has.
        let most = match info.bit_depth {
            BitDepth::One => 1,
            BitDepth::Two => 3,
            BitDepth::Four => 15,
            BitDepth::Eight | BitDepth::Sixteen => u8::MAX,
        };
        let colours: Vec<u16> = match info.trns.as_deref().unwrap_or_default() {
            bytes if info.bit_depth == BitDepth::Sixteen => {
                bytes.as_chunks().0.iter().copied().map(u16::from_be_bytes).collect()
            }
            bytes => bytes.iter().map(|&byte| u16::from(byte & most)).collect(),
        };
        let has_alpha = matches!(info.color_type, ColorType::GrayscaleAlpha | ColorType::Rgba);
        let colour = Some(colours).filter(|colours| colours.len() == samples && !has_alpha);
        let mut found = match &colour {
            Some(colours) if samples == 1 => {
                let file = "its chunk tRNS".to_owned();
                notes.push(Note::NodataBeside { value: colours[0].to_string(), file });
                Some(Nodata::Number(colours[0].into()))
            }
            _ => None,
        };
        if let (None, Some(beside)) = (&found, &beside) {
            found = beside.nodata(sample + 1);
            if let Some(value) = found.as_ref().and_then(nodata::shown) {
                notes.push(Note::NodataBeside { value, file: beside.name.clone() });
            }
        }
        let mut excluded = None;
        match mask_beside(input, sample + 1, size)? {
            Some((name, Ok(valid))) => excluded = Some((name, valid)),
            Some((_, Err(note))) => notes.push(note),
            None => {}
        }
        let listed = |colours: &[u16]| colours.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
        let in_range = |value: f64| {
            value >= 0.0 && value <= if info.bit_depth == BitDepth::Sixteen { 65_535.0 } else { 255.0 }
        };
        let is_nodata = match found {
            Some(Nodata::Number(value)) => in_range(value),
            Some(_) => true,
            None => false,
        };
        let values = beside.as_ref().and_then(sidecar::Notes::nodata_values);
        let values = values.and_then(|text| {
            let values: Option<Vec<u16>> = text.split_whitespace().map(|value| value.parse().ok()).collect();
            values.filter(|values| values.len() == samples)
        });
        let by_row = match (excluded.is_some(), values, colour) {
            (true, ..) => None,
            (_, Some(values), _) => {
                Some(ByRow::Colour(format!("{NODATA_VALUES} {}", listed(&values)), values))
            }
            (_, None, Some(colour)) if samples > 1 => {
                Some(ByRow::Colour(format!("its transparent colour (tRNS) {}", listed(&colour)), colour))
            }
            _ if has_alpha && input.alpha && sample + 1 < samples && !is_nodata => {
                Some(ByRow::Alpha(format!("its alpha band {samples}, where it is 0")))
            }
            _ => None,
        };
        Ok(Self { excluded, by_row, nodata: found, notes })
    }
}

impl ByRow {
    /// Whether a pixel, all its samples, is excluded.
    pub(super) fn excludes<E: Element>(&self, pixel: &[E]) -> bool {
        match self {
            Self::Alpha(_) => pixel.last().is_some_and(|alpha| alpha.to_f64() == 0.0),
            Self::Colour(_, colour) => {
                pixel.iter().zip(colour).all(|(sample, value)| sample.to_f64() == f64::from(*value))
            }
        }
    }
}

/// The error of a mask beside an image, which only the TIFF reader reads.
#[cfg(not(feature = "tiff"))]
fn mask_beside(
    input: &Input<'_>,
    _: usize,
    _: [usize; 2],
) -> Result<Option<(String, Result<Bitmap, Note>)>, DataError> {
    match sidecar::mask(input) {
        Some(path) => Err(DataError::not_built(&path, "TIFF, as this mask is", "tiff")),
        None => Ok(None),
    }
}
