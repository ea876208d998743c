use std::sync::Arc;

use super::bitmap::Bitmap;
use super::nodata::{Comparison, Nodata};
use super::{Array, Order};

/// The missing elements of an array: those that equal its nodata value, and
/// those that are null.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Missing {
    /// The nodata value, if there is one.
    pub nodata: Option<Nodata>,
    /// The rule by which elements equal the nodata value.
    pub comparison: Comparison,
    /// The elements that are not null, numbered row by row; `None` if none is
    /// null.
    pub valid: Option<Arc<Bitmap>>,
}

/// An array and its missing elements, from which a
/// [`Problem`](super::Problem) is made.
#[derive(Debug, Clone)]
pub struct MaskedArray {
    /// The elements, of which the missing ones have any value.
    pub array: Array,
    /// The missing elements.
    pub missing: Missing,
}

impl MaskedArray {
    /// Whether element number `k` in `order` is null.
    pub(crate) fn is_null_in(&self, order: Order, k: usize) -> bool {
        self.missing.valid.as_ref().is_some_and(|valid| {
            !valid.contains(match order {
                Order::C => k,
                Order::Fortran => self.array.shape().row_major(k, order),
            })
        })
    }
}

/// An array without missing elements.
impl From<Array> for MaskedArray {
    fn from(array: Array) -> Self {
        Self { array, missing: Missing::default() }
    }
}
