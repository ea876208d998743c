use std::ops::ControlFlow;
use std::time::Instant;

use super::exact::undetermined;
use super::robust_start::start;
use super::{ConfigError, Fit, FitError, Progress, State, StopReason};
use crate::engine::{Engine, EngineError, Influence, Reweighting};
use crate::math::{Affine, Evaluation, LineKind, MedianSearch, Moments, RobustWeight, SizeRange};

/// A robust line by rounds of reweighted least squares (P. W. Holland, R. E.
/// Welsch, 1977): each weighs the pairs by the residuals of the line before, in
/// units of a scale that is found anew in each, the median of |r| over 0.6745
/// (the median absolute deviation from 0, as statsmodels' `RLM` has it).
///
/// The first line is one that outliers cannot move far: see
/// `robust_start`. The rounds end where neither W nor b
/// changes by more than 1e-10 of itself, or of what the scale makes of it; those
/// of [`RobustWeight::Clip`] where nothing changes at all.
///
/// The standard errors are Huber's (P. J. Huber, *Robust Statistics*, 1981, 7.6; `cov="H1"`
/// of statsmodels' `RLM`): with n pairs, p parameters and u = r/s,
/// K²·(s²·Σψ(u)²/(n − p))/(Σψ′(u)/n)² times the inverse of XᵀX, where
/// K = 1 + p/n·var(ψ′)/mean(ψ′)². Clipping has none, for whose ψ that does not hold, and
/// sample weights have none.
///
/// ```
/// use linfit::array::{Problem, Array};
/// use linfit::engine::{Cpu, Engine};
/// use linfit::fit::Robust;
/// use linfit::math::RobustWeight;
/// use std::ops::ControlFlow;
///
/// let x: Vec<f64> = (0..20).map(f64::from).collect();
/// let mut t: Vec<f64> = x.iter().map(|x| 2.0 * x + 1.0).collect();
/// t[3] = 1e6;
/// let data = Problem::pair(Array::from_vec("x", &[20], x), Array::from_vec("t", &[20], t))?;
/// let mut engine = Cpu::new(&data);
/// let moments = engine.all_moments()?;
/// let robust = Robust { weight: RobustWeight::TUKEY, ..Robust::default() };
/// let found = robust.fit(&mut engine, &moments, &mut |_| ControlFlow::Continue(()))?;
/// assert!((found.fit.model.weight - 2.0).abs() < 1e-9);
/// assert_eq!(found.rejected, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robust {
    /// The weight of a residual.
    pub weight: RobustWeight,
    /// The line of each round: of least squares, perhaps with one parameter fixed.
    pub line: LineKind,
}

impl Default for Robust {
    fn default() -> Self {
        Self { weight: RobustWeight::HUBER, line: LineKind::LeastSquares }
    }
}

/// The result of a robust fit.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustFit {
    /// W and b, and the mean squared error and its gradients there, of all valid
    /// pairs.
    pub fit: Fit,
    /// The moments of the pairs with the weights of the last round.
    pub moments: Moments,
    /// The scale of the residuals of the result.
    pub scale: f64,
    /// The rounds.
    pub rounds: u32,
    /// Pairs that have the weight 0.
    pub rejected: u64,
    /// Whether the last round changed nothing more.
    pub settled: bool,
    /// The standard errors of W and b, none where one is given or not defined:
    /// see [`Robust`].
    pub stderrs: [Option<f64>; 2],
}

/// The most rounds. Most data take 10 to 50.
const MOST_ROUNDS: u32 = 500;

/// The relative change of W and b below which rounds end.
const SETTLED: f64 = 1e-10;

