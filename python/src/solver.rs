//! The solver that keywords ask for.

use std::fmt::Display;
use std::str::FromStr;

use linfit::fit::{GradientDescent, Method, Solver, StepsPerSubmit, Update};
use linfit::math::{Affine, LineKind, Loss, RobustWeight};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{of_choice, of_fit, of_value};

/// The keywords of a solver. Those of steps are `None` if not given, so that none is
/// ignored where there are no steps.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Settings {
    solver: String,
    line: String,
    robust: Option<String>,
    loss: Option<String>,
    lr: Option<Rate>,
    steps: Option<u64>,
    tol: Option<f64>,
    rtol: Option<f64>,
    w0: Option<f64>,
    b0: Option<f64>,
    momentum: Option<f64>,
    dampening: Option<f64>,
    nesterov: Option<bool>,
    weight_decay: Option<f64>,
    schedule: Option<String>,
    standardize: Option<bool>,
    force: Option<bool>,
    update: Option<String>,
    steps_per_submit: Option<u32>,
}

#[derive(FromPyObject)]
enum Rate {
    Fixed(f64),
    Named(String),
}

impl Settings {
    /// The solver, of which the settings are checked.
    pub(crate) fn solver(&self) -> PyResult<Solver> {
        let method = match self.solver.as_str() {
            "exact" => Method::Exact,
            "moments" => Method::Moments,
            "sgd" => Method::GradientDescent,
            other => return Err(of_choice("solver", other, &["exact", "moments", "sgd"])),
        };
        let line = parsed("line", &self.line)?;
        let robust: Option<RobustWeight> =
            self.robust.as_deref().map(|text| parsed("robust", text)).transpose()?;
        let loss = self.loss.as_deref().map(|text| parsed("loss", text)).transpose()?.unwrap_or_default();
        self.refuse_unused(method, line)?;
        refuse_contradictions(method, line, robust, loss)?;
        let default = GradientDescent::default();
        let best_rate = match &self.lr {
            Some(Rate::Named(name)) if name == "auto" => true,
            Some(Rate::Named(name)) => {
                return Err(PyValueError::new_err(format!("lr={name:?}: expected a number or \"auto\"")));
            }
            _ => false,
        };
        let learning_rate = match self.lr {
            Some(Rate::Fixed(rate)) => rate,
            _ => default.learning_rate,
        };
        let first_weight = match line {
            LineKind::Offset { weight } => weight,
            _ => default.start.weight,
        };
        let schedule = self.schedule.as_deref().map(|text| parsed("schedule", text)).transpose()?;
        let descent = GradientDescent {
            momentum: self.momentum.unwrap_or(default.momentum),
            dampening: self.dampening.unwrap_or(default.dampening),
            nesterov: self.nesterov.unwrap_or(default.nesterov),
            weight_decay: self.weight_decay.unwrap_or(default.weight_decay),
            schedule: schedule.unwrap_or(default.schedule),
            learning_rate,
            steps: self.steps.unwrap_or(default.steps),
            tolerance: self.tol.unwrap_or(default.tolerance),
            start: Affine::new(self.w0.unwrap_or(first_weight), self.b0.unwrap_or(0.0)),
            loss,
            update: self.update()?,
            ..default
        };
        let solver = Solver {
            method,
            line,
            robust,
            descent,
            best_rate,
            relative_tolerance: self.rtol.unwrap_or(0.0),
            standardize: self.standardize.unwrap_or(false),
            force: self.force.unwrap_or(false),
        };
        solver.check().map_err(of_fit)?;
        Ok(solver)
    }

    /// Refuses keywords that have no meaning for the solver.
    fn refuse_unused(&self, method: Method, line: LineKind) -> PyResult<()> {
        let (fixes_weight, fixes_bias) =
            (matches!(line, LineKind::Offset { .. }), matches!(line, LineKind::ThroughOrigin { .. }));
        let given = |given: bool, keyword| given.then_some(keyword);
        let steps = [
            given(self.steps.is_some(), "steps"),
            given(self.lr.is_some(), "lr"),
            given(self.tol.is_some(), "tol"),
            given(self.rtol.is_some(), "rtol"),
            given(self.w0.is_some() && !fixes_weight, "w0"),
            given(self.b0.is_some() && !fixes_bias, "b0"),
            given(self.momentum.is_some(), "momentum"),
            given(self.dampening.is_some(), "dampening"),
            given(self.nesterov.is_some(), "nesterov"),
            given(self.weight_decay.is_some(), "weight_decay"),
            given(self.schedule.is_some(), "schedule"),
            given(self.standardize.is_some(), "standardize"),
            given(self.force.is_some(), "force"),
        ];
        let passes = [
            given(self.update.is_some(), "update"),
            given(self.steps_per_submit.is_some(), "steps_per_submit"),
        ];
        let first = |keywords: &[Option<&'static str>]| keywords.iter().copied().flatten().next();
        let (unused, why) = match method {
            Method::GradientDescent => (None, ""),
            Method::Moments => (first(&passes), "steps from the moments on the host"),
            Method::Exact => (first(&steps).or(first(&passes)), "takes no steps"),
        };
        match unused {
            Some(keyword) => Err(PyValueError::new_err(format!(
                "solver=\"{method}\" {why}; remove {keyword}=, or use solver=\"sgd\""
            ))),
            None if self.tol.is_some() && self.rtol.is_some() => {
                Err(PyValueError::new_err("tol= and rtol= are two tolerances; give one of them"))
            }
            None => Ok(()),
        }
    }

    fn update(&self) -> PyResult<Update> {
        let steps = self.steps_per_submit.map(StepsPerSubmit::fixed).transpose();
        let steps = steps.map_err(|error| of_value(&format!("steps_per_submit: {error}")))?;
        match (self.update.as_deref().unwrap_or("auto"), steps) {
            ("auto", None) => Ok(Update::Auto),
            ("host", None) => Ok(Update::Host),
            ("host", Some(_)) => Err(PyValueError::new_err(
                "steps_per_submit= is for updates on the device; use it with update=\"device\" or \"auto\"",
            )),
            ("device" | "auto", steps) => Ok(Update::Device(steps.unwrap_or_default())),
            (other, _) => Err(of_choice("update", other, &["auto", "host", "device"])),
        }
    }
}

/// The value of a keyword that is a text.
fn parsed<T: FromStr<Err: Display>>(keyword: &str, text: &str) -> PyResult<T> {
    text.parse().map_err(|error| of_value(&format!("{keyword}={text:?}: {error}")))
}

/// Refuses lines and losses that the method does not find.
fn refuse_contradictions(
    method: Method,
    line: LineKind,
    robust: Option<RobustWeight>,
    loss: Loss,
) -> PyResult<()> {
    let without_steps = if let Some(weight) = robust {
        Some(format!("robust=\"{}\"", weight.name()))
    } else {
        line.is_symmetric().then(|| format!("line=\"{line}\""))
    };
    if let Some(keyword) = without_steps.filter(|_| method != Method::Exact) {
        return Err(PyValueError::new_err(format!(
            "{keyword} is found without steps, not by descent; use solver=\"exact\""
        )));
    }
    if loss != Loss::Squared && method != Method::GradientDescent {
        return Err(PyValueError::new_err(format!(
            "solver=\"{method}\" takes the mean squared error, and not loss=\"{loss}\"; use solver=\"sgd\", or \
             robust=\"huber\", which needs no learning rate"
        )));
    }
    Ok(())
}
