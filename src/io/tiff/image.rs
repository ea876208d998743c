//! A band of an image: where its strips or tiles are, what they claim, and
//! its pixels.
//!
//! A claim is believed only as far as the file can back it. A block cannot
//! expand more than its compression allows, and all of them together not more
//! than the whole file could by it: so much comes of blocks that have bytes of
//! their own. Where blocks share bytes, as the equal tiles of some writers do,
//! they may be more, up to [`SHARED_BYTES`]. Blocks that the file does not have
//! ("sparse", in GDAL's word: offset and size are 0) may stand for as much as
//! the best compression could make of the file, or for [`SPARSE_BYTES`].

use std::io::{self, Read};
use std::ops::Range;

use super::super::bits::unpacked;
use super::super::claims::room;
use super::super::source::Input;
use super::directory::{Directory, Field};
use super::rows::{Compression, Decompressed, Packing, Predictor};
use super::{CONVERT, KIND, compression_name, tag};
use crate::array::array::{Bytes, Layout};
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, ElementType, Order, Shape};

/// The most bytes of a row, unless --memory has room for more.
const ROW_BYTES: u64 = 16 << 20;

/// Bytes that pixels which the file does not have may take, however small it
/// is.
const SPARSE_BYTES: u64 = 64 << 20;

/// Bytes, decompressed, that strips or tiles which share bytes of the file may
/// take, however small it is.
const SHARED_BYTES: u64 = 64 << 20;

/// Pixels that are given at a time where the file has none.
const RUN_PIXELS: usize = 1 << 16;

/// A FillOrder of another age: libtiff turns the bits of every byte round.
const LEAST_BIT_FIRST: u64 = 2;

/// A band of an image.
pub(super) struct Image<'a> {
    input: &'a Input<'a>,
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
    /// How far behind the image that the directory describes the one is that is
    /// read, of those that follow one another.
    shift: u64,
}

/// Strips or tiles.
struct Blocks<'a> {
    are_tiles: bool,
    width: usize,
    height: usize,
    offsets: Field<'a>,
    counts: Option<Field<'a>>,
}

/// What the file has of a strip or a tile.
enum Block {
    /// Nothing: it was never written.
    Sparse,
    /// Its bytes.
    At(Range<usize>),
}

