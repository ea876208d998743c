use std::ops::Range;

use crate::array::{ElementType, Order, Shape};

/// The layout of an array's elements in a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The extent of each dimension.
    pub shape: Shape,
    /// The type of the elements.
    pub element: ElementType,
    /// The elements between neighbours along each dimension, as many numbers as
    /// the shape has: negative ones for a dimension that is stored backwards, 0
    /// for one along which all elements are the same.
    pub strides: Vec<isize>,
    /// Whether elements have the other byte order than this machine.
    pub swapped: bool,
    /// The bytes before the element of index (0, 0, …).
    pub offset: usize,
}

impl Layout {
    /// Elements in `order`, from the first byte on, without gaps, in this
    /// machine's byte order.
    #[must_use]
    pub fn contiguous(shape: Shape, element: ElementType, order: Order) -> Self {
        Self { strides: shape.strides(order), shape, element, swapped: false, offset: 0 }
    }
}

/// The bytes from the first to the last of the elements of an array that has
/// some. `None` if no memory has such places.
pub(super) fn extent(
    shape: &Shape,
    strides: &[isize],
    element: ElementType,
    offset: usize,
) -> Option<Range<i128>> {
    let size = i128::try_from(element.size()).ok()?;
    let offset = i128::try_from(offset).ok()?;
    let (mut start, mut end) = (offset, offset + size);
    if strides.len() != shape.0.len() {
        return None;
    }
    for (&extent, &stride) in shape.0.iter().zip(strides) {
        let steps = i128::from(extent.saturating_sub(1));
        let bytes = steps.checked_mul(i128::try_from(stride).ok()?)?.checked_mul(size)?;
        if bytes < 0 {
            start = start.checked_add(bytes)?;
        } else {
            end = end.checked_add(bytes)?;
        }
    }
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::array::{Array, DataError, Storage};

    /// The bytes 0 to 9 of another library.
    struct Buffer([u8; 10]);

    impl Storage for Buffer {
        fn bytes(&self) -> &[u8] {
            &self.0
        }
    }

    fn array(shape: &[u64], strides: &[isize], offset: usize) -> Result<Array, DataError> {
        let (shape, strides) = (Shape(shape.to_vec()), strides.to_vec());
        let layout = Layout { shape, element: ElementType::U8, strides, swapped: false, offset };
        Array::new("buffer".to_owned(), Arc::new(Buffer([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])), layout)
    }

    fn values(array: &Array) -> Vec<u8> {
        let mut values = vec![0; array.len()];
        array.copy(Order::C, 0, &mut values);
        values
    }

    #[test]
    fn elements_of_a_foreign_buffer_are_where_the_strides_say() {
        let of = |shape: &[u64], strides: &[isize], offset| values(&array(shape, strides, offset).unwrap());
        assert_eq!(of(&[2, 3], &[5, 2], 0), [0, 2, 4, 5, 7, 9]);
        assert_eq!(of(&[2, 3], &[-5, 2], 5), [5, 7, 9, 0, 2, 4]);
        assert_eq!(of(&[10], &[-1], 9), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(of(&[2, 2], &[0, 1], 8), [8, 9, 8, 9]);
        assert_eq!(of(&[1, 1], &[1000, -1000], 3), [3]);
        assert_eq!(of(&[0, 3], &[1000, 1000], 3), [0u8; 0]);
        assert_eq!(of(&[], &[], 9), [9]);
    }

    #[test]
    fn elements_beyond_the_buffer_are_an_error() {
        for (shape, strides, offset) in [
            (&[2u64, 3][..], &[5isize, 3][..], 0),
            (&[2], &[-1], 0),
            (&[11], &[1], 0),
            (&[1], &[1], 10),
            (&[3], &[isize::MAX], 0),
            (&[0], &[1], 11),
        ] {
            let error = array(shape, strides, offset).unwrap_err();
            assert!(matches!(error, DataError::Truncated { .. }), "{shape:?} {strides:?}: {error}");
        }
        for (shape, strides) in [(&[2, 2][..], &[1][..]), (&[0, 3], &[])] {
            assert!(matches!(array(shape, strides, 0), Err(DataError::AbsurdShape { .. })), "{shape:?}");
        }
        let one = Array::from_vec("x", &[1], vec![1.0]);
        assert!(one.broadcast_to(&Shape(vec![1 << 40])).is_some());
        assert!(one.broadcast_to(&Shape(vec![1 << 62])).is_none());
    }
}