impl Robust {
    /// The robust line. `moments` are those of all pairs; `observe` sees each round,
    /// with the mean squared error of all pairs at its line.
    ///
    /// # Errors
    /// [`ConfigError::RobustLine`]; those of [`ClosedForm::fit`](super::ClosedForm::fit),
    /// of the pairs that have a weight; those of the passes.
    pub fn fit(
        self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<RobustFit, FitError> {
        if self.line.is_symmetric() {
            return Err(ConfigError::RobustLine(self.line).into());
        }
        let started = Instant::now();
        let quadratic = moments.quadratic();
        let mut model = start(engine.problem(), self.line)?;
        let mut medians = Medians::default();
        let (mut rounds, mut stop_reason) = (0, StopReason::Exact);
        let (kept, settled) = loop {
            let kept = self.round(engine, moments, model, &mut medians)?;
            let line = self.line.of(&kept).ok_or_else(|| undetermined(&kept))?;
            let next = line.affine();
            rounds += 1;
            let settled = self.is_settled(model, next, medians.scale, moments);
            model = next;
            let evaluation = quadratic.evaluate(model);
            if observe(&State { step: u64::from(rounds), model, evaluation, progress: Progress::default() })
                .is_break()
            {
                stop_reason = StopReason::Interrupted;
            }
            if settled || rounds == MOST_ROUNDS || stop_reason == StopReason::Interrupted {
                break (kept, settled);
            }
        };
        let scale = scale_at(engine, moments, model, &mut medians)?;
        let evaluation = Evaluation::from_sums(&engine.loss_sums_at(model)?);
        let seconds = started.elapsed().as_secs_f64();
        let fit = Fit {
            model,
            evaluation,
            steps: 0,
            last: model,
            progress: Progress::default(),
            stop_reason,
            n: moments.n,
            seconds,
            step_median_seconds: seconds / f64::from(rounds),
        };
        let rejected = moments.n - kept.n;
        let stderrs = self.stderrs(engine, moments, model, scale)?;
        Ok(RobustFit { fit, moments: kept, scale, rounds, rejected, settled, stderrs })
    }

    /// The standard errors of W and b of a robust line.
    fn stderrs(
        self,
        engine: &mut dyn Engine,
        moments: &Moments,
        model: Affine,
        scale: f64,
    ) -> Result<[Option<f64>; 2], EngineError> {
        let is_weighted = engine.problem().weights().is_some();
        if is_weighted || matches!(self.weight, RobustWeight::Clip(_)) {
            return Ok([None; 2]);
        }
        let parameters = if self.line == LineKind::LeastSquares { 2.0 } else { 1.0 };
        let Influence { n, squares, slopes, square_slopes } =
            engine.influence(&Reweighting { model, scale, weight: self.weight })?;
        #[expect(clippy::cast_precision_loss, reason = "a number of elements")]
        let n = n as f64;
        let mean = slopes / n;
        let variance = square_slopes / n - mean * mean;
        let k = 1.0 + parameters / n * variance / (mean * mean);
        let of_residuals = k * k * (squares / (n - parameters)) * scale * scale / (mean * mean);
        let x_variance = moments.deviations()[0].powi(2);
        let x_square = moments.x_mean().powi(2) + x_variance;
        let inverse = match self.line {
            LineKind::ThroughOrigin { .. } => [Some(1.0 / (n * x_square)), None],
            LineKind::Offset { .. } => [None, Some(1.0 / n)],
            _ => [Some(1.0 / (n * x_variance)), Some(x_square / (n * x_variance))],
        };
        let root = |of: f64| (of_residuals * of).sqrt();
        Ok(inverse.map(|of| of.map(root).filter(|error| error.is_finite())))
    }

    /// The moments of the pairs, weighted by their residuals from a line.
    fn round(
        self,
        engine: &mut dyn Engine,
        moments: &Moments,
        model: Affine,
        medians: &mut Medians,
    ) -> Result<Moments, EngineError> {
        let scale = scale_at(engine, moments, model, medians)?;
        let kept = engine.reweighted_moments(&[Reweighting { model, scale, weight: self.weight }])?;
        Ok(kept.into_iter().next().unwrap_or_default())
    }

    fn is_settled(self, model: Affine, next: Affine, scale: f64, moments: &Moments) -> bool {
        if let RobustWeight::Clip(_) = self.weight {
            return model == next;
        }
        let [x_deviation, _] = moments.deviations();
        let is_small = |change: f64, size: f64| change.abs() <= SETTLED * size;
        is_small(next.weight - model.weight, next.weight.abs() + scale / x_deviation.max(f64::MIN_POSITIVE))
            && is_small(next.bias - model.bias, next.bias.abs() + scale)
    }
}

/// The scale of the residuals of a line: their median size over that of normal
/// residuals of standard deviation 1, and no less than the rounding of the numbers
/// that they are the differences of.
fn scale_at(
    engine: &mut dyn Engine,
    moments: &Moments,
    model: Affine,
    medians: &mut Medians,
) -> Result<f64, EngineError> {
    let median = medians.find(engine, model)?;
    let [x, t] = moments.deviations();
    let x = x + moments.x_mean().abs();
    let parts = model.weight.abs() * x + model.bias.abs() + moments.t_mean().abs() + t;
    medians.scale = (median / RobustWeight::SCALE).max(4.0 * f64::EPSILON * parts).max(f64::MIN_POSITIVE);
    Ok(medians.scale)
}

/// The medians of the rounds. Each is looked for near the one before, as far
/// around it as that was from the one before it, which takes few passes.
#[derive(Debug, Clone, Copy, Default)]
struct Medians {
    last: Option<f64>,
    /// The power of two of the distance in bit patterns.
    width: u32,
    scale: f64,
}

impl Medians {
    /// The median of |r| at a line.
    fn find(&mut self, engine: &mut dyn Engine, model: Affine) -> Result<f64, EngineError> {
        let from = |last: f64| SizeRange::about(SizeRange::bits(last), self.width);
        let mut search = MedianSearch::from(self.last.map_or(SizeRange::ALL, from));
        let median = loop {
            let counts = engine.residual_sizes(&[(model, search.range())])?;
            let counts = counts.into_iter().next().unwrap_or_default();
            if let Some(median) = search.narrow(&counts) {
                break median;
            }
        };
        let apart = self.last.map(|last| SizeRange::bits(last).abs_diff(SizeRange::bits(median)));
        // The first move is taken for a tenth of the size.
        self.width = apart.map_or(49, |apart| apart.max(1).ilog2() + 1);
        self.last = Some(median);
        Ok(median)
    }
}
