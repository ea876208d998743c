//! Fits of many groups at once: the same solvers, each group by its own moments.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::coordinates::{Coordinates, Position};
use super::error::FitError;
use super::gradient_descent::GradientDescent;
use super::host::{Replay, Source};
use super::result::StopReason;
use super::statistics::errors_of_line;
use crate::array::Shape;
use crate::engine::{Engine, EngineError, RESOLVED_SHARE, StepOutcome, StepState};
use crate::math::{Affine, Evaluation, LineKind, Loss, LossSums, Moments, scaled};

/// The result of one fit of many. Where no line is better than every other, all
/// but `n` are NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitRow {
    /// The number of valid elements.
    pub n: u64,
    /// W.
    pub weight: f64,
    /// b.
    pub bias: f64,
    /// The mean squared error at these W and b.
    pub loss: f64,
    /// R² of the least-squares line.
    pub r2: f64,
    /// The standard deviation of its residuals.
    pub residual_std: f64,
    /// The standard error of its W.
    pub stderr_weight: f64,
    /// The standard error of its b.
    pub stderr_bias: f64,
}

impl FitRow {
    /// The names of the numbers, as every output has them.
    pub const NAMES: [&str; 8] =
        ["weight", "bias", "n", "loss", "r2", "residual_std", "stderr_weight", "stderr_bias"];

    /// The numbers in the order of their names.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    pub fn numbers(&self) -> [f64; 8] {
        let Self { n, weight, bias, loss, r2, residual_std, stderr_weight, stderr_bias } = *self;
        [weight, bias, n as f64, loss, r2, residual_std, stderr_weight, stderr_bias]
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_degenerate(&self) -> bool {
        self.weight.is_nan()
    }

    /// W and b.
    #[must_use]
    pub fn model(&self) -> Affine {
        Affine { weight: self.weight, bias: self.bias }
    }

    pub(super) fn none(n: u64) -> Self {
        let nan = f64::NAN;
        Self {
            n,
            weight: nan,
            bias: nan,
            loss: nan,
            r2: nan,
            residual_std: nan,
            stderr_weight: nan,
            stderr_bias: nan,
        }
    }

    /// The result of a line with a loss, and the statistics of the least-squares line
    /// with such residuals.
    fn of(moments: &Moments, model: Affine, loss: f64, rr: f64) -> Self {
        let [r2, residual_std, stderr_weight, stderr_bias] = errors_of_line(moments, rr);
        let Affine { weight, bias } = model;
        Self { n: moments.n, weight, bias, loss, r2, residual_std, stderr_weight, stderr_bias }
    }

    /// The result of the least-squares line of moments, without a pass more.
    #[must_use]
    pub fn exact(moments: &Moments) -> Self {
        match moments.least_squares() {
            Some(model) => {
                let rr = moments.least_squares_rr();
                Self::of(moments, model, mean_of(moments, rr), rr)
            }
            None => Self::none(moments.n),
        }
    }
}

impl FitRow {
    /// The result of a line of another kind, with the statistics of the least-squares
    /// line.
    fn line(moments: &Moments, kind: LineKind) -> Self {
        match kind.of(moments).map(|line| line.affine()).filter(|model| model.is_finite()) {
            Some(model) => {
                let loss = moments.quadratic().evaluate(model).loss;
                Self::of(moments, model, loss, moments.least_squares_rr())
            }
            None => Self::none(moments.n),
        }
    }
}

/// The mean of squares in the units of the moments.
fn mean_of(moments: &Moments, rr: f64) -> f64 {
    scaled(rr / moments.weight_sum, -2 * moments.units()[1])
}

/// The results of many fits.
#[derive(Debug, Clone)]
pub struct ManyFits {
    /// The shape in which they are numbered row by row.
    pub shape: Shape,
    /// The results.
    pub rows: Vec<FitRow>,
    /// The steps of the longest descent.
    pub steps: u64,
    /// The number of fits that stopped for a reason, with a line.
    pub stopped: Vec<(StopReason, u64)>,
}

