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

    /// The element distance between neighbours along each dimension.
    pub(crate) fn strides(&self, order: Order) -> Vec<u64> {
        let mut strides = vec![1; self.0.len()];
        let mut step = 1;
        let mut set = |axis: usize| {
            strides[axis] = step;
            step *= self.0[axis];
        };
        match order {
            Order::C => (0..self.0.len()).rev().for_each(&mut set),
            Order::Fortran => (0..self.0.len()).for_each(&mut set),
        }
        strides
    }

    /// The index along each dimension of the element visited as number
    /// `position` in `order`.
    pub(crate) fn index_of(&self, mut position: u64, order: Order) -> Vec<u64> {
        let mut index = vec![0; self.0.len()];
        let mut set = |axis: usize| {
            index[axis] = position % self.0[axis];
            position /= self.0[axis];
        };
        match order {
            Order::C => (0..self.0.len()).rev().for_each(&mut set),
            Order::Fortran => (0..self.0.len()).for_each(&mut set),
        }
        index
    }

    /// The number, row by row, of the element visited as number `position` in
    /// `order`.
    pub(crate) fn row_major(&self, position: usize, order: Order) -> usize {
        let index = self.index_of(position as u64, order);
        let number: u64 =
            index.iter().zip(self.strides(Order::C)).map(|(index, stride)| index * stride).sum();
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// Whether C and Fortran order visit the elements alike: at most one
    /// dimension is longer than 1.
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

/// Which dimension is contiguous in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The last (row-major).
    C,
    /// The first (column-major).
    Fortran,
}
