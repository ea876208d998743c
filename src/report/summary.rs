use std::fmt;

use serde::Serialize;

use super::numbers::{count, exact, seconds, short};
use crate::engine::EngineInfo;
use crate::fit::{Fit, StopReason};

/// How long each part of a fit took, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// Opening, parsing and checking the files.
    pub load_s: f64,
    /// Opening the device, compiling, uploading.
    pub prepare_s: f64,
    /// All steps.
    pub fit_s: f64,
    /// The median step.
    pub step_median_s: f64,
    /// What the median step reads of X and T, in 10⁹ bytes a second.
    pub bandwidth_gb_s: f64,
}

/// The result of a fit: `fit --json` prints it, `--save` writes it, and its
/// [`Display`](fmt::Display) is the summary.
#[derive(Debug, Clone, Serialize)]
pub struct FitReport {
    /// W.
    pub weight: f64,
    /// b.
    pub bias: f64,
    /// The mean squared error at these W and b.
    pub loss: f64,
    /// ∂L/∂W there.
    pub grad_weight: f64,
    /// ∂L/∂b there.
    pub grad_bias: f64,
    /// Elements.
    pub n: u64,
    /// Updates made.
    pub steps: u64,
    /// The solver's name.
    pub solver: &'static str,
    /// η.
    pub learning_rate: f64,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// What computed it.
    pub engine: EngineInfo,
    /// What took how long.
    pub timings: Timings,
    /// Why this engine, if it wasn't asked for by name.
    #[serde(skip)]
    pub engine_reason: Option<String>,
}

impl FitReport {
    /// The report of a fit by gradient descent.
    #[must_use]
    pub fn new(fit: &Fit, learning_rate: f64, engine: EngineInfo, pass_bytes: u64, timings: Timings) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
        let bandwidth_gb_s = pass_bytes as f64 / fit.step_median_seconds.max(1e-9) / 1e9;
        let timings =
            Timings { fit_s: fit.seconds, step_median_s: fit.step_median_seconds, bandwidth_gb_s, ..timings };
        Self {
            weight: fit.model.weight,
            bias: fit.model.bias,
            loss: fit.evaluation.loss,
            grad_weight: fit.evaluation.grad_weight,
            grad_bias: fit.evaluation.grad_bias,
            n: fit.n,
            steps: fit.steps,
            solver: "sgd",
            learning_rate,
            stop_reason: fit.stop_reason,
            engine,
            timings,
            engine_reason: None,
        }
    }
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.bias < 0.0 { '-' } else { '+' };
        writeln!(f, "Y = X·{} {sign} {}", short(self.weight), short(self.bias.abs()))?;
        writeln!(f)?;
        writeln!(f, "  weight     {:<24} gradient {:+.3e}", exact(self.weight), self.grad_weight)?;
        writeln!(f, "  bias       {:<24} gradient {:+.3e}", exact(self.bias), self.grad_bias)?;
        writeln!(f, "  loss       {:<24} mean squared error", short(self.loss))?;
        writeln!(f, "  elements   {}", count(self.n))?;
        let ended = match self.stop_reason {
            StopReason::Steps => "all taken",
            StopReason::Tolerance => "the gradients reached the tolerance",
            StopReason::Diverged => "DIVERGED after this one",
            StopReason::Interrupted => "interrupted",
        };
        writeln!(
            f,
            "  steps      {:<24} {ended}; learning rate {}",
            count(self.steps),
            exact(self.learning_rate)
        )?;
        write!(f, "  engine     {}", self.engine)?;
        if let Some(reason) = &self.engine_reason {
            write!(f, "; {reason}")?;
        }
        writeln!(f)?;
        let t = &self.timings;
        write!(
            f,
            "  time       load {}, prepare {}, fit {} ({} a step, {:.1} GB/s)",
            seconds(t.load_s),
            seconds(t.prepare_s),
            seconds(t.fit_s),
            seconds(t.step_median_s),
            t.bandwidth_gb_s,
        )
    }
}
