//! Elements in other units: s·x + o for each.

use std::path::Path;

use rayon::prelude::*;

use super::scan::column::Column;
use super::spool::Spool;
use super::{Array, Bitmap, DataError, MaskedArray, Order};

/// Elements that a thread converts at a time.
const RUN_ELEMENTS: usize = 1 << 16;

/// A scale and an offset: the value of an element x is scale·x + offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// The scale.
    pub scale: f64,
    /// The offset.
    pub offset: f64,
}

impl Scaling {
    /// The one that changes nothing.
    pub const NONE: Self = Self { scale: 1.0, offset: 0.0 };

    /// The value of an element.
    #[must_use]
    pub fn value(self, element: f64) -> f64 {
        element * self.scale + self.offset
    }
}

impl MaskedArray {
    /// The values of the elements, as f64, and which of them are not missing: neither null
    /// nor, before they are scaled, the nodata value, which is the one given or else the
    /// array's own. Each part along the first axis has the next of the scalings; a single
    /// one is that of all. They are in a temporary file where they take more than
    /// `memory_bytes`.
    ///
    /// # Errors
    /// [`DataError::UnclearNodata`]; those of a temporary file.
    pub(crate) fn scaled(
        &self,
        scalings: &[Scaling],
        nodata: Option<f64>,
        memory_bytes: u64,
    ) -> Result<(Array, Bitmap), DataError> {
        /// Runs that are converted before they are put after each other.
        const RUNS: usize = 64;
        let array = &self.array;
        let column = Column::new(self, nodata)?;
        let of_part = (array.len() / scalings.len().max(1)).max(1);
        let run = |start: usize| {
            let range = start..array.len().min(start + RUN_ELEMENTS);
            let (mut values, mut verdicts) = (Vec::new(), vec![0u8; range.len()]);
            column.read(Order::C, &range, &mut values);
            column.mark_missing(Order::C, start, &values, &mut verdicts, 1);
            for ((k, value), missing) in range.zip(&mut values).zip(&verdicts) {
                let scaling = scalings.get(k / of_part).copied().unwrap_or(Scaling::NONE);
                *value = if *missing == 0 { scaling.value(*value) } else { 0.0 };
            }
            (values, verdicts)
        };
        let mut spool = Spool::<f64>::new(Path::new(array.label()), memory_bytes);
        let mut valid = Bitmap::default();
        let starts: Vec<usize> = (0..array.len()).step_by(RUN_ELEMENTS).collect();
        for starts in starts.chunks(RUNS) {
            let runs: Vec<_> = starts.par_iter().map(|&start| run(start)).collect();
            for (start, (values, verdicts)) in starts.iter().zip(runs) {
                spool.append(&values)?;
                let missing = verdicts.iter().enumerate().filter(|(_, missing)| **missing != 0);
                missing.for_each(|(k, _)| valid.exclude(start + k));
            }
        }
        array.check_intact()?;
        Ok((spool.finish(array.shape().clone())?, valid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Missing, Nodata};

    #[test]
    fn parts_have_scalings_of_their_own_and_missing_elements_none() {
        let array = Array::from_vec("x", &[2, 3], vec![1i16, 2, -1, 4, -1, 6]);
        let missing = Missing { nodata: Some(Nodata::Number(-1.0)), ..Missing::default() };
        let masked = MaskedArray { array, missing };
        let scalings = [Scaling { scale: 0.5, offset: 10.0 }, Scaling { scale: 2.0, offset: 0.0 }];
        for memory_bytes in [0, 1000] {
            let (values, valid) = masked.scaled(&scalings, None, memory_bytes).unwrap();
            assert_eq!(values.as_slice::<f64>(Order::C).unwrap(), [10.5, 11.0, 0.0, 8.0, 0.0, 12.0]);
            assert_eq!(valid.excluded().collect::<Vec<_>>(), [2, 4]);
            assert_eq!(values.label(), "x");
        }
        let (values, valid) = masked.scaled(&scalings[..1], Some(4.0), 1000).unwrap();
        assert_eq!(values.as_slice::<f64>(Order::C).unwrap(), [10.5, 11.0, 9.5, 0.0, 9.5, 13.0]);
        assert_eq!(valid.excluded().collect::<Vec<_>>(), [3]);
    }
}
