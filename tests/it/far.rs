//! Data far from 0 for their spread, on GPUs, which have f32: what has more
//! digits is taken off on the host, the rest on the device.

use std::ops::ControlFlow;

use linfit::array::{Array, Element, Hint, Hinted, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, Notice, Reference};
use linfit::fit::{Exact, GradientDescent, State, Statistics, StepsPerSubmit, Update};
use linfit::math::{Affine, Evaluation};

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::FEW_ROUNDINGS;

fn column<E: Element>(label: &str, values: Vec<E>) -> Array {
    Array::from_vec(label, &[values.len() as u64], values)
}

const N: u64 = 100_003;

/// X = mean + spread·noise, T = 2·X + noise/10 of the spread.
fn far<E: Element>(mean: f64, spread: f64, element: impl Fn(f64) -> E) -> Problem {
    let x = |k| mean + spread * noise(k);
    let t = |k| 2.0 * x(k) + 0.1 * spread * noise(!k);
    Problem::pair(
        column("x", (0..N).map(|k| element(x(k))).collect()),
        column("t", (0..N).map(|k| element(t(k))).collect()),
    )
    .unwrap()
}

/// Every number of a fit on a GPU, relative to its size, against those of the
/// reference.
#[track_caller]
fn check(data: &Problem, tolerance: f64, case: &str) {
    let mut reference = Reference::new(data);
    let want_moments = reference.all_moments().unwrap();
    let line = want_moments.least_squares().unwrap();
    let want = Statistics::measure(&mut reference, &want_moments, None).unwrap();
    for (precision, memory_bytes) in [
        (Precision::Fast, u64::MAX),
        (Precision::Fast, 0),
        (Precision::Compensated, u64::MAX),
        (Precision::F64, 0),
    ] {
        let case = format!("{case}, {precision}, {memory_bytes}");
        let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
        let mut gpu = Gpu::open_with(&software_adapter(), data, &settings).unwrap();
        let moments = gpu.all_moments().unwrap();
        let fit = Exact.fit(&mut gpu, &moments, &mut |_| ControlFlow::Continue(())).unwrap();
        let got = Statistics::measure(&mut gpu, &moments, None).unwrap();
        let near = |name: &str, got: f64, want: f64, size: f64| {
            assert!((got - want).abs() <= tolerance * size, "{case}: {name} is {got:e} for {want:e}");
        };
        near("W", fit.model.weight, line.weight, line.weight.abs());
        let x_size = want_moments.x_mean().abs();
        near("b", fit.model.bias, line.bias, x_size * line.weight.abs());
        let residual = want.residual_std.unwrap();
        near("residual_std", got.residual_std.unwrap(), residual, residual);
        near("stderr", got.stderr_weight.unwrap(), want.stderr_weight.unwrap(), want.stderr_weight.unwrap());
        near("1 - R²", 1.0 - got.r2.unwrap(), 1.0 - want.r2.unwrap(), 1.0 - want.r2.unwrap());
        near("loss", fit.evaluation.loss, residual * residual, residual * residual);
        // At the optimum the gradients are rounding alone.
        near("∂L/∂b", fit.evaluation.grad_bias, 0.0, residual);
        // Its terms are of the size of X's root mean square, also where X's mean is 0.
        let x_rms = (want_moments.xx / want_moments.weight_sum).sqrt().hypot(x_size);
        near("∂L/∂W", fit.evaluation.grad_weight, 0.0, residual * x_rms);
    }
}

/// The loss is over N, the variance over N − 2: 2e-5 apart.
const TOLERANCE: f64 = 3e-5;

#[test]
fn what_f32_holds_is_taken_off_on_the_device() {
    for mean in [0.0, 3.0, 100.0, 1e4, -1e5] {
        check(&far(mean, 1.0, |v| v as f32), TOLERANCE, &format!("f32, {mean}"));
    }
    check(&far(30_000.0, 300.0, |v| v as u16), TOLERANCE, "u16");
    check(&far(101.0, 20.0, half::f16::from_f64), TOLERANCE, "f16");
}

