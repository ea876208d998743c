//! Channels of PNG images, decoded row by row, and grey images of predictions.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ::png::{
    BitDepth, ColorType, Decoder, DecodingError, Encoder, EncodingError, Info, Limits, Reader, StreamWriter,
    Transformations,
};

use super::bits::unpacked;
use super::claims::room;
use super::output::OutputFile;
use super::results::ArrayWriter;
use super::sidecar::{self, NODATA_VALUES};
use super::source::Input;
use crate::array::array::Bytes;
use crate::array::attribute::NodataAttribute;
use crate::array::error::reason;
use crate::array::nulls::Nulls;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, ElementType, Note, Order, Shape};

const KIND: &str = "PNG";

/// The most bytes of a row, unless --memory has room for more.
const ROW_BYTES: u64 = 16 << 20;

/// The most bytes that Deflate makes of one.
const MOST_EXPANSION: u64 = 1_032;

/// Opens a channel, numbered from 1 in the order grey or red, green, blue,
/// alpha; without a number the only one. What a transparent colour (tRNS), an
/// alpha channel or files beside the image exclude is null.
pub(super) fn open(input: &Input<'_>) -> Result<Array, DataError> {
    let failed = |e| failed(input, &e);
    let claim = Claim::of(input)?;
    claim.check(input)?;
    let most = usize::try_from(input.memory_bytes.max(ROW_BYTES)).unwrap_or(usize::MAX);
    let reader = BufReader::new(input.clone_file()?);
    let mut decoder = Decoder::new_with_limits(reader, Limits { bytes: most });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(failed)?;
    let info = reader.info();
    let depth = info.bit_depth;
    let samples = match info.color_type {
        ColorType::Indexed => {
            let found = "its pixels are numbers of colours".to_owned();
            return Err(input.unsupported(found, "convert it to greyscale or RGB"));
        }
        color => color.samples(),
    };
    let sample = input.choose_number("band", samples)?;
    let markers = Markers::of(input, info, sample)?;
    let bits = depth as u8;
    let matrix = if bits == 16 {
        decode::<u16>(input, &mut reader, &markers, [sample, samples])?
    } else {
        decode::<u8>(input, &mut reader, &markers, [sample, samples])?
    };
    Ok(if samples > 1 { matrix.keyed(&(sample + 1).to_string()) } else { matrix })
}

/// The size that a header claims, and what the file has for it.
struct Claim {
    width: u32,
    height: u32,
    bits: u64,
    /// Bytes of compressed pixels.
    data_bytes: u64,
}

