//! Bands of TIFF, BigTIFF and GeoTIFF images. A band that lies in the file as
//! it is in memory is mapped; others are decoded, strip by strip or tile by
//! tile. All samples of a pixel are bands, and their numbers are those that are
//! stored, whatever colours they are meant to be.

mod bands;

use std::io::{self, BufReader, Cursor};
use std::ops::Range;
use std::path::Path;

use ::tiff::decoder::ifd::Value;
use ::tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use ::tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use ::tiff::tags::{
    ByteOrder, CompressionMethod, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat,
    Tag,
};
use ::tiff::{TiffError, TiffResult, TiffUnsupportedError};

use self::bands::Bands;
use super::attribute::NodataAttribute;
use super::error::reason;
use super::georeference::{GeoValue, Georeference};
use super::matrix::{Bytes, Layout};
use super::source::Input;
use super::spool::Spool;
use super::{DataError, Element, ElementType, Matrix, Order, Shape};
use crate::with_element;

const KIND: &str = "TIFF";

const CONVERT: &str = "convert it, for example with gdal_translate -co COMPRESS=DEFLATE";

/// The most bytes of a strip or tile once decoded, unless --memory has room
/// for more: a damaged header may promise anything.
const MOST_CHUNK_BYTES: u64 = 256 << 20;

/// Whatever --memory says.
const UTMOST_CHUNK_BYTES: u64 = 4 << 30;

/// Pixels that are copied at a time from strips that are stored as they are.
const RUN_PIXELS: usize = 1 << 16;

/// A FillOrder of another age: libtiff turns the bits of every byte round.
const LEAST_BIT_FIRST: u16 = 2;

/// In GeoTIFF: scale, tie points, transformation, keys and their parameters.
const GEO_TAGS: [u16; 6] = [33550, 33922, 34264, 34735, 34736, 34737];

/// Opens a band, numbered from 1; without a number the only one. The bands of
/// a file of several pages are those of the first, then those of the second,
/// and so on; reduced copies of a page do not count.
pub(super) fn open(input: &Input<'_>) -> Result<Matrix, DataError> {
    let failed = |e| failed(input, e);
    let most = input.memory_bytes.clamp(MOST_CHUNK_BYTES, UTMOST_CHUNK_BYTES);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let file_bytes = input.file.metadata().map_err(|e| DataError::io(input.path, e))?.len();
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most;
    limits.intermediate_buffer_size = most;
    limits.ifd_value_size = usize::try_from(file_bytes).unwrap_or(usize::MAX);
    let (file, meanings) = Bands::new(input.clone_file()?, input.map()?.bytes());
    let reader = BufReader::new(file);
    let mut decoder = Decoder::new(reader).map_err(failed)?.with_limits(limits);

    let pages = pages(&mut decoder).map_err(failed)?;
    let bands: Vec<(usize, usize)> =
        pages.iter().flat_map(|&(page, samples)| (0..samples).map(move |sample| (page, sample))).collect();
    let names: Vec<String> = (1..=bands.len()).map(|band| band.to_string()).collect();
    let (page, sample) = bands[input.choose("band", &names)?];
    decoder.seek_to_image(page).map_err(failed)?;
    let meaning = meanings.get(page).copied().flatten();
    refuse_colours(input, &mut decoder, meaning)?;
    let image = Image::of(input, &mut decoder, sample)?;
    let mut geo = Vec::new();
    for tag in GEO_TAGS {
        let tag_value = decoder.find_tag(Tag::from_u16_exhaustive(tag)).map_err(failed)?;
        let value = tag_value.and_then(|value| match tag {
            34735 => value.into_u16_vec().map(GeoValue::Shorts).ok(),
            34737 => value.into_string().map(GeoValue::Text).ok(),
            _ => value.into_f64_vec().map(GeoValue::Doubles).ok(),
        });
        geo.extend(value.map(|value| (tag, value)));
    }
    let nodata = decoder.find_tag(Tag::GdalNodata).map_err(failed)?.and_then(nodata);
    let georeference = Some(Georeference(geo)).filter(|geo| !geo.0.is_empty());

    let matrix = match image.in_file(&mut decoder).map_err(failed)? {
        Some(strips) => image.stored(input, &strips)?,
        None => with_element!(image.element, E => image.decoded::<E>(input, &mut decoder, nodata.as_ref()))?,
    };
    let matrix = if bands.len() > 1 { matrix.keyed(input.key.unwrap_or("1")) } else { matrix };
    Ok(matrix.with_nodata(nodata).located(georeference))
}

