//! The elements of fits brought together: for engines that pass over runs of
//! elements only.
//!
//! A copy has the valid elements of each fit one after the other, in their order,
//! so that a fit is a run. Labels are sorted by counting, some fits at a time; of
//! other fits the places of elements are known. The copy is in a temporary file where
//! the arrays that it is made of are streamed.

use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::levels::each_of;
use super::spool::Spool;
use super::{
    Array, DataError, Element, Groups, MaskedArray, Members, MemoryPlan, Order, Problem, Shape,
    ValidityRules, with_element,
};

/// A problem of which each fit is a run.
#[derive(Debug, Clone)]
pub struct Gathering {
    /// The valid elements, without those of no fit.
    pub problem: Problem,
    /// The fit of each run. Fits without elements have none; the longest have
    /// several, one after the other.
    pub fits: Vec<u64>,
}

/// Places of elements noted at a time: 128 MiB of them.
const NOTED: usize = 1 << 24;

/// Elements whose fits are looked at at a time.
const PART: usize = 1 << 16;

/// Fits whose places a thread finds at a time.
const FITS_OF_THREAD: usize = 256;

/// Elements copied at a time, and by a thread.
const COPIED: usize = 1 << 20;
const COPIED_BY_THREAD: usize = 1 << 14;

/// Runs are no longer than so many times the mean, so that room for the parts of one
/// is not much more than what most of them need.
const MOST_OF_MEAN: u64 = 4;

/// Runs of so many elements are not cut, whatever the mean.
const LEAST_CUT: u64 = 128;

impl Problem {
    /// The same data with the valid elements of each fit one after the other.
    ///
    /// # Errors
    /// [`DataError::Labels`]: no valid element belongs to a fit.
    /// [`DataError::Spool`], [`DataError::SystemMemory`]: there is no room for the copy.
    pub fn gathered(&self) -> Result<Gathering, DataError> {
        let lengths = self.lengths();
        let n: u64 = lengths.iter().sum();
        if n == 0 {
            let (label, reason) = (self.x().label().to_owned(), "no valid element belongs to a group");
            return Err(DataError::Labels { label, reason });
        }
        let (ends, fits) = runs(&lengths, most_elements(&lengths));
        let memory = self.memory_of_copy();
        let arrays = self.matrices().count();
        let new = |array: &Array| column(array, self.order(), memory.array_bytes(arrays));
        let mut columns: Vec<Box<dyn Column>> = self.matrices().map(new).collect();
        for batch in batches(&lengths) {
            self.places(&lengths, batch, |places| {
                columns.iter_mut().try_for_each(|column| column.append(places))
            })?;
        }
        self.check_intact()?;
        let mut columns = columns.into_iter().map(|column| column.finish(n));
        let mut next = || columns.next().transpose();
        let (x, t) = (next()?, if self.t().is_some() { next()? } else { None });
        let weights = next()?.map(MaskedArray::from);
        let Some(x) = x else {
            return Err(DataError::NoElements { path: "X".into(), shape: Shape(vec![0]) });
        };
        let rules = ValidityRules { weights, ..ValidityRules::default() };
        let problem = Problem::builder(x).rules(rules).memory(memory);
        let problem = if let Some(t) = t { problem.target(t) } else { problem }.build()?;
        // Runs of all elements, by their making.
        let problem = problem.grouped(Groups::Runs(ends.into())).map_err(|_| self.unlike_copy())?;
        Ok(Gathering { problem, fits })
    }

    fn unlike_copy(&self) -> DataError {
        let (label, reason) = (self.x().label().to_owned(), "the elements of groups do not make up a copy");
        DataError::Labels { label, reason }
    }

    /// As much as passes may have of this problem's arrays.
    fn memory_of_copy(&self) -> MemoryPlan {
        let streamed = self.matrices().find(|array| array.is_streamed());
        streamed.map_or(MemoryPlan::UNBOUNDED, |array| {
            let pair_bytes: usize = self.matrices().map(|array| array.element().size()).sum();
            MemoryPlan::new((array.run_elements() * pair_bytes * rayon::current_num_threads()) as u64)
        })
    }

    fn is_valid(&self, k: usize) -> bool {
        self.validity().is_none_or(|validity| validity.contains(k))
    }

    /// The number of valid elements of each fit.
    fn lengths(&self) -> Vec<u64> {
        let count = usize::try_from(self.fits().count()).unwrap_or(usize::MAX);
        if let Members::Regular(levels) = self.fits().members() {
            let length = |fit| {
                let mut length = 0;
                each_of(levels, fit as u64, &mut |k| length += u64::from(self.is_valid(whole(k))));
                length
            };
            return (0..count).into_par_iter().with_min_len(FITS_OF_THREAD).map(length).collect();
        }
        let mut lengths = vec![0; count];
        self.each_labelled(|fit, _| lengths[fit] += 1);
        lengths
    }

