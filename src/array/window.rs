use super::{GroupsError, Shape};

/// A neighbourhood of an element: so many rows and columns, both odd, with the element
/// in the middle. At the ends of an image it is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    rows: usize,
    columns: usize,
}

impl Window {
    /// A window of odd numbers of rows and columns.
    ///
    /// # Errors
    /// [`GroupsError::EvenWindow`].
    pub fn new(rows: usize, columns: usize) -> Result<Self, GroupsError> {
        if rows.is_multiple_of(2) || columns.is_multiple_of(2) {
            return Err(GroupsError::EvenWindow { rows, columns });
        }
        Ok(Self { rows, columns })
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The rows and columns of the images of a shape, its last two axes.
    ///
    /// # Errors
    /// [`GroupsError::NoRows`]; [`GroupsError::LargeWindow`].
    pub fn within(&self, shape: &Shape) -> Result<[usize; 2], GroupsError> {
        let [.., height, width] = shape.0[..] else {
            return Err(GroupsError::NoRows { shape: shape.clone() });
        };
        let extent = [height, width].map(|extent| usize::try_from(extent).unwrap_or(usize::MAX));
        if self.rows > extent[0] || self.columns > extent[1] {
            return Err(GroupsError::LargeWindow {
                rows: self.rows,
                columns: self.columns,
                shape: shape.clone(),
            });
        }
        Ok(extent)
    }
}
