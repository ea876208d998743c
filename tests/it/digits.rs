//! Digits that f64 loses: 64-bit integers, squares beyond its range, residuals
//! near the last place, weights over many orders, descents far from 0. What is
//! right was found with exact rationals or 600-bit arithmetic.

use std::ops::ControlFlow;

use linfit::array::{Array, Element, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::fit::{Coordinates, Exact, Fit, Forecast, GradientDescent, Statistics};
use linfit::math::Affine;

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::{CPU_SUMS, F32_RESULTS, F64_RESULTS, MERGED_SUMS};

fn column<E: Element>(label: &str, values: Vec<E>) -> Array {
    Array::from_vec(label, &[values.len() as u64], values)
}

fn pair<X: Element, T: Element>(x: Vec<X>, t: Vec<T>) -> Problem {
    Problem::pair(column("x", x), column("t", t)).unwrap()
}

fn exact(engine: &mut dyn Engine) -> (Fit, Statistics) {
    let moments = engine.all_moments().unwrap();
    let fit = Exact.fit(engine, &moments, &mut |_| ControlFlow::Continue(())).unwrap();
    (fit, Statistics::measure(engine, &moments, None).unwrap())
}

/// On the CPU, in the reference, and on a device at every precision, resident
/// and streamed.
fn everywhere(data: &Problem, mut check: impl FnMut(&str, &mut dyn Engine)) {
    check("cpu", &mut Cpu::new(data));
    check("reference", &mut Reference::new(data));
    for (precision, memory_bytes) in [
        (Precision::Fast, u64::MAX),
        (Precision::Fast, 0),
        (Precision::Compensated, u64::MAX),
        (Precision::F64, 0),
    ] {
        let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
        let mut gpu = Gpu::open_with(&software_adapter(), data, &settings).unwrap();
        check(&format!("gpu {precision} {memory_bytes}"), &mut gpu);
    }
}

#[track_caller]
fn near(case: &str, got: Option<f64>, want: f64, tolerance: f64) {
    let got = got.unwrap();
    assert!((got / want - 1.0).abs() <= tolerance, "{case}: {got:e} for {want:e}");
}

/// t = 3·x + 2⁶⁰ exactly, which f64 takes for a constant; t = −x on unsigned
/// ones beyond 2⁶³, and at both ends of i64.
#[test]
fn whole_numbers_of_64_bits_keep_their_digits() {
    let t: Vec<i64> = (0..40).map(|k| (1 << 60) + 3 * k).collect();
    let lines: [(Problem, f64, f64); 4] = [
        (pair((0..40).collect::<Vec<i64>>(), t), 3.0, 2f64.powi(60)),
        (
            pair((0..40u64).map(|k| u64::MAX - k).collect(), (0..40u64).map(|k| u64::MAX - 39 + k).collect()),
            -1.0,
            2.0 * 2f64.powi(64),
        ),
        (
            pair((0..40).map(|k| i64::MIN + k).collect(), (0..40).map(|k| i64::MAX - 2 * k).collect()),
            -2.0,
            0.0,
        ),
        // 64 bits apart: the spread itself is beyond i64.
        (pair(vec![i64::MIN, 0, i64::MAX], vec![0u8, 1, 2]), 2f64.powi(-63), 1.0),
    ];
    for (data, weight, bias) in &lines {
        everywhere(data, |case, engine| {
            let (fit, statistics) = exact(engine);
            assert!((fit.model.weight / weight - 1.0).abs() < F64_RESULTS, "{case}: {:?}", fit.model);
            if *bias != 0.0 {
                assert!((fit.model.bias / bias - 1.0).abs() < F32_RESULTS, "{case}: {:?}", fit.model);
            }
            assert!(1.0 - statistics.r2.unwrap() < MERGED_SUMS, "{case}: {statistics:?}");
        });
    }
    for (data, ..) in &lines[..3] {
        everywhere(data, |case, engine| {
            let (fit, statistics) = exact(engine);
            assert_eq!((fit.evaluation.loss, statistics.residual_std), (0.0, Some(0.0)), "{case}");
            assert_eq!(engine.take_notices(), [], "{case}");
        });
    }
}

/// Nanoseconds since 1970, every 50, and a line through them: at its own W
/// and b, of which b has 53 bits, the residual is b's rounding, ±8 at most.
#[test]
fn sums_at_any_line_are_of_whole_numbers_as_they_are() {
    let start = 1_700_000_000_000_000_000i64;
    let x: Vec<i64> = (0..40).map(|k| start + 50 * k).collect();
    let t: Vec<f64> = (0..40u8).map(|k| 7.0 + 3.0 * f64::from(k)).collect();
    let data = pair(x, t);
    // At W = 1/16 and b = −start/16, r = 50·k/16 − 7 − 3·k = k/8 − 7: Σr = −182.5,
    // Σr² = Σ(k²/64 − 7·k/4 + 49) = 20,540/64 − 1,365 + 1,960.
    let at = Affine::new(0.0625, -(start as f64) / 16.0);
    everywhere(&data, |case, engine| {
        let sums = engine.loss_sums_at(at).unwrap();
        assert_eq!(sums.r, -182.5, "{case}");
        assert!((sums.rr - 915.9375).abs() < 1e-4, "{case}: {sums:?}");
        near(case, Some(sums.rx), -182.5 * start as f64, 1e-9);
    });
}

/// The moments of x·2ᵃ and t·2ᶜ are those of x and t but for powers of two,
/// also where squares leave f64; T of numbers so small that f64 holds them with
/// 20 bits is another T.
#[test]
fn spreads_whose_squares_leave_f64_are_scaled() {
    let x: Vec<f64> = (0..3_000).map(noise).collect();
    let t: Vec<f64> = (0..3_000u64).map(|k| 2.0 * noise(k) + 0.5 + noise(!k)).collect();
    let scale = |values: &[f64], exponent: i32| -> Vec<f64> {
        values
            .iter()
            .map(|value| value * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2))
            .collect()
    };
    let plain = pair(x.clone(), t.clone());
    let (want_fit, want) = exact(&mut Cpu::new(&plain));
    for (a, c) in
        [(-530, -530), (-540, 0), (0, -540), (520, 0), (0, 520), (600, -400), (-900, -950), (1000, 1000)]
    {
        let data = pair(scale(&x, a), scale(&t, c));
        for (name, engine) in
            [("cpu", &mut Cpu::new(&data) as &mut dyn Engine), ("reference", &mut Reference::new(&data))]
        {
            let case = format!("{name} {a} {c}");
            let (fit, got) = exact(engine);
            let power = |exponent: i32| 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2);
            near(&case, Some(fit.model.weight), want_fit.model.weight * power(c - a), CPU_SUMS);
            near(&case, Some(fit.model.bias), want_fit.model.bias * power(c), CPU_SUMS);
            near(&case, got.r2, want.r2.unwrap(), F64_RESULTS);
            near(&case, got.residual_std, want.residual_std.unwrap() * power(c), F64_RESULTS);
            near(&case, got.stderr_weight, want.stderr_weight.unwrap() * power(c - a), F64_RESULTS);
            near(&case, got.stderr_bias, want.stderr_bias.unwrap() * power(c), F64_RESULTS);
            near(&case, got.t_weight, want.t_weight.unwrap(), F64_RESULTS);
        }
        if c <= -530 || a <= -530 {
            let gpu = |precision| {
                let settings = GpuSettings { precision, ..GpuSettings::default() };
                Gpu::open_with(&software_adapter(), &data, &settings).unwrap().all_moments()
            };
            for precision in Precision::ALL {
                let error = gpu(precision).unwrap_err().to_string();
                assert!(error.contains("vanish"), "{precision} {a} {c}: {error}");
            }
        }
    }
}

