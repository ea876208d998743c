use std::ops::Range;

use super::Array;
use crate::array::parallel;
use crate::array::{DataError, Element, ElementType, Order, Real};
use crate::math::Double;
use crate::with_element;

/// The elements of a range that are not the same number once in f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounding {
    /// The number of elements that lost digits.
    pub rounded: u64,
    /// The first element that became infinite, by its number in the pass.
    pub overflowed: Option<u64>,
}

impl Array {
    /// Copies the elements number `start`, `start + 1`, … in `order` to `out`.
    /// The range must lie within the array.
    pub fn read<R: Real>(&self, order: Order, start: usize, out: &mut [R]) {
        with_element!(self.element, E => {
            self.for_each::<E>(order, start, out.len(), |k, value| out[k] = R::from_element(value));
        });
    }

    /// Copies the elements number `start`, `start + 1`, … in `order` to `out`, in
    /// their own type, which must be `E`, and this machine's byte order. The
    /// range must lie within the array.
    pub fn copy<E: Element>(&self, order: Order, start: usize, out: &mut [E]) {
        debug_assert_eq!(E::TYPE, self.element);
        self.for_each::<E>(order, start, out.len(), |k, value| out[k] = value);
    }

    /// The places, counted from the first of the elements number `range` in
    /// `order`, of those that are a whole number; none unless the elements are
    /// whole numbers of 64 bits.
    pub(crate) fn places_of(&self, whole: i128, order: Order, range: Range<usize>) -> Vec<usize> {
        let mut places = Vec::new();
        self.for_each_whole(order, range.start, range.len(), |k, value| {
            if value == whole {
                places.push(k);
            }
        });
        places
    }

    /// Copies the elements number `start`, `start + 1`, … in `order` to `out`,
    /// less `shift`, which is subtracted from whole numbers of 64 bits before they
    /// are rounded; the remainders of the rounding go to `rests`, if wanted. For
    /// other elements `shift` must be 0. The range must lie within the array.
    pub fn read_shifted(
        &self,
        order: Order,
        start: usize,
        shift: i128,
        out: &mut [f64],
        mut rests: Option<&mut [f64]>,
    ) {
        if shift == 0 && rests.is_none() {
            return self.read(order, start, out);
        }
        if !self.is_wide_integer() {
            debug_assert_eq!(shift, 0);
            self.read(order, start, out);
            if let Some(rests) = rests {
                rests.fill(0.0);
            }
            return;
        }
        self.for_each_whole(order, start, out.len(), |k, value| {
            let difference = Double::whole(value - shift);
            out[k] = difference.value();
            if let Some(rests) = &mut rests {
                rests[k] = difference.rest();
            }
        });
    }

    /// The element number `k` in `order` as a whole number, if it is one of 64
    /// bits.
    #[must_use]
    pub fn whole_at(&self, order: Order, k: usize) -> Option<i128> {
        let mut whole = None;
        self.for_each_whole(order, k, 1, |_, value| whole = Some(value));
        whole
    }

    /// The elements number `start`, `start + 1`, … in `order`, `count` of them, if
    /// they are whole numbers of 64 bits; else none.
    pub(crate) fn wholes(&self, order: Order, start: usize, count: usize) -> Vec<i128> {
        let mut wholes = Vec::with_capacity(count);
        self.for_each_whole(order, start, count, |_, value| wholes.push(value));
        wholes
    }

    /// The loss when the elements number `range` in `order` are rounded to f32.
    #[must_use]
    pub fn rounding_to_f32(&self, order: Order, range: Range<usize>) -> Rounding {
        with_element!(self.element, E => {
            let mut rounding = Rounding::default();
            if !E::EXACT_IN_F32 {
                self.for_each::<E>(order, range.start, range.len(), |k, value| {
                    if !value.exact_in_f32() {
                        rounding.rounded += 1;
                        if value.to_f32().is_infinite() && rounding.overflowed.is_none() {
                            rounding.overflowed = Some((range.start + k) as u64);
                        }
                    }
                });
            }
            rounding
        })
    }

