use std::ops::ControlFlow;
use std::time::Instant;

use super::coordinates::{Coordinates, units_at};
use super::error::{ConfigError, FitError};
use super::gradient_descent::{GradientDescent, Update};
use super::host::{HostStepper, Passes};
use super::progress::Progress;
use super::refine::hides;
use super::result::{Fit, State, StopReason};
use super::steps::StepsPerSubmit;
use crate::engine::{Digits, Engine, EngineError, EngineKind, Evaluated, StepOutcome, StepState, Stepper};
use crate::math::{Evaluation, Line, Moments};

impl GradientDescent {
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
        let kind = engine.info().kind;
        if let Some(per_submit) = self.on_device(engine)? {
            let stepper = engine.stepper().ok_or(FitError::NoDeviceUpdate(kind))?;
            return self.follow(stepper, kind, per_submit, started, observe);
        }
        let mut stepper = HostStepper::new(Passes::of_loss(engine, self.loss), self.coordinates)
            .at_height(self.progress.height)
            .fixing(self.fixed);
        self.follow(&mut stepper, kind, StepsPerSubmit::Fixed(1), started, observe)
    }

    /// Descends from the moments of the data, without a pass for each step: W
    /// and b, loss and gradients agree with those of [`fit`](Self::fit) to
    /// rounding, step by step. [`update`](Self::update) does not matter.
    ///
    /// One pass of the engine finds the loss and gradients of the result. Near
    /// the optimum they may differ in the last digits from those that the
    /// observer saw last, and by which a tolerance was reached: those cancel,
    /// and lose about 1e-16 of the sums of squares to rounding.
    ///
    /// # Errors
    /// The errors of [`fit`](Self::fit).
    pub fn replay(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let started = Instant::now();
        let fit = self.replay_moments(moments, observe)?;
        let evaluation = self.passed_over(&fit, engine, moments)?;
        Ok(Fit { evaluation, seconds: started.elapsed().as_secs_f64(), ..fit })
    }

    /// Loss and gradients of a fit from the moments, by a pass.
    fn passed_over(
        &self,
        fit: &Fit,
        engine: &mut dyn Engine,
        moments: &Moments,
    ) -> Result<Evaluation, FitError> {
        // Standardized coordinates hold more digits than b has, and residuals
        // may be so small that they are seen.
        if self.coordinates != Coordinates::Original && hides(moments, fit.model) {
            let line = Line::of(fit.model, moments.x_mean_double());
            let (high, x_variance) = (line.y.minus(moments.t_mean_double()), moments.xx / moments.weight_sum);
            let units = units_at(fit.model.weight, high.value(), x_variance, moments.units());
            let line = Line { units, ..line };
            let found = line.evaluation(&engine.sums_about(&line, Digits::Double)?);
            let rounding = f64::EPSILON * fit.model.bias;
            let is_seen = rounding * rounding > 1e-9 * found.loss;
            // Those of the moments cancel where the line fits well.
            let [_, t_deviation] = moments.deviations();
            let is_lost = rounding.abs() < f64::EPSILON.sqrt() * t_deviation;
            return Ok(if is_seen && !is_lost { fit.evaluation } else { found });
        }
        let evaluation = Evaluation::from_sums(&engine.loss_sums_at(fit.model)?);
        // After a divergence the engine's sums may overflow where f64 didn't.
        Ok(if evaluation.is_finite() { evaluation } else { fit.evaluation })
    }

    /// The loop of every descent: as many steps at a time as `per_submit` says,
    /// and a state for each.
    pub(super) fn follow(
        &self,
        stepper: &mut dyn Stepper,
        kind: EngineKind,
        per_submit: StepsPerSubmit,
        started: Instant,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Fit, FitError> {
        let (mut rates, mut durations) = (Vec::new(), Durations::default());
        let mut seconds = None;
        let mut last: Option<State> = None;
        let Progress { step: first, velocity, .. } = self.progress;
        let end = self.last_step();
        stepper.resume(&self.rule(), &StepState { model: self.start, velocity, step: first })?;
        let (state, stop_reason) = 'descent: loop {
            let next = last.map_or(first, |state| state.step + 1);
            let wanted = per_submit.next(seconds, (end - next).saturating_add(1));
            rates.clear();
            rates.extend((next..).take(wanted as usize).map(|step| self.rate(step)));
            let submitted = Instant::now();
            let rows = stepper.advance(&rates)?;
            let taken = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            if taken == 0 {
                return Err(EngineError::Stalled { taken, wanted }.into());
            }
            let each = submitted.elapsed().as_secs_f64() / f64::from(taken);
            seconds = Some(each);
            for (step, row) in (next..).zip(rows) {
                durations.add(each);
                if !row.evaluation.is_finite() {
                    let overflow = FitError::StartOverflows { start: self.start, engine: kind };
                    break 'descent (last.ok_or(overflow)?, StopReason::Diverged);
                }
                let Evaluated { model, velocity, height, evaluation, outcome } = row;
                let state = State {
                    step,
                    model,
                    evaluation,
                    progress: Progress { step, velocity, height, ..self.progress },
                };
                last = Some(state);
                if observe(&state).is_break() {
                    break 'descent (state, StopReason::Interrupted);
                }
                match outcome {
                    StepOutcome::Tolerance => break 'descent (state, StopReason::Tolerance),
                    _ if step == end => break 'descent (state, StopReason::Steps),
                    StepOutcome::Diverged => break 'descent (state, StopReason::Diverged),
                    StepOutcome::Step => {}
                }
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        Ok(Fit {
            model: state.model,
            evaluation: state.evaluation,
            steps: state.step,
            last: state.model,
            progress: state.progress,
            stop_reason,
            n: stepper.elements(),
            seconds,
            step_median_seconds: durations.median().unwrap_or(seconds),
        })
    }

    /// The steps per submission if the engine's device takes them; `None` if
    /// the host does.
    fn on_device(&self, engine: &mut dyn Engine) -> Result<Option<StepsPerSubmit>, FitError> {
        let is_original = self.coordinates == Coordinates::Original;
        let kind = engine.info().kind;
        let mut refused = || {
            let stepper = engine.stepper()?;
            let rate = self.rates().into_iter().find(|&rate| !stepper.takes_rate(rate));
            stepper.descend_on(self.loss).then_some(rate)
        };
        match self.update {
            Update::Host => Ok(None),
            Update::Auto if !is_original || self.fixed.is_some() => Ok(None),
            Update::Device(_) if self.fixed.is_some() => Err(ConfigError::DeviceFixed.into()),
            Update::Auto => Ok((refused() == Some(None)).then_some(StepsPerSubmit::Auto)),
            Update::Device(_) if !is_original => Err(ConfigError::DeviceCoordinates.into()),
            Update::Device(per_submit) => match refused() {
                Some(None) => Ok(Some(per_submit)),
                Some(Some(rate)) => Err(ConfigError::DeviceRate(rate).into()),
                None => Err(FitError::NoDeviceUpdate(kind)),
            },
        }
    }
}

/// The durations of the last steps, enough for a median.
#[derive(Default)]
pub(super) struct Durations {
    recent: Vec<f64>,
    next: usize,
}

impl Durations {
    const KEPT: usize = 10_000;

    pub(super) fn add(&mut self, seconds: f64) {
        if self.recent.len() < Self::KEPT {
            self.recent.push(seconds);
        } else {
            self.recent[self.next] = seconds;
            self.next = (self.next + 1) % Self::KEPT;
        }
    }

    pub(super) fn median(mut self) -> Option<f64> {
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
    use crate::array::{Array, Hint, Hinted, Problem};
    use crate::engine::{Cpu, Reference};
    use crate::math::Affine;

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

    /// The first step with the default rate is 0.01 times the gradients of the
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
        assert!(matches!(error, FitError::StartOverflows { .. }), "{error}");
        assert!(!error.hints().contains(&Hint::F64Engine), "it is the engine that was used");
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
