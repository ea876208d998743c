use std::ops::ControlFlow;
use std::time::Instant;

use super::coordinates::{Coordinates, Position};
use super::descend::Durations;
use super::host::{Replay, Source};
use super::{ConfigError, Fit, FitError, GradientDescent, Progress, State, StopReason, Update};
use crate::array::{Batches, Shuffle};
use crate::engine::{Engine, EngineKind, StepOutcome, StepState};
use crate::math::{Affine, Evaluation, Moments};

/// Gradient descent over mini-batches: every step moves W and b against the gradient of
/// the loss of a batch of elements, which is divided by the batch's own Σw.
///
/// ```
/// use linfit::array::{Array, Problem};
/// use linfit::engine::{Cpu, Engine};
/// use linfit::fit::{BatchDescent, GradientDescent};
/// use std::ops::ControlFlow;
///
/// let x: Vec<f64> = (0..1000).map(|k| f64::from(k) / 500.0 - 1.0).collect();
/// let t = x.iter().map(|x| 2.0 * x + 1.0).collect();
/// let data = Problem::pair(Array::from_vec("x", &[1000], x), Array::from_vec("t", &[1000], t))?;
/// let mut engine = Cpu::new(&data);
/// let moments = engine.all_moments()?;
/// let descent = GradientDescent { learning_rate: 0.1, ..GradientDescent::default() };
/// let fit = BatchDescent { batch: 100, epochs: 60, ..BatchDescent::of(descent) }
///     .fit(&mut engine, &moments, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!(fit.steps, 600);
/// assert!((fit.model.weight - 2.0).abs() < 1e-6 && (fit.model.bias - 1.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchDescent {
    /// The settings of the steps, of which there are as many as the epochs have batches:
    /// [`steps`](GradientDescent::steps) does not matter. Its tolerance is of the
    /// gradients over all elements, and looked at after each epoch: at every step, one of
    /// the many that pass near the optimum would be taken for the end.
    pub descent: GradientDescent,
    /// Elements of a batch. Missing ones count here, not in the batch's loss; a batch
    /// without a valid element makes no step.
    pub batch: u64,
    /// Epochs to make, after those of an earlier descent.
    pub epochs: u64,
    /// The order of the elements in each epoch.
    pub shuffle: Shuffle,
    /// The seed of that order.
    pub seed: u64,
    /// Whether the last batch of an epoch is left out if it is short.
    pub drop_last: bool,
    /// Whether the result is the mean of W and b after each step of the second half of
    /// the epochs (of which the middle one of an odd number is a part), where they
    /// scatter about the optimum (tail averaging: B. T. Polyak, A. B. Juditsky, 1992).
    pub average: bool,
    /// The epochs without a smaller loss after which the descent ends; 0 for none.
    pub patience: u64,
}

impl BatchDescent {
    /// One epoch in batches of 32 elements as they are.
    #[must_use]
    pub fn of(descent: GradientDescent) -> Self {
        Self {
            descent,
            batch: 32,
            epochs: 1,
            shuffle: Shuffle::None,
            seed: 0,
            drop_last: false,
            average: false,
            patience: 0,
        }
    }

    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`ConfigError`] for the first of them.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.descent.check()?;
        if self.batch == 0 {
            return Err(ConfigError::Batch);
        }
        if !self.descent.is_plain() {
            return Err(ConfigError::BatchesPlain);
        }
        if self.descent.coordinates != Coordinates::Original
            || matches!(self.descent.update, Update::Device(_))
        {
            return Err(ConfigError::BatchesElsewhere);
        }
        Ok(())
    }

    /// The number of the last step to take over so many elements, those before the start
    /// included, if each batch makes one.
    #[must_use]
    pub fn last_step(&self, elements: u64) -> u64 {
        let GradientDescent { progress, .. } = self.descent;
        let steps = self.epochs.saturating_mul(self.batches(elements).count());
        progress.step.saturating_add(steps).saturating_sub(progress.batch)
    }

    fn batches(&self, elements: u64) -> Batches {
        let Self { batch, shuffle, seed, drop_last, .. } = *self;
        Batches { elements, batch, shuffle, seed, drop_last }
    }

    /// Descends until the epochs are used up, the tolerance or the end of the patience is
    /// reached, the descent diverges, or `observe`, which sees the state before the first
    /// step and after each, breaks it off. The loss and gradients that it sees are those
    /// of all elements, which the moments tell; those of the result are found by a pass.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        self.check()?;
        let (started, kind) = (Instant::now(), engine.info().kind);
        let mut run = Run::start(self, engine, moments, kind)?;
        let stop_reason = run.epochs(observe)?;
        let Run { mut state, durations, tail, .. } = run;
        let last = state.model;
        if self.average && tail.count > 0 && stop_reason != StopReason::Diverged {
            state.model = tail.mean;
        }
        let found = Evaluation::from_sums(&engine.loss_sums_at(state.model)?);
        let seconds = started.elapsed().as_secs_f64();
        Ok(Fit {
            model: state.model,
            evaluation: if found.is_finite() { found } else { state.evaluation },
            steps: state.step,
            last,
            progress: state.progress,
            stop_reason,
            n: moments.n,
            seconds,
            step_median_seconds: durations.median().unwrap_or(seconds),
        })
    }
}