    /// Fails if any element is NaN or infinite, with the number of such
    /// elements and the position of the first, row by row.
    ///
    /// # Errors
    /// [`DataError::NotFinite`].
    pub fn check_finite(&self) -> Result<(), DataError> {
        if !self.element.is_float() {
            return Ok(());
        }
        let count = with_element!(self.element, E => self.count::<E>(|value| !value.to_f64().is_finite()));
        self.check_intact()?;
        if count == 0 {
            return Ok(());
        }
        let mut first = None;
        with_element!(self.element, E => self.for_each::<E>(Order::C, 0, self.elements, |k, value| {
            if first.is_none() && !value.to_f64().is_finite() {
                first = Some(k as u64);
            }
        }));
        Err(DataError::NotFinite {
            label: self.label.clone(),
            count,
            n: self.elements as u64,
            position: self.position(first.unwrap_or(0), Order::C),
        })
    }

    /// Counts the elements for which `is` holds, on all threads.
    fn count<E: Element>(&self, is: impl Fn(E) -> bool + Sync) -> u64 {
        let (order, run) = (self.order(), self.run_elements());
        let starts: Vec<usize> = (0..self.elements).step_by(run).collect();
        let counts = parallel::map(starts.len(), |k| {
            let start = starts[k];
            let (mut count, end) = (0, self.elements.min(start + run));
            self.for_each::<E>(order, start, end - start, |_, value| count += u64::from(is(value)));
            self.release(order, start..end);
            count
        });
        counts.into_iter().sum()
    }

    fn decode<E: Element>(&self, bytes: &[u8]) -> E {
        let value: E = bytemuck::pod_read_unaligned(bytes);
        if self.swapped { value.swap_bytes() } else { value }
    }

    /// Calls `each` with 0, 1, … and the elements number `start`, `start + 1`, …
    /// in `order`, `count` of them, if they are whole numbers of 64 bits.
    fn for_each_whole(&self, order: Order, start: usize, count: usize, mut each: impl FnMut(usize, i128)) {
        match self.element {
            ElementType::I64 => {
                self.for_each::<i64>(order, start, count, |k, value| each(k, value.into()));
            }
            ElementType::U64 => {
                self.for_each::<u64>(order, start, count, |k, value| each(k, value.into()));
            }
            _ => {}
        }
    }

    /// Calls `each` with 0, 1, … and the elements number `start`, `start + 1`,
    /// … in `order`, `count` of them.
    fn for_each<E: Element>(&self, order: Order, start: usize, count: usize, mut each: impl FnMut(usize, E)) {
        let size = size_of::<E>();
        let Some(bytes) = self.stored(order, start..start + count) else {
            let all = self.storage.bytes();
            self.for_each_place(order, start, count, |k, at| each(k, self.decode(&all[at..at + size])));
            return;
        };
        match bytemuck::try_cast_slice::<u8, E>(bytes) {
            Ok(values) if !self.swapped => values.iter().enumerate().for_each(|(k, &value)| each(k, value)),
            _ => bytes.chunks_exact(size).enumerate().for_each(|(k, bytes)| each(k, self.decode(bytes))),
        }
    }

    /// The first byte of the element of an index. It lies within the storage, as
    /// was checked once for all of them; the sums on the way there may wrap.
    pub(super) fn first_byte(&self, index: &[usize]) -> usize {
        let steps = index.iter().enumerate().map(|(axis, index)| index.wrapping_mul(self.step_bytes(axis)));
        steps.fold(self.offset, usize::wrapping_add)
    }

    /// The bytes between neighbours along an axis, wrapped if they are negative.
    pub(super) fn step_bytes(&self, axis: usize) -> usize {
        self.strides[axis].cast_unsigned().wrapping_mul(self.element.size())
    }

