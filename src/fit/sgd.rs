use std::ops::{ControlFlow, RangeInclusive};
use std::time::Instant;

use serde::Serialize;

use super::coordinates::{Coordinates, Position, units_at};
use super::exact::hides;
use super::path::{BatchPath, HostPath, Path};
use super::replay::Replay;
use super::steps::StepsPerSubmit;
use crate::engine::{DescentRule, Digits, Engine, EngineError, EngineKind, StepOutcome};
use crate::math::{Affine, Curvature, Evaluation, Line, Moments};

/// Full-batch gradient descent: every step passes over all the data and moves
/// W and b against the gradient of the loss.
///
/// ```
/// use linfit::array::{Problem, Array};
/// use linfit::engine::Cpu;
/// use linfit::fit::GradientDescent;
/// use std::ops::ControlFlow;
///
/// let x = Array::from_vec("x", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
/// let t = Array::from_vec("t", &[2, 2], vec![3.0, 5.0, 7.0, 9.0]); // 2·x + 1
/// let data = Problem::pair(x, t)?;
/// let fit = GradientDescent { steps: 5000, learning_rate: 0.05, ..GradientDescent::default() }
///     .fit(&mut Cpu::new(&data), &mut |_| ControlFlow::Continue(()))?;
/// assert!((fit.model.weight - 2.0).abs() < 1e-9);
/// assert!((fit.model.bias - 1.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientDescent {
    /// The learning rate η: how far along the gradient a step goes.
    pub learning_rate: f64,
    /// The most steps to take; 0 only evaluates at `start`.
    pub steps: u64,
    /// Stops when max(|∂L/∂W|, |∂L/∂b|) is at most this; 0 never does.
    pub tolerance: f64,
    /// The same for each of the two, instead, as
    /// [`relative_to`](Self::relative_to) finds them; not used if `tolerance` is
    /// not 0.
    pub tolerances: [f64; 2],
    /// W and b before the first step.
    pub start: Affine,
    /// Where W and b are updated.
    pub update: Update,
    /// The coordinates in which the steps are made; other than the original
    /// ones, they are made on the host.
    pub coordinates: Coordinates,
}

/// Where W and b are updated. The states are the same up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Update {
    /// On the device if the engine can, else on the host.
    #[default]
    Auto,
    /// On the host, in f64, after a round trip for every step.
    Host,
    /// On the device, in two-float arithmetic (46 bits or more), many steps
    /// for a round trip.
    Device(StepsPerSubmit),
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            steps: 1000,
            tolerance: 0.0,
            tolerances: [0.0; 2],
            start: Affine::default(),
            update: Update::Auto,
            coordinates: Coordinates::Original,
        }
    }
}

/// A configuration that cannot be fitted with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its field holds")]
pub enum ConfigError {
    #[error("the learning rate must be a positive number, not {0:?}")]
    LearningRate(f64),
    #[error("the tolerance must be 0 (off) or a positive number, not {0:?}")]
    Tolerance(f64),
    #[error("the weight and bias to start from must be finite numbers, not {:?} and {:?}", .0.weight, .0.bias)]
    Start(Affine),
    #[error("the learning rate {0:?} has no update on a device, which computes in f32; use --update host")]
    DeviceRate(f64),
    #[error("steps in standardized coordinates are updated on the host; use --update host or auto")]
    DeviceCoordinates,
}

/// Where the descent stands after `step` updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Updates so far; 0 is the start.
    pub step: u64,
    /// W and b after these updates.
    pub model: Affine,
    /// Loss and gradients at `model`.
    pub evaluation: Evaluation,
}

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// All the steps were taken.
    Steps,
    /// Both gradients reached the tolerance.
    Tolerance,
    /// The loss, a gradient or a parameter stopped being a finite number.
    Diverged,
    /// The observer ended it.
    Interrupted,
    /// In closed form, without steps.
    Exact,
}

