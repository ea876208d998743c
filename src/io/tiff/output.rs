//! Images of predictions and of many fits: bands one after the other, uncompressed, with
//! X's place on Earth.

use std::io::{self, Cursor, Write};
use std::path::Path;

use ::tiff::TiffResult;
use ::tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use ::tiff::tags::{CompressionMethod, PhotometricInterpretation, PlanarConfiguration, SampleFormat, Tag};

use super::directory::KIND;
use crate::array::{DataError, ElementType};
use crate::io::fits_plan::{FitsPlan, Keys, NUMBERS};
use crate::io::georeference::{GeoValue, Georeference};
use crate::io::output::OutputFile;
use crate::io::writer::ResultPlan;

/// Bytes of a strip, if a row isn't more already.
const STRIP_BYTES: u64 = 1 << 18;

/// Room that is left for the header and the directory below 4 GiB, beyond
/// which a file must be a `BigTIFF`.
const HEAD_BYTES: u64 = 64 << 20;

/// The first bytes of an image, up to its data.
pub(in super::super) fn header(path: &Path, plan: &ResultPlan<'_>) -> Result<Vec<u8>, DataError> {
    let &ResultPlan { shape, metadata, element, nodata, .. } = plan;
    let misfit =
        || DataError::OutputShape { path: path.to_owned(), kind: KIND, element, shape: shape.clone() };
    // Bands are the first of three axes.
    let (bands, height, width) = match shape.0[..] {
        [height, width] => (1, height, width),
        [bands, height, width] => (bands, height, width),
        _ => return Err(misfit()),
    };
    let bands = u16::try_from(bands).ok().filter(|&bands| bands > 0).ok_or_else(misfit)?;
    let (Ok(height), Ok(width)) = (u32::try_from(height), u32::try_from(width)) else { return Err(misfit()) };
    if width == 0 || height == 0 {
        return Err(misfit());
    }
    let row_bytes = u64::from(width) * element.size() as u64;
    let georeference = metadata.georeference();
    let image = Output {
        georeference,
        element,
        nodata,
        bands,
        notes: None,
        width,
        height,
        row_bytes,
        rows: strip_rows(row_bytes, height),
    };
    image.head().map_err(|e| DataError::write(path, io::Error::other(e.to_string())))
}

fn sample_format(element: ElementType) -> SampleFormat {
    match element {
        ElementType::F16 | ElementType::Bf16 | ElementType::F32 | ElementType::F64 => SampleFormat::IEEEFP,
        ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64 => SampleFormat::Int,
        ElementType::Bool | ElementType::U8 | ElementType::U16 | ElementType::U32 | ElementType::U64 => {
            SampleFormat::Uint
        }
    }
}

fn strip_rows(row_bytes: u64, height: u32) -> u32 {
    u32::try_from((STRIP_BYTES / row_bytes).max(1)).unwrap_or(u32::MAX).min(height)
}

/// Writes an image of many fits that are a map, a band for each number.
pub(in super::super) fn write_fits(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    const FITS: usize = 1 << 16;
    let no_map = |reason| DataError::FitsOutput {
        path: path.to_owned(),
        reason,
        formats: ".npz, .parquet, .csv or .json",
    };
    let [height, width] = plan.shape.0[..] else {
        return Err(no_map("an image holds fits that are a map of rows and columns"));
    };
    if matches!(plan.keys, Keys::Labels(_)) {
        return Err(no_map("an image holds no labels"));
    }
    let size = |extent: u64| u32::try_from(extent).ok().filter(|&extent| extent > 0);
    let sizes = size(width).zip(size(height));
    let (width, height) = sizes.ok_or_else(|| no_map("an image has fewer rows and columns"))?;
    let element = ElementType::F64;
    let row_bytes = u64::from(width) * element.size() as u64;
    let tile = match plan.keys {
        Keys::Tiles { rows, columns } => [*rows, *columns],
        _ => [1, 1],
    };
    #[expect(clippy::cast_precision_loss, reason = "rows and columns of a tile")]
    let georeference =
        plan.metadata.georeference().map(|place| place.coarser(tile.map(|extent| extent as f64)));
    let image = Output {
        georeference: georeference.as_ref(),
        element,
        nodata: Some(f64::NAN),
        bands: u16::try_from(NUMBERS).unwrap_or(u16::MAX),
        notes: Some(plan.gdal_metadata()),
        width,
        height,
        row_bytes,
        rows: strip_rows(row_bytes, height),
    };
    let head = image.head().map_err(|e| DataError::write(path, io::Error::other(e.to_string())))?;
    let failed = |e| DataError::write(path, e);
    let mut file = OutputFile::create(path)?;
    file.write_all(&head).map_err(failed)?;
    for column in 0..NUMBERS {
        for first in (0..plan.count).step_by(FITS) {
            let fits = first..plan.count.min(first + FITS);
            let numbers: Vec<f64> = fits.map(|fit| (plan.numbers)(fit)[column]).collect();
            file.write_all(bytemuck::cast_slice(&numbers)).map_err(failed)?;
        }
    }
    file.finish()
}

/// An image to be written.
struct Output<'a> {
    georeference: Option<&'a Georeference>,
    element: ElementType,
    nodata: Option<f64>,
    /// Bands, one after the other.
    bands: u16,
    /// GDAL's notes on the bands.
    notes: Option<String>,
    width: u32,
    height: u32,
    row_bytes: u64,
    /// Rows of a strip.
    rows: u32,
}

