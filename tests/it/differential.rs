//! Random fits against exact whole numbers, on every engine: a short run of
//! what tests/differential.py does at length. Elements are whole numbers v,
//! stored as a·v + c in types that hold these exactly, which leaves R² and t as
//! they are and multiplies W and the residuals.

use std::ops::ControlFlow;

use linfit::array::{Array, Element, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::fit::{Coordinates, Exact, GradientDescent, Statistics};

use crate::common::adapter::software_adapter;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> i64 {
        (self.next() % bound) as i64
    }
}

/// Whole numbers from 0 to 200 in some type, and what they were multiplied with.
fn stored(random: &mut Random, label: &str, values: &[i64]) -> (Array, f64) {
    fn column<E: Element>(label: &str, values: &[i64], element: impl Fn(i64) -> E) -> Array {
        Array::from_vec(label, &[values.len() as u64], values.iter().map(|&v| element(v)).collect())
    }
    let power = |exponent: i64| 2f64.powi(exponent as i32);
    match random.below(9) {
        0 => (column(label, values, |v| v as u8), 1.0),
        1 => (column(label, values, |v| (100 * v - 9_000) as i16), 100.0),
        2 => (column(label, values, |v| (9_999_991 * v - 1_000_000_000) as i32), 9_999_991.0),
        3 => (column(label, values, |v| (1 << 60) + v), 1.0),
        4 => (column(label, values, |v| u64::MAX - 3 * v as u64), -3.0),
        5 => (column(label, values, |v| half::f16::from_f64(v as f64 / 4.0)), 0.25),
        6 => {
            let scale = power(random.below(60) - 30);
            (column(label, values, |v| ((v + (1 << 14)) as f64 * scale) as f32), scale)
        }
        7 => {
            let scale = power(random.below(80) - 40);
            (column(label, values, |v| (v + (1 << 40)) as f64 * scale), scale)
        }
        _ => {
            let scale = power(random.below(1_000) - 500);
            (column(label, values, |v| (v - 77) as f64 * scale), scale)
        }
    }
}

/// W, Σr² and Mxx and Mtt of whole numbers with whole weights, each rounded
/// once or twice.
struct Known {
    n: u64,
    weight: f64,
    rr: f64,
    xx: f64,
    tt: f64,
}

impl Known {
    fn of(pairs: &[(i64, i64, i64)]) -> Option<Self> {
        let sum = |term: &dyn Fn(i128, i128) -> i128| -> i128 {
            pairs.iter().map(|&(x, t, w)| i128::from(w) * term(x.into(), t.into())).sum()
        };
        let (s, x, t) = (sum(&|_, _| 1), sum(&|x, _| x), sum(&|_, t| t));
        let xx = s * sum(&|x, _| x * x) - x * x;
        let xt = s * sum(&|x, t| x * t) - x * t;
        let tt = s * sum(&|_, t| t * t) - t * t;
        let n = pairs.iter().filter(|pair| pair.2 > 0).count() as u64;
        (n > 2 && xx > 0 && tt > 0).then(|| Self {
            n,
            weight: xt as f64 / xx as f64,
            rr: (xx * tt - xt * xt) as f64 / (xx as f64 * s as f64),
            xx: xx as f64 / s as f64,
            tt: tt as f64 / s as f64,
        })
    }
}

