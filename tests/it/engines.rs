//! Engines against mathematics and against each other: exact sums, forward
//! bit for bit, invariances, and fits that agree.

use std::ops::ControlFlow;

use linfit::array::{Array, Element, Hint, Hinted, Problem};
use linfit::engine::gpu::{AdapterChoice, Adapters, Gpu, GpuError};
use linfit::engine::{Cpu, Engine, EngineError, Notice, Reference};
use linfit::fit::GradientDescent;
use linfit::math::{Affine, Evaluation, LossSums, SumsAccumulator};
use proptest::prelude::*;

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::{CPU_SUMS, F32_MOMENTS, F32_RESULTS, F64_RESULTS};

fn pair<X: Element, T: Element>(x: Vec<X>, t: Vec<T>) -> Problem {
    let n = [x.len() as u64];
    Problem::pair(Array::from_vec("x", &n, x), Array::from_vec("t", &n, t)).unwrap()
}

/// Small whole numbers with periods that divide no window, run or vector, so
/// that an element left out, counted twice or mispaired changes the sums.
fn x_of(k: usize) -> i8 {
    (k % 7) as i8 - 3
}

fn t_of(k: usize) -> i8 {
    (k % 11) as i8 - 4
}

/// W = 2 and b = 1 keep every residual a whole number.
const WHOLE: Affine = Affine::new(2.0, 1.0);

/// The sums over `x_of`, `t_of` at [`WHOLE`], in whole numbers.
fn whole_sums(n: usize) -> LossSums {
    let (mut rr, mut rx, mut r) = (0i64, 0i64, 0i64);
    for k in 0..n {
        let x = i64::from(x_of(k));
        let residual = 2 * x + 1 - i64::from(t_of(k));
        rr += residual * residual;
        rx += residual * x;
        r += residual;
    }
    LossSums { n: n as u64, weight_sum: n as f64, rr: rr as f64, rx: rx as f64, r: r as f64 }
}

/// Residuals are at most 13 in size, so that every partial sum the engines
/// make (over at most 16,384 elements) is a whole number below 2²⁴: exact in
/// f32. Whatever the size, the engines' sums must be *equal* to whole-number
/// arithmetic.
fn check_whole_sums(sizes: &[usize]) {
    assert!(!sizes.is_empty());
    let adapter = software_adapter();
    for &n in sizes {
        let want = whole_sums(n);
        let x: Vec<f32> = (0..n).map(|k| f32::from(x_of(k))).collect();
        let t: Vec<f32> = (0..n).map(|k| f32::from(t_of(k))).collect();
        let data = pair(x, t);
        assert_eq!(Gpu::open(&adapter, &data).unwrap().loss_sums_at(WHOLE).unwrap(), want, "gpu, n = {n}");
        assert_eq!(Cpu::new(&data).loss_sums_at(WHOLE).unwrap(), want, "cpu, n = {n}");
        assert_eq!(Reference::new(&data).loss_sums_at(WHOLE).unwrap(), want, "reference, n = {n}");
    }
}

#[test]
fn sums_are_exact_at_small_sizes() {
    check_whole_sums(&[1, 2, 3, 63, 64, 65, 255, 257, 4_095, 65_535, 65_537, (1 << 20) + 1]);
}

#[test]
fn sums_are_exact_across_the_128_mib_window() {
    check_whole_sums(&[33_554_432 + 3]);
}

#[test]
fn sums_are_exact_beyond_65535_workgroups_of_vec4() {
    check_whole_sums(&[65_535 * 256 * 4 + 257]);
}

