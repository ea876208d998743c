//! Images whose tiles are compressed, each a row of a table.

use super::dither::{Method, Noise, Quantized, restore};
use super::hdu::Hdu;
use super::header::{Header, KIND};
use super::pixels::{Pixels, to_native};
use super::table::{Column, Table};
use super::tile::{Compression, REMEDY};
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, Shape};
use crate::io::claims::room;
use crate::io::input::Input;
use crate::io::metadata::Opened;
use crate::io::pieces;
use crate::with_element;

/// The bytes of quantized numbers.
const QUANTIZED_BYTES: usize = 4;

/// Opens an image of tiles.
pub(super) fn open(input: &Input<'_>, map: &Mapping, hdu: &Hdu) -> Result<Opened, DataError> {
    let pixels = Pixels::of(input, &hdu.header, hdu.header.whole("ZBITPIX"))?;
    let shape = hdu.shape(input, "ZNAXIS")?;
    if shape.elements() == Some(0) || shape.0.is_empty() {
        return Err(DataError::NoElements { path: input.path.to_owned(), shape });
    }
    let grid = Grid::of(input, &hdu.header, &shape)?;
    let table = Table::of(input, &hdu.header)?;
    if grid.count() != Some(table.rows) {
        return Err(input.invalid(KIND, "it has not as many tiles as its pixels take"));
    }
    let tiles = Tiles::of(input, map.bytes(), hdu, &table, &pixels)?;
    let array = with_element!(pixels.element, E => tiles.decoded::<E>(map, &grid, shape)?);
    Ok(Opened::from(array).with_nodata(pixels.nodata).with_scaling(pixels.scaling))
}

/// The tiles of an image.
struct Grid {
    /// The extents of the image and of a tile, the fastest axis first.
    extents: Vec<usize>,
    tile: Vec<usize>,
}

impl Grid {
    fn of(input: &Input<'_>, header: &Header, shape: &Shape) -> Result<Self, DataError> {
        let invalid = || input.invalid(KIND, "its tiles have no extents");
        let extents = shape.0.iter().rev().map(|&extent| usize::try_from(extent).ok());
        let extents = extents.collect::<Option<Vec<_>>>().ok_or_else(invalid)?;
        let extent = |(axis, &extent): (usize, &usize)| match header.whole(&format!("ZTILE{}", axis + 1)) {
            None => Some(if axis == 0 { extent } else { 1 }),
            Some(tile) => usize::try_from(tile).ok().filter(|tile| *tile > 0),
        };
        let tile = extents.iter().enumerate().map(extent).collect::<Option<Vec<_>>>().ok_or_else(invalid)?;
        let pixels = tile.iter().try_fold(1u64, |pixels, &extent| pixels.checked_mul(extent as u64));
        room::<f64>(input.path, "tile", pixels.unwrap_or(u64::MAX), input.memory().unit_bytes())?;
        Ok(Self { extents, tile })
    }

    fn count(&self) -> Option<usize> {
        let along = self.extents.iter().zip(&self.tile).map(|(extent, tile)| extent.div_ceil(*tile));
        along.into_iter().try_fold(1usize, usize::checked_mul)
    }

    /// The first index and the extent along each axis of a tile.
    fn place(&self, mut number: usize) -> Vec<(usize, usize)> {
        let along = self.extents.iter().zip(&self.tile);
        along
            .map(|(&extent, &tile)| {
                let count = extent.div_ceil(tile);
                let first = number % count * tile;
                number /= count;
                (first, tile.min(extent - first))
            })
            .collect()
    }

    /// Where in the image each row of a tile begins.
    fn rows(&self, place: &[(usize, usize)]) -> Vec<usize> {
        let (mut step, mut rows) = (1, vec![0]);
        for (axis, (&(first, extent), size)) in place.iter().zip(&self.extents).enumerate() {
            let of = |index: usize| move |row: &usize| row + (first + index) * step;
            rows = match axis {
                0 => vec![first],
                _ => (0..extent).flat_map(|index| rows.iter().map(of(index)).collect::<Vec<_>>()).collect(),
            };
            step *= size;
        }
        rows
    }
}

/// What the rows of the table have for each tile.
struct Tiles<'t> {
    input: &'t Input<'t>,
    file: &'t [u8],
    /// The places of the rows and of the heap.
    rows_at: usize,
    row_bytes: usize,
    heap: &'t [u8],
    compression: Compression,
    data: Option<&'t Column>,
    /// Pixels of tiles that could not be quantized.
    gzipped: Option<&'t Column>,
    plain: Option<&'t Column>,
    quantized: Option<Parameters<'t>>,
    stored_bytes: usize,
    is_turned: bool,
}