    /// Calls `each` with the fit and the place of each valid element that has one.
    fn each_labelled(&self, mut each: impl FnMut(usize, usize)) {
        let mut numbers = Vec::new();
        for start in (0..self.len()).step_by(PART) {
            let range = start..self.len().min(start + PART);
            self.fits().fill(range.clone(), &mut numbers);
            let numbered = range.zip(&numbers).filter(|(k, fit)| **fit != u64::MAX && self.is_valid(*k));
            numbered.for_each(|(k, &fit)| each(whole(fit), k));
        }
    }

    /// Hands out the places of the valid elements of some fits, one fit after the
    /// other.
    fn places(
        &self,
        lengths: &[u64],
        batch: Range<usize>,
        mut take: impl FnMut(&[usize]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let taken = match self.fits().members() {
            Members::Regular(levels) if batch.len() > 1 => {
                let of_fit = |fit: usize| {
                    let mut places = Vec::with_capacity(whole(lengths[fit]));
                    each_of(levels, fit as u64, &mut |k| {
                        if self.is_valid(whole(k)) {
                            places.push(whole(k));
                        }
                    });
                    places
                };
                let places: Vec<usize> =
                    batch.into_par_iter().with_min_len(FITS_OF_THREAD).flat_map_iter(of_fit).collect();
                take(&places)
            }
            Members::Regular(levels) => {
                let mut sorted = Sorted::new(lengths, batch.clone());
                let mut result = Ok(());
                each_of(levels, batch.start as u64, &mut |k| {
                    if result.is_ok() && self.is_valid(whole(k)) {
                        result = sorted.add(batch.start, whole(k), &mut take);
                    }
                });
                result.and_then(|()| sorted.finish(&mut take))
            }
            _ => {
                let mut sorted = Sorted::new(lengths, batch);
                let mut result = Ok(());
                self.each_labelled(|fit, k| {
                    if result.is_ok() {
                        result = sorted.add(fit, k, &mut take);
                    }
                });
                result.and_then(|()| sorted.finish(&mut take))
            }
        };
        self.release(&(0..self.len()));
        taken
    }
}

/// The places of the elements of some fits, in the order of the fits.
struct Sorted {
    first_fit: usize,
    places: Vec<usize>,
    /// Where the next place of each fit goes.
    next: Vec<usize>,
}

impl Sorted {
    /// Room for all places of fits of these lengths, or for a part of those of one
    /// that is alone.
    fn new(lengths: &[u64], fits: Range<usize>) -> Self {
        let (mut next, mut end) = (Vec::with_capacity(fits.len()), 0);
        for &length in &lengths[fits.clone()] {
            next.push(end);
            end += whole(length);
        }
        Self { first_fit: fits.start, places: vec![0; end.min(NOTED)], next }
    }

    fn add(
        &mut self,
        fit: usize,
        k: usize,
        take: &mut impl FnMut(&[usize]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let Some(next) = fit.checked_sub(self.first_fit).and_then(|fit| self.next.get_mut(fit)) else {
            return Ok(());
        };
        if *next == self.places.len() {
            *next = 0;
            take(&self.places)?;
        }
        self.places[*next] = k;
        *next += 1;
        Ok(())
    }

    fn finish(&self, take: &mut impl FnMut(&[usize]) -> Result<(), DataError>) -> Result<(), DataError> {
        take(&self.places[..self.next.last().copied().unwrap_or_default()])
    }
}

/// A number that is small enough for an array in memory.
fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The most elements of a run.
fn most_elements(lengths: &[u64]) -> u64 {
    let fits = lengths.iter().filter(|&&length| length > 0).count() as u64;
    let mean = lengths.iter().sum::<u64>() / fits.max(1);
    (MOST_OF_MEAN * mean).max(LEAST_CUT).next_power_of_two()
}

/// The ends of runs of at most so many elements, and the fit of each.
fn runs(lengths: &[u64], most: u64) -> (Vec<u64>, Vec<u64>) {
    let (mut ends, mut fits, mut end) = (Vec::new(), Vec::new(), 0);
    for (fit, &length) in (0..).zip(lengths) {
        let mut left = length;
        while left > 0 {
            let run = left.min(most);
            (left, end) = (left - run, end + run);
            ends.push(end);
            fits.push(fit);
        }
    }
    (ends, fits)
}

/// Fits of which the places of all elements are noted together, or one alone.
fn batches(lengths: &[u64]) -> Vec<Range<usize>> {
    let (mut batches, mut start, mut noted) = (Vec::new(), 0, 0);
    for (fit, &length) in lengths.iter().enumerate() {
        if noted + length > NOTED as u64 && fit > start {
            batches.push(start..fit);
            (start, noted) = (fit, 0);
        }
        noted += length;
    }
    batches.push(start..lengths.len());
    batches
}

/// An array in the making, of the elements of another one.
trait Column {
    /// Adds the elements of these places.
    fn append(&mut self, places: &[usize]) -> Result<(), DataError>;

