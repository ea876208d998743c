use super::{DataError, Matrix, Order};

/// The data of a fit: X and, unless only predictions are wanted, T of the
/// same shape.
#[derive(Debug)]
pub struct Dataset {
    x: Matrix,
    t: Option<Matrix>,
    order: Order,
}

impl Dataset {
    /// X and the target T. Both must have the same shape, and every element
    /// must be a finite number.
    ///
    /// # Errors
    /// [`DataError::ShapeMismatch`], [`DataError::NotFinite`].
    pub fn pair(x: Matrix, t: Matrix) -> Result<Self, DataError> {
        if x.shape() != t.shape() {
            return Err(DataError::ShapeMismatch {
                x: x.label().to_owned(),
                x_shape: x.shape().clone(),
                t: t.label().to_owned(),
                t_shape: t.shape().clone(),
            });
        }
        x.check_finite()?;
        t.check_finite()?;
        // Sums don't depend on the order, so the stored one is the best; two
        // different ones have to be matched element by element.
        let order = if t.is_stored_in(x.order()) { x.order() } else { Order::C };
        Ok(Self { x, t: Some(t), order })
    }

    /// X alone, to predict from.
    ///
    /// # Errors
    /// [`DataError::NotFinite`].
    pub fn inputs(x: Matrix) -> Result<Self, DataError> {
        x.check_finite()?;
        let order = x.order();
        Ok(Self { x, t: None, order })
    }

    /// The inputs X.
    #[must_use]
    pub fn x(&self) -> &Matrix {
        &self.x
    }

    /// The targets T, if there are any.
    #[must_use]
    pub fn t(&self) -> Option<&Matrix> {
        self.t.as_ref()
    }

    /// The order in which elements are visited, the same for X, T and Y.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// The number of elements of X.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }
}