    /// Calls `each` with 0, 1, … and the first byte of the elements number
    /// `start`, `start + 1`, … in `order`, `count` of them, wherever they are.
    fn for_each_place(&self, order: Order, start: usize, count: usize, mut each: impl FnMut(usize, usize)) {
        let axes: Vec<usize> = order.axes(self.strides.len()).collect();
        let whole = |numbers: &[u64]| -> Vec<usize> {
            numbers.iter().map(|&number| usize::try_from(number).unwrap_or(usize::MAX)).collect()
        };
        let (extents, mut index) = (whole(&self.shape.0), whole(&self.shape.index_of(start as u64, order)));
        let steps: Vec<usize> = (0..axes.len()).map(|axis| self.step_bytes(axis)).collect();
        let mut place = self.first_byte(&index);
        let Some((&inner, outer)) = axes.split_first() else {
            return (0..count).for_each(|k| each(k, place));
        };
        let mut k = 0;
        while k < count {
            // As many as are left of this row, at one distance from each other.
            let run = (extents[inner] - index[inner]).min(count - k);
            for place_in_run in 0..run {
                each(k + place_in_run, place.wrapping_add(steps[inner].wrapping_mul(place_in_run)));
            }
            k += run;
            index[inner] += run;
            place = place.wrapping_add(steps[inner].wrapping_mul(run));
            if index[inner] < extents[inner] {
                continue;
            }
            place = place.wrapping_sub(steps[inner].wrapping_mul(extents[inner]));
            index[inner] = 0;
            for &axis in outer {
                index[axis] += 1;
                place = place.wrapping_add(steps[axis]);
                if index[axis] < extents[axis] {
                    break;
                }
                place = place.wrapping_sub(steps[axis].wrapping_mul(extents[axis]));
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Shape;

    fn fortran<E: Element>(shape: &[u64], values: Vec<E>) -> Array {
        let mut array = Array::from_vec("m", shape, values);
        array.strides = Shape(shape.to_vec()).strides(Order::Fortran);
        array
    }

    #[test]
    fn reads_across_the_stored_order() {
        // [[1, 2, 3], [4, 5, 6]] stored column by column.
        let array = fortran(&[2, 3], vec![1f32, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let mut rows = [0f64; 6];
        array.read(Order::C, 0, &mut rows);
        assert_eq!(rows, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mut part = [0f64; 3];
        array.read(Order::C, 2, &mut part);
        assert_eq!(part, [3.0, 4.0, 5.0]);
        assert!(array.as_slice::<f32>(Order::C).is_none());
        assert_eq!(array.as_slice::<f32>(Order::Fortran).map(<[f32]>::len), Some(6));
    }

    #[test]
    fn five_dimensions_across_orders() {
        let shape = [2, 3, 1, 4, 2];
        let values: Vec<f64> = (0..48).map(f64::from).collect();
        let c = Array::from_vec("c", &shape, values.clone());
        // Reading a row-major array in column-major order and laying the
        // result out as column-major must give the same array back.
        let mut columns = vec![0f64; 48];
        c.read(Order::Fortran, 0, &mut columns);
        let mut back = vec![0f64; 48];
        fortran(&shape, columns).read(Order::C, 0, &mut back);
        assert_eq!(back, values);
    }

    #[test]
    fn names_the_first_non_finite_element_row_by_row() {
        // [[1, ∞, 3], [NaN, 2, 6]]: column by column, the NaN comes first.
        let array = fortran(&[2, 3], vec![1f32, f32::NAN, f32::INFINITY, 2.0, 3.0, 6.0]);
        let text = array.check_finite().unwrap_err().to_string();
        assert!(text.contains("2 of 6") && text.contains("(0, 1)"), "{text}");
    }

    #[test]
    fn says_what_f32_cannot_hold() {
        let array = Array::from_vec("m", &[4], vec![0.5, 0.1, 1e300, 2.0]);
        let rounding = array.rounding_to_f32(Order::C, 0..4);
        assert_eq!(rounding, Rounding { rounded: 2, overflowed: Some(2) });
    }
}
