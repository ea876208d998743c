//! The moments of every engine against mathematics: exact sums, invariances,
//! digits that a large mean must not cost, the same bits everywhere.

use linfit::array::{Array, Element, ElementType, Order, Problem, Shape};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, EngineError, Reference};
use linfit::io::npy;
use linfit::math::{Affine, Moments};
use proptest::prelude::*;

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::{
    COMPENSATED_SUMS, CPU_SUMS, F32_RESULTS, F64_RESULTS, FEW_ROUNDINGS, MERGED_SUMS,
};

fn pair<X: Element, T: Element>(x: Vec<X>, t: Vec<T>) -> Problem {
    let n = [x.len() as u64];
    Problem::pair(Array::from_vec("x", &n, x), Array::from_vec("t", &n, t)).unwrap()
}

/// x = mean + u, t = 3·u + 7 + noise, u uniform over ±1.
fn far_from_zero(n: u64, mean: f64) -> (Vec<f64>, Vec<f64>) {
    (0..n).map(|k| (mean + noise(k), 3.0 * noise(k) + 7.0 + 0.25 * noise(!k))).unzip()
}

/// The numbers of whole numbers, in whole numbers: N²·variances don't need a
/// division.
fn whole_moments(pairs: &[(i64, i64)]) -> [f64; 5] {
    let n = pairs.len() as i128;
    let sum = |of: &dyn Fn(i128, i128) -> i128| {
        pairs.iter().map(|&(x, t)| of(i128::from(x), i128::from(t))).sum::<i128>()
    };
    let (x, t) = (sum(&|x, _| x), sum(&|_, t| t));
    let central = |product: i128, a: i128, b: i128| (n * product - a * b) as f64 / n as f64;
    [
        x as f64 / n as f64,
        t as f64 / n as f64,
        central(sum(&|x, _| x * x), x, x),
        central(sum(&|x, t| x * t), x, t),
        central(sum(&|_, t| t * t), t, t),
    ]
}

fn numbers(moments: &Moments) -> [f64; 5] {
    [moments.x_mean(), moments.t_mean(), moments.xx, moments.xt, moments.tt]
}

#[track_caller]
fn assert_near(got: &Moments, want: [f64; 5], tolerance: f64, case: &str) {
    // Products cancel; what they are relative to does not.
    let scales = [want[0].abs(), want[1].abs(), want[2], (want[2] * want[4]).sqrt(), want[4]];
    for ((got, want), scale) in numbers(got).into_iter().zip(want).zip(scales) {
        assert!((got - want).abs() <= tolerance * scale, "{case}: {got:?} for {want:?}");
    }
}

/// Sizes that end in a lane, a block, a chunk, and beyond what one thread
/// takes.
const SIZES: [usize; 9] = [1, 2, 15, 1_023, 1_024, 1_025, 65_537, 131_073, 1_000_003];

#[test]
fn every_engine_and_type_finds_the_moments_of_whole_numbers() {
    fn check<X: Element, T: Element>(n: usize, x: impl Fn(i64) -> X, t: impl Fn(i64) -> T) {
        let pairs: Vec<(i64, i64)> =
            (0..n as i64).map(|k| ((k * 7_919) % 127, (k * 104_729 + k / 3) % 101)).collect();
        let data = pair(pairs.iter().map(|p| x(p.0)).collect(), pairs.iter().map(|p| t(p.1)).collect());
        let want = whole_moments(&pairs);
        let name = format!("{:?}", data.x());
        assert_near(&Cpu::new(&data).all_moments().unwrap(), want, MERGED_SUMS, &format!("cpu {name}"));
        assert_near(
            &Reference::new(&data).all_moments().unwrap(),
            want,
            FEW_ROUNDINGS,
            &format!("reference {name}"),
        );
    }
    for n in SIZES {
        check(n, |v| v as f32, |v| v as f32);
        check(n, |v| v as f64, |v| v as f64);
    }
    for n in [1_025, 131_073] {
        check(n, |v| v as u8, |v| v as i16);
        check(n, |v| half::f16::from_f64(v as f64), |v| v as u64);
        check(n, |v| v as f32, |v| v as f64);
    }
}

#[test]
fn the_gpu_engine_has_moments_too() {
    let (x, t) = far_from_zero(70_001, 100.0);
    let f32s = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
    let data = pair(f32s(x), f32s(t));
    let want = numbers(&Reference::new(&data).all_moments().unwrap());
    for (precision, tolerance) in [
        (Precision::Fast, F32_RESULTS),
        (Precision::Compensated, COMPENSATED_SUMS),
        (Precision::F64, MERGED_SUMS),
    ] {
        for memory_bytes in [u64::MAX, 0] {
            let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
            let mut gpu = Gpu::open_with(&software_adapter(), &data, &settings).unwrap();
            for _ in 0..2 {
                assert_near(&gpu.all_moments().unwrap(), want, tolerance, precision.name());
            }
        }
    }
}

