use std::fmt;

use serde::{Serialize, Serializer};

use super::Robustness;
use super::checkpoint::saved;
use super::numbers::{count, counted, exact, near_one, seconds, short};
use crate::array::Excluded;
use crate::engine::EngineInfo;
use crate::fit::{BatchDescent, Coordinates, Fit, Forecast, GradientDescent, Method, Statistics, StopReason};
use crate::io::SavedDescent;
use crate::math::{Affine, Curvature, LineKind, Loss, Moments, scaled, six_digits_below};

/// The seconds that each part of a fit took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// Opening, parsing and checking the files.
    pub load_s: f64,
    /// Opening the device, compiling, uploading.
    pub prepare_s: f64,
    /// The pass that finds the moments.
    pub moments_s: f64,
    /// All steps.
    pub fit_s: f64,
    /// The median step.
    pub step_median_s: f64,
    /// The bytes of X and T that the median step reads, in 10⁹ a second; where
    /// steps read none, those of the moments' pass.
    pub bandwidth_gb_s: f64,
}

/// The solver, its settings and the data's statistics.
#[derive(Debug, Clone)]
pub struct Solved {
    /// The solver.
    pub method: Method,
    /// The kind of line that it finds.
    pub line: LineKind,
    /// Its descent, if it descends.
    pub sgd: Option<GradientDescent>,
    /// Its batches, if it descends over such.
    pub batches: Option<BatchDescent>,
    /// The moments of the data.
    pub moments: Moments,
    /// The curvature of the loss in the coordinates of the descent; `None` if that
    /// overflows.
    pub curvature: Option<Curvature>,
    /// The statistics of the data.
    pub statistics: Statistics,
}

/// The progress of a descent, as the curvature foretells it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outlook {
    /// The steps after which the gradients are within the tolerance, at most;
    /// null without a tolerance, or if they never are.
    pub steps_to_tolerance: Option<u64>,
    /// The factor by which [`STEPS`](Self::STEPS) steps multiply the slowest
    /// error; null if beyond f64.
    pub error_factor_1000_steps: f64,
}

impl Outlook {
    /// The steps that a forecast without a tolerance is for.
    pub const STEPS: u64 = 1000;

    fn of(sgd: &GradientDescent, moments: &Moments, curvature: Curvature) -> Option<Self> {
        let forecast = Forecast::new(sgd, moments, curvature)?;
        let tolerances = sgd.both_tolerances();
        let is_given = tolerances.iter().all(|&tolerance| tolerance > 0.0);
        let steps_to_tolerance = is_given.then(|| forecast.steps_within(tolerances)).flatten();
        let error_factor_1000_steps = forecast.error_factor(Self::STEPS);
        Some(Self { steps_to_tolerance, error_factor_1000_steps })
    }
}