/// What the tag says that GDAL puts into its images: a text, which ends with a
/// NUL or a line end, and says nothing if it is empty.
fn nodata(value: Value) -> Option<NodataAttribute> {
    let text = value.into_string().unwrap_or_else(|_| "not a text".to_owned());
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    Some(text).filter(|text| !text.is_empty()).map(|text| NodataAttribute::parse("GDAL_NODATA tag", text))
}

/// The pages that are neither reduced copies of others nor masks, and how
/// many samples a pixel has in each.
fn pages(decoder: &mut Decoder<BufReader<Bands>>) -> TiffResult<Vec<(usize, usize)>> {
    const REDUCED_OR_MASK: u32 = 0b101;
    let mut pages = Vec::new();
    for page in 0.. {
        let kind: u32 = decoder.find_tag_unsigned(Tag::NewSubfileType)?.unwrap_or(0);
        let samples: u16 = decoder.find_tag_unsigned(Tag::SamplesPerPixel)?.unwrap_or(1);
        if page == 0 || kind & REDUCED_OR_MASK == 0 {
            pages.push((page, usize::from(samples)));
        }
        if !decoder.more_images() {
            break;
        }
        decoder.next_image()?;
    }
    Ok(pages)
}

/// Refuses samples that are no numbers of their own.
fn refuse_colours(
    input: &Input<'_>,
    decoder: &mut Decoder<BufReader<Bands>>,
    meaning: Option<u16>,
) -> Result<(), DataError> {
    let mut tag = |tag| decoder.find_tag_unsigned_vec::<u16>(tag).map_err(|e| failed(input, e));
    let found = match meaning.and_then(PhotometricInterpretation::from_u16) {
        Some(PhotometricInterpretation::RGBPalette) => "its pixels are numbers of colours",
        Some(PhotometricInterpretation::CIELab) => "its colours are L*a*b*, of which some are signed numbers",
        // The usual is half the width and half the height.
        Some(PhotometricInterpretation::YCbCr) if tag(Tag::ChromaSubsampling)? != Some(vec![1, 1]) => {
            // Its own message says more.
            let jpeg = [CompressionMethod::JPEG, CompressionMethod::ModernJPEG];
            let compression = tag(Tag::Compression)?.unwrap_or_default();
            if jpeg.iter().any(|jpeg| compression == [jpeg.to_u16()]) {
                return Ok(());
            }
            "its colours are YCbCr, of fewer pixels than its brightness"
        }
        _ => return Ok(()),
    };
    Err(input.unsupported(found.to_owned(), "convert it to greyscale or RGB"))
}

fn failed(input: &Input<'_>, error: TiffError) -> DataError {
    match error {
        TiffError::UnsupportedError(TiffUnsupportedError::UnsupportedCompressionMethod(method)) => {
            input.unsupported(format!("it is compressed by {method:?}"), CONVERT)
        }
        TiffError::UnsupportedError(e) => {
            let reason = e.to_string();
            let what = reason.trim_end_matches(" is unsupported").trim_end_matches(" not supported");
            input.unsupported(format!("it has {what}"), CONVERT)
        }
        TiffError::LimitsExceeded => input.invalid(
            KIND,
            "a strip or tile is larger than memory allows; is the file damaged? If not, raise --memory",
        ),
        TiffError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            input.invalid(KIND, "it is truncated; copy or write it again")
        }
        e => input.invalid(KIND, &reason(&e.to_string())),
    }
}

/// The band of an image that is read.
struct Image {
    width: usize,
    height: usize,
    element: ElementType,
    /// Samples of a pixel that lie side by side, and which of them is read.
    samples: usize,
    sample: usize,
    /// The plane that is read, if every sample has its own.
    plane: usize,
}

/// Strips that are stored as they are.
struct Strips {
    /// Where each of them is, in bytes.
    places: Vec<Range<u64>>,
    rows: usize,
    swapped: bool,
}

