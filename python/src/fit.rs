//! One fit over all elements.

use std::time::Instant;

use linfit::array::Validity as ValidPairs;
use linfit::engine::{Engine, EngineError, Notice};
use linfit::fit::{FitError, Method, Solution, Solver};
use linfit::report::{FitReport, Robustness, Solved, Timings};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::EngineChoice;
use crate::error::{of_fit, warn_of};
use crate::keywords::Keywords;
use crate::problem::Arguments;
use crate::result;
use crate::run::{Cancelled, detached};
use crate::watch::Watch;

/// Fits T by X·W + b.
#[pyfunction]
pub(crate) fn fit(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    t: &Bound<'_, PyAny>,
    settings: &Bound<'_, PyDict>,
) -> PyResult<result::Result> {
    let Keywords { solver, engine, validity, watch, .. } = Keywords::of(settings)?;
    let solver = solver.solver()?;
    let many_passes = solver.method == Method::GradientDescent && solver.batches.is_none();
    let choice = EngineChoice::of(py, engine, validity.memory, many_passes)?;
    let arguments = Arguments::of(x, t, &validity)?;
    let keeps_history = watch.history.unwrap_or(true) && solver.method != Method::Exact;
    let seen = Watch::new(keeps_history, watch.callback);
    let work = move |cancelled: &Cancelled| fitted(arguments, &choice, &solver, seen, cancelled);
    let (done, watch) = detached(py, watch.threads, work)?;
    if let Some(raised) = watch.raised {
        return Err(raised);
    }
    let Done { report, notices } = done.map_err(of_fit)?;
    notices.iter().try_for_each(|notice| warn_of(py, notice))?;
    Ok(result::Result { report, rows: watch.rows })
}

struct Done {
    report: FitReport,
    notices: Vec<Notice>,
}

fn fitted(
    arguments: Arguments,
    choice: &EngineChoice,
    solver: &Solver,
    mut watch: Watch,
    cancelled: &Cancelled,
) -> (Result<Done, FitError>, Watch) {
    let fitted = || -> Result<Done, FitError> {
        let started = Instant::now();
        let data = arguments.problem(solver.batches.is_some()).map_err(EngineError::from)?;
        let load_s = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let mut engine = choice.open(&data)?;
        let prepare_s = started.elapsed().as_secs_f64();
        let solution = solver.solve(engine.as_mut(), &mut |state| watch.see(state, cancelled))?;
        let timings =
            Timings { load_s, prepare_s, moments_s: solution.moments_seconds, ..Timings::default() };
        let mut report = report_of(&solution, solver.method, engine.as_ref(), timings);
        report.excluded = data.validity().map(ValidPairs::excluded);
        report.robust = solution
            .robust
            .as_ref()
            .zip(solver.rounds())
            .map(|(found, rounds)| Robustness::of(&rounds, found));
        report.weight_sum = data.weights().map(|_| data.weight_sum());
        Ok(Done { report, notices: engine.take_notices() })
    };
    let done = fitted();
    (done, watch)
}

fn report_of(solution: &Solution, method: Method, engine: &dyn Engine, timings: Timings) -> FitReport {
    let Solution { fit, line, descent, batches, moments, curvature, statistics, .. } = solution.clone();
    let solved = Solved { method, line, sgd: descent, batches, moments, curvature, statistics };
    FitReport::new(&fit, &solved, engine.info().clone(), engine.pass_bytes(), timings)
}