/// x and t are whole numbers, with W·x large and e of ±1 beside it, such that
/// Σe = Σe·x = 0: the line and its residuals are known exactly, whatever the
/// offset.
#[test]
fn residuals_near_the_last_place_are_told() {
    let n = 4_000u64;
    // Of four in a row e = 1, −1, −1, 1.
    let e = |k: u64| if matches!(k % 4, 0 | 3) { 1.0 } else { -1.0 };
    for (offset, slope, tiny) in
        [(0.0, 1.0, 1.0), (1e9, 7.0, 1.0), (1e12, 3.0, 1.0), (0.0, 1e10, 1.0), (0.0, 1.0, 2f64.powi(-40))]
    {
        let x: Vec<f64> = (0..n).map(|k| offset + k as f64).collect();
        let t: Vec<f64> = (0..n).zip(&x).map(|(k, x)| slope * (x - offset) + tiny * e(k) + offset).collect();
        let data = pair(x, t);
        let std = tiny * (n as f64 / (n as f64 - 2.0)).sqrt();
        // Mxx of 0 … n − 1.
        let xx = (n as f64).powi(3) / 12.0 - n as f64 / 12.0;
        everywhere(&data, |case, engine| {
            let (fit, statistics) = exact(engine);
            let tolerance = if case.starts_with("gpu fast") { 2e-5 } else { 1e-9 };
            let case = format!("{case} {offset:e} {slope:e} {tiny:e}");
            near(&case, statistics.residual_std, std, tolerance);
            near(&case, statistics.stderr_weight, std / xx.sqrt(), tolerance);
            near(&case, statistics.t_weight, slope * xx.sqrt() / std, tolerance);
            near(
                &case,
                Some(1.0 - statistics.r2.unwrap()),
                n as f64 * tiny * tiny / (slope * slope * xx + n as f64 * tiny * tiny),
                if tolerance < 1e-8 && tiny == 1.0 && slope < 1e9 { 1e-6 } else { 1.0 },
            );
            near(
                &case,
                Some(fit.model.weight),
                slope,
                if tolerance > 1e-8 { F32_RESULTS } else { F64_RESULTS },
            );
        });
    }
}

