//! The runs of elements that passes sum apart: each of one fit and within one
//! chunk.

use std::ops::Range;

use crate::array::Problem;
use crate::engine::{CHUNK, chunks};

/// A run of elements of one fit within one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The number of its fit, counted from the problem's first one.
    pub(super) fit: u32,
    start: usize,
    end: usize,
}

impl Run {
    /// Its elements, counted from the problem's first one.
    pub(super) fn elements(self) -> Range<usize> {
        self.start..self.end
    }
}

/// All runs of a problem, in order.
#[derive(Debug)]
pub(super) struct Runs {
    list: Vec<Run>,
    /// The number of each chunk's first run, and that of all runs.
    firsts: Vec<usize>,
    /// The elements of the longest run that such a problem may have.
    pub(super) longest: usize,
}

impl Runs {
    pub(super) fn of(data: &Problem) -> Self {
        let (fits, mut list, mut firsts) = (data.fits(), Vec::new(), vec![0]);
        let first_fit = fits.range().start;
        for chunk in chunks(0..data.len(), CHUNK) {
            list.extend(fits.runs(chunk).map(|(fit, run)| Run {
                fit: u32::try_from(fit - first_fit).unwrap_or(u32::MAX),
                start: run.start,
                end: run.end,
            }));
            firsts.push(list.len());
        }
        let longest = if fits.is_one() { None } else { fits.longest_run() };
        let longest = longest.and_then(|elements| usize::try_from(elements).ok());
        Self { list, firsts, longest: longest.unwrap_or(CHUNK).clamp(1, CHUNK) }
    }

    /// The numbers of the runs of some elements, which start with a chunk and end
    /// with one.
    pub(super) fn within(&self, elements: &Range<usize>) -> Range<usize> {
        let first = |chunk: usize| self.firsts.get(chunk).copied().unwrap_or(self.list.len());
        first(elements.start / CHUNK)..first(elements.end.div_ceil(CHUNK))
    }

    /// The number of the first of all runs that have elements from `k` on.
    pub(super) fn first_from(&self, k: usize) -> usize {
        let chunk = self.within(&(k / CHUNK * CHUNK..k / CHUNK * CHUNK + 1));
        chunk.start + self.list[chunk].partition_point(|run| run.end <= k)
    }

    /// The most runs of so many elements that start with a chunk.
    pub(super) fn most_within(&self, elements: usize) -> usize {
        let chunks = elements.div_ceil(CHUNK);
        let last = self.firsts.len() - 1;
        let runs = (0..last).map(|k| self.firsts[last.min(k + chunks)] - self.firsts[k]);
        runs.max().unwrap_or_default()
    }

    /// The numbers of the runs of a chunk, by the chunk's place in the data.
    pub(super) fn of_chunk(&self, place: usize) -> Range<usize> {
        self.firsts[place]..self.firsts[place + 1]
    }

    /// The place of a run's chunk in the data, and the run's place in the chunk.
    pub(super) fn place(&self, k: usize) -> (usize, usize) {
        let chunk = self.list[k].start / CHUNK;
        (chunk, k - self.firsts[chunk])
    }

    /// The numbers of all runs of the chunks that some runs are in.
    pub(super) fn whole_chunks(&self, numbers: Range<usize>) -> Range<usize> {
        let (first, _) = self.place(numbers.start);
        let (last, _) = self.place(numbers.end - 1);
        self.firsts[first]..self.firsts[last + 1]
    }

    pub(super) fn get(&self, numbers: Range<usize>) -> &[Run] {
        &self.list[numbers]
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Groups};

    fn runs(shape: &[u64], groups: Groups) -> Runs {
        let n = shape.iter().product::<u64>();
        let column = |label| Array::from_vec(label, shape, vec![0u8; usize::try_from(n).unwrap()]);
        let data = Problem::pair(column("x"), column("t")).unwrap().grouped(groups).unwrap();
        Runs::of(&data)
    }

    #[test]
    fn fits_are_cut_where_chunks_meet() {
        let one = runs(&[CHUNK as u64 + 3], Groups::One);
        let list = |runs: &Runs| -> Vec<_> {
            runs.get(0..runs.len()).iter().map(|run| (run.fit, run.elements())).collect()
        };
        assert_eq!(list(&one), [(0, 0..CHUNK), (0, CHUNK..CHUNK + 3)]);
        assert_eq!((one.longest, one.within(&(CHUNK..CHUNK + 3))), (CHUNK, 1..2));
        let outer = runs(&[3, 40_000], Groups::Outer);
        assert_eq!(
            list(&outer),
            [(0, 0..40_000), (1, 40_000..CHUNK), (1, CHUNK..80_000), (2, 80_000..120_000)]
        );
        assert_eq!((outer.longest, outer.within(&(0..CHUNK))), (40_000, 0..2));
        for (k, run) in [(0, 0), (39_999, 0), (40_000, 1), (CHUNK, 2), (80_000, 3), (119_999, 3)] {
            assert_eq!(outer.first_from(k), run, "{k}");
        }
    }
}
