use std::ops::Range;
use std::sync::Arc;

use super::labels::{Labels, NO_GROUP};
use super::levels::{Level, fit_of, levels, runs};
use super::{ChunkGrid, Order, Shape};

/// The elements that are fitted together: by one W and b.
#[derive(Debug, Clone, Default)]
pub enum Groups {
    /// All of them.
    #[default]
    One,
    /// Those of one index of the first axis: so many fits as that is long.
    Outer,
    /// Each fit runs along these axes, of which -1 is the last; the others number
    /// the fits, row by row.
    Axes(Vec<isize>),
    /// Tiles of the last two axes; those at the ends may be smaller. The axes
    /// before them number fits, too.
    Tiles {
        /// The rows of a tile.
        rows: u64,
        /// The columns of a tile.
        columns: u64,
    },
    /// Those of one label.
    Labels(Labels),
    /// Runs of elements that follow one another, each by the number of all elements
    /// up to its end.
    Runs(Arc<[u64]>),
}

/// Why elements cannot be grouped so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupsError {
    /// The elements of a fit do not follow one another.
    #[error(
        "the elements of X are in order column by column, so those of one index of the first axis are apart; \
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
    /// An axis that the data do not have.
    #[error("there is no axis {axis} in data of shape {shape}; the axes are {}", axes_of(shape))]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    NoAxis { axis: isize, shape: Shape },
    /// An axis that is named twice.
    #[error("axis {axis} is named twice")]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    AxisTwice { axis: isize },
    /// Tiles of data that have no rows and columns.
    #[error("data of shape {shape} have no rows and columns; give an array of two axes or more")]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    NoRows { shape: Shape },
    /// Tiles without elements.
    #[error("a tile has at least one row and one column")]
    EmptyTile,
    /// A window without a middle.
    #[error(
        "a window of {rows}×{columns} has no element in its middle; give odd numbers of rows and columns"
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    EvenWindow { rows: usize, columns: usize },
    /// A window that is larger than the image.
    #[error("a window of {rows}×{columns} is larger than the image, of shape {shape}; give a smaller one")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    LargeWindow { rows: usize, columns: usize, shape: Shape },
    /// Labels of another shape than the data.
    #[error("{label}: labels of shape {found}, where X has {shape}; give a label for each element")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    LabelsShape { label: String, found: Shape, shape: Shape },
    /// Runs that do not make up the data.
    #[error("runs of elements that are not all {elements} elements of the data, one after the other")]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Runs { elements: u64 },
}

/// The axes of a shape, in words.
fn axes_of(shape: &Shape) -> String {
    match shape.0.len() {
        0 => "none".to_owned(),
        1 => "0 alone".to_owned(),
        axes => format!("0 to {}", axes - 1),
    }
}

/// The fits of a problem, and the elements of each.
///
/// Elements are numbered as every pass goes through them. Most groupings are
/// regular: a few [levels](Level) tell the fit of an element by its number, and
/// fits are often [runs](Self::run_elements) of elements. Labels tell it one by one.
#[derive(Debug, Clone)]
pub struct Fits {
    /// The number of the first one in the whole.
    first: u64,
    count: u64,
    shape: Shape,
    members: Members,
    is_one: bool,
}

/// The elements of each fit.
#[derive(Debug, Clone)]
pub enum Members {
    /// By the place of an element.
    Regular(Arc<[Level]>),
    /// By its label.
    Labels(Labels),
    /// By the run that it lies in: the number of all elements up to the end of each.
    Runs(Arc<[u64]>),
}

impl Fits {
    /// One fit over all elements.
    pub(crate) fn one(elements: u64) -> Self {
        let all = elements.max(1);
        let level = Level { extent: all, shared: all, fit_step: 0 };
        Self {
            first: 0,
            count: 1,
            shape: Shape::default(),
            members: Members::Regular([level].into()),
            is_one: true,
        }
    }