/// Three pairs, weighed 1e-30, 1 and 1e30: the line goes through the second and
/// third, and misses the first by r = t₁ − t(x₁).
#[test]
fn weights_over_many_orders_are_told_apart() {
    let (x, t) = (vec![1.5, 2.25, 4.0], vec![7.0, -1.0, 6.0]);
    let rules = ValidityRules {
        weights: Some(column("w", vec![1e-30, 1.0, 1e30]).into()),
        ..ValidityRules::default()
    };
    let data = Problem::builder(column("x", x)).target(column("t", t)).rules(rules).build().unwrap();
    // W = 7/1.75 = 4, b = −10; r = 7 − (6 − 10) = 11, of weight 1e-30.
    everywhere(&data, |case, engine| {
        let (fit, statistics) = exact(engine);
        near(case, Some(fit.model.weight), 4.0, F64_RESULTS);
        near(case, Some(fit.model.bias), -10.0, F64_RESULTS);
        near(case, statistics.residual_std, 11e-15, 1e-9);
        near(case, statistics.stderr_weight, 11e-15 / 1.75, 1e-9);
    });
}

/// One step at the best rate is the line, however far the data lie; so is what
/// is foretold.
#[test]
fn standardized_steps_lose_nothing_to_a_mean_far_off() {
    let n = 1_000u64;
    for mean in [0.0, 1e3, 1e6, 1e8, 1e11] {
        let x: Vec<f64> = (0..n).map(|k| mean + noise(k)).collect();
        let t: Vec<f64> = x
            .iter()
            .enumerate()
            .map(|(k, x)| 2.0 * (x - mean) + 3.0 * mean + 0.1 * noise(!(k as u64)))
            .collect();
        let data = pair(x, t);
        for (name, engine, tolerance) in [
            ("cpu", &mut Cpu::new(&data) as &mut dyn Engine, F64_RESULTS),
            ("reference", &mut Reference::new(&data), F64_RESULTS),
            ("gpu", &mut Gpu::open(&software_adapter(), &data).unwrap(), F32_RESULTS),
        ] {
            let case = format!("{name} {mean:e}");
            let moments = engine.all_moments().unwrap();
            let want = moments.least_squares().unwrap();
            let coordinates = Coordinates::standardized(&moments).unwrap();
            let curvature = coordinates.curvature(&moments).unwrap();
            let learning_rate = curvature.best_rate();
            let sgd = GradientDescent { coordinates, learning_rate, steps: 1, ..GradientDescent::default() };
            let mut ignore = |_: &_| ControlFlow::Continue(());
            for fit in
                [sgd.fit(engine, &mut ignore).unwrap(), sgd.replay(engine, &moments, &mut ignore).unwrap()]
            {
                near(&case, Some(fit.model.weight), want.weight, tolerance);
                // A step from far off ends within the rounding of its length.
                let rounding = (f64::EPSILON * 4.0 * mean).powi(2);
                let loss = moments.quadratic().least() + 1.0;
                near(&case, Some(fit.evaluation.loss + 1.0), loss, tolerance + rounding);
            }
            let tolerances = GradientDescent::relative_to(&moments, 1e-4 * tolerance.sqrt());
            let steps = Forecast::new(&sgd, &moments, curvature).unwrap().steps_within(tolerances).unwrap();
            assert!(steps <= 1, "{case}: {steps}");
        }
    }
}

/// However large or small the data, a share of the gradients' scale is reached
/// as soon, and far from the start; sums say so on the host, on the device and
/// from the moments.
#[test]
fn a_relative_tolerance_knows_the_scale() {
    let n = 500u64;
    let mut steps = Vec::new();
    for exponent in [-40, 0, 40] {
        let scale = 2f64.powi(exponent);
        let whole = |size: f64, k: u64| (size * noise(k)).round();
        let x: Vec<f64> = (0..n).map(|k| whole(1024.0, k)).collect();
        let t: Vec<f64> = (0..n).zip(&x).map(|(k, x)| scale * (0.5 * x + whole(100.0, !k))).collect();
        let data = pair(x, t);
        let mut of = |engine: &mut dyn Engine| {
            let moments = engine.all_moments().unwrap();
            let learning_rate = 0.8 * moments.quadratic().curvature().best_rate();
            let tolerances = GradientDescent::relative_to(&moments, 1e-4);
            let sgd = GradientDescent {
                learning_rate,
                tolerances,
                steps: 10_000_000,
                ..GradientDescent::default()
            };
            let mut ignore = |_: &_| ControlFlow::Continue(());
            let fit = sgd.replay(engine, &moments, &mut ignore).unwrap();
            assert!(fit.steps > 3, "{fit:?}");
            let [weight, bias] = tolerances;
            assert!(
                fit.evaluation.grad_weight.abs() <= weight * 1.001
                    && fit.evaluation.grad_bias.abs() <= bias * 1.001
            );
            steps.push(fit.steps);
        };
        of(&mut Cpu::new(&data));
        of(&mut Reference::new(&data));
    }
    assert!(steps.iter().all(|&count| count == steps[0]), "{steps:?}");
}
