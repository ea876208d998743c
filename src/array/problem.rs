use std::sync::Arc;

use super::masked::MaskedArray;
use super::memory::MemoryPlan;
use super::scan::Scan;
use super::validity::{Validity, ValidityRules};
use super::{Array, ChunkGrid, DataError, Fits, Groups, GroupsError, Order, Shape};

/// The data of a fit: X and, unless only predictions are wanted, T of the
/// same shape, and the sample weights of the pairs of elements.
///
/// A clone is a handle on the same arrays.
#[derive(Debug, Clone)]
pub struct Problem {
    parts: Arc<Parts>,
    grid: ChunkGrid,
    groups: Groups,
    fits: Fits,
    chunks_apart: bool,
}

#[derive(Debug)]
struct Parts {
    x: Array,
    t: Option<Array>,
    weights: Option<Array>,
    order: Order,
    scan: Scan,
}

/// A problem in the making: see [`Problem::builder`].
#[derive(Debug)]
pub struct ProblemBuilder {
    x: MaskedArray,
    t: Option<MaskedArray>,
    rules: ValidityRules,
    memory: MemoryPlan,
    order: Option<Order>,
    along: Option<Vec<usize>>,
    may_be_none: bool,
}

impl ProblemBuilder {
    /// Fits to the targets T, of X's shape, rather than only predict from X. Shapes that
    /// differ only by axes of one index are the same: the problem has that of T.
    #[must_use]
    pub fn target(self, t: impl Into<MaskedArray>) -> Self {
        Self { t: Some(t.into()), ..self }
    }

    /// Excludes elements by rules, and weights the others as they say.
    #[must_use]
    pub fn rules(self, rules: ValidityRules) -> Self {
        Self { rules, ..self }
    }

    /// Holds no more than so many bytes of elements in memory at a time: if they
    /// are larger, every pass streams them from their files. Without it there is
    /// no bound.
    #[must_use]
    pub fn memory_bytes(self, memory_bytes: u64) -> Self {
        self.memory(MemoryPlan::new(memory_bytes))
    }

    /// Holds no more elements in memory than a plan says, as
    /// [`memory_bytes`](Self::memory_bytes) does.
    #[must_use]
    pub fn memory(self, memory: MemoryPlan) -> Self {
        Self { memory, ..self }
    }

    /// Has every pass go through the elements row by row, however they are stored.
    #[must_use]
    pub fn row_by_row(self) -> Self {
        Self { order: Some(Order::C), ..self }
    }

    /// Takes data without a valid pair, too: a part of others, which adds nothing to them.
    #[must_use]
    pub fn may_be_none(self) -> Self {
        Self { may_be_none: true, ..self }
    }

    /// Lets X have these axes of T alone, along which fits run: it is then the same for
    /// each.
    #[must_use]
    pub fn along(self, axes: impl IntoIterator<Item = usize>) -> Self {
        let mut along: Vec<usize> = axes.into_iter().collect();
        along.sort_unstable();
        Self { along: Some(along), ..self }
    }

    /// The checked problem.
    ///
    /// # Errors
    /// [`DataError::NoElements`], [`DataError::ShapeMismatch`],
    /// [`DataError::NotFinite`], [`DataError::NotStreamed`],
    /// [`DataError::NoneValid`], [`DataError::OtherShape`], [`DataError::Weights`],
    /// [`DataError::WeightsScale`], [`DataError::UnclearNodata`].
    pub fn build(mut self) -> Result<Problem, DataError> {
        if let Some(MaskedArray { array: t, .. }) = &self.t {
            self.x.array.refuse_empty()?;
            t.refuse_empty()?;
            let (label, shape) = (t.label().to_owned(), t.shape().clone());
            self.arrays().into_iter().for_each(|array| array.squeeze_to(&shape));
            self.rules.selection = self.rules.selection.take().map(|selection| selection.squeezed_to(&shape));
            if self.x.array.shape() != &shape
                && let Some(repeated) = self.repeated(&shape)
            {
                self.x.array = repeated;
            }
            let x = &self.x.array;
            if x.shape() != &shape {
                return Err(DataError::ShapeMismatch {
                    x: x.label().to_owned(),
                    x_shape: x.shape().clone(),
                    t: label,
                    t_shape: shape,
                });
            }
        }
        self.stream_beyond_memory()?;
        // Sums don't depend on the order, so the stored one is the best; two
        // different ones have to be matched element by element.
        let stored = self.x.array.order();
        let is_of_t = self.t.as_ref().is_none_or(|t| t.array.is_stored_in(stored));
        let order = self.order.unwrap_or(if is_of_t { stored } else { Order::C });
        let memory = self.memory;
        self.arrays().into_iter().try_for_each(|array| array.stream_in(order, memory))?;
        let scan = if self.may_be_none { Scan::of_any } else { Scan::of };
        let scan = scan(&self.x, self.t.as_ref(), order, &self.rules)?;
        let array = |masked: Option<MaskedArray>| masked.map(|masked| masked.array);
        let parts =
            Parts { x: self.x.array, t: array(self.t), weights: array(self.rules.weights), order, scan };
        Ok(Problem::of(parts))
    }

