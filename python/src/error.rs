//! The library's errors as Python's exceptions.

use std::io;
use std::path::Path;

use linfit::array::{DataError, Hinted};
use linfit::engine::EngineError;
use linfit::fit::FitError;
use linfit::io::DocumentError;
use pyo3::exceptions::{PyMemoryError, PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::hint::keywords;

pyo3::create_exception!(linfit, DeviceError, PyRuntimeError, "No usable device, or it was lost.");

/// The exception of a failure of a file's, or of data that cannot be fitted.
pub(crate) fn of_data(error: DataError) -> PyErr {
    let text = keywords(&error);
    match error {
        DataError::Io { path, source } | DataError::Write { path, source } => of_io(&path, source, text),
        DataError::Directory { .. }
        | DataError::Pipe { .. }
        | DataError::Spool { .. }
        | DataError::NoDirectory { .. }
        | DataError::Shrunk { .. }
        | DataError::Modified { .. }
        | DataError::Replaced { .. } => PyOSError::new_err(text),
        DataError::SystemMemory { .. } => PyMemoryError::new_err(text),
        DataError::ElementType { .. } | DataError::ColumnType { .. } => PyTypeError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}

/// An `OSError` of its kind (`FileNotFoundError`, …), with the number and the file.
fn of_io(path: &Path, source: io::Error, text: String) -> PyErr {
    let Some(number) = source.raw_os_error() else { return PyOSError::new_err(text) };
    let words = source.to_string();
    let words = words.split(" (os error").next().unwrap_or_default().to_owned();
    PyOSError::new_err((number, words, path.to_string_lossy().into_owned()))
}

/// The exception of a model that cannot be read.
pub(crate) fn of_document(error: DocumentError) -> PyErr {
    let text = keywords(&error);
    match error {
        DocumentError::Read { path, source } => of_io(&path, source, text),
        _ => PyValueError::new_err(text),
    }
}

/// The exception of a pass.
pub(crate) fn of_engine(error: EngineError) -> PyErr {
    match error {
        EngineError::Data(error) => of_data(error),
        EngineError::Gpu(_) | EngineError::Stalled { .. } => DeviceError::new_err(keywords(&error)),
        _ => PyValueError::new_err(keywords(&error)),
    }
}

/// The exception of a fit.
pub(crate) fn of_fit(error: FitError) -> PyErr {
    match error {
        FitError::Engine(error) => of_engine(error),
        _ => PyValueError::new_err(keywords(&error)),
    }
}

/// The exception of anything else that is wrong with an argument.
pub(crate) fn of_value(error: &impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// The exception of a value of a keyword that is none of those it takes.
pub(crate) fn of_choice(keyword: &str, given: &str, choices: &[&str]) -> PyErr {
    let choices: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    PyValueError::new_err(format!("{keyword}={given:?}: expected {}", choices.join(", ")))
}

/// Warns by `linfit.FitWarning`.
pub(crate) fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    let category = py.import("linfit")?.getattr("FitWarning")?;
    let text = std::ffi::CString::new(text.replace('\0', "")).map_err(|e| of_value(&e))?;
    PyErr::warn(py, &category, &text, 2)
}

/// Warns of what has a remedy.
pub(crate) fn warn_of(py: Python<'_>, message: &impl Hinted) -> PyResult<()> {
    warn(py, &keywords(message))
}
