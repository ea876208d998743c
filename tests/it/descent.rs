//! Descents on the device against descents on the host: the same states,
//! whatever the number of steps in a submission, and the same ends.

use std::ops::ControlFlow;

use linfit::array::{Array, Hint, Hinted, Problem};
use linfit::engine::gpu::{Gpu, GpuSettings};
use linfit::engine::{Cpu, DescentRule, Engine, Reference, StepOutcome};
use linfit::fit::{ConfigError, Fit, FitError, GradientDescent, State, StepsPerSubmit, StopReason, Update};
use linfit::math::{Affine, Loss};

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::{F32_RESULTS, F32_SUMS};

fn pair(x: Vec<f32>, t: Vec<f32>) -> Problem {
    let n = [x.len() as u64];
    Problem::pair(Array::from_vec("x", &n, x), Array::from_vec("t", &n, t)).unwrap()
}

/// T = 3·X − 0.75 and noise, so that the loss ends far from 0.
fn noisy(n: usize) -> Problem {
    let x: Vec<f32> = (0..n as u64).map(|k| (2.0 * noise(k)) as f32).collect();
    let t = (0..n as u64).map(|k| (3.0 * f64::from(x[k as usize]) - 0.75 + 0.5 * noise(!k)) as f32).collect();
    pair(x, t)
}

fn on_device(steps_per_submit: u32) -> Update {
    Update::Device(StepsPerSubmit::fixed(steps_per_submit).unwrap())
}

fn trace(sgd: GradientDescent, engine: &mut dyn Engine) -> (Fit, Vec<State>) {
    let mut states = Vec::new();
    let fit = sgd
        .fit(engine, &mut |state| {
            states.push(*state);
            ControlFlow::Continue(())
        })
        .unwrap();
    (fit, states)
}

fn gpu(data: &Problem) -> Gpu {
    Gpu::open(&software_adapter(), data).unwrap()
}

fn assert_near(got: &State, want: &State, tolerance: f64, case: &str) {
    assert_eq!(got.step, want.step, "{case}");
    let numbers = |s: &State| [("W", s.model.weight), ("b", s.model.bias), ("loss", s.evaluation.loss)];
    for ((name, got), (_, want)) in numbers(got).into_iter().zip(numbers(want)) {
        let off = (got - want).abs();
        assert!(off <= tolerance * want.abs(), "{case}: {name} is {got} for {want}");
    }
}

/// The sizes go through one workgroup, with and without padding, and, the
/// last one, through several workgroups and a dispatch for the update.
#[test]
fn every_state_is_the_hosts_whatever_the_steps_per_submit() {
    for n in [1_001, 4_096, 20_003, 100_003] {
        let data = noisy(n);
        let sgd = GradientDescent {
            learning_rate: 0.1,
            steps: 1_500,
            start: Affine::new(-1.0, 2.0),
            ..GradientDescent::default()
        };
        let mut gpu = gpu(&data);
        let (host_fit, host) = trace(GradientDescent { update: Update::Host, ..sgd }, &mut gpu);
        assert_eq!(host.len(), 1_501);
        let (_, one) = trace(GradientDescent { update: on_device(1), ..sgd }, &mut gpu);
        assert_eq!(one.len(), host.len());
        for (got, want) in one.iter().zip(&host) {
            assert_near(got, want, F32_SUMS, &format!("n = {n}, step {}", want.step));
        }
        for k in [3, 64, 1_000] {
            let (fit, many) = trace(GradientDescent { update: on_device(k), ..sgd }, &mut gpu);
            assert!(many == one, "n = {n}: {k} steps in a submission are not those of 1");
            assert_eq!((fit.steps, fit.stop_reason, fit.n), (1_500, StopReason::Steps, n as u64));
            assert_eq!(host_fit.n, fit.n);
            assert_eq!((fit.model, fit.evaluation), (many[1_500].model, many[1_500].evaluation));
        }
        let (_, auto) = trace(sgd, &mut gpu);
        assert!(auto == one, "n = {n}: the default is the device's, as many as it takes");
    }
}