/// The result of a fit: `fit --json` prints it, `--save` writes it, and its
/// [`Display`](fmt::Display) is the summary.
#[derive(Debug, Clone, Serialize)]
pub struct FitReport {
    /// W.
    pub weight: f64,
    /// b.
    pub bias: f64,
    /// The mean loss at these W and b.
    pub loss: f64,
    /// The loss: mse, or huber:δ.
    #[serde(serialize_with = "as_text")]
    pub loss_kind: Loss,
    /// ∂L/∂W there.
    pub grad_weight: f64,
    /// ∂L/∂b there.
    pub grad_bias: f64,
    /// Valid elements.
    pub n: u64,
    /// Excluded elements, by reason; null if all are valid.
    pub excluded: Option<Excluded>,
    /// The masks and markers of X's and T's files that exclude elements, counted
    /// among the nodata values, each with the file's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masked_by: Vec<String>,
    /// Σ w over the valid elements; null without weights.
    pub weight_sum: Option<f64>,
    /// Updates made.
    pub steps: u64,
    /// The solver.
    pub solver: Method,
    /// The line that is fitted.
    #[serde(serialize_with = "as_text")]
    pub line: LineKind,
    /// The rounds of a robust fit; null without.
    pub robust: Option<Robustness>,
    /// η; null where there are no steps.
    pub learning_rate: Option<f64>,
    /// μ; null where there are no steps, as the four that follow.
    pub momentum: Option<f64>,
    /// τ.
    pub dampening: Option<f64>,
    /// Whether the momentum is Nesterov's.
    pub nesterov: Option<bool>,
    /// δ.
    pub weight_decay: Option<f64>,
    /// The schedule of the learning rate.
    pub schedule: Option<String>,
    /// The settings of the batches; null without them.
    pub batches: Option<BatchesReport>,
    /// The state of the descent, from which another can go on; null without one.
    pub descent: Option<SavedDescent>,
    /// Whether the steps were made in standardized coordinates.
    pub standardized: bool,
    /// The reason of the end.
    pub stop_reason: StopReason,
    /// Statistics of the line that is fitted, and learning rates.
    pub statistics: Statistics,
    /// The outlook of the descent; null without one.
    pub forecast: Option<Outlook>,
    /// The factor by which the loss of a descent is far above the least, or the
    /// largest number; infinite if the least is 0; none if it is not far above.
    #[serde(skip)]
    pub far_by: Option<f64>,
    /// The engine that computed it.
    pub engine: EngineInfo,
    /// The precision of a GPU's sums; null for other engines.
    pub precision: Option<&'static str>,
    /// The durations.
    pub timings: Timings,
    /// The reason for this engine, if it wasn't asked for by name.
    #[serde(skip)]
    pub engine_reason: Option<String>,
}

impl FitReport {
    /// The report of a fit.
    #[must_use]
    pub fn new(fit: &Fit, solved: &Solved, engine: EngineInfo, pass_bytes: u64, timings: Timings) -> Self {
        let pass_s = match solved.method {
            Method::Moments => timings.moments_s,
            Method::GradientDescent | Method::Exact => fit.step_median_seconds,
        };
        #[expect(clippy::cast_precision_loss, reason = "a bandwidth for people")]
        let bandwidth_gb_s = pass_bytes as f64 / pass_s.max(1e-9) / 1e9;
        let timings =
            Timings { fit_s: fit.seconds, step_median_s: fit.step_median_seconds, bandwidth_gb_s, ..timings };
        let sgd = solved.sgd.as_ref();
        Self {
            far_by: sgd
                .filter(|sgd| sgd.is_plain())
                .and_then(|sgd| far_by(fit.model, fit.evaluation.loss, sgd.start, &solved.moments)),
            weight: fit.model.weight,
            bias: fit.model.bias,
            loss: fit.evaluation.loss,
            loss_kind: sgd.map(|sgd| sgd.loss).unwrap_or_default(),
            grad_weight: fit.evaluation.grad_weight,
            grad_bias: fit.evaluation.grad_bias,
            n: fit.n,
            excluded: None,
            masked_by: Vec::new(),
            weight_sum: None,
            steps: fit.steps,
            solver: solved.method,
            line: solved.line,
            robust: None,
            learning_rate: sgd.map(|sgd| sgd.learning_rate),
            momentum: sgd.map(|sgd| sgd.momentum),
            dampening: sgd.map(|sgd| sgd.dampening),
            nesterov: sgd.map(|sgd| sgd.nesterov),
            weight_decay: sgd.map(|sgd| sgd.weight_decay),
            schedule: sgd.map(|sgd| sgd.schedule.to_string()),
            batches: solved.batches.map(BatchesReport::of),
            descent: sgd.map(|_| saved(fit.last, &fit.progress)),
            standardized: sgd.is_some_and(|sgd| sgd.coordinates != Coordinates::Original),
            stop_reason: fit.stop_reason,
            statistics: sgd.map_or(solved.statistics, |sgd| rated(sgd, solved)),
            forecast: sgd
                .filter(|sgd| sgd.is_plain() && solved.batches.is_none())
                .zip(solved.curvature)
                .and_then(|(sgd, curvature)| Outlook::of(sgd, &solved.moments, curvature)),
            precision: engine.precision,
            engine,
            timings,
            engine_reason: None,
        }
    }
}

