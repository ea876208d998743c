//! Moments of parts of the data, which add up.

use linfit::array::DataError;
use linfit::engine::EngineError;
use linfit::fit::Method;
use linfit::math;
use linfit::report::FitReport;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

use crate::engine::EngineChoice;
use crate::error::{of_engine, of_fit, of_value, warn_of};
use crate::keywords::Keywords;
use crate::problem::Arguments;
use crate::result;
use crate::run::detached;
use crate::watch::Watch;

/// The moments of X and T, which determine the loss at every W and b, and with them
/// the least-squares line. Those of parts add up to those of the whole.
#[pyclass(module = "linfit", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Moments(math::Moments);

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
        let Keywords { engine, validity, watch, .. } = Keywords::of(settings)?;
        let choice = EngineChoice::of(py, engine, validity.memory, false)?;
        let arguments = Arguments::of(x, t, &validity)?;
        let work = move |_: &_| -> Result<_, EngineError> {
            let data = match arguments.problem(false) {
                Ok(data) => data,
                // Nothing adds nothing.
                Err(DataError::NoneValid { .. }) => return Ok(Default::default()),
                Err(error) => return Err(error.into()),
            };
            let mut engine = choice.open(&data)?;
            Ok((engine.all_moments()?, engine.take_notices()))
        };
        let (moments, notices) = detached(py, watch.threads, work)?.map_err(of_engine)?;
        notices.iter().try_for_each(|notice| warn_of(py, notice))?;
        Ok(Self(moments))
    }

    /// The line of the data, by the closed form or by steps from the moments.
    fn _fit(&self, py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<result::Result> {
        let Keywords { solver, watch: seen, .. } = Keywords::of(settings)?;
        let solver = solver.solver()?;
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
        let keeps_history = seen.history.unwrap_or(true) && solver.method != Method::Exact;
        let watch = Watch::new(keeps_history, seen.callback);
        let work = move |cancelled: &crate::run::Cancelled| {
            let mut watch = watch;
            let solved = solver.solve_moments(&moments, &mut |state| watch.see(state, cancelled));
            (solved, watch)
        };
        let (solution, watch) = detached(py, Some(1), work)?;
        if let Some(raised) = watch.raised {
            return Err(raised);
        }
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
