use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use super::data::random;
use super::pass::Pass;
use super::stopwatch::{Stopwatch, timed};
use crate::array::{Array, ElementType, Problem};
use crate::cli::error::CliError;
use crate::cli::place::Place;
use crate::cli::verbosity::Verbosity;
use crate::engine::gpu::Adapter;
use crate::engine::{
    DescentRule, Engine, Mismatch, POINTS, PointResult, ReferenceResult, StepState, relative,
};
use crate::fit::{GradientDescent, State, Update};
use crate::math::Affine;
use crate::report::{BenchResult, Timing};

/// W and b of the passes that are timed.
const AT: Affine = POINTS[0];

/// The time that a descent should take, so that starting one hardly adds to it.
const DESCENT_TIME: Duration = Duration::from_millis(20);

/// The most steps in a timed descent.
const MAX_STEPS: u64 = 1000;

/// One size of data, and the reference's results on them.
pub(super) struct Subject {
    pub(super) data: Problem,
    reference: ReferenceResult,
    learning_rate: f64,
}

impl Subject {
    pub(super) fn new(elements: usize, element: ElementType) -> Result<Self, CliError> {
        let data = random(elements, element)?;
        let reference = ReferenceResult::of_points(&data)?;
        // Below 1/(1 + mean of x²) no descent diverges.
        let learning_rate = 0.01 / (1.0 + mean_square(data.x()));
        Ok(Self { data, reference, learning_rate })
    }

    /// Compares all passes with the reference: nothing is timed that was not
    /// first checked.
    pub(super) fn check(
        &self,
        engine: &mut dyn Engine,
        tolerance: f64,
        verbosity: Verbosity,
    ) -> Result<(), CliError> {
        let errors = self.reference.errors_of(&self.data, engine)?;
        verbosity.notices_of(engine);
        let mut checked = errors.check(tolerance);
        for update in [Update::Host, Update::Auto] {
            if checked.is_ok() {
                let error = self.step_error(engine, update)?;
                checked = Mismatch::check("W or b after a step", error, tolerance);
            }
        }
        let (info, n) = (engine.info(), self.data.len());
        let adapter = info.adapter.as_ref().map_or_else(String::new, |adapter| format!(" ({adapter})"));
        checked.map_err(|mismatch| {
            let kind = info.kind.name();
            CliError::Mismatch(format!("{kind}{adapter}, {n} elements: {mismatch}; nothing was timed"))
        })
    }

    /// The error of W and b after one step, which the reference's gradients lead
    /// to elsewhere, relative to the size of the gradients' terms.
    fn step_error(&self, engine: &mut dyn Engine, update: Update) -> Result<f64, CliError> {
        let fit = self.descent(1, update).fit(engine, &mut |_| ControlFlow::Continue(()))?;
        let PointResult { at, evaluation, scales } = &self.reference.first;
        let mut want = StepState::start(*at);
        DescentRule::default().step(&mut want, evaluation.gradient(), self.learning_rate);
        let weight = relative(fit.model.weight - want.model.weight, self.learning_rate * scales.grad_weight);
        let bias = relative(fit.model.bias - want.model.bias, self.learning_rate * scales.grad_bias);
        Ok(weight + bias)
    }

    fn descent(&self, steps: u64, update: Update) -> GradientDescent {
        GradientDescent {
            learning_rate: self.learning_rate,
            steps,
            start: AT,
            update,
            ..GradientDescent::default()
        }
    }

    /// Seconds of a pass by the host's clock, and by the device's if it has one
    /// that advances: in runs of its own, because reading it takes time.
    pub(super) fn time(
        &self,
        pass: Pass,
        engine: &mut dyn Engine,
        stopwatch: Stopwatch,
    ) -> Result<Option<(Timing, Option<f64>)>, CliError> {
        let mut steps = 1;
        if pass.takes_steps() {
            // Twice: the first is cold.
            for _ in 0..2 {
                let seconds = timed(|| self.run(pass, steps, engine))? / pass.passes(steps);
                steps = steps_in(DESCENT_TIME, seconds);
            }
        }
        let passes = pass.passes(steps);
        let measured =
            stopwatch.measure(|| timed(|| self.run(pass, steps, engine)).map(|seconds| seconds / passes))?;
        let Some(timing) = measured.and_then(Timing::of) else { return Ok(None) };
        if !engine.start_clock() {
            return Ok(Some((timing, None)));
        }
        let brief = Stopwatch { time: Duration::ZERO };
        let measured = brief.measure(|| {
            engine.start_clock();
            self.run(pass, steps, engine)?;
            Ok::<_, CliError>(engine.stop_clock().unwrap_or(f64::NAN) / passes)
        })?;
        let Some(device) = measured.and_then(Timing::of) else { return Ok(None) };
        Ok(Some((timing, Some(device.median_s).filter(|seconds| seconds.is_finite() && *seconds > 0.0))))
    }

