use std::sync::Arc;

use super::array::RESIDENT_RUN_ELEMENTS;
use super::scan::Counted;
use super::validity::{Validity, ValidityRules};
use super::{Array, ChunkGrid, DataError, Fits, Groups, GroupsError, Order, choice};

/// The data of a fit: X and, unless only predictions are wanted, T of the
/// same shape, and the sample weight of each pair of elements.
///
/// A clone is a handle on the same arrays.
#[derive(Debug, Clone)]
pub struct Problem {
    parts: Arc<Parts>,
    grid: ChunkGrid,
    groups: Groups,
    fits: Fits,
}

#[derive(Debug)]
struct Parts {
    x: Array,
    t: Option<Array>,
    weights: Option<Array>,
    order: Order,
    counted: Counted,
}

impl Problem {
    /// X and the target T. Both must have the same shape, and every element
    /// must be a finite number.
    ///
    /// # Errors
    /// [`DataError::ShapeMismatch`], [`DataError::NotFinite`], [`DataError::NoElements`].
    pub fn pair(x: Array, t: Array) -> Result<Self, DataError> {
        Self::pair_within(x, t, u64::MAX)
    }

    /// X and the target T, like [`pair`](Self::pair), of which no more than
    /// `memory_bytes` shall be in memory at a time: if they are larger, every
    /// pass streams them from their files.
    ///
    /// # Errors
    /// Those of [`pair`](Self::pair); [`DataError::NotStreamed`] for data that
    /// have no file to be streamed from.
    pub fn pair_within(x: Array, t: Array, memory_bytes: u64) -> Result<Self, DataError> {
        Self::pair_with(x, t, memory_bytes, ValidityRules::default())
    }

    /// X and the target T, like [`pair_within`](Self::pair_within), of which
    /// only the pairs count that are no holes by these rules, each as much as
    /// they say.
    ///
    /// # Errors
    /// Those of [`pair_within`](Self::pair_within); [`DataError::NoneValid`],
    /// [`DataError::OtherShape`], [`DataError::Weights`], [`DataError::UnclearNodata`].
    pub fn pair_with(
        mut x: Array,
        mut t: Array,
        memory_bytes: u64,
        mut rules: ValidityRules,
    ) -> Result<Self, DataError> {
        check_choices([Some(&x), Some(&t), rules.mask.as_ref(), rules.weights.as_ref()])?;
        x.refuse_empty()?;
        t.refuse_empty()?;
        if x.shape() != t.shape() {
            return Err(DataError::ShapeMismatch {
                x: x.label().to_owned(),
                x_shape: x.shape().clone(),
                t: t.label().to_owned(),
                t_shape: t.shape().clone(),
            });
        }
        stream_beyond(
            memory_bytes,
            [Some(&mut x), Some(&mut t), rules.mask.as_mut(), rules.weights.as_mut()],
        )?;
        // Sums don't depend on the order, so the stored one is the best; two
        // different ones have to be matched element by element.
        let order = if t.is_stored_in(x.order()) { x.order() } else { Order::C };
        stream_in(
            order,
            memory_bytes,
            [Some(&mut x), Some(&mut t), rules.mask.as_mut(), rules.weights.as_mut()],
        )?;
        let counted = Counted::of(&x, Some(&t), order, &rules)?;
        let parts = Parts { x, t: Some(t), weights: rules.weights, order, counted };
        Ok(Self::of(parts))
    }

    /// X alone, to predict from.
    ///
    /// # Errors
    /// [`DataError::NotFinite`].
    pub fn inputs(x: Array) -> Result<Self, DataError> {
        Self::inputs_within(x, u64::MAX)
    }

    /// X alone, of which no more than `memory_bytes` shall be in memory at a
    /// time.
    ///
    /// # Errors
    /// Those of [`inputs`](Self::inputs); [`DataError::NotStreamed`].
    pub fn inputs_within(x: Array, memory_bytes: u64) -> Result<Self, DataError> {
        Self::inputs_with(x, memory_bytes, ValidityRules::default())
    }

