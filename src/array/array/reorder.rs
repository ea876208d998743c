//! Arrays stored in another order than a pass goes through them, and too large
//! to be in memory: every pass would touch all of the file for a few elements of
//! each page. They are written to a temporary file in the order of the pass,
//! once, tile by tile.

use super::{Array, Layout};
use crate::array::spool::Spool;
use crate::array::{DataError, Element, MemoryPlan, Order};
use crate::with_element;

/// Bytes that the system may map around one that is read.
const TOUCHED_BYTES: usize = 64 << 10;

/// Bytes of the file that may be mapped before they are released.
const MOST_TOUCHED_BYTES: usize = 8 << 20;

impl Array {
    /// Has an array that is streamed stored in the order of the passes over it.
    pub(crate) fn stream_in(&mut self, order: Order, memory: MemoryPlan) -> Result<(), DataError> {
        if !self.is_streamed() || self.is_stored_in(order) {
            return Ok(());
        }
        let tile_elements = usize::try_from(memory.tile_bytes()).unwrap_or(usize::MAX) / self.element.size();
        let turned = with_element!(self.element, E => self.turned::<E>(order, tile_elements)?);
        self.check_intact()?;
        (self.storage, self.strides, self.offset) = (turned.storage, turned.strides, 0);
        Ok(())
    }

    /// The same elements, as they are stored but for their order.
    fn turned<E: Element>(&self, to: Order, tile_elements: usize) -> Result<Self, DataError> {
        let path = self.storage.path().unwrap_or(std::path::Path::new(&self.label));
        let stored = self.storage.bytes();
        let extents: Vec<usize> =
            self.shape.0.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
        let (to_axes, from_axes) = (to.axes(extents.len()).collect::<Vec<_>>(), self.stored_axes());
        let strides_to = strides(&extents, &to_axes);
        let most = tile(&extents, &from_axes, &to_axes, tile_elements);
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

            // As they lie in the file, to their places in the tile.
            let places = strides(&extent, &to_axes);
            let fastest = from_axes.first().copied().unwrap_or(0);
            let (mut columns, mut index) = (extent.clone(), vec![0; extent.len()]);
            columns[fastest] = 1;
            let step = self.step_bytes(fastest);
            loop {
                let mut at =
                    self.first_byte(&start).wrapping_add(self.first_byte(&index)).wrapping_sub(self.offset);
                let slots = elements[place(&index, &places)..].iter_mut().step_by(places[fastest]);
                for slot in slots.take(extent[fastest]) {
                    *slot = bytemuck::pod_read_unaligned(&stored[at..at + size_of::<E>()]);
                    at = at.wrapping_add(step);
                }
                touched += extent[fastest] * size_of::<E>() + TOUCHED_BYTES;
                if touched > MOST_TOUCHED_BYTES {
                    self.evict(to, 0..self.elements);
                    touched = 0;
                }
                if !advance(&mut index, &columns, &from_axes) {
                    break;
                }
            }

            // As they lie in the tile, as many at a time as are neighbours.
            let (mut rows, mut run) = (extent.clone(), 1);
            for &axis in &to_axes {
                run *= extent[axis];
                rows[axis] = 1;
                if extent[axis] < extents[axis] {
                    break;
                }
            }
            index.fill(0);
            for elements in elements.chunks_exact(run) {
                spool.put(place(&start, &strides_to) + place(&index, &strides_to), elements)?;
                advance(&mut index, &rows, &to_axes);
            }
            if !advance(&mut number, &tiles, &to_axes) {
                break;
            }
        }
        self.evict(to, 0..self.elements);
        let layout = Layout::contiguous(self.shape.clone(), self.element, to);
        spool.finish_as(Layout { swapped: self.swapped, ..layout })
    }

    /// The axes, the one whose neighbours are nearest in memory first.
    fn stored_axes(&self) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..self.strides.len()).collect();
        axes.sort_by_key(|&axis| (self.shape.0[axis] == 1, self.strides[axis].unsigned_abs()));
        axes
    }
}