    /// Does what is timed.
    fn run(&self, pass: Pass, steps: u64, engine: &mut dyn Engine) -> Result<(), CliError> {
        let mut descend = |update| {
            let mut go_on = |_: &State| ControlFlow::Continue(());
            black_box(self.descent(steps, update).fit(engine, &mut go_on)?);
            Ok(())
        };
        match pass {
            Pass::Step => descend(Update::Host),
            Pass::Steps => descend(Update::Auto),
            Pass::LossSums => {
                black_box(engine.loss_sums_at(AT)?);
                Ok(())
            }
            Pass::Forward => Ok(engine.predict(AT, &mut |ys| {
                black_box(ys);
                Ok(())
            })?),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    pub(super) fn result(
        &self,
        place: Place<'_>,
        pass: Pass,
        engine: &dyn Engine,
        (timing, device_s): (Timing, Option<f64>),
    ) -> BenchResult {
        let n = self.data.len() as u64;
        let bytes = match pass {
            // X and T have the same type.
            Pass::Forward => engine.pass_bytes() / 2 + n * size_of::<f32>() as u64,
            Pass::LossSums | Pass::Step | Pass::Steps => engine.pass_bytes(),
        };
        let Timing { runs, median_s, q1_s, q3_s } = timing;
        BenchResult {
            engine: place.engine(),
            adapter: place.adapter().map(|adapter| adapter.name().to_owned()),
            backend: place.adapter().map(Adapter::backend),
            pass: pass.name(),
            n,
            dtype: self.data.x().element().name(),
            runs,
            median_s,
            q1_s,
            q3_s,
            device_s,
            gb_s: bytes as f64 / median_s / 1e9,
            elements_s: n as f64 / median_s,
            fraction_of_read: f64::NAN,
            baseline_ratio: None,
        }
    }
}

/// The number of steps of so many seconds that fit into a time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn steps_in(time: Duration, step_seconds: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    let most = MAX_STEPS as f64;
    (time.as_secs_f64() / step_seconds).clamp(1.0, most) as u64
}

#[expect(clippy::cast_precision_loss, reason = "an average")]
fn mean_square(x: &Array) -> f64 {
    let mut xs = vec![0f64; x.len().min(1 << 16)];
    let mut sum = 0.0;
    for start in (0..x.len()).step_by(xs.len().max(1)) {
        let elements = xs.len().min(x.len() - start);
        x.read(x.order(), start, &mut xs[..elements]);
        sum += xs[..elements].iter().map(|x| x * x).sum::<f64>();
    }
    sum / x.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Altered, Found, TOLERANCE};

    #[test]
    fn a_descent_is_long_enough_and_not_longer() {
        assert_eq!(steps_in(DESCENT_TIME, 1e-3), 20);
        assert_eq!(steps_in(DESCENT_TIME, 10.0), 1);
        assert_eq!(steps_in(DESCENT_TIME, 1e-9), MAX_STEPS);
        assert_eq!(steps_in(DESCENT_TIME, 0.0), MAX_STEPS);
    }

    #[test]
    fn each_wrong_pass_is_a_mismatch() {
        let subject = Subject::new(1000, ElementType::F32).unwrap();
        let quiet = Verbosity { quiet: true, verbose: false };
        // One in a thousand off, in sums after a number of good passes.
        let check = |mut good_passes: u32, wrong_forward| {
            let alter = |found: Found<'_>| match found {
                Found::Sums(sums) if good_passes == 0 => sums.rx *= 1.001,
                Found::Sums(_) => good_passes -= 1,
                Found::Predicted(ys) if wrong_forward => ys.iter_mut().for_each(|y| *y *= 1.001),
                Found::Moments(_) | Found::Predicted(_) => {}
            };
            let mut engine = Altered::new(&subject.data, alter);
            subject.check(&mut engine, TOLERANCE, quiet).map_err(|error| error.to_string())
        };
        assert_eq!(check(u32::MAX, false), Ok(()));
        assert!(check(0, false).unwrap_err().contains("∂L/∂W"));
        assert!(check(u32::MAX, true).unwrap_err().contains('Y'));
        // Right when asked for sums, wrong in the descent.
        assert!(check(u32::try_from(POINTS.len()).unwrap(), false).unwrap_err().contains("after a step"));
    }
}
