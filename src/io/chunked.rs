//! Arrays that a file has in chunks: boxes of equal extents, which are decoded on
//! all cores and put together in order.
//!
//! What is decoded at a time is a piece: all chunks that lie side by side along the
//! last axes, as many of these as are worth handing out, so that what a piece adds to
//! the array are long runs. A piece takes a chunk's memory at least: it is decompressed
//! as a whole.

use super::claims::room;
use super::input::Input;
use super::pieces;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, ElementType, Shape};
use crate::with_element;

/// Bytes of a piece: enough to make handing it out cheap.
const PIECE_BYTES: u64 = 4 << 20;

/// Bytes that chunks which the file does not have may take, however small it is.
const SPARSE_BYTES: u64 = 64 << 20;

/// The bytes that the best compression makes of one.
pub(super) const MOST_EXPANSION: u64 = 1 << 15;

/// An array in chunks.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) shape: Vec<u64>,
    /// The extents of a chunk, none of them 0. Chunks at the end may reach beyond the
    /// shape.
    pub(super) chunk: Vec<u64>,
    pub(super) element: ElementType,
}

/// The chunks of a file.
pub(super) trait Chunks: Sync {
    /// What a thread uses again for the next chunk.
    type Scratch: Default;

    /// Decodes the chunk of this index along each axis to its bytes, row by row in this
    /// machine's byte order; `None` if the file does not have it.
    fn decode<'s>(
        &self,
        index: &[u64],
        scratch: &'s mut Self::Scratch,
    ) -> Result<Option<&'s [u8]>, DataError>;

    /// The bytes that the file has for all of them.
    fn stored_bytes(&self) -> u64;
}

impl Grid {
    /// The number of chunks along each axis.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.shape.iter().zip(&self.chunk).map(|(extent, chunk)| extent.div_ceil(*chunk)).collect()
    }

    /// The elements of a chunk; `None` if no memory has so many.
    pub(super) fn chunk_elements(&self) -> Option<u64> {
        Shape(self.chunk.clone()).elements()
    }

    /// The bytes of a chunk, which must have room in memory as a whole.
    pub(super) fn chunk_bytes(&self, input: &Input<'_>) -> Result<usize, DataError> {
        let bytes = self.chunk_elements().and_then(|n| n.checked_mul(self.element.size() as u64));
        let bytes = bytes.unwrap_or(u64::MAX);
        room::<u8>(input.path, "chunk", bytes, input.memory().unit_bytes())?;
        usize::try_from(bytes).map_err(|_| DataError::Claim {
            path: input.path.to_owned(),
            what: "chunk",
            bytes,
        })
    }

    /// Decodes all chunks; `fill`, an element's bytes, stands where the file has none.
    pub(super) fn read<C: Chunks>(
        &self,
        input: &Input<'_>,
        chunks: &C,
        fill: &[u8],
    ) -> Result<Array, DataError> {
        with_element!(self.element, E => {
            let fill: E = bytemuck::try_pod_read_unaligned(fill)
                .unwrap_or_else(|_| <E as bytemuck::Zeroable>::zeroed());
            self.elements(input, chunks, fill)
        })
    }

    fn elements<E: Element, C: Chunks>(
        &self,
        input: &Input<'_>,
        chunks: &C,
        fill: E,
    ) -> Result<Array, DataError> {
        let shape = Shape(self.shape.clone());
        let absurd = || DataError::AbsurdShape { path: input.path.to_owned(), shape: shape.to_string() };
        let elements = shape.elements().ok_or_else(absurd)?;
        elements
            .checked_mul(size_of::<E>() as u64)
            .filter(|&n| isize::try_from(n).is_ok())
            .ok_or_else(absurd)?;
        let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
        if elements == 0 {
            return spool.finish(shape);
        }
        let chunk_bytes = self.chunk_bytes(input)? as u64;
        let most_bytes = (input.memory_bytes / 4).min(PIECE_BYTES);
        let pieces = Pieces::new(self, most_bytes / size_of::<E>() as u64);
        let decode = |scratch: &mut C::Scratch, number: u64| {
            let area = pieces.area(number);
            let mut piece = room::<E>(input.path, "chunk", area.elements(), u64::MAX)?;
            piece.resize(usize::try_from(area.elements()).unwrap_or(usize::MAX), fill);
            let mut sparse = 0u64;
            for index in area.chunks(self) {
                let part = area.part(self, &index);
                match chunks.decode(&index, scratch)? {
                    Some(bytes) => part.copy(bytes, bytemuck::cast_slice_mut(&mut piece), size_of::<E>()),
                    None => sparse += part.elements() * size_of::<E>() as u64,
                }
            }
            Ok((area, piece, sparse))
        };
        // What is decoded, and a chunk before it is.
        let piece_bytes = pieces.most_elements() * size_of::<E>() as u64 + 2 * chunk_bytes;
        let at_once = pieces::at_once(piece_bytes, input.memory_bytes);
        let mut sparse_bytes = 0u64;
        pieces::in_order(0..pieces.count(), at_once, decode, |piece: Result<_, DataError>| {
            let (area, piece, sparse) = piece?;
            sparse_bytes += sparse;
            if sparse_bytes > SPARSE_BYTES
                && sparse_bytes > chunks.stored_bytes().saturating_mul(MOST_EXPANSION)
            {
                let what = format!("it claims more than {sparse_bytes} bytes of chunks of which it has none");
                return Err(input.unsupported(what, "write it without missing chunks; or is it damaged?"));
            }
            area.runs(&self.shape, |start, at, count| spool.put(start, &piece[at..at + count]))
        })?;
        spool.finish(shape)
    }
}