#[test]
fn every_element_type_gives_the_same_sums() {
    fn check<X: Element, T: Element>(x: impl Fn(i8) -> X, t: impl Fn(i8) -> T) {
        let n = 70_001;
        // Types without a sign need a shift: x + 3 at b − 2·3 is the same fit.
        let data = pair((0..n).map(|k| x(x_of(k) + 3)).collect(), (0..n).map(|k| t(t_of(k) + 4)).collect());
        let at = Affine::new(2.0, 1.0 - 6.0 + 4.0);
        let want = whole_sums(n);
        let want = LossSums { rx: want.rx + 3.0 * want.r, ..want };
        let name = format!("{:?}", data.x());
        assert_eq!(Cpu::new(&data).loss_sums_at(at).unwrap(), want, "cpu {name}");
        assert_eq!(Reference::new(&data).loss_sums_at(at).unwrap(), want, "reference {name}");
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        assert_eq!(gpu.loss_sums_at(at).unwrap(), want, "gpu {name}");
        assert_eq!(gpu.take_notices(), [], "whole numbers this small lose nothing");
    }
    check(|v| v as u8, |v| v);
    check(|v| v as u16, i16::from);
    check(|v| v as u32, i32::from);
    check(|v| v as u64, i64::from);
    check(|v| half::f16::from_f32(f32::from(v)), f64::from);
    check(f64::from, f32::from);
}

fn noisy(n: usize) -> Problem {
    let x: Vec<f32> = (0..n as u64).map(|k| (2.0 * noise(k)) as f32).collect();
    let t = (0..n as u64).map(|k| (3.0 * f64::from(x[k as usize]) - 0.75 + 0.1 * noise(!k)) as f32).collect();
    pair(x, t)
}

/// The error that f32 can cause: a residual is off by at most 4 roundings of the largest
/// of its terms, so a mean of products of residuals by 16·2⁻²⁴ of the mean
/// of the products of those terms; the sums themselves add less, because
/// their runs are short.
fn f32_tolerance(mean_of_products: f64) -> f64 {
    16.0 * 2f64.powi(-24) * mean_of_products
}

#[test]
fn random_data_agree_within_what_f32_costs() {
    let data = noisy((1 << 20) + 1);
    // Far from the optimum, and near it, where everything cancels.
    for at in [Affine::new(0.7, 0.3), Affine::new(1.3, -0.4), Affine::new(2.999, -0.7501)] {
        let want = Evaluation::from_sums(&Reference::new(&data).loss_sums_at(at).unwrap());
        let cpu = Evaluation::from_sums(&Cpu::new(&data).loss_sums_at(at).unwrap());
        let gpu =
            Evaluation::from_sums(&Gpu::open(&software_adapter(), &data).unwrap().loss_sums_at(at).unwrap());
        // |r| ≤ |W x| + |b| + |t| ≤ 6 + 1 + 7.
        let products = 14.0 * (want.loss.sqrt() + f32_tolerance(14.0));
        for (name, got, tolerance) in [("cpu", cpu, CPU_SUMS), ("gpu", gpu, f32_tolerance(products))] {
            let errors =
                [got.loss - want.loss, got.grad_weight - want.grad_weight, got.grad_bias - want.grad_bias];
            assert!(
                errors.iter().all(|e| e.abs() <= tolerance),
                "{name} at {at:?}: {errors:?} > {tolerance:e}"
            );
        }
    }
}

/// Central differences of the engines' own loss: exact but for rounding, as
/// the loss is a quadratic.
#[test]
fn gradients_are_the_slopes_of_the_loss_on_every_engine() {
    let data = noisy(10_007);
    let at = Affine::new(1.25, -0.5);
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    let mut cpu = Cpu::new(&data);
    let engines: [(&str, &mut dyn Engine, f64); 2] =
        [("gpu", &mut gpu, F32_MOMENTS), ("cpu", &mut cpu, 1e-10)];
    for (name, engine, tolerance) in engines {
        let mut evaluate = |weight: f64, bias: f64| {
            Evaluation::from_sums(&engine.loss_sums_at(Affine { weight, bias }).unwrap())
        };
        let h = 0.25;
        let by_weight =
            (evaluate(at.weight + h, at.bias).loss - evaluate(at.weight - h, at.bias).loss) / (2.0 * h);
        let by_bias =
            (evaluate(at.weight, at.bias + h).loss - evaluate(at.weight, at.bias - h).loss) / (2.0 * h);
        let got = evaluate(at.weight, at.bias);
        assert!((got.grad_weight - by_weight).abs() <= tolerance, "{name}: {got:?} {by_weight}");
        assert!((got.grad_bias - by_bias).abs() <= tolerance, "{name}: {got:?} {by_bias}");
    }
}

