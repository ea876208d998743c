use std::ops::Range;

use super::{ChunkGrid, Order, Shape};

/// The elements that are fitted together: by one W and b.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Groups {
    /// All of them.
    #[default]
    One,
    /// Those of one index of the first axis: so many fits as that is long.
    Outer,
}

/// Why elements cannot be grouped so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupsError {
    /// The elements of a fit do not follow one another.
    #[error(
        "the elements of X are visited column by column, so those of one index of the first axis are apart; \
         store X and T row by row to fit each index"
    )]
    Apart,
    /// A part of the data starts within a fit.
    #[error(
        "this part of the data starts at element {first} of the whole, within a fit of {run_elements} elements; \
         let it start where a fit does"
    )]
    WithinFit {
        /// The number in the whole of the part's first element.
        first: u64,
        /// The elements of a fit.
        run_elements: u64,
    },
    /// Elements of the whole could not be numbered.
    #[error("chunk {first_chunk} is too far for its elements to be numbered")]
    TooFar {
        /// The part's first chunk.
        first_chunk: u64,
    },
}

/// The fits of a problem, each of which is a run of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fits {
    /// The number of the first one in the whole.
    first: u64,
    count: u64,
    run_elements: u64,
}

impl Fits {
    /// One fit over all elements.
    pub(crate) fn one(elements: u64) -> Self {
        Self { first: 0, count: 1, run_elements: elements.max(1) }
    }

    pub(crate) fn of(
        groups: Groups,
        grid: &ChunkGrid,
        shape: &Shape,
        order: Order,
        elements: u64,
    ) -> Result<Self, GroupsError> {
        match (groups, shape.0.as_slice()) {
            (Groups::One, _) | (Groups::Outer, []) => Ok(Self::one(elements)),
            (Groups::Outer, &[count, ..]) => {
                if order != Order::C && !shape.is_linear() {
                    return Err(GroupsError::Apart);
                }
                let (first, run_elements) = (grid.first_element(), (elements / count.max(1)).max(1));
                if !first.is_multiple_of(run_elements) {
                    return Err(GroupsError::WithinFit { first, run_elements });
                }
                Ok(Self { first: first / run_elements, count, run_elements })
            }
        }
    }

    /// The fits' numbers in the whole.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.first..self.first + self.count
    }

    /// The number of elements of each fit.
    #[must_use]
    pub fn run_elements(&self) -> u64 {
        self.run_elements
    }

    /// The runs of elements of one fit each that make up a range of the
    /// problem's elements, with the fit's number. Every pass over grouped
    /// elements cuts them here.
    pub fn runs(&self, range: Range<usize>) -> impl Iterator<Item = (u64, Range<usize>)> + use<> {
        let first = self.first;
        // An array that is in memory has no more elements than that.
        let run_elements = usize::try_from(self.run_elements).unwrap_or(usize::MAX);
        let mut start = range.start;
        std::iter::from_fn(move || {
            (start < range.end).then(|| {
                let fit = start / run_elements;
                let run = start..(fit + 1).saturating_mul(run_elements).min(range.end);
                start = run.end;
                (first + fit as u64, run)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(groups: Groups, shape: &[u64], first_chunk: u64, order: Order) -> Result<Fits, GroupsError> {
        let elements = shape.iter().product();
        let grid = ChunkGrid::of(elements).starting_at(first_chunk).unwrap();
        Fits::of(groups, &grid, &Shape(shape.to_vec()), order, elements)
    }

    #[test]
    fn a_range_is_cut_where_fits_meet() {
        let outer = fits(Groups::Outer, &[4, 2, 5], 0, Order::C).unwrap();
        assert_eq!(outer.range(), 0..4);
        assert_eq!(outer.runs(5..23).collect::<Vec<_>>(), [(0, 5..10), (1, 10..20), (2, 20..23)]);
        let one = fits(Groups::One, &[4, 2, 5], 3, Order::Fortran).unwrap();
        assert_eq!((one.range(), one.runs(5..23).collect::<Vec<_>>()), (0..1, vec![(0, 5..23)]));
    }

    /// A fit has 2¹⁵ elements; chunk 3 starts with fit 6.
    #[test]
    fn a_part_starts_with_a_fit() {
        assert_eq!(fits(Groups::Outer, &[5, 1 << 15], 3, Order::C).unwrap().range(), 6..11);
        let within = fits(Groups::Outer, &[5, 3 << 14], 1, Order::C);
        assert!(matches!(within, Err(GroupsError::WithinFit { first: 65_536, .. })), "{within:?}");
        assert!(matches!(fits(Groups::Outer, &[5, 7], 0, Order::Fortran), Err(GroupsError::Apart)));
        assert_eq!(fits(Groups::Outer, &[5, 1], 0, Order::Fortran).unwrap().range(), 0..5);
    }
}
