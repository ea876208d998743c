use std::ops::Range;

use crate::array::masked::MaskedArray;
use crate::array::nodata::{Marker, Nodata, is_near_f32, is_near_f64};
use crate::array::{Array, DataError, Order, error};

/// An array of a problem and its missing elements, as they are scanned.
#[derive(Clone, Copy)]
pub(in crate::array) struct Column<'a> {
    masked: &'a MaskedArray,
    marker: Option<Marker>,
}

impl<'a> Column<'a> {
    /// The column whose nodata value is the one given or, without one, that of the
    /// file.
    ///
    /// # Errors
    /// [`DataError::UnclearNodata`] if none is given and the file's is unclear.
    pub(in crate::array) fn new(masked: &'a MaskedArray, given: Option<f64>) -> Result<Self, DataError> {
        let (array, missing) = (&masked.array, &masked.missing);
        let of = |value| Marker::of(value, array.element(), missing.comparison);
        let marker = match (given, &missing.nodata) {
            (Some(value), _) => Some(of(value)),
            (None, Some(Nodata::Number(value))) => Some(of(*value)),
            (None, Some(Nodata::Whole(whole))) => Some(Marker::Whole(*whole)),
            (None, None) => None,
            (None, Some(Nodata::Unclear { name, text })) => {
                return Err(DataError::UnclearNodata {
                    label: array.label().to_owned(),
                    attribute: error::excerpt(name),
                    text: error::excerpt(text),
                });
            }
        };
        Ok(Self { masked, marker })
    }

    pub(in crate::array) fn array(&self) -> &'a Array {
        &self.masked.array
    }

    /// Whether elements may be missing.
    pub(in crate::array) fn may_miss(&self) -> bool {
        self.marker.is_some() || self.masked.missing.valid.is_some()
    }

    /// Reads the elements of a range; whole numbers of 64 bits that are the nodata
    /// value as NaN.
    pub(in crate::array) fn read(&self, order: Order, range: &Range<usize>, values: &mut Vec<f64>) {
        values.resize(range.len(), 0.0);
        self.array().read(order, range.start, values);
        if let Some(Marker::Whole(whole)) = self.marker {
            let places = self.array().places_of(whole, order, range.clone());
            places.into_iter().for_each(|k| values[k] = f64::NAN);
        }
        self.array().release(order, range.clone());
    }

    /// Marks the missing ones of `values`, the elements from number `start` on.
    pub(in crate::array) fn mark_missing(
        &self,
        order: Order,
        start: usize,
        values: &[f64],
        verdicts: &mut [u8],
        verdict: u8,
    ) {
        match self.marker {
            None => {}
            Some(Marker::Value(nodata)) => mark(verdicts, values, verdict, |value| value == nodata),
            #[expect(clippy::cast_possible_truncation, reason = "elements of this kind are f32")]
            Some(Marker::NearF32(nodata)) => {
                mark(verdicts, values, verdict, |value| is_near_f32(value as f32, nodata));
            }
            Some(Marker::NearF64(nodata)) => {
                mark(verdicts, values, verdict, |value| is_near_f64(value, nodata));
            }
            Some(Marker::Nan | Marker::Whole(_)) => mark(verdicts, values, verdict, f64::is_nan),
        }
        if self.masked.missing.valid.is_some() {
            for (k, slot) in verdicts.iter_mut().enumerate() {
                if self.masked.is_null_in(order, start + k) {
                    *slot = verdict;
                }
            }
        }
    }
}

/// Marks the elements of which something holds. One such loop for each rule,
/// without branches, is several times as fast as one loop over all rules.
pub(super) fn mark(verdicts: &mut [u8], values: &[f64], verdict: u8, holds: impl Fn(f64) -> bool) {
    for (slot, &value) in verdicts.iter_mut().zip(values) {
        *slot = if holds(value) { verdict } else { *slot };
    }
}
