//! The keywords of a call, as a dictionary of those that are given.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::{engine, grouping, problem, solver, watch};

/// Defines a struct of keywords, `None` where one is not given or None.
macro_rules! keywords {
    ($(#[$about:meta])* $name:ident { $($field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Default)]
        pub(crate) struct $name {
            $(pub(crate) $field: Option<$kind>,)*
        }

        impl $name {
            /// Takes a keyword, if it is one of these.
            pub(crate) fn take(
                &mut self,
                name: &str,
                value: &pyo3::Bound<'_, pyo3::PyAny>,
            ) -> pyo3::PyResult<bool> {
                use pyo3::types::PyAnyMethods;
                match name {
                    $(stringify!($field) => {
                        let found = value.extract::<$kind>();
                        self.$field = Some(found.map_err(|error| $crate::keywords::wrong(name, value, error.into()))?);
                    })*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}
pub(crate) use keywords;

/// All keywords there are. A function that has no use for some of them refuses these
/// in Python, where its signature is.
#[derive(Default)]
pub(crate) struct Keywords {
    pub(crate) solver: solver::Settings,
    pub(crate) engine: engine::Settings,
    pub(crate) validity: problem::Validity,
    pub(crate) grouping: grouping::Settings,
    pub(crate) watch: watch::Settings,
}

impl Keywords {
    /// Those of a dictionary.
    ///
    /// # Errors
    /// `TypeError` for an unknown name, and for a value of another type.
    pub(crate) fn of(given: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut all = Self::default();
        for (name, value) in given {
            if value.is_none() {
                continue;
            }
            let name = name.cast::<PyString>()?.to_str()?;
            let is_known = all.solver.take(name, &value)?
                || all.engine.take(name, &value)?
                || all.validity.take(name, &value)?
                || all.grouping.take(name, &value)?
                || all.watch.take(name, &value)?;
            if !is_known {
                return Err(PyTypeError::new_err(format!("unexpected keyword argument '{name}'")));
            }
        }
        Ok(all)
    }
}

/// A value that a keyword cannot have.
pub(crate) fn wrong(name: &str, given: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    Python::attach(|py| {
        let given = given.repr().map_or_else(|_| "…".to_owned(), |repr| repr.to_string());
        let text = format!("{name}={given}: {}", error.value(py));
        if error.is_instance_of::<PyTypeError>(py) {
            PyTypeError::new_err(text)
        } else {
            PyValueError::new_err(text)
        }
    })
}
