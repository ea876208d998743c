//! Missing values: whatever is in their places, every engine finds
//! what it would find without them.

use linfit::array::{Array, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision, Tuning};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::math::{Affine, LossSums, Moments};

use crate::common::adapter::software_adapter;
use crate::common::tolerances::{COMPENSATED_MOMENTS, CPU_SUMS, F32_MOMENTS, FEW_ROUNDINGS};

/// W = 2 and b = 1 keep every residual a whole number.
const WHOLE: Affine = Affine::new(2.0, 1.0);

fn x_of(k: usize) -> f32 {
    ((k % 7) as i8 - 3).into()
}

fn t_of(k: usize) -> f32 {
    ((k % 11) as i8 - 4).into()
}

/// Small whole numbers, and `marker` in X or in T wherever `is_missing` says so.
fn pair(n: usize, marker: f32, is_missing: &dyn Fn(usize) -> bool) -> (Vec<f32>, Vec<f32>) {
    let value =
        |k: usize, side: usize, value: f32| if is_missing(k) && k % 3 != side { marker } else { value };
    ((0..n).map(|k| value(k, 0, x_of(k))).collect(), (0..n).map(|k| value(k, 1, t_of(k))).collect())
}

fn dataset(x: Vec<f32>, t: Vec<f32>, rules: ValidityRules) -> Problem {
    let matrix = |label, values: Vec<f32>| Array::from_vec(label, &[values.len() as u64], values);
    Problem::builder(matrix("x", x)).target(matrix("t", t)).rules(rules).build().unwrap()
}

fn nodata(value: f64) -> ValidityRules {
    ValidityRules { x_nodata: Some(value), t_nodata: Some(value), ..ValidityRules::default() }
}

/// Without the missing values: the same numbers, closed up.
fn compacted(n: usize, is_missing: &dyn Fn(usize) -> bool) -> Problem {
    let kept = || (0..n).filter(|&k| !is_missing(k));
    dataset(kept().map(x_of).collect(), kept().map(t_of).collect(), ValidityRules::default())
}

fn passes(engine: &mut dyn Engine) -> (LossSums, Moments) {
    (engine.loss_sums_at(WHOLE).unwrap(), engine.all_moments().unwrap())
}

#[track_caller]
fn assert_near(got: &Moments, want: &Moments, tolerance: f64, case: &str) {
    assert_eq!(got.n, want.n, "{case}");
    for (got, want, scale) in [
        (got.x_mean(), want.x_mean(), 3.0),
        (got.t_mean(), want.t_mean(), 6.0),
        (got.xx, want.xx, want.xx),
        (got.xt, want.xt, (want.xx * want.tt).sqrt()),
        (got.tt, want.tt, want.tt),
    ] {
        assert!((got - want).abs() <= tolerance * scale.max(1.0), "{case}: {got} for {want}");
    }
}

