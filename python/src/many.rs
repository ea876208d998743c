//! Many fits at once: one for each group of elements.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use linfit::array::{Shape, Validity as ValidPairs};
use linfit::engine::{EngineError, Notice};
use linfit::fit::{FitError, FitRow, ManyFits, Solver, StopReason};
use linfit::io::Metadata;
use linfit::io::fits::{self, FitsFormat, FitsPlan, Keys, write_fits};
use linfit::math::{Affine, LineKind, Moments};
use linfit::report::{ManyReport, Timings, far_by};
use numpy::PyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::engine::EngineChoice;
use crate::error::{of_data, of_fit, of_value, warn_of};
use crate::grouping::Grouping;
use crate::keywords::Keywords;
use crate::problem::Arguments;
use crate::run::{Cancelled, detached};

/// The results of many fits, of which the Python sources make a `linfit.Fits`.
#[pyclass(module = "linfit._linfit", frozen)]
pub(crate) struct ManyResult {
    pub(crate) fits: ManyFits,
    pub(crate) report: ManyReport,
    pub(crate) keys: Keys,
    pub(crate) wholes: Option<Vec<i128>>,
    pub(crate) texts: Option<Vec<String>>,
    pub(crate) metadata: Metadata,
    /// The descents that ended far from their least-squares lines.
    pub(crate) far: u64,
}

/// Fits T by X·W + b within each group of elements.
#[pyfunction]
pub(crate) fn fit_many(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    t: &Bound<'_, PyAny>,
    settings: &Bound<'_, PyDict>,
) -> PyResult<ManyResult> {
    let Keywords { solver, engine, validity, grouping, watch } = Keywords::of(settings)?;
    let solver = solver.solver()?;
    solver.check_many().map_err(of_fit)?;
    let grouping = grouping
        .grouping(py)?
        .ok_or_else(|| PyValueError::new_err("give the groups by axis=, groups=, tile= or window="))?;
    let choice = EngineChoice::of(py, engine, validity.memory, false)?;
    let arguments = Arguments::of(x, t, &validity)?;
    let work = move |cancelled: &Cancelled| fitted(arguments, grouping, &choice, &solver, cancelled);
    let (result, notices) = detached(py, watch.threads, work)?.map_err(of_fit)?;
    notices.iter().try_for_each(|notice| warn_of(py, notice))?;
    Ok(result)
}

fn fitted(
    arguments: Arguments,
    grouping: Grouping,
    choice: &EngineChoice,
    solver: &Solver,
    cancelled: &Cancelled,
) -> Result<(ManyResult, Vec<Notice>), FitError> {
    let started = Instant::now();
    let window = if let Grouping::Window(window) = grouping { Some(window) } else { None };
    let many = arguments.many(grouping)?;
    let data = many.problem;
    let load_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let mut engine = choice.open(&data)?;
    let prepare_s = started.elapsed().as_secs_f64();
    let mut observe =
        |_, _| if cancelled.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let started = Instant::now();
    let (fits, moments) = match window {
        Some(window) => (solver.solve_windows(engine.as_mut(), window, &mut observe)?, Vec::new()),
        None => solver.solve_many(engine.as_mut(), &mut observe)?,
    };
    let timings = Timings { load_s, prepare_s, fit_s: started.elapsed().as_secs_f64(), ..Timings::default() };
    let far = if solver.line == LineKind::LeastSquares { ended_far(&fits, &moments) } else { 0 };
    let mut report =
        ManyReport::new(&fits, &many.grouped.keys, solver.method, engine.info().clone(), timings);
    report.n = data.valid_len();
    report.excluded = data.validity().map(ValidPairs::excluded);
    report.weight_sum = data.weights().map(|_| data.weight_sum());
    let result = ManyResult {
        fits,
        report,
        keys: many.grouped.keys,
        wholes: many.grouped.wholes,
        texts: many.grouped.texts,
        metadata: many.metadata,
        far,
    };
    let notices = engine.take_notices();
    Ok((result, notices))
}

/// The number of descents that ended far from their least-squares lines.
fn ended_far(fits: &ManyFits, moments: &[Moments]) -> u64 {
    if fits.steps == 0 {
        return 0;
    }
    let is_far = |(row, moments): &(&FitRow, &Moments)| {
        !row.is_degenerate() && far_by(row.model(), row.loss, Affine::default(), moments).is_some()
    };
    fits.rows.iter().zip(moments).filter(is_far).count() as u64
}