impl Claim {
    /// That of a file, whose chunks are gone through without being read.
    fn of(input: &Input<'_>) -> Result<Self, DataError> {
        const SIGNATURE_BYTES: usize = 8;
        /// Of a chunk: its length and type before it, its checksum after it.
        const AROUND_BYTES: usize = 12;
        let map = input.map()?;
        let bytes = map.bytes();
        let number = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
        let truncated = || input.invalid(KIND, "it is truncated; copy or write it again");
        let (mut at, mut data_bytes) = (SIGNATURE_BYTES, 0u64);
        while let Some((length, kind)) = number(at).zip(bytes.get(at + 4..at + 8)) {
            if kind == b"IDAT" {
                let found = bytes.len().saturating_sub(at + 8) as u64;
                data_bytes += u64::from(length).min(found);
            }
            at = at.saturating_add(length as usize).saturating_add(AROUND_BYTES);
        }
        let width = number(16).ok_or_else(truncated)?;
        let height = number(20).ok_or_else(truncated)?;
        let kind: [u8; 2] = *bytes.get(24..).and_then(<[u8]>::first_chunk).ok_or_else(truncated)?;
        let samples = match kind[1] {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        Ok(Self { width, height, bits: samples * u64::from(kind[0]), data_bytes })
    }

    /// Fails if so much cannot come of what there is, before anything believes
    /// it.
    fn check(&self, input: &Input<'_>) -> Result<(), DataError> {
        let row_bytes = (u64::from(self.width) * self.bits).div_ceil(8);
        let bytes = row_bytes.saturating_mul(self.height.into());
        if bytes > self.data_bytes.saturating_mul(MOST_EXPANSION) {
            let reason = format!(
                "it claims {} × {} pixels, {bytes} bytes, of which {} are there, compressed, of which so many \
                 cannot come; it is truncated or damaged",
                self.width, self.height, self.data_bytes
            );
            return Err(input.invalid(KIND, &reason));
        }
        // Numbers of a sample, a byte or two each, of a row that may have bits.
        let most = input.memory_bytes.max(ROW_BYTES);
        let bytes = row_bytes.max(u64::from(self.width) * self.bits.div_ceil(8));
        room::<u8>(input.path, "row", bytes, most).map(drop)
    }
}

/// What excludes pixels, in GDAL's order: see the `tiff` module.
struct Markers {
    excluded: Option<(String, Nulls)>,
    /// Else the pixels that have this colour or are transparent.
    by_row: Option<ByRow>,
    nodata: Option<NodataAttribute>,
    notes: Vec<Note>,
}

/// What tells in a row which pixels are excluded.
enum ByRow {
    Colour(String, Vec<u16>),
    Alpha(String),
}

impl Markers {
    fn of(input: &Input<'_>, info: &Info<'_>, sample: usize) -> Result<Self, DataError> {
        let samples = info.color_type.samples();
        let size = [info.width as usize, info.height as usize];
        let mut notes = Vec::new();
        let beside = sidecar::Notes::of(input, &mut notes)?;
        // The decoder keeps a byte of each of those that have no more. Of these
        // as many bits count as a sample has.
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
        let mut nodata = match &colour {
            Some(colours) if samples == 1 => {
                let file = "its chunk tRNS".to_owned();
                notes.push(Note::NodataBeside { value: colours[0].to_string(), file });
                Some(NodataAttribute::Number(colours[0].into()))
            }
            _ => None,
        };
        if let (None, Some(beside)) = (&nodata, &beside) {
            nodata = beside.nodata(sample + 1);
            if let Some(value) = nodata.as_ref().and_then(NodataAttribute::shown) {
                notes.push(Note::NodataBeside { value, file: beside.name.clone() });
            }
        }
        let mut excluded = None;
        match sidecar::mask(input, sample + 1, size)? {
            Some((name, Ok(nulls))) => excluded = Some((name, nulls)),
            Some((_, Err(note))) => notes.push(note),
            None => {}
        }
        let listed = |colours: &[u16]| colours.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
        let in_range = |value: f64| {
            value >= 0.0 && value <= if info.bit_depth == BitDepth::Sixteen { 65_535.0 } else { 255.0 }
        };
        let is_nodata = match nodata {
            Some(NodataAttribute::Number(value)) => in_range(value),
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
        Ok(Self { excluded, by_row, nodata, notes })
    }
}

impl ByRow {
    /// Whether a pixel, all its samples, is excluded.
    fn excludes<E: Element>(&self, pixel: &[E]) -> bool {
        match self {
            Self::Alpha(_) => pixel.last().is_some_and(|alpha| alpha.to_f64() == 0.0),
            Self::Colour(_, colour) => {
                pixel.iter().zip(colour).all(|(sample, value)| sample.to_f64() == f64::from(*value))
            }
        }
    }
}

/// Decodes a sample of every pixel.
fn decode<E: Element>(
    input: &Input<'_>,
    reader: &mut Reader<BufReader<File>>,
    markers: &Markers,
    [sample, samples]: [usize; 2],
) -> Result<Array, DataError> {
    let failed = |e| failed(input, &e);
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let bits = reader.info().bit_depth as u8;
    let interlaced = reader.info().interlaced;
    let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
    let mut nulls = Nulls::default();
    let mut row: Vec<E> = Vec::new();
    let mut start = 0;
    let place = |k: usize| if interlaced { adam7(k, width, height) } else { k };
    while let Some(bytes) = reader.next_row().map_err(failed)? {
        let line_width = if interlaced { columns_at(start, width, height) } else { width };
        let bytes = bytes.data();
        let numbers = line_width * samples;
        row.clear();
        row.try_reserve(numbers).map_err(|_| failed(DecodingError::LimitsExceeded))?;
        match bits {
            16 => row.extend(
                bytes.chunks_exact(2).take(numbers).map(|b| bytemuck::pod_read_unaligned::<E>(&[b[1], b[0]])),
            ),
            8 => row.extend(bytes.iter().take(numbers).map(|b| bytemuck::pod_read_unaligned::<E>(&[*b]))),
            _ => row
                .extend(unpacked(bytes, bits).take(numbers).map(|b| bytemuck::pod_read_unaligned::<E>(&[b]))),
        }
        if let Some(rule) = &markers.by_row {
            let pixels = row.chunks_exact(samples).enumerate();
            pixels
                .filter(|(_, pixel)| rule.excludes(pixel))
                .for_each(|(k, _)| nulls.insert(place(start + k)));
        }
        for k in 0..row.len() / samples {
            row[k] = row[k * samples + sample];
        }
        row.truncate(row.len() / samples);
        spool.append(&row)?;
        start += row.len();
    }
    let shape = Shape(vec![height as u64, width as u64]);
    let mut matrix = spool.finish(shape)?;
    if interlaced {
        matrix = in_rows::<E>(input, &matrix, width, height)?;
    }
    let mut notes = markers.notes.clone();
    let masked = match (&markers.excluded, &markers.by_row) {
        (Some((by, nulls)), _) => Some((by.clone(), nulls.clone())),
        (None, Some(ByRow::Alpha(by) | ByRow::Colour(by, _))) => Some((by.clone(), nulls)),
        (None, None) => None,
    };
    let nodata = markers.nodata.clone();
    let matrix = match masked {
        Some((by, nulls)) => {
            let unused = nodata.as_ref().and_then(NodataAttribute::shown);
            let is_alpha = matches!(markers.by_row, Some(ByRow::Alpha(_))) && markers.excluded.is_none();
            notes.push(Note::Masked { by, is_alpha, count: nulls.count(), unused });
            matrix.with_nulls(nulls).with_fill(nodata.as_ref())
        }
        None => matrix.with_nodata(nodata),
    };
    Ok(matrix.noted(notes))
}

/// The passes of an interlaced image: first column and row, and the steps to the
/// next ones.
const PASSES: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// Columns and rows of a pass.
fn size_of_pass([left, top, across, down]: [usize; 4], width: usize, height: usize) -> [usize; 2] {
    [width.saturating_sub(left).div_ceil(across), height.saturating_sub(top).div_ceil(down)]
}

/// How many pixels the row has that begins with the pixel that comes as number
/// `k` in the passes.
fn columns_at(mut k: usize, width: usize, height: usize) -> usize {
    for pass in PASSES {
        let [columns, rows] = size_of_pass(pass, width, height);
        if k < columns * rows {
            return columns;
        }
        k -= columns * rows;
    }
    0
}

/// The place, row by row, of the pixel that comes as number `k` in the passes.
fn adam7(mut k: usize, width: usize, height: usize) -> usize {
    for pass in PASSES {
        let [columns, rows] = size_of_pass(pass, width, height);
        if k < columns * rows {
            let [left, top, across, down] = pass;
            return (top + k / columns * down) * width + left + k % columns * across;
        }
        k -= columns * rows;
    }
    k
}

/// The pixels of an interlaced image, which came pass by pass, row by row.
fn in_rows<E: Element>(
    input: &Input<'_>,
    passes: &Array,
    width: usize,
    height: usize,
) -> Result<Array, DataError> {
    const RELEASED_ROWS: usize = 64;
    let mut spool = Spool::<E>::new(input.path, input.memory_bytes / 2);
    let mut row = vec![E::zeroed(); width];
    let mut line: Vec<E> = vec![E::zeroed(); width];
    for y in 0..height {
        let mut start = 0;
        for pass in PASSES {
            let [columns, rows] = size_of_pass(pass, width, height);
            let [left, top, across, down] = pass;
            if columns > 0 && y >= top && (y - top).is_multiple_of(down) {
                passes.copy(Order::C, start + (y - top) / down * columns, &mut line[..columns]);
                let places = (left..width).step_by(across);
                places.zip(&line[..columns]).for_each(|(x, value)| row[x] = *value);
            }
            start += columns * rows;
        }
        spool.append(&row)?;
        if y % RELEASED_ROWS == 0 && passes.is_spooled() {
            passes.give_back(Order::C, 0..width * height);
        }
    }
    spool.finish(Shape(vec![height as u64, width as u64]))
}

fn failed(input: &Input<'_>, error: &DecodingError) -> DataError {
    match error {
        DecodingError::LimitsExceeded => {
            DataError::BeyondMemory { path: input.path.to_owned(), what: "takes memory to decode".to_owned() }
        }
        DecodingError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            input.invalid(KIND, "it is truncated; copy or write it again")
        }
        e => input.invalid(KIND, &reason(&e.to_string())),
    }
}

/// Writes a grey image.
pub(super) struct Writer {
    image: StreamWriter<'static, Shared>,
    file: Shared,
    depth: BitDepth,
    path: PathBuf,
}

impl Writer {
    pub(super) fn create(path: &Path, shape: &Shape, element: ElementType) -> Result<Self, DataError> {
        let path = path.to_owned();
        let depth = match element {
            ElementType::U8 => BitDepth::Eight,
            ElementType::U16 => BitDepth::Sixteen,
            _ => {
                return Err(DataError::OutputElement {
                    path,
                    kind: KIND,
                    element,
                    held: &[ElementType::U8, ElementType::U16],
                });
            }
        };
        let extent = |extent: u64| u32::try_from(extent).ok().filter(|&extent| extent <= MOST_EXTENT);
        let size = match shape.0[..] {
            [height, width] => extent(width).zip(extent(height)),
            _ => None,
        };
        let Some((width, height)) = size else {
            return Err(DataError::OutputShape { path, kind: KIND, element, shape: shape.clone() });
        };
        let file = Shared::new(OutputFile::create(&path)?);
        let mut encoder = Encoder::new(file.clone(), width, height);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(depth);
        let image = encoder.write_header().and_then(::png::Writer::into_stream_writer);
        let image = image.map_err(|e| DataError::write(&path, io_error(e)))?;
        Ok(Self { image, file, depth, path })
    }
}

/// The standard's.
const MOST_EXTENT: u32 = (1 << 31) - 1;

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        if self.depth == BitDepth::Eight {
            return self.image.write_all(elements);
        }
        let (samples, _) = elements.as_chunks();
        let big_endian: Vec<u8> =
            samples.iter().flat_map(|&bytes| u16::from_ne_bytes(bytes).to_be_bytes()).collect();
        self.image.write_all(&big_endian)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        let Self { image, file, path, .. } = *self;
        image.finish().map_err(|e| DataError::write(&path, io_error(e)))?;
        file.finish().map_err(|e| DataError::write(&path, e))?.finish()
    }
}

fn io_error(error: EncodingError) -> io::Error {
    match error {
        EncodingError::IoError(e) => e,
        e => io::Error::other(e),
    }
}

/// The file, which the encoder would not give back. It ends the image when it
/// is dropped, and keeps to itself what goes wrong then.
#[derive(Clone)]
struct Shared(Rc<RefCell<(OutputFile, Option<io::Error>)>>);

impl Shared {
    fn new(file: OutputFile) -> Self {
        Self(Rc::new(RefCell::new((file, None))))
    }

    /// The file, of which no one else has a share any more.
    fn finish(self) -> io::Result<OutputFile> {
        let shared = Rc::into_inner(self.0).ok_or_else(|| io::Error::other("the image is not finished"))?;
        match shared.into_inner() {
            (_, Some(error)) => Err(error),
            (file, None) => Ok(file),
        }
    }

    fn with(&self, act: impl FnOnce(&mut OutputFile) -> io::Result<usize>) -> io::Result<usize> {
        let (file, error) = &mut *self.0.borrow_mut();
        let result = act(file);
        if let Err(e) = &result {
            *error = Some(e.kind().into());
        }
        result
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|file| Write::write(file, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(|file| file.flush().map(|()| 0)).map(drop)
    }
}
