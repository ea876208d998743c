//! The elements that conditions select.

use std::sync::Arc;

use super::{Array, Bitmap, DataError, Order, Shape};

/// Elements for which conditions hold.
#[derive(Debug, Clone)]
pub struct Selection {
    label: String,
    shape: Shape,
    /// Numbered row by row.
    rows: Arc<Bitmap>,
}

impl Selection {
    /// The elements of a column whose bits are set, 32 to a word.
    pub(crate) fn new(column: &Array, words: Vec<u32>) -> Self {
        let rows = Arc::new(Bitmap::from_words(words, column.len()));
        Self { label: column.label().to_owned(), shape: column.shape().clone(), rows }
    }

    /// The name of the column.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The shape of the column.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Whether element number `k` in `order` is selected.
    #[must_use]
    pub fn contains(&self, order: Order, k: usize) -> bool {
        self.rows.contains(match order {
            Order::C => k,
            Order::Fortran => self.shape.row_major(k, order),
        })
    }

    /// The elements that both select.
    ///
    /// # Errors
    /// [`DataError::OtherShape`].
    pub fn and(&self, other: &Self) -> Result<Self, DataError> {
        if self.shape != other.shape {
            return Err(DataError::OtherShape {
                label: other.label.clone(),
                what: "condition's column",
                shape: other.shape.clone(),
                x_shape: self.shape.clone(),
            });
        }
        let all = 0..usize::try_from(self.shape.elements().unwrap_or(0)).unwrap_or(0);
        let words = self.rows.words(&all).iter().zip(other.rows.words(&all)).map(|(a, b)| a & b).collect();
        Ok(Self { rows: Arc::new(Bitmap::from_words(words, all.end)), ..self.clone() })
    }

    /// The same elements in a shape that differs from theirs only by axes of one index.
    pub(crate) fn squeezed_to(mut self, shape: &Shape) -> Self {
        if self.shape.is_squeezed(shape) {
            self.shape = shape.clone();
        }
        self
    }
}