impl ManyFits {
    /// The least-squares lines of fits with these moments. One pass more finds the
    /// loss of lines that explain T almost completely.
    ///
    /// # Errors
    /// Those of the pass.
    pub fn exact(engine: &mut dyn Engine, shape: Shape, moments: &[Moments]) -> Result<Self, EngineError> {
        let mut rows: Vec<FitRow> = moments.par_iter().map(FitRow::exact).collect();
        let is_hidden = |moments: &Moments| moments.least_squares_rr() < RESOLVED_SHARE * moments.tt;
        if moments.par_iter().any(is_hidden) {
            let at: Vec<Affine> = rows.par_iter().map(|row| finite(row.model())).collect();
            let sums = all_sums(engine, &at)?;
            rows.par_iter_mut().zip(moments).zip(sums).for_each(|((row, moments), sums)| {
                if is_hidden(moments) && !row.is_degenerate() {
                    *row = seen(row.model(), moments, &sums);
                }
            });
        }
        let count = rows.par_iter().filter(|row| !row.is_degenerate()).count() as u64;
        Ok(Self { shape, rows, steps: 0, stopped: vec![(StopReason::Exact, count)] })
    }

    /// Adds the results of fits that come after these.
    pub fn extend(&mut self, others: Self) {
        self.rows.extend(others.rows);
        self.steps = self.steps.max(others.steps);
        for (reason, more) in others.stopped {
            match self.stopped.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, count)) => *count += more,
                None => self.stopped.push((reason, more)),
            }
        }
    }

    /// The lines of a kind of fits with these moments, in closed form, without a pass more.
    #[must_use]
    pub fn of_moments(shape: Shape, moments: &[Moments], kind: LineKind) -> Self {
        let row = |moments: &Moments| match kind {
            LineKind::LeastSquares => FitRow::exact(moments),
            _ => FitRow::line(moments, kind),
        };
        let rows: Vec<FitRow> = moments.par_iter().map(row).collect();
        let count = rows.par_iter().filter(|row| !row.is_degenerate()).count() as u64;
        Self { shape, rows, steps: 0, stopped: vec![(StopReason::Exact, count)] }
    }

    /// The fits without a line.
    #[must_use]
    pub fn degenerate(&self) -> u64 {
        self.rows.par_iter().filter(|row| row.is_degenerate()).count() as u64
    }

    fn of(shape: Shape, moments: &[Moments], descents: &[Option<Descent>]) -> Self {
        let row = |(moments, descent): (&Moments, &Option<Descent>)| match descent {
            Some(Descent { last: Some(last), .. }) => {
                let Last { model, evaluation } = *last;
                FitRow::of(moments, model, evaluation.loss, moments.least_squares_rr())
            }
            _ => FitRow::none(moments.n),
        };
        let rows = moments.par_iter().zip(descents).map(row).collect();
        let mut stopped: Vec<(StopReason, u64)> = Vec::new();
        for reason in descents.iter().flatten().map(|descent| descent.stop.unwrap_or(StopReason::Steps)) {
            match stopped.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, count)) => *count += 1,
                None => stopped.push((reason, 1)),
            }
        }
        let steps = descents.iter().flatten().map(|descent| descent.state.step).max().unwrap_or(0);
        Self { shape, rows, steps, stopped }
    }
}

/// W and b at which residuals are finite also where there is no line.
fn finite(model: Affine) -> Affine {
    if model.is_finite() { model } else { Affine::default() }
}

/// The loss and the statistics of a line that explains T almost completely: from the
/// moments, of which rounding leaves 10⁻¹⁶ of Mtt, or from residuals, which have that of
/// the numbers that they are differences of; from whichever has less of it.
fn seen(model: Affine, moments: &Moments, sums: &LossSums) -> FitRow {
    let parts = model.bias.abs() + (model.weight * moments.x_mean()).abs() + moments.t_mean().abs();
    let of_residuals = moments.weight_sum * (f64::EPSILON * parts).powi(2);
    let rr = if moments.units() == [0; 2] && of_residuals < f64::EPSILON * moments.tt {
        sums.rr
    } else {
        moments.least_squares_rr()
    };
    FitRow::of(moments, model, mean_of(moments, rr), rr)
}

fn all_sums(engine: &mut dyn Engine, at: &[Affine]) -> Result<Vec<LossSums>, EngineError> {
    let over = engine.problem().grid().chunks();
    Ok(engine.loss_sums(at, Loss::Squared, over)?.into_totals()?.1)
}

/// A state with a finite loss.
#[derive(Debug, Clone, Copy)]
struct Last {
    model: Affine,
    evaluation: Evaluation,
}

/// One descent of many.
#[derive(Debug, Clone)]
struct Descent {
    settings: GradientDescent,
    state: StepState<Position>,
    last: Option<Last>,
    stop: Option<StopReason>,
}

impl Descent {
    fn new(settings: GradientDescent) -> Self {
        let state = StepState::start(Position::new(settings.start, settings.coordinates));
        Self { settings, state, last: None, stop: None }
    }

