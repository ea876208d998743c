//! The extension module of the Python package: NumPy arrays and files to linfit's
//! arrays, settings to its solvers, results and errors back. What needs no Rust is in
//! the Python sources beside it.

#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands arguments over by value")]

mod array;
mod buffer;
mod compare;
mod devices;
mod engine;
mod error;
mod fit;
mod grouping;
mod hint;
mod keywords;
mod many;
mod many_moments;
mod moments;
mod predict;
mod problem;
mod result;
mod run;
mod solver;
mod watch;

use pyo3::prelude::*;

/// The module `linfit._linfit`.
#[pymodule(gil_used = false)]
mod _linfit {
    #[pymodule_export]
    use super::array::{Array, open, open_pair};
    #[pymodule_export]
    use super::compare::compare;
    #[pymodule_export]
    use super::devices::{answer_trial, devices};
    #[pymodule_export]
    use super::error::DeviceError;
    #[pymodule_export]
    use super::fit::fit;
    #[pymodule_export]
    use super::many::{ManyResult, fit_many, load_fits};
    #[pymodule_export]
    use super::many_moments::ManyMoments;
    #[pymodule_export]
    use super::moments::Moments;
    #[pymodule_export]
    use super::predict::{load_model, predict_into};
    #[pymodule_export]
    use super::result::Result;

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
