//! Scans of the elements of an array, for the frames that they are read in.

use std::ops::Range;

use super::{CHUNK, chunks};
use crate::array::parallel;
use crate::array::{Array, Problem};
use crate::math::exponent_of;

/// The first valid element of a run, of whole numbers of 64 bits.
pub(super) fn first_whole(data: &Problem, array: &Array, run: &Range<usize>) -> Option<i128> {
    array.whole_at(data.order(), data.first_valid(run)?)
}

/// The power of two of a number's size; 0 has none.
pub(super) fn size_of(value: f64) -> Option<i32> {
    (value != 0.0).then(|| exponent_of(value))
}

/// Elements read at a time where they are only looked at.
const SCAN_ELEMENTS: usize = 1 << 14;

/// The number of valid elements of an array that f64 rounds once a shift was
/// taken off them.
pub(super) fn rounded_elements(data: &Problem, array: &Array, shift: i128) -> u64 {
    if !array.is_wide_integer() {
        return 0;
    }
    let all: Vec<_> = chunks(0..data.len(), CHUNK).collect();
    let counts = parallel::map(all.len(), |k| {
        let chunk = all[k].clone();
        let count = rounded(data, array, shift, &chunk);
        array.release(data.order(), chunk);
        count
    });
    counts.into_iter().sum()
}

/// The same of a range. Its memory is not released.
pub(super) fn rounded(data: &Problem, array: &Array, shift: i128, range: &Range<usize>) -> u64 {
    let (mut values, mut rests) = (vec![0.0; SCAN_ELEMENTS], vec![0.0; SCAN_ELEMENTS]);
    let mut count = 0;
    for part in chunks(range.clone(), SCAN_ELEMENTS) {
        let rests = &mut rests[..part.len()];
        array.read_shifted(data.order(), part.start, shift, &mut values[..part.len()], Some(rests));
        // Whatever stands in the place of a missing value is no number of the data.
        let is_lost = |(k, rest): &(usize, &f64)| **rest != 0.0 && is_valid(data, part.start + k);
        count += rests.iter().enumerate().filter(is_lost).count() as u64;
    }
    count
}

/// The largest size of a valid element of a range.
pub(super) fn largest(data: &Problem, array: &Array, range: &Range<usize>) -> f64 {
    let mut values = vec![0f64; SCAN_ELEMENTS.min(range.len())];
    let mut most = 0f64;
    for part in chunks(range.clone(), SCAN_ELEMENTS) {
        let values = &mut values[..part.len()];
        array.read(data.order(), part.start, values);
        for (k, value) in values.iter().enumerate() {
            // Few are larger than all before; the others need no other look.
            if value.abs() > most && value.is_finite() && is_valid(data, part.start + k) {
                most = value.abs();
            }
        }
    }
    most
}

fn is_valid(data: &Problem, k: usize) -> bool {
    data.validity().is_none_or(|validity| validity.contains(k))
}
