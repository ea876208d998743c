//! The problem of a fit from what Python gave.

use linfit::array::{
    Array as Elements, DataError, MaskedArray, MemoryPlan, Problem, ProblemBuilder, ValidityRules,
};
use linfit::engine::EngineError;
use linfit::io::{Metadata, Opened, check_keys};
use numpy::PyUntypedArray;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::array::Array;
use crate::buffer::array_of;
use crate::grouping::{Grouped, Grouping};

/// An array of a file or of NumPy.
#[expect(clippy::large_enum_variant, reason = "a call has a handful of them")]
pub(crate) enum Input {
    File(Opened),
    Memory(Elements),
}

impl Input {
    /// The array that an argument is.
    pub(crate) fn of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(array) = given.cast::<PyUntypedArray>() {
            return Ok(Self::Memory(array_of(name, array)?));
        }
        match given.cast::<Array>() {
            Ok(array) => Ok(Self::File(array.get().0.clone())),
            Err(_) => Err(PyTypeError::new_err(format!("{name}: expected an array"))),
        }
    }

    fn rank(&self) -> usize {
        match self {
            Self::File(opened) => opened.shape().0.len(),
            Self::Memory(array) => array.shape().0.len(),
        }
    }

    fn opened(&self) -> Option<&Opened> {
        match self {
            Self::File(opened) => Some(opened),
            Self::Memory(_) => None,
        }
    }
}

impl From<Input> for MaskedArray {
    fn from(input: Input) -> Self {
        match input {
            Input::File(opened) => opened.into(),
            Input::Memory(array) => array.into(),
        }
    }
}

crate::keywords::keywords! {
    /// Which elements are valid, and how much they weigh.
    Validity {
        weights: Py<PyAny>,
        mask: Py<PyAny>,
        x_nodata: f64,
        t_nodata: f64,
        valid_range: [f64; 2],
        memory: u64,
    }
}

/// X, T and the rules, to be built where no interpreter is needed.
pub(crate) struct Arguments {
    x: Input,
    t: Input,
    weights: Option<Input>,
    mask: Option<Input>,
    rules: ValidityRules,
    memory: Option<u64>,
}

/// A problem of many fits.
pub(crate) struct ManyProblem {
    pub(crate) problem: Problem,
    pub(crate) grouped: Grouped,
    /// What the file of T says.
    pub(crate) metadata: Metadata,
}

impl Arguments {
    pub(crate) fn of(x: &Bound<'_, PyAny>, t: &Bound<'_, PyAny>, validity: &Validity) -> PyResult<Self> {
        let py = x.py();
        let given = |name, array: &Option<Py<PyAny>>| {
            array.as_ref().map(|array| Input::of(name, array.bind(py))).transpose()
        };
        let (x_nodata, t_nodata, valid_range) = (validity.x_nodata, validity.t_nodata, validity.valid_range);
        Ok(Self {
            x: Input::of("x", x)?,
            t: Input::of("t", t)?,
            weights: given("weights", &validity.weights)?,
            mask: given("mask", &validity.mask)?,
            rules: ValidityRules { x_nodata, t_nodata, valid_range, ..ValidityRules::default() },
            memory: validity.memory,
        })
    }

    /// The checked problem, gone through row by row if batches ask for that.
    pub(crate) fn problem(self, row_by_row: bool) -> Result<Problem, DataError> {
        let builder = self.builder()?;
        if row_by_row { builder.row_by_row() } else { builder }.build()
    }

    /// The checked problem of many fits.
    pub(crate) fn many(self, grouping: Grouping) -> Result<ManyProblem, EngineError> {
        let rank = self.t.rank();
        let metadata = self.t.opened().map_or_else(Metadata::default, |t| t.metadata().clone());
        let memory_bytes = self.plan().array_bytes(3);
        let along = grouping.along(rank);
        let mut builder = self.builder()?.row_by_row();
        if let Some(along) = along {
            builder = builder.along(along);
        }
        let grouped = grouping.grouped(rank, memory_bytes)?;
        let problem = builder.build()?.grouped(grouped.groups.clone())?;
        Ok(ManyProblem { problem, grouped, metadata })
    }

    fn all(&self) -> impl Iterator<Item = &Input> {
        [Some(&self.x), Some(&self.t), self.weights.as_ref(), self.mask.as_ref()].into_iter().flatten()
    }

    /// What is in memory stays there; files are streamed beyond a bound.
    fn plan(&self) -> MemoryPlan {
        match self.memory {
            Some(bytes) => MemoryPlan::new(bytes),
            None if self.all().all(|input| input.opened().is_some()) => MemoryPlan::new(half_of_free()),
            None => MemoryPlan::UNBOUNDED,
        }
    }

    fn builder(self) -> Result<ProblemBuilder, DataError> {
        check_keys(self.all().filter_map(Input::opened))?;
        let memory = self.plan();
        let Self { x, t, weights, mask, rules, .. } = self;
        let (weights, mask) = (weights.map(MaskedArray::from), mask.map(MaskedArray::from));
        let rules = ValidityRules { weights, mask, ..rules };
        Ok(Problem::builder(x).target(t).rules(rules).memory(memory))
    }
}

/// Half of the memory that is free now; no bound where the system doesn't tell.
pub(crate) fn half_of_free() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return u64::MAX };
    system.refresh_memory();
    match system.available_memory() / 2 {
        0 => u64::MAX,
        half => half,
    }
}
