//! Matrices stored in another order than they are visited in, and too large to
//! be in memory: every visit would touch all of the file for a few elements of
//! each page. They are written to a temporary file in the order of the visit,
//! once, tile by tile.

use super::{Array, Layout};
use crate::array::spool::Spool;
use crate::array::{DataError, Element, Order, Shape};
use crate::with_element;

/// The most bytes of a tile: more gain nothing.
const MOST_TILE_BYTES: u64 = 32 << 20;

/// The least, however little memory there is.
const LEAST_TILE_BYTES: u64 = 1 << 20;

/// What the system may map around a byte that is read.
const TOUCHED_BYTES: usize = 64 << 10;

/// Bytes of the file that may be mapped before they are given back.
const MOST_TOUCHED_BYTES: usize = 8 << 20;

impl Array {
    /// Has a matrix that is streamed stored in the order that it will be visited
    /// in.
    pub(crate) fn stream_in(&mut self, order: Order, memory_bytes: u64) -> Result<(), DataError> {
        if !self.is_streamed() || self.is_stored_in(order) {
            return Ok(());
        }
        let tile_bytes = (memory_bytes / 2).clamp(LEAST_TILE_BYTES, MOST_TILE_BYTES);
        let tile_elements = usize::try_from(tile_bytes).unwrap_or(usize::MAX) / self.element.size();
        let turned = with_element!(self.element, E => self.turned::<E>(order, tile_elements)?);
        self.check_intact()?;
        self.bytes = turned.bytes;
        (self.order, self.offset) = (order, 0);
        Ok(())
    }

    /// The same elements, as they are stored but for their order.
    fn turned<E: Element>(&self, to: Order, tile_elements: usize) -> Result<Self, DataError> {
        let path = self.path.as_deref().unwrap_or(std::path::Path::new(&self.label));
        let (from, size, stored) = (self.order, size_of::<E>(), self.stored());
        let extents: Vec<usize> =
            self.shape.0.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
        let (strides_from, strides_to) = (strides(&extents, from), strides(&extents, to));
        let most = tile(&extents, from, to, tile_elements);
        let mut spool = Spool::<E>::new(path, 0);
        let (mut elements, mut touched) = (Vec::<E>::new(), 0);

        let tiles: Vec<usize> = extents.iter().zip(&most).map(|(all, most)| all.div_ceil(*most)).collect();
        let mut number = vec![0; extents.len()];
        loop {
            let start: Vec<usize> = number.iter().zip(&most).map(|(number, most)| number * most).collect();
            let extent: Vec<usize> = start
                .iter()
                .zip(&most)
                .zip(&extents)
                .map(|((start, most), all)| *most.min(&(all - start)))
                .collect();
            elements.resize(extent.iter().product(), E::zeroed());

            // As they lie there, to where they are in the tile.
            let places = strides(&extent, to);
            let fastest = axes(extent.len(), from).next().unwrap_or(0);
            let mut columns = extent.clone();
            columns[fastest] = 1;
            let mut index = vec![0; extent.len()];
            loop {
                let at = place(&start, &strides_from) + place(&index, &strides_from);
                let bytes = &stored[at * size..][..extent[fastest] * size];
                let slots = elements[place(&index, &places)..].iter_mut().step_by(places[fastest]);
                for (slot, bytes) in slots.zip(bytes.chunks_exact(size)) {
                    *slot = bytemuck::pod_read_unaligned(bytes);
                }
                touched += bytes.len() + TOUCHED_BYTES;
                if touched > MOST_TOUCHED_BYTES {
                    self.give_back(from, 0..self.elements);
                    touched = 0;
                }
                if !advance(&mut index, &columns, from) {
                    break;
                }
            }

            // As they lie in the tile, as many at a time as are neighbours.
            let (mut rows, mut run) = (extent.clone(), 1);
            for axis in axes(extent.len(), to) {
                run *= extent[axis];
                rows[axis] = 1;
                if extent[axis] < extents[axis] {
                    break;
                }
            }
            index.fill(0);
            for elements in elements.chunks_exact(run) {
                spool.put(place(&start, &strides_to) + place(&index, &strides_to), elements)?;
                advance(&mut index, &rows, to);
            }
            if !advance(&mut number, &tiles, to) {
                break;
            }
        }
        self.give_back(from, 0..self.elements);
        let (shape, element, swapped) = (self.shape.clone(), self.element, self.swapped);
        spool.finish_as(Layout { shape, element, order: to, swapped, offset: 0 })
    }
}

