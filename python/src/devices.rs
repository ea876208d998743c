//! The engines and adapters of the machine.

use linfit::engine::Cpu;
use linfit::engine::gpu::{self, Adapters, Listed};
use pyo3::prelude::*;

use crate::engine::{interpreter, limit, verdict};
use crate::error::of_value;
use crate::run::detached;

/// The CPU engine in words, every adapter as JSON, and the number of the best real
/// GPU.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<(String, String, Option<usize>)> {
    let program = interpreter(py);
    let (cpu, listed) = detached(py, None, move |_| {
        let adapters = Adapters::allowed_by(&verdict(program.as_deref()));
        (Cpu::describe(), Listed::of(&adapters))
    })?;
    Ok((cpu, serde_json::to_string(&listed.adapters).map_err(|e| of_value(&e))?, listed.real_gpu))
}

/// Opens every adapter and tells how far it comes: for a process of its own.
#[pyfunction]
pub(crate) fn answer_trial(py: Python<'_>, key: &str) -> PyResult<()> {
    Ok(py.detach(|| gpu::answer(key, limit()))?)
}
