//! Moments of parts of the data, which add up.

use linfit::array::DataError;
use linfit::engine::EngineError;
use linfit::fit::Method;
use linfit::math;
use linfit::report::FitReport;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

use crate::engine::{self, EngineChoice};
use crate::error::{of_engine, of_fit, of_value, warn_of};
use crate::problem::{Arguments, Validity};
use crate::result;
use crate::run::detached;
use crate::solver;
use crate::watch::Watch;

/// The moments of X and T, which determine the loss at every W and b, and with them
/// the least-squares line. Those of parts add up to those of the whole.
#[pyclass(module = "linfit", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Moments(math::Moments);

/// The number of threads; without it, all cores.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Threads {
    threads: Option<usize>,
}

#[pymethods]
impl Moments {
    /// The moments of two arrays.
    #[staticmethod]
    fn _of(
        py: Python<'_>,
        x: &Bound<'_, PyAny>,
        t: &Bound<'_, PyAny>,
        settings: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let choice = EngineChoice::of(py, settings.extract::<engine::Settings>()?)?;
        let arguments = Arguments::of(x, t, &settings.extract::<Validity<'_>>()?)?;
        let Threads { threads } = settings.extract()?;
        let work = move |_: &_| -> Result<_, EngineError> {
            let data = match arguments.problem() {
                Ok(data) => data,
                // Nothing adds nothing.
                Err(DataError::NoneValid { .. }) => return Ok(Default::default()),
                Err(error) => return Err(error.into()),
            };
            let mut engine = choice.open(&data, false)?;
            Ok((engine.all_moments()?, engine.take_notices()))
        };
        let (moments, notices) = detached(py, threads, work)?.map_err(of_engine)?;
        notices.iter().try_for_each(|notice| warn_of(py, notice))?;
        Ok(Self(moments))
    }

    /// The line of the data, by the closed form or by steps from the moments.
    fn _fit(&self, py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<result::Result> {
        let solver = settings.extract::<solver::Settings>()?.solver()?;
        if solver.method == Method::GradientDescent {
            return Err(PyValueError::new_err(
                "solver=\"sgd\" passes over the data for each step; use solver=\"moments\", which takes the same \
                 steps from the moments",
            ));
        }
        if solver.robust.is_some() {
            return Err(PyValueError::new_err("robust= passes over the data in rounds; use linfit.fit"));
        }
        let moments = self.0;
        let watch = Watch::new(solver.method != Method::Exact, None);
        let work = move |cancelled: &crate::run::Cancelled| {
            let mut watch = watch;
            let solved = solver.solve_moments(&moments, &mut |state| watch.see(state, cancelled));
            (solved, watch)
        };
        let (solution, watch) = detached(py, Some(1), work)?;
        let solution = solution.map_err(of_fit)?;
        Ok(result::Result {
            report: FitReport::from_moments(&solution, solver.method, "from moments".to_owned()),
            rows: watch.rows,
        })
    }

    /// Those of the elements of both.
    fn __add__(&self, other: PyRef<'_, Self>) -> Self {
        Self(self.0.merge(other.0))
    }

    /// The moments of all parts, combined two and two: the same parts in the same order
    /// give the same bits.
    #[staticmethod]
    fn merge(parts: Vec<PyRef<'_, Self>>) -> PyResult<Self> {
        if parts.is_empty() {
            return Err(PyValueError::new_err("there are no moments to merge"));
        }
        let parts: Vec<math::Moments> = parts.iter().map(|part| part.0).collect();
        Ok(Self(math::Moments::of_parts(&parts)))
    }

    /// The number of valid pairs of elements.
    #[getter]
    fn n(&self) -> u64 {
        self.0.n
    }

    /// The sum of the sample weights: n, where there are none.
    #[getter]
    fn weight_sum(&self) -> f64 {
        math::scaled(self.0.weight_sum, -self.0.weight_exponent())
    }

    /// The mean of X.
    #[getter]
    fn x_mean(&self) -> f64 {
        self.0.x_mean()
    }

    /// The mean of T.
    #[getter]
    fn t_mean(&self) -> f64 {
        self.0.t_mean()
    }

    /// The moments as bytes, for another process or a later day.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &serde_json::to_vec(&(VERSION, &self.0)).map_err(|e| of_value(&e))?))
    }

    /// The moments of such bytes.
    #[classmethod]
    fn from_bytes(_: &Bound<'_, PyType>, bytes: &[u8]) -> PyResult<Self> {
        let unreadable =
            || PyValueError::new_err("these bytes are no moments that this version of linfit wrote");
        let (version, moments): (u32, math::Moments) =
            serde_json::from_slice(bytes).map_err(|_| unreadable())?;
        // The bytes may be anyone's.
        if version == VERSION && moments.is_possible() { Ok(Self(moments)) } else { Err(unreadable()) }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let py = slf.py();
        Ok((py.get_type::<Self>().getattr("from_bytes")?, (slf.get().to_bytes(py)?,)))
    }

    fn __repr__(&self) -> String {
        let (n, x, t) = (self.0.n, self.0.x_mean(), self.0.t_mean());
        format!("linfit.Moments(n={n}, x_mean={x:?}, t_mean={t:?})")
    }
}

/// The version of the bytes.
const VERSION: u32 = 1;
