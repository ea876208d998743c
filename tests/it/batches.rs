//! Descents over mini-batches, and descents that go on where another ended.

use std::ops::ControlFlow;

use linfit::array::{Array, Problem, Shuffle, ValidityRules};
use linfit::engine::gpu::Gpu;
use linfit::engine::{Cpu, Engine, EngineError, Reference};
use linfit::fit::{
    BatchDescent, ConfigError, Coordinates, Fit, FitError, GradientDescent, State, StepsPerSubmit,
    StopReason, Update,
};
use linfit::math::Affine;

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::F32_SUMS;

/// T = 3·X − 0.75 and noise of this size.
fn noisy(n: u64, size: f64) -> Problem {
    let x: Vec<f64> = (0..n).map(|k| 2.0 * noise(k) + 0.5).collect();
    let t = x.iter().zip(0..n).map(|(x, k)| 3.0 * x - 0.75 + size * noise(!k)).collect();
    Problem::pair(Array::from_vec("x", &[n], x), Array::from_vec("t", &[n], t)).unwrap()
}

fn batched(rate: f64, batch: u64, epochs: u64, shuffle: Shuffle) -> BatchDescent {
    let descent = GradientDescent { learning_rate: rate, momentum: 0.5, ..GradientDescent::default() };
    BatchDescent { batch, epochs, shuffle, seed: 11, ..BatchDescent::of(descent) }
}

fn states(batches: &BatchDescent, engine: &mut dyn Engine) -> (Fit, Vec<State>) {
    let moments = engine.all_moments().unwrap();
    let mut states = Vec::new();
    let fit = batches.fit(engine, &moments, &mut |state| {
        states.push(*state);
        ControlFlow::Continue(())
    });
    (fit.unwrap(), states)
}

/// A batch of 200,000 elements is summed by several threads.
#[test]
fn batches_have_the_same_bits_on_any_number_of_threads() {
    let data = noisy(450_001, 0.5);
    for shuffle in Shuffle::ALL {
        let batches = batched(0.05, 200_000, 3, shuffle);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| states(&batches, &mut Cpu::new(&data)).1)
        };
        let one = run(1);
        assert_eq!(one.len(), 10);
        for threads in [2, 3, 5] {
            assert!(run(threads) == one, "{shuffle}: {threads} threads");
        }
    }
}

/// The full loss goes down to that of the least-squares line, whatever the order, and
/// orders and seeds lead other ways.
#[test]
fn every_order_descends_to_the_least_squares_line() {
    let data = noisy(4_000, 0.0);
    let mut ends = Vec::new();
    for (shuffle, seed) in [
        (Shuffle::None, 0),
        (Shuffle::Block, 0),
        (Shuffle::Block, 1),
        (Shuffle::Element, 0),
        (Shuffle::Element, 1),
    ] {
        let batches = BatchDescent { seed, ..batched(0.05, 300, 40, shuffle) };
        for engine in [&mut Cpu::new(&data) as &mut dyn Engine, &mut Reference::new(&data)] {
            let (fit, states) = states(&batches, engine);
            assert_eq!((fit.steps, fit.stop_reason, states.len()), (40 * 14, StopReason::Steps, 561));
            assert!(fit.evaluation.loss < 1e-9, "{shuffle}: {fit:?}");
            assert!((fit.model.weight - 3.0).abs() < 1e-4, "{shuffle}: {fit:?}");
        }
        let (_, states) = states(&batches, &mut Cpu::new(&data));
        assert!(!ends.contains(&states[30].model), "{shuffle}, {seed}");
        ends.push(states[30].model);
    }
}

/// A batch is so small that W and b scatter about the line; their mean scatters less.
#[test]
fn a_mean_over_the_tail_is_nearer_to_the_line() {
    let data = noisy(2_000, 1.0);
    let moments = Cpu::new(&data).all_moments().unwrap();
    let line = moments.quadratic().optimum();
    let off = |fit: &Fit| (fit.model.weight - line.weight).hypot(fit.model.bias - line.bias);
    let (mut last, mut mean) = (0.0, 0.0);
    for seed in 0..8 {
        let batches = BatchDescent { seed, ..batched(0.05, 4, 5, Shuffle::Element) };
        let (fit, _) = states(&batches, &mut Cpu::new(&data));
        let averaged = BatchDescent { average: true, ..batches };
        let (averaged, states) = states(&averaged, &mut Cpu::new(&data));
        last += off(&fit);
        mean += off(&averaged);
        assert_eq!((averaged.last, averaged.progress), (fit.last, fit.progress), "the steps are the same");
        // Epochs 2, 3 and 4: 1,500 steps of 2,500.
        let tail = &states[1_001..];
        let weight = tail.iter().map(|state| state.model.weight).sum::<f64>() / 1_500.0;
        assert!((averaged.model.weight - weight).abs() < 1e-12, "{averaged:?}");
    }
    assert!(mean * 3.0 < last, "{mean} for {last}");
}