#[test]
fn data_without_t_have_no_moments() {
    let data = Problem::inputs(Array::from_vec("x", &[1], vec![1f32])).unwrap();
    assert!(matches!(Cpu::new(&data).all_moments(), Err(EngineError::NoTarget)));
    assert!(matches!(Reference::new(&data).all_moments(), Err(EngineError::NoTarget)));
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    assert!(matches!(gpu.all_moments(), Err(EngineError::NoTarget)));
}

/// The slope of data in f64, from sums of whole numbers: x and t are
/// multiples of 2⁻³⁰ below 2³⁰·10⁸, so that their products fit i128.
fn true_slope(x: &[f64], t: &[f64]) -> f64 {
    let whole = |values: &[f64]| -> Vec<i64> {
        values
            .iter()
            .map(|value| {
                let scaled = value * 2f64.powi(30);
                assert_eq!(scaled, scaled.trunc());
                scaled as i64
            })
            .collect()
    };
    let (x, t) = (whole(x), whole(t));
    // Relative to the first element, or n·Σx² would not fit.
    let pairs: Vec<(i128, i128)> =
        x.iter().zip(&t).map(|(&a, &b)| (i128::from(a - x[0]), i128::from(b - t[0]))).collect();
    let n = pairs.len() as i128;
    let (sx, st) = pairs.iter().fold((0, 0), |(a, b), &(x, t)| (a + x, b + t));
    let (xx, xt) = pairs.iter().fold((0, 0), |(a, b), &(x, t)| (a + x * x, b + x * t));
    (n * xt - sx * st) as f64 / (n * xx - sx * sx) as f64
}

/// On a grid of 2⁻³⁰ the data are the same whatever is added to x, so that
/// the whole error is the pass's. Taken about the data themselves, the sums
/// lose nothing to the mean: their error is that of the additions, far below
/// (mean/σ)·2⁻⁵³, and within 1e-12 of the exact moments for all of these.
#[test]
fn a_mean_far_beyond_the_spread_costs_no_digits() {
    let grid = |value: f64| (value * 2f64.powi(30)).round() / 2f64.powi(30);
    let n = 200_003;
    let (u, t): (Vec<f64>, Vec<f64>) =
        (0..n).map(|k| (grid(noise(k)), grid(3.0 * noise(k) + 0.25 * noise(!k)))).unzip();
    // Noise around the mean, and a ramp, whose blocks are far apart.
    let ramp: Vec<f64> = u.iter().enumerate().map(|(k, u)| grid(0.01 * u + k as f64 / n as f64)).collect();
    for (name, base) in [("noise", &u), ("ramp", &ramp)] {
        for mean in [0.0, 1.0, 1e2, 1e4, 1e6, 1e8] {
            let x: Vec<f64> = base.iter().map(|value| mean + value).map(grid).collect();
            let (want, data) = (true_slope(&x, &t), pair(x, t.clone()));
            for (engine, moments) in
                [("cpu", Cpu::new(&data).all_moments()), ("reference", Reference::new(&data).all_moments())]
            {
                let moments = moments.unwrap();
                let line = moments.least_squares().unwrap();
                let error = (line.weight / want - 1.0).abs();
                assert!(error <= CPU_SUMS, "{engine}, {name} at {mean:e}: {error:e}");
                // The line goes through the means, to the rounding of W·x̄.
                let off = (line.apply(moments.x_mean()) - moments.t_mean()).abs();
                assert!(
                    off <= 4.0 * f64::EPSILON * (want * mean + 10.0),
                    "{engine}, {name} at {mean:e}: {off:e}"
                );
            }
        }
    }
}

/// Also not where a block begins or ends with it.
#[test]
fn an_element_far_from_all_others_costs_no_digits() {
    let (mut x, t) = far_from_zero(10_000, 0.0);
    for place in [0, 1_024, 3_071, 9_216] {
        x[place] = 1e6;
    }
    let data = pair(x, t);
    let want = numbers(&Reference::new(&data).all_moments().unwrap());
    assert_near(&Cpu::new(&data).all_moments().unwrap(), want, 2.0 * MERGED_SUMS, "outliers");
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let (x, t) = far_from_zero(1_000_003, 10.0);
    let data = pair(x, t);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Cpu::new(&data).all_moments().unwrap())
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(on(threads), one, "{threads} threads");
    }
    assert!(one.xx > 0.0);
}