/// The extents of a tile of so many elements at most. It has about as many that
/// are neighbours in one order of the axes as in the other.
fn tile(extents: &[usize], from: &[usize], to: &[usize], elements: usize) -> Vec<usize> {
    let mut tile = vec![1usize; extents.len()];
    let run = |tile: &[usize], axes: &[usize]| {
        let mut run = 1usize;
        for &axis in axes {
            run *= tile[axis];
            if tile[axis] < extents[axis] {
                break;
            }
        }
        run
    };
    loop {
        let axes = if run(&tile, from) <= run(&tile, to) { from } else { to };
        let Some(&axis) = axes.iter().find(|&&axis| tile[axis] < extents[axis]) else { break };
        let others: usize = tile.iter().enumerate().filter(|(k, _)| *k != axis).map(|(_, n)| n).product();
        let longer = (2 * tile[axis]).min(extents[axis]).min(elements / others);
        if longer <= tile[axis] {
            break;
        }
        tile[axis] = longer;
    }
    tile
}

/// The elements between neighbours along each axis, of which those along the
/// first of `axes` follow one another.
fn strides(extents: &[usize], axes: &[usize]) -> Vec<usize> {
    let (mut strides, mut step) = (vec![1; extents.len()], 1);
    for &axis in axes {
        strides[axis] = step;
        step *= extents[axis];
    }
    strides
}

fn place(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(index, stride)| index * stride).sum()
}

/// Moves on to the next index; false after the last one, when it is the first
/// again.
fn advance(index: &mut [usize], extents: &[usize], axes: &[usize]) -> bool {
    for &axis in axes {
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
                assert!(turned.is_spooled() && turned.is_stored_in(Order::Fortran));
                let mut read = vec![0f64; values.len()];
                turned.read(Order::C, 0, &mut read);
                assert!(read.iter().zip(&values).all(|(&got, &want)| got == f64::from(want)), "{shape:?}");
                let back = turned.turned::<i32>(Order::C, tile_elements).unwrap();
                assert_eq!(back.as_slice::<i32>(Order::C), Some(&values[..]), "{shape:?}, {tile_elements}");
            }
        }
    }

    /// Axes in an order that is neither C nor Fortran, one of them backwards.
    #[test]
    fn every_element_of_a_view_is_in_its_place() {
        let x = Array::from_vec("x", &[4, 5, 3], (0..60).collect::<Vec<i32>>());
        let view = x.index_outer(2).unwrap().transposed().reversed(0).unwrap();
        // Of [30 + 3·i + k]: by hand, for k = 2, 1, 0.
        let want: Vec<i32> = (0..3).rev().flat_map(|k| (0..5).map(move |i| 30 + 3 * i + k)).collect();
        for (order, tile_elements) in [(Order::C, 1), (Order::Fortran, 4), (Order::C, 100)] {
            let turned = view.turned::<i32>(order, tile_elements).unwrap();
            assert!(turned.is_stored_in(order));
            let mut read = vec![0i32; 15];
            turned.copy(Order::C, 0, &mut read);
            assert_eq!(read, want, "{order:?}");
        }
    }

    #[test]
    fn tiles_are_long_both_ways_and_no_larger_than_asked() {
        let axes = |extents: &[usize], order: Order| order.axes(extents.len()).collect::<Vec<_>>();
        let (c, f) = (Order::C, Order::Fortran);
        let tile = |extents: &[usize], from, to, elements| {
            tile(extents, &axes(extents, from), &axes(extents, to), elements)
        };
        assert_eq!(tile(&[5000, 5000], f, c, 1 << 20), [1024, 1024]);
        // A short axis is taken whole, with more of the next.
        let deep = tile(&[3, 5000, 5000], f, c, 3 << 20);
        assert!(deep[0] == 3 && deep[1] > 100 && deep[2] > 100, "{deep:?}");
        assert!(deep.iter().product::<usize>() <= 3 << 20, "{deep:?}");
        assert_eq!(tile(&[10, 10], f, c, 1 << 20), [10, 10]);
        assert_eq!(tile(&[1000, 1000], c, f, 1), [1, 1]);
    }
}