impl Image {
    fn of(
        input: &Input<'_>,
        decoder: &mut Decoder<BufReader<Bands>>,
        sample: usize,
    ) -> Result<Self, DataError> {
        let failed = |e| failed(input, e);
        let (width, height) = decoder.dimensions().map_err(failed)?;
        let planar: Option<u16> = decoder.find_tag_unsigned(Tag::PlanarConfiguration).map_err(failed)?;
        let planar = planar == Some(PlanarConfiguration::Planar.to_u16());
        let mut first = |tag| {
            let values = decoder.find_tag_unsigned_vec::<u16>(tag).map_err(failed)?;
            Ok::<_, DataError>(values.and_then(|values| values.first().copied()))
        };
        // The decoder does not look at it.
        if first(Tag::FillOrder)? == Some(LEAST_BIT_FIRST) {
            return Err(input.unsupported("its bits are in reverse order".to_owned(), CONVERT));
        }
        let bits = first(Tag::BitsPerSample)?.unwrap_or(1);
        let format = SampleFormat::from_u16_exhaustive(first(Tag::SampleFormat)?.unwrap_or(1));
        let element = element_type(format, bits).ok_or_else(|| {
            let kind = match format {
                SampleFormat::Uint | SampleFormat::Int => "whole numbers",
                SampleFormat::IEEEFP => "floating-point numbers",
                // Of integers and of floating-point numbers.
                SampleFormat::Unknown(5 | 6) => "complex numbers",
                _ => "of an unknown kind",
            };
            let found = format!("its samples are {kind} ({bits} bits)");
            input.unsupported(found, "convert them to real numbers of 8, 16 or 32 bits")
        })?;
        let stored: u16 = decoder.find_tag_unsigned(Tag::SamplesPerPixel).map_err(failed)?.unwrap_or(1);
        let (samples, sample, plane) = if planar { (1, 0, sample) } else { (usize::from(stored), sample, 0) };
        Ok(Self { width: width as usize, height: height as usize, element, samples, sample, plane })
    }

    fn shape(&self) -> Shape {
        Shape(vec![self.height as u64, self.width as u64])
    }

