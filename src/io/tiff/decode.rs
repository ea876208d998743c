//! Bands decoded by all cores: rows of blocks side by side, each to its place. Bands
//! whose samples lie side by side come from one decoding.

use std::ops::Range;

use super::image::{Image, MOST_BLOCK_BYTES, PIECE_BYTES, Row, Scratch};
use crate::array::held::Held;
use crate::array::{Array, DataError};
use crate::io::pieces;
use crate::with_element;

/// Bytes of the widest element.
pub(super) const MOST_ELEMENT_BYTES: usize = 8;

/// A band that is wanted.
pub(super) struct Wanted<'a> {
    pub(super) image: &'a Image<'a>,
    /// The place of its page.
    pub(super) page: usize,
    /// The element that stands where nothing was ever written.
    pub(super) sparse: [u8; MOST_ELEMENT_BYTES],
}

/// The arrays of bands: mapped, if they lie in the file as in memory, else decoded.
pub(super) fn arrays(wanted: &[Wanted<'_>]) -> Result<Vec<Array>, DataError> {
    let mut arrays: Vec<Option<Array>> = Vec::with_capacity(wanted.len());
    for band in wanted {
        arrays.push(band.image.mapped()?);
    }
    let mut held: Vec<Option<Held>> = Vec::with_capacity(wanted.len());
    for (band, array) in wanted.iter().zip(&mut arrays) {
        let Image { input, element, width, height, .. } = *band.image;
        let pixels = (width as u64).saturating_mul(height as u64);
        let room =
            if array.is_none() { Held::new(input.path, element, pixels, input.memory_bytes) } else { None };
        if array.is_none() && room.is_none() {
            // To a temporary file.
            *array = Some(with_element!(element, E => {
                band.image.array::<E>(bytemuck::pod_read_unaligned(&band.sparse[..size_of::<E>()]))
            })?);
        }
        held.push(room);
    }
    to_places(wanted, &mut held)?;
    wanted.iter().try_for_each(|band| band.image.check_intact())?;
    let finished =
        wanted.iter().zip(arrays).zip(held).filter_map(|((band, array), held)| {
            array.map(Ok).or_else(|| Some(held?.finish(band.image.shape())))
        });
    finished.collect()
}

/// Rows of blocks, and the places of their pixels in each band that they have.
struct Piece<'p> {
    block_rows: Range<usize>,
    bands: Vec<(usize, &'p mut [u8])>,
}

/// Decodes the bands that there is room for.
fn to_places(wanted: &[Wanted<'_>], held: &mut [Option<Held>]) -> Result<(), DataError> {
    let mut rests: Vec<Option<&mut [u8]>> =
        held.iter_mut().map(|held| held.as_mut().map(Held::bytes_mut)).collect();
    let mut work = Vec::new();
    for (first, band) in wanted.iter().enumerate() {
        let same = |k: &usize| wanted[*k].page == band.page && wanted[*k].image.has_blocks_of(band.image);
        let bands: Vec<usize> = (first..wanted.len()).filter(same).collect();
        let mut together: Vec<(usize, &mut [u8])> =
            bands.into_iter().filter_map(|k| Some((k, rests[k].take()?))).collect();
        if together.is_empty() {
            continue;
        }
        let image = band.image;
        let row_bytes = image.pixels(&(0..1)).saturating_mul(image.element.size() * together.len());
        let at_a_time = PIECE_BYTES.div_ceil(row_bytes.max(1));
        for start in (0..image.block_rows()).step_by(at_a_time) {
            let block_rows = start..image.block_rows().min(start + at_a_time);
            let mut bands = Vec::with_capacity(together.len());
            for (k, rest) in &mut together {
                let bytes = image.pixels(&block_rows) * image.element.size();
                let (place, after) = std::mem::take(rest).split_at_mut(bytes);
                *rest = after;
                bands.push((*k, place));
            }
            work.push(Piece { block_rows, bands });
        }
    }
    let Some(memory_bytes) = wanted.first().map(|band| band.image.input.memory_bytes) else { return Ok(()) };
    let share = usize::try_from(memory_bytes / pieces::threads() as u64).unwrap_or(usize::MAX);
    let most_bytes = share.min(MOST_BLOCK_BYTES);
    let decode = |scratch: &mut Scratch, Piece { block_rows, mut bands }: Piece<'_>| {
        scratch.most_bytes = most_bytes;
        let Some(&(first, _)) = bands.first() else { return Ok(()) };
        wanted[first].image.block_rows_decoded(block_rows, scratch, |start, count, row| {
            for (k, place) in &mut bands {
                let Wanted { image, sparse, .. } = &wanted[*k];
                let size = image.element.size();
                let to = &mut place[start * size..(start + count) * size];
                match row {
                    Row::Sparse => {
                        to.chunks_exact_mut(size).for_each(|to| to.copy_from_slice(&sparse[..size]));
                    }
                    Row::Bytes(row) => image.pick_bytes(row, to),
                }
            }
        })
    };
    pieces::in_order(work.into_iter(), pieces::at_once(0, u64::MAX), decode, |done| done)
}
