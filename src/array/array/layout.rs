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
) -> Option<Range<i64>> {
    let size = i64::try_from(element.size()).ok()?;
    let (mut start, mut end) = (i64::try_from(offset).ok()?, i64::try_from(offset).ok()?.checked_add(size)?);
    if strides.len() != shape.0.len() {
        return None;
    }
    for (&extent, &stride) in shape.0.iter().zip(strides) {
        let steps = i64::try_from(extent.saturating_sub(1)).ok()?;
        let bytes = steps.checked_mul(i64::try_from(stride).ok()?)?.checked_mul(size)?;
        if bytes < 0 {
            start = start.checked_add(bytes)?;
        } else {
            end = end.checked_add(bytes)?;
        }
    }
    Some(start..end)
}
