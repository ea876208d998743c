//! Images of predictions, stored as X's image is, and of many fits, bands one after the
//! other: the directory of each.

use std::io::{self, Cursor, Write};
use std::path::Path;

use ::tiff::TiffResult;
use ::tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use ::tiff::tags::{PhotometricInterpretation, PlanarConfiguration, SampleFormat, Tag};

use super::compression::Compression;
use super::packing::Predictor;
use crate::array::{DataError, ElementType};
use crate::io::fits_plan::{FitsPlan, Keys, NUMBERS};
use crate::io::georeference::{GeoValue, Georeference};
use crate::io::output::OutputFile;

/// Bytes of a strip, if a row isn't more already.
const STRIP_BYTES: u64 = 1 << 18;

/// Room that is left for the header and the directory below 4 GiB, beyond
/// which a file must be a `BigTIFF`.
const HEAD_BYTES: u64 = 64 << 20;

/// How an image is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage {
    /// Columns and rows of a tile.
    pub(super) tile: Option<[u32; 2]>,
    /// Rows of a strip.
    pub(super) strip_rows: u32,
    pub(super) compression: Compression,
    pub(super) predictor: Predictor,
    pub(super) is_chunky: bool,
    pub(super) is_big: bool,
}

impl Storage {
    /// Strips of bytes as they are, bands one after the other.
    pub(super) fn plain(row_bytes: u64, height: u32) -> Self {
        Self {
            tile: None,
            strip_rows: strip_rows(row_bytes, height),
            compression: Compression::None,
            predictor: Predictor::None,
            is_chunky: false,
            is_big: false,
        }
    }
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
        georeference,
        element,
        nodata: Some(f64::NAN),
        bands: u16::try_from(NUMBERS).unwrap_or(u16::MAX),
        notes: Some(plan.gdal_metadata()),
        texts: Vec::new(),
        width,
        height,
        storage: Storage::plain(row_bytes, height),
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
pub(super) struct Output {
    pub(super) georeference: Option<Georeference>,
    pub(super) element: ElementType,
    pub(super) nodata: Option<f64>,
    pub(super) bands: u16,
    /// GDAL's notes on the bands.
    pub(super) notes: Option<String>,
    /// Texts about the file, by their tags.
    pub(super) texts: Vec<(u16, String)>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) storage: Storage,
}

impl Output {
    pub(super) fn width(&self) -> usize {
        self.width as usize
    }

    pub(super) fn height(&self) -> usize {
        self.height as usize
    }

    pub(super) fn element_bytes(&self) -> usize {
        self.element.size()
    }

    pub(super) fn compression(&self) -> Compression {
        self.storage.compression
    }

    pub(super) fn predictor(&self) -> Predictor {
        self.storage.predictor
    }

    pub(super) fn has_tiles(&self) -> bool {
        self.storage.tile.is_some()
    }

    /// Samples that lie side by side.
    pub(super) fn samples_in_pixel(&self) -> usize {
        if self.storage.is_chunky { usize::from(self.bands) } else { 1 }
    }

    /// Columns and rows of a block.
    pub(super) fn block(&self) -> [usize; 2] {
        self.storage.tile.unwrap_or([self.width, self.storage.strip_rows]).map(|side| side as usize)
    }

    pub(super) fn block_rows(&self) -> usize {
        self.block()[1]
    }

    /// Bytes of a row of a plane.
    pub(super) fn row_bytes(&self) -> u64 {
        (self.width() * self.element_bytes() * self.samples_in_pixel()) as u64
    }

    /// Whether elements are stored as they are given: in strips, one band after the other.
    pub(super) fn is_plain(&self) -> bool {
        self.compression() == Compression::None && !self.has_tiles() && !self.storage.is_chunky
    }

    /// The bytes of all blocks before they are compressed, in their order.
    fn block_bytes(&self) -> Vec<u64> {
        let [width, height] = self.block();
        let pixel_bytes = (self.element_bytes() * self.samples_in_pixel()) as u64;
        let across = self.width().div_ceil(width);
        let planes = if self.storage.is_chunky { 1 } else { usize::from(self.bands) };
        let mut bytes = Vec::new();
        for _ in 0..planes {
            for top in (0..self.height()).step_by(height) {
                let rows = if self.has_tiles() { height } else { height.min(self.height() - top) };
                bytes.extend(std::iter::repeat_n((width * rows) as u64 * pixel_bytes, across));
            }
        }
        bytes
    }