    pub(crate) fn of(
        groups: &Groups,
        grid: &ChunkGrid,
        shape: &Shape,
        order: Order,
        elements: u64,
    ) -> Result<Self, GroupsError> {
        if !matches!(groups, Groups::One) && order != Order::C && !shape.is_linear() {
            return Err(GroupsError::Apart);
        }
        match groups {
            Groups::One => Ok(Self::one(elements)),
            Groups::Outer if shape.0.is_empty() => Ok(Self::one(elements)),
            Groups::Outer => Self::along(&(1..shape.0.len()).collect::<Vec<_>>(), shape).starting(grid),
            Groups::Axes(axes) => {
                let mut along = Vec::new();
                for &axis in axes {
                    let place = if axis < 0 { axis.checked_add_unsigned(shape.0.len()) } else { Some(axis) };
                    let place = place.and_then(|place| usize::try_from(place).ok());
                    let place = place.filter(|&place| place < shape.0.len());
                    let place = place.ok_or_else(|| GroupsError::NoAxis { axis, shape: shape.clone() })?;
                    if along.contains(&place) {
                        return Err(GroupsError::AxisTwice { axis });
                    }
                    along.push(place);
                }
                Self::along(&along, shape).starting(grid)
            }
            &Groups::Tiles { rows, columns } => Self::tiles(rows, columns, shape)?.starting(grid),
            Groups::Labels(labels) => {
                if !labels.shape().is_squeezed(shape) {
                    return Err(GroupsError::LabelsShape {
                        label: labels.label().to_owned(),
                        found: labels.shape().clone(),
                        shape: shape.clone(),
                    });
                }
                Ok(Self {
                    first: 0,
                    count: labels.count(),
                    shape: Shape(vec![labels.count()]),
                    members: Members::Labels(labels.clone()),
                    is_one: false,
                })
            }
            Groups::Runs(ends) => {
                let follow =
                    ends.first().is_some_and(|&end| end > 0) && ends.is_sorted_by(|one, next| one < next);
                if !follow || ends.last() != Some(&elements) {
                    return Err(GroupsError::Runs { elements });
                }
                let count = ends.len() as u64;
                let members = Members::Runs(Arc::clone(ends));
                Ok(Self { first: 0, count, shape: Shape(vec![count]), members, is_one: false })
            }
        }
    }

    /// The fits along some axes.
    fn along(along: &[usize], shape: &Shape) -> Self {
        let tiled = shape.0.iter().enumerate().map(|(axis, &extent)| {
            let shared = if along.contains(&axis) { extent.max(1) } else { 1 };
            (extent.max(1), shared)
        });
        let numbering = (0..shape.0.len()).filter(|axis| !along.contains(axis));
        let fits = Shape(numbering.map(|axis| shape.0[axis]).collect());
        Self::regular(&tiled.collect::<Vec<_>>(), fits)
    }

    fn tiles(rows: u64, columns: u64, shape: &Shape) -> Result<Self, GroupsError> {
        let [outer @ .., height, width] = shape.0.as_slice() else {
            return Err(GroupsError::NoRows { shape: shape.clone() });
        };
        if rows == 0 || columns == 0 {
            return Err(GroupsError::EmptyTile);
        }
        let mut tiled: Vec<(u64, u64)> = outer.iter().map(|&extent| (extent, 1)).collect();
        tiled.extend([(*height, rows.min(*height).max(1)), (*width, columns.min(*width).max(1))]);
        let fits = Shape(tiled.iter().map(|(extent, shared)| extent.div_ceil(*shared)).collect());
        Ok(Self::regular(&tiled, fits))
    }

    /// The fits of axes, outermost first, each with its extent and the neighbours
    /// along it that belong to one fit.
    fn regular(tiled: &[(u64, u64)], shape: Shape) -> Self {
        let (mut all, mut fit_step) = (Vec::new(), 1);
        for &(extent, shared) in tiled.iter().rev() {
            all.push(Level { extent, shared, fit_step: if shared == extent { 0 } else { fit_step } });
            fit_step *= extent.div_ceil(shared);
        }
        let levels = levels(all.into_iter().rev());
        Self { first: 0, count: fit_step, shape, members: Members::Regular(levels.into()), is_one: false }
    }

