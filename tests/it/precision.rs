//! The digits that each precision of the GPU engine keeps.

use linfit::array::{Array, Hint, Hinted, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{DescentRule, Engine, Reference, TermScales};
use linfit::math::{Affine, Evaluation};

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::{
    COMPENSATED_MOMENTS, COMPENSATED_SUMS, DEVICE_F64_SUMS, F32_MOMENTS, F32_RESULTS, F64_RESULTS, FAST_SUMS,
    FAST_SUMS_OF_4096, FAST_SUMS_OF_A_MILLION,
};

/// x = mean + spread·u, t = 2·x + 1 + noise, u and noise uniform over ±1, as f32.
fn noisy_line(n: u64, mean: f64, spread: f64) -> Problem {
    let x: Vec<f32> = (0..n).map(|k| (mean + spread * noise(k)) as f32).collect();
    let t: Vec<f32> = (0..n).zip(&x).map(|(k, &x)| (2.0 * f64::from(x) + 1.0 + noise(!k)) as f32).collect();
    let matrix = |label, values| Array::from_vec(label, &[n], values);
    Problem::pair(matrix("x", x), matrix("t", t)).unwrap()
}

fn open(data: &Problem, precision: Precision, memory_bytes: u64) -> Gpu {
    let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
    Gpu::open_with(&software_adapter(), data, &settings).unwrap()
}

/// W and b that no float is equal to, and of which no product is without
/// rounding: at rounder ones what is lost elsewhere is not seen.
const GENERIC: [Affine; 6] = [
    Affine::new(1.3, -0.4),
    Affine::new(0.7, 0.3),
    Affine::new(-0.618_034, 0.577_216),
    Affine::new(2.1, 1.05),
    Affine::new(37.7, -11.3),
    Affine::new(0.001, 0.001),
];

/// The largest error of sums, of loss and gradients, as `linfit compare` has
/// them: relative to the size of their terms.
fn error_of(got: [f64; 3], reference: &mut Reference, at: Affine) -> f64 {
    let want = Evaluation::from_sums(&reference.loss_sums_at(at).unwrap());
    let scales = TermScales::of(reference, at).unwrap();
    let errors = [
        (got[0] - want.loss) / scales.loss,
        (got[1] - want.grad_weight) / scales.grad_weight,
        (got[2] - want.grad_bias) / scales.grad_bias,
    ];
    errors.into_iter().fold(0.0, |worst: f64, error| worst.max(error.abs()))
}

/// Rounding averages out: the more elements, the less of it is left. What W and b
/// lose in f32 does not, and would be 4e-8 here, whatever the number of elements.
#[test]
fn fast_loses_nothing_of_the_weight_and_the_bias() {
    for (n, tolerance) in [(4_096, FAST_SUMS_OF_4096), ((1 << 20) + 3, FAST_SUMS_OF_A_MILLION)] {
        for data in [noisy_line(n, 0.5, 4.0), noisy_line(n, 300.0, 4.0)] {
            let mut reference = Reference::new(&data);
            for memory in [u64::MAX, 0] {
                let mut gpu = open(&data, Precision::Fast, memory);
                for at in GENERIC {
                    let Evaluation { loss, grad_weight, grad_bias } =
                        Evaluation::from_sums(&gpu.loss_sums_at(at).unwrap());
                    let error = error_of([loss, grad_weight, grad_bias], &mut reference, at);
                    assert!(error <= tolerance, "{n}, {at:?}: {error:e}");
                }
            }
        }
    }
}

/// The same where the device updates: in one workgroup, and in many.
#[test]
fn fast_loses_nothing_of_them_on_the_device() {
    for (n, tolerance) in [(4_096, FAST_SUMS_OF_4096), ((1 << 20) + 3, FAST_SUMS_OF_A_MILLION)] {
        let data = noisy_line(n, 300.0, 4.0);
        let mut reference = Reference::new(&data);
        let mut gpu = open(&data, Precision::Fast, u64::MAX);
        let stepper = gpu.stepper().unwrap();
        for start in GENERIC {
            stepper.start(&DescentRule::default(), start).unwrap();
            for row in stepper.advance(&[1e-7; 3]).unwrap() {
                let Evaluation { loss, grad_weight, grad_bias } = row.evaluation;
                let error = error_of([loss, grad_weight, grad_bias], &mut reference, row.model);
                assert!(error <= tolerance, "{n}, {:?}: {error:e}", row.model);
            }
        }
    }
}

/// Weights over six orders of magnitude, missing values, and small whole numbers.
#[test]
fn fast_loses_nothing_of_them_where_pairs_weigh_different_amounts() {
    let n = 300_007u64;
    let x: Vec<i16> = (0..n).map(|k| (1000.0 * noise(k)) as i16).collect();
    let t: Vec<f32> = (0..n).map(|k| (1000.0 * noise(!k)) as f32).collect();
    let weights: Vec<f64> =
        (0..n).map(|k| if k % 7 == 0 { 0.0 } else { 10f64.powf(3.0 * noise(k / 3)) }).collect();
    let rules = ValidityRules {
        weights: Some(Array::from_vec("w", &[n], weights).into()),
        ..ValidityRules::default()
    };
    let (x, t) = (Array::from_vec("x", &[n], x), Array::from_vec("t", &[n], t));
    let data = Problem::builder(x).target(t).rules(rules).build().unwrap();
    let mut reference = Reference::new(&data);
    let mut gpu = open(&data, Precision::Fast, u64::MAX);
    for at in GENERIC {
        let got = Evaluation::from_sums(&gpu.loss_sums_at(at).unwrap());
        let error = error_of([got.loss, got.grad_weight, got.grad_bias], &mut reference, at);
        assert!(error <= FAST_SUMS_OF_A_MILLION, "{at:?}: {error:e}");
    }
}

/// Near the optimum residuals are what is left of larger numbers, and the terms
/// of both gradients cancel: the sums are a thousandth of their terms.
#[test]
fn sums_near_the_optimum_keep_their_digits() {
    let data = noisy_line((1 << 20) + 3, 0.5, 4.0);
    // 0.1 is no f32: W and b have to reach the shaders in two parts, or in f64.
    let at = Affine::new(2.0 + 0.1 / 1024.0, 1.0 - 0.1 / 1024.0);
    let mut reference = Reference::new(&data);
    let want = reference.loss_sums_at(at).unwrap();
    let n = want.n as f64;
    let scales = TermScales::of(&reference, at).unwrap();
    let error = |precision, memory| {
        let got = open(&data, precision, memory).loss_sums_at(at).unwrap();
        let errors = [
            (got.rr - want.rr) / (n * scales.loss),
            (got.rx - want.rx) / (n * scales.grad_weight / 2.0),
            (got.r - want.r) / (n * scales.grad_bias / 2.0),
        ];
        errors.into_iter().fold(0.0, |worst: f64, error| worst.max(error.abs()))
    };
    for memory in [u64::MAX, 0] {
        let fast = error(Precision::Fast, memory);
        let compensated = error(Precision::Compensated, memory);
        let f64s = error(Precision::F64, memory);
        assert!(fast <= FAST_SUMS, "fast: {fast:e}");
        assert!(compensated <= COMPENSATED_SUMS, "compensated: {compensated:e}");
        assert!(f64s <= DEVICE_F64_SUMS, "f64: {f64s:e}");
        // Or the option does nothing.
        assert!(fast > 1e-12, "fast: {fast:e}");
    }
}

/// With the mean 10⁴ standard deviations away from 0, sums of x² have no digit
/// of the variance left in f32; about a shift they have.
#[test]
fn a_slope_far_from_zero_keeps_its_digits() {
    // σ of a uniform ±1 is 1/√3.
    let data = noisy_line(300_007, 1e4 / 3f64.sqrt(), 1.0);
    let slope = |engine: &mut dyn Engine| engine.all_moments().unwrap().least_squares().unwrap().weight;
    let want = slope(&mut Reference::new(&data));
    for (precision, tolerance) in [
        (Precision::Fast, F32_MOMENTS),
        (Precision::Compensated, COMPENSATED_MOMENTS),
        (Precision::F64, F64_RESULTS),
    ] {
        for memory in [u64::MAX, 0] {
            let got = slope(&mut open(&data, precision, memory));
            assert!((got - want).abs() <= tolerance * want, "{precision}: {got:?} for {want:?}");
        }
    }
}

#[test]
fn every_run_gives_the_same_bits() {
    let data = noisy_line(300_007, 0.5, 4.0);
    let at = Affine::new(1.9, 1.1);
    for precision in Precision::ALL {
        let passes = || {
            let mut gpu = open(&data, precision, u64::MAX);
            (gpu.loss_sums_at(at).unwrap(), gpu.all_moments().unwrap(), gpu.loss_sums_at(at).unwrap())
        };
        let (first, again) = (passes(), passes());
        assert_eq!(first.0, first.2, "{precision}");
        assert_eq!(first, again, "{precision}");
    }
}

/// f32 has no squares of 1e-30 or of 1e30, f64 has: an answer without them would
/// be wrong.
#[test]
fn squares_beyond_f32_are_an_error() {
    let at = |scale: f64| -> Problem {
        let values = |offset: f64| (0..100).map(|k| (scale * (f64::from(k) + offset)) as f32).collect();
        let matrix = |label, values: Vec<f32>| Array::from_vec(label, &[100], values);
        Problem::pair(matrix("x", values(0.0)), matrix("t", values(1.0))).unwrap()
    };
    for (scale, word) in [(1e-30, "vanish"), (1e30, "overflow")] {
        let data = at(scale);
        for precision in [Precision::Fast, Precision::Compensated] {
            let error = open(&data, precision, u64::MAX).all_moments().unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.hints().contains(&Hint::F64Engine), "{error}");
        }
        let line = open(&data, Precision::F64, u64::MAX).all_moments().unwrap().least_squares().unwrap();
        assert!((line.weight - 1.0).abs() < F32_RESULTS, "{line:?}");
    }
    // Without any spread there is nothing to lose.
    let flat = |label| Array::from_vec(label, &[50], vec![3.5f32; 50]);
    let data = Problem::pair(flat("x"), flat("t")).unwrap();
    assert_eq!(open(&data, Precision::Fast, u64::MAX).all_moments().unwrap().xx, 0.0);
    assert!(open(&at(1.0), Precision::Fast, u64::MAX).all_moments().is_ok());
}