/// How floating-point pixels were quantized.
struct Parameters<'t> {
    scale: Parameter<'t>,
    zero: Parameter<'t>,
    blank: Option<&'t Column>,
    all_blank: Option<i64>,
    method: Method,
    /// The number of the first tile's noise.
    first: usize,
    noise: Noise,
}

/// A number for each tile, or for all of them.
enum Parameter<'t> {
    Column(&'t Column),
    All(f64),
}

impl<'t> Tiles<'t> {
    fn of(
        input: &'t Input<'t>,
        file: &'t [u8],
        hdu: &Hdu,
        table: &'t Table,
        pixels: &Pixels,
    ) -> Result<Self, DataError> {
        let header = &hdu.header;
        let rows_bytes = table.rows.saturating_mul(table.row_bytes);
        let heap_at = header.whole("THEAP").and_then(|at| usize::try_from(at).ok()).unwrap_or(rows_bytes);
        let rest = file.get(hdu.data..).unwrap_or_default();
        if rest.len() < rows_bytes {
            return Err(DataError::Truncated {
                path: input.path.to_owned(),
                expected_bytes: rows_bytes as u64,
                found_bytes: rest.len() as u64,
            });
        }
        let tiles = Self {
            input,
            file,
            rows_at: hdu.data,
            row_bytes: table.row_bytes,
            heap: rest.get(heap_at..).unwrap_or_default(),
            compression: Compression::of(input, header)?,
            data: table.named("COMPRESSED_DATA"),
            gzipped: table.named("GZIP_COMPRESSED_DATA"),
            plain: table.named("UNCOMPRESSED_DATA"),
            quantized: if pixels.stored.is_float() { Parameters::of(input, header, table)? } else { None },
            stored_bytes: pixels.stored.size(),
            is_turned: pixels.is_turned(),
        };
        tiles.check_heap(table.rows)?;
        Ok(tiles)
    }

    /// Fails if tiles claim more bytes than there are: no two have the same.
    fn check_heap(&self, rows: usize) -> Result<(), DataError> {
        let mut claimed = 0usize;
        for column in [self.data, self.gzipped, self.plain].into_iter().flatten() {
            for row in 0..rows {
                claimed = claimed.saturating_add(self.descriptor(column, row).map_or(0, |(count, _)| count));
            }
        }
        if claimed <= self.heap.len() {
            return Ok(());
        }
        Err(DataError::Truncated {
            path: self.input.path.to_owned(),
            expected_bytes: claimed as u64,
            found_bytes: self.heap.len() as u64,
        })
    }

    fn field(&self, column: &Column, row: usize, size: usize) -> Option<&'t [u8]> {
        let at = self.rows_at.checked_add(row.checked_mul(self.row_bytes)?)?.checked_add(column.start)?;
        self.file.get(at..at.checked_add(size)?)
    }

    /// The bytes of a tile, and their place in the heap.
    fn descriptor(&self, column: &Column, row: usize) -> Option<(usize, usize)> {
        let size = match column.letter {
            'P' => 4,
            'Q' => 8,
            _ => return None,
        };
        let field = self.field(column, row, 2 * size)?;
        let number = |bytes: &[u8]| usize::try_from(whole(bytes)?).ok();
        number(&field[..size]).zip(number(&field[size..]))
    }

    /// What a column has for a tile; empty if nothing.
    fn bytes(&self, column: Option<&Column>, row: usize) -> &'t [u8] {
        let found = column.and_then(|column| self.descriptor(column, row));
        let range = found.and_then(|(count, at)| Some(at..at.checked_add(count)?));
        range.and_then(|range| self.heap.get(range)).unwrap_or_default()
    }

    fn decoded<E: Element>(&self, map: &Mapping, grid: &Grid, shape: Shape) -> Result<Array, DataError> {
        let mut spool = Spool::<E>::new(self.input.path, self.input.memory_bytes);
        let count = grid.count().unwrap_or(0);
        let tile_bytes = grid.tile.iter().product::<usize>() * size_of::<f64>();
        let at_once = pieces::at_once(2 * tile_bytes as u64, self.input.memory_bytes);
        let decode = |(): &mut (), number: usize| {
            let place = grid.place(number);
            self.tile::<E>(number, place.iter().map(|(_, extent)| extent).product()).map(|tile| (place, tile))
        };
        pieces::in_order(0..count, at_once, decode, |decoded| {
            let (place, tile) = decoded?;
            let width = place.first().map_or(1, |(_, extent)| *extent);
            let rows = grid.rows(&place).into_iter().zip(tile.chunks_exact(width));
            rows.into_iter().try_for_each(|(start, row)| spool.put(start, row))
        })?;
        map.check_intact()?;
        spool.finish(shape)
    }

    fn tile<E: Element>(&self, number: usize, count: usize) -> Result<Vec<E>, DataError> {
        let damaged = || {
            let reason = format!("its tile number {} is damaged; copy the file again", number + 1);
            self.input.invalid(KIND, &reason)
        };
        let mut elements = vec![E::zeroed(); count];
        let data = self.bytes(self.data, number);
        let stored = match (self.bytes(self.gzipped, number), self.bytes(self.plain, number)) {
            _ if !data.is_empty() => None,
            ([], plain) => Compression::None.decode(plain, count, self.stored_bytes),
            (gzipped, _) => Compression::Gzip.decode(gzipped, count, self.stored_bytes),
        };
        let stored = match (stored, &self.quantized) {
            (None, Some(quantized)) if !data.is_empty() => {
                let values = self.compression.decode(data, count, QUANTIZED_BYTES).ok_or_else(damaged)?;
                let values = values.chunks_exact(QUANTIZED_BYTES).filter_map(|bytes| bytes.first_chunk());
                let values: Vec<u32> = values.map(|bytes| u32::from_be_bytes(*bytes)).collect();
                let of_tile = quantized.of_tile(self, number).ok_or_else(damaged)?;
                let (method, first) = (quantized.method, quantized.first);
                let pixels = restore(of_tile, method, &quantized.noise, first + number, &values);
                elements.iter_mut().zip(pixels).for_each(|(element, pixel)| *element = E::from_f64(pixel));
                return Ok(elements);
            }
            (None, _) => self.compression.decode(data, count, self.stored_bytes),
            (stored, _) => stored,
        };
        let bytes = stored.ok_or_else(damaged)?;
        to_native(&bytes, bytemuck::cast_slice_mut(&mut elements), self.stored_bytes, self.is_turned);
        Ok(elements)
    }
}

