use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::Array;

/// Elements that share a word.
pub(crate) const WORD: usize = 32;

/// What makes an element a hole, one that doesn't count, and how much the
/// others count.
#[derive(Debug, Default)]
pub struct ValidityRules {
    /// The value of X that stands for nothing, a NaN for all NaNs; where there
    /// is none, that of X's file, if it has one.
    pub x_nodata: Option<f64>,
    /// The same for T.
    pub t_nodata: Option<f64>,
    /// The least and the greatest value of X and of T that counts.
    pub valid_range: Option<[f64; 2]>,
    /// A matrix of X's shape: where it is 0, NaN, nodata or null, nothing counts.
    pub mask: Option<Array>,
    /// A matrix of X's shape: how much each pair counts, a number of 0 or more;
    /// 0 is a hole. Without it each counts once.
    pub weights: Option<Array>,
}

/// How many elements don't count, each by the first reason of these that it
/// has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// The mask is 0 there.
    pub mask: u64,
    /// The weight is 0, nodata or null there.
    pub weight: u64,
    /// X is nodata or null.
    pub x_nodata: u64,
    /// T is nodata or null.
    pub t_nodata: u64,
    /// X or T is outside the valid range.
    pub range: u64,
}

impl Excluded {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.mask + self.weight + self.x_nodata + self.t_nodata + self.range
    }

    /// Each number that isn't 0, and its reason.
    pub fn reasons(self) -> impl Iterator<Item = (u64, &'static str)> {
        [
            (self.mask, "masked"),
            (self.weight, "of weight 0"),
            (self.x_nodata, "nodata in X"),
            (self.t_nodata, "nodata in T"),
            (self.range, "outside the valid range"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
    }

    pub(crate) fn combine(self, other: Self) -> Self {
        Self {
            mask: self.mask + other.mask,
            weight: self.weight + other.weight,
            x_nodata: self.x_nodata + other.x_nodata,
            t_nodata: self.t_nodata + other.t_nodata,
            range: self.range + other.range,
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (number, reason)) in self.reasons().enumerate() {
            write!(f, "{}{number} {reason}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Which pairs of elements count, a bit for each, in the dataset's order.
#[derive(Debug)]
pub struct Validity {
    pub(crate) words: Vec<u32>,
    pub(crate) elements: usize,
    pub(crate) excluded: Excluded,
}

impl Validity {
    /// Whether element number `k` is valid. Twin of `shared/validity_bits.wgsl`.
    #[must_use]
    pub fn contains(&self, k: usize) -> bool {
        self.words[k / WORD] >> (k % WORD) & 1 == 1
    }

    /// Whether all of these count; `range` must not be empty.
    #[must_use]
    pub fn contains_all(&self, range: &Range<usize>) -> bool {
        // Blocks begin with a word, so that this is rarely the slow way.
        if range.start.is_multiple_of(WORD) {
            let (whole, rest) = (range.start / WORD..range.end / WORD, range.end % WORD);
            self.words[whole.clone()].iter().all(|&word| word == u32::MAX)
                && (rest == 0 || self.words[whole.end].trailing_ones() as usize >= rest)
        } else {
            range.clone().all(|k| self.contains(k))
        }
    }

    /// The first that counts from number `k` on.
    #[must_use]
    pub fn next_from(&self, k: usize) -> Option<usize> {
        // In the first word, those before `k` are behind.
        let first = self.words.get(k / WORD)? & (u32::MAX << (k % WORD));
        let rest = self.words.iter().copied().enumerate().skip(k / WORD + 1);
        let (word, bits) = std::iter::once((k / WORD, first)).chain(rest).find(|(_, bits)| *bits != 0)?;
        Some(word * WORD + bits.trailing_zeros() as usize)
    }

    /// How many count.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.elements as u64 - self.excluded.total()
    }

    /// How many don't, and why.
    #[must_use]
    pub fn excluded(&self) -> Excluded {
        self.excluded
    }

    /// The bits of a range that begins with a word, 32 to a word, the first
    /// element's the lowest.
    #[must_use]
    pub fn words(&self, range: &Range<usize>) -> &[u32] {
        &self.words[range.start / WORD..range.end.div_ceil(WORD)]
    }
}