/// The pieces that the chunks of an array are decoded in.
struct Pieces<'g> {
    grid: &'g Grid,
    counts: Vec<u64>,
    /// The number of first axes along which a piece has one chunk, but for the last of
    /// them, along which it has `along`; it has all chunks along the other axes.
    axes: usize,
    along: u64,
}

impl<'g> Pieces<'g> {
    /// Pieces of about so many elements.
    fn new(grid: &'g Grid, elements: u64) -> Self {
        let rank = grid.shape.len();
        let extents = |axes: usize| {
            let extent = |axis: usize| {
                if axis < axes { grid.chunk[axis].min(grid.shape[axis]) } else { grid.shape[axis] }
            };
            (0..rank).fold(1u64, |product, axis| product.saturating_mul(extent(axis)))
        };
        let counts = grid.counts();
        let axes = (0..=rank).find(|&axes| extents(axes) <= elements).unwrap_or(rank);
        let along = (elements / extents(axes).max(1)).max(1);
        Self { grid, counts, axes, along }
    }

    /// Pieces along the last axis that is divided.
    fn across(&self) -> u64 {
        self.axes.checked_sub(1).map_or(1, |last| self.counts[last].div_ceil(self.along))
    }

    fn count(&self) -> u64 {
        self.counts[..self.axes.saturating_sub(1)].iter().product::<u64>() * self.across()
    }

    fn most_elements(&self) -> u64 {
        self.area(0).elements()
    }

    fn area(&self, mut number: u64) -> Area {
        let Grid { shape, chunk, .. } = self.grid;
        let mut start = vec![0; shape.len()];
        let mut extent = shape.clone();
        for axis in (0..self.axes).rev() {
            let (count, along) =
                if axis + 1 == self.axes { (self.across(), self.along) } else { (self.counts[axis], 1) };
            let first = number % count * along;
            number /= count;
            start[axis] = first * chunk[axis];
            extent[axis] = along.saturating_mul(chunk[axis]).min(shape[axis] - start[axis]);
        }
        Area { start, extent, axes: self.axes }
    }
}

/// A box of an array, whose edges are those of chunks.
struct Area {
    start: Vec<u64>,
    extent: Vec<u64>,
    /// The number of first axes of which it may not have all.
    axes: usize,
}

impl Area {
    fn elements(&self) -> u64 {
        self.extent.iter().product()
    }

    /// The indices of its chunks.
    fn chunks(&self, grid: &Grid) -> impl Iterator<Item = Vec<u64>> {
        let first: Vec<u64> =
            self.start.iter().zip(&grid.chunk).map(|(start, chunk)| start / chunk).collect();
        let counts: Vec<u64> =
            self.extent.iter().zip(&grid.chunk).map(|(n, chunk)| n.div_ceil(*chunk)).collect();
        (0..counts.iter().product()).map(move |mut number: u64| {
            let mut index = first.clone();
            for axis in (0..counts.len()).rev() {
                index[axis] += number % counts[axis];
                number /= counts[axis];
            }
            index
        })
    }

    /// The part of it that a chunk has.
    fn part(&self, grid: &Grid, index: &[u64]) -> Part {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let at: Vec<u64> =
            (0..index.len()).map(|axis| index[axis] * grid.chunk[axis] - self.start[axis]).collect();
        let extent =
            (0..index.len()).map(|axis| size(grid.chunk[axis].min(self.extent[axis] - at[axis]))).collect();
        Part {
            at: at.into_iter().map(size).collect(),
            extent,
            chunk: grid.chunk.iter().map(|&n| size(n)).collect(),
            area: self.extent.iter().map(|&n| size(n)).collect(),
        }
    }

    /// Its runs of elements that are neighbours in the array too: the number of the
    /// first one there and here, and how many they are.
    fn runs(
        &self,
        shape: &[u64],
        mut each: impl FnMut(usize, usize, usize) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let outer = self.axes.saturating_sub(1);
        let run: u64 = self.extent[outer.min(self.extent.len())..].iter().product();
        for number in 0..self.extent[..outer].iter().product::<u64>() {
            let (mut rest, mut step, mut start) = (number, 1, 0);
            for axis in (0..shape.len()).rev() {
                let index = if axis < outer {
                    let index = rest % self.extent[axis];
                    rest /= self.extent[axis];
                    index
                } else {
                    0
                };
                start += (self.start[axis] + index) * step;
                step *= shape[axis];
            }
            each(size(start), size(number * run), size(run))?;
        }
        Ok(())
    }
}