/// The extents of a tile of so many elements at most. It has about as many that
/// are neighbours in one order as in the other.
fn tile(extents: &[usize], from: Order, to: Order, elements: usize) -> Vec<usize> {
    let mut tile = vec![1usize; extents.len()];
    let run = |tile: &[usize], order| {
        let mut run = 1usize;
        for axis in axes(tile.len(), order) {
            run *= tile[axis];
            if tile[axis] < extents[axis] {
                break;
            }
        }
        run
    };
    loop {
        let order = if run(&tile, from) <= run(&tile, to) { from } else { to };
        let Some(axis) = axes(tile.len(), order).find(|&axis| tile[axis] < extents[axis]) else { break };
        let others: usize = tile.iter().enumerate().filter(|(k, _)| *k != axis).map(|(_, n)| n).product();
        let longer = (2 * tile[axis]).min(extents[axis]).min(elements / others);
        if longer <= tile[axis] {
            break;
        }
        tile[axis] = longer;
    }
    tile
}

/// The axes, the one along which neighbours in memory lie first.
fn axes(count: usize, order: Order) -> impl Iterator<Item = usize> {
    (0..count).map(move |k| match order {
        Order::C => count - 1 - k,
        Order::Fortran => k,
    })
}

fn strides(extents: &[usize], order: Order) -> Vec<usize> {
    let shape = Shape(extents.iter().map(|&extent| extent as u64).collect());
    shape.strides(order).into_iter().map(|stride| usize::try_from(stride).unwrap_or(usize::MAX)).collect()
}

fn place(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(index, stride)| index * stride).sum()
}

/// Moves on to the next index; false after the last one, when it is the first
/// again.
fn advance(index: &mut [usize], extents: &[usize], order: Order) -> bool {
    for axis in axes(index.len(), order) {
        index[axis] += 1;
        if index[axis] < extents[axis] {
            return true;
        }
        index[axis] = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_in_its_place() {
        for shape in [&[1u64, 1][..], &[7, 5], &[1, 9], &[64, 33], &[3, 4, 5], &[2, 1, 3, 4, 5], &[5, 2, 1]] {
            let n: u64 = shape.iter().product();
            let values: Vec<i32> = (0..i32::try_from(n).unwrap()).collect();
            let c = Array::from_vec("c", shape, values.clone());
            for tile_elements in [1, 2, 3, 10, 64, 1 << 20] {
                let turned = c.turned::<i32>(Order::Fortran, tile_elements).unwrap();
                assert!(turned.is_spooled() && turned.order() == Order::Fortran);
                let mut read = vec![0f64; values.len()];
                turned.read(Order::C, 0, &mut read);
                assert!(read.iter().zip(&values).all(|(&got, &want)| got == f64::from(want)), "{shape:?}");
                let back = turned.turned::<i32>(Order::C, tile_elements).unwrap();
                assert_eq!(back.as_slice::<i32>(Order::C), Some(&values[..]), "{shape:?}, {tile_elements}");
            }
        }
    }

    #[test]
    fn tiles_are_long_both_ways_and_no_larger_than_asked() {
        let (c, f) = (Order::C, Order::Fortran);
        assert_eq!(tile(&[5000, 5000], f, c, 1 << 20), [1024, 1024]);
        // A short axis is taken whole, with more of the next.
        let deep = tile(&[3, 5000, 5000], f, c, 3 << 20);
        assert!(deep[0] == 3 && deep[1] > 100 && deep[2] > 100, "{deep:?}");
        assert!(deep.iter().product::<usize>() <= 3 << 20, "{deep:?}");
        assert_eq!(tile(&[10, 10], f, c, 1 << 20), [10, 10]);
        assert_eq!(tile(&[1000, 1000], c, f, 1), [1, 1]);
    }
}
