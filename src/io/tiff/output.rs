//! Images of predictions: one band, uncompressed, with X's place on Earth.

use std::io::{self, Cursor};
use std::path::Path;

use ::tiff::TiffResult;
use ::tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use ::tiff::tags::{CompressionMethod, PhotometricInterpretation, PlanarConfiguration, SampleFormat, Tag};

use super::directory::KIND;
use crate::array::{DataError, ElementType};
use crate::io::georeference::{GeoValue, Georeference};
use crate::io::writer::ResultPlan;

/// Bytes of a strip, if a row isn't more already.
const STRIP_BYTES: u64 = 1 << 18;

/// Room that is left for the header and the directory below 4 GiB, beyond
/// which a file must be a `BigTIFF`.
const HEAD_BYTES: u64 = 64 << 20;

/// The first bytes of an image of one band, up to its data.
pub(in super::super) fn header(path: &Path, plan: &ResultPlan<'_>) -> Result<Vec<u8>, DataError> {
    let &ResultPlan { shape, metadata, element, nodata, .. } = plan;
    let misfit =
        || DataError::OutputShape { path: path.to_owned(), kind: KIND, element, shape: shape.clone() };
    let [height, width] = shape.0[..] else { return Err(misfit()) };
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

/// An image to be written.
struct Output<'a> {
    georeference: Option<&'a Georeference>,
    element: ElementType,
    nodata: Option<f64>,
    width: u32,
    height: u32,
    row_bytes: u64,
    /// Rows of a strip.
    rows: u32,
}

impl Output<'_> {
    /// Header and directory, after which the strips stand one after the other.
    fn head(&self) -> TiffResult<Vec<u8>> {
        if self.row_bytes * u64::from(self.height) < u64::from(u32::MAX) - HEAD_BYTES {
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
        let offsets: Vec<O> = (0..strips).map(|k| offset(start + k * strip_bytes)).collect();
        let bytes: Vec<O> =
            (1..=strips).map(|k| offset(if k < strips { strip_bytes } else { last })).collect();
        let mut head = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::<_, K>::new_generic(&mut head)?;
        let mut directory = encoder.image_directory()?;
        directory.write_tag(Tag::ImageWidth, self.width)?;
        directory.write_tag(Tag::ImageLength, self.height)?;
        let bits = u16::try_from(8 * self.element.size()).unwrap_or(u16::MAX);
        directory.write_tag(Tag::BitsPerSample, bits)?;
        directory.write_tag(Tag::Compression, CompressionMethod::None)?;
        directory.write_tag(Tag::PhotometricInterpretation, PhotometricInterpretation::BlackIsZero)?;
        directory.write_tag(Tag::StripOffsets, &offsets[..])?;
        directory.write_tag(Tag::SamplesPerPixel, 1u16)?;
        directory.write_tag(Tag::RowsPerStrip, self.rows)?;
        directory.write_tag(Tag::StripByteCounts, &bytes[..])?;
        directory.write_tag(Tag::PlanarConfiguration, PlanarConfiguration::Chunky)?;
        directory.write_tag(Tag::SampleFormat, &[sample_format(self.element)][..])?;
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