impl fmt::Display for FitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", line(Affine::new(self.weight, self.bias)))?;
        writeln!(f)?;
        writeln!(f, "  weight     {:<24} gradient {:+.3e}", exact(self.weight), self.grad_weight)?;
        writeln!(f, "  bias       {:<24} gradient {:+.3e}", exact(self.bias), self.grad_bias)?;
        let weighted = if self.weight_sum.is_some() { ", weighted" } else { "" };
        let kind = match self.loss_kind {
            Loss::Squared => "mean squared error".to_owned(),
            Loss::Huber { delta } => format!("mean Huber loss, δ = {}", exact(delta)),
        };
        writeln!(f, "  loss       {:<24} {kind}{weighted}", short(self.loss))?;
        writeln!(f, "  elements   {}", count(self.n))?;
        if let Some(excluded) = self.excluded {
            let reasons: Vec<_> =
                excluded.reasons().map(|(number, reason)| format!("{} {reason}", count(number))).collect();
            writeln!(f, "  excluded   {:<24} {}", count(excluded.total()), reasons.join(", "))?;
        }
        self.masked_by.iter().try_for_each(|by| writeln!(f, "  masked     {by}"))?;
        if let Some(weight_sum) = self.weight_sum {
            writeln!(f, "  weights    {:<24} in sum", exact(weight_sum))?;
        }
        self.write_steps(f)?;
        self.write_statistics(f)?;
        // W and b of a descent that is still far from the line are not to be pasted.
        let is_of_line = self.far_by.is_none() && self.stop_reason != StopReason::Diverged;
        let line = self.statistics.weight.zip(self.statistics.bias);
        let pasted = if is_of_line { Some((self.weight, self.bias)) } else { line };
        if let Some((weight, bias)) = pasted {
            let (weight, bias) = (exact(weight), exact(bias));
            let which = if is_of_line { "" } else { " (of the least-squares line)" };
            writeln!(f, "  CF         scale_factor = {weight}, add_offset = {bias}{which}")?;
            writeln!(f, "  GDAL       -a_scale {weight} -a_offset {bias}{which}")?;
        }
        write!(f, "  engine     {}", self.engine)?;
        if let Some(reason) = &self.engine_reason {
            write!(f, "; {reason}")?;
        }
        writeln!(f)?;
        let t = &self.timings;
        let read = if self.solver == Method::Moments { "moments " } else { "" };
        write!(
            f,
            "  time       load {}, prepare {}, moments {}, fit {} ({} a step, {read}{:.1} GB/s)",
            seconds(t.load_s),
            seconds(t.prepare_s),
            seconds(t.moments_s),
            seconds(t.fit_s),
            seconds(t.step_median_s),
            t.bandwidth_gb_s,
        )
    }
}

