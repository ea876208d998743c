use std::fmt;

use serde::Serialize;

/// The number of excluded elements, each under the first reason of these that it
/// has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// A condition on another column does not hold there.
    pub condition: u64,
    /// The mask is 0 there.
    pub mask: u64,
    /// The sample weight is 0, nodata or null there.
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
        self.condition + self.mask + self.weight + self.x_nodata + self.t_nodata + self.range
    }

    /// Each number that isn't 0, and its reason.
    pub fn reasons(self) -> impl Iterator<Item = (u64, &'static str)> {
        [
            (self.condition, "by a condition"),
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
            condition: self.condition + other.condition,
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