/// The end of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// W and b: the last finite ones.
    pub model: Affine,
    /// Loss and gradients at exactly these W and b.
    pub evaluation: Evaluation,
    /// Updates that led to them.
    pub steps: u64,
    /// Why it ended; if diverged, the step after `steps` wasn't finite.
    pub stop_reason: StopReason,
    /// The number of elements.
    pub n: u64,
    /// Seconds for all passes and updates.
    pub seconds: f64,
    /// Median seconds of a pass and its update.
    pub step_median_seconds: f64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A pass failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// [`Update::Device`] with an engine that can't.
    #[error(
        "the {} engine updates W and b on the host{}; use --update host or auto, without --steps-per-submit",
        .0.name(),
        if *.0 == EngineKind::Gpu { " when it streams the data" } else { "" }
    )]
    NoDeviceUpdate(EngineKind),
    /// A learning rate with which the descent cannot converge.
    #[error(
        "the learning rate {rate:?} diverges on these data: it must be below {:?}, and {:?} is the best; \
         use {remedy}, or --force to run it anyway",
        to_six_digits(*.bound), to_six_digits(*.best)
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    RateTooLarge { rate: f64, bound: f64, best: f64, remedy: &'static str },
    /// The best line is not determined.
    #[error(
        "X has no spread: its elements are all {0:?}, or differ from it by less than the engine's numbers \
         hold; without spread no single line is the best, and none can be standardized; use --solver sgd, \
         which finds one of the many, or data whose X varies (around 0, if it is far from there)"
    )]
    NoSpread(f64),
    /// The best line is not determined.
    #[error(
        "through a single element goes no single best line; use --solver sgd, which finds one of the many, \
         or give more elements"
    )]
    OneElement,
    /// The best line is beyond f64.
    #[error(
        "the least-squares line is beyond f64: its weight is about ±1e{0}, and the largest number is 1e308; \
         scale X or T, for example both to the range ±1"
    )]
    LineBeyondRange(i64),
    /// A relative tolerance is beyond f64.
    #[error(
        "--rtol {0:?} of the scale of the gradients is not a finite number: X times T is beyond f64; scale \
         the data, for example to the range ±1"
    )]
    ToleranceBeyondRange(f64),
    /// The sums of squares are beyond f64.
    #[error("the sums of squares of X and T overflow f64: scale the data, for example to the range ±1")]
    MomentsOverflow,
    /// Nothing to report: not even the start has a finite loss.
    #[error(
        "the loss at the start (W = {:e}, b = {:e}) is not finite: the sum of squares overflows; scale the \
         data, start nearer, or, if this was a GPU, use --engine cpu, which sums in f64", .0.weight, .0.bias
    )]
    StartOverflows(Affine),
}

/// A positive number in six digits, for people: the next smaller one, so that
/// what must be below a bound still is below what is printed.
pub(crate) fn to_six_digits(value: f64) -> f64 {
    let text = format!("{value:.5e}");
    let rounded: f64 = text.parse().unwrap_or(value);
    if rounded <= value {
        return rounded;
    }
    let unit = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    let lower = rounded - unit.map_or(0.0, |exponent| 10f64.powi(exponent - 5));
    format!("{lower:.5e}").parse().unwrap_or(value)
}

/// Learning rates of which two f32 hold all digits, with room for products.
const DEVICE_RATES: RangeInclusive<f64> = 1e-20..=1e20;

