//! The observer of every step: the history, the callback, Ctrl-C.

use std::ops::ControlFlow;

use linfit::fit::State;
use pyo3::prelude::*;

use crate::run::Cancelled;

/// A row of the history, as NumPy's structured array has it.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Row {
    step: u64,
    loss: f64,
    grad_weight: f64,
    grad_bias: f64,
    weight: f64,
    bias: f64,
}

crate::keywords::keywords! {
    /// The keywords of a fit that is watched.
    Settings {
        threads: usize,
        history: bool,
        callback: Py<PyAny>,
    }
}

pub(crate) struct Watch {
    pub(crate) rows: Option<Vec<Row>>,
    callback: Option<Py<PyAny>>,
    /// What the callback raised.
    pub(crate) raised: Option<PyErr>,
}

impl Watch {
    pub(crate) fn new(keeps_history: bool, callback: Option<Py<PyAny>>) -> Self {
        Self { rows: keeps_history.then(Vec::new), callback, raised: None }
    }

    pub(crate) fn see(&mut self, state: &State, cancelled: &Cancelled) -> ControlFlow<()> {
        let (step, model, evaluation) = (state.step, state.model, state.evaluation);
        if let Some(rows) = &mut self.rows {
            let (loss, grad_weight, grad_bias) =
                (evaluation.loss, evaluation.grad_weight, evaluation.grad_bias);
            rows.push(Row { step, loss, grad_weight, grad_bias, weight: model.weight, bias: model.bias });
        }
        if cancelled.is_set() {
            return ControlFlow::Break(());
        }
        if let Some(callback) = &self.callback {
            let arguments = (step, evaluation.loss, model.weight, model.bias);
            let called = Python::attach(|py| callback.call1(py, arguments).map(drop));
            if let Err(error) = called {
                self.raised = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}