    /// X repeated to the shape of T: along axes of which it has only one index, or if it
    /// has just the axes that fits run along. Nulls are numbered by X's own shape.
    fn repeated(&self, shape: &Shape) -> Option<Array> {
        let MaskedArray { array: x, missing } = &self.x;
        if missing.valid.is_some() {
            return None;
        }
        let mut extents = x.shape().0.clone();
        if extents.len() != shape.0.len() {
            let along = self.along.as_ref().filter(|along| along.len() == extents.len())?;
            let mut own = extents.iter();
            extents = (0..shape.0.len())
                .map(|axis| if along.contains(&axis) { own.next().copied().unwrap_or(1) } else { 1 })
                .collect();
        }
        x.reshaped(&Shape(extents))?.broadcast_to(shape)
    }

    /// All arrays there are.
    fn arrays(&mut self) -> Vec<&mut Array> {
        let ValidityRules { mask, weights, .. } = &mut self.rules;
        let masked = [Some(&mut self.x), self.t.as_mut(), mask.as_mut(), weights.as_mut()];
        masked
            .into_iter()
            .flatten()
            .map(|masked| &mut masked.array)
            .filter(|array| !array.is_repeated())
            .collect()
    }

    /// Has all arrays streamed if they take more memory together than they may.
    fn stream_beyond_memory(&mut self) -> Result<(), DataError> {
        let memory = self.memory;
        let arrays = self.arrays();
        if memory.holds(arrays.iter().map(|array| array.stored_bytes()).sum()) {
            return Ok(());
        }
        let run = memory.run_elements(arrays.iter().map(|array| array.element().size() as u64).sum());
        arrays.into_iter().try_for_each(|array| array.try_stream(run))
    }
}

impl Problem {
    /// X and the target T. Both must have the same shape, and every element that
    /// is not missing must be a finite number.
    ///
    /// # Errors
    /// [`DataError::ShapeMismatch`], [`DataError::NotFinite`],
    /// [`DataError::NoElements`], [`DataError::NoneValid`],
    /// [`DataError::UnclearNodata`].
    pub fn pair(x: impl Into<MaskedArray>, t: impl Into<MaskedArray>) -> Result<Self, DataError> {
        Self::builder(x).target(t).build()
    }

    /// X alone, to predict from.
    ///
    /// # Errors
    /// [`DataError::NotFinite`], [`DataError::UnclearNodata`].
    pub fn inputs(x: impl Into<MaskedArray>) -> Result<Self, DataError> {
        Self::builder(x).build()
    }

    /// A problem of X, with a target and settings to be given.
    ///
    /// ```
    /// use linfit::array::{Array, Problem, ValidityRules};
    ///
    /// let x = Array::from_vec("x", &[3], vec![1.0, 2.0, -9.0]);
    /// let t = Array::from_vec("t", &[3], vec![3.0, 5.0, 7.0]);
    /// let rules = ValidityRules { x_nodata: Some(-9.0), ..ValidityRules::default() };
    /// let problem = Problem::builder(x).target(t).rules(rules).build()?;
    /// assert_eq!((problem.len(), problem.valid_len()), (3, 2));
    /// # Ok::<(), linfit::array::DataError>(())
    /// ```
    #[must_use]
    pub fn builder(x: impl Into<MaskedArray>) -> ProblemBuilder {
        ProblemBuilder {
            x: x.into(),
            t: None,
            rules: ValidityRules::default(),
            memory: MemoryPlan::UNBOUNDED,
            order: None,
            along: None,
            may_be_none: false,
        }
    }

    /// One fit over all elements, which are the whole.
    fn of(parts: Parts) -> Self {
        let elements = parts.x.len() as u64;
        let (grid, groups, fits) = (ChunkGrid::of(elements), Groups::One, Fits::one(elements));
        Self { parts: Arc::new(parts), grid, groups, fits, chunks_apart: false }
    }