/// Fits, and compares every number with those known: W to `line`, the
/// residuals to `left`.
fn check(engine: &mut dyn Engine, known: &Known, a: [f64; 2], (line, left): (f64, f64), case: &str) {
    let moments = engine.all_moments().unwrap();
    let mut ignore = |_: &_| ControlFlow::Continue(());
    let exact = Exact.fit(engine, &moments, &mut ignore).unwrap();
    let statistics = Statistics::measure(engine, &moments, None).unwrap();
    let Known { n, weight, rr, xx, tt } = *known;
    // |W| is √(Mtt/Mxx) at most.
    let size = (tt / xx).sqrt();
    let near = |name: &str, got: Option<f64>, want: f64, limit: f64| {
        let got = got.unwrap();
        assert!((got - want).abs() <= limit, "{case}: {name} is {got:e} for {want:e}");
    };
    let unit = a[1] / a[0];
    near("W", Some(exact.model.weight / unit), weight, line * size);
    let std = (rr / (n as f64 - 2.0)).sqrt();
    near("residual_std", statistics.residual_std.map(|got| got / a[1].abs()), std, left * std);
    near(
        "stderr_weight",
        statistics.stderr_weight.map(|got| got / unit.abs()),
        std / xx.sqrt(),
        left * std / xx.sqrt(),
    );
    near("R²", statistics.r2, 1.0 - rr / tt, left * rr / tt + f64::EPSILON);
    if rr > 0.0 {
        let t = (weight / std * xx.sqrt()).copysign(weight * unit);
        near("t", statistics.t_weight, t, 2.0 * left * size / std * xx.sqrt());
    }
    if engine.info().kind != linfit::engine::EngineKind::Gpu {
        let coordinates = Coordinates::standardized(&moments).unwrap();
        let sgd = GradientDescent { coordinates, learning_rate: 0.5, steps: 1, ..GradientDescent::default() };
        for fit in [sgd.fit(engine, &mut ignore).unwrap(), sgd.replay(engine, &moments, &mut ignore).unwrap()]
        {
            near("W after a step", Some(fit.model.weight / unit), weight, line * size);
        }
    }
}

#[test]
fn random_fits_are_those_of_exact_arithmetic() {
    const CASES: u64 = 1_500;
    let mut random = Random(8);
    let mut checked = [0; 3];
    for number in 0..CASES {
        let n = if number % 100 == 0 { 3_000 } else { 3 + random.below(60) as usize };
        // From no relation at all to a line through all points.
        let noise = [200, 50, 5, 1, 0][random.below(5) as usize];
        let x: Vec<i64> = (0..n).map(|_| random.below(100)).collect();
        let t: Vec<i64> = x.iter().map(|x| (x + random.below(noise + 1) / 2).min(200)).collect();
        let is_weighted = random.below(2) == 0;
        let w: Vec<i64> = (0..n).map(|_| if is_weighted { random.below(10) } else { 1 }).collect();
        let masked: Vec<u8> = (0..n).map(|_| u8::from(random.below(8) > 0 || number % 3 > 0)).collect();
        let counted = |k: usize| if masked[k] == 1 { w[k] } else { 0 };
        let pairs: Vec<(i64, i64, i64)> = (0..n).map(|k| (x[k], t[k], counted(k))).collect();
        let Some(known) = Known::of(&pairs) else { continue };
        let ((x, a), (t, b)) = (stored(&mut random, "x", &x), stored(&mut random, "t", &t));
        let column = |values: Vec<u8>| Array::from_vec("m", &[n as u64], values).into();
        let rules = ValidityRules {
            weights: is_weighted.then(|| column(w.iter().map(|&w| w as u8).collect())),
            mask: (number % 3 == 0).then(|| column(masked)),
            ..ValidityRules::default()
        };
        let case = format!("case {number}, {x:?} {t:?} {is_weighted} {noise}");
        let data = Problem::builder(x).target(t).rules(rules).build().unwrap();
        let f64s = (1e-12, 1e-9);
        check(&mut Cpu::new(&data), &known, [a, b], f64s, &format!("cpu, {case}"));
        check(&mut Reference::new(&data), &known, [a, b], f64s, &format!("reference, {case}"));
        checked[0] += 1;
        // Opening a device takes a while.
        if number % 50 > 0 {
            continue;
        }
        for (precision, claims) in [
            (Precision::Fast, (1e-5, 1e-4)),
            (Precision::Compensated, (1e-5, 1e-4)),
            (Precision::F64, (1e-5, 1e-4)),
        ] {
            let settings = GpuSettings { precision, ..GpuSettings::default() };
            let is_beyond = a.abs().max(b.abs()) > 1e14 || a.abs().min(b.abs()) < 1e-15;
            match Gpu::open_with(&software_adapter(), &data, &settings) {
                Ok(mut gpu) if !is_beyond => {
                    check(&mut gpu, &known, [a, b], claims, &format!("{precision}, {case}"));
                    checked[1] += 1;
                }
                Ok(mut gpu) => checked[2] += usize::from(gpu.all_moments().is_err()),
                Err(error) => {
                    assert!(is_beyond, "{case}: {error}");
                    checked[2] += 1;
                }
            }
        }
    }
    assert!(checked[0] > 1_300 && checked[1] > 30 && checked[2] > 5, "{checked:?}");
}