/// lavapipe rounds after the product and after the sum (it fuses neither), so
/// its Y must be the bits of f32 arithmetic in Rust.
#[test]
fn forward_is_f32_arithmetic_bit_for_bit() {
    let adapter = software_adapter();
    let (w, b) = (1.1f32, -0.3f32);
    let at = Affine::new(f64::from(w), f64::from(b));
    // Sizes that end inside a vec4, a chunk and a window.
    for n in [1, 2, 3, 5, 4_097, (1 << 22) + 7, 33_554_432 + 3] {
        let x: Vec<f32> = (0..n as u64).map(|k| noise(k) as f32).collect();
        let want: Vec<f32> = x.iter().map(|&x| w * x + b).collect();
        let x = Array::from_vec("x", &[n as u64], x);
        let resident = Problem::pair(x, Array::from_vec("t", &[n as u64], vec![0u8; n])).unwrap();
        assert!(forward(&mut Gpu::open(&adapter, &resident).unwrap(), at) == want, "resident, n = {n}");
        let x = Array::from_vec("x", &[n as u64], (0..n as u64).map(|k| noise(k) as f32).collect());
        let streamed = Problem::inputs(x).unwrap();
        assert!(forward(&mut Gpu::open(&adapter, &streamed).unwrap(), at) == want, "streamed, n = {n}");
    }
}

fn forward(engine: &mut dyn Engine, at: Affine) -> Vec<f32> {
    let mut all = Vec::new();
    engine
        .predict(at, &mut |ys| {
            all.extend_from_slice(ys);
            Ok(())
        })
        .unwrap();
    all
}

#[test]
fn cpu_forward_is_rounded_once() {
    let n = (1 << 20) + 77;
    let x: Vec<f32> = (0..n).map(|k| noise(k) as f32).collect();
    let at = Affine::new(0.1, 0.7);
    let want: Vec<f32> = x.iter().map(|&x| (f64::from(x) * 0.1 + 0.7) as f32).collect();
    let data = Problem::inputs(Array::from_vec("x", &[n], x)).unwrap();
    assert!(forward(&mut Cpu::new(&data), at) == want);
    assert!(forward(&mut Reference::new(&data), at) == want);
}

#[test]
fn the_cpu_gives_the_same_bits_on_any_number_of_threads() {
    let data = noisy(1_000_003);
    let at = Affine::new(0.7, -0.2);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Cpu::new(&data).loss_sums_at(at).unwrap())
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(on(threads), one, "{threads} threads");
    }
    assert!(one.rr > 0.0);
}

#[test]
fn fits_agree_after_1000_steps() {
    let data = noisy(50_021);
    let sgd = GradientDescent::default();
    let fit = |engine: &mut dyn Engine| sgd.fit(engine, &mut |_| ControlFlow::Continue(())).unwrap();
    let want = fit(&mut Reference::new(&data));
    let cpu = fit(&mut Cpu::new(&data));
    let gpu = fit(&mut Gpu::open(&software_adapter(), &data).unwrap());
    for (name, got, tolerance) in [("cpu", cpu, F64_RESULTS), ("gpu", gpu, F32_RESULTS)] {
        let off = (got.model.weight - want.model.weight).abs().max((got.model.bias - want.model.bias).abs());
        assert!(off <= tolerance, "{name}: {off:e}");
    }
}

#[test]
fn data_without_t_have_no_residuals() {
    let data = Problem::inputs(Array::from_vec("x", &[1], vec![1f32])).unwrap();
    let at = Affine::default();
    assert!(matches!(Cpu::new(&data).loss_sums_at(at), Err(EngineError::NoTarget)));
    assert!(matches!(Reference::new(&data).loss_sums_at(at), Err(EngineError::NoTarget)));
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    assert!(matches!(gpu.loss_sums_at(at), Err(EngineError::NoTarget)));
}

