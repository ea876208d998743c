//! The solver that keywords ask for.

use std::fmt::Display;
use std::str::FromStr;

use linfit::array::Shuffle;
use linfit::fit::{BatchDescent, GradientDescent, Method, Solver, StepsPerSubmit, Update};
use linfit::math::{Affine, LineKind, Loss, RobustWeight};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{of_choice, of_fit, of_value};

/// A number, or one that the data give.
#[derive(FromPyObject)]
pub(crate) enum Rate {
    Fixed(f64),
    Named(String),
}

crate::keywords::keywords! {
    /// The keywords of a solver. Those of steps are `None` if not given, so that none is
    /// ignored where there are no steps.
    Settings {
        solver: String,
        line: String,
        robust: String,
        loss: String,
        lr: Rate,
        steps: u64,
        tol: f64,
        rtol: f64,
        w0: f64,
        b0: f64,
        momentum: Rate,
        dampening: f64,
        nesterov: bool,
        weight_decay: f64,
        schedule: String,
        standardize: bool,
        force: bool,
        update: String,
        steps_per_submit: u32,
        batch: u64,
        epochs: u64,
        shuffle: String,
        seed: u64,
        drop_last: bool,
        average: bool,
        patience: u64,
    }
}

impl Settings {
    /// The solver, of which the settings are checked.
    pub(crate) fn solver(&self) -> PyResult<Solver> {
        let method = match self.solver.as_deref().unwrap_or("exact") {
            "exact" => Method::Exact,
            "moments" => Method::Moments,
            "sgd" => Method::GradientDescent,
            other => return Err(of_choice("solver", other, &["exact", "moments", "sgd"])),
        };
        let line = self.line.as_deref().map(|text| parsed("line", text)).transpose()?.unwrap_or_default();
        let robust: Option<RobustWeight> =
            self.robust.as_deref().map(|text| parsed("robust", text)).transpose()?;
        let loss = self.loss.as_deref().map(|text| parsed("loss", text)).transpose()?.unwrap_or_default();
        self.refuse_unused(method, line)?;
        refuse_contradictions(method, line, robust, loss)?;
        let default = GradientDescent::default();
        let (best_rate, learning_rate) = number_or_auto("lr", self.lr.as_ref(), default.learning_rate)?;
        let (best_momentum, momentum) = number_or_auto("momentum", self.momentum.as_ref(), default.momentum)?;
        self.refuse_unclear(best_rate, best_momentum)?;
        let first_weight = match line {
            LineKind::Offset { weight } => weight,
            _ => default.start.weight,
        };
        let schedule = self.schedule.as_deref().map(|text| parsed("schedule", text)).transpose()?;
        let descent = GradientDescent {
            momentum,
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
            best_momentum,
            batches: self.batches(descent)?,
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
            given(self.nesterov == Some(true), "nesterov"),
            given(self.weight_decay.is_some(), "weight_decay"),
            given(self.schedule.is_some(), "schedule"),
            given(self.standardize == Some(true), "standardize"),
            given(self.force == Some(true), "force"),
        ];
        let passes = [
            given(self.batch.is_some(), "batch"),
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

    /// Refuses a momentum and a rate from the data where others are given too.
    fn refuse_unclear(&self, best_rate: bool, best_momentum: bool) -> PyResult<()> {
        let refuse = |text: &str| Err(PyValueError::new_err(text.to_owned()));
        if best_momentum && !best_rate {
            return refuse("momentum=\"auto\" chooses the learning rate with it; add lr=\"auto\"");
        }
        if best_momentum && (self.nesterov == Some(true) || self.dampening.is_some()) {
            return refuse(
                "momentum=\"auto\" is that of the best heavy ball; remove nesterov= and dampening=, or give a number",
            );
        }
        if self.standardize == Some(true) && self.weight_decay.is_some_and(|decay| decay != 0.0) {
            return refuse(
                "weight_decay= is of W and b, and standardize=True makes the steps in other coordinates; remove one \
                 of them",
            );
        }
        if self.batch.is_some() && best_rate {
            return refuse("no learning rate is known to be the best for batches; give lr= a number");
        }
        if self.batch.is_some() && self.standardize == Some(true) {
            return refuse("batch= makes its steps in W and b; remove standardize=");
        }
        if self.batch.is_some() && self.steps.is_some() {
            return refuse("batch= makes as many steps as epochs= have batches; remove steps=");
        }
        Ok(())
    }

    /// The batches of a descent, if it is to be over such.
    fn batches(&self, descent: GradientDescent) -> PyResult<Option<BatchDescent>> {
        let Some(batch) = self.batch else {
            let given = [
                ("epochs", self.epochs.is_some()),
                ("shuffle", self.shuffle.is_some()),
                ("seed", self.seed.is_some()),
                ("drop_last", self.drop_last == Some(true)),
                ("average", self.average == Some(true)),
                ("patience", self.patience.is_some()),
            ];
            return match given.iter().find(|(_, given)| *given) {
                Some((keyword, _)) => {
                    Err(PyValueError::new_err(format!("{keyword}= is of batches; add batch=, or remove it")))
                }
                None => Ok(None),
            };
        };
        let shuffle = match self.shuffle.as_deref().unwrap_or("none") {
            "none" => Shuffle::None,
            "block" => Shuffle::Block,
            "element" => Shuffle::Element,
            other => return Err(of_choice("shuffle", other, &["none", "block", "element"])),
        };
        let default = BatchDescent::of(descent);
        Ok(Some(BatchDescent {
            batch,
            epochs: self.epochs.unwrap_or(default.epochs),
            shuffle,
            seed: self.seed.unwrap_or(default.seed),
            drop_last: self.drop_last.unwrap_or(default.drop_last),
            average: self.average.unwrap_or(default.average),
            patience: self.patience.unwrap_or(default.patience),
            ..default
        }))
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

/// Whether the data give a number, and else that number.
fn number_or_auto(keyword: &str, given: Option<&Rate>, default: f64) -> PyResult<(bool, f64)> {
    match given {
        None => Ok((false, default)),
        Some(Rate::Fixed(number)) => Ok((false, *number)),
        Some(Rate::Named(name)) if name == "auto" => Ok((true, default)),
        Some(Rate::Named(name)) => {
            Err(PyValueError::new_err(format!("{keyword}={name:?}: expected a number or \"auto\"")))
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