    /// Takes the step that follows an evaluation of the current state, if one does: the
    /// rules of a single descent.
    fn advance(&mut self, evaluation: Evaluation, gradient: Affine) {
        if !evaluation.is_finite() {
            self.stop = Some(StopReason::Diverged);
            return;
        }
        self.last = Some(Last { model: self.state.model.affine(), evaluation });
        let (rule, step) = (self.settings.rule(), self.state.step);
        let mut next = self.state;
        rule.step(&mut next, gradient, self.settings.rate(step));
        if let Some(fixed) = self.settings.fixed {
            next.model = next.model.keeping(fixed, &self.state.model);
        }
        self.stop =
            match rule.outcome(&evaluation, self.state.model.affine(), next.model.affine().is_finite()) {
                StepOutcome::Tolerance => Some(StopReason::Tolerance),
                _ if step == self.settings.steps => Some(StopReason::Steps),
                StepOutcome::Diverged => Some(StopReason::Diverged),
                StepOutcome::Step => {
                    self.state = next;
                    None
                }
            };
    }
}

/// The descents of fits that have a line, each with the settings for its moments.
fn descents(
    moments: &[Moments],
    settings: &(dyn Fn(&Moments) -> Result<GradientDescent, FitError> + Sync),
) -> Result<Vec<Option<Descent>>, FitError> {
    let descent = |moments: &Moments| match moments.least_squares() {
        Some(_) => settings(moments).map(|settings| Some(Descent::new(settings))),
        None => Ok(None),
    };
    moments.par_iter().map(descent).collect()
}

impl GradientDescent {
    /// Descends for many fits together, a pass of the engine for a step of all of them.
    /// A fit that has stopped stays as it is. `settings` gives each fit's own, by its
    /// moments; standardized coordinates replay these. `observe` is called after each
    /// step with its number and how many fits have stopped.
    ///
    /// # Errors
    /// Those of the passes and of `settings`.
    pub fn fit_many(
        engine: &mut dyn Engine,
        shape: Shape,
        moments: &[Moments],
        settings: &(dyn Fn(&Moments) -> Result<Self, FitError> + Sync),
        observe: &mut dyn FnMut(u64, usize) -> ControlFlow<()>,
    ) -> Result<ManyFits, FitError> {
        let mut descents = descents(moments, settings)?;
        let is_replayed = |descent: &Descent| descent.settings.coordinates != Coordinates::Original;
        if descents.iter().flatten().any(is_replayed) {
            return Self::replay_many(shape, moments, settings);
        }
        for step in 0.. {
            let at: Vec<Affine> = descents
                .par_iter()
                .map(|descent| {
                    let model = descent.as_ref().map(|descent| descent.state.model.affine());
                    model.map_or_else(Affine::default, finite)
                })
                .collect();
            let sums = all_sums(engine, &at)?;
            let going = |descent: &&mut Option<Descent>| {
                descent.as_ref().is_some_and(|descent| descent.stop.is_none())
            };
            descents.par_iter_mut().zip(&sums).for_each(|(descent, sums)| {
                if let Some(descent) = descent.as_mut().filter(|descent| descent.stop.is_none()) {
                    let evaluation = Evaluation::from_sums(sums);
                    descent.advance(evaluation, evaluation.gradient());
                }
            });
            let left = descents.iter_mut().filter(going).count();
            if observe(step, descents.len() - left).is_break() {
                for descent in descents.iter_mut().flatten().filter(|descent| descent.stop.is_none()) {
                    descent.stop = Some(StopReason::Interrupted);
                }
                break;
            }
            if left == 0 {
                break;
            }
        }
        Ok(ManyFits::of(shape, moments, &descents))
    }

    /// The same descents from the moments, without passes.
    ///
    /// # Errors
    /// Those of `settings`.
    pub fn replay_many(
        shape: Shape,
        moments: &[Moments],
        settings: &(dyn Fn(&Moments) -> Result<Self, FitError> + Sync),
    ) -> Result<ManyFits, FitError> {
        let mut descents = descents(moments, settings)?;
        descents.par_iter_mut().zip(moments).try_for_each(|(descent, moments)| {
            let Some(descent) = descent else { return Ok(()) };
            let mut source = Replay::of(moments);
            while descent.stop.is_none() {
                let (evaluation, gradient) = source.evaluate(&descent.state.model)?;
                descent.advance(evaluation, gradient);
            }
            Ok::<_, EngineError>(())
        })?;
        Ok(ManyFits::of(shape, moments, &descents))
    }
}