#[test]
fn the_tolerance_and_the_patience_are_looked_at_after_an_epoch() {
    let exact = noisy(1_000, 0.0);
    let batches = batched(0.1, 100, 500, Shuffle::None);
    let descent = GradientDescent { tolerance: 1e-6, ..batches.descent };
    let (fit, states) = states(&BatchDescent { descent, ..batches }, &mut Cpu::new(&exact));
    assert_eq!((fit.stop_reason, fit.steps % 10), (StopReason::Tolerance, 0));
    let norm = |step: u64| states[step as usize].evaluation.gradient_norm();
    assert!(fit.steps > 20 && norm(fit.steps) <= 1e-6 && norm(fit.steps - 10) > 1e-6, "{fit:?}");

    let scattered = noisy(1_000, 1.0);
    let patient = BatchDescent { patience: 3, ..batched(0.1, 10, 10_000, Shuffle::Element) };
    let (fit, states) = states_of(&patient, &scattered);
    assert_eq!(fit.stop_reason, StopReason::Patience);
    let losses: Vec<f64> = states.iter().step_by(100).map(|state| state.evaluation.loss).collect();
    let (before, last) = losses.split_at(losses.len() - 3);
    let least = |losses: &[f64]| losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least(last) >= least(before), "{losses:?}");
    assert_eq!(before.last().copied(), Some(least(before)), "three in a row, and no more: {losses:?}");
}

fn states_of(batches: &BatchDescent, data: &Problem) -> (Fit, Vec<State>) {
    states(batches, &mut Cpu::new(data))
}

/// The elements number 200 to 299 are missing: batches of 100 make no step of them, and
/// one of 150 elements divides by those that are valid.
#[test]
fn missing_elements_are_no_part_of_a_batch() {
    let n = 1_000u64;
    let x: Vec<f64> = (0..n).map(|k| if (200..300).contains(&k) { -9.0 } else { noise(k) }).collect();
    let t = x.iter().map(|x| 2.0 * x + 1.0).collect();
    let data = Problem::builder(Array::from_vec("x", &[n], x.clone()))
        .target(Array::from_vec("t", &[n], t))
        .rules(ValidityRules { x_nodata: Some(-9.0), ..ValidityRules::default() })
        .build()
        .unwrap();
    let (fit, _) = states_of(&batched(0.05, 100, 2, Shuffle::None), &data);
    assert_eq!((fit.steps, fit.n, fit.progress.epoch), (18, 900, 2));
    // The second step is from the elements 150 to 199.
    let plain = GradientDescent { learning_rate: 0.1, ..GradientDescent::default() };
    let batches = BatchDescent { batch: 150, ..BatchDescent::of(plain) };
    let (_, states) = states_of(&batches, &data);
    let from = states[1].model;
    let (mut weight, mut bias) = (0.0, 0.0);
    for x in &x[150..200] {
        let r = from.apply(*x) - (2.0 * x + 1.0);
        weight += 2.0 * r * x / 50.0;
        bias += 2.0 * r / 50.0;
    }
    let want = Affine::new(from.weight - 0.1 * weight, from.bias - 0.1 * bias);
    let got = states[2].model;
    assert!(
        (got.weight - want.weight).abs() < 1e-14 && (got.bias - want.bias).abs() < 1e-14,
        "{got:?} {want:?}"
    );
}

/// Of whole chunks, a device has passes: two batches of 131,072 elements and a rest.
#[test]
fn a_device_steps_over_batches_of_whole_chunks() {
    let n = 300_001u64;
    let x: Vec<f32> = (0..n).map(|k| (2.0 * noise(k) + 0.5) as f32).collect();
    let t = x.iter().zip(0..n).map(|(x, k)| 3.0 * x - 0.75 + 0.5 * noise(!k) as f32).collect();
    let data = Problem::pair(Array::from_vec("x", &[n], x), Array::from_vec("t", &[n], t)).unwrap();
    let batches = batched(0.1, 131_072, 4, Shuffle::None);
    let (_, want) = states_of(&batches, &data);
    let (fit, got) = states(&batches, &mut Gpu::open(&software_adapter(), &data).unwrap());
    assert_eq!((fit.steps, got.len()), (12, want.len()));
    for (got, want) in got.iter().zip(&want) {
        let off = (got.model.weight - want.model.weight).hypot(got.model.bias - want.model.bias);
        assert!(off < F32_SUMS, "step {}: {off:e}", got.step);
    }
}

