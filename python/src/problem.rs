//! The problem of a fit from what Python gave.

use linfit::array::{Array as Elements, DataError, MaskedArray, MemoryPlan, Problem, ValidityRules};
use linfit::io::{Opened, check_keys};
use numpy::PyUntypedArray;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::array::Array;
use crate::buffer::array_of;

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

/// Which elements are valid, and how much they weigh.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Validity<'py> {
    weights: Option<Bound<'py, PyAny>>,
    mask: Option<Bound<'py, PyAny>>,
    x_nodata: Option<f64>,
    t_nodata: Option<f64>,
    valid_range: Option<[f64; 2]>,
    memory: Option<u64>,
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

impl Arguments {
    pub(crate) fn of(x: &Bound<'_, PyAny>, t: &Bound<'_, PyAny>, validity: &Validity<'_>) -> PyResult<Self> {
        let given = |name, array: &Option<Bound<'_, PyAny>>| {
            array.as_ref().map(|array| Input::of(name, array)).transpose()
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

    /// The checked problem.
    pub(crate) fn problem(self) -> Result<Problem, DataError> {
        let Self { x, t, weights, mask, rules, memory } = self;
        let all = [Some(&x), Some(&t), weights.as_ref(), mask.as_ref()];
        check_keys(all.into_iter().flatten().filter_map(Input::opened))?;
        // What is in memory stays there; files are streamed beyond a bound.
        let are_files = all.into_iter().flatten().all(|input| input.opened().is_some());
        let memory = match memory {
            Some(bytes) => MemoryPlan::new(bytes),
            None if are_files => MemoryPlan::new(half_of_free()),
            None => MemoryPlan::UNBOUNDED,
        };
        let (weights, mask) = (weights.map(MaskedArray::from), mask.map(MaskedArray::from));
        let rules = ValidityRules { weights, mask, ..rules };
        Problem::builder(x).target(t).rules(rules).memory(memory).build()
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