/// The rates are those of the hand-made examples in src/fit/descend.rs; every
/// number is exact in binary, also 1/N.
#[test]
fn exact_numbers_stay_exact() {
    let data = pair(vec![1.0, 2.0, 3.0, 4.0], vec![3.0, 5.0, 7.0, 9.0]);
    let sgd = GradientDescent {
        learning_rate: 0.0625,
        steps: 3,
        update: on_device(64),
        ..GradientDescent::default()
    };
    let (fit, states) = trace(sgd, &mut gpu(&data));
    assert_eq!((states[0].evaluation.loss, states[0].evaluation.grad_weight), (41.0, -35.0));
    assert_eq!((states[1].model, states[1].evaluation.loss), (Affine::new(2.1875, 0.75), 0.091_796_875));
    assert_eq!(states[2].evaluation.grad_bias, -0.105_468_75);
    assert_eq!(fit.model, Affine::new(2.092_285_156_25, 0.729_248_046_875));
}

/// x = ±1, t from (−2, −2): with η = ¼ the gradient halves at every step.
/// After step k it is 2^(1 − k), exactly, at whatever size.
#[test]
fn the_tolerance_ends_it_at_the_same_step_within_a_submission() {
    for n in [2, 4_096, 1 << 17] {
        let x = (0..n).map(|k| if k % 2 == 0 { -1.0 } else { 1.0 }).collect();
        let t = (0..n).map(|k| if k % 2 == 0 { 0.0 } else { 2.0 }).collect();
        let data = pair(x, t);
        let mut gpu = gpu(&data);
        // At the tolerance exactly, just above, and just below it.
        let exactly = 2f64.powi(-10);
        for (tolerance, step) in [(exactly, 11), (exactly * (1.0 + 1e-12), 11), (exactly * (1.0 - 1e-12), 12)]
        {
            let sgd = GradientDescent { learning_rate: 0.25, tolerance, ..GradientDescent::default() };
            let (want, host) = trace(GradientDescent { update: Update::Host, ..sgd }, &mut gpu);
            assert_eq!((want.steps, want.stop_reason), (step, StopReason::Tolerance));
            for k in [1, 3, 7, 64, 1_000] {
                let (fit, states) = trace(GradientDescent { update: on_device(k), ..sgd }, &mut gpu);
                assert_eq!((fit.steps, fit.stop_reason), (step, StopReason::Tolerance), "n = {n}, {k} steps");
                assert_eq!(fit.evaluation.gradient_norm(), 2f64.powi(1 - step as i32));
                assert_eq!(states, host, "n = {n}, {k} steps");
            }
        }
    }
}

/// x = ±2^20, η = ½: with λ = 2^41 the error of W grows by 1 − 2^40 a step,
/// so that Σr² overflows f32 at the third.
#[test]
fn divergence_ends_it_with_the_last_finite_state() {
    for n in [2, 4_096, 1 << 17] {
        let x = (0..n).map(|k| if k % 2 == 0 { -1_048_576.0 } else { 1_048_576.0 }).collect();
        let t = (0..n).map(|k| if k % 2 == 0 { 1.0 } else { 3.0 }).collect();
        let data = pair(x, t);
        let mut gpu = gpu(&data);
        let sgd = GradientDescent { learning_rate: 0.5, ..GradientDescent::default() };
        let (want, host) = trace(GradientDescent { update: Update::Host, ..sgd }, &mut gpu);
        assert_eq!(want.stop_reason, StopReason::Diverged);
        for k in [1, 2, 64] {
            let (fit, states) = trace(GradientDescent { update: on_device(k), ..sgd }, &mut gpu);
            assert_eq!(
                (fit.steps, fit.stop_reason),
                (want.steps, StopReason::Diverged),
                "n = {n}, {k} steps"
            );
            assert!(fit.evaluation.is_finite() && fit.model.is_finite());
            assert_eq!(states.len(), host.len());
            states.iter().zip(&host).for_each(|(got, want)| assert_near(got, want, F32_SUMS, "diverging"));
        }
    }
}

