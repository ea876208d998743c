//! Bands of TIFF, BigTIFF and GeoTIFF images. A band that lies in the file as
//! it is in memory is mapped; others are decoded, strip by strip or tile by
//! tile. All samples of a pixel are bands, and their numbers are those that are
//! stored, whatever colours they are meant to be. Where a page has a mask of its
//! own that is 0, all its bands are null.

mod bands;
mod output;
mod pages;

use std::io::{self, BufReader};
use std::ops::Range;

use ::tiff::decoder::ifd::Value;
use ::tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use ::tiff::tags::{
    ByteOrder, CompressionMethod, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat,
    Tag,
};
use ::tiff::{TiffError, TiffFormatError, TiffResult, TiffUnsupportedError};

use self::bands::Bands;
pub(super) use self::output::header;
use self::pages::{Page, pages};
use super::attribute::NodataAttribute;
use super::bits::unpacked;
use super::error::reason;
use super::georeference::{GeoValue, Georeference};
use super::matrix::{Bytes, Layout};
use super::nulls::Nulls;
use super::source::Input;
use super::spool::Spool;
use super::{DataError, Element, ElementType, Matrix, Note, Order, Shape};
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

/// What GDAL notes of an image and its bands, as XML.
const GDAL_METADATA: u16 = 42112;

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

    let pages = pages(input, &mut decoder)?;
    let bands: Vec<(&Page, usize)> =
        pages.iter().flat_map(|page| (0..page.bands()).map(move |band| (page, band))).collect();
    let names: Vec<String> = (1..=bands.len()).map(|band| band.to_string()).collect();
    let (page, band) = bands[input.choose("band", &names)?];
    decoder.seek_to_image(page.number).map_err(failed)?;
    let meaning = meanings.get(page.number).copied().flatten();
    refuse_colours(input, &mut decoder, meaning)?;
    let mut image = Image::of(input, &mut decoder, band % page.samples)?;
    image.slice = band / page.samples;
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
    let metadata = decoder.find_tag(Tag::from_u16_exhaustive(GDAL_METADATA)).map_err(failed)?;
    let metadata = metadata.and_then(|text| text.into_string().ok());
    let scaling = metadata.and_then(|text| scaling(&text, band % page.samples));
    let georeference = Some(Georeference(geo)).filter(|geo| !geo.0.is_empty());

    let matrix = match image.in_file(&mut decoder).map_err(failed)? {
        Some(strips) => image.stored(input, &strips)?,
        None if page.slices > 1 => {
            let found =
                format!("one directory stands for {} images, which are compressed or in tiles", page.slices);
            return Err(input.unsupported(found, "save them as pages, with ImageJ's or tifffile's writer"));
        }
        None => with_element!(image.element, E => image.matrix::<E>(input, &mut decoder, nodata.as_ref()))?,
    };
    let matrix = match page.mask {
        Some(mask) => matrix.with_nulls(nulls(input, &mut decoder, mask, &image)?),
        None => matrix,
    };
    let matrix = if bands.len() > 1 { matrix.keyed(input.key.unwrap_or("1")) } else { matrix };
    let matrix = matrix.noted(scaling);
    Ok(matrix.with_nodata(nodata).located(georeference))
}

/// What the tag says that GDAL puts into its images: a text, which ends with a
/// NUL or a line end, and says nothing if it is empty.
fn nodata(value: Value) -> Option<NodataAttribute> {
    let text = value.into_string().unwrap_or_else(|_| "not a text".to_owned());
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    Some(text).filter(|text| !text.is_empty()).map(|text| NodataAttribute::parse("GDAL_NODATA tag", text))
}

/// That GDAL's notes have a scale or an offset for a band, which is not applied.
fn scaling(notes: &str, band: usize) -> Option<Note> {
    let of_band = |item: &&str| item.contains(&format!("sample=\"{band}\"")) || !item.contains("sample=\"");
    let number = |role: &str, usual: f64| {
        let items = notes.split("<Item ").skip(1).filter(of_band);
        let (_, rest) =
            items.filter_map(|item| item.split_once('>')).find(|(head, _)| head.contains(role))?;
        rest.split('<').next()?.trim().parse().ok().filter(|number: &f64| (number - usual).abs() > 0.0)
    };
    let (scale, offset) = (number("role=\"scale\"", 1.0), number("role=\"offset\"", 0.0));
    let (scale, offset) =
        if scale.or(offset).is_some() { (scale.unwrap_or(1.0), offset.unwrap_or(0.0)) } else { return None };
    Some(Note::NotScaled { scale, offset })
}

