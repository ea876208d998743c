//! Robust fits, held against statsmodels, and against data with many outliers.

use std::ops::ControlFlow;

use linfit::array::{Array, Groups, Problem, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, PartialsError, Reference, Reweighting};
use linfit::fit::{Robust, RobustFit};
use linfit::math::{Affine, LineKind, Loss, LossSums, RobustWeight, SizeRange};
use serde_json::Value;

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::{
    COMPENSATED_MOMENTS, COMPENSATED_SUMS, DEVICE_F64_SUMS, F64_RESULTS, F64_SUMS, MERGED_SUMS,
};

/// What the rounds of both programs leave.
const ROUNDS: f64 = 1e-7;

fn problem(x: &[f64], t: &[f64]) -> Problem {
    let column = |label, values: &[f64]| Array::from_vec(label, &[values.len() as u64], values.to_vec());
    Problem::pair(column("x", x), column("t", t)).unwrap()
}

fn engines(data: &Problem) -> [Box<dyn Engine>; 2] {
    [Box::new(Reference::new(data)), Box::new(Cpu::new(data))]
}

fn gpu(data: &Problem, precision: Precision, memory_bytes: u64) -> Gpu {
    let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
    Gpu::open_with(&software_adapter(), data, &settings).unwrap()
}

fn fitted(engine: &mut dyn Engine, weight: RobustWeight, line: LineKind) -> RobustFit {
    let moments = engine.all_moments().unwrap();
    Robust { weight, line }.fit(engine, &moments, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn robust_lines_are_those_of_statsmodels() {
    let cases: Value = serde_json::from_str(include_str!("../foreign/data/fits/robust.json")).unwrap();
    let mut compared = 0;
    for case in cases.as_array().unwrap() {
        let data = problem(&numbers(&case["x"]), &numbers(&case["t"]));
        for (method, want) in case.as_object().unwrap() {
            let Ok(weight) = method.parse::<RobustWeight>() else { continue };
            let gpus = [Precision::Fast, Precision::F64].map(|precision| {
                let gpu = gpu(&data, precision, u64::MAX);
                Box::new(gpu) as Box<dyn Engine>
            });
            for mut engine in engines(&data).into_iter().chain(gpus) {
                let got = fitted(engine.as_mut(), weight, LineKind::LeastSquares);
                let model = got.fit.model;
                for (got, name) in [(model.weight, "weight"), (model.bias, "bias"), (got.scale, "scale")] {
                    let want = want[name].as_f64().unwrap();
                    assert!((got / want - 1.0).abs() <= ROUNDS, "{method} {name}: {got} for {want}");
                }
                for (got, name) in got.stderrs.into_iter().zip(["stderr_weight", "stderr_bias"]) {
                    let want = want[name].as_f64().unwrap();
                    assert!(
                        (got.unwrap() / want - 1.0).abs() <= ROUNDS,
                        "{method} {name}: {got:?} for {want}"
                    );
                }
                assert!(got.settled && got.rounds > 1, "{method}: {got:?}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 3 * 4 * 4);
}

/// A line of one parameter has the standard error of that; clipping and sample weights
/// have none.
#[test]
fn standard_errors_of_one_parameter_are_those_of_statsmodels() {
    let cases: Value = serde_json::from_str(include_str!("../foreign/data/fits/robust.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let (x, t) = (numbers(&case["x"]), numbers(&case["t"]));
        let data = problem(&x, &t);
        for (line, name, of) in [
            (LineKind::ThroughOrigin { bias: 0.0 }, "through", 0),
            (LineKind::Offset { weight: 0.0 }, "offset", 1),
        ] {
            let want = &case["one huber"][name];
            let got = fitted(&mut Cpu::new(&data), RobustWeight::HUBER, line);
            let parameters = [("weight", got.fit.model.weight), ("bias", got.fit.model.bias)];
            let (parameter, got_parameter) = parameters[of];
            let want_parameter = want[parameter].as_f64().unwrap();
            assert!((got_parameter / want_parameter - 1.0).abs() <= ROUNDS, "{name}: {got:?} {want}");
            let want_error = want[format!("stderr_{parameter}")].as_f64().unwrap();
            let error = got.stderrs[of].unwrap();
            assert!((error / want_error - 1.0).abs() <= ROUNDS, "{name}: {error} for {want_error}");
            assert_eq!(got.stderrs[1 - of], None);
        }
        let clipped = fitted(&mut Cpu::new(&data), RobustWeight::CLIP, LineKind::LeastSquares);
        assert_eq!(clipped.stderrs, [None; 2]);
        let ones = Array::from_vec("w", &[x.len() as u64], vec![1.0; x.len()]);
        let rules = ValidityRules { weights: Some(ones.into()), ..ValidityRules::default() };
        let column = |label, values: &[f64]| Array::from_vec(label, &[values.len() as u64], values.to_vec());
        let weighted =
            Problem::builder(column("x", &x)).target(column("t", &t)).rules(rules).build().unwrap();
        let weighted = fitted(&mut Cpu::new(&weighted), RobustWeight::HUBER, LineKind::LeastSquares);
        assert_eq!(weighted.stderrs, [None; 2]);
    }
}

/// n pairs about 2.5·x − 4 with a standard deviation of about 0.6, and outliers in
/// some of each ten, above, below or far off in X too.
fn contaminated(n: u32, of_ten: u32, outlier: impl Fn(f64, f64) -> (f64, f64)) -> (Vec<f64>, Vec<f64>) {
    let pairs = (0..n).map(|k| {
        let x = f64::from(k * 37 % 1009) / 100.0;
        let t = 2.5 * x - 4.0 + noise(k.into());
        if k % 10 < of_ten { outlier(x, t) } else { (x, t) }
    });
    pairs.unzip()
}

/// 30 % outliers of any kind, on one side or near one another: Tukey's weights and
/// clipping give what the clean pairs give to their own uncertainty; Huber's, which
/// weigh every sign, are moved by some times the noise, where X has none.
#[test]
fn thirty_percent_of_outliers_do_not_ruin_it() {
    type Outlier = fn(f64, f64) -> (f64, f64);
    let kinds: [(&str, Outlier, bool); 5] = [
        ("above", |x, t| (x, t + 1e6), true),
        ("near, above", |x, t| (x, t + 30.0), true),
        ("both sides", |x, t| (x, if x > 5.0 { 1e9 * t } else { -1e9 }), true),
        ("far in X", |x, t| (x + 1e3, t), false),
        ("another line", |x, _| (x + 20.0, -50.0 - 7.0 * x), false),
    ];
    for (name, outlier, suits_huber) in kinds {
        let (x, t) = contaminated(3000, 3, outlier);
        let clean: Vec<_> = (0..x.len()).filter(|k| k % 10 >= 3).map(|k| (x[k], t[k])).collect();
        let (clean_x, clean_t): (Vec<f64>, Vec<f64>) = clean.into_iter().unzip();
        let truth = Cpu::new(&problem(&clean_x, &clean_t)).all_moments().unwrap().least_squares().unwrap();
        let data = problem(&x, &t);
        let least = Cpu::new(&data).all_moments().unwrap().least_squares().unwrap();
        let off = |model: Affine| {
            [0.0, 10.0].map(|x| (model.apply(x) - truth.apply(x)).abs()).into_iter().fold(0.0, f64::max)
        };
        assert!(off(least) > 4.0, "{name}: these are no outliers");
        for (weight, most) in
            [(RobustWeight::TUKEY, 0.1), (RobustWeight::CLIP, 0.15), (RobustWeight::HUBER, 4.0)]
        {
            if weight == RobustWeight::HUBER && !suits_huber {
                continue;
            }
            let got = fitted(&mut Cpu::new(&data), weight, LineKind::LeastSquares);
            assert!(off(got.fit.model) < most && got.settled, "{name}, {weight}: {got:?}");
            if weight != RobustWeight::HUBER {
                assert!((900..950).contains(&got.rejected), "{name}, {weight}: {}", got.rejected);
            }
        }
    }
}

/// X·a + p and T·c + q have the line W·c/a, b·c + q − W·c/a·p and the scale c·s.
#[test]
fn robust_lines_scale_and_move_with_the_data() {
    let (x, t) = contaminated(500, 1, |x, t| (x, t - 50.0));
    let (a, p, c, q) = (0.25, 128.0, 64.0, -1000.0);
    let moved = problem(
        &x.iter().map(|x| a * x + p).collect::<Vec<_>>(),
        &t.iter().map(|t| c * t + q).collect::<Vec<_>>(),
    );
    let data = problem(&x, &t);
    for weight in [RobustWeight::HUBER, RobustWeight::TUKEY, RobustWeight::CLIP] {
        let plain = fitted(&mut Cpu::new(&data), weight, LineKind::LeastSquares);
        let got = fitted(&mut Cpu::new(&moved), weight, LineKind::LeastSquares);
        let slope = plain.fit.model.weight * c / a;
        let want = Affine::new(slope, plain.fit.model.bias * c + q - slope * p);
        // The rounds of both end within 1e-10 of the same line, or some times that.
        for (got, want) in [
            (got.fit.model.weight, want.weight),
            (got.fit.model.bias, want.bias),
            (got.scale, plain.scale * c),
        ] {
            assert!((got / want - 1.0).abs() < 1e-8, "{weight}: {got} for {want}");
        }
        assert_eq!(got.rejected, plain.rejected, "{weight}");
    }
}

/// A pair that counts three times is three pairs, in the median too; weights that are
/// all 1e20 are none; and a missing pair is not there.
#[test]
fn a_weight_is_a_number_of_pairs() {
    let (x, t) = contaminated(301, 2, |x, t| (x, t + 9.0));
    let count = |k: usize| 1 + k % 3;
    let repeat = |values: &[f64]| -> Vec<f64> {
        values.iter().enumerate().flat_map(|(k, value)| vec![*value; count(k)]).collect()
    };
    let repeated = problem(&repeat(&x), &repeat(&t));
    let column = |label, values: Vec<f64>| Array::from_vec(label, &[values.len() as u64], values);
    let weighted = |factor: f64| {
        let weights: Vec<f64> = (0..x.len()).map(|k| factor * count(k) as f64).collect();
        let mask = column("mask", (0..=x.len()).map(|k| f64::from(u8::from(k < x.len()))).collect());
        let more = |values: &[f64], last: f64| values.iter().copied().chain([last]).collect::<Vec<_>>();
        let rules = ValidityRules {
            weights: Some(column("w", more(&weights, 5.0)).into()),
            mask: Some(mask.into()),
            ..ValidityRules::default()
        };
        Problem::builder(column("x", more(&x, 1e7))).target(column("t", more(&t, 0.0))).rules(rules).build()
    };
    for weight in [RobustWeight::HUBER, RobustWeight::TUKEY, RobustWeight::CLIP] {
        let want = fitted(&mut Cpu::new(&repeated), weight, LineKind::LeastSquares);
        for factor in [1.0, 1e20] {
            for mut engine in engines(&weighted(factor).unwrap()) {
                let got = fitted(engine.as_mut(), weight, LineKind::LeastSquares);
                let (model, want_model) = (got.fit.model, want.fit.model);
                for (got, want) in [
                    (model.weight, want_model.weight),
                    (model.bias, want_model.bias),
                    (got.scale, want.scale),
                ] {
                    assert!((got / want - 1.0).abs() < 1e-9, "{weight}, {factor:e}: {got} for {want}");
                }
            }
        }
    }
}

/// A pass of many chunks: counts are exact, and moments those of the pairs with the
/// weights that the definition gives, on both engines; of all threads the same bits.
#[test]
fn passes_over_many_chunks_are_the_definition() {
    let (x, t) = contaminated(300_000, 2, |x, t| (x, t + 40.0));
    let data = problem(&x, &t);
    let (model, scale) = (Affine::new(2.4, -3.0), 0.8);
    let residuals: Vec<f64> =
        x.iter().zip(&t).map(|(x, t)| x.mul_add(model.weight, model.bias) - t).collect();
    let range = SizeRange { first: 0.25f64.to_bits(), shift: 44 };
    let mut below = 0;
    residuals.iter().for_each(|r| below += u64::from(r.abs() < 0.25));
    let [mut reference, mut cpu] = engines(&data);
    let counts = cpu.residual_sizes(&[(model, range)]).unwrap();
    assert_eq!((counts.len(), counts[0].below), (1, below));
    let all = counts[0].below + counts[0].buckets.iter().sum::<u64>() + counts[0].beyond;
    assert_eq!(all, 300_000);
    for weight in [RobustWeight::HUBER, RobustWeight::TUKEY, RobustWeight::CLIP] {
        let by = [Reweighting { model, scale, weight }];
        let want = reference.reweighted_moments(&by).unwrap()[0];
        let got = cpu.reweighted_moments(&by).unwrap()[0];
        let sum: f64 = residuals.iter().map(|r| weight.of(r.abs() / scale)).sum();
        assert!((got.weight_sum / sum - 1.0).abs() < F64_RESULTS, "{weight}");
        let some = residuals.iter().filter(|r| weight.of(r.abs() / scale) > 0.0).count() as u64;
        assert_eq!((got.n, want.n), (some, some), "{weight}");
        for (got, want) in
            [(got.xx, want.xx), (got.xt, want.xt), (got.tt, want.tt), (got.x_mean(), want.x_mean())]
        {
            assert!((got / want - 1.0).abs() < 10.0 * MERGED_SUMS, "{weight}: {got} for {want}");
        }
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let again = alone.install(|| Cpu::new(&data).reweighted_moments(&by).unwrap()[0]);
        assert_eq!(again, got, "{weight}");
    }
}

/// More than half of the pairs lie on a line: it is found, whatever the scale of
/// their residuals, which is that of rounding.
#[test]
fn a_line_through_most_pairs_is_found() {
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let t: Vec<f64> = x.iter().map(|x| if x % 3.0 == 0.0 { x * x } else { 0.1 * x - 0.7 }).collect();
    let data = problem(&x, &t);
    for weight in [RobustWeight::TUKEY, RobustWeight::CLIP] {
        let got = fitted(&mut Cpu::new(&data), weight, LineKind::LeastSquares);
        let off = (got.fit.model.weight - 0.1).abs().max((got.fit.model.bias + 0.7).abs());
        assert!(off < F64_RESULTS && got.settled && got.rejected == 34, "{weight}: {got:?}");
    }
    let zeros = problem(&[0.0, 1.0, 2.0], &[0.0; 3]);
    let got = fitted(&mut Cpu::new(&zeros), RobustWeight::HUBER, LineKind::LeastSquares);
    assert_eq!(got.fit.model, Affine::default());
}

/// A fixed b or W stays; the other is that of the clean pairs.
#[test]
fn robust_lines_through_a_point_and_of_a_fixed_slope() {
    let (x, t) = contaminated(1000, 3, |x, t| (x, t + 1e5));
    let data = problem(&x, &t);
    let through = fitted(&mut Cpu::new(&data), RobustWeight::TUKEY, LineKind::ThroughOrigin { bias: -4.0 });
    assert!(through.fit.model.bias == -4.0 && (through.fit.model.weight - 2.5).abs() < 0.02, "{through:?}");
    let offset = fitted(&mut Cpu::new(&data), RobustWeight::TUKEY, LineKind::Offset { weight: 2.5 });
    assert!(offset.fit.model.weight == 2.5 && (offset.fit.model.bias + 4.0).abs() < 0.1, "{offset:?}");
}

#[test]
fn clipping_ends_with_what_it_removes() {
    let (x, t) = contaminated(1000, 1, |x, t| (x, t + 25.0));
    let data = problem(&x, &t);
    let got = fitted(&mut Cpu::new(&data), RobustWeight::CLIP, LineKind::LeastSquares);
    let model = got.fit.model;
    let is_near = |k: usize| (model.apply(x[k]) - t[k]).abs() <= 3.0 * got.scale;
    let (near_x, near_t): (Vec<f64>, Vec<f64>) =
        (0..x.len()).filter(|&k| is_near(k)).map(|k| (x[k], t[k])).unzip();
    assert_eq!(got.rejected, (x.len() - near_x.len()) as u64);
    let want = Cpu::new(&problem(&near_x, &near_t)).all_moments().unwrap().least_squares().unwrap();
    assert!((model.weight / want.weight - 1.0).abs() < F64_RESULTS, "{model:?} {want:?}");
}

/// The sums of Huber's loss over many chunks, with weights and missing values, are
/// those of the definition; parts of different losses do not merge.
#[test]
fn huber_sums_are_the_definition() {
    let (x, t) = contaminated(200_000, 2, |x, t| (x, t + 40.0));
    let n = x.len();
    let column = |label, values: Vec<f64>| Array::from_vec(label, &[values.len() as u64], values);
    let weights: Vec<f64> = (0..n).map(|k| 0.5 + (k % 7) as f64).collect();
    let is_valid = |k: usize| k % 11 != 3;
    let rules = ValidityRules {
        weights: Some(column("w", weights.clone()).into()),
        mask: Some(column("mask", (0..n).map(|k| f64::from(u8::from(is_valid(k)))).collect()).into()),
        ..ValidityRules::default()
    };
    let (at, loss) = (Affine::new(2.4, -3.5), Loss::Huber { delta: 0.75 });
    let mut want = LossSums::default();
    for k in (0..n).filter(|&k| is_valid(k)) {
        let [rho, half_slope] = loss.of(x[k].mul_add(at.weight, at.bias) - t[k]);
        want.n += 1;
        want.weight_sum += weights[k];
        want.rr += weights[k] * rho;
        want.rx += weights[k] * half_slope * x[k];
        want.r += weights[k] * half_slope;
    }
    let data = Problem::builder(column("x", x)).target(column("t", t)).rules(rules).build().unwrap();
    for mut engine in engines(&data) {
        let got = engine.sums_of_loss(at, loss).unwrap();
        assert_eq!(got.n, want.n);
        for (got, want) in
            [(got.rr, want.rr), (got.rx, want.rx), (got.r, want.r), (got.weight_sum, want.weight_sum)]
        {
            assert!((got / want - 1.0).abs() < F64_SUMS, "{got} for {want}");
        }
        let huber = engine.loss_sums(&[at], loss, 0..2).unwrap();
        let rest = engine.loss_sums(&[at], loss, 2..4).unwrap();
        assert_eq!(huber.clone().merge(rest).unwrap().total().unwrap(), got);
        let squared = engine.loss_sums(&[at], Loss::Squared, 2..4).unwrap();
        assert!(matches!(huber.merge(squared), Err(PartialsError::Losses { .. })));
    }
}

/// n pairs in f32 with outliers, weights and missing values, all of them or none.
fn pairs_of_f32(n: u32, is_whole: bool) -> Problem {
    let (x, t) = contaminated(n, 2, |x, t| (x, t + 40.0));
    let column = |label, values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Array::from_vec(label, &[values.len() as u64], values)
    };
    let (x, t) = (column("x", &x), column("t", &t));
    if is_whole {
        return Problem::pair(x, t).unwrap();
    }
    let weights: Vec<f64> = (0..n).map(|k| 0.5 + f64::from(k % 7)).collect();
    let mask: Vec<f64> = (0..n).map(|k| f64::from(u8::from(k % 11 != 3))).collect();
    let rules = ValidityRules {
        weights: Some(column("w", &weights).into()),
        mask: Some(column("mask", &mask).into()),
        ..ValidityRules::default()
    };
    Problem::builder(x).target(t).rules(rules).build().unwrap()
}

/// The sums of Huber's loss on a device have all digits with every precision, also of
/// residuals in f32: these are computed with two f32 each. W and b have more digits
/// than f32, and a part of the residuals is beyond δ.
#[test]
fn huber_sums_on_a_device_are_the_references() {
    for (n, is_whole) in [(3, true), (5_003, true), (70_003, false)] {
        let data = pairs_of_f32(n, is_whole);
        let mut reference = Reference::new(&data);
        for (at, delta) in [
            (Affine::new(2.4 + 1e-9, -3.5 + 1e-9), 0.75),
            (Affine::new(2.5, -4.0), 1.0 / 3.0),
            (Affine::new(-1.3, 0.7), 1e9),
        ] {
            let loss = Loss::Huber { delta };
            let want = reference.sums_of_loss(at, loss).unwrap();
            for precision in Precision::ALL {
                let tolerance =
                    if precision == Precision::F64 { 10.0 * DEVICE_F64_SUMS } else { COMPENSATED_SUMS };
                for memory_bytes in [u64::MAX, 0] {
                    let mut gpu = gpu(&data, precision, memory_bytes);
                    let got = gpu.sums_of_loss(at, loss).unwrap();
                    assert_eq!((got.n, got.weight_sum), (want.n, want.weight_sum));
                    // Relative to terms of the size of the largest.
                    let sizes = [want.rr, 10.0 * want.weight_sum, 10.0 * want.weight_sum];
                    let pairs = [(got.rr, want.rr), (got.rx, want.rx), (got.r, want.r)];
                    for ((got, want), size) in pairs.into_iter().zip(sizes) {
                        let error = (got - want).abs() / size.max(want.abs());
                        assert!(error <= tolerance, "{n}, {precision:?}, {delta}: {got} for {want}");
                    }
                    // Those of squares beside them are another pass.
                    let squares = gpu.sums_of_loss(at, Loss::Squared).unwrap();
                    assert!(delta > 1e3 || squares.rr > 2.0 * got.rr, "{squares:?} {got:?}");
                }
            }
        }
    }
}

/// The moments with the weights of residuals, which a device makes from W and b, are the
/// reference's with every precision, from data that it holds and from streamed ones.
#[test]
fn reweighted_moments_on_a_device_are_the_references() {
    for (n, is_whole) in [(5_003, true), (70_003, false)] {
        let data = pairs_of_f32(n, is_whole);
        let mut reference = Reference::new(&data);
        for weight in [RobustWeight::HUBER, RobustWeight::TUKEY, RobustWeight::CLIP] {
            let of = Reweighting { model: Affine::new(2.4 + 1e-9, -3.5), scale: 1.0 / 3.0, weight };
            let want = reference.reweighted_moments(&[of]).unwrap()[0];
            assert_eq!(want.n < data.valid_len(), weight != RobustWeight::HUBER);
            for precision in Precision::ALL {
                for memory_bytes in [u64::MAX, 0] {
                    let got = gpu(&data, precision, memory_bytes).reweighted_moments(&[of]).unwrap()[0];
                    assert_eq!(got.n, want.n, "{weight}, {precision:?}");
                    let size = (want.xx * want.tt).sqrt();
                    for (name, got, want, size) in [
                        ("Σw", got.weight_sum, want.weight_sum, want.weight_sum),
                        ("x̄", got.x_mean(), want.x_mean(), 10.0),
                        ("t̄", got.t_mean(), want.t_mean(), 10.0),
                        ("Mxx", got.xx, want.xx, want.xx),
                        ("Mxt", got.xt, want.xt, size),
                        ("Mtt", got.tt, want.tt, want.tt),
                    ] {
                        let error = (got - want).abs() / size;
                        assert!(
                            error <= COMPENSATED_MOMENTS,
                            "{n}, {weight}, {precision:?}, {name}: {got} for {want}"
                        );
                    }
                }
            }
        }
    }
}

/// Fits along the rows of an array, each by its own weights and scale.
#[test]
fn reweighted_moments_of_many_fits_on_a_device() {
    let (x, t) = contaminated(3 * 5_000, 2, |x, t| (x, t + 40.0));
    let column = |label, values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Array::from_vec(label, &[3, 5_000], values)
    };
    let data = Problem::pair(column("x", &x), column("t", &t)).unwrap().grouped(Groups::Outer).unwrap();
    let at: Vec<_> = [0.2, 0.5, 3.0]
        .map(|scale| Reweighting {
            model: Affine::new(2.4 + scale, -3.5),
            scale,
            weight: RobustWeight::TUKEY,
        })
        .into();
    let want = Reference::new(&data).reweighted_moments(&at).unwrap();
    let got = gpu(&data, Precision::Fast, u64::MAX).reweighted_moments(&at).unwrap();
    assert_eq!(got.len(), 3);
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got.n, want.n);
        assert!((got.xt / want.xt - 1.0).abs() <= COMPENSATED_MOMENTS, "{got:?} {want:?}");
    }
}