/// Slowly: many steps, each W a few times the last, until f32 ends. The sums
/// overflow at the same step wherever they are merged, also where their
/// partials are many and only their total is too large.
#[test]
fn a_slow_divergence_ends_at_the_same_step() {
    for n in [4_096u16, u16::MAX] {
        let x: Vec<f32> = (0..u64::from(n) * 2).map(|k| (1.0 + noise(k)) as f32).collect();
        let t: Vec<f32> = x.iter().map(|&x| 2.0 * x - 1.0).collect();
        let data = pair(x, t);
        let mut gpu = gpu(&data);
        let sgd = GradientDescent { learning_rate: 3.0, ..GradientDescent::default() };
        let (want, _) = trace(GradientDescent { update: Update::Host, ..sgd }, &mut gpu);
        let (got, _) = trace(GradientDescent { update: on_device(7), ..sgd }, &mut gpu);
        assert_eq!(want.stop_reason, StopReason::Diverged);
        assert!(want.steps > 10, "{want:?}");
        assert_eq!((got.steps, got.stop_reason), (want.steps, StopReason::Diverged), "n = {n}");
    }
}

#[test]
fn a_start_that_overflows_is_an_error_on_the_device_too() {
    let data = pair(vec![1e30, -1e30], vec![1.0, 2.0]);
    for start in [Affine::new(1e10, 0.0), Affine::new(1e200, 0.0)] {
        let sgd = GradientDescent { start, update: on_device(64), ..GradientDescent::default() };
        let result = sgd.fit(&mut gpu(&data), &mut |_| ControlFlow::Continue(()));
        let error = result.unwrap_err();
        assert!(matches!(error, FitError::StartOverflows { start: at, .. } if at == start), "{error}");
        assert!(error.hints().contains(&Hint::F64Engine), "{error}");
    }
}

/// W stands near 1000, where f32 has steps of 6e-5, and moves by 1e-6 at a
/// time: f32 alone would stay where it is. x = ±1 and t = −x·T keep b at 0 and
/// the residual exact, so that r = W − T and the path is W_k = T + (W₀ − T)·(1
/// − 2η)^k.
#[test]
fn updates_below_the_last_place_of_f32_are_not_lost() {
    let target = 999.5f32;
    let n = 4_096;
    let x: Vec<f32> = (0..n).map(|k| if k % 2 == 0 { -1.0 } else { 1.0 }).collect();
    let t = x.iter().map(|&x| target * x).collect();
    let data = pair(x, t);
    let (rate, steps) = (1e-6, 3_000);
    let sgd = GradientDescent {
        learning_rate: rate,
        steps,
        start: Affine::new(1_000.0, 0.0),
        ..GradientDescent::default()
    };
    let first = rate * 2.0 * 0.5;
    assert!(first < f64::from(1_000f32.next_up() - 1_000.0) / 20.0, "the update is far below half an ulp");
    let want = 0.5 * (steps as f64 * (-2.0 * rate).ln_1p()).exp_m1();
    for k in [7, 1_000] {
        let (fit, _) = trace(GradientDescent { update: on_device(k), ..sgd }, &mut gpu(&data));
        let moved = fit.model.weight - 1_000.0;
        assert!((moved - want).abs() <= F32_RESULTS * want.abs(), "moved by {moved:e}, not {want:e}");
        assert_eq!(fit.model.bias, 0.0);
    }
    let (cpu, _) = trace(sgd, &mut Cpu::new(&data));
    assert!(
        (cpu.model.weight - 1_000.0 - want).abs() <= F32_RESULTS * want.abs(),
        "the formula is the fit's"
    );
}