#[test]
fn streamed_data_have_the_moments_of_resident_ones() {
    let directory = tempfile::tempdir().unwrap();
    let (x, t) = far_from_zero((1 << 20) + 12_347, 5.0);
    let paths = ["x.npy", "t.npy"].map(|name| directory.path().join(name));
    for (path, values) in paths.iter().zip([&x, &t]) {
        let shape = Shape(vec![values.len() as u64]);
        let mut file = npy::create(path, &shape, ElementType::F64, Order::C).unwrap();
        file.write(values).unwrap();
        file.finish().unwrap();
    }
    let want = Cpu::new(&pair(x, t)).all_moments().unwrap();
    for memory in [u64::MAX, 1 << 22, 1 << 16, 1] {
        let [x, t] = paths.each_ref().map(|path| npy::open(path).unwrap());
        let data = Problem::builder(x).target(t).memory_bytes(memory).build().unwrap();
        assert_eq!(data.x().is_streamed(), memory < u64::MAX);
        assert_eq!(Cpu::new(&data).all_moments().unwrap(), want, "{memory} bytes");
        assert_eq!(Cpu::new(&data).all_moments().unwrap(), want, "{memory} bytes, a second pass");
    }
}

fn cpu_moments(pairs: &[(f64, f64)]) -> Moments {
    let (x, t) = pairs.iter().copied().unzip();
    Cpu::new(&pair::<f64, f64>(x, t)).all_moments().unwrap()
}

fn pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((-50.0..50.0, -5.0..5.0), 2..3000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The moments give the residual sums of a pass, wherever it is made.
    #[test]
    fn moments_are_the_sums_of_every_pass(pairs in pairs(), weight in -3.0..3.0, bias in -9.0..9.0) {
        let (x, t) = pairs.iter().copied().unzip();
        let data = pair::<f64, f64>(x, t);
        let at = Affine::new(weight, bias);
        let want = Reference::new(&data).loss_sums_at(at).unwrap();
        let got = Cpu::new(&data).all_moments().unwrap().loss_sums(at);
        let scale = pairs.iter().map(|(x, t)| ((x * weight).abs() + bias.abs() + t.abs()) * (1.0 + x.abs())).sum::<f64>();
        prop_assert!((got.rx - want.rx).abs() <= CPU_SUMS * scale, "{got:?} {want:?}");
        prop_assert!((got.r - want.r).abs() <= CPU_SUMS * scale, "{got:?} {want:?}");
        prop_assert!((got.rr - want.rr).abs() <= F64_RESULTS * (want.rr + pairs.iter().map(|p| p.1 * p.1).sum::<f64>()), "{got:?} {want:?}");
    }

    #[test]
    fn order_and_parts_do_not_matter(pairs in pairs(), at in 0usize..3000) {
        let whole = cpu_moments(&pairs);
        let want = numbers(&whole);
        let scale = want[0].abs().max(50.0);
        let close = |got: &Moments| numbers(got).into_iter().zip(want).zip([scale, scale, want[2], (want[2] * want[4]).sqrt(), want[4]])
            .all(|((got, want), scale)| (got - want).abs() <= CPU_SUMS * scale);
        let mut other = pairs.clone();
        other.rotate_left(at % pairs.len());
        other.reverse();
        prop_assert!(close(&cpu_moments(&other)), "{whole:?}");
        let (head, tail) = pairs.split_at(1 + at % (pairs.len() - 1));
        prop_assert!(close(&cpu_moments(head).merge(cpu_moments(tail))), "{whole:?}");
    }

    /// x + c moves the mean and nothing else; 4·x scales Mxx sixteenfold,
    /// exactly.
    #[test]
    fn shifts_and_scales(pairs in pairs(), c in -1e4..1e4f64) {
        let whole = cpu_moments(&pairs);
        let scaled = cpu_moments(&pairs.iter().map(|&(x, t)| (4.0 * x, t / 2.0)).collect::<Vec<_>>());
        prop_assert_eq!(numbers(&scaled), [4.0 * whole.x_mean(), whole.t_mean() / 2.0, 16.0 * whole.xx, 2.0 * whole.xt, whole.tt / 4.0]);
        let shifted = cpu_moments(&pairs.iter().map(|&(x, t)| (x + c, t)).collect::<Vec<_>>());
        // Adding c rounds x itself, by up to 2⁻⁵³·(|c| + 50).
        let rounding = 2f64.powi(-52) * (c.abs() + 50.0);
        let n = pairs.len() as f64;
        prop_assert!((shifted.x_mean() - c - whole.x_mean()).abs() <= 2.0 * rounding);
        prop_assert!((shifted.xx - whole.xx).abs() <= 2.0 * rounding * (n * whole.xx).sqrt() + CPU_SUMS * whole.xx);
        prop_assert!((shifted.tt - whole.tt).abs() == 0.0);
    }
}