#[test]
fn the_gpu_says_what_f32_lost() {
    let data = pair(vec![0.1f64, 0.5, 0.2], vec![(1i64 << 24) + 1, 1 << 24, 3]);
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    let counts: Vec<u64> = gpu
        .take_notices()
        .iter()
        .map(|notice| match notice {
            Notice::Rounded { count, .. } => *count,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [2, 1]);
    let too_large = pair(vec![1.0, 2.0], vec![1.0, -1e39]);
    let error = Gpu::open(&software_adapter(), &too_large).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("index 1") && text.contains("-1e39"), "{text}");
    assert_eq!(error.hints(), [Hint::F64Engine]);
}

#[test]
fn an_adapter_that_is_not_there_lists_those_that_are() {
    let adapters = Adapters::enumerate();
    let name = software_adapter().name().to_owned();
    for wanted in ["no such adapter", "99"] {
        let Ok(choice) = wanted.parse::<AdapterChoice>();
        match adapters.choose(Some(&choice)) {
            Err(GpuError::NotFound { wanted: asked, available }) => {
                assert_eq!(asked, wanted);
                assert!(available.contains(&name), "{available}");
            }
            other => panic!("{other:?}"),
        }
    }
    let Ok(part) = name[..4].to_uppercase().parse::<AdapterChoice>();
    assert!(adapters.choose(Some(&part)).is_ok());
}

/// Pairs of small whole numbers, over which all sums are exact.
fn whole_pairs() -> impl Strategy<Value = Vec<(i16, i16)>> {
    prop::collection::vec((-50i16..50, -50i16..50), 1..3000)
}

fn cpu_sums(pairs: &[(i16, i16)], at: Affine) -> LossSums {
    let (x, t) = pairs.iter().copied().unzip();
    Cpu::new(&pair::<i16, i16>(x, t)).loss_sums_at(at).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_does_not_matter(pairs in whole_pairs(), rotate in 0usize..3000) {
        let mut other = pairs.clone();
        other.rotate_left(rotate % pairs.len());
        other.reverse();
        prop_assert_eq!(cpu_sums(&pairs, WHOLE), cpu_sums(&other, WHOLE));
    }

    #[test]
    fn parts_combine_to_the_whole(pairs in whole_pairs(), at in 0usize..3000) {
        prop_assume!(pairs.len() > 1);
        let (head, tail) = pairs.split_at(1 + at % (pairs.len() - 1));
        prop_assert_eq!([cpu_sums(head, WHOLE), cpu_sums(tail, WHOLE)].into_iter().collect::<SumsAccumulator>().total(), cpu_sums(&pairs, WHOLE));
    }

    /// x + c at b − W·c leaves every residual as it is; Σ r·x grows by c·Σ r.
    #[test]
    fn a_shift_of_x_is_a_shift_of_b(pairs in whole_pairs(), c in -20i16..20) {
        let shifted: Vec<_> = pairs.iter().map(|&(x, t)| (x + c, t)).collect();
        let before = cpu_sums(&pairs, WHOLE);
        let after = cpu_sums(&shifted, Affine::new(2.0, 1.0 - 2.0 * f64::from(c)));
        prop_assert_eq!((after.rr, after.r), (before.rr, before.r));
        prop_assert_eq!(after.rx, before.rx + f64::from(c) * before.r);
    }

    /// 4·x at W/4 leaves every residual as it is; Σ r·x grows fourfold.
    #[test]
    fn a_scale_of_x_is_a_scale_of_w(pairs in whole_pairs()) {
        let scaled: Vec<_> = pairs.iter().map(|&(x, t)| (4 * x, t)).collect();
        let before = cpu_sums(&pairs, WHOLE);
        let after = cpu_sums(&scaled, Affine::new(0.5, 1.0));
        prop_assert_eq!((after.rr, after.rx, after.r), (before.rr, 4.0 * before.rx, before.r));
    }
}

proptest! {
    // Each case opens a device.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_gpu_is_exact_on_whole_numbers(pairs in whole_pairs()) {
        let (x, t) = pairs.iter().copied().unzip();
        let data = pair::<i16, i16>(x, t);
        let got = Gpu::open(&software_adapter(), &data).unwrap().loss_sums_at(WHOLE).unwrap();
        prop_assert_eq!(got, cpu_sums(&pairs, WHOLE));
    }
}
