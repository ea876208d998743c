use std::fmt;
use std::time::Instant;

use serde::Serialize;

use super::numbers::{count, seconds, short};
use super::table::Column::{Numbers, Words};
use super::table::{Table, cell};
use crate::array::Problem;
use crate::engine::{Engine, EngineError, PointResult, ReferenceResult};
use crate::math::Affine;

/// Passes timed per engine; the median is reported.
const TIMED_PASSES: usize = 5;

/// The reference's results.
#[derive(Debug, Clone, Serialize)]
pub struct ReferenceValues {
    /// The results at the first W and b.
    #[serde(flatten)]
    pub first: ReferencePoint,
    /// The results at the others, if there are any.
    pub others: Vec<ReferencePoint>,
    /// Seconds of its pass.
    pub seconds: f64,
}

impl ReferenceValues {
    fn points(&self) -> impl Iterator<Item = &ReferencePoint> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// The reference's results at a W and b.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ReferencePoint {
    /// W of the pass.
    pub weight: f64,
    /// b of the pass.
    pub bias: f64,
    /// Mean squared error.
    pub loss: f64,
    /// ∂L/∂W.
    pub grad_weight: f64,
    /// ∂L/∂b.
    pub grad_bias: f64,
}

/// The errors of one engine's passes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EngineComparison {
    /// `cpu` or `gpu`.
    pub engine: &'static str,
    /// The adapter's name, for a GPU.
    pub adapter: Option<String>,
    /// The precision of sums, for a GPU.
    pub precision: Option<&'static str>,
    /// Error of the loss, relative to the loss, where it is worst.
    pub rel_error_loss: Option<f64>,
    /// Error of ∂L/∂W, relative to (2/N)·Σ|r·x|.
    pub rel_error_grad_weight: Option<f64>,
    /// Error of ∂L/∂b, relative to (2/N)·Σ|r|.
    pub rel_error_grad_bias: Option<f64>,
    /// The largest error of a moment, relative to its size.
    pub rel_error_moments: Option<f64>,
    /// The largest error of an element of Y.
    pub forward_max_abs_error: Option<f64>,
    /// Median seconds of a residual pass.
    pub seconds: Option<f64>,
    /// The bytes of X and T that it reads, in 10⁹ a second.
    pub gb_s: Option<f64>,
    /// Whether every error is within the tolerance.
    pub ok: bool,
    /// The error instead of numbers, if the engine failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&ReferenceResult> for ReferenceValues {
    fn from(reference: &ReferenceResult) -> Self {
        let point = |PointResult { at, evaluation, .. }: &PointResult| ReferencePoint {
            weight: at.weight,
            bias: at.bias,
            loss: evaluation.loss,
            grad_weight: evaluation.grad_weight,
            grad_bias: evaluation.grad_bias,
        };
        let ReferenceResult { first, others, seconds, .. } = reference;
        Self { first: point(first), others: others.iter().map(point).collect(), seconds: *seconds }
    }
}

impl EngineComparison {
    /// The errors and the time of an engine's passes.
    ///
    /// # Errors
    /// Those of the passes.
    pub fn measure(
        reference: &ReferenceResult,
        data: &Problem,
        engine: &mut dyn Engine,
        tolerance: f64,
    ) -> Result<Self, EngineError> {
        let errors = reference.errors_of(data, engine)?;
        let seconds = median_pass(engine, reference.first.at)?;
        #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
        let gb_s = engine.pass_bytes() as f64 / seconds / 1e9;
        Ok(Self {
            rel_error_loss: Some(errors.loss),
            rel_error_grad_weight: Some(errors.grad_weight),
            rel_error_grad_bias: Some(errors.grad_bias),
            rel_error_moments: Some(errors.moments),
            forward_max_abs_error: Some(errors.forward_max_abs),
            seconds: Some(seconds),
            gb_s: Some(gb_s),
            ok: errors.check(tolerance).is_ok(),
            ..Self::default()
        })
    }

    /// Decimal digits that loss, gradients and moments have right, as their
    /// errors are measured: at most 16, what f64 has.
    #[must_use]
    pub fn digits(&self) -> Option<f64> {
        let errors = [
            self.rel_error_loss?,
            self.rel_error_grad_weight?,
            self.rel_error_grad_bias?,
            self.rel_error_moments?,
        ];
        let worst = errors
            .into_iter()
            .fold(0.0, |worst: f64, error| if error > worst || error.is_nan() { error } else { worst });
        if worst.is_nan() { None } else { Some((-worst.log10()).clamp(0.0, 16.0)) }
    }
}

/// Median seconds of a pass, warm.
fn median_pass(engine: &mut dyn Engine, at: Affine) -> Result<f64, EngineError> {
    let mut seconds = [0.0; TIMED_PASSES];
    for slot in &mut seconds {
        let started = Instant::now();
        engine.loss_sums_at(at)?;
        *slot = started.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[TIMED_PASSES / 2])
}

/// Every engine and adapter against the reference.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Elements.
    pub n: u64,
    /// The largest relative error that passes.
    pub tolerance: f64,
    /// The results that engines are compared with.
    pub reference: ReferenceValues,
    /// The engines.
    pub results: Vec<EngineComparison>,
}

impl Comparison {
    /// Whether every engine agrees with the reference.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.results.iter().all(|result| result.ok)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pass = seconds(self.reference.seconds);
        writeln!(f, "{} elements; the reference takes {pass} a pass", count(self.n))?;
        for ReferencePoint { weight, bias, loss, grad_weight, grad_bias } in self.reference.points() {
            writeln!(
                f,
                "at W = {}, b = {}: loss {loss:e}, ∂L/∂W {grad_weight:e}, ∂L/∂b {grad_bias:e}",
                short(*weight),
                short(*bias),
            )?;
        }
        writeln!(f)?;
        let mut table = Table::new([
            Words("engine"),
            Words("adapter"),
            Words("precision"),
            Numbers("digits"),
            Numbers("loss"),
            Numbers("∂L/∂W"),
            Numbers("∂L/∂b"),
            Numbers("moments"),
            Numbers("max |ΔY|"),
            Numbers("time"),
            Numbers("GB/s"),
            Words(""),
        ]);
        for result in &self.results {
            let error = |value: Option<f64>| cell(value, |v| format!("{v:.1e}"));
            table.add([
                result.engine.to_owned(),
                result.adapter.clone().unwrap_or_default(),
                result.precision.unwrap_or_default().to_owned(),
                cell(result.digits(), |digits| format!("{digits:.1}")),
                error(result.rel_error_loss),
                error(result.rel_error_grad_weight),
                error(result.rel_error_grad_bias),
                error(result.rel_error_moments),
                error(result.forward_max_abs_error),
                cell(result.seconds, seconds),
                cell(result.gb_s, |v| format!("{v:.2}")),
                if result.ok { "ok" } else { "MISMATCH" }.to_owned(),
            ]);
        }
        writeln!(f, "{table}")?;
        for result in &self.results {
            if let Some(error) = &result.error {
                writeln!(f, "{}: {error}", result.adapter.as_deref().unwrap_or(result.engine))?;
            }
        }
        write!(
            f,
            "errors are relative (gradients: to the size of their terms){}; tolerance {:e}",
            if self.reference.others.is_empty() { "" } else { ", the worst at these W and b" },
            self.tolerance
        )
    }
}