impl GradientDescent {
    /// Refuses rates, tolerances and starts that mean nothing.
    ///
    /// # Errors
    /// [`ConfigError`] for the first of them.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(ConfigError::LearningRate(self.learning_rate));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(ConfigError::Tolerance(self.tolerance));
        }
        if !self.start.is_finite() {
            return Err(ConfigError::Start(self.start));
        }
        Ok(())
    }

    /// The tolerances of |∂L/∂W| and |∂L/∂b| that are a share of their scales,
    /// 2·√(E x²)·σt and 2·σt: within them, the line is on average no farther
    /// than that share of σt above or below the data. Without spread, T's root
    /// mean square stands for σt.
    #[must_use]
    pub fn relative_to(moments: &Moments, share: f64) -> [f64; 2] {
        let [x, t] = moments.deviations();
        let t = if moments.tt > 0.0 { t } else { moments.t_mean.abs() };
        let x = x.hypot(moments.x_mean);
        [share * 2.0 * x * t, share * 2.0 * t]
    }

    /// The tolerances of |∂L/∂W| and of |∂L/∂b|; 0 where there are none.
    #[must_use]
    pub fn both_tolerances(&self) -> [f64; 2] {
        if self.tolerance > 0.0 { [self.tolerance; 2] } else { self.tolerances }
    }

    /// Refuses a learning rate with which the steps that are asked for would
    /// diverge, from the data's curvature in the coordinates of the descent.
    ///
    /// # Errors
    /// [`FitError::RateTooLarge`].
    pub fn check_rate(&self, curvature: &Curvature) -> Result<(), FitError> {
        if self.steps == 0 || self.learning_rate < curvature.rate_bound() {
            return Ok(());
        }
        Err(FitError::RateTooLarge {
            rate: self.learning_rate,
            bound: curvature.rate_bound(),
            best: curvature.best_rate(),
            remedy: self.remedy(curvature),
        })
    }

    /// What converges, and soon, where this rate does not.
    fn remedy(&self, curvature: &Curvature) -> &'static str {
        /// With it, the best rate takes about 10⁴ steps for each digit.
        const SLOW: f64 = 1e4;
        let condition = curvature.condition();
        if self.coordinates != Coordinates::Original || condition.is_infinite() {
            "--lr auto"
        } else if condition > SLOW {
            "--standardize or --solver exact (--lr auto converges, but too slowly)"
        } else {
            "--lr auto or --standardize"
        }
    }

    /// Descends until the steps are used up, the tolerance is reached, the
    /// descent diverges, or `observe`, which sees every finite state from step
    /// 0 on, breaks it off.
    ///
    /// # Errors
    /// [`FitError`]. Divergence after the start is not an error but a
    /// [`StopReason`]: the last finite state is worth having.
    pub fn fit(
        &self,
        engine: &mut dyn Engine,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        self.check()?;
        let started = Instant::now();
        let path = self.path(engine)?;
        self.follow(path, started, observe)
    }

    /// The same descent from the moments of the data, without a pass for each
    /// step: W and b, loss and gradients agree to rounding, step by step.
    /// [`update`](Self::update) does not matter.
    ///
    /// Where the descent ends, one pass of the engine finds the loss and
    /// gradients of the result. Near the optimum they may differ in the last
    /// digits from those that the observer saw last, and by which a tolerance
    /// was reached: those cancel, and lose to rounding what about 1e-16 of the
    /// sums of squares is.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit).
    pub fn replay(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        self.check()?;
        let started = Instant::now();
        let mut replay = Replay::new(moments, self.coordinates);
        let rule = self.rule();
        let evaluations = self.steps.saturating_add(1);
        let path = BatchPath::new(&mut replay, &rule, StepsPerSubmit::Auto, evaluations)?;
        let fit = self.follow(Path::Batches(path), started, observe)?;
        // What is held in standardized coordinates has more digits than b, and
        // residuals may be so small that they are seen.
        if self.coordinates != Coordinates::Original && hides(moments, fit.model) {
            let line = Line::of(fit.model, moments.x_centre());
            let (high, x_variance) = (line.y.minus(moments.t_centre()), moments.xx / moments.weight_sum);
            let units = units_at(fit.model.weight, high.value(), x_variance, moments.units());
            let line = Line { units, ..line };
            let found = line.evaluation(&engine.sums_about(&line, Digits::Double)?);
            let rounding = f64::EPSILON * fit.model.bias;
            let is_seen = rounding * rounding > 1e-9 * found.loss;
            // Those of the moments cancel where the line fits well.
            let [_, t_deviation] = moments.deviations();
            let is_lost = rounding.abs() < f64::EPSILON.sqrt() * t_deviation;
            let evaluation = if is_seen && !is_lost { fit.evaluation } else { found };
            return Ok(Fit { evaluation, seconds: started.elapsed().as_secs_f64(), ..fit });
        }
        let evaluation = Evaluation::from_sums(&engine.loss_sums_at(fit.model)?);
        // After a divergence the engine's sums may overflow where f64 didn't.
        let evaluation = if evaluation.is_finite() { evaluation } else { fit.evaluation };
        Ok(Fit { evaluation, seconds: started.elapsed().as_secs_f64(), ..fit })
    }

    fn follow(
        &self,
        mut path: Path<'_>,
        started: Instant,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let mut durations = Durations::default();
        let mut last: Option<State> = None;
        let (state, stop_reason) = loop {
            let (next, seconds) = path.next()?;
            durations.add(seconds);
            if !next.evaluation.is_finite() {
                break (last.ok_or(FitError::StartOverflows(self.start))?, StopReason::Diverged);
            }
            let step = last.map_or(0, |state| state.step + 1);
            let state = State { step, model: next.model, evaluation: next.evaluation };
            last = Some(state);
            if observe(&state).is_break() {
                break (state, StopReason::Interrupted);
            }
            if next.onward == StepOutcome::Tolerance {
                break (state, StopReason::Tolerance);
            }
            if step == self.steps {
                break (state, StopReason::Steps);
            }
            if next.onward == StepOutcome::Diverged {
                break (state, StopReason::Diverged);
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        Ok(Fit {
            model: state.model,
            evaluation: state.evaluation,
            steps: state.step,
            stop_reason,
            n: path.elements(),
            seconds,
            step_median_seconds: durations.median().unwrap_or(seconds),
        })
    }

    fn rule(&self) -> DescentRule {
        let Self { learning_rate, start, .. } = *self;
        DescentRule { start, learning_rate, tolerance: self.both_tolerances() }
    }

    /// Where the states come from.
    fn path<'e>(&self, engine: &'e mut dyn Engine) -> Result<Path<'e>, FitError> {
        let learning_rate = self.learning_rate;
        let (rule, original) = (self.rule(), self.coordinates == Coordinates::Original);
        let per_submit = match self.update {
            Update::Auto
                if original && DEVICE_RATES.contains(&learning_rate) && engine.descent().is_some() =>
            {
                StepsPerSubmit::Auto
            }
            Update::Auto | Update::Host => {
                let position = Position::new(self.start, self.coordinates);
                return Ok(Path::Host(HostPath::new(engine, rule, position)));
            }
            Update::Device(_) if !original => return Err(ConfigError::DeviceCoordinates.into()),
            Update::Device(per_submit) => per_submit,
        };
        if !DEVICE_RATES.contains(&learning_rate) {
            return Err(ConfigError::DeviceRate(learning_rate).into());
        }
        let kind = engine.info().kind;
        let device = engine.descent().ok_or(FitError::NoDeviceUpdate(kind))?;
        let evaluations = self.steps.saturating_add(1);
        Ok(Path::Batches(BatchPath::new(device, &rule, per_submit, evaluations)?))
    }
}