/// Batches of neighbours on a device: of few elements and of many, within a chunk and
/// across chunks, in order and in shuffled blocks, with weights, missing elements and a
/// short last batch; however many to a submission. The states are the host's, and so is
/// the end of a descent that goes on in the middle of an epoch.
#[test]
fn steps_over_batches_on_a_device_are_the_hosts() {
    let problem = |n: u64, is_whole: bool| {
        let column = |label, value: &dyn Fn(u64) -> f64| {
            Array::from_vec(label, &[n], (0..n).map(|k| value(k) as f32).collect())
        };
        let x = column("x", &|k| 2.0 * noise(k) + 0.5);
        let t = column("t", &|k| 3.0 * (2.0 * noise(k) + 0.5) - 0.75 + 0.5 * noise(!k));
        let rules = ValidityRules {
            weights: (!is_whole).then(|| column("w", &|k| 0.5 + (k % 5) as f64).into()),
            mask: (!is_whole)
                .then(|| column("m", &|k| f64::from(u8::from(k % 7 != 2 && k / 40 != 5))).into()),
            ..ValidityRules::default()
        };
        Problem::builder(x).target(t).rules(rules).build().unwrap()
    };
    let device = |k| Update::Device(StepsPerSubmit::fixed(k).unwrap());
    let mut compared = 0;
    for (n, batch, epochs) in [(1_000, 37, 3), (1_000, 5_000, 3), (150_001, 4_000, 2), (300_001, 100_000, 3)]
    {
        for is_whole in [true, false] {
            let data = problem(n, is_whole);
            for (shuffle, drop_last) in
                [(Shuffle::None, false), (Shuffle::Block, false), (Shuffle::Block, true)]
            {
                if drop_last && batch > n {
                    continue;
                }
                let batches = BatchDescent { drop_last, ..batched(0.05, batch, epochs, shuffle) };
                let (want_fit, want) = states_of(&batches, &data);
                let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
                let updates = [Update::Auto, device(7), device(1)];
                for update in updates.into_iter().take(if n > 1_000 { 2 } else { 3 }) {
                    let descent = GradientDescent { update, ..batches.descent };
                    let (fit, got) = states(&BatchDescent { descent, ..batches }, &mut gpu);
                    assert_eq!((fit.steps, got.len()), (want_fit.steps, want.len()));
                    for (got, want) in got.iter().zip(&want) {
                        let off =
                            (got.model.weight - want.model.weight).hypot(got.model.bias - want.model.bias);
                        assert!(off < 1e-11, "{n}, {batch}, {shuffle}, step {}: {off:e}", got.step);
                        assert_eq!(
                            (got.progress.epoch, got.progress.batch),
                            (want.progress.epoch, want.progress.batch)
                        );
                        compared += 1;
                    }
                }
                // On from the middle of the last epoch.
                let middle = want[want.len() - 2];
                let descent = GradientDescent {
                    start: middle.model,
                    progress: middle.progress,
                    update: device(64),
                    ..batches.descent
                };
                let rest = BatchDescent { descent, epochs: epochs - middle.progress.epoch, ..batches };
                let (fit, _) = states(&rest, &mut gpu);
                let off =
                    (fit.model.weight - want_fit.model.weight).hypot(fit.model.bias - want_fit.model.bias);
                assert!(fit.steps == want_fit.steps && off < 1e-11, "{n}, {batch}, {shuffle}: {off:e}");
            }
        }
    }
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn batches_that_mean_nothing_are_refused() {
    let data = noisy(100, 0.5);
    let mut cpu = Cpu::new(&data);
    let moments = cpu.all_moments().unwrap();
    let mut refused = |batches: BatchDescent| {
        batches.fit(&mut cpu, &moments, &mut |_| ControlFlow::Continue(())).unwrap_err()
    };
    let batches = batched(0.1, 64, 1, Shuffle::None);
    let error = refused(BatchDescent { batch: 0, ..batches });
    assert!(matches!(error, FitError::Config(ConfigError::Batch)), "{error}");
    let error = refused(BatchDescent { batch: 101, drop_last: true, ..batches });
    assert!(error.to_string().contains("never full"), "{error}");
    let coordinates = Coordinates::standardized(&moments).unwrap();
    let descent = GradientDescent { coordinates, ..batches.descent };
    let error = refused(BatchDescent { descent, ..batches });
    assert!(matches!(error, FitError::Config(ConfigError::BatchesElsewhere)), "{error}");
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    let scattered = BatchDescent { shuffle: Shuffle::Element, ..batches };
    let error = scattered.fit(&mut gpu, &moments, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, FitError::Engine(EngineError::NoBatches(_))), "{error}");
    // A rate that diverges ends with the last finite state.
    let wild = GradientDescent { learning_rate: 1e3, ..batches.descent };
    let (fit, states) = states(&BatchDescent { descent: wild, epochs: 1_000, ..batches }, &mut cpu);
    assert_eq!(fit.stop_reason, StopReason::Diverged);
    assert_eq!(states.last().map(|state| state.model), Some(fit.last));
}