    /// Where the strips are, if they are stored as they are in memory.
    fn in_file(&self, decoder: &mut Decoder<BufReader<Bands>>) -> TiffResult<Option<Strips>> {
        let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression)?.unwrap_or(1);
        let predictor = decoder.find_tag_unsigned::<u16>(Tag::Predictor)?.unwrap_or(1);
        if compression != CompressionMethod::None.to_u16()
            || predictor != Predictor::None.to_u16()
            || decoder.get_chunk_type() != ChunkType::Strip
        {
            return Ok(None);
        }
        let offsets: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripOffsets)?.unwrap_or_default();
        let bytes: Vec<u64> = decoder.find_tag_unsigned_vec(Tag::StripByteCounts)?.unwrap_or_default();
        let rows = (decoder.chunk_dimensions().1 as usize).min(self.height);
        let per_plane = self.height.div_ceil(rows);
        let places: Vec<Range<u64>> = offsets
            .iter()
            .zip(&bytes)
            .skip(self.plane * per_plane)
            .take(per_plane)
            .map(|(&start, bytes)| start..start.saturating_add(*bytes))
            .collect();
        // A strip that isn't there is for the decoder to see.
        if places.len() != per_plane || places.iter().any(Range::is_empty) {
            return Ok(None);
        }
        let swapped = match decoder.byte_order() {
            ByteOrder::LittleEndian => cfg!(target_endian = "big"),
            ByteOrder::BigEndian => cfg!(target_endian = "little"),
        };
        Ok(Some(Strips { places, rows, swapped }))
    }

    /// Maps a band of strips that are stored as they are, or picks it out of
    /// them.
    fn stored(&self, input: &Input<'_>, strips: &Strips) -> Result<Matrix, DataError> {
        let size = self.element.size();
        let mut pixels = self.width * self.height;
        let row_bytes = (self.width * self.samples * size) as u64;
        let map = input.map()?;
        let mut end = strips.places[0].start;
        let mut adjoin = self.samples == 1;
        for (k, place) in strips.places.iter().enumerate() {
            let rows = strips.rows.min(self.height - k * strips.rows) as u64;
            let expected_bytes = rows.saturating_mul(row_bytes);
            let found_bytes = (map.bytes().len() as u64).min(place.end).saturating_sub(place.start);
            if found_bytes < expected_bytes {
                return Err(DataError::Truncated {
                    path: input.path.to_owned(),
                    expected_bytes,
                    found_bytes,
                });
            }
            adjoin &= place.start == end;
            end = place.start + expected_bytes;
        }
        let swapped = strips.swapped && size > 1;
        if adjoin {
            let offset = usize::try_from(strips.places[0].start).unwrap_or(usize::MAX);
            let layout =
                Layout { shape: self.shape(), element: self.element, order: Order::C, swapped, offset };
            return Matrix::from_bytes(input.path, Box::new(map), layout);
        }
        with_element!(self.element, E => {
            let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
            let mut run: Vec<E> = Vec::with_capacity(RUN_PIXELS);
            for place in &strips.places {
                let count = pixels.min(strips.rows * self.width);
                pixels -= count;
                // Its end lies within the map, so its start does.
                let start = usize::try_from(place.start).unwrap_or(usize::MAX);
                let bytes = &map.bytes()[start..start + count * self.samples * size];
                for bytes in bytes.chunks(RUN_PIXELS * self.samples * size) {
                    run.clear();
                    run.extend(bytes.chunks_exact(self.samples * size).map(|pixel| {
                        let value: E = bytemuck::pod_read_unaligned(&pixel[self.sample * size..][..size]);
                        if swapped { value.swap_bytes() } else { value }
                    }));
                    spool.append(&run)?;
                }
                map.release(start..start + bytes.len());
            }
            spool.finish(self.shape())
        })
    }

    /// Decodes a band, strip by strip or tile by tile.
    fn decoded<E: Element>(
        &self,
        input: &Input<'_>,
        decoder: &mut Decoder<BufReader<Bands>>,
        nodata: Option<&NodataAttribute>,
    ) -> Result<Matrix, DataError> {
        let failed = |e| failed(input, e);
        let (chunk_width, chunk_height) = decoder.chunk_dimensions();
        let (chunk_width, chunk_height) = (chunk_width as usize, chunk_height as usize);
        let across = self.width.div_ceil(chunk_width);
        let per_plane = across * self.height.div_ceil(chunk_height);
        let tag = match decoder.get_chunk_type() {
            ChunkType::Strip => Tag::StripByteCounts,
            ChunkType::Tile => Tag::TileByteCounts,
        };
        let bytes: Vec<u64> = decoder.find_tag_unsigned_vec(tag).map_err(failed)?.unwrap_or_default();
        let sparse = match nodata {
            Some(NodataAttribute::Number(value)) => from_f64(self.element, *value),
            _ => E::zeroed(),
        };
        let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
        let mut chunk = DecodingResult::U8(Vec::new());
        let mut band: Vec<E> = Vec::new();
        for k in 0..per_plane {
            let number = self.plane * per_plane + k;
            let index = u32::try_from(number).map_err(|_| input.invalid(KIND, "it has too many tiles"))?;
            let (left, top) = (k % across * chunk_width, k / across * chunk_height);
            let (width, height) = (chunk_width.min(self.width - left), chunk_height.min(self.height - top));
            band.clear();
            if bytes.get(number) == Some(&0) {
                // What GDAL calls a sparse file: nothing was ever written here.
                band.resize(width * height, sparse);
            } else {
                // Whole rows of the tile: reading only what lies in the image
                // and skipping the rest is not done right for all of them.
                let row = chunk_width * self.samples;
                decoder.read_chunk_to_buffer(&mut chunk, index, row * size_of::<E>()).map_err(failed)?;
                // In planes after the first, rows below the image are decoded too.
                let bytes = chunk.as_buffer(0);
                let rows = bytes.as_bytes().chunks_exact(row * size_of::<E>()).take(height);
                for row in rows {
                    let pixels = row.chunks_exact(self.samples * size_of::<E>()).take(width);
                    let sample = |pixel: &[u8]| -> E {
                        bytemuck::pod_read_unaligned(&pixel[self.sample * size_of::<E>()..][..size_of::<E>()])
                    };
                    band.extend(pixels.map(sample));
                }
            }
            if band.len() != width * height {
                return Err(input.invalid(KIND, "a strip or tile has another size than it should"));
            }
            if across == 1 {
                spool.append(&band)?;
            } else {
                for (row, pixels) in band.chunks_exact(width).enumerate() {
                    spool.put((top + row) * self.width + left, pixels)?;
                }
            }
        }
        spool.finish(self.shape())
    }
}