#[pymethods]
impl ManyResult {
    /// The numbers of all fits by their names, row by row.
    fn numbers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let numbers = PyDict::new(py);
        let columns: [fn(&FitRow) -> f64; 7] = [
            |row| row.weight,
            |row| row.bias,
            |row| row.loss,
            |row| row.r2,
            |row| row.residual_std,
            |row| row.stderr_weight,
            |row| row.stderr_bias,
        ];
        let names = FitRow::NAMES.into_iter().filter(|name| *name != "n");
        for (name, column) in names.zip(columns) {
            numbers.set_item(name, PyArray1::from_iter(py, self.fits.rows.iter().map(column)))?;
        }
        #[expect(clippy::cast_possible_wrap, reason = "no array has 2^63 elements")]
        let counts = self.fits.rows.iter().map(|row| row.n as i64);
        numbers.set_item("n", PyArray1::from_iter(py, counts))?;
        Ok(numbers)
    }

    /// The shape in which they are numbered.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.fits.shape.0)
    }

    /// What all of them have in common.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stopped = |reason| {
            self.fits.stopped.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
        };
        let facts = PyDict::new(py);
        facts.set_item("elements", self.report.n)?;
        facts.set_item("excluded", self.report.excluded.map_or(0, linfit::array::Excluded::total))?;
        facts.set_item("degenerate", self.report.fits.degenerate)?;
        facts.set_item("steps", self.report.steps)?;
        facts.set_item("solver", self.report.solver.to_string())?;
        facts.set_item("engine", self.report.engine.to_string())?;
        facts.set_item("diverged", stopped(StopReason::Diverged))?;
        facts.set_item("far", self.far)?;
        Ok(facts)
    }

    /// The labels: whole numbers, or texts of a file; None if the fits have none, or the
    /// caller has them.
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match (&self.wholes, &self.texts) {
            (Some(wholes), _) => Some(wholes.into_pyobject(py)?.into_any()),
            (None, Some(texts)) => Some(texts.into_pyobject(py)?.into_any()),
            (None, None) => None,
        })
    }

    /// The summary.
    fn text(&self) -> String {
        self.report.to_string()
    }

    /// The summary as JSON.
    fn json(&self) -> PyResult<String> {
        serde_json::to_string_pretty(&self.report).map_err(|e| of_value(&e))
    }

    /// Writes the fits in the format of the name, which `linfit predict` reads.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let format = FitsFormat::of(&path).map_err(of_data)?;
        let summary = if format == FitsFormat::Json { Some(self.json()?) } else { None };
        py.detach(|| {
            let plan = FitsPlan {
                shape: &self.fits.shape,
                names: &FitRow::NAMES,
                numbers: &|fit| self.fits.rows[fit].numbers(),
                count: self.fits.rows.len(),
                keys: &self.keys,
                metadata: &self.metadata,
                summary: summary.as_deref(),
            };
            write_fits(&path, format, &plan)
        })
        .map_err(of_data)
    }
}

/// The fits of a file: their shape, the kind of their groups, what tells these (axes,
/// extents or labels), W and b; None if it holds one model.
#[pyfunction]
pub(crate) fn load_fits(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyTuple>>> {
    let Some(fits) = py.detach(|| fits::load_fits(&path)).map_err(of_data)? else { return Ok(None) };
    let Shape(shape) = &fits.shape;
    let (kind, what) = match &fits.keys {
        Keys::Along(axes) => ("along", axes.into_pyobject(py)?.into_any()),
        Keys::Numbering(axes) => ("numbering", axes.into_pyobject(py)?.into_any()),
        Keys::Tiles { rows, columns } => ("tile", [*rows, *columns].into_pyobject(py)?.into_any()),
        Keys::Labels(linfit::array::LabelNames::Whole(labels)) => {
            ("groups", labels.into_pyobject(py)?.into_any())
        }
        Keys::Labels(linfit::array::LabelNames::Text(labels)) => {
            ("groups", labels.into_pyobject(py)?.into_any())
        }
    };
    let (weight, bias) = (PyArray1::from_vec(py, fits.weight), PyArray1::from_vec(py, fits.bias));
    (PyTuple::new(py, shape)?, kind, what, weight, bias).into_pyobject(py).map(Some)
}

/// The failure of a problem that cannot be grouped.
pub(crate) fn of_many(error: EngineError) -> PyErr {
    of_fit(FitError::from(error))
}