/// Small whole numbers: every sum is exact, so the first step is f64's, across
/// the 128 MiB that one binding holds.
#[test]
fn steps_across_the_128_mib_window() {
    let n = 33_554_432usize + 3;
    let x: Vec<f32> = (0..n).map(|k| (k % 7) as f32 - 3.0).collect();
    let t: Vec<f32> = (0..n).map(|k| (k % 11) as f32 - 4.0).collect();
    let data = pair(x, t);
    let sgd = GradientDescent {
        steps: 4,
        learning_rate: 0.05,
        start: Affine::new(2.0, 1.0),
        ..GradientDescent::default()
    };
    let (_, want) = trace(sgd, &mut Reference::new(&data));
    let (fit, got) = trace(GradientDescent { update: on_device(2), ..sgd }, &mut gpu(&data));
    assert_eq!((fit.n, got.len()), (n as u64, 5));
    let (got_first, want_first) = (got[0].evaluation, want[0].evaluation);
    for (got, want) in [
        (got_first.loss, want_first.loss),
        (got_first.grad_weight, want_first.grad_weight),
        (got_first.grad_bias, want_first.grad_bias),
    ] {
        // 46 bits of a mean.
        assert!((got - want).abs() <= 2f64.powi(-44) * want.abs(), "{got} for {want}");
    }
    got.iter().zip(&want).for_each(|(got, want)| assert_near(got, want, F32_SUMS, "two windows"));
}

#[test]
fn an_observer_ends_it_at_its_state_within_a_submission() {
    let data = noisy(1_000);
    let mut gpu = gpu(&data);
    let mut seen = 0;
    let sgd = GradientDescent { update: on_device(64), ..GradientDescent::default() };
    let fit = sgd
        .fit(&mut gpu, &mut |state| {
            assert_eq!(state.step, seen);
            seen += 1;
            if state.step == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((fit.steps, fit.stop_reason, seen), (100, StopReason::Interrupted, 101));
    // The device is ahead of that; the next descent starts where it is told.
    let (again, states) = trace(GradientDescent { steps: 100, ..sgd }, &mut gpu);
    assert_eq!((again.model, again.evaluation), (fit.model, fit.evaluation));
    assert_eq!(states.len(), 101);
    let (none, states) = trace(GradientDescent { steps: 0, start: fit.model, ..sgd }, &mut gpu);
    assert_eq!((none.model, none.steps, states.len()), (fit.model, 0, 1));
}

/// A stop in the middle of a submission leaves W and b where it was.
#[test]
fn nothing_moves_after_a_stop() {
    for n in [4_096, 1 << 17] {
        let x = (0..n).map(|k| if k % 2 == 0 { -1.0 } else { 1.0 }).collect();
        let t = (0..n).map(|k| if k % 2 == 0 { 0.0 } else { 2.0 }).collect();
        let data = pair(x, t);
        let mut gpu = gpu(&data);
        let stepper = gpu.stepper().unwrap();
        stepper.start(&DescentRule::within([0.25; 2]), Affine::default()).unwrap();
        let rows = stepper.advance(&[0.25; 50]).unwrap();
        assert_eq!(rows.len(), 4, "2, 1, ½, ¼");
        assert!(rows[..3].iter().all(|row| row.outcome == StepOutcome::Step));
        assert_eq!(rows[3].outcome, StepOutcome::Tolerance);
        let after = stepper.advance(&[0.25]).unwrap();
        assert_eq!(after, rows[3..], "asked again, it is where it was");
    }
}

/// The device itself ends a descent that leaves the finite numbers: by an
/// evaluation, or, with gradients that no W survives at its rate, by the step.
#[test]
fn nothing_follows_a_divergence() {
    for n in [4_096, 1 << 17] {
        // ∂L/∂W is −2²¹, or −2⁷¹ of which 10²⁰ times as much is beyond f32.
        for (x, t, learning_rate, evaluation_ends) in [(20, 0, 0.5, true), (30, 40, 1e20, false)] {
            let (x, t) = (2f32.powi(x), 2f32.powi(t));
            let x = (0..n).map(|k| if k % 2 == 0 { -x } else { x }).collect();
            let t = (0..n).map(|k| if k % 2 == 0 { t } else { 3.0 * t }).collect();
            let data = pair(x, t);
            let mut gpu = gpu(&data);
            let stepper = gpu.stepper().unwrap();
            stepper.start(&DescentRule::default(), Affine::default()).unwrap();
            let rows = stepper.advance(&[learning_rate; 50]).unwrap();
            assert!(rows.len() < 10, "n = {n}: {} rows", rows.len());
            let (last, before) = rows.split_last().unwrap();
            assert!(before.iter().all(|row| row.outcome == StepOutcome::Step && row.evaluation.is_finite()));
            assert_eq!(last.outcome, StepOutcome::Diverged);
            assert!(last.model.is_finite() && last.evaluation.is_finite() != evaluation_ends, "{last:?}");
            let after = stepper.advance(&[learning_rate]).unwrap();
            assert_eq!(
                (after.len(), after[0].model, after[0].outcome),
                (1, last.model, StepOutcome::Diverged)
            );
        }
    }
}

#[test]
fn engines_that_cannot_are_not_asked() {
    let data = noisy(100);
    let sgd = GradientDescent {
        steps: 2,
        update: Update::Device(StepsPerSubmit::Auto),
        ..GradientDescent::default()
    };
    let mut cpu = Cpu::new(&data);
    let result = sgd.fit(&mut cpu, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(FitError::NoDeviceUpdate(_))), "{result:?}");
    let auto = GradientDescent { update: Update::Auto, ..sgd };
    assert_eq!(trace(auto, &mut cpu).0.steps, 2);

    let mut streamed = Gpu::open_with(&software_adapter(), &data, &GpuSettings::within(0)).unwrap();
    let result = sgd.fit(&mut streamed, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(FitError::NoDeviceUpdate(_))), "{result:?}");
    assert_eq!(trace(auto, &mut streamed).0.steps, 2);

    let tiny = GradientDescent { learning_rate: 1e-60, ..sgd };
    let mut gpu = gpu(&data);
    let result = tiny.fit(&mut gpu, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(FitError::Config(ConfigError::DeviceRate(_)))), "{result:?}");
    assert_eq!(trace(GradientDescent { update: Update::Auto, ..tiny }, &mut gpu).0.steps, 2, "on the host");
}

