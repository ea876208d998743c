//! A band of an image: its strips or tiles, and its pixels.

mod claims;

use std::io::{self, Read};
use std::ops::Range;

use super::blocks::{Block, Blocks};
use super::compression::{self, Compression, Decompressed};
use super::directory::{Directory, KIND};
use super::packing::{Packing, Predictor};
use super::samples::{self, element_type, format, other_samples};
use super::tag;
use super::whole::Whole;
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, ElementType, Layout, Order, Shape};
use crate::io::bits::unpacked;
use crate::io::claims::room;
use crate::io::input::Input;
use crate::io::pieces;

const CONVERT: &str = "convert it, for example with gdal_translate -co COMPRESS=DEFLATE";

/// Bytes of pixels that a thread decodes at a time, if a row of blocks has fewer.
pub(super) const PIECE_BYTES: usize = 1 << 18;

/// The most bytes of a block that is decompressed in one go.
pub(super) const MOST_BLOCK_BYTES: usize = 1 << 26;

/// Pixels that are given at a time where the file has none.
const RUN_PIXELS: usize = 1 << 16;

/// A FillOrder of another age: libtiff turns the bits of every byte round.
const LEAST_BIT_FIRST: u64 = 2;

/// A band of an image.
pub(super) struct Image<'a> {
    pub(super) input: &'a Input<'a>,
    map: &'a Mapping,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) element: ElementType,
    /// Samples of a pixel that lie side by side, and which of them is read.
    pub(super) samples: usize,
    sample: usize,
    /// The plane that is read, if every sample has its own.
    plane: usize,
    pub(super) packing: Packing,
    compression: Compression,
    blocks: Blocks<'a>,
    /// The bytes from the image that the directory describes to the one that is
    /// read, of those that follow one another.
    shift: u64,
}

/// The buffers that a thread uses for one block after another.
#[derive(Default)]
pub(super) struct Scratch {
    whole: Whole,
    block: Vec<u8>,
    floats: Vec<u8>,
    /// The most bytes of a block that is decompressed in one go.
    pub(super) most_bytes: usize,
}

/// Pixels of a row.
pub(super) enum Row<'r> {
    /// Pixels that were never written.
    Sparse,
    /// All samples of all of them, in this machine's byte order.
    Bytes(&'r [u8]),
}

impl<'a> Image<'a> {
    /// The band of a directory that holds sample number `sample`.
    pub(super) fn of(
        input: &'a Input<'a>,
        map: &'a Mapping,
        directory: &Directory<'a>,
        sample: usize,
    ) -> Result<Self, DataError> {
        const PLANAR: u64 = 2;
        let invalid = |reason: &str| input.invalid(KIND, reason);
        let size = |what| directory.number(what)?.ok_or_else(|| invalid("it does not say its size"));
        let whole = |number: u64| usize::try_from(number).ok().filter(|&number| number > 0);
        let extent = |number: u64| {
            whole(number)
                .filter(|_| u32::try_from(number).is_ok())
                .ok_or_else(|| invalid("its size is no size"))
        };
        let (width, height) = (extent(size(tag::WIDTH)?)?, extent(size(tag::HEIGHT)?)?);
        if directory.number(tag::FILL_ORDER)? == Some(LEAST_BIT_FIRST) {
            return Err(input.unsupported("its bits are in reverse order".to_owned(), CONVERT));
        }
        let number = directory.number(tag::COMPRESSION)?.unwrap_or(1);
        let compression = Compression::of(number).ok_or_else(|| {
            input.unsupported(format!("it is compressed by {}", compression::name(number)), CONVERT)
        })?;
        let bits = directory.shared(tag::BITS)?.unwrap_or(1);
        let format = directory.shared(tag::FORMAT)?.unwrap_or(format::UINT);
        let element = element_type(format, bits).ok_or_else(|| other_samples(input, format, bits))?;
        let bits = u8::try_from(bits).unwrap_or(u8::MAX);
        let is_planar = directory.number(tag::PLANAR)? == Some(PLANAR);
        let stored = samples::count(directory)?;
        let (samples, sample, plane) = if is_planar { (1, 0, sample) } else { (stored, sample, 0) };
        let predictor = match directory.number(tag::PREDICTOR)?.unwrap_or(1) {
            _ if !compression.has_predictor() => Predictor::None,
            1 => Predictor::None,
            2 if bits >= 8 => Predictor::Horizontal,
            3 if element.is_float() => Predictor::FloatingPoint,
            other => return Err(input.unsupported(format!("it has predictor {other}"), CONVERT)),
        };
        let packing = Packing { bits, samples, big_endian: directory.file().is_big_endian(), predictor };
        let blocks = Blocks::of(input, directory, width, height)?;
        Ok(Self {
            input,
            map,
            width,
            height,
            element,
            samples,
            sample,
            plane,
            packing,
            compression,
            blocks,
            shift: 0,
        })
    }