impl FitReport {
    /// The name of the line in a sentence.
    pub(super) fn line_name(&self) -> String {
        match self.line {
            LineKind::LeastSquares => "the least-squares line".to_owned(),
            LineKind::ThroughOrigin { bias: 0.0 } => "the least-squares line through the origin".to_owned(),
            LineKind::ThroughOrigin { bias } => {
                format!("the least-squares line through (0, {})", exact(bias))
            }
            LineKind::Offset { weight } => format!("the line with W = {}", exact(weight)),
            LineKind::ReducedMajorAxis => "the reduced major axis".to_owned(),
            LineKind::MAJOR_AXIS => "the major axis".to_owned(),
            LineKind::Deming { delta } => format!("the Deming line with δ = {}", exact(delta)),
        }
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = match self.stop_reason {
            StopReason::Steps => "all taken",
            StopReason::Tolerance => "the gradients reached the tolerance",
            StopReason::Diverged => "DIVERGED after this one",
            StopReason::Interrupted => "interrupted",
            StopReason::Patience => "the loss stopped shrinking",
            StopReason::Exact if self.robust.is_some() => "rounds of reweighted least squares instead",
            StopReason::Exact => &format!("{}, in closed form", self.line_name()),
        };
        write!(f, "  steps      {:<24} {ended}", count(self.steps))?;
        if let Some(rate) = self.learning_rate {
            write!(f, "; learning rate {}", exact(rate))?;
        }
        if let Some(schedule) = self.schedule.as_deref().filter(|&schedule| schedule != "constant") {
            write!(f, " ({schedule})")?;
        }
        let nesterov = if self.nesterov == Some(true) { "Nesterov's " } else { "" };
        for (name, value) in [
            (format!("{nesterov}momentum"), self.momentum),
            ("dampening".to_owned(), self.dampening),
            ("weight decay".to_owned(), self.weight_decay),
        ] {
            if let Some(value) = value.filter(|&value| value > 0.0) {
                write!(f, ", {name} {}", exact(value))?;
            }
        }
        writeln!(f, "{}", if self.standardized { ", standardized" } else { "" })?;
        if let Some(batches) = &self.batches {
            let epochs = self.descent.map_or(0, |descent| descent.epoch);
            write!(f, "  batches    {:<24}", counted(batches.batch, "element"))?;
            write!(f, " {}, shuffle {}", counted(epochs, "epoch"), batches.shuffle)?;
            write!(
                f,
                "{}",
                if batches.shuffle == "none" { String::new() } else { format!(", seed {}", batches.seed) }
            )?;
            let averaged = if batches.average { "; W and b are means over the second half" } else { "" };
            writeln!(f, "{averaged}")?;
        }
        if let Some(robust) = &self.robust {
            writeln!(f, "  robust     {robust}")?;
            if let Some(errors) = robust.errors() {
                writeln!(f, "  std errors {errors} of the robust line")?;
            }
        }
        let Some(forecast) = &self.forecast else { return Ok(()) };
        match forecast.steps_to_tolerance {
            Some(steps) if self.stop_reason == StopReason::Steps && self.steps > steps => writeln!(
                f,
                "  forecast   the tolerance within {}, were it not for rounding; ask for a larger one",
                counted(steps, "step")
            ),
            Some(steps) => writeln!(f, "  forecast   the tolerance within {}", counted(steps, "step")),
            None => writeln!(
                f,
                "  forecast   {} steps multiply the slowest error by {}",
                count(Outlook::STEPS),
                short(forecast.error_factor_1000_steps)
            ),
        }
    }

    /// Writes the rates, R² and the errors as far as they are known.
    fn write_statistics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.statistics;
        if let (Some(lr_max), Some(lr_best)) = (s.lr_max, s.lr_best) {
            let condition = s.condition.map_or_else(|| "∞".to_owned(), short);
            let over = if self.batches.is_some() { " of whole passes" } else { "" };
            writeln!(
                f,
                "  rates      {:<24} best {}{over}; condition number {condition}",
                format!("below {}", short(six_digits_below(lr_max))),
                short(six_digits_below(lr_best))
            )?;
        }
        let (Some(weight), Some(bias)) = (s.weight, s.bias) else { return Ok(()) };
        writeln!(f)?;
        let name = self.line_name();
        let name = match &self.robust {
            Some(robust) if robust.method == "clip" => format!("{name} of the elements that are left"),
            Some(_) => format!("{name} without robust weights"),
            None => name,
        };
        writeln!(f, "{}{} is {}", name[..1].to_uppercase(), &name[1..], line(Affine::new(weight, bias)))?;
        writeln!(f)?;
        if let Some(r2) = s.r2 {
            let r =
                s.r.map_or_else(|| format!("about b = {}", exact(bias)), |r| format!("r {}", near_one(r)));
            writeln!(f, "  R²         {:<24} {r}", near_one(r2))?;
        }
        if let Some(std) = s.residual_std {
            writeln!(f, "  residuals  {:<24} standard deviation", short(std))?;
            let errors = [(s.stderr_weight, "weight"), (s.stderr_bias, "bias")];
            let errors =
                errors.into_iter().filter_map(|(error, of)| Some(format!("{} of the {of}", short(error?))));
            let errors: Vec<_> = errors.collect();
            if !errors.is_empty() {
                writeln!(f, "  std errors {}", errors.join(", "))?;
            }
        }
        if let Some(p) = s.p_value {
            let t = s.t_weight.map_or_else(|| "∞".to_owned(), short);
            // A number below the smallest f64 isn't 0.
            let p = if p == 0.0 { "p < 1e-307".to_owned() } else { format!("p = {}", short(p)) };
            writeln!(f, "  weight ≠ 0 {:<24} {p}", format!("t = {t}"))?;
        }
        writeln!(f)
    }
}