/// Descent on Huber's loss goes through the same states on a device as on the host: in
/// one workgroup and in many, however many steps to a submission, with momentum, with
/// data about 0 and far from it; and on to the same end.
#[test]
fn a_descent_on_hubers_loss_is_the_hosts() {
    for n in [1_001, 100_003] {
        for shift in [0.0, 400.0] {
            let outlier = |k: usize| if k.is_multiple_of(5) { 30.0 } else { 0.0 };
            let x: Vec<f32> = (0..n as u64).map(|k| (shift + 2.0 * noise(k)) as f32).collect();
            let t = (0..n).map(|k| {
                (3.0 * (f64::from(x[k]) - shift) - 0.75 + 0.5 * noise(!(k as u64)) + outlier(k)) as f32
            });
            let data = pair(x.clone(), t.collect());
            let (learning_rate, bias) = if shift == 0.0 { (0.1, 2.0) } else { (2e-6, -3.0 * shift) };
            let descent = GradientDescent {
                learning_rate,
                steps: 70,
                momentum: 0.5,
                start: Affine::new(2.5, bias),
                loss: Loss::Huber { delta: 0.8 },
                update: Update::Host,
                ..GradientDescent::default()
            };
            let (want_fit, want) = trace(descent, &mut Cpu::new(&data));
            let mut gpu = gpu(&data);
            for k in [1, 64] {
                let (fit, states) = trace(GradientDescent { update: on_device(k), ..descent }, &mut gpu);
                assert_eq!((states.len(), fit.steps), (want.len(), want_fit.steps));
                for (got, want) in states.iter().zip(&want) {
                    assert_near(got, want, 1e-11, &format!("n = {n}, {shift}, step {}", want.step));
                }
            }
            // The steps on squares that follow are others.
            let squared = GradientDescent { loss: Loss::Squared, ..descent };
            let (_, want) = trace(squared, &mut Cpu::new(&data));
            let (_, states) = trace(GradientDescent { update: on_device(64), ..squared }, &mut gpu);
            for (got, want) in states.iter().zip(&want) {
                assert_near(got, want, F32_SUMS, &format!("squares, n = {n}, {shift}, step {}", want.step));
            }
        }
    }
}