    /// The same data with a fit for each group of elements.
    ///
    /// # Errors
    /// [`GroupsError`].
    pub fn grouped(self, groups: Groups) -> Result<Self, GroupsError> {
        let fits = Fits::of(&groups, &self.grid, self.x().shape(), self.order(), self.len() as u64)?;
        Ok(Self { groups, fits, ..self })
    }

    /// The same data as a part of a bigger whole, of which their first element
    /// is the first one of chunk number `first_chunk`.
    ///
    /// # Errors
    /// [`GroupsError::TooFar`], [`GroupsError::WithinFit`].
    pub fn starting_at(self, first_chunk: u64) -> Result<Self, GroupsError> {
        let grid = self.grid.starting_at(first_chunk).ok_or(GroupsError::TooFar { first_chunk })?;
        let groups = self.groups.clone();
        Self { grid, ..self }.grouped(groups)
    }

    /// The same data, of which partial results keep each chunk apart: for a shard of
    /// which it is not known yet where in the whole it begins.
    #[must_use]
    pub fn with_chunks_apart(self) -> Self {
        Self { chunks_apart: true, ..self }
    }

    /// Whether partial results keep each chunk apart.
    #[must_use]
    pub fn has_chunks_apart(&self) -> bool {
        self.chunks_apart
    }

    /// The chunks that the elements are passed over in.
    #[must_use]
    pub fn grid(&self) -> ChunkGrid {
        self.grid
    }

    /// The fits that the elements belong to.
    #[must_use]
    pub fn fits(&self) -> &Fits {
        &self.fits
    }

    /// The number of elements of each fit, where these are grouped in runs.
    #[must_use]
    pub fn fit_elements(&self) -> Option<u64> {
        if self.fits.is_one() { None } else { self.fits.run_elements() }
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

    /// The sample weights of the pairs, unless each is 1: finite numbers above 0
    /// wherever the pair is valid.
    #[must_use]
    pub fn weights(&self) -> Option<&Array> {
        self.parts.weights.as_ref()
    }

    /// Σ w over the valid pairs: [`valid_len`](Self::valid_len), where there are
    /// no weights.
    #[must_use]
    pub fn weight_sum(&self) -> f64 {
        self.parts.scan.weight_sum
    }

    /// X and, if there are any, T and the weights.
    pub fn matrices(&self) -> impl Iterator<Item = &Array> {
        [Some(&self.parts.x), self.parts.t.as_ref(), self.parts.weights.as_ref()].into_iter().flatten()
    }

    /// The order in which every pass goes through the elements, the same for X, T,
    /// the weights and Y.
    #[must_use]
    pub fn order(&self) -> Order {
        self.parts.order
    }

    /// Fails if a file was changed since it was opened. Every pass asks for it
    /// at its end, before the elements that it read are believed.
    ///
    /// # Errors
    /// [`DataError::Shrunk`], [`DataError::Modified`], [`DataError::Replaced`].
    pub fn check_intact(&self) -> Result<(), DataError> {
        self.matrices().try_for_each(Array::check_intact)
    }

    /// Releases the memory of the elements number `range` until the next pass; see
    /// [`Array::release`].
    pub fn release(&self, range: &std::ops::Range<usize>) {
        self.matrices().for_each(|array| array.release(self.parts.order, range.clone()));
    }

    /// The elements that a thread should go through at a time; see
    /// [`Array::run_elements`].
    #[must_use]
    pub fn run_elements(&self) -> usize {
        self.parts.x.run_elements()
    }

    /// The valid pairs, unless all are.
    #[must_use]
    pub fn validity(&self) -> Option<&Validity> {
        self.parts.scan.validity.as_ref()
    }

    /// The first valid pair from number `k` on, which may be beyond the end.
    #[must_use]
    pub fn next_valid(&self, k: usize) -> Option<usize> {
        match self.validity() {
            Some(validity) => validity.next_from(k),
            None => Some(k).filter(|&k| k < self.len()),
        }
    }

    /// The first valid pair of a range of the elements; nothing beyond it is
    /// looked at.
    #[must_use]
    pub fn first_valid(&self, range: &std::ops::Range<usize>) -> Option<usize> {
        match self.validity() {
            Some(validity) => validity.first_in(range),
            None => Some(range.start).filter(|k| range.contains(k)),
        }
    }

    /// The number of valid pairs in a range.
    #[must_use]
    pub(crate) fn valid_in(&self, range: &std::ops::Range<usize>) -> u64 {
        self.validity().map_or(range.len() as u64, |validity| validity.count_in(range))
    }

    /// The number of valid pairs, or elements of X.
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