impl<'t> Parameters<'t> {
    /// `None` if pixels were not quantized.
    fn of(input: &Input<'_>, header: &Header, table: &'t Table) -> Result<Option<Self>, DataError> {
        let parameter = |name: &str| {
            let column = table.named(name).map(Parameter::Column);
            column.or_else(|| header.real(name).map(Parameter::All))
        };
        let method = match header.text("ZQUANTIZ").as_deref() {
            Some("NONE") => return Ok(None),
            None | Some("NO_DITHER") => Method::None,
            Some("SUBTRACTIVE_DITHER_1") => Method::One,
            Some("SUBTRACTIVE_DITHER_2") => Method::Two,
            Some(other) => {
                let found = format!("its pixels are quantized by {}", crate::array::error::excerpt(other));
                return Err(input.unsupported(found, REMEDY));
            }
        };
        let (Some(scale), Some(zero)) = (parameter("ZSCALE"), parameter("ZZERO")) else { return Ok(None) };
        let seed = header.whole("ZDITHER0").and_then(|seed| usize::try_from(seed).ok()).unwrap_or(1);
        Ok(Some(Self {
            scale,
            zero,
            blank: table.named("ZBLANK"),
            all_blank: header.whole("ZBLANK"),
            method,
            first: seed.saturating_sub(1),
            noise: Noise::new(),
        }))
    }

    fn of_tile(&self, tiles: &Tiles<'_>, number: usize) -> Option<Quantized> {
        let real = |parameter: &Parameter<'_>| match parameter {
            Parameter::All(value) => Some(*value),
            Parameter::Column(column) => {
                let bytes = |size| tiles.field(column, number, size);
                match column.letter {
                    'D' => Some(f64::from_be_bytes(*bytes(8)?.first_chunk()?)),
                    'E' => Some(f32::from_be_bytes(*bytes(4)?.first_chunk()?).into()),
                    _ => None,
                }
            }
        };
        let blank = match self.blank {
            Some(column) if column.letter == 'J' => Some(whole(tiles.field(column, number, 4)?)?),
            _ => self.all_blank,
        };
        Some(Quantized { scale: real(&self.scale)?, zero: real(&self.zero)?, blank })
    }
}

/// A big-endian whole number of 4 or 8 bytes.
fn whole(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => Some(i32::from_be_bytes(*bytes.first_chunk()?).into()),
        8 => Some(i64::from_be_bytes(*bytes.first_chunk()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of 5 × 3 pixels in tiles of 2 × 2.
    #[test]
    fn tiles_at_the_edges_are_cut() {
        let grid = Grid { extents: vec![5, 3], tile: vec![2, 2] };
        assert_eq!(grid.count(), Some(6));
        assert_eq!(grid.place(0), [(0, 2), (0, 2)]);
        assert_eq!(grid.place(5), [(4, 1), (2, 1)]);
        assert_eq!(grid.rows(&grid.place(0)), [0, 5]);
        assert_eq!(grid.rows(&grid.place(4)), [12]);
        let grid = Grid { extents: vec![2, 2, 2], tile: vec![2, 1, 2] };
        assert_eq!(grid.rows(&grid.place(1)), [2, 6]);
    }
}
