use std::fmt;

/// The extent of each dimension, outermost first; empty for a single number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape(pub Vec<u64>);

impl Shape {
    /// The number of elements, or `None` beyond `u64`.
    #[must_use]
    pub fn elements(&self) -> Option<u64> {
        // A zero extent makes the product 0 however large the others are.
        if self.0.contains(&0) {
            return Some(0);
        }
        self.0.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent))
    }

    /// The elements between neighbours along each dimension, for an array without
    /// gaps. They mean nothing for a shape that no memory holds.
    pub(crate) fn strides(&self, order: Order) -> Vec<isize> {
        let mut strides = vec![1; self.0.len()];
        let mut step = 1isize;
        for axis in order.axes(self.0.len()) {
            strides[axis] = step;
            step = step.wrapping_mul(isize::try_from(self.0[axis]).unwrap_or(isize::MAX));
        }
        strides
    }

    /// The index along each dimension of element number `position` in
    /// `order`.
    pub(crate) fn index_of(&self, mut position: u64, order: Order) -> Vec<u64> {
        let mut index = vec![0; self.0.len()];
        for axis in order.axes(self.0.len()) {
            index[axis] = position % self.0[axis];
            position /= self.0[axis];
        }
        index
    }

    /// The number, row by row, of element number `position` in `order`.
    pub(crate) fn row_major(&self, position: usize, order: Order) -> usize {
        let index = self.index_of(position as u64, order);
        let number = index.iter().zip(&self.0).fold(0, |number, (index, extent)| number * extent + index);
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// Whether the other shape differs from this one by no more than axes of one index.
    #[must_use]
    pub fn is_squeezed(&self, other: &Self) -> bool {
        let long = |shape: &Self| shape.0.iter().copied().filter(|&extent| extent != 1).collect::<Vec<_>>();
        long(self) == long(other)
    }

    /// Whether C and Fortran order are the same: at most one dimension is longer
    /// than 1.
    pub(crate) fn is_linear(&self) -> bool {
        self.0.iter().filter(|&&extent| extent > 1).count() <= 1
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a single number");
        }
        let extents: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&extents.join("×"))
    }
}

/// The order of elements in memory, or of a pass over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The last dimension is contiguous (row-major).
    C,
    /// The first dimension is contiguous (column-major).
    Fortran,
}

impl Order {
    /// The numbers of so many axes, that of neighbouring elements first.
    pub(crate) fn axes(self, count: usize) -> impl Iterator<Item = usize> {
        (0..count).map(move |k| match self {
            Self::C => count - 1 - k,
            Self::Fortran => k,
        })
    }
}
