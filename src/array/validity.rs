use std::ops::{Deref, Range};

use super::bitmap::Bitmap;
use super::excluded::Excluded;
use super::masked::MaskedArray;
use super::selection::Selection;

/// Rules by which elements are excluded from a problem, and the sample weights
/// of the others.
#[derive(Debug, Default)]
pub struct ValidityRules {
    /// The nodata value of X, a NaN for all NaNs, in the place of that of X's
    /// file.
    pub x_nodata: Option<f64>,
    /// The same for T.
    pub t_nodata: Option<f64>,
    /// The least and the greatest valid value of X and of T.
    pub valid_range: Option<[f64; 2]>,
    /// Those of X, in their place.
    pub x_valid_range: Option<[f64; 2]>,
    /// Those of T, in their place.
    pub t_valid_range: Option<[f64; 2]>,
    /// The elements for which conditions on other columns hold; the others are excluded.
    pub selection: Option<Selection>,
    /// An array of X's shape: elements are excluded where it is 0, NaN, nodata or
    /// null.
    pub mask: Option<MaskedArray>,
    /// An array of X's shape: the sample weight of each pair, a number of 0 or
    /// more. A pair of weight 0 is excluded. Without weights each is 1.
    pub weights: Option<MaskedArray>,
}

impl ValidityRules {
    /// The valid range of X and that of T.
    pub(crate) fn ranges(&self) -> [Option<[f64; 2]>; 2] {
        [self.x_valid_range.or(self.valid_range), self.t_valid_range.or(self.valid_range)]
    }
}

/// The valid pairs of a problem, in its order, and why the others are excluded.
#[derive(Debug)]
pub struct Validity {
    bitmap: Bitmap,
    elements: usize,
    excluded: Excluded,
}

impl Validity {
    pub(crate) fn new(words: Vec<u32>, elements: usize, excluded: Excluded) -> Self {
        Self { bitmap: Bitmap::from_words(words, elements), elements, excluded }
    }

    /// The number of valid pairs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.elements as u64 - self.excluded.total()
    }

    /// The number of valid pairs in a range.
    pub(crate) fn count_in(&self, range: &Range<usize>) -> u64 {
        let first = range.end.min(range.start.next_multiple_of(32));
        let last = range.start.max(range.end / 32 * 32);
        let single = |range: Range<usize>| range.filter(|&k| self.contains(k)).count() as u64;
        if first >= last {
            return single(range.clone());
        }
        let words = self.words(&(first..last)).iter().map(|word| u64::from(word.count_ones()));
        single(range.start..first) + words.sum::<u64>() + single(last..range.end)
    }

    /// The number of excluded pairs, by the reason.
    #[must_use]
    pub fn excluded(&self) -> Excluded {
        self.excluded
    }
}

/// A validity is read as its bitmap is.
impl Deref for Validity {
    type Target = Bitmap;

    fn deref(&self) -> &Bitmap {
        &self.bitmap
    }
}