    /// X alone, of which only the elements count that are no holes by these
    /// rules. Predictions are made from all of them, but those from holes mean
    /// nothing.
    ///
    /// # Errors
    /// Those of [`inputs_within`](Self::inputs_within) and
    /// [`pair_with`](Self::pair_with).
    pub fn inputs_with(x: Array, memory_bytes: u64, rules: ValidityRules) -> Result<Self, DataError> {
        let order = x.order();
        Self::inputs_in(order, x, memory_bytes, rules)
    }

    /// Like [`inputs_with`](Self::inputs_with), visited row by row however they
    /// are stored.
    ///
    /// # Errors
    /// Those of [`inputs_with`](Self::inputs_with).
    pub fn inputs_row_by_row(x: Array, memory_bytes: u64, rules: ValidityRules) -> Result<Self, DataError> {
        Self::inputs_in(Order::C, x, memory_bytes, rules)
    }

    fn inputs_in(
        order: Order,
        mut x: Array,
        memory_bytes: u64,
        mut rules: ValidityRules,
    ) -> Result<Self, DataError> {
        check_choices([Some(&x), None, rules.mask.as_ref(), rules.weights.as_ref()])?;
        stream_beyond(memory_bytes, [Some(&mut x), None, rules.mask.as_mut(), rules.weights.as_mut()])?;
        stream_in(order, memory_bytes, [Some(&mut x), None, rules.mask.as_mut(), rules.weights.as_mut()])?;
        let counted = Counted::of(&x, None, order, &rules)?;
        let parts = Parts { x, t: None, weights: rules.weights, order, counted };
        Ok(Self::of(parts))
    }

    /// One fit over all elements, which are the whole.
    fn of(parts: Parts) -> Self {
        let elements = parts.x.len() as u64;
        let (grid, groups, fits) = (ChunkGrid::of(elements), Groups::One, Fits::one(elements));
        Self { parts: Arc::new(parts), grid, groups, fits }
    }

    /// The same data with a fit for each group of elements.
    ///
    /// # Errors
    /// [`GroupsError`].
    pub fn grouped(self, groups: Groups) -> Result<Self, GroupsError> {
        let fits = Fits::of(groups, &self.grid, self.x().shape(), self.order(), self.len() as u64)?;
        Ok(Self { groups, fits, ..self })
    }

    /// The same data as a part of a bigger whole, of which their first element
    /// is the first one of chunk number `first_chunk`.
    ///
    /// # Errors
    /// [`GroupsError::TooFar`], [`GroupsError::WithinFit`].
    pub fn starting_at(self, first_chunk: u64) -> Result<Self, GroupsError> {
        let grid = self.grid.starting_at(first_chunk).ok_or(GroupsError::TooFar { first_chunk })?;
        let groups = self.groups;
        Self { grid, ..self }.grouped(groups)
    }

    /// The chunks that the elements are passed over in.
    #[must_use]
    pub fn grid(&self) -> ChunkGrid {
        self.grid
    }

    /// The fits that the elements belong to.
    #[must_use]
    pub fn fits(&self) -> Fits {
        self.fits
    }

    /// The inputs X.
    #[must_use]
    pub fn x(&self) -> &Array {
        &self.parts.x
    }

    /// The targets T, if there are any.
    #[must_use]
    pub fn t(&self) -> Option<&Array> {
        self.parts.t.as_ref()
    }

    /// How much each pair counts, unless each counts once: finite numbers above
    /// 0 wherever the pair is no hole.
    #[must_use]
    pub fn weights(&self) -> Option<&Array> {
        self.parts.weights.as_ref()
    }

    /// Σ w over the pairs that count: [`valid_len`](Self::valid_len), where there
    /// are no weights.
    #[must_use]
    pub fn weight_sum(&self) -> f64 {
        self.parts.counted.weight_sum
    }