    pub(super) fn shape(&self) -> Shape {
        Shape(vec![self.height as u64, self.width as u64])
    }

    /// The band of the image that is so many further on. `None` if its place is not
    /// known: strips that are not stored as they are, one after
    /// the other.
    pub(super) fn further(mut self, images: usize) -> Result<Option<Self>, DataError> {
        if images == 0 {
            return Ok(Some(self));
        }
        let bytes = (self.width as u64).checked_mul(self.height as u64);
        let bytes = bytes.and_then(|pixels| pixels.checked_mul((self.samples * self.element.size()) as u64));
        if !self.is_stored() {
            return Ok(None);
        }
        let (mut end, mut start) = (None, None);
        for k in 0..self.blocks.in_plane() {
            let Block::At(place) = self.block(k)? else { return Ok(None) };
            if end.is_some_and(|end| end != place.start) {
                return Ok(None);
            }
            start.get_or_insert(place.start);
            end = Some(place.end);
        }
        let found = start.zip(end).map(|(start, end)| (end - start) as u64);
        self.shift = match bytes.filter(|&bytes| found == Some(bytes)) {
            Some(bytes) => bytes.saturating_mul(images as u64),
            None => return Ok(None),
        };
        Ok(Some(self))
    }

    /// Whether others that its directory does not describe can follow it.
    pub(super) fn is_one_of_many(&self) -> bool {
        self.is_stored()
    }

    /// Whether its samples are whole bytes in strips, as in memory.
    fn is_stored(&self) -> bool {
        self.compression == Compression::None && self.packing.bits >= 8 && !self.blocks.are_tiles
    }

    /// Bytes of a row of a block; `None` if no memory has so many.
    fn row_bytes(&self) -> Option<usize> {
        let samples = self.blocks.width.checked_mul(self.samples)?;
        Some(samples.checked_mul(self.packing.bits.into())?.div_ceil(8))
    }

    /// The band, mapped, if it lies in the file as in memory.
    pub(super) fn mapped(&self) -> Result<Option<Array>, DataError> {
        if !self.is_stored() || self.samples > 1 {
            return Ok(None);
        }
        let (mut start, mut end) = (None, 0);
        for k in 0..self.blocks.in_plane() {
            match self.block(k)? {
                Block::At(place) if start.is_none() || place.start == end => {
                    start.get_or_insert(place.start);
                    end = place.end;
                }
                _ => return Ok(None),
            }
        }
        let Some(offset) = start else { return Ok(None) };
        let swapped = self.element.size() > 1 && self.packing.big_endian != cfg!(target_endian = "big");
        let layout = Layout::contiguous(self.shape(), self.element, Order::C);
        self.input.array(self.input.map()?, Layout { swapped, offset, ..layout }).map(Some)
    }

    /// The band, decoded; `sparse` stands where nothing was ever written.
    pub(super) fn array<E: Element>(&self, sparse: E) -> Result<Array, DataError> {
        let mut spool = Spool::<E>::new(self.input.path, self.input.memory_bytes);
        self.elements(sparse, |start, run| spool.put(start, run))?;
        spool.finish(self.shape())
    }