    /// The array, of so many elements.
    fn finish(self: Box<Self>, elements: u64) -> Result<Array, DataError>;
}

struct Copied<E> {
    array: Array,
    order: Order,
    spool: Spool<E>,
}

fn column(array: &Array, order: Order, memory_bytes: u64) -> Box<dyn Column> {
    let path = Path::new(array.label());
    with_element!(array.element(), E => {
        Box::new(Copied { array: array.clone(), order, spool: Spool::<E>::new(path, memory_bytes) })
    })
}

impl<E: Element> Column for Copied<E> {
    fn append(&mut self, places: &[usize]) -> Result<(), DataError> {
        let mut values = vec![E::zeroed(); places.len().min(COPIED)];
        let (array, order) = (&self.array, self.order);
        let stored = array.as_slice::<E>(order);
        for places in places.chunks(COPIED) {
            let values = &mut values[..places.len()];
            let parts = values.par_chunks_mut(COPIED_BY_THREAD).zip(places.par_chunks(COPIED_BY_THREAD));
            parts.for_each(|(values, places)| {
                for (value, &k) in values.iter_mut().zip(places) {
                    match stored {
                        Some(stored) => *value = stored[k],
                        None => array.copy(order, k, std::slice::from_mut(value)),
                    }
                }
            });
            self.spool.append(values)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>, elements: u64) -> Result<Array, DataError> {
        self.spool.finish(Shape(vec![elements]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Labels, NO_GROUP};

    fn all_of(array: &Array) -> Vec<f64> {
        let mut values = vec![0.0; array.len()];
        array.read(Order::C, 0, &mut values);
        values
    }

    /// Labels 2, none, 0, 2, 2, 0 and 4 of x = 10, …, 16, of which 13 is excluded.
    #[test]
    fn a_fit_has_its_valid_elements_in_their_order() {
        let column = |label, first: i16| Array::from_vec(label, &[7], (first..first + 7).collect());
        let ids = vec![2u32, NO_GROUP, 0, 2, 2, 0, 4];
        let labels = Labels::new(Array::from_vec("g", &[7], ids), 5).unwrap();
        let mask = Some(Array::from_vec("m", &[7], vec![1u8, 1, 1, 0, 1, 1, 1]).into());
        let weights = Some(Array::from_vec("w", &[7], (1..8).map(f64::from).collect::<Vec<_>>()).into());
        let rules = ValidityRules { mask, weights, ..ValidityRules::default() };
        let data = Problem::builder(column("x", 10)).target(column("t", 20)).rules(rules).build().unwrap();
        let Gathering { problem, fits } = data.grouped(Groups::Labels(labels)).unwrap().gathered().unwrap();
        assert_eq!(all_of(problem.x()), [12.0, 15.0, 10.0, 14.0, 16.0]);
        assert_eq!(all_of(problem.t().unwrap()), [22.0, 25.0, 20.0, 24.0, 26.0]);
        assert_eq!(all_of(problem.weights().unwrap()), [3.0, 6.0, 1.0, 5.0, 7.0]);
        assert_eq!(problem.fits().runs(0..5).collect::<Vec<_>>(), [(0, 0..2), (1, 2..4), (2, 4..5)]);
        assert_eq!(fits, [0, 2, 4]);
        assert_eq!((problem.x().label(), problem.x().element()), ("x", data_type::<i16>()));
    }

    fn data_type<E: Element>() -> crate::array::ElementType {
        E::TYPE
    }

    #[test]
    fn long_fits_are_cut_and_batches_hold_whole_ones() {
        // 1,000 fits of 2 elements and one of 1,000: a mean of 2.
        let lengths: Vec<u64> = std::iter::repeat_n(2, 1_000).chain([1_000]).collect();
        assert_eq!(most_elements(&lengths), LEAST_CUT);
        let (ends, fits) = runs(&lengths, 128);
        assert_eq!(ends.last(), Some(&3_000));
        assert_eq!(&fits[999..], [999, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000]);
        let noted = NOTED as u64;
        assert_eq!(batches(&[noted, 1, noted - 1, noted + 5, 0]), [0..1, 1..3, 3..4, 4..5]);
        assert_eq!(batches(&[3, 4]), [0..2; 1]);
    }
}
