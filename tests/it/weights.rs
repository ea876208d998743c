//! Pairs of different sample weights. A weight that is a whole number
//! must do what as many copies of the pair do; no other reference is needed.

use std::ops::ControlFlow;

use linfit::array::{Array, DataError, Element, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision, Reduction, Tuning};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::fit::{Exact, Fit, GradientDescent, Statistics, StepsPerSubmit, Update};
use linfit::math::{Affine, Evaluation, LossSums, Moments};

use crate::common::adapter::software_adapter;
use crate::common::tolerances::{
    COMPENSATED_MOMENTS, CPU_SUMS, F32_MOMENTS, F32_RESULTS, FEW_ROUNDINGS, MERGED_SUMS,
};

/// W and b at which residuals of whole numbers are whole.
const WHOLE: Affine = Affine::new(2.0, 1.0);

fn x_of(k: usize) -> f32 {
    (k * 7 % 23) as f32 - 9.0
}

fn t_of(k: usize) -> f32 {
    (k * 5 % 17) as f32 - 6.0
}

/// From 0 to 4, without a pattern that a loop could fall in with.
fn weight_of(k: usize) -> usize {
    (k.wrapping_mul(2_654_435_761) >> 9) % 5
}

fn column<E: Element>(label: &str, values: Vec<E>) -> Array {
    Array::from_vec(label, &[values.len() as u64], values)
}

fn weighted(x: Vec<f32>, t: Vec<f32>, weights: Array) -> Problem {
    let rules = ValidityRules { weights: Some(weights.into()), ..ValidityRules::default() };
    Problem::builder(column("x", x)).target(column("t", t)).rules(rules).build().unwrap()
}

/// The first `n` pairs with their weights, in an element type.
fn data<E: Element>(n: usize, weight: impl Fn(usize) -> E) -> Problem {
    let weights = column("weights", (0..n).map(|k| weight(weight_of(k))).collect());
    weighted((0..n).map(x_of).collect(), (0..n).map(t_of).collect(), weights)
}

/// As many copies of each pair as its weight says.
fn copies(n: usize) -> Problem {
    let places = || (0..n).flat_map(|k| std::iter::repeat_n(k, weight_of(k)));
    Problem::pair(
        column("x", places().map(x_of).collect::<Vec<f32>>()),
        column("t", places().map(t_of).collect::<Vec<f32>>()),
    )
    .unwrap()
}

/// The pairs that count, and the sums over their copies.
fn want(n: usize) -> (LossSums, Moments) {
    let copies = copies(n);
    let mut reference = Reference::new(&copies);
    let counted = (0..n).filter(|&k| weight_of(k) > 0).count() as u64;
    let sums = reference.loss_sums_at(WHOLE).unwrap();
    let mut moments = reference.all_moments().unwrap();
    assert_eq!(sums.weight_sum, sums.n as f64);
    moments.n = counted;
    (LossSums { n: counted, ..sums }, moments)
}

#[track_caller]
fn check(engine: &mut dyn Engine, (sums, moments): &(LossSums, Moments), tolerance: f64, case: &str) {
    assert_eq!(engine.loss_sums_at(WHOLE).unwrap(), *sums, "{case}");
    let got = engine.all_moments().unwrap();
    assert_eq!((got.n, got.weight_sum), (moments.n, moments.weight_sum), "{case}");
    let spread = (moments.xx * moments.tt).sqrt();
    for (got, want, size) in [
        (got.x_mean(), moments.x_mean(), 9.0),
        (got.t_mean(), moments.t_mean(), 9.0),
        (got.xx, moments.xx, moments.xx),
        (got.xt, moments.xt, spread),
        (got.tt, moments.tt, moments.tt),
    ] {
        assert!((got - want).abs() <= tolerance * size, "{case}: {got} for {want}");
    }
}

const SIZES: [usize; 9] = [2, 3, 7, 33, 100, 1_025, 4_099, 65_537, (1 << 20) + 3];

#[test]
fn a_weight_is_a_number_of_copies() {
    for n in SIZES {
        let want = want(n);
        let data = data(n, |w| w as f32);
        check(&mut Reference::new(&data), &want, MERGED_SUMS, "reference");
        check(&mut Cpu::new(&data), &want, CPU_SUMS, &format!("cpu, n = {n}"));
    }
}

/// Weights and pairs of other types go through other loops.
#[test]
fn weights_may_be_of_any_type() {
    let n = 70_003;
    let want = want(n);
    for data in [
        data(n, |w| w as u8),
        data(n, |w| w as i16),
        data(n, |w| half::f16::from_f32(w as f32)),
        data(n, |w| half::bf16::from_f32(w as f32)),
        data(n, |w| w as u64),
        data(n, |w| w as f64),
    ] {
        let case = format!("{:?}", data.weights().unwrap());
        check(&mut Cpu::new(&data), &want, CPU_SUMS, &case);
        check(&mut Gpu::open(&software_adapter(), &data).unwrap(), &want, F32_MOMENTS, &case);
    }
    let weights = || column("weights", (0..n).map(|k| weight_of(k) as u8).collect());
    let t = || column("t", (0..n).map(|k| t_of(k) as i32).collect());
    for x in [
        column("x", (0..n).map(|k| x_of(k) as i8).collect()),
        column("x", (0..n).map(|k| f64::from(x_of(k))).collect()),
    ] {
        let rules = ValidityRules { weights: Some(weights().into()), ..ValidityRules::default() };
        let data = Problem::builder(x).target(t()).rules(rules).build().unwrap();
        check(&mut Cpu::new(&data), &want, CPU_SUMS, "mixed");
        check(&mut Gpu::open(&software_adapter(), &data).unwrap(), &want, F32_MOMENTS, "mixed");
    }
}