/// Each descent, broken off after a number of steps and gone on from there, ends with the
/// bits of one that was not: with velocities, schedules, epochs and heights.
#[test]
fn a_descent_goes_on_to_the_same_bits() {
    let data = noisy(3_000, 0.5);
    let moments = Cpu::new(&data).all_moments().unwrap();
    let plain = GradientDescent { learning_rate: 0.05, steps: 60, ..GradientDescent::default() };
    let coordinates = Coordinates::standardized(&moments).unwrap();
    let scheduled = GradientDescent {
        momentum: 0.7,
        nesterov: true,
        schedule: "warmup:10,step:20:0.5".parse().unwrap(),
        ..plain
    };
    for sgd in [
        plain,
        GradientDescent { momentum: 0.9, dampening: 0.1, weight_decay: 0.01, ..plain },
        scheduled,
        GradientDescent { coordinates, momentum: 0.5, ..plain },
    ] {
        for replays in [false, true] {
            let run = |sgd: &GradientDescent, end: Option<u64>| {
                let mut observe = |state: &State| {
                    if end == Some(state.step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                let mut cpu = Cpu::new(&data);
                let fit = if replays {
                    sgd.replay(&mut cpu, &moments, &mut observe)
                } else {
                    sgd.fit(&mut cpu, &mut observe)
                };
                fit.unwrap()
            };
            let whole = run(&sgd, None);
            for end in [0, 1, 25, 59] {
                let half = run(&sgd, Some(end));
                assert_eq!((half.steps, half.stop_reason), (end, StopReason::Interrupted));
                let rest =
                    GradientDescent { start: half.last, progress: half.progress, steps: 60 - end, ..sgd };
                let rest = run(&rest, None);
                assert_eq!(
                    (rest.model, rest.progress, rest.steps),
                    (whole.model, whole.progress, 60),
                    "{sgd:?}"
                );
            }
        }
    }
    for shuffle in Shuffle::ALL {
        let batches = BatchDescent { descent: scheduled, ..batched(0.05, 256, 5, shuffle) };
        let (whole, _) = states_of(&batches, &data);
        // Within an epoch, and at its end: of 12 batches each.
        for end in [7, 24, 30] {
            let mut observe = |state: &State| {
                if state.step == end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let half = batches.fit(&mut Cpu::new(&data), &moments, &mut observe).unwrap();
            let descent = GradientDescent { start: half.last, progress: half.progress, ..scheduled };
            let rest = BatchDescent { descent, epochs: 5 - half.progress.epoch, ..batches };
            let (rest, _) = states_of(&rest, &data);
            assert_eq!((rest.model, rest.progress), (whole.model, whole.progress), "{shuffle}, {end}");
        }
    }
}

/// On a device too, to the digits that it has: it keeps a velocity of two f32.
#[test]
fn a_descent_on_a_device_goes_on() {
    let data = noisy(3_000, 0.5);
    let sgd = GradientDescent { learning_rate: 0.05, momentum: 0.9, steps: 60, ..GradientDescent::default() };
    let run = |sgd: &GradientDescent| {
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        sgd.fit(&mut gpu, &mut |_| ControlFlow::Continue(())).unwrap()
    };
    let whole = run(&sgd);
    let half = run(&GradientDescent { steps: 25, ..sgd });
    assert_ne!(half.progress.velocity, Affine::default());
    let rest = run(&GradientDescent { start: half.last, progress: half.progress, steps: 35, ..sgd });
    assert_eq!(rest.steps, 60);
    let off = (rest.model.weight - whole.model.weight).hypot(rest.model.bias - whole.model.bias);
    assert!(off < 1e-9, "{off:e}");
}