    /// The same fits of a part of the data that starts with a chunk.
    fn starting(self, grid: &ChunkGrid) -> Result<Self, GroupsError> {
        let Some(run_elements) = self.run_elements() else { return Ok(self) };
        let first = grid.first_element();
        if self.count == 1 || first == 0 {
            // All of one fit, or the whole.
            let first = if self.count == 1 { first / run_elements } else { 0 };
            return Ok(Self { first, ..self });
        }
        if !first.is_multiple_of(run_elements) {
            return Err(GroupsError::WithinFit { first, run_elements });
        }
        Ok(Self { first: first / run_elements, ..self })
    }

    /// The fits' numbers in the whole.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.first..self.first + self.count
    }

    /// The number of fits.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is one fit over all elements because none other was asked
    /// for.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.is_one
    }

    /// The shape in which results are numbered row by row.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements of each fit.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The number of elements of each fit, if each is a run of elements that
    /// follow one another, all of one length but the last.
    #[must_use]
    pub fn run_elements(&self) -> Option<u64> {
        match &self.members {
            Members::Regular(levels) => match **levels {
                [Level { shared, .. }] => Some(shared.max(1)),
                _ => None,
            },
            Members::Labels(_) | Members::Runs(_) => None,
        }
    }

    /// Whether the elements of each fit follow one another.
    #[must_use]
    pub fn are_runs(&self) -> bool {
        self.run_elements().is_some() || matches!(self.members, Members::Runs(_))
    }

    /// The elements of the longest run of one fit, where fits are runs.
    #[must_use]
    pub fn longest_run(&self) -> Option<u64> {
        match &self.members {
            Members::Runs(ends) => {
                let before = std::iter::once(0).chain(ends.iter().copied());
                ends.iter().zip(before).map(|(end, start)| end - start).max()
            }
            _ => self.run_elements(),
        }
    }

    /// The fit of element number `k`, counted from the problem's first one;
    /// `None` if it belongs to none.
    #[must_use]
    pub fn of_element(&self, k: usize) -> Option<u64> {
        match &self.members {
            Members::Regular(levels) => Some(fit_of(levels, k as u64)),
            Members::Labels(labels) => {
                labels.ids().get(k).filter(|&&id| id != NO_GROUP).map(|&id| u64::from(id))
            }
            Members::Runs(ends) => {
                let fit = run_of(ends, k as u64);
                (fit < ends.len()).then_some(fit as u64)
            }
        }
    }

    /// The fits of a range of elements, counted from the problem's first one, to `out`:
    /// `u64::MAX` for an element of none.
    pub fn fill(&self, range: Range<usize>, out: &mut Vec<u64>) {
        out.clear();
        match &self.members {
            Members::Regular(levels) => {
                let Some(inner) = levels.last() else { return };
                let mut at = range.start as u64;
                while at < range.end as u64 {
                    let index = at % inner.extent;
                    let first = fit_of(levels, at - index);
                    let end = inner.extent.min(index + (range.end as u64 - at));
                    if inner.shared == 1 {
                        out.extend((index..end).map(|index| first + index * inner.fit_step));
                    } else {
                        out.extend((index..end).map(|index| first + index / inner.shared * inner.fit_step));
                    }
                    at += end - index;
                }
            }
            Members::Labels(labels) => {
                let fit = |&id: &u32| if id == NO_GROUP { u64::MAX } else { u64::from(id) };
                out.extend(labels.ids()[range].iter().map(fit));
            }
            Members::Runs(ends) => {
                for (fit, run) in runs_until(ends, range) {
                    out.extend(run.map(|_| fit));
                }
            }
        }
    }

    /// The runs of elements of one fit each that make up a range of the
    /// problem's elements, with the fit's number.
    pub fn runs(&self, range: Range<usize>) -> impl Iterator<Item = (u64, Range<usize>)> + use<'_> {
        let (levels, ids, ends) = match &self.members {
            Members::Regular(levels) => (Some(&**levels), None, None),
            Members::Labels(labels) => (None, Some(labels.ids()), None),
            Members::Runs(ends) => (None, None, Some(&**ends)),
        };
        let regular = levels.map(|levels| runs(levels, range.clone())).into_iter().flatten();
        let following = ends.map(|ends| runs_until(ends, range.clone())).into_iter().flatten();
        let labelled = ids.into_iter().flat_map(move |ids| {
            let labels = range.clone().filter(|&k| ids[k] != NO_GROUP);
            labels.map(|k| (u64::from(ids[k]), k..k + 1))
        });
        regular.chain(labelled).chain(following).map(|(fit, run)| (self.first + fit, run))
    }
}

