use std::ops::ControlFlow;
use std::time::Instant;

use super::coordinates::{Coordinates, Position};
use super::descend::Durations;
use super::host::{Replay, Source};
use super::{
    ConfigError, Fit, FitError, GradientDescent, Progress, State, StepsPerSubmit, StopReason, Update,
};
use crate::array::{Batches, Epoch, Shuffle};
use crate::engine::{DescentRule, Engine, EngineError, EngineKind, Evaluated, StepOutcome, StepState};
use crate::math::{Affine, Evaluation, Loss, Moments};

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
        if self.descent.coordinates != Coordinates::Original {
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

    /// The batches of a submission, if the engine makes the steps by itself.
    fn on_device(&self, engine: &mut dyn Engine) -> Result<Option<StepsPerSubmit>, FitError> {
        let per_submit = match self.descent.update {
            Update::Host => return Ok(None),
            Update::Auto => StepsPerSubmit::Auto,
            Update::Device(per_submit) => per_submit,
        };
        let (kind, elements) = (engine.info().kind, engine.problem().len() as u64);
        let batches = self.batches(elements);
        let from = self.descent.state();
        let [least, most] = self.descent.rates();
        let takes = match engine.stepper() {
            Some(stepper) => {
                stepper.takes_rate(least)
                    && stepper.takes_rate(most)
                    && stepper.descend_on(Loss::Squared)
                    && stepper.resume_over(&self.rule_of_steps(), &from, &batches)?
            }
            None => false,
        };
        match (takes, self.descent.update) {
            (true, _) => Ok(Some(per_submit)),
            (false, Update::Device(_)) => Err(FitError::NoDeviceUpdate(kind)),
            (false, _) => Ok(None),
        }
    }

    /// The rule of the steps, which no tolerance ends.
    fn rule_of_steps(&self) -> DescentRule {
        DescentRule { tolerance: [0.0; 2], ..self.descent.rule() }
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
        let per_submit = self.on_device(engine)?;
        let mut run = Run::start(self, engine, moments, kind)?;
        let stop_reason = run.epochs(per_submit, observe)?;
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

    fn epochs(
        &mut self,
        per_submit: Option<StepsPerSubmit>,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<StopReason, FitError> {
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
            let to_average = epoch >= tail_from;
            let stop = match per_submit {
                Some(per_submit) => {
                    self.submitted(&order, (epoch, &batches), per_submit, to_average, observe)?
                }
                None => self.passes(&order, (epoch, &batches), to_average, observe)?,
            };
            if let Some(reason) = stop {
                return Ok(reason);
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

    /// The rest of an epoch by a pass for each batch; the reason to stop, if there is one.
    fn passes(
        &mut self,
        order: &Epoch,
        (epoch, batches): (u64, &Batches),
        to_average: bool,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Option<StopReason>, FitError> {
        for k in self.state.progress.batch..batches.count() {
            let sums = self.engine.batch_sums(self.state.model, &order.batch(k))?;
            if sums.n == 0 {
                continue;
            }
            let started = Instant::now();
            let batch = Evaluation::from_sums(&sums);
            let moved = self.stepped(&batch);
            let seconds = started.elapsed().as_secs_f64();
            let next = after(k, (epoch, batches));
            if let Some(reason) = self.went(&batch, moved, next, seconds, to_average, observe)? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// The same by steps that the engine makes by itself, many at a time.
    fn submitted(
        &mut self,
        order: &Epoch,
        (epoch, batches): (u64, &Batches),
        per_submit: StepsPerSubmit,
        to_average: bool,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Option<StopReason>, FitError> {
        let (mut next, mut seconds) = (self.state.progress.batch, None);
        while next < batches.count() {
            let wanted = per_submit.next(seconds, batches.count() - next);
            let (mut numbers, mut steps) = (Vec::new(), Vec::new());
            while next < batches.count() && steps.len() < wanted as usize {
                let batch = order.batch(next);
                if batch.runs().any(|run| self.engine.problem().first_valid(&run).is_some()) {
                    let step = self.state.step.saturating_add(steps.len() as u64);
                    steps.push((batch, self.settings.descent.rate(step)));
                    numbers.push(next);
                }
                next += 1;
            }
            if steps.is_empty() {
                continue;
            }
            let started = Instant::now();
            let stalled = EngineError::Stalled { taken: 0, wanted };
            let rows = self.engine.stepper().ok_or(stalled)?.advance_over(&steps)?;
            #[expect(clippy::cast_precision_loss, reason = "at most 1,024 steps")]
            let each = started.elapsed().as_secs_f64() / rows.len().max(1) as f64;
            seconds = Some(each);
            for (place, row) in rows.iter().enumerate() {
                let moved = match rows.get(place + 1) {
                    Some(Evaluated { model, velocity, .. }) => {
                        StepState { model: *model, velocity: *velocity, step: self.state.step + 1 }
                    }
                    // The device is there too, but for its last digits.
                    None => self.stepped(&row.evaluation),
                };
                let after = after(numbers[place], (epoch, batches));
                if let Some(reason) = self.went(&row.evaluation, moved, after, each, to_average, observe)? {
                    return Ok(Some(reason));
                }
            }
            if rows.len() < steps.len() {
                return Ok(Some(StopReason::Diverged));
            }
        }
        Ok(None)
    }

    /// The step from the loss and gradients of a batch.
    fn stepped(&self, batch: &Evaluation) -> StepState {
        let descent = &self.settings.descent;
        let State { model, progress: Progress { step, velocity, .. }, .. } = self.state;
        let mut moved = StepState { model, velocity, step };
        descent.rule().step(&mut moved, batch.gradient(), descent.rate(step));
        moved
    }

    /// Goes to the state after a step from the loss and gradients of a batch; the reason
    /// to stop, if that is not finite or the observer says so.
    fn went(
        &mut self,
        batch: &Evaluation,
        moved: StepState,
        next: (u64, u64),
        seconds: f64,
        to_average: bool,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Option<StopReason>, FitError> {
        let StepState { model, velocity, step } = moved;
        let evaluation = evaluate(&mut self.whole, model)?;
        self.durations.add(seconds);
        if !(batch.is_finite() && model.is_finite() && evaluation.is_finite()) {
            return Ok(Some(StopReason::Diverged));
        }
        let progress = Progress { step, epoch: next.0, batch: next.1, velocity, height: None };
        self.state = State { step, model, evaluation, progress };
        if to_average {
            self.tail.add(model);
        }
        Ok(observe(&self.state).is_break().then_some(StopReason::Interrupted))
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

/// The epoch and the batch after batch number `k` of an epoch.
fn after(k: u64, (epoch, batches): (u64, &Batches)) -> (u64, u64) {
    if k + 1 == batches.count() { (epoch + 1, 0) } else { (epoch, k + 1) }
}

fn evaluate(whole: &mut Replay, at: Affine) -> Result<Evaluation, FitError> {
    let (evaluation, _) = whole.evaluate(&Position::new(at, Coordinates::Original))?;
    Ok(evaluation)
}