#[test]
fn what_has_more_digits_is_taken_off_on_the_host() {
    for mean in [1e5, -1e8, 1e12] {
        check(&far(mean, 1.0, |v| v), TOLERANCE, &format!("f64, {mean}"));
    }
    check(&far(1e9, 1e5, |v| v as u32), TOLERANCE, "u32");
    check(&far(-1e9, 1e6, |v| v as i32), TOLERANCE, "i32");
    check(&far(2f64.powi(50), 1e4, |v| v as i64), TOLERANCE, "i64");
}

/// Predictions from X far from 0, of a model whose products cancel, have the
/// digits that f32 has of Y.
#[test]
fn predictions_far_from_0_keep_their_digits() {
    for mean in [0.0, 300.0, 1e4, 1e8] {
        let x: Vec<f32> = (0..N).map(|k| (mean + 50.0 * noise(k)) as f32).collect();
        let want: Vec<f64> = x.iter().map(|&x| 2.0 * (f64::from(x) - mean) + 0.25).collect();
        let data = Problem::inputs(column("x", x)).unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let mut ys = Vec::new();
        let mut keep = |chunk: &[f32]| {
            ys.extend_from_slice(chunk);
            Ok(())
        };
        gpu.predict(Affine::new(2.0, 0.25 - 2.0 * mean), &mut keep).unwrap();
        assert_eq!(ys.len(), want.len());
        for (y, want) in ys.iter().zip(&want) {
            assert!((f64::from(*y) - want).abs() < 1e-5 * 1.01, "{mean}: {y} for {want}");
        }
    }
}

/// Whole numbers far from 0 lose nothing, and nothing is said to be lost:
/// differences below 2²⁴ are exact.
#[test]
fn whole_numbers_far_from_0_stay_exact() {
    let n = 10_007u32;
    let x: Vec<u32> = (0..n).map(|k| 4_000_000_000 + k * 7 % 1_000).collect();
    let t: Vec<i64> = x.iter().map(|&x| 2 * i64::from(x) + 5 + i64::from(x % 3)).collect();
    let data = Problem::pair(column("x", x), column("t", t)).unwrap();
    let at = Affine::new(2.0, 5.0);
    let want = Reference::new(&data).loss_sums_at(at).unwrap();
    for memory_bytes in [u64::MAX, 0] {
        let mut gpu = Gpu::open_with(&software_adapter(), &data, &GpuSettings::within(memory_bytes)).unwrap();
        let got = gpu.loss_sums_at(at).unwrap();
        assert_eq!((got.rr, got.r, got.n), (want.rr, want.r, want.n));
        assert!((got.rx / want.rx - 1.0).abs() < FEW_ROUNDINGS, "{} for {}", got.rx, want.rx);
        assert_eq!(gpu.take_notices(), []);
        let mut ys = Vec::new();
        let mut keep = |chunk: &[f32]| {
            ys.extend_from_slice(chunk);
            Ok(())
        };
        gpu.predict(Affine::new(1.0, -4e9), &mut keep).unwrap();
        assert!(ys.iter().zip(0..n).all(|(&y, k)| y == (k * 7 % 1_000) as f32));
    }
}

#[test]
fn what_is_lost_is_said() {
    let data = far(1e6, 1.0, |v| v);
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    let notices = gpu.take_notices();
    let Notice::Rounded { label, count, shift, .. } = &notices[0] else { unreachable!() };
    assert!(label == "x" && *count > N / 2 && (shift - 1e6).abs() < 1.0, "{notices:?}");
    let text = notices[0].to_string();
    assert!(text.contains("f32") && text.contains("taken off"), "{text}");
    assert_eq!(notices[0].hints(), [Hint::UnroundedEngine]);
}

/// The elements that are valid.
type IsValid = fn(u64) -> bool;

/// The moments of a raster whose left border is nodata, and of one of which
/// little is valid: no sample may be of missing values.
#[test]
fn missing_values_do_not_move_the_shift() {
    let (rows, columns) = (256u64, 256u64);
    let counts: [(&str, IsValid); 3] = [
        ("border", |k| k % 256 >= 16),
        ("island", |k| (5_000..5_500).contains(&k)),
        ("last", |k| k >= 256 * 256 - 40),
    ];
    for (name, counts) in counts {
        let of = |value: f64, k: u64| if counts(k) { value as f32 } else { f32::NAN };
        let x = (0..rows * columns).map(|k| of(1e4 + noise(k), k)).collect::<Vec<_>>();
        let t = (0..rows * columns).map(|k| of(2e4 + 2.0 * noise(k) + noise(!k), k)).collect::<Vec<_>>();
        let matrix = |label, values| Array::from_vec(label, &[rows, columns], values);
        let rules =
            ValidityRules { x_nodata: Some(f64::NAN), t_nodata: Some(f64::NAN), ..ValidityRules::default() };
        let data = Problem::builder(matrix("x", x)).target(matrix("t", t)).rules(rules).build().unwrap();
        let want = Cpu::new(&data).all_moments().unwrap().least_squares().unwrap();
        let got =
            Gpu::open(&software_adapter(), &data).unwrap().all_moments().unwrap().least_squares().unwrap();
        assert!((got.weight - want.weight).abs() < 1e-5, "{name}: {got:?} for {want:?}");
    }
}

