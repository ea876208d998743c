//! Channels of PNG images of 8 or 16 bits, decoded row by row.

use std::fs::File;
use std::io::{self, BufReader};

use ::png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::error::reason;
use super::source::Input;
use super::spool::Spool;
use super::{DataError, Element, Matrix, Shape};

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
        BitDepth::Eight => decode(input, &mut reader, (sample, samples), most, |bytes| bytes[0])?,
        BitDepth::Sixteen => decode(input, &mut reader, (sample, samples), most, |bytes| {
            u16::from_be_bytes([bytes[0], bytes[1]])
        })?,
        _ => {
            let found = format!("its pixels have {} bits", depth as u8);
            return Err(input.unsupported(found, "convert it to 8 or 16 bits"));
        }
    };
    Ok(if samples > 1 { matrix.keyed(&names[sample]) } else { matrix })
}

/// Decodes sample number `sample` of the `samples` of every pixel, each of
/// which `number` makes from its bytes.
fn decode<E: Element>(
    input: &Input<'_>,
    reader: &mut Reader<BufReader<File>>,
    (sample, samples): (usize, usize),
    most: usize,
    number: impl Fn(&[u8]) -> E,
) -> Result<Matrix, DataError> {
    let failed = |e| failed(input, &e);
    let (width, height) = (reader.info().width, reader.info().height);
    let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
    let mut row = Vec::with_capacity(width as usize);
    let mut take = |bytes: &[u8]| {
        row.clear();
        let pixels = bytes.chunks_exact(samples * size_of::<E>());
        row.extend(pixels.map(|pixel| number(&pixel[sample * size_of::<E>()..])));
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
