//! The result of a fit.

use linfit::fit::StopReason;
use linfit::report::{FitReport, Robustness};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::error::of_value;
use crate::watch::Row;

/// The result of a fit, of which the Python sources make a `linfit.Fit`.
#[pyclass(module = "linfit._linfit", frozen)]
pub(crate) struct Result {
    pub(crate) report: FitReport,
    pub(crate) rows: Option<Vec<Row>>,
}

#[pymethods]
impl Result {
    /// The numbers of the fit by their names; NaN where the data determine none.
    fn numbers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = &self.report;
        let statistics = &report.statistics;
        let known = |number: Option<f64>| number.unwrap_or(f64::NAN);
        let numbers = PyDict::new(py);
        numbers.set_item("weight", report.weight)?;
        numbers.set_item("bias", report.bias)?;
        numbers.set_item("loss", report.loss)?;
        numbers.set_item("grad_weight", report.grad_weight)?;
        numbers.set_item("grad_bias", report.grad_bias)?;
        numbers.set_item("n", report.n)?;
        numbers.set_item("excluded", report.excluded.map_or(0, linfit::array::Excluded::total))?;
        numbers.set_item("steps", report.steps)?;
        numbers.set_item("solver", report.solver.to_string())?;
        numbers.set_item("learning_rate", known(report.learning_rate))?;
        numbers.set_item("stop_reason", reason(report.stop_reason))?;
        numbers.set_item("r2", known(statistics.r2))?;
        numbers.set_item("r", known(statistics.r))?;
        numbers.set_item("residual_std", known(statistics.residual_std))?;
        numbers.set_item("stderr_weight", known(statistics.stderr_weight))?;
        numbers.set_item("stderr_bias", known(statistics.stderr_bias))?;
        numbers.set_item("p_value", known(statistics.p_value))?;
        numbers.set_item("lr_max", known(statistics.lr_max))?;
        numbers.set_item("lr_best", known(statistics.lr_best))?;
        numbers.set_item("condition", known(statistics.condition))?;
        numbers.set_item("scale", known(report.robust.map(|robust| robust.scale)))?;
        numbers.set_item("rounds", report.robust.map_or(0, |robust| robust.rounds))?;
        numbers.set_item("rejected", report.robust.map_or(0, |robust| robust.rejected))?;
        numbers.set_item("unsettled", report.robust.and_then(Robustness::unsettled))?;
        numbers.set_item("far_by", known(report.far_by))?;
        numbers.set_item("engine", report.engine.to_string())?;
        Ok(numbers)
    }

    /// The rows of the history, 48 bytes each; None if it was not kept.
    fn history<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.rows.as_ref().map(|rows| PyBytes::new(py, bytemuck::cast_slice(rows)))
    }

    /// The summary.
    fn text(&self) -> String {
        self.report.to_string()
    }

    /// The same as JSON, which `linfit predict` reads.
    fn json(&self) -> PyResult<String> {
        serde_json::to_string_pretty(&self.report).map_err(|e| of_value(&e))
    }
}

fn reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Steps => "steps",
        StopReason::Tolerance => "tolerance",
        StopReason::Diverged => "diverged",
        StopReason::Interrupted => "interrupted",
        StopReason::Exact => "exact",
        StopReason::Patience => "patience",
    }
}
