//! The strips or tiles of an image.

use std::ops::Range;

use super::directory::{Directory, Field, KIND};
use super::tag;
use crate::array::DataError;
use crate::io::input::Input;

/// Strips or tiles.
pub(super) struct Blocks<'a> {
    pub(super) are_tiles: bool,
    /// Columns and rows of the image.
    image: [usize; 2],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) offsets: Field<'a>,
    pub(super) counts: Option<Field<'a>>,
}

/// The bytes of a strip or a tile in the file.
pub(super) enum Block {
    /// None: it was never written.
    Sparse,
    /// Its bytes.
    At(Range<usize>),
}

impl<'a> Blocks<'a> {
    /// The strips or tiles of an image of so many columns and rows.
    pub(super) fn of(
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
                image: [width, height],
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
            image: [width, height],
            width,
            height: rows,
            offsets: directory.find(tag::OFFSETS)?.ok_or_else(nowhere)?,
            counts: directory.find(tag::COUNTS)?,
        })
    }

    /// Strips or tiles side by side.
    pub(super) fn across(&self) -> usize {
        self.image[0].div_ceil(self.width)
    }

    /// Strips or tiles of a plane.
    pub(super) fn in_plane(&self) -> usize {
        self.across().saturating_mul(self.image[1].div_ceil(self.height))
    }

    /// The column, row, width and height that block number `k` has of the image.
    pub(super) fn area(&self, k: usize) -> [usize; 4] {
        let across = self.across();
        let (left, top) = (k % across * self.width, k / across * self.height);
        [left, top, self.width.min(self.image[0] - left), self.height.min(self.image[1] - top)]
    }
}