/// The batches of a descent.
#[derive(Debug, Clone, Serialize)]
pub struct BatchesReport {
    /// Elements of a batch.
    pub batch: u64,
    /// Epochs to make.
    pub epochs: u64,
    /// The order of the elements in an epoch.
    pub shuffle: &'static str,
    /// The seed of that order.
    pub seed: u64,
    /// Whether short batches are left out.
    pub drop_last: bool,
    /// Whether W and b are means.
    pub average: bool,
    /// Epochs without a smaller loss that end it; 0 for none.
    pub patience: u64,
}

impl BatchesReport {
    fn of(batches: BatchDescent) -> Self {
        let BatchDescent { batch, epochs, shuffle, seed, drop_last, average, patience, .. } = batches;
        Self { batch, epochs, shuffle: shuffle.name(), seed, drop_last, average, patience }
    }
}

/// The statistics with the learning rates of this descent, which depend on its
/// momentum and weight decay.
fn rated(sgd: &GradientDescent, solved: &Solved) -> Statistics {
    let Some(curvature) = solved.curvature.filter(|_| sgd.momentum > 0.0 || sgd.weight_decay > 0.0) else {
        return solved.statistics;
    };
    let (lr_max, lr_best) = (sgd.rate_bound(&curvature), sgd.best_rate(&curvature));
    Statistics { lr_max: Some(lr_max), lr_best: Some(lr_best), ..solved.statistics }
}

/// A value as its own text.
fn as_text<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// The loss of a descent from `start` over the least, if it is more than a hundredth above that, and by
/// more than what rounding may leave of it: of a line through all points, which
/// no descent reaches, a residual of some 3e-5 of T's spread, or, where T has
/// none, of what it was at the start.
///
/// The losses are in the units of the moments, in which none vanishes.
#[must_use]
pub fn far_by(model: Affine, loss: f64, start: Affine, moments: &Moments) -> Option<f64> {
    const SHARE: f64 = 0.01;
    const SPREAD_SHARE: f64 = 1e-9;
    const ROUNDING: f64 = 1e-24;
    let (quadratic, [_, t_unit]) = (moments.quadratic(), moments.units());
    let [in_units, least] = quadratic.losses_in_units(model);
    // The result of a pass has more digits.
    let loss = if t_unit == 0 { loss } else { in_units };
    let spread =
        if moments.tt > 0.0 { moments.tt / moments.weight_sum } else { quadratic.losses_in_units(start)[0] };
    let parts = [moments.t_mean(), model.weight * moments.x_mean()].map(|part| scaled(part, t_unit));
    let floor = SPREAD_SHARE * spread + ROUNDING * (parts[0] * parts[0] + parts[1] * parts[1]);
    if loss.is_infinite() {
        return Some(if least > 0.0 { f64::MAX } else { f64::INFINITY });
    }
    (loss - least > SHARE * least + floor).then(|| loss / least)
}

/// Y = X·W + b with the numbers in.
pub(super) fn line(model: Affine) -> String {
    let sign = if model.bias < 0.0 { '-' } else { '+' };
    format!("Y = X·{} {sign} {}", short(model.weight), short(model.bias.abs()))
}