/// The pixels of an image that its mask says are not there: those where it is
/// 0.
fn nulls(
    input: &Input<'_>,
    decoder: &mut Decoder<BufReader<Bands>>,
    mask: usize,
    image: &Image,
) -> Result<Nulls, DataError> {
    const SAVE: &str = "save the mask as a file that linfit reads, and the image without it, and give --mask";
    let refuse = |found: String| input.unsupported(format!("its mask {found}"), SAVE);
    decoder.seek_to_image(mask).map_err(|e| failed(input, e))?;
    let of = Image::of(input, decoder, 0).map_err(|error| masks(error, SAVE))?;
    if (of.width, of.height) != (image.width, image.height) {
        return Err(refuse(format!(
            "has another size than its page: {}×{}, not {}×{}",
            of.width, of.height, image.width, image.height
        )));
    }
    if of.element != ElementType::U8 || of.samples > 1 {
        return Err(refuse(format!("is {} samples of {} bits and more than that", of.samples, of.bits)));
    }
    let mut nulls = Nulls::default();
    of.decoded::<u8>(input, decoder, 0, |start, values| {
        let places = values.iter().enumerate().filter(|(_, value)| **value == 0);
        places.for_each(|(k, _)| nulls.insert(start + k));
        Ok(())
    })
    .map_err(|error| masks(error, SAVE))?;
    Ok(nulls)
}

/// The error of an image, of a mask.
fn masks(error: DataError, remedy: &'static str) -> DataError {
    match error {
        DataError::Unsupported { path, found, .. } => {
            DataError::Unsupported { path, found: format!("its mask: {found}"), remedy }
        }
        DataError::Invalid { path, kind, reason } => {
            DataError::Invalid { path, kind, reason: format!("its mask: {reason}") }
        }
        other => other,
    }
}