/// Elements, a name, and which of them are missing.
type Pattern = (usize, &'static str, Box<dyn Fn(usize) -> bool>);

/// Missing values at both ends, in tails of 1 to 3, at the edges of words, blocks,
/// chunks and windows, whole blocks of them, and nearly nothing but them.
fn patterns() -> Vec<Pattern> {
    let few = |k: usize| k.is_multiple_of(13);
    vec![
        (2, "the first", Box::new(|k| k == 0)),
        (5, "the last", Box::new(|k| k == 4)),
        (7, "a tail", Box::new(|k| k > 3)),
        (33, "edges of words", Box::new(|k| k == 31 || k == 32)),
        (4_099, "some", Box::new(few)),
        (4_099, "all but two", Box::new(|k| k != 17 && k != 4_098)),
        (3_000, "a block", Box::new(|k| (1_024..2_048).contains(&k))),
        (200_003, "many", Box::new(|k| k % 7 != 3)),
        (
            (1 << 20) + 70_000,
            "past a window",
            Box::new(move |k| few(k) || k >> 10 == 1_024 || k == (1 << 20) - 1),
        ),
    ]
}

#[test]
fn engines_find_what_they_would_without_missing_values() {
    for (n, name, is_missing) in patterns() {
        let expected = compacted(n, &is_missing);
        let want = passes(&mut Reference::new(&expected));
        for value in [f32::NAN, -9_999.0, f32::INFINITY, 1e30] {
            let (x, t) = pair(n, value, &is_missing);
            let data = dataset(x, t, nodata(value.into()));
            let case = format!("{name}, {n} elements, {value}");
            let missing = (0..n).filter(|&k| is_missing(k)).count() as u64;
            assert_eq!(data.validity().unwrap().excluded().total(), missing, "{case}");
            let reference = passes(&mut Reference::new(&data));
            assert_eq!(reference.0, want.0, "{case}");
            assert_near(&reference.1, &want.1, FEW_ROUNDINGS, &case);
            let cpu = passes(&mut Cpu::new(&data));
            assert_eq!(cpu.0, want.0, "cpu, {case}");
            assert_near(&cpu.1, &want.1, CPU_SUMS, &case);
        }
    }
}

#[test]
fn gpus_find_what_they_would_without_missing_values() {
    let adapter = software_adapter();
    for (n, name, is_missing) in patterns() {
        let want = passes(&mut Reference::new(&compacted(n, &is_missing)));
        for value in [f32::NAN, 1e30] {
            let (x, t) = pair(n, value, &is_missing);
            let data = dataset(x, t, nodata(value.into()));
            for (precision, tolerance) in [
                (Precision::Fast, F32_MOMENTS),
                (Precision::Compensated, COMPENSATED_MOMENTS),
                (Precision::F64, CPU_SUMS),
            ] {
                for memory_bytes in [u64::MAX, 0] {
                    let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
                    let mut gpu = Gpu::open_with(&adapter, &data, &settings).unwrap();
                    let case = format!("{name}, {n} elements, {value}, {precision}, {memory_bytes}");
                    let got = passes(&mut gpu);
                    assert_eq!(got.0, want.0, "{case}");
                    assert_near(&got.1, &want.1, tolerance, &case);
                    let here = memory_bytes > 0 && precision == Precision::Fast;
                    assert_eq!(gpu.stepper().is_some(), here, "{case}");
                }
            }
        }
    }
}

/// The order of a GPU, four loads at a time and sums by workgroup, on a device
/// that isn't one.
#[test]
fn missing_values_are_found_in_whatever_order_elements_are_read() {
    let adapter = software_adapter();
    let usual = Tuning::default_for(&adapter);
    let is_missing = |k: usize| k.is_multiple_of(5) || (2_000..2_100).contains(&k);
    let n = 70_003;
    let (x, t) = pair(n, f32::NAN, &is_missing);
    let data = dataset(x, t, nodata(f64::NAN));
    let want = Reference::new(&compacted(n, &is_missing)).loss_sums_at(WHOLE).unwrap();
    for (contiguous, loads) in [(false, 4), (false, 1), (true, 4)] {
        let settings = GpuSettings::tuned(Tuning { contiguous, loads, ..usual });
        let got = Gpu::open_with(&adapter, &data, &settings).unwrap().loss_sums_at(WHOLE).unwrap();
        assert_eq!(got, want, "{contiguous} {loads}");
    }
}

/// A nodata value beyond f32 is no reason to refuse the valid elements, and does not
/// count as rounded.
#[test]
fn missing_values_are_not_brought_to_f32() {
    let n = 70_001;
    let values = |of: fn(usize) -> f32| -> Vec<f64> {
        (0..n).map(|k| if k % 4 == 1 { -1.797e308 } else { of(k).into() }).collect()
    };
    let matrix = |label, values: Vec<f64>| Array::from_vec(label, &[n as u64], values);
    let data = Problem::builder(matrix("x", values(x_of)))
        .target(matrix("t", values(t_of)))
        .rules(nodata(-1.797e308))
        .build()
        .unwrap();
    let want = Reference::new(&compacted(n, &|k| k % 4 == 1)).loss_sums_at(WHOLE).unwrap();
    for memory_bytes in [u64::MAX, 0] {
        let settings = GpuSettings { memory_bytes, ..GpuSettings::default() };
        let mut gpu = Gpu::open_with(&software_adapter(), &data, &settings).unwrap();
        assert_eq!(gpu.loss_sums_at(WHOLE).unwrap(), want);
        assert_eq!(gpu.take_notices(), []);
    }
}

#[test]
fn the_bits_do_not_depend_on_threads() {
    let n = 300_007;
    let is_missing = |k: usize| k * k % 11 == 3;
    let (mut x, t) = pair(n, f32::NAN, &is_missing);
    x.iter_mut().for_each(|x| *x *= 0.1);
    let data = dataset(x, t, nodata(f64::NAN));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut cpu = Cpu::new(&data);
            (cpu.loss_sums_at(Affine::new(0.3, 0.7)).unwrap(), cpu.all_moments().unwrap())
        })
    };
    let one = with(1);
    for threads in [2, 3, 7] {
        assert_eq!(with(threads), one, "{threads} threads");
    }
}