/// Everything is about 5,000 but for what is sampled, 64 runs at the multiples
/// of the golden ratio: the moments are found about the mean that turns up, 40
/// standard deviations from there.
#[test]
fn a_sample_that_misleads_is_not_trusted() {
    let n = 2_000_003u64;
    let mut x: Vec<f32> = (0..n).map(|k| (5e3 + 0.1 * noise(k)) as f32).collect();
    for place in 0..64 {
        let start = ((f64::from(place) * 0.618_033_988_749_894_9).fract() * n as f64) as usize;
        x[start..start + 16].fill(4e3);
    }
    let t: Vec<f32> = x.iter().map(|x| 2.0 * x).collect();
    let data = Problem::pair(column("x", x), column("t", t)).unwrap();
    let want = Reference::new(&data).all_moments().unwrap();
    let got = Gpu::open(&software_adapter(), &data).unwrap().all_moments().unwrap();
    for (got, want) in [(got.xx, want.xx), (got.xt, want.xt), (got.tt, want.tt)] {
        assert!((got / want - 1.0).abs() < 3e-8, "{got:e} for {want:e}");
    }
}

/// A descent on the device about a point far from 0 goes through the states of
/// the definition: the gradient of W is about 0, as W and b are.
#[test]
fn devices_step_about_a_point_as_about_0() {
    for (n, mean) in [(1_001u64, 300.0), (100_003, 300.0), (1_001, 1e5)] {
        for is_f32 in [true, false] {
            let x = |k| mean + noise(k);
            let t = |k| 0.5 * x(k) + 0.1 * noise(!k);
            let matrix = |label, value: &dyn Fn(u64) -> f64| {
                if is_f32 {
                    column(label, (0..n).map(|k| value(k) as f32).collect())
                } else {
                    column(label, (0..n).map(value).collect())
                }
            };
            let data = Problem::pair(matrix("x", &x), matrix("t", &t)).unwrap();
            let sgd = GradientDescent {
                learning_rate: 0.8 / (mean * mean),
                steps: 40,
                ..GradientDescent::default()
            };
            let trace = |engine: &mut dyn Engine, update| {
                let mut states: Vec<State> = Vec::new();
                let mut see = |state: &State| {
                    states.push(*state);
                    ControlFlow::Continue(())
                };
                GradientDescent { update, ..sgd }.fit(engine, &mut see).unwrap();
                states
            };
            let host = trace(&mut Reference::new(&data), Update::Host);
            let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
            let device = trace(&mut gpu, Update::Device(StepsPerSubmit::Fixed(16)));
            assert_eq!(device.len(), host.len());
            for (got, want) in device.iter().zip(&host) {
                let case = format!("n = {n}, mean {mean}, f32: {is_f32}, step {}", want.step);
                // f32 sums, whose rounding in early, large steps later ones carry.
                let near = |got: f64, want: f64, size: f64| {
                    assert!((got - want).abs() <= 1e-5 * size, "{case}: {got:e} for {want:e}");
                };
                near(got.model.weight, want.model.weight, 0.5);
                near(got.model.bias, want.model.bias, 0.5);
                // Relative to the terms, of size |r| and |r·x|.
                let Evaluation { loss, .. } = want.evaluation;
                near(got.evaluation.loss, loss, loss.max(0.01));
                near(got.evaluation.grad_weight, want.evaluation.grad_weight, mean * loss.sqrt().max(0.1));
                near(got.evaluation.grad_bias, want.evaluation.grad_bias, loss.sqrt().max(0.1));
            }
        }
    }
}
