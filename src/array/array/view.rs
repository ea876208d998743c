use std::ops::Range;

use super::Array;
use crate::array::Shape;

/// Views: arrays over the same elements, of another shape or order.
impl Array {
    /// The array with its dimensions in reverse.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut view = self.clone();
        view.shape.0.reverse();
        view.strides.reverse();
        view
    }

    /// The array backwards along a dimension. `None` if there is no such
    /// dimension.
    #[must_use]
    pub fn reversed(&self, axis: usize) -> Option<Self> {
        let last = usize::try_from(self.shape.0.get(axis)?.saturating_sub(1)).ok()?;
        let mut view = self.moved(axis, last)?;
        view.strides[axis] = self.strides[axis].checked_neg()?;
        Some(view)
    }

    /// Every `step`-th of the indices `range` of a dimension. `None` if there is
    /// no such dimension, the range is not within it, or `step` is 0.
    #[must_use]
    pub fn slice(&self, axis: usize, range: Range<usize>, step: usize) -> Option<Self> {
        let extent = *self.shape.0.get(axis)?;
        if range.start > range.end || range.end as u64 > extent || step == 0 {
            return None;
        }
        let mut view = self.moved(axis, if range.is_empty() { 0 } else { range.start })?;
        view.shape.0[axis] = range.len().div_ceil(step) as u64;
        view.strides[axis] = self.strides[axis].checked_mul(isize::try_from(step).ok()?)?;
        view.elements = usize::try_from(view.shape.elements()?).ok()?;
        Some(view)
    }

    /// The part of index `k` along the first dimension, without that dimension.
    /// `None` if there is no such part.
    #[must_use]
    pub fn index_outer(&self, k: usize) -> Option<Self> {
        let mut view = self.slice(0, k..k.checked_add(1)?, 1)?;
        view.shape.0.remove(0);
        view.strides.remove(0);
        Some(view)
    }

    /// The array repeated to a larger shape, as NumPy broadcasts it: dimensions
    /// are added in front, and those of extent 1 are repeated. `None` if the
    /// shapes do not agree, or no memory holds so many elements.
    #[must_use]
    pub fn broadcast_to(&self, shape: &Shape) -> Option<Self> {
        let added = shape.0.len().checked_sub(self.shape.0.len())?;
        let mut strides = vec![0; added];
        for ((&extent, &stride), &target) in self.shape.0.iter().zip(&self.strides).zip(&shape.0[added..]) {
            strides.push(match extent {
                _ if extent == target => stride,
                1 => 0,
                _ => return None,
            });
        }
        let elements = usize::try_from(shape.elements()?).ok()?;
        elements.checked_mul(self.element.size())?;
        Some(Self { shape: shape.clone(), strides, elements, ..self.clone() })
    }

    /// The same elements in another shape, if axes of one index are all that is added or
    /// taken away.
    pub(crate) fn reshaped(&self, shape: &Shape) -> Option<Self> {
        let is_long = |&&(extent, _): &&(u64, isize)| extent != 1;
        let own: Vec<(u64, isize)> = self.shape.0.iter().copied().zip(self.strides.iter().copied()).collect();
        let mut long = own.iter().filter(is_long);
        let mut strides = Vec::with_capacity(shape.0.len());
        for &extent in &shape.0 {
            strides.push(match extent {
                1 => 0,
                _ => long.next().filter(|(own, _)| *own == extent)?.1,
            });
        }
        long.next().is_none().then(|| Self { shape: shape.clone(), strides, ..self.clone() })
    }

    /// Gives the array another shape that differs from its own only by axes of one index,
    /// if it does.
    pub(crate) fn squeeze_to(&mut self, shape: &Shape) {
        if self.shape != *shape
            && let Some(view) = self.reshaped(shape)
        {
            *self = view;
        }
    }

    /// Whether elements are repeated along an axis.
    pub(crate) fn is_repeated(&self) -> bool {
        self.shape.0.iter().zip(&self.strides).any(|(&extent, &stride)| extent > 1 && stride == 0)
    }

    /// The array that begins so many indices later along a dimension.
    fn moved(&self, axis: usize, by: usize) -> Option<Self> {
        let bytes =
            self.strides[axis].checked_mul(isize::try_from(by.checked_mul(self.element.size())?).ok()?)?;
        let offset = if self.elements == 0 { self.offset } else { self.offset.checked_add_signed(bytes)? };
        Some(Self { offset, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Order, Problem};

    /// [[0, 1, 2], [10, 11, 12]].
    fn two_by_three() -> Array {
        Array::from_vec("x", &[2, 3], vec![0i32, 1, 2, 10, 11, 12])
    }

    fn rows(array: &Array) -> Vec<f64> {
        let mut values = vec![f64::NAN; array.len()];
        array.read(Order::C, 0, &mut values);
        // From the middle on, and column by column, they are the same elements.
        let middle = array.len() / 2;
        let mut part = vec![f64::NAN; array.len() - middle];
        array.read(Order::C, middle, &mut part);
        assert_eq!(part, values[middle..]);
        let mut columns = vec![f64::NAN; array.len()];
        array.read(Order::Fortran, 0, &mut columns);
        let at = |k| array.shape().row_major(k, Order::Fortran);
        assert!((0..array.len()).all(|k| columns[k] == values[at(k)]));
        values
    }

    #[test]
    fn elements_are_where_they_are_by_hand() {
        let x = two_by_three();
        let turned = x.transposed();
        assert_eq!(
            (turned.shape().0.as_slice(), rows(&turned)),
            (&[3, 2][..], vec![0., 10., 1., 11., 2., 12.])
        );
        assert_eq!(rows(&x.reversed(1).unwrap()), [2., 1., 0., 12., 11., 10.]);
        assert_eq!(rows(&x.reversed(0).unwrap()), [10., 11., 12., 0., 1., 2.]);
        let back = x.reversed(0).and_then(|x| x.reversed(1)).unwrap();
        assert_eq!(rows(&back), [12., 11., 10., 2., 1., 0.]);
        assert_eq!(rows(&back.transposed()), [12., 2., 11., 1., 10., 0.]);
        let ends = x.slice(1, 0..3, 2).unwrap();
        assert_eq!((ends.shape().0.as_slice(), rows(&ends)), (&[2, 2][..], vec![0., 2., 10., 12.]));
        assert_eq!(rows(&ends.reversed(1).unwrap()), [2., 0., 12., 10.]);
        let row = x.index_outer(1).unwrap();
        assert_eq!((row.shape().0.as_slice(), rows(&row)), (&[3][..], vec![10., 11., 12.]));
        assert_eq!(rows(&turned.index_outer(2).unwrap()), [2., 12.]);
        assert_eq!(rows(&x.slice(0, 2..2, 1).unwrap()), [0f64; 0]);
    }

    #[test]
    fn one_element_is_many_when_broadcast() {
        let row = Array::from_vec("x", &[3], vec![1u8, 2, 3]);
        let repeated = row.broadcast_to(&Shape(vec![2, 3])).unwrap();
        assert_eq!(rows(&repeated), [1., 2., 3., 1., 2., 3.]);
        let column = Array::from_vec("x", &[2, 1], vec![1u8, 2]).broadcast_to(&Shape(vec![2, 3])).unwrap();
        assert_eq!(rows(&column), [1., 1., 1., 2., 2., 2.]);
        assert!(row.broadcast_to(&Shape(vec![3, 2])).is_none());
        assert!(row.broadcast_to(&Shape(vec![])).is_none());
    }

    #[test]
    fn views_that_are_not_there_are_none() {
        let x = two_by_three();
        assert!(x.reversed(2).is_none() && x.index_outer(2).is_none());
        assert!(
            x.slice(1, 1..4, 1).is_none() && x.slice(1, 0..3, 0).is_none() && x.slice(2, 0..1, 1).is_none()
        );
        assert!(Array::from_vec("x", &[], vec![1f32]).index_outer(0).is_none());
    }

    #[test]
    fn only_neighbours_without_gaps_are_a_slice() {
        let x = two_by_three();
        let turned = x.transposed();
        assert_eq!(
            (turned.order(), turned.as_slice::<i32>(Order::Fortran)),
            (Order::Fortran, x.as_slice(Order::C))
        );
        assert!(turned.as_slice::<i32>(Order::C).is_none());
        assert_eq!(x.index_outer(1).unwrap().as_slice::<i32>(Order::Fortran), Some(&[10, 11, 12][..]));
        for gaps in [x.reversed(1), x.reversed(0), x.slice(1, 0..2, 1), turned.index_outer(0)] {
            let gaps = gaps.unwrap();
            assert!([Order::C, Order::Fortran].iter().all(|&order| gaps.as_slice::<i32>(order).is_none()));
        }
    }

    /// A clone and a view share what is stored.
    #[test]
    fn no_element_is_copied() {
        let x = two_by_three();
        let at = |array: &Array, order| array.as_slice::<i32>(order).map(<[i32]>::as_ptr);
        assert_eq!(at(&x.clone(), Order::C), at(&x, Order::C));
        assert_eq!(at(&x.transposed(), Order::Fortran), at(&x, Order::C));
    }

    #[test]
    fn a_problem_of_views_pairs_elements_by_their_index() {
        let x = two_by_three();
        let t = Array::from_vec("t", &[3, 2], vec![0i32, 10, 1, 11, 2, 12]);
        let data = Problem::pair(x.reversed(0).unwrap(), t.transposed().reversed(0).unwrap()).unwrap();
        let (mut xs, mut ts) = ([0f64; 6], [1f64; 6]);
        data.x().read(data.order(), 0, &mut xs);
        data.t().unwrap().read(data.order(), 0, &mut ts);
        assert_eq!(xs, ts);
        assert_eq!(xs[0], 10.0);
    }
}