/// The elements that a chunk and an area share.
struct Part {
    /// Their place in the area.
    at: Vec<usize>,
    extent: Vec<usize>,
    /// The extents of the chunk and of the area.
    chunk: Vec<usize>,
    area: Vec<usize>,
}

impl Part {
    fn elements(&self) -> u64 {
        self.extent.iter().product::<usize>() as u64
    }

    /// Copies them, of so many bytes each, from the chunk's first ones.
    fn copy(&self, from: &[u8], to: &mut [u8], size: usize) {
        let rank = self.extent.len();
        // Axes that both have all of are one with the axis before them.
        let mut whole = rank;
        while whole > 0
            && self.extent[whole - 1] == self.chunk[whole - 1]
            && self.chunk[whole - 1] == self.area[whole - 1]
        {
            whole -= 1;
        }
        let outer = whole.saturating_sub(1);
        let inner: usize = self.extent[outer..].iter().product::<usize>() * size;
        for number in 0..self.extent[..outer].iter().product::<usize>() {
            let (mut rest, mut here, mut there) = (number, 0, 0);
            let (mut chunk_step, mut area_step) = (size, size);
            for axis in (0..rank).rev() {
                let mut index = 0;
                if axis < outer {
                    index = rest % self.extent[axis];
                    rest /= self.extent[axis];
                }
                here += index * chunk_step;
                there += (self.at[axis] + index) * area_step;
                chunk_step *= self.chunk[axis];
                area_step *= self.area[axis];
            }
            to[there..there + inner].copy_from_slice(&from[here..here + inner]);
        }
    }
}

/// Brings the elements of a chunk into the other byte order.
pub(super) fn swap(bytes: &mut [u8], element: ElementType) {
    match element.size() {
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|element| element.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|element| element.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|element| element.reverse()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Order;
    use std::path::Path;

    /// Chunks of an array whose elements are their numbers; some chunks are missing.
    struct Numbers<'g>(&'g Grid, bool);

    impl Chunks for Numbers<'_> {
        type Scratch = Vec<u8>;

        fn decode<'s>(&self, index: &[u64], scratch: &'s mut Vec<u8>) -> Result<Option<&'s [u8]>, DataError> {
            let Self(grid, has_gaps) = *self;
            if has_gaps && index.iter().sum::<u64>() % 3 == 1 {
                return Ok(None);
            }
            scratch.clear();
            for mut k in 0..grid.chunk_elements().unwrap() {
                let mut place = vec![0; grid.chunk.len()];
                for axis in (0..place.len()).rev() {
                    place[axis] = index[axis] * grid.chunk[axis] + k % grid.chunk[axis];
                    k /= grid.chunk[axis];
                }
                let inside = place.iter().zip(&grid.shape).all(|(place, extent)| place < extent);
                let number =
                    place.iter().zip(&grid.shape).fold(0, |number, (place, extent)| number * extent + place);
                // What is beyond the edge must not be seen.
                let number = if inside { u32::try_from(number).unwrap() } else { u32::MAX };
                scratch.extend(number.to_ne_bytes());
            }
            Ok(Some(scratch))
        }

        fn stored_bytes(&self) -> u64 {
            1 << 20
        }
    }

    #[test]
    fn every_element_comes_to_its_place() {
        let grids: [(&[u64], &[u64]); 9] = [
            (&[], &[]),
            (&[10], &[3]),
            (&[10], &[64]),
            (&[7, 5], &[2, 2]),
            (&[7, 5], &[7, 5]),
            (&[4, 3, 5], &[3, 2, 2]),
            (&[4, 3, 5], &[1, 3, 5]),
            (&[4, 3, 5], &[4, 1, 2]),
            (&[2, 3, 2, 3], &[1, 2, 1, 2]),
        ];
        let file = tempfile::tempfile().unwrap();
        for (shape, chunk) in grids {
            let grid = Grid { shape: shape.to_vec(), chunk: chunk.to_vec(), element: ElementType::U32 };
            for memory_bytes in [0, 16, 40, 80, 200, 400, 1 << 20] {
                for has_gaps in [false, true] {
                    let input = Input {
                        path: Path::new("x"),
                        file: &file,
                        key: None,
                        memory_bytes,
                        raw: None,
                        text: crate::io::TextRules::default(),
                        alpha: true,
                    };
                    let fill = 7_000_000u32.to_ne_bytes();
                    let array = grid.read(&input, &Numbers(&grid, has_gaps), &fill).unwrap();
                    let mut values = vec![0f64; array.len()];
                    array.read(Order::C, 0, &mut values);
                    for (k, value) in values.into_iter().enumerate() {
                        let place = array.shape().index_of(k as u64, Order::C);
                        let number: u64 = place.iter().zip(chunk).map(|(place, chunk)| place / chunk).sum();
                        let want = if has_gaps && number % 3 == 1 {
                            7_000_000.0
                        } else {
                            f64::from(u32::try_from(k).unwrap())
                        };
                        assert_eq!(value, want, "{shape:?} {chunk:?} {memory_bytes} {k}");
                    }
                }
            }
        }
    }
}
