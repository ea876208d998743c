//! Passes over labelled elements, of which any may belong to any fit.
//!
//! Few fits have sums for each of them in every task, and those of tasks are merged
//! in order. Of many, each chunk's pairs are first sorted into buckets of fits whose
//! sums fit into the second-level cache, and a task then owns the sums of a bucket
//! for all chunks: every fit has its pairs in their order, on any number of threads.
//! A chunk that has most of its pairs in one bucket adds these up by itself, so that
//! a group of most elements is not left to one thread.

use std::collections::BTreeMap;
use std::ops::Range;

use super::strided::Room;
use crate::array::parallel;
use crate::array::{Array, Members, NO_GROUP, Problem};
use crate::engine::frame::Frame;
use crate::engine::{CHUNK, SumsAt, chunks};
use crate::math::{Affine, Loss, LossSums, Moments, SumsAccumulator};

/// The sums of one fit, to which pairs are added one by one.
pub(super) trait OneFit: Copy + Send + Sync {
    /// The elements that they stand for.
    type Value: Copy + Send + Sync;

    fn add(&mut self, x: f64, t: f64, w: f64);

    fn value(&self) -> Self::Value;
}

/// The moments of one fit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OneMoments {
    n: u64,
    weight: f64,
    x_shift: f64,
    t_shift: f64,
    x: f64,
    t: f64,
    xx: f64,
    xt: f64,
    tt: f64,
}

impl OneFit for OneMoments {
    type Value = Moments;

    /// Moves the means and the sums about them (D. H. D. West, 1979), in distances
    /// from the first pair.
    #[inline]
    fn add(&mut self, x: f64, t: f64, w: f64) {
        if self.n == 0 {
            (self.x_shift, self.t_shift) = (x, t);
        }
        self.n += 1;
        let sum = self.weight + w;
        let share = w / sum;
        let kept = self.weight * share;
        let (dx, dt) = (x - self.x_shift - self.x, t - self.t_shift - self.t);
        self.x += share * dx;
        self.t += share * dt;
        self.xx += kept * dx * dx;
        self.xt += kept * dx * dt;
        self.tt += kept * dt * dt;
        self.weight = sum;
    }

    fn value(&self) -> Moments {
        if self.n == 0 {
            return Moments::default();
        }
        let (x, t) = ([self.x_shift, self.x], [self.t_shift, self.t]);
        Moments::about_means(self.n, self.weight, x, t, [self.xx, self.xt, self.tt])
    }
}

/// The loss sums of one fit at a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneSums {
    /// The point as it is, and as the pairs are read.
    at: Affine,
    there: Affine,
    sums: SumsAccumulator,
}

impl OneSums {
    pub(super) fn new(at: Affine, there: Affine) -> Self {
        Self { at, there, sums: SumsAccumulator::default() }
    }
}

impl OneFit for OneSums {
    type Value = SumsAt;

    #[inline]
    fn add(&mut self, x: f64, t: f64, w: f64) {
        let r = self.there.apply(x) - t;
        self.sums.add(LossSums { n: 1, weight_sum: w, rr: w * r * r, rx: w * r * x, r: w * r });
    }

    fn value(&self) -> SumsAt {
        SumsAt { at: self.at, loss: Loss::Squared, sums: self.sums }
    }
}

/// Fits of which every task has sums of its own.
const FEW_FITS: usize = 1 << 13;

/// Elements of such a task.
const TASK_ELEMENTS: usize = 1 << 18;

/// Fits of a bucket.
const BUCKET_FITS: usize = 1 << 13;

/// Chunks that are sorted before their pairs are added.
const SORTED_CHUNKS: usize = 32;

/// Pairs of a chunk in one bucket that it adds up by itself.
const MANY_PAIRS: usize = CHUNK / 4;

/// The labelled pairs of a problem.
pub(super) struct Labelled<'d> {
    pub(super) data: &'d Problem,
    pub(super) t: &'d Array,
    pub(super) frame: &'d Frame,
}

/// A pair and its fit.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    x: f64,
    t: f64,
    w: f64,
    fit: u32,
}

/// The pairs of a chunk by buckets.
struct Sorted<V> {
    /// The first pair of each bucket, and the end.
    starts: Vec<u32>,
    pairs: Vec<Pair>,
    /// The sums of fits of buckets with many pairs, which `pairs` lack.
    sums: BTreeMap<usize, Vec<(u32, V)>>,
}