    /// Hands on runs of the band's pixels, each with the number of its first
    /// one: rows of blocks, which all cores decode, or, if memory has no room for
    /// these, rows.
    pub(super) fn elements<E: Element>(
        &self,
        sparse: E,
        mut each: impl FnMut(usize, &[E]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let block_row_bytes = self.pixels(&(0..1)).saturating_mul(size_of::<E>());
        let most_bytes =
            usize::try_from(self.input.memory_bytes / 4).unwrap_or(usize::MAX).min(MOST_BLOCK_BYTES);
        if block_row_bytes > most_bytes {
            return self.elements_of_rows(sparse, each);
        }
        let at_a_time = PIECE_BYTES.div_ceil(block_row_bytes.max(1));
        let decode = |scratch: &mut Scratch, start: usize| {
            scratch.most_bytes = most_bytes;
            let block_rows = start..self.block_rows().min(start + at_a_time);
            let mut run = vec![<E as bytemuck::Zeroable>::zeroed(); self.pixels(&block_rows)];
            self.block_rows_decoded(block_rows, scratch, |start, count, row| {
                let run = &mut run[start..start + count];
                match row {
                    Row::Sparse => run.fill(sparse),
                    Row::Bytes(row) => self.pick_bytes(row, bytemuck::cast_slice_mut(run)),
                }
            })?;
            Ok((start * self.blocks.height * self.width, run))
        };
        // What is decoded, and a block.
        let piece_bytes = 2 * block_row_bytes.max(PIECE_BYTES) as u64;
        let at_once = pieces::at_once(piece_bytes, self.input.memory_bytes);
        pieces::in_order((0..self.block_rows()).step_by(at_a_time), at_once, decode, |run| {
            let (start, run) = run?;
            each(start, &run)
        })?;
        self.check_intact()
    }

    /// The same, row by row.
    fn elements_of_rows<E: Element>(
        &self,
        sparse: E,
        mut each: impl FnMut(usize, &[E]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let most = self.input.row_bytes();
        let run = self.blocks.width.min(self.width).max(RUN_PIXELS) as u64;
        let mut band = room::<E>(self.input.path, "row", run, most)?;
        self.rows(|start, width, row| {
            band.clear();
            match row {
                Row::Sparse => band.resize(width, sparse),
                Row::Bytes(row) => self.pick(row, width, &mut band),
            }
            each(start, &band)
        })
    }

    /// Hands on runs of pixels of a row, all samples of them, with the number of
    /// the first one and how many they are.
    pub(super) fn rows(
        &self,
        mut each: impl FnMut(usize, usize, Row<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let most = self.input.row_bytes();
        let row_bytes = self.row_bytes().unwrap_or(usize::MAX);
        let mut row: Vec<u8> = Vec::new();
        let mut scratch = Vec::new();
        for k in 0..self.blocks.in_plane() {
            let [left, top, width, height] = self.blocks.area(k);
            let mut place = match self.block(k)? {
                Block::At(place) => self.decompressed(place)?,
                Block::Sparse => {
                    for line in top..top + height {
                        for start in (0..width).step_by(RUN_PIXELS) {
                            let count = RUN_PIXELS.min(width - start);
                            each(line * self.width + left + start, count, Row::Sparse)?;
                        }
                    }
                    continue;
                }
            };
            if row.is_empty() {
                row = room(self.input.path, "row", row_bytes as u64, most)?;
                row.resize(row_bytes, 0);
                if self.packing.predictor == Predictor::FloatingPoint {
                    scratch = room(self.input.path, "row", row_bytes as u64, most)?;
                }
            }
            for line in top..top + height {
                place.read_exact(&mut row).map_err(|e| self.failed(&e))?;
                self.packing.unpack(&mut row, &mut scratch);
                each(line * self.width + left, width, Row::Bytes(&row))?;
            }
        }
        self.check_intact()
    }

    /// Fails if the file shrank while it was read.
    pub(super) fn check_intact(&self) -> Result<(), DataError> {
        if self.map.is_intact() {
            Ok(())
        } else {
            Err(DataError::Shrunk { path: self.input.path.to_owned() })
        }
    }

    /// Whether it is decoded by the same blocks as another band of its page.
    pub(super) fn has_blocks_of(&self, other: &Self) -> bool {
        (self.plane, self.shift) == (other.plane, other.shift)
    }

    /// The number of rows of blocks: strips, or tiles side by side.
    pub(super) fn block_rows(&self) -> usize {
        self.height.div_ceil(self.blocks.height)
    }

    /// The pixels of rows of blocks.
    pub(super) fn pixels(&self, block_rows: &Range<usize>) -> usize {
        let line = |row: usize| row.saturating_mul(self.blocks.height).min(self.height);
        (line(block_rows.end) - line(block_rows.start)) * self.width
    }

    /// Decodes rows of blocks: `each` is given runs of pixels of a row, all samples of
    /// them in this machine's byte order, with the number of the first one, counted
    /// from the first of these rows, and how many they are. Blocks are decompressed
    /// in one go, but for those that `scratch` has no room for.
    pub(super) fn block_rows_decoded(
        &self,
        block_rows: Range<usize>,
        scratch: &mut Scratch,
        mut each: impl FnMut(usize, usize, Row<'_>),
    ) -> Result<(), DataError> {
        let most = self.input.row_bytes();
        let row_bytes = self.row_bytes().unwrap_or(usize::MAX);
        let across = self.blocks.across();
        let first_line = block_rows.start * self.blocks.height;
        for k in block_rows.start * across..block_rows.end * across {
            let [left, top, width, height] = self.blocks.area(k);
            let start = |line: usize| (top + line - first_line) * self.width + left;
            let place = match self.block(k)? {
                Block::At(place) => place,
                Block::Sparse => {
                    (0..height).for_each(|line| each(start(line), width, Row::Sparse));
                    continue;
                }
            };
            // Tiles have all their rows, also beyond the image.
            let rows = if self.blocks.are_tiles { self.blocks.height } else { height };
            let Scratch { whole, block, floats, most_bytes } = scratch;
            let bytes = rows.checked_mul(row_bytes).filter(|bytes| bytes <= most_bytes);
            if let Some(bytes) = bytes {
                block.resize(bytes, 0);
                let packed = self.map.bytes().get(place.clone()).unwrap_or_default();
                let is_whole = whole.decompress(self.compression, packed, block);
                self.map.release(place.clone());
                if is_whole {
                    for (line, row) in block.chunks_exact_mut(row_bytes).take(height).enumerate() {
                        self.packing.unpack(row, floats);
                        each(start(line), width, Row::Bytes(row));
                    }
                    continue;
                }
            }
            // Row by row it is found what is wrong, if it is.
            let mut rest = self.decompressed(place)?;
            let mut row = room::<u8>(self.input.path, "row", row_bytes as u64, most)?;
            row.resize(row_bytes, 0);
            for line in 0..height {
                rest.read_exact(&mut row).map_err(|e| self.failed(&e))?;
                self.packing.unpack(&mut row, floats);
                each(start(line), width, Row::Bytes(&row));
            }
        }
        Ok(())
    }

    /// Picks the band out of the first pixels of a row, to the bytes of its elements.
    pub(super) fn pick_bytes(&self, row: &[u8], to: &mut [u8]) {
        fn copy<const N: usize>(row: &[u8], sample: usize, samples: usize, to: &mut [u8]) {
            let (to, _) = to.as_chunks_mut::<N>();
            let (from, _) = row.as_chunks::<N>();
            to.iter_mut().zip(from.iter().skip(sample).step_by(samples)).for_each(|(to, from)| *to = *from);
        }
        if self.packing.bits < 8 {
            let samples = unpacked(row, self.packing.bits).skip(self.sample).step_by(self.samples);
            to.iter_mut().zip(samples).for_each(|(to, sample)| *to = sample);
        } else if self.samples == 1 {
            to.copy_from_slice(&row[..to.len()]);
        } else {
            match self.element.size() {
                1 => copy::<1>(row, self.sample, self.samples, to),
                2 => copy::<2>(row, self.sample, self.samples, to),
                4 => copy::<4>(row, self.sample, self.samples, to),
                _ => copy::<8>(row, self.sample, self.samples, to),
            }
        }
    }

    fn decompressed(&self, place: Range<usize>) -> Result<Decompressed<'_>, DataError> {
        Decompressed::new(self.map, place, self.compression, self.input.memory_bytes)
            .map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &io::Error) -> DataError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.input.invalid(KIND, "it is truncated; copy or write it again");
        }
        self.input.invalid(KIND, &crate::array::error::reason(&error.to_string()))
    }

    /// Picks the band out of the first pixels of a row.
    fn pick<E: Element>(&self, row: &[u8], width: usize, band: &mut Vec<E>) {
        if self.packing.bits < 8 {
            let samples = unpacked(row, self.packing.bits).skip(self.sample).step_by(self.samples);
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
