//! Channels of PNG images, decoded row by row, and grey images of predictions.

mod claim;
mod interlace;
mod markers;
mod output;

use std::fs::File;
use std::io::{self, BufReader};

use ::png::{ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use self::claim::{Claim, KIND};
use self::interlace::{columns_at, in_rows, place_of};
use self::markers::{ByRow, Markers};
pub(super) use self::output::Writer;
use super::bits::unpacked;
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::nodata;
use super::note::Note;
use crate::array::error::reason;
use crate::array::spool::Spool;
use crate::array::{Bitmap, DataError, Element, Shape};

/// Opens a channel, numbered from 1 in the order grey or red, green, blue,
/// alpha; without a number the only one. Pixels that a transparent colour
/// (tRNS), an alpha channel or files beside the image exclude are null.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let failed = |e| failed(input, &e);
    let claim = Claim::of(input)?;
    claim.check(input)?;
    let most = usize::try_from(input.row_bytes()).unwrap_or(usize::MAX);
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
    let opened = if bits == 16 {
        decode::<u16>(input, &mut reader, &markers, [sample, samples])?
    } else {
        decode::<u8>(input, &mut reader, &markers, [sample, samples])?
    };
    Ok(if samples > 1 { opened.keyed(&(sample + 1).to_string()) } else { opened })
}

/// The channels of an image.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    Ok(Claim::of(input)?.list())
}

/// Decodes a sample of every pixel.
fn decode<E: Element>(
    input: &Input<'_>,
    reader: &mut Reader<BufReader<File>>,
    markers: &Markers,
    [sample, samples]: [usize; 2],
) -> Result<Opened, DataError> {
    let failed = |e| failed(input, &e);
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let bits = reader.info().bit_depth as u8;
    let interlaced = reader.info().interlaced;
    let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
    let mut valid = Bitmap::default();
    let mut row: Vec<E> = Vec::new();
    let mut start = 0;
    let place = |k: usize| if interlaced { place_of(k, width, height) } else { k };
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
                .for_each(|(k, _)| valid.exclude(place(start + k)));
        }
        for k in 0..row.len() / samples {
            row[k] = row[k * samples + sample];
        }
        row.truncate(row.len() / samples);
        spool.append(&row)?;
        start += row.len();
    }
    let mut array = spool.finish(Shape(vec![height as u64, width as u64]))?;
    if interlaced {
        array = in_rows::<E>(input, &array, width, height)?;
    }
    let (opened, found) = (Opened::from(array), markers.nodata.clone());
    let masked = match (&markers.excluded, &markers.by_row) {
        (Some((by, valid)), _) => Some((by.clone(), valid.clone())),
        (None, Some(ByRow::Alpha(by) | ByRow::Colour(by, _))) => Some((by.clone(), valid)),
        (None, None) => None,
    };
    let mut notes = markers.notes.clone();
    let opened = match masked {
        Some((by, valid)) => {
            let unused = found.as_ref().and_then(nodata::shown);
            let is_alpha = markers.excluded.is_none() && matches!(markers.by_row, Some(ByRow::Alpha(_)));
            notes.push(Note::Masked { by, is_alpha, count: valid.missing(), unused });
            opened.with_nulls(valid).with_fill(found.as_ref())
        }
        None => opened.with_nodata(found),
    };
    Ok(opened.noted(notes))
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