/// The durations of the last steps, enough for a median.
#[derive(Default)]
struct Durations {
    recent: Vec<f64>,
    next: usize,
}

impl Durations {
    const KEPT: usize = 10_000;

    fn add(&mut self, seconds: f64) {
        if self.recent.len() < Self::KEPT {
            self.recent.push(seconds);
        } else {
            self.recent[self.next] = seconds;
            self.next = (self.next + 1) % Self::KEPT;
        }
    }

    fn median(mut self) -> Option<f64> {
        let middle = self.recent.len() / 2;
        if self.recent.is_empty() {
            return None;
        }
        let (_, median, _) = self.recent.select_nth_unstable_by(middle, f64::total_cmp);
        Some(*median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Problem};
    use crate::engine::{Cpu, Reference};

    fn pair(x: Vec<f64>, t: Vec<f64>) -> Problem {
        let n = x.len() as u64;
        Problem::pair(Array::from_vec("x", &[n], x), Array::from_vec("t", &[n], t)).unwrap()
    }

    fn trace(sgd: GradientDescent, data: &Problem) -> (Fit, Vec<State>) {
        let mut states = Vec::new();
        let fit = sgd
            .fit(&mut Reference::new(data), &mut |state| {
                states.push(*state);
                ControlFlow::Continue(())
            })
            .unwrap();
        (fit, states)
    }

    /// X = [[1, 2], [3, 4]], T = [[3, 5], [7, 9]], η = 0.0625 = 2⁻⁴, so that
    /// every number below is exact in binary. With E x = 2.5, E x² = 7.5,
    /// E t = 6, E xt = 17.5, E t² = 41, at (W, b):
    ///   ∂L/∂W = 2·(7.5·W + 2.5·b − 17.5), ∂L/∂b = 2·(2.5·W + b − 6),
    ///   L = 7.5·W² + b² + 41 + 5·W·b − 35·W − 12·b.
    /// step 0: (0, 0): L = 41, gradients −35, −12
    /// step 1: (2.1875, 0.75): ∂L/∂W = 2·(16.40625 + 1.875 − 17.5) = 1.5625,
    ///   ∂L/∂b = 2·(5.46875 + 0.75 − 6) = 0.4375,
    ///   L = 35.888671875 + 0.5625 + 41 + 8.203125 − 76.5625 − 9 = 0.091796875
    /// step 2: (2.1875 − 0.09765625, 0.75 − 0.02734375) = (2.08984375, 0.72265625):
    ///   ∂L/∂W = 2·(15.673828125 + 1.806640625 − 17.5) = −0.0390625,
    ///   ∂L/∂b = 2·(5.224609375 + 0.72265625 − 6) = −0.10546875
    /// step 3: (2.08984375 + 0.00244140625, 0.72265625 + 0.006591796875)
    ///       = (2.09228515625, 0.729248046875)
    #[test]
    fn three_steps_of_the_worked_example_by_hand() {
        let data = pair(vec![1.0, 2.0, 3.0, 4.0], vec![3.0, 5.0, 7.0, 9.0]);
        let (fit, states) =
            trace(GradientDescent { learning_rate: 0.0625, steps: 3, ..GradientDescent::default() }, &data);
        let rows: Vec<_> = states
            .iter()
            .map(|s| (s.model.weight, s.model.bias, s.evaluation.grad_weight, s.evaluation.grad_bias))
            .collect();
        assert_eq!(rows[0], (0.0, 0.0, -35.0, -12.0));
        assert_eq!(rows[1], (2.1875, 0.75, 1.5625, 0.4375));
        assert_eq!(rows[2], (2.089_843_75, 0.722_656_25, -0.039_062_5, -0.105_468_75));
        assert_eq!((rows[3].0, rows[3].1), (2.092_285_156_25, 0.729_248_046_875));
        assert_eq!(states[0].evaluation.loss, 41.0);
        assert_eq!(states[1].evaluation.loss, 0.091_796_875);
        assert_eq!((fit.steps, fit.stop_reason, fit.n), (3, StopReason::Steps, 4));
        assert_eq!(fit.model, states[3].model);
        assert_eq!(fit.evaluation, states[3].evaluation);
    }

    /// With the default rate the first step is 0.01 times the gradients of the
    /// worked example.
    #[test]
    fn the_default_rate_is_a_hundredth() {
        let data = pair(vec![1.0, 2.0, 3.0, 4.0], vec![3.0, 5.0, 7.0, 9.0]);
        let (fit, _) = trace(GradientDescent { steps: 1, ..GradientDescent::default() }, &data);
        assert_eq!(fit.model, Affine::new(0.01 * 35.0, 0.01 * 12.0));
    }

    #[test]
    fn no_steps_only_evaluate() {
        let data = pair(vec![1.0, 2.0], vec![1.0, 2.0]);
        let start = Affine::new(1.0, 0.5);
        let (fit, states) = trace(GradientDescent { steps: 0, start, ..GradientDescent::default() }, &data);
        assert_eq!((fit.model, fit.steps, states.len()), (start, 0, 1));
        assert_eq!(fit.evaluation.loss, 0.25);
    }

    #[test]
    fn stops_at_the_first_state_within_the_tolerance() {
        // x = ±1: λ = 2 in both directions, the gradient shrinks by 1 − 2η = ½
        // a step from (−2, −2): 2⁻⁹ after ten steps, 2⁻¹⁰ after eleven.
        let data = pair(vec![-1.0, 1.0], vec![0.0, 2.0]);
        let sgd = GradientDescent { learning_rate: 0.25, tolerance: 0.001, ..GradientDescent::default() };
        let (fit, states) = trace(sgd, &data);
        assert_eq!((fit.steps, fit.stop_reason), (11, StopReason::Tolerance));
        assert_eq!(fit.evaluation.gradient_norm(), 2f64.powi(-10));
        assert!(states[10].evaluation.gradient_norm() > 0.001);
    }

    #[test]
    fn divergence_keeps_the_last_finite_state() {
        let data = pair(vec![100.0, -100.0], vec![1.0, 3.0]);
        let (fit, states) =
            trace(GradientDescent { steps: 10_000, learning_rate: 1.0, ..GradientDescent::default() }, &data);
        assert_eq!(fit.stop_reason, StopReason::Diverged);
        assert!(fit.evaluation.is_finite() && fit.model.is_finite());
        assert_eq!(states.last().map(|s| (s.step, s.model)), Some((fit.steps, fit.model)));
        assert!(fit.steps > 10 && fit.steps < 200, "{}", fit.steps);
    }

    #[test]
    fn a_start_without_a_finite_loss_is_an_error() {
        let data = pair(vec![1e200], vec![1.0]);
        let sgd = GradientDescent { start: Affine::new(1.0, 0.0), ..GradientDescent::default() };
        let error = sgd.fit(&mut Cpu::new(&data), &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, FitError::StartOverflows(_)), "{error}");
    }

    #[test]
    fn the_observer_can_end_it() {
        let data = pair(vec![1.0, 2.0], vec![1.0, 2.0]);
        let mut observe =
            |s: &State| if s.step == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let fit = GradientDescent::default().fit(&mut Cpu::new(&data), &mut observe).unwrap();
        assert_eq!((fit.steps, fit.stop_reason), (5, StopReason::Interrupted));
    }

    #[test]
    fn refuses_meaningless_settings() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                GradientDescent { learning_rate: bad, ..GradientDescent::default() }.check().is_err(),
                "{bad}"
            );
        }
        for bad in [-1e-9, f64::NAN, f64::INFINITY] {
            assert!(
                GradientDescent { tolerance: bad, ..GradientDescent::default() }.check().is_err(),
                "{bad}"
            );
            let start = Affine::new(0.0, if bad < 0.0 { f64::NAN } else { bad });
            assert!(GradientDescent { start, ..GradientDescent::default() }.check().is_err());
        }
    }
}