#[test]
fn gpus_weigh_with_every_precision_and_in_every_order() {
    let adapter = software_adapter();
    let usual = Tuning::default_for(&adapter);
    let as_on_a_gpu = Tuning { contiguous: false, loads: 4, reduction: Reduction::Workgroup, ..usual };
    for n in SIZES {
        let want = want(n);
        let data = data(n, |w| w as u8);
        for (precision, tolerance) in [
            (Precision::Fast, F32_MOMENTS),
            (Precision::Compensated, COMPENSATED_MOMENTS),
            (Precision::F64, CPU_SUMS),
        ] {
            for (memory_bytes, tuning) in [(u64::MAX, usual), (0, usual), (u64::MAX, as_on_a_gpu)] {
                let settings = GpuSettings { memory_bytes, tuning: Some(tuning), precision };
                let mut gpu = Gpu::open_with(&adapter, &data, &settings).unwrap();
                let case = format!("{n} elements, {precision}, {memory_bytes}, {tuning:?}");
                check(&mut gpu, &want, tolerance, &case);
            }
        }
    }
}

/// Only how weights compare counts: 2ᵏ times all of them is no change, not a
/// bit, however little of f32's range is left.
#[test]
fn the_size_of_weights_does_not_matter() {
    let n = 5_003;
    let fit = |scale: f64, on: &dyn Fn(&Problem) -> Evaluation| {
        let weights = column("weights", (0..n).map(|k| scale * (weight_of(k) as f64 + 0.25)).collect());
        on(&weighted((0..n).map(x_of).collect(), (0..n).map(t_of).collect(), weights))
    };
    let at = Affine::new(0.3, -0.7);
    let cpu = |data: &Problem| Evaluation::from_sums(&Cpu::new(data).loss_sums_at(at).unwrap());
    let gpu = |data: &Problem| {
        let mut gpu = Gpu::open(&software_adapter(), data).unwrap();
        assert_eq!(gpu.take_notices(), []);
        Evaluation::from_sums(&gpu.loss_sums_at(at).unwrap())
    };
    for on in [&cpu as &dyn Fn(&Problem) -> Evaluation, &gpu] {
        let want = fit(1.0, on);
        for scale in [2f64.powi(-15), 2f64.powi(60), 2f64.powi(130), 2f64.powi(-140)] {
            assert_eq!(fit(scale, on), want, "{scale:e}");
        }
    }
    // Moments too, and what follows from them.
    let line = |scale: f64| {
        let weights = column("weights", (0..n).map(|k| scale * (weight_of(k) as f64 + 0.25)).collect());
        let data = weighted((0..n).map(x_of).collect(), (0..n).map(t_of).collect(), weights);
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let moments = gpu.all_moments().unwrap();
        let statistics = Statistics::measure(&mut gpu, &moments, None).unwrap();
        (moments.least_squares().unwrap(), statistics.r2, statistics.stderr_weight, statistics.p_value)
    };
    assert_eq!(line(2f64.powi(90)), line(1.0));
}

/// A line forced through a point by one weight that outdoes all others: with
/// the deviations from that point, W = Σ dx·dt / Σ dx², and the sums of squares
/// about the means, next to the point, are as large as they are about it.
#[test]
fn one_weight_may_outdo_all_others() {
    let n = 1_000;
    let heavy = 777;
    let x: Vec<f64> = (0..n).map(|k| 1e4 + f64::from(x_of(k))).collect();
    let t: Vec<f64> = (0..n).map(|k| 2.0 * f64::from(x_of(k)) + f64::from(t_of(k))).collect();
    let (far_x, far_t) = (x[heavy], t[heavy]);
    let mut sums = [0.0; 3];
    for (x, t) in x.iter().zip(&t) {
        let (dx, dt) = (x - far_x, t - far_t);
        sums.iter_mut().zip([dx * dx, dx * dt, dt * dt]).for_each(|(sum, term)| *sum += term);
    }
    let [xx, xt, tt] = sums;
    for weight in [1e12, 1e16, 1e30] {
        let weights = (0..n).map(|k| if k == heavy { weight } else { 1.0 }).collect();
        let rules = ValidityRules { weights: Some(column("w", weights).into()), ..ValidityRules::default() };
        let data = Problem::builder(column("x", x.clone()))
            .target(column("t", t.clone()))
            .rules(rules)
            .build()
            .unwrap();
        for engine in [&mut Cpu::new(&data) as &mut dyn Engine, &mut Reference::new(&data)] {
            let got = engine.all_moments().unwrap();
            for (got, want) in [(got.xx, xx), (got.xt, xt), (got.tt, tt)] {
                assert!((got / want - 1.0).abs() < 1e-8, "{weight:e}: {got} for {want}");
            }
        }
    }
}