/// Refuses samples that are no numbers of their own.
fn refuse_colours(
    input: &Input<'_>,
    decoder: &mut Decoder<BufReader<Bands>>,
    meaning: Option<u16>,
) -> Result<(), DataError> {
    let mut tag = |tag| decoder.find_tag_unsigned_vec::<u16>(tag).map_err(|e| failed(input, e));
    let found = match meaning.and_then(PhotometricInterpretation::from_u16) {
        Some(PhotometricInterpretation::RGBPalette) => {
            let found = "its pixels are numbers of colours".to_owned();
            return Err(input.unsupported(
                found,
                "for the colours convert it with gdal_translate -expand rgb, for the numbers themselves with \
                 gdal_translate -co PHOTOMETRIC=MINISBLACK",
            ));
        }
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
            input.unsupported(format!("it is compressed by {}", compression(method)), CONVERT)
        }
        TiffError::FormatError(TiffFormatError::UnknownPredictor(predictor)) => {
            input.unsupported(format!("it has predictor {predictor}"), CONVERT)
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

/// What a method of compression is called.
fn compression(method: CompressionMethod) -> String {
    let name = match method.to_u16() {
        2 => "CCITT Huffman",
        3 => "CCITT Group 3",
        4 => "CCITT Group 4",
        6 => "old-style JPEG",
        7 => "JPEG",
        9 | 10 | 34_661 => "JBIG",
        22_610 | 34_934 => "JPEG XR",
        32_809 => "ThunderScan",
        33_003..=33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGILog",
        34_887 => "LERC",
        34_892 => "lossy JPEG",
        34_925 => "LZMA",
        34_926 => "Zstandard by an old number",
        34_933 => "PNG",
        50_001 => "WebP",
        50_002 | 52_546 => "JPEG XL",
        other => return format!("method {other}"),
    };
    name.to_owned()
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
    /// Bits of a sample. Those of less than a byte are read as bytes.
    bits: u8,
    /// How many images lie between the one that the directory describes and the
    /// one that is read.
    slice: usize,
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
            let remedy = match format {
                SampleFormat::Uint => "convert them to 1, 2, 4, 8, 16, 32 or 64 bits",
                SampleFormat::Int => "convert them to 8, 16, 32 or 64 bits",
                SampleFormat::IEEEFP => "convert them to 16, 32 or 64 bits",
                _ => "convert them to real numbers of 32 or 64 bits",
            };
            input.unsupported(found, remedy)
        })?;
        let stored: u16 = decoder.find_tag_unsigned(Tag::SamplesPerPixel).map_err(failed)?.unwrap_or(1);
        let (samples, sample, plane) = if planar { (1, 0, sample) } else { (usize::from(stored), sample, 0) };
        let bits = u8::try_from(bits).unwrap_or(u8::MAX);
        let (width, height) = (width as usize, height as usize);
        Ok(Self { width, height, element, samples, sample, plane, bits, slice: 0 })
    }

    fn shape(&self) -> Shape {
        Shape(vec![self.height as u64, self.width as u64])
    }

    /// Where the strips are, if they are stored as they are in memory.
    fn in_file(&self, decoder: &mut Decoder<BufReader<Bands>>) -> TiffResult<Option<Strips>> {
        let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression)?.unwrap_or(1);
        let predictor = decoder.find_tag_unsigned::<u16>(Tag::Predictor)?.unwrap_or(1);
        if self.bits < 8
            || compression != CompressionMethod::None.to_u16()
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
        let Some(places) = self.of_slice(places) else { return Ok(None) };
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

    /// The strips of the image that is read: those that the directory describes,
    /// or the same further on. `None` if they do not adjoin, so that nobody knows
    /// where the others are.
    fn of_slice(&self, places: Vec<Range<u64>>) -> Option<Vec<Range<u64>>> {
        if self.slice == 0 {
            return Some(places);
        }
        let bytes = (self.width * self.height * self.samples * self.element.size()) as u64;
        let start = places.first()?.start;
        let end = places.iter().try_fold(start, |end, place| (place.start == end).then_some(place.end))?;
        let shift = bytes.checked_mul(self.slice as u64).filter(|_| end - start == bytes)?;
        let shifted =
            |place: Range<u64>| Some(place.start.checked_add(shift)?..place.end.checked_add(shift)?);
        places.into_iter().map(shifted).collect()
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

    /// Decodes a band to a matrix.
    fn matrix<E: Element>(
        &self,
        input: &Input<'_>,
        decoder: &mut Decoder<BufReader<Bands>>,
        nodata: Option<&NodataAttribute>,
    ) -> Result<Matrix, DataError> {
        let sparse = match nodata {
            Some(NodataAttribute::Number(value)) => from_f64(self.element, *value),
            _ => E::zeroed(),
        };
        let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
        self.decoded(input, decoder, sparse, |start, run| spool.put(start, run))?;
        spool.finish(self.shape())
    }

    /// Decodes a band, strip by strip or tile by tile, and hands on runs of its
    /// pixels, each with the number of its first one; `sparse` is what is where
    /// nothing was ever written.
    fn decoded<E: Element>(
        &self,
        input: &Input<'_>,
        decoder: &mut Decoder<BufReader<Bands>>,
        sparse: E,
        mut take: impl FnMut(usize, &[E]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
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
        let row_bytes = (chunk_width * self.samples * usize::from(self.bits)).div_ceil(8);
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
                decoder.read_chunk_to_buffer(&mut chunk, index, row_bytes).map_err(failed)?;
                // In planes after the first, rows below the image are decoded too.
                let bytes = chunk.as_buffer(0);
                let rows = bytes.as_bytes().chunks_exact(row_bytes).take(height);
                rows.for_each(|row| self.pick(row, width, &mut band));
            }
            if band.len() != width * height {
                return Err(input.invalid(KIND, "a strip or tile has another size than it should"));
            }
            if across == 1 {
                take(top * self.width, &band)?;
            } else {
                for (row, pixels) in band.chunks_exact(width).enumerate() {
                    take((top + row) * self.width + left, pixels)?;
                }
            }
        }
        Ok(())
    }

    /// Picks the band out of the first pixels of a row.
    fn pick<E: Element>(&self, row: &[u8], width: usize, band: &mut Vec<E>) {
        if self.bits < 8 {
            let samples = unpacked(row, self.bits).skip(self.sample).step_by(self.samples);
            band.extend(samples.take(width).map(|sample| bytemuck::pod_read_unaligned::<E>(&[sample])));
        } else {
            let pixels = row.chunks_exact(self.samples * size_of::<E>()).take(width);
            let start = self.sample * size_of::<E>();
            band.extend(
                pixels.map(|pixel| bytemuck::pod_read_unaligned::<E>(&pixel[start..start + size_of::<E>()])),
            );
        }
    }
}

fn element_type(format: SampleFormat, bits: u16) -> Option<ElementType> {
    Some(match (format, bits) {
        (SampleFormat::Uint, 1 | 2 | 4 | 8) => ElementType::U8,
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