/// The run of element number `k`.
fn run_of(ends: &[u64], k: u64) -> usize {
    ends.partition_point(|&end| end <= k)
}

/// The parts of runs that make up a range, with the runs' numbers.
fn runs_until(ends: &[u64], range: Range<usize>) -> impl Iterator<Item = (u64, Range<usize>)> {
    let (mut start, mut fit) = (range.start, run_of(ends, range.start as u64));
    std::iter::from_fn(move || {
        let end = usize::try_from(*ends.get(fit)?).unwrap_or(usize::MAX).min(range.end);
        (start < range.end).then(|| {
            let run = (fit as u64, start..end);
            (start, fit) = (end, fit + 1);
            run
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(groups: &Groups, shape: &[u64], first_chunk: u64, order: Order) -> Result<Fits, GroupsError> {
        let elements = shape.iter().product();
        let grid = ChunkGrid::of(elements).starting_at(first_chunk).unwrap();
        Fits::of(groups, &grid, &Shape(shape.to_vec()), order, elements)
    }

    #[test]
    fn a_range_is_cut_where_fits_meet() {
        let outer = fits(&Groups::Outer, &[4, 2, 5], 0, Order::C).unwrap();
        assert_eq!(outer.range(), 0..4);
        assert_eq!(outer.runs(5..23).collect::<Vec<_>>(), [(0, 5..10), (1, 10..20), (2, 20..23)]);
        let one = fits(&Groups::One, &[4, 2, 5], 3, Order::Fortran).unwrap();
        assert_eq!((one.range(), one.runs(5..23).collect::<Vec<_>>()), (0..1, vec![(0, 5..23)]));
    }

    #[test]
    fn runs_have_lengths_of_their_own() {
        let of = |ends: &[u64]| fits(&Groups::Runs(ends.into()), &[10], 0, Order::C);
        let runs = of(&[1, 4, 10]).unwrap();
        assert_eq!(runs.runs(0..10).collect::<Vec<_>>(), [(0, 0..1), (1, 1..4), (2, 4..10)]);
        assert_eq!(runs.runs(2..5).collect::<Vec<_>>(), [(1, 2..4), (2, 4..5)]);
        let mut filled = Vec::new();
        runs.fill(0..6, &mut filled);
        assert_eq!(filled, [0, 1, 1, 1, 2, 2]);
        assert_eq!((runs.of_element(3), runs.of_element(4), runs.of_element(10)), (Some(1), Some(2), None));
        assert_eq!((runs.range(), runs.longest_run(), runs.are_runs()), (0..3, Some(6), true));
        for ends in [&[][..], &[0, 10], &[4, 4, 10], &[4, 9], &[4, 11]] {
            assert!(matches!(of(ends), Err(GroupsError::Runs { elements: 10 })), "{ends:?}");
        }
    }

    /// Along the middle of three axes, the first, both outer ones, none and all: the
    /// fit of each element by hand.
    #[test]
    fn every_element_is_in_its_fit() {
        let shape = [2, 3, 4];
        let of = |groups: Groups| {
            let fits = fits(&groups, &shape, 0, Order::C).unwrap();
            let numbers: Vec<u64> = (0..24).map(|k| fits.of_element(k).unwrap()).collect();
            let runs: Vec<u64> = fits.runs(0..24).flat_map(|(fit, run)| run.map(move |_| fit)).collect();
            assert_eq!(runs, numbers);
            let mut filled = Vec::new();
            fits.fill(5..23, &mut filled);
            assert_eq!(filled, numbers[5..23]);
            let part: Vec<u64> = fits.runs(5..17).flat_map(|(fit, run)| run.map(move |_| fit)).collect();
            assert_eq!(part, numbers[5..17]);
            assert_eq!(fits.shape().elements(), Some(fits.count()));
            (numbers, fits.shape().0.clone(), fits.run_elements())
        };
        let index = |k: u64| [k / 12, k / 4 % 3, k % 4];
        let numbered = |number: fn([u64; 3]) -> u64| (0..24).map(|k| number(index(k))).collect::<Vec<_>>();
        let axes = |axes: &[isize]| of(Groups::Axes(axes.to_vec()));
        assert_eq!(axes(&[1]), (numbered(|[i, _, k]| 4 * i + k), vec![2, 4], None));
        assert_eq!(axes(&[0]), (numbered(|[_, j, k]| 4 * j + k), vec![3, 4], None));
        assert_eq!(axes(&[-1, 0]), (numbered(|[_, j, _]| j), vec![3], None));
        assert_eq!(axes(&[-3, 1]), (numbered(|[_, _, k]| k), vec![4], None));
        assert_eq!(axes(&[-1]), (numbered(|[i, j, _]| 3 * i + j), vec![2, 3], Some(4)));
        assert_eq!(axes(&[]), (numbered(|[i, j, k]| 12 * i + 4 * j + k), vec![2, 3, 4], Some(1)));
        assert_eq!(axes(&[2, 0, 1]), (vec![0; 24], vec![], Some(24)));
        let tiles = |rows, columns| of(Groups::Tiles { rows, columns });
        let by_hand = numbered(|[i, j, k]| 4 * i + 2 * (j / 2) + k / 3);
        assert_eq!(tiles(2, 3), (by_hand, vec![2, 2, 2], None));
        assert_eq!(tiles(2, 9), (numbered(|[i, j, _]| 2 * i + j / 2), vec![2, 2, 1], None));
        assert_eq!(tiles(1, 4), (numbered(|[i, j, _]| 3 * i + j), vec![2, 3, 1], Some(4)));
    }

    #[test]
    fn groups_that_are_not_there_are_refused() {
        let refused =
            |groups: Groups, shape: &[u64]| fits(&groups, shape, 0, Order::C).unwrap_err().to_string();
        let axes = |axes: &[isize]| refused(Groups::Axes(axes.to_vec()), &[2, 3]);
        assert!(axes(&[2]).contains("no axis 2") && axes(&[-3]).contains("0 to 1"), "{}", axes(&[2]));
        assert!(axes(&[1, -1]).contains("twice"));
        assert!(refused(Groups::Tiles { rows: 2, columns: 2 }, &[9]).contains("rows and columns"));
        assert!(refused(Groups::Tiles { rows: 0, columns: 2 }, &[9, 9]).contains("at least one row"));
    }

    /// A fit has 2¹⁵ elements; chunk 3 starts with fit 6.
    #[test]
    fn a_part_starts_with_a_fit() {
        assert_eq!(fits(&Groups::Outer, &[5, 1 << 15], 3, Order::C).unwrap().range(), 6..11);
        let within = fits(&Groups::Outer, &[5, 3 << 14], 1, Order::C);
        assert!(matches!(within, Err(GroupsError::WithinFit { first: 65_536, .. })), "{within:?}");
        assert!(matches!(fits(&Groups::Outer, &[5, 7], 0, Order::Fortran), Err(GroupsError::Apart)));
        assert_eq!(fits(&Groups::Outer, &[5, 1], 0, Order::Fortran).unwrap().range(), 0..5);
    }
}