impl Labelled<'_> {
    /// The values of all fits over a range of elements.
    pub(super) fn values<O: OneFit>(
        &self,
        elements: Range<usize>,
        fits: usize,
        one: impl Fn(usize) -> O + Sync,
        merge: impl Fn(O::Value, O::Value) -> O::Value + Sync,
    ) -> Vec<O::Value> {
        if fits <= FEW_FITS {
            self.of_few(elements, fits, &one, &merge)
        } else {
            self.of_many(elements, fits, &one, &merge)
        }
    }

    fn of_few<O: OneFit>(
        &self,
        elements: Range<usize>,
        fits: usize,
        one: &(impl Fn(usize) -> O + Sync),
        merge: &(impl Fn(O::Value, O::Value) -> O::Value + Sync),
    ) -> Vec<O::Value> {
        let tasks: Vec<_> = chunks(elements, TASK_ELEMENTS).collect();
        let parts: Vec<Vec<O::Value>> = parallel::map(tasks.len(), |k| {
            let mut all: Vec<O> = (0..fits).map(one).collect();
            self.each_pair(tasks[k].clone(), |pair| all[pair.fit as usize].add(pair.x, pair.t, pair.w));
            self.data.release(&tasks[k]);
            all.iter().map(OneFit::value).collect()
        });
        merged(parts, merge).unwrap_or_else(|| (0..fits).map(|fit| one(fit).value()).collect())
    }

    fn of_many<O: OneFit>(
        &self,
        elements: Range<usize>,
        fits: usize,
        one: &(impl Fn(usize) -> O + Sync),
        merge: &(impl Fn(O::Value, O::Value) -> O::Value + Sync),
    ) -> Vec<O::Value> {
        let mut all: Vec<O> = parallel::map(fits, one);
        let mut sums: Vec<BTreeMap<u32, O::Value>> =
            (0..fits.div_ceil(BUCKET_FITS)).map(|_| BTreeMap::new()).collect();
        let tasks: Vec<_> = chunks(elements, CHUNK).collect();
        for tasks in tasks.chunks(SORTED_CHUNKS) {
            let sorted: Vec<Sorted<O::Value>> = parallel::map(tasks.len(), |k| {
                let sorted = self.sorted(tasks[k].clone(), fits, one);
                self.data.release(&tasks[k]);
                sorted
            });
            let buckets = all.chunks_mut(BUCKET_FITS).zip(&mut sums).enumerate();
            parallel::for_each(buckets, |(bucket, (all, sums))| {
                for sorted in &sorted {
                    let pairs = sorted.starts[bucket] as usize..sorted.starts[bucket + 1] as usize;
                    for pair in &sorted.pairs[pairs] {
                        all[pair.fit as usize % BUCKET_FITS].add(pair.x, pair.t, pair.w);
                    }
                    for &(fit, value) in sorted.sums.get(&bucket).into_iter().flatten() {
                        sums.entry(fit).and_modify(|sum| *sum = merge(*sum, value)).or_insert(value);
                    }
                }
            });
        }
        let mut values: Vec<O::Value> = parallel::map(fits, |fit| all[fit].value());
        for (&fit, &sum) in sums.iter().flatten() {
            values[fit as usize] = merge(sum, values[fit as usize]);
        }
        values
    }

    /// The pairs of a chunk in the order of their buckets and, in each, their own.
    fn sorted<O: OneFit>(
        &self,
        chunk: Range<usize>,
        fits: usize,
        one: &impl Fn(usize) -> O,
    ) -> Sorted<O::Value> {
        let buckets = fits.div_ceil(BUCKET_FITS);
        let mut given = Vec::with_capacity(chunk.len());
        let mut counts = vec![0u32; buckets];
        self.each_pair(chunk, |pair| {
            counts[pair.fit as usize / BUCKET_FITS] += 1;
            given.push(pair);
        });
        let mut own: BTreeMap<usize, BTreeMap<u32, O>> = BTreeMap::new();
        for (bucket, count) in
            counts.iter_mut().enumerate().filter(|(_, count)| **count as usize >= MANY_PAIRS)
        {
            own.insert(bucket, BTreeMap::new());
            *count = 0;
        }
        let mut next = Vec::with_capacity(buckets + 1);
        let mut start = 0;
        for count in &counts {
            next.push(start);
            start += count;
        }
        next.push(start);
        let starts = next.clone();
        let mut pairs = vec![Pair::default(); start as usize];
        for pair in given {
            let bucket = pair.fit as usize / BUCKET_FITS;
            // There is hardly ever one.
            if !own.is_empty()
                && let Some(own) = own.get_mut(&bucket)
            {
                let own = own.entry(pair.fit).or_insert_with(|| one(pair.fit as usize));
                own.add(pair.x, pair.t, pair.w);
                continue;
            }
            pairs[next[bucket] as usize] = pair;
            next[bucket] += 1;
        }
        let values = |own: BTreeMap<u32, O>| own.into_iter().map(|(fit, one)| (fit, one.value())).collect();
        Sorted { starts, pairs, sums: own.into_iter().map(|(bucket, own)| (bucket, values(own))).collect() }
    }

    /// Calls `each` with the valid pairs of a range that belong to a fit, in order.
    fn each_pair(&self, range: Range<usize>, mut each: impl FnMut(Pair)) {
        let (data, mut room, mut fits) = (self.data, Room::default(), Vec::new());
        let mut numbers = Vec::new();
        for block in chunks(range, 1 << 10) {
            let is_given = data.weights().is_some()
                || data
                    .validity()
                    .is_some_and(|validity| !super::blocks::contains_all(validity, &block, data.len()));
            room.read(data, self.t, self.frame, block.clone(), is_given);
            let ids = match data.fits().members() {
                Members::Labels(labels) => &labels.ids()[block.clone()],
                Members::Regular(_) | Members::Runs(_) => {
                    data.fits().fill(block.clone(), &mut numbers);
                    fits.clear();
                    fits.extend(numbers.iter().map(|&fit| u32::try_from(fit).unwrap_or(NO_GROUP)));
                    &fits[..]
                }
            };
            for (k, &fit) in ids.iter().enumerate() {
                let w = if is_given { room.ws[k] } else { 1.0 };
                if fit != NO_GROUP && w > 0.0 {
                    each(Pair { x: room.xs[k], t: room.ts[k], w, fit });
                }
            }
        }
    }
}

/// The values of all parts, merged two and two.
pub(super) fn merged<V: Copy>(mut parts: Vec<Vec<V>>, merge: &impl Fn(V, V) -> V) -> Option<Vec<V>> {
    while parts.len() > 1 {
        let mut pairs = parts.into_iter();
        let mut next = Vec::new();
        while let Some(mut first) = pairs.next() {
            if let Some(second) = pairs.next() {
                first.iter_mut().zip(second).for_each(|(one, other)| *one = merge(*one, other));
            }
            next.push(first);
        }
        parts = next;
    }
    parts.pop()
}