/// A descent on its way.
struct Run<'r> {
    settings: &'r BatchDescent,
    engine: &'r mut dyn Engine,
    /// Loss and gradients of all elements.
    whole: Replay,
    state: State,
    durations: Durations,
    tail: Tail,
    /// The least loss after an epoch, and the epochs since.
    least: (f64, u64),
}

/// The mean of some W and b.
#[derive(Default)]
struct Tail {
    mean: Affine,
    count: u64,
}

impl Tail {
    #[expect(clippy::cast_precision_loss, reason = "steps beyond 2^53 are never made")]
    fn add(&mut self, model: Affine) {
        self.count += 1;
        let share = 1.0 / self.count as f64;
        self.mean.weight += (model.weight - self.mean.weight) * share;
        self.mean.bias += (model.bias - self.mean.bias) * share;
    }
}

impl<'r> Run<'r> {
    fn start(
        settings: &'r BatchDescent,
        engine: &'r mut dyn Engine,
        moments: &Moments,
        kind: EngineKind,
    ) -> Result<Self, FitError> {
        let GradientDescent { start, progress, .. } = settings.descent;
        let mut whole = Replay::of(moments);
        let evaluation = evaluate(&mut whole, start)?;
        if !evaluation.is_finite() {
            return Err(FitError::StartOverflows { start, engine: kind });
        }
        let state = State { step: progress.step, model: start, evaluation, progress };
        let least = (evaluation.loss, 0);
        Ok(Self {
            settings,
            engine,
            whole,
            state,
            durations: Durations::default(),
            tail: Tail::default(),
            least,
        })
    }

    fn epochs(&mut self, observe: &mut dyn FnMut(&State) -> ControlFlow<()>) -> Result<StopReason, FitError> {
        let BatchDescent { batch, epochs, patience, .. } = *self.settings;
        let elements = self.engine.problem().len() as u64;
        let batches = self.settings.batches(elements);
        if batches.count() == 0 {
            return Err(ConfigError::NoBatch { batch, elements }.into());
        }
        let first = self.state.progress.epoch;
        let end = first.saturating_add(epochs);
        let tail_from = first + epochs / 2;
        if observe(&self.state).is_break() {
            return Ok(StopReason::Interrupted);
        }
        while self.state.progress.epoch < end {
            let epoch = self.state.progress.epoch;
            let order = batches.epoch(epoch);
            for k in self.state.progress.batch..batches.count() {
                let sums = self.engine.batch_sums(self.state.model, &order.batch(k))?;
                if sums.n == 0 {
                    continue;
                }
                let next = if k + 1 == batches.count() { (epoch + 1, 0) } else { (epoch, k + 1) };
                let Some(state) = self.stepped(Evaluation::from_sums(&sums), next)? else {
                    return Ok(StopReason::Diverged);
                };
                self.state = state;
                if epoch >= tail_from {
                    self.tail.add(state.model);
                }
                if observe(&state).is_break() {
                    return Ok(StopReason::Interrupted);
                }
            }
            // Where its last batches are missing, an epoch ends without a step.
            (self.state.progress.epoch, self.state.progress.batch) = (epoch + 1, 0);
            self.engine.problem().check_intact().map_err(crate::engine::EngineError::from)?;
            if self.reached()? {
                return Ok(StopReason::Tolerance);
            }
            if patience > 0 && self.lost_patience(patience) {
                return Ok(StopReason::Patience);
            }
        }
        Ok(StopReason::Steps)
    }

    /// The state after a step from the loss and gradients of a batch; `None` if it is not
    /// finite.
    fn stepped(&mut self, batch: Evaluation, next: (u64, u64)) -> Result<Option<State>, FitError> {
        let started = Instant::now();
        let descent = &self.settings.descent;
        let State { model, progress: Progress { step, velocity, .. }, .. } = self.state;
        let mut moved = StepState { model, velocity, step };
        descent.rule().step(&mut moved, batch.gradient(), descent.rate(step));
        let evaluation = evaluate(&mut self.whole, moved.model)?;
        self.durations.add(started.elapsed().as_secs_f64());
        let StepState { model, velocity, step } = moved;
        let progress = Progress { step, epoch: next.0, batch: next.1, velocity, height: None };
        let is_finite = batch.is_finite() && model.is_finite() && evaluation.is_finite();
        Ok(is_finite.then_some(State { step, model, evaluation, progress }))
    }

    /// Whether the gradients of all elements are within the tolerance where the result
    /// would be.
    fn reached(&mut self) -> Result<bool, FitError> {
        let rule = self.settings.descent.rule();
        let model =
            if self.settings.average && self.tail.count > 0 { self.tail.mean } else { self.state.model };
        let evaluation = evaluate(&mut self.whole, model)?;
        Ok(rule.outcome(&evaluation, model, true) == StepOutcome::Tolerance)
    }

    fn lost_patience(&mut self, patience: u64) -> bool {
        let loss = self.state.evaluation.loss;
        self.least = if loss < self.least.0 { (loss, 0) } else { (self.least.0, self.least.1 + 1) };
        self.least.1 >= patience
    }
}

fn evaluate(whole: &mut Replay, at: Affine) -> Result<Evaluation, FitError> {
    let (evaluation, _) = whole.evaluate(&Position::new(at, Coordinates::Original))?;
    Ok(evaluation)
}