fn element_type(format: SampleFormat, bits: u16) -> Option<ElementType> {
    Some(match (format, bits) {
        (SampleFormat::Uint, 8) => ElementType::U8,
        (SampleFormat::Uint, 16) => ElementType::U16,
        (SampleFormat::Uint, 32) => ElementType::U32,
        (SampleFormat::Uint, 64) => ElementType::U64,
        (SampleFormat::Int, 8) => ElementType::I8,
        (SampleFormat::Int, 16) => ElementType::I16,
        (SampleFormat::Int, 32) => ElementType::I32,
        (SampleFormat::Int, 64) => ElementType::I64,
        (SampleFormat::IEEEFP, 16) => ElementType::F16,
        (SampleFormat::IEEEFP, 32) => ElementType::F32,
        (SampleFormat::IEEEFP, 64) => ElementType::F64,
        _ => return None,
    })
}

/// A number as an element of the type `E`, which must be `element`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a value that an image says stands for nothing is one its pixels can have"
)]
fn from_f64<E: Element>(element: ElementType, value: f64) -> E {
    fn cast<E: Element>(value: impl bytemuck::Pod) -> E {
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(&value))
    }
    match element {
        ElementType::Bool => cast(u8::from(value != 0.0)),
        ElementType::U8 => cast(value as u8),
        ElementType::I8 => cast(value as i8),
        ElementType::U16 => cast(value as u16),
        ElementType::I16 => cast(value as i16),
        ElementType::U32 => cast(value as u32),
        ElementType::I32 => cast(value as i32),
        ElementType::U64 => cast(value as u64),
        ElementType::I64 => cast(value as i64),
        ElementType::F16 => cast(half::f16::from_f64(value)),
        ElementType::Bf16 => cast(half::bf16::from_f64(value)),
        ElementType::F32 => cast(value as f32),
        ElementType::F64 => cast(value),
    }
}

/// Bytes of a strip, if a row isn't more already.
const STRIP_BYTES: u64 = 1 << 18;

/// Room that is left for the header and the directory below 4 GiB, beyond
/// which a file must be a `BigTIFF`.
const HEAD_BYTES: u64 = 64 << 20;

/// The first bytes of an image of one band, where `x` is, up to its data.
pub(super) fn header(path: &Path, x: &Matrix, element: ElementType) -> Result<Vec<u8>, DataError> {
    let misfit =
        || DataError::OutputShape { path: path.to_owned(), kind: KIND, element, shape: x.shape().clone() };
    let [height, width] = x.shape().0[..] else { return Err(misfit()) };
    let (Ok(height), Ok(width)) = (u32::try_from(height), u32::try_from(width)) else { return Err(misfit()) };
    let row_bytes = u64::from(width) * element.size() as u64;
    let image = Output { x, element, width, height, row_bytes, rows: strip_rows(row_bytes, height) };
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
    x: &'a Matrix,
    element: ElementType,
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
        for (tag, value) in self.x.georeference().iter().flat_map(|geo| &geo.0) {
            let tag = Tag::from_u16_exhaustive(*tag);
            match value {
                GeoValue::Doubles(values) => directory.write_tag(tag, &values[..])?,
                GeoValue::Shorts(values) => directory.write_tag(tag, &values[..])?,
                GeoValue::Text(text) => directory.write_tag(tag, text.as_str())?,
            }
        }
        if let Some(nodata) = self.x.nodata() {
            directory.write_tag(Tag::GdalNodata, nodata.to_string().as_str())?;
        }
        directory.finish()?;
        Ok(head.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The directory of an image beyond 4 GiB, without its data.
    #[test]
    fn a_large_image_is_a_bigtiff() {
        let x = Matrix::from_vec("x", &[1], vec![0f32]);
        for (height, signature) in [(30_000, b"II*\0"), (40_000, b"II+\0")] {
            let row_bytes = 4 * 30_000;
            let image = Output {
                x: &x,
                element: ElementType::F32,
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
