//! The axes of a pass, and the fits that the elements along them belong to.

use std::ops::Range;

/// An axis of a pass over grouped elements, or several that are one after the
/// other. The number of an element's fit is the sum of `index / shared · fit_step`
/// over all levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The number of indices.
    pub extent: u64,
    /// The neighbours along it that belong to one fit: all of them along an axis
    /// that fits run along, 1 along an axis that numbers them, some in a tile.
    pub shared: u64,
    /// The fits from one such neighbourhood to the next.
    pub fit_step: u64,
}

impl Level {
    /// The fits, or parts of fits, along it.
    #[must_use]
    pub fn fits(&self) -> u64 {
        self.extent.div_ceil(self.shared.max(1))
    }

    /// Whether all indices belong to one fit.
    #[must_use]
    pub fn is_along(&self) -> bool {
        self.shared >= self.extent
    }

    /// The level of all pairs of indices of two, if there is one: where the inner
    /// one is wholly within a fit, or both number fits that follow one another.
    fn joined(self, inner: Self) -> Option<Self> {
        let extent = self.extent * inner.extent;
        if inner.is_along() {
            return Some(Self { extent, shared: self.shared * inner.extent, fit_step: self.fit_step });
        }
        let follow = self.shared == 1 && inner.shared == 1 && self.fit_step == inner.extent * inner.fit_step;
        follow.then_some(Self { extent, ..inner })
    }
}

/// The levels of a pass, the outermost first, as few as there can be. Levels of a
/// single index are dropped.
pub(super) fn levels(all: impl IntoIterator<Item = Level>) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    for level in all.into_iter().filter(|level| level.extent != 1) {
        match levels.last().and_then(|outer| outer.joined(level)) {
            Some(joined) => {
                levels.pop();
                levels.push(joined);
            }
            None => levels.push(level),
        }
    }
    // Joined ones may join those before them.
    while let [.., outer, inner] = levels[..] {
        let Some(joined) = outer.joined(inner) else { break };
        levels.truncate(levels.len() - 2);
        levels.push(joined);
    }
    if levels.is_empty() {
        levels.push(Level { extent: 1, shared: 1, fit_step: 1 });
    }
    levels
}

/// The fit of element number `k`.
pub(super) fn fit_of(levels: &[Level], mut k: u64) -> u64 {
    let mut fit = 0;
    for level in levels.iter().rev() {
        fit += k % level.extent / level.shared * level.fit_step;
        k /= level.extent;
    }
    fit
}

/// Calls `each` with the elements of a fit, in their order.
pub(super) fn each_of(levels: &[Level], fit: u64, each: &mut impl FnMut(u64)) {
    each_below(levels, fit, 0, each);
}

/// The same of those whose indices of the levels before these make up a number.
fn each_below(levels: &[Level], fit: u64, before: u64, each: &mut impl FnMut(u64)) {
    let Some((level, inner)) = levels.split_first() else { return each(before) };
    let slot = fit.checked_div(level.fit_step).unwrap_or_default() % level.fits();
    let first = slot * level.shared;
    let indices = first..level.extent.min(first + level.shared);
    let numbers = indices.map(|index| before * level.extent + index);
    if inner.is_empty() {
        numbers.for_each(each);
    } else {
        numbers.for_each(|number| each_below(inner, fit, number, each));
    }
}

/// The runs of elements of one fit each that make up a range, with the fit's
/// number.
pub(super) fn runs(levels: &[Level], range: Range<usize>) -> impl Iterator<Item = (u64, Range<usize>)> {
    let inner = levels.last().copied().unwrap_or(Level { extent: 1, shared: 1, fit_step: 1 });
    let mut start = range.start;
    std::iter::from_fn(move || {
        (start < range.end).then(|| {
            let at = start as u64;
            let index = at % inner.extent;
            let end = (index / inner.shared + 1).saturating_mul(inner.shared).min(inner.extent);
            let length = usize::try_from(end - index).unwrap_or(usize::MAX);
            let run = start..start.saturating_add(length).min(range.end);
            start = run.end;
            (fit_of(levels, at), run)
        })
    })
}
