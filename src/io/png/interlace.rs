//! The order of pixels in an interlaced image (Adam7).

use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, Order, Shape};
use crate::io::input::Input;

/// The passes of an interlaced image: first column and row, and the steps to the
/// next ones.
const PASSES: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// Columns and rows of a pass.
fn size_of_pass([left, top, across, down]: [usize; 4], width: usize, height: usize) -> [usize; 2] {
    [width.saturating_sub(left).div_ceil(across), height.saturating_sub(top).div_ceil(down)]
}

/// The number of pixels of the row that begins with the pixel that comes as number
/// `k` in the passes.
pub(super) fn columns_at(mut k: usize, width: usize, height: usize) -> usize {
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
pub(super) fn place_of(mut k: usize, width: usize, height: usize) -> usize {
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
pub(super) fn in_rows<E: Element>(
    input: &Input<'_>,
    passes: &Array,
    width: usize,
    height: usize,
) -> Result<Array, DataError> {
    const RELEASED_ROWS: usize = 64;
    let mut spool = Spool::<E>::new(input.path, input.memory().copy_bytes());
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
            passes.evict(Order::C, 0..width * height);
        }
    }
    spool.finish(Shape(vec![height as u64, width as u64]))
}