/// Missing values and weights together, on the device: a descent there goes through the
/// states of one on the host.
#[test]
fn devices_step_with_weights_and_missing_values() {
    for n in [1_003usize, 30_001, 100_003] {
        let noise = |k: usize| f64::from((k.wrapping_mul(2_654_435_761) % 1_000) as u32) / 500.0 - 1.0;
        let x: Vec<f32> =
            (0..n).map(|k| if k % 7 == 3 { f32::NAN } else { (2.0 * noise(k)) as f32 }).collect();
        let t: Vec<f32> =
            (0..n).map(|k| (3.0 * 2.0 * noise(k) - 0.75 + 0.5 * noise(3 * k + 1)) as f32).collect();
        let weights: Vec<f32> = (0..n).map(|k| (weight_of(k) as f32) * 0.3).collect();
        let rules = ValidityRules {
            x_nodata: Some(f64::NAN),
            weights: Some(column("weights", weights).into()),
            ..ValidityRules::default()
        };
        let data = Problem::builder(column("x", x)).target(column("t", t)).rules(rules).build().unwrap();
        let fit = |engine: &mut dyn Engine, update| -> Fit {
            let sgd =
                GradientDescent { learning_rate: 0.1, steps: 300, update, ..GradientDescent::default() };
            sgd.fit(engine, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let host = fit(&mut Reference::new(&data), Update::Host);
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        let device = fit(&mut gpu, Update::Device(StepsPerSubmit::Fixed(64)));
        assert_eq!((device.n, device.steps), (host.n, 300));
        for (got, want) in [
            (device.model.weight, host.model.weight),
            (device.model.bias, host.model.bias),
            (device.evaluation.loss, host.evaluation.loss),
        ] {
            assert!((got - want).abs() <= F32_RESULTS * want.abs(), "n = {n}: {got} for {want}");
        }
    }
}

/// Weighted least squares by hand: x = 0, 1, 2, t = 0, 2, 2, w = 1, 2, 1.
/// Σw = 4, x̄ = 1, t̄ = 6/4, Mxx = 2, Mxt = 1·1.5 + 1·0.5 = 2, Mtt = 2.25 + 0.5 + 0.25 = 3,
/// so W = 1, b = 0.5, residuals 0.5, −0.5, 0.5 and Σw·r² = 1. With n − 2 = 1
/// degree of freedom s = 1, the standard error of W is 1/√2, of b √(1/4 + 1/2),
/// R² = 1 − 1/3 (statsmodels' WLS and R's lm say the same).
#[test]
fn statistics_of_weighted_pairs_by_hand() {
    let data = weighted(vec![0.0, 1.0, 2.0], vec![0.0, 2.0, 2.0], column("weights", vec![1f32, 2.0, 1.0]));
    for engine in [&mut Reference::new(&data) as &mut dyn Engine, &mut Cpu::new(&data)] {
        let moments = engine.all_moments().unwrap();
        let fit = Exact.fit(engine, &moments, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((fit.model, fit.evaluation.loss, fit.n), (Affine::new(1.0, 0.5), 0.25, 3));
        let got = Statistics::measure(engine, &moments, None).unwrap();
        for (got, want) in [
            (got.residual_std, 1.0),
            (got.stderr_weight, 0.5f64.sqrt()),
            (got.stderr_bias, 0.75f64.sqrt()),
            (got.t_weight, 2f64.sqrt()),
            (got.r2, 2.0 / 3.0),
        ] {
            assert!((got.unwrap() - want).abs() < FEW_ROUNDINGS, "{got:?} for {want}");
        }
    }
}

#[test]
fn what_is_no_weight_is_refused() {
    let refused = |weights: Vec<f32>| {
        let rules = ValidityRules { weights: Some(column("w", weights).into()), ..ValidityRules::default() };
        Problem::builder(column("x", vec![1f32, 2.0]))
            .target(column("t", vec![1f32, 2.0]))
            .rules(rules)
            .build()
            .map(|_| ())
            .unwrap_err()
    };
    let error = refused(vec![1.0, -2.0]);
    assert!(matches!(error, DataError::Weights { count: 1, .. }), "{error}");
    assert!(error.to_string().contains("index 1") && error.to_string().contains("-2"), "{error}");
    assert!(matches!(refused(vec![0.0, 0.0]), DataError::NoneValid { .. }));
    assert!(matches!(refused(vec![1.0]), DataError::OtherShape { what: "weights", .. }));
    let rules =
        ValidityRules { weights: Some(column("w", vec![1e80, 2e80]).into()), ..ValidityRules::default() };
    let pair = || column("x", vec![1f32, 2.0]);
    let error = Problem::builder(pair()).target(pair()).rules(rules).build().unwrap_err().to_string();
    assert!(error.contains("1.5e80") && error.contains("divide"), "{error}");
}