    /// X, T and the weights, what there is of them.
    pub fn matrices(&self) -> impl Iterator<Item = &Array> {
        [Some(&self.parts.x), self.parts.t.as_ref(), self.parts.weights.as_ref()].into_iter().flatten()
    }

    /// The order in which elements are visited, the same for X, T, the weights
    /// and Y.
    #[must_use]
    pub fn order(&self) -> Order {
        self.parts.order
    }

    /// Fails if a file was changed since it was opened. Every pass asks for it
    /// at its end, before what it read is believed.
    ///
    /// # Errors
    /// [`DataError::Shrunk`], [`DataError::Modified`], [`DataError::Replaced`].
    pub fn check_intact(&self) -> Result<(), DataError> {
        self.matrices().try_for_each(Array::check_intact)
    }

    /// Says that the elements number `range` are not needed until the next
    /// pass; see [`Array::release`].
    pub fn release(&self, range: &std::ops::Range<usize>) {
        self.matrices().for_each(|matrix| matrix.release(self.order(), range.clone()));
    }

    /// Elements that a thread should go through at a time; see
    /// [`Array::run_elements`].
    #[must_use]
    pub fn run_elements(&self) -> usize {
        self.parts.x.run_elements()
    }

    /// Which pairs count, unless all do.
    #[must_use]
    pub fn validity(&self) -> Option<&Validity> {
        self.parts.counted.validity.as_ref()
    }

    /// The first pair that counts from number `k` on, which may be beyond the
    /// end.
    #[must_use]
    pub fn next_valid(&self, k: usize) -> Option<usize> {
        match self.validity() {
            Some(validity) => validity.next_from(k),
            None => Some(k).filter(|&k| k < self.len()),
        }
    }

    /// The number of pairs, or of elements of X, that count.
    #[must_use]
    pub fn valid_len(&self) -> u64 {
        self.validity().map_or(self.parts.x.len() as u64, Validity::count)
    }

    /// The number of elements of X.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.x.len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.x.is_empty()
    }
}

/// Fails if columns of one file were chosen by keys that contradict each other.
fn check_choices(matrices: [Option<&Array>; 4]) -> Result<(), DataError> {
    choice::check_all(matrices.into_iter().flatten().filter_map(Array::choice))
}

/// Has matrices streamed that take more memory together than they may.
fn stream_beyond(memory_bytes: u64, matrices: [Option<&mut Array>; 4]) -> Result<(), DataError> {
    let sum = |bytes: fn(&Array) -> u64| matrices.iter().flatten().map(|matrix| bytes(matrix)).sum::<u64>();
    if sum(Array::stored_bytes) <= memory_bytes {
        return Ok(());
    }
    let run = streamed_run(memory_bytes, sum(|matrix| matrix.element().size() as u64));
    matrices.into_iter().flatten().try_for_each(|matrix| matrix.stream_or_refuse(run))
}

/// Has matrices that are streamed stored in one order, by which they can be
/// visited without going back and forth in their files.
fn stream_in(order: Order, memory_bytes: u64, matrices: [Option<&mut Array>; 4]) -> Result<(), DataError> {
    matrices.into_iter().flatten().try_for_each(|matrix| matrix.stream_in(order, memory_bytes))
}

/// Elements that each thread may go through before it gives their memory
/// back, so that all threads together hold no more than `memory_bytes`. More
/// than 32 MiB at a time gain nothing: on Linux a streamed pass takes 47 ms
/// with runs of 64 Ki f32 pairs, 27.6 with 512 Ki, 24.1 with 2 Mi and 23 with
/// 4 Mi, against 17 ms with all pages in place.
fn streamed_run(memory_bytes: u64, pair_bytes: u64) -> usize {
    const MOST_BYTES: u64 = 32 << 20;
    let share = memory_bytes / rayon::current_num_threads() as u64;
    let elements = share.min(MOST_BYTES) / pair_bytes;
    usize::try_from(elements).unwrap_or(usize::MAX).max(RESIDENT_RUN_ELEMENTS)
}