impl Output<'_> {
    /// Header and directory, after which the strips stand one after the other.
    fn head(&self) -> TiffResult<Vec<u8>> {
        if self.row_bytes * u64::from(self.height) * u64::from(self.bands) < u64::from(u32::MAX) - HEAD_BYTES
        {
            self.head_as::<TiffKindStandard, u32>(|place| u32::try_from(place).unwrap_or(u32::MAX))
        } else {
            self.head_as::<TiffKindBig, u64>(|place| place)
        }
    }

    fn head_as<K: TiffKind, O>(&self, offset: fn(u64) -> O) -> TiffResult<Vec<u8>>
    where
        [O]: TiffValue,
    {
        // The directory's size does not depend on the numbers in it.
        let bytes = self.directory::<K, O>(0, offset)?.len();
        let start = bytes.next_multiple_of(8);
        let mut head = self.directory::<K, O>(start as u64, offset)?;
        head.resize(start, 0);
        Ok(head)
    }

    fn directory<K: TiffKind, O>(&self, start: u64, offset: fn(u64) -> O) -> TiffResult<Vec<u8>>
    where
        [O]: TiffValue,
    {
        let strips = u64::from(self.height.div_ceil(self.rows));
        let strip_bytes = self.row_bytes * u64::from(self.rows);
        let last = self.row_bytes * u64::from(self.height) - strip_bytes * (strips - 1);
        let band_bytes = self.row_bytes * u64::from(self.height);
        let bands = 0..u64::from(self.bands);
        let offsets: Vec<O> = bands
            .clone()
            .flat_map(|band| (0..strips).map(move |k| start + band * band_bytes + k * strip_bytes))
            .map(offset)
            .collect();
        let bytes: Vec<O> = bands
            .flat_map(|_| (1..=strips).map(|k| if k < strips { strip_bytes } else { last }))
            .map(offset)
            .collect();
        let mut head = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::<_, K>::new_generic(&mut head)?;
        let mut directory = encoder.image_directory()?;
        directory.write_tag(Tag::ImageWidth, self.width)?;
        directory.write_tag(Tag::ImageLength, self.height)?;
        let bits = u16::try_from(8 * self.element.size()).unwrap_or(u16::MAX);
        let each = |value: u16| vec![value; usize::from(self.bands)];
        directory.write_tag(Tag::BitsPerSample, &each(bits)[..])?;
        directory.write_tag(Tag::Compression, CompressionMethod::None)?;
        directory.write_tag(Tag::PhotometricInterpretation, PhotometricInterpretation::BlackIsZero)?;
        directory.write_tag(Tag::StripOffsets, &offsets[..])?;
        directory.write_tag(Tag::SamplesPerPixel, self.bands)?;
        directory.write_tag(Tag::RowsPerStrip, self.rows)?;
        directory.write_tag(Tag::StripByteCounts, &bytes[..])?;
        let planar = if self.bands > 1 { PlanarConfiguration::Planar } else { PlanarConfiguration::Chunky };
        directory.write_tag(Tag::PlanarConfiguration, planar)?;
        if self.bands > 1 {
            // What they mean is not said: they are neither colours nor opacity.
            directory.write_tag(Tag::ExtraSamples, &each(0)[1..])?;
        }
        let formats = vec![sample_format(self.element); usize::from(self.bands)];
        directory.write_tag(Tag::SampleFormat, &formats[..])?;
        if let Some(notes) = &self.notes {
            directory.write_tag(Tag::from_u16_exhaustive(super::tag::GDAL_METADATA), notes.as_str())?;
        }
        for (tag, value) in self.georeference.iter().flat_map(|geo| &geo.0) {
            let tag = Tag::from_u16_exhaustive(*tag);
            match value {
                GeoValue::Doubles(values) => directory.write_tag(tag, &values[..])?,
                GeoValue::Shorts(values) => directory.write_tag(tag, &values[..])?,
                GeoValue::Text(text) => directory.write_tag(tag, text.as_str())?,
            }
        }
        if let Some(nodata) = self.nodata {
            directory.write_tag(Tag::GdalNodata, nodata.to_string().as_str())?;
        }
        directory.finish()?;
        Ok(head.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use ::tiff::decoder::Decoder;

    use super::*;

    /// The directory of an image beyond 4 GiB, without its data.
    #[test]
    fn a_large_image_is_a_bigtiff() {
        for (height, signature) in [(30_000, b"II*\0"), (40_000, b"II+\0")] {
            let row_bytes = 4 * 30_000;
            let image = Output {
                georeference: None,
                element: ElementType::F32,
                nodata: None,
                bands: 1,
                notes: None,
                width: 30_000,
                height,
                row_bytes,
                rows: strip_rows(row_bytes, height),
            };
            let head = image.head().unwrap();
            assert!(head.starts_with(signature), "{:?}", &head[..4]);
            let mut decoder = Decoder::new(Cursor::new(head)).unwrap();
            let offsets: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripOffsets).unwrap().unwrap();
            let bytes: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripByteCounts).unwrap().unwrap();
            assert_eq!(bytes.iter().sum::<u64>(), row_bytes * u64::from(height));
            assert!(offsets.windows(2).zip(&bytes).all(|(pair, bytes)| pair[0] + bytes == pair[1]));
        }
    }
}