/// Pixels of a row.
pub(super) enum Row<'r> {
    /// Those that were never written.
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
            input.unsupported(format!("it is compressed by {}", compression_name(number)), CONVERT)
        })?;
        let bits = directory.shared(tag::BITS)?.unwrap_or(1);
        let format = directory.shared(tag::FORMAT)?.unwrap_or(format::UINT);
        let element = element_type(format, bits).ok_or_else(|| other_samples(input, format, bits))?;
        let bits = u8::try_from(bits).unwrap_or(u8::MAX);
        let is_planar = directory.number(tag::PLANAR)? == Some(PLANAR);
        let stored = samples(directory)?;
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

    /// The same band of the image that is so many further on. `None` if nobody
    /// knows where that is: strips that are not stored as they are, one after
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
        for k in 0..self.in_plane() {
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

    fn across(&self) -> usize {
        self.width.div_ceil(self.blocks.width)
    }

    /// Strips or tiles of a plane.
    fn in_plane(&self) -> usize {
        self.across().saturating_mul(self.height.div_ceil(self.blocks.height))
    }

    /// Bytes of a row of a block; `None` if no memory has so many.
    fn row_bytes(&self) -> Option<usize> {
        let samples = self.blocks.width.checked_mul(self.samples)?;
        Some(samples.checked_mul(self.packing.bits.into())?.div_ceil(8))
    }

    /// The column, row, width and height that block number `k` has of the image.
    fn area(&self, k: usize) -> [usize; 4] {
        let across = self.across();
        let (left, top) = (k % across * self.blocks.width, k / across * self.blocks.height);
        [left, top, self.blocks.width.min(self.width - left), self.blocks.height.min(self.height - top)]
    }

    /// Where block number `k` of the plane is in the file; fails if the file
    /// cannot have what it claims.
    fn block(&self, k: usize) -> Result<Block, DataError> {
        let invalid = |reason: &str| self.input.invalid(KIND, reason);
        let number = (self.plane as u64).saturating_mul(self.in_plane() as u64).saturating_add(k as u64);
        let fewer =
            || invalid("it has fewer strips or tiles than its size asks for; it is truncated or damaged");
        let offset = self.blocks.offsets.whole(number).ok_or_else(fewer)?;
        let count = self.blocks.counts.and_then(|counts| counts.whole(number));
        if offset == 0 && count == Some(0) {
            return Ok(Block::Sparse);
        }
        let [.., rows] = self.area(k);
        let needed = self.row_bytes().and_then(|bytes| bytes.checked_mul(rows)).map(|bytes| bytes as u64);
        let needed = needed.ok_or_else(|| invalid("its size is larger than any memory; is it damaged?"))?;
        let file_bytes = self.map.bytes().len() as u64;
        let start = offset.saturating_add(self.shift).min(file_bytes);
        let count = match count {
            Some(0) | None if offset == 0 => return Err(invalid("its strips or tiles are nowhere")),
            // What libtiff calls bogus, and calculates. Where it would guess,
            // which is wherever compressed blocks follow one another, nobody
            // knows.
            Some(0) | None if self.compression == Compression::None => needed,
            Some(0) | None if self.blocks.offsets.count == 1 => file_bytes - start,
            Some(0) | None => {
                return Err(self.input.unsupported(
                    "its strips or tiles have places but no sizes".to_owned(),
                    "write it again, for example with gdal_translate or tiffcp",
                ));
            }
            Some(count) => count,
        };
        let found = count.min(file_bytes - start);
        if found < needed && self.compression == Compression::None {
            return Err(DataError::Truncated {
                path: self.input.path.to_owned(),
                expected_bytes: needed,
                found_bytes: found,
            });
        }
        if found == 0 || needed > found.saturating_mul(self.compression.most_expansion()) {
            let reason = format!(
                "it claims a strip or tile of {needed} bytes, for which it has {found}, compressed, of which so \
                 many cannot come; it is truncated or damaged"
            );
            return Err(invalid(&reason));
        }
        let end = if self.compression == Compression::None { start + needed } else { start + found };
        let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        Ok(Block::At(place(start)..place(end)))
    }

    /// Fails if the file cannot have what it claims. Must come before
    /// [`rows`](Self::rows), which believes it.
    pub(super) fn check_claims(&self) -> Result<(), DataError> {
        let file_bytes = self.map.bytes().len() as u64;
        let (mut sparse_bytes, mut decoded_bytes) = (0u64, 0u64);
        for k in 0..self.in_plane() {
            let [.., width, height] = self.area(k);
            if let Block::Sparse = self.block(k)? {
                let bytes = (width as u64).saturating_mul(height as u64);
                sparse_bytes = sparse_bytes.saturating_add(bytes.saturating_mul(self.element.size() as u64));
            } else {
                let bytes = self.row_bytes().unwrap_or(usize::MAX).saturating_mul(height);
                decoded_bytes = decoded_bytes.saturating_add(bytes as u64);
            }
        }
        let most = file_bytes.saturating_mul(self.compression.most_expansion());
        if decoded_bytes > most.max(SHARED_BYTES) {
            let reason = format!(
                "it claims strips or tiles of {decoded_bytes} bytes in all, of which many share the same of its \
                 {file_bytes} bytes; is it damaged? If not, write it again, each with bytes of its own"
            );
            return Err(self.input.invalid(KIND, &reason));
        }
        let most = file_bytes.saturating_mul(Compression::Zstd.most_expansion());
        if sparse_bytes > most.max(SPARSE_BYTES) {
            let reason = format!(
                "it claims {sparse_bytes} bytes of pixels of which it has none, in {file_bytes} bytes; is it damaged? \
                 If not, write it without sparse strips or tiles"
            );
            return Err(self.input.invalid(KIND, &reason));
        }
        Ok(())
    }

    /// Whether a block's size is not in the file and was calculated.
    pub(super) fn has_no_sizes(&self) -> bool {
        let is_bogus = |k: u64| {
            self.blocks.offsets.whole(k) > Some(0)
                && self.blocks.counts.is_none_or(|counts| counts.whole(k).unwrap_or(0) == 0)
        };
        (0..self.blocks.offsets.count).any(is_bogus)
    }

    /// The band where it lies in the file, if it lies there as in memory.
    pub(super) fn mapped(&self) -> Result<Option<Array>, DataError> {
        if !self.is_stored() || self.samples > 1 {
            return Ok(None);
        }
        let (mut start, mut end) = (None, 0);
        for k in 0..self.in_plane() {
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
        let layout = Layout { shape: self.shape(), element: self.element, order: Order::C, swapped, offset };
        Array::from_bytes(self.input.path, Box::new(self.input.map()?), layout).map(Some)
    }

    /// The band, decoded; `sparse` is what is where nothing was ever written.
    pub(super) fn matrix<E: Element>(&self, sparse: E) -> Result<Array, DataError> {
        let mut spool = Spool::<E>::new(self.input.path, self.input.memory_bytes);
        self.elements(sparse, |start, run| spool.put(start, run))?;
        spool.finish(self.shape())
    }

    /// Hands on runs of the band's pixels, each with the number of its first
    /// one.
    pub(super) fn elements<E: Element>(
        &self,
        sparse: E,
        mut take: impl FnMut(usize, &[E]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let most = self.input.memory_bytes.max(ROW_BYTES);
        let run = self.blocks.width.min(self.width).max(RUN_PIXELS) as u64;
        let mut band = room::<E>(self.input.path, "row", run, most)?;
        self.rows(|start, width, row| {
            band.clear();
            match row {
                Row::Sparse => band.resize(width, sparse),
                Row::Bytes(row) => self.pick(row, width, &mut band),
            }
            take(start, &band)
        })
    }

    /// Hands on runs of pixels of a row, all samples of them, with the number of
    /// the first one and how many they are.
    pub(super) fn rows(
        &self,
        mut take: impl FnMut(usize, usize, Row<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let most = self.input.memory_bytes.max(ROW_BYTES);
        let row_bytes = self.row_bytes().unwrap_or(usize::MAX);
        let mut row: Vec<u8> = Vec::new();
        let mut scratch = Vec::new();
        for k in 0..self.in_plane() {
            let [left, top, width, height] = self.area(k);
            let mut place = match self.block(k)? {
                Block::At(place) => self.decompressed(place)?,
                Block::Sparse => {
                    for line in top..top + height {
                        for start in (0..width).step_by(RUN_PIXELS) {
                            let count = RUN_PIXELS.min(width - start);
                            take(line * self.width + left + start, count, Row::Sparse)?;
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
                take(line * self.width + left, width, Row::Bytes(&row))?;
            }
        }
        if self.map.is_intact() {
            Ok(())
        } else {
            Err(DataError::Shrunk { path: self.input.path.to_owned() })
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

impl<'a> Blocks<'a> {
    fn of(
        input: &Input<'_>,
        directory: &Directory<'a>,
        width: usize,
        height: usize,
    ) -> Result<Self, DataError> {
        let invalid = |reason: &str| input.invalid(KIND, reason);
        let extent = |number: u64| usize::try_from(number).ok().filter(|&number| number > 0);
        let either = |first, second| Ok::<_, DataError>(directory.find(first)?.or(directory.find(second)?));
        let nowhere = || invalid("it does not say where its strips or tiles are");
        let are_tiles = directory.find(tag::TILE_WIDTH)?.is_some();
        if are_tiles {
            let side = |what| {
                let number = directory.number(what)?.and_then(extent);
                number.ok_or_else(|| invalid("its tiles have no size"))
            };
            return Ok(Self {
                are_tiles,
                width: side(tag::TILE_WIDTH)?,
                height: side(tag::TILE_HEIGHT)?,
                offsets: either(tag::TILE_OFFSETS, tag::OFFSETS)?.ok_or_else(nowhere)?,
                counts: either(tag::TILE_COUNTS, tag::COUNTS)?,
            });
        }
        let rows = match directory.number(tag::ROWS_PER_STRIP)? {
            None => height,
            Some(rows) => extent(rows).ok_or_else(|| invalid("its strips have no rows"))?.min(height),
        };
        Ok(Self {
            are_tiles,
            width,
            height: rows,
            offsets: directory.find(tag::OFFSETS)?.ok_or_else(nowhere)?,
            counts: directory.find(tag::COUNTS)?,
        })
    }
}

/// Samples of a pixel of a directory.
pub(super) fn samples(directory: &Directory<'_>) -> Result<usize, DataError> {
    let samples = directory.number(tag::SAMPLES)?.unwrap_or(1);
    Ok(usize::from(u16::try_from(samples).unwrap_or(u16::MAX)).max(1))
}

/// Kinds of samples.
mod format {
    pub(super) const UINT: u64 = 1;
    pub(super) const INT: u64 = 2;
    pub(super) const FLOAT: u64 = 3;
    pub(super) const COMPLEX_INT: u64 = 5;
    pub(super) const COMPLEX_FLOAT: u64 = 6;
}

fn element_type(format: u64, bits: u64) -> Option<ElementType> {
    Some(match (format, bits) {
        (format::UINT, 1 | 2 | 4 | 8) => ElementType::U8,
        (format::UINT, 16) => ElementType::U16,
        (format::UINT, 32) => ElementType::U32,
        (format::UINT, 64) => ElementType::U64,
        (format::INT, 8) => ElementType::I8,
        (format::INT, 16) => ElementType::I16,
        (format::INT, 32) => ElementType::I32,
        (format::INT, 64) => ElementType::I64,
        (format::FLOAT, 16) => ElementType::F16,
        (format::FLOAT, 32) => ElementType::F32,
        (format::FLOAT, 64) => ElementType::F64,
        _ => return None,
    })
}

/// The error of samples that are not read.
fn other_samples(input: &Input<'_>, format: u64, bits: u64) -> DataError {
    let kind = match format {
        format::UINT | format::INT => "whole numbers",
        format::FLOAT => "floating-point numbers",
        format::COMPLEX_INT | format::COMPLEX_FLOAT => "complex numbers",
        _ => "of an unknown kind",
    };
    let remedy = match format {
        format::UINT => "convert them to 1, 2, 4, 8, 16, 32 or 64 bits",
        format::INT => "convert them to 8, 16, 32 or 64 bits",
        format::FLOAT => "convert them to 16, 32 or 64 bits",
        _ => "convert them to real numbers of 32 or 64 bits",
    };
    input.unsupported(format!("its samples are {kind} ({bits} bits)"), remedy)
}
