//! Engines against the reference.

use linfit::array::Problem;
use linfit::engine::gpu::{GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, EngineError, EngineKind, POINTS, ReferenceResult, TOLERANCE};
use linfit::math::Affine;
use linfit::report::{Comparison, EngineComparison, ReferenceValues};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::{EngineChoice, open_gpu_with};
use crate::error::{of_engine, of_value};
use crate::hint::keywords;
use crate::keywords::Keywords;
use crate::problem::Arguments;
use crate::run::{Cancelled, detached};

/// Compares every engine and adapter with the reference: the comparison as JSON and as
/// text, and whether all agree.
#[pyfunction]
pub(crate) fn compare(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    t: &Bound<'_, PyAny>,
    settings: &Bound<'_, PyDict>,
) -> PyResult<(String, String, bool)> {
    let Keywords { solver, engine, validity, watch, .. } = Keywords::of(settings)?;
    let tolerance = solver.tol.unwrap_or(TOLERANCE);
    if !(tolerance > 0.0 && tolerance.is_finite()) {
        return Err(PyValueError::new_err(format!("tol={tolerance:?}: expected a positive number")));
    }
    let [first, others @ ..] = POINTS;
    let is_given = solver.w0.is_some() || solver.b0.is_some();
    let at = Affine::new(solver.w0.unwrap_or(first.weight), solver.b0.unwrap_or(first.bias));
    if !at.is_finite() {
        return Err(PyValueError::new_err("w0= and b0= must be finite numbers"));
    }
    let precision = engine.precision.is_some();
    let choice = EngineChoice::of(py, engine, validity.memory, true)?;
    let arguments = Arguments::of(x, t, &validity)?;
    let work = move |cancelled: &Cancelled| {
        let data = arguments.problem(false)?;
        let reference = ReferenceResult::of(&data, at, if is_given { &[] } else { others.as_slice() })?;
        let results = results(&choice, precision, &data, &reference, tolerance, cancelled)?;
        let reference = ReferenceValues::from(&reference);
        Ok::<_, EngineError>(Comparison { n: data.valid_len(), tolerance, reference, results })
    };
    let comparison = detached(py, watch.threads, work)?.map_err(of_engine)?;
    let json = serde_json::to_string(&comparison).map_err(|e| of_value(&e))?;
    Ok((json, comparison.to_string(), comparison.ok()))
}

/// The comparisons of the engines that are asked for; without a choice, of all.
fn results(
    choice: &EngineChoice,
    has_precision: bool,
    data: &Problem,
    reference: &ReferenceResult,
    tolerance: f64,
    cancelled: &Cancelled,
) -> Result<Vec<EngineComparison>, EngineError> {
    let compared = |opened: Result<Box<dyn Engine>, EngineError>, engine, adapter: Option<&str>| {
        let measured = opened
            .and_then(|mut engine| EngineComparison::measure(reference, data, engine.as_mut(), tolerance));
        let failed =
            |error| EngineComparison { error: Some(keywords(&error)), ..EngineComparison::default() };
        let adapter = adapter.map(str::to_owned);
        EngineComparison { engine, adapter, ..measured.unwrap_or_else(failed) }
    };
    let mut results = Vec::new();
    if choice.kind != Some(EngineKind::Gpu) && choice.adapter.is_none() {
        results.push(compared(Ok(Box::new(Cpu::new(data))), "cpu", None));
    }
    if choice.kind == Some(EngineKind::Cpu) {
        return Ok(results);
    }
    let needs_one = choice.kind == Some(EngineKind::Gpu) || choice.adapter.is_some();
    let adapters = match choice.adapters() {
        Ok(adapters) => adapters,
        Err(error) if needs_one => return Err(error.into()),
        Err(_) => return Ok(results),
    };
    let chosen: Vec<_> = match &choice.adapter {
        Some(wanted) => vec![adapters.choose(Some(wanted))?],
        None if needs_one && adapters.is_empty() => vec![adapters.choose(None)?],
        None => adapters.iter().collect(),
    };
    for adapter in chosen {
        // Without a choice, every precision that the adapter offers.
        let precisions = if has_precision {
            vec![choice.settings.precision]
        } else {
            Precision::ALL.into_iter().filter(|precision| precision.check(adapter).is_ok()).collect()
        };
        for precision in precisions {
            if cancelled.is_set() {
                return Ok(results);
            }
            let settings = GpuSettings { precision, ..choice.settings };
            let opened = open_gpu_with(adapter, data, settings);
            let result = compared(opened, "gpu", Some(adapter.name()));
            results.push(EngineComparison { precision: Some(precision.name()), ..result });
        }
    }
    Ok(results)
}