    fn is_big(&self, bytes: u64) -> bool {
        // What does not become smaller may become larger: LZW's codes by half.
        let most = if self.compression() == Compression::None { u64::from(u32::MAX) } else { 1 << 31 };
        self.storage.is_big || bytes >= most - HEAD_BYTES
    }

    /// Header and directory, after which the blocks stand one after the other, of the
    /// sizes that they have before they are compressed.
    pub(super) fn head(&self) -> TiffResult<Vec<u8>> {
        let counts = self.block_bytes();
        let offsets_from = |start: u64| {
            counts
                .iter()
                .scan(start, |at, count| Some(std::mem::replace(at, *at + count)))
                .collect::<Vec<u64>>()
        };
        // The directory's size does not depend on the numbers in it.
        let start = self.head_of(&offsets_from(0), &counts)?.len();
        self.head_of(&offsets_from(start as u64), &counts)
    }

    /// Header and directory for blocks at these places, of these sizes.
    pub(super) fn head_of(&self, offsets: &[u64], counts: &[u64]) -> TiffResult<Vec<u8>> {
        let mut head = if self.is_big(self.block_bytes().iter().sum()) {
            self.directory::<TiffKindBig, u64>(offsets, counts, |place| place)?
        } else {
            self.directory::<TiffKindStandard, u32>(offsets, counts, |place| {
                u32::try_from(place).unwrap_or(u32::MAX)
            })?
        };
        head.resize(head.len().next_multiple_of(8), 0);
        Ok(head)
    }

    fn directory<K: TiffKind, O>(
        &self,
        offsets: &[u64],
        counts: &[u64],
        offset: fn(u64) -> O,
    ) -> TiffResult<Vec<u8>>
    where
        [O]: TiffValue,
    {
        let places = |places: &[u64]| places.iter().copied().map(offset).collect::<Vec<O>>();
        let (offsets, counts) = (places(offsets), places(counts));
        let mut head = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::<_, K>::new_generic(&mut head)?;
        let mut directory = encoder.image_directory()?;
        directory.write_tag(Tag::ImageWidth, self.width)?;
        directory.write_tag(Tag::ImageLength, self.height)?;
        let bits = u16::try_from(8 * self.element.size()).unwrap_or(u16::MAX);
        let each = |value: u16| vec![value; usize::from(self.bands)];
        directory.write_tag(Tag::BitsPerSample, &each(bits)[..])?;
        directory.write_tag(Tag::Compression, self.compression().number())?;
        directory.write_tag(Tag::PhotometricInterpretation, PhotometricInterpretation::BlackIsZero)?;
        directory.write_tag(Tag::SamplesPerPixel, self.bands)?;
        if let Some([width, height]) = self.storage.tile {
            directory.write_tag(Tag::TileWidth, width)?;
            directory.write_tag(Tag::TileLength, height)?;
            directory.write_tag(Tag::TileOffsets, &offsets[..])?;
            directory.write_tag(Tag::TileByteCounts, &counts[..])?;
        } else {
            directory.write_tag(Tag::StripOffsets, &offsets[..])?;
            directory.write_tag(Tag::RowsPerStrip, self.storage.strip_rows)?;
            directory.write_tag(Tag::StripByteCounts, &counts[..])?;
        }
        let is_planar = self.bands > 1 && !self.storage.is_chunky;
        let planar = if is_planar { PlanarConfiguration::Planar } else { PlanarConfiguration::Chunky };
        directory.write_tag(Tag::PlanarConfiguration, planar)?;
        match self.predictor() {
            Predictor::None => {}
            Predictor::Horizontal => directory.write_tag(Tag::Predictor, 2u16)?,
            Predictor::FloatingPoint => directory.write_tag(Tag::Predictor, 3u16)?,
        }
        if self.bands > 1 {
            // What they mean is not said: they are neither colours nor opacity.
            directory.write_tag(Tag::ExtraSamples, &each(0)[1..])?;
        }
        let formats = vec![sample_format(self.element); usize::from(self.bands)];
        directory.write_tag(Tag::SampleFormat, &formats[..])?;
        for (tag, text) in &self.texts {
            directory.write_tag(Tag::from_u16_exhaustive(*tag), text.as_str())?;
        }
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
                texts: Vec::new(),
                width: 30_000,
                height,
                storage: Storage::plain(row_bytes, height),
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
