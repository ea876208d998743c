//! Channels of PNG images, decoded row by row, and grey images of predictions.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ::png::{
    BitDepth, ColorType, Decoder, DecodingError, Encoder, EncodingError, Limits, Reader, StreamWriter,
    Transformations,
};

use super::bits::unpacked;
use super::error::reason;
use super::output::OutputFile;
use super::results::ArrayWriter;
use super::source::Input;
use super::spool::Spool;
use super::{DataError, Element, ElementType, Matrix, Shape};

const KIND: &str = "PNG";

/// What a row or an interlaced image may take, unless --memory has room for
/// more: a damaged header may promise anything.
const MOST_BYTES: u64 = 256 << 20;

/// Opens a channel, numbered from 1 in the order grey or red, green, blue,
/// alpha; without a number the only one.
pub(super) fn open(input: &Input<'_>) -> Result<Matrix, DataError> {
    let failed = |e| failed(input, &e);
    let most = usize::try_from(input.memory_bytes.clamp(MOST_BYTES, 4 << 30)).unwrap_or(usize::MAX);
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
    let names: Vec<String> = (1..=samples).map(|band| band.to_string()).collect();
    let sample = input.choose("band", &names)?;
    let matrix = match depth {
        BitDepth::Sixteen => decode(input, &mut reader, most, |row, numbers: &mut Vec<u16>| {
            let (all, _) = row.as_chunks();
            numbers.extend(all.iter().skip(sample).step_by(samples).map(|&bytes| u16::from_be_bytes(bytes)));
        })?,
        BitDepth::Eight => decode(input, &mut reader, most, |row, numbers: &mut Vec<u8>| {
            numbers.extend(row.iter().skip(sample).step_by(samples));
        })?,
        // Grey: the only kind that is so small.
        BitDepth::One | BitDepth::Two | BitDepth::Four => {
            decode(input, &mut reader, most, |row, numbers: &mut Vec<u8>| {
                numbers.extend(unpacked(row, depth as u8));
            })?
        }
    };
    Ok(if samples > 1 { matrix.keyed(&names[sample]) } else { matrix })
}

/// Decodes a number of every pixel, those of each row by `numbers`, which may
/// give more than there are pixels.
fn decode<E: Element>(
    input: &Input<'_>,
    reader: &mut Reader<BufReader<File>>,
    most: usize,
    numbers: impl Fn(&[u8], &mut Vec<E>),
) -> Result<Matrix, DataError> {
    let failed = |e| failed(input, &e);
    let (width, height) = (reader.info().width, reader.info().height);
    let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
    let mut row = Vec::with_capacity(width as usize);
    let mut take = |bytes: &[u8]| {
        row.clear();
        numbers(bytes, &mut row);
        row.truncate(width as usize);
        spool.append(&row)
    };
    if reader.info().interlaced {
        // Its rows come in seven passes.
        let bytes = reader.output_buffer_size().filter(|&bytes| bytes <= most);
        let bytes = bytes.ok_or_else(|| failed(DecodingError::LimitsExceeded))?;
        let mut image = vec![0; bytes];
        let frame = reader.next_frame(&mut image).map_err(failed)?;
        image.chunks_exact(frame.line_size).try_for_each(&mut take)?;
    } else {
        while let Some(row) = reader.next_row().map_err(failed)? {
            take(row.data())?;
        }
    }
    spool.finish(Shape(vec![u64::from(height), u64::from(width)]))
}

fn failed(input: &Input<'_>, error: &DecodingError) -> DataError {
    match error {
        DecodingError::LimitsExceeded => input.invalid(
            KIND,
            "it takes more memory to decode than there is; is the file damaged? If not, raise --memory",
        ),
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
            _ => return Err(DataError::OutputElement { path, kind: KIND, element, remedy: WHOLE }),
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

/// What a user does whose predictions a PNG cannot hold.
const WHOLE: &str = "it has whole numbers from 0 to 255 or 65,535: use --dtype u8 or u16, perhaps with \
                     --clamp, or write .tif";

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
