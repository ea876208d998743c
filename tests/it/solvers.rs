//! The solvers and the statistics against mathematics: certified sets, the
//! replayed descent against the one made pass by pass, the exact solution,
//! rates on both sides of their bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "tests on data they made themselves"
)]

use std::ops::ControlFlow;

use linfit::array::{Array, Problem};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::fit::{Coordinates, Exact, Fit, FitError, GradientDescent, State, Statistics, StopReason};
use linfit::math::{Affine, Moments};

use crate::common::noise::noise;

fn pair(x: Vec<f64>, t: Vec<f64>) -> Problem {
    let n = [x.len() as u64];
    Problem::pair(Array::from_vec("x", &n, x), Array::from_vec("t", &n, t)).unwrap()
}

/// x around `mean` with σ = 1/√3, t = 3·x − 2 and noise.
fn noisy(n: u64, mean: f64) -> Problem {
    let x: Vec<f64> = (0..n).map(|k| mean + noise(k)).collect();
    let t = (0..n).zip(&x).map(|(k, x)| 3.0 * x - 2.0 + 0.25 * noise(!k)).collect();
    pair(x, t)
}

fn go_on(_: &State) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// y and x of Norris, from NIST's Statistical Reference Datasets.
const NORRIS: &str = "0.1 0.2 338.8 337.4 118.1 118.2 888.0 884.6 9.2 10.1 228.1 226.5 668.5 666.3 \
    998.5 996.3 449.1 448.6 778.9 777.0 559.2 558.2 0.3 0.4 0.1 0.6 778.1 775.5 668.8 666.9 339.3 338.0 \
    448.9 447.5 10.8 11.6 557.7 556.0 228.3 228.1 998.0 995.8 888.8 887.6 119.6 120.2 0.3 0.3 0.6 0.3 \
    557.6 556.8 339.3 339.1 888.0 887.2 998.5 999.0 778.9 779.0 10.2 11.1 117.6 118.3 228.9 229.2 \
    668.4 669.1 449.2 448.9 0.2 0.5";

fn norris() -> Problem {
    let numbers: Vec<f64> = NORRIS.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 72);
    let (t, x) = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
    pair(x, t)
}

/// The quartet of F. J. Anscombe, 1973.
fn anscombe() -> [Problem; 4] {
    let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
    let mut last = [8.0; 11];
    last[7] = 19.0;
    [
        (x, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]),
        (x, [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74]),
        (x, [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]),
        (last, [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.50, 5.56, 7.91, 6.89]),
    ]
    .map(|(x, t)| pair(x.to_vec(), t.to_vec()))
}

fn statistics(engine: &mut dyn Engine) -> Statistics {
    let moments = engine.all_moments().unwrap();
    let curvature = Coordinates::Original.curvature(&moments);
    Statistics::measure(engine, &moments, curvature).unwrap()
}

/// W, b, R², r, residual standard deviation, standard errors of W and b, t
/// and p.
#[track_caller]
fn check(data: &Problem, want: [f64; 9], case: &str) {
    let engines: [&mut dyn Engine; 2] = [&mut Cpu::new(data), &mut Reference::new(data)];
    for engine in engines {
        let s = statistics(engine);
        let got = [
            s.weight,
            s.bias,
            s.r2,
            s.r,
            s.residual_std,
            s.stderr_weight,
            s.stderr_bias,
            s.t_weight,
            s.p_value,
        ];
        for (k, (got, want)) in got.into_iter().zip(want).enumerate() {
            let got = got.unwrap();
            // p falls as t^(2 − n): its digits are t's, less those of n.
            let tolerance = if k == 8 { 1e-9 } else { 2e-11 };
            assert!((got / want - 1.0).abs() <= tolerance, "{case}, number {k}: {got:e} for {want:e}");
        }
    }
}

/// All but r, t and p are NIST's certified values, to all their digits; those
/// three are from exact rational arithmetic, as are all of Anscombe's.
#[test]
fn certified_values() {
    let certified = [
        1.002_116_818_020_45,
        -0.262_323_073_774_029,
        0.999_993_745_883_712,
        0.999_996_872_936_967,
        0.884_796_396_144_373,
        0.429_796_848_199_937e-3,
        0.232_818_234_301_152,
        2_331.605_785_890_45,
        4.654_040_852_472_41e-90,
    ];
    check(&norris(), certified, "Norris");
    let quartet = [
        [
            0.500_090_909_090_909,
            3.000_090_909_090_91,
            0.666_542_459_508_775,
            0.816_420_516_344_84,
            1.236_603_322_726_32,
            0.117_905_500_595_634,
            1.124_746_790_808_64,
            4.241_455_288_892_83,
            0.002_169_628_873_078_8,
        ],
        [
            0.5,
            3.000_909_090_909_09,
            0.666_242_033_727_484,
            0.816_236_506_000_243,
            1.237_214_205_341_58,
            0.117_963_745_967_641,
            1.125_302_416_245_23,
            4.238_590_389_772_44,
            0.002_178_816_236_910_8,
        ],
        [
            0.499_727_272_727_273,
            3.002_454_545_454_55,
            0.666_324_041_066_559,
            0.816_286_739_489_598,
            1.236_311_351_39,
            0.117_877_662_221_002,
            1.124_481_229_639_99,
            4.239_372_102_496_92,
            0.002_176_305_279_228_02,
        ],
        [
            0.499_909_090_909_091,
            3.001_727_272_727_27,
            0.666_707_256_898_465,
            0.816_521_436_888_503,
            1.235_695_485_681_38,
            0.117_818_941_729_686,
            1.123_921_071_854_06,
            4.243_028_188_591_63,
            0.002_164_602_347_197_22,
        ],
    ];
    for (k, (data, want)) in anscombe().iter().zip(quartet).enumerate() {
        check(data, want, &format!("Anscombe {}", k + 1));
    }
}

#[test]
fn what_data_do_not_determine_is_unknown() {
    let of = |x: &[f64], t: &[f64]| statistics(&mut Cpu::new(&pair(x.to_vec(), t.to_vec())));
    // One element: no line. Two: a line, and nothing about its errors.
    let one = of(&[2.0], &[3.0]);
    assert_eq!(
        (one.weight, one.r2, one.p_value, one.condition, one.lambda_min),
        (None, None, None, None, Some(0.0))
    );
    assert_eq!((one.lambda_max, one.lr_max, one.lr_best), (Some(10.0), Some(0.2), Some(0.1)));
    let two = of(&[1.0, 2.0], &[5.0, 3.0]);
    assert_eq!((two.weight, two.bias, two.r2, two.r), (Some(-2.0), Some(7.0), Some(1.0), Some(-1.0)));
    assert_eq!((two.residual_std, two.stderr_weight, two.t_weight, two.p_value), (None, None, None, None));
    // A perfect fit leaves no doubt.
    let perfect = of(&[1.0, 2.0, 3.0, 4.0], &[3.0, 5.0, 7.0, 9.0]);
    assert_eq!((perfect.r2, perfect.r, perfect.residual_std), (Some(1.0), Some(1.0), Some(0.0)));
    assert_eq!((perfect.stderr_weight, perfect.stderr_bias), (Some(0.0), Some(0.0)));
    assert_eq!((perfect.t_weight, perfect.p_value), (None, Some(0.0)));
    // A T alike everywhere has no variance to explain.
    let flat = of(&[1.0, 2.0, 4.0], &[0.1, 0.1, 0.1]);
    assert_eq!((flat.weight, flat.bias, flat.residual_std), (Some(0.0), Some(0.1), Some(0.0)));
    assert_eq!((flat.r2, flat.r, flat.t_weight, flat.p_value), (None, None, None, None));
    // An X alike everywhere has no slope.
    let level = of(&[0.1, 0.1, 0.1], &[1.0, 2.0, 4.0]);
    assert_eq!((level.weight, level.r2, level.condition), (None, None, None));
    // No correlation at all.
    let none = of(&[-1.0, 0.0, 1.0], &[1.0, 0.0, 1.0]);
    assert_eq!(
        (none.weight, none.r2, none.t_weight, none.p_value),
        (Some(0.0), Some(0.0), Some(0.0), Some(1.0))
    );
    // Squares beyond f64: Mxx = 2e400, Mxt = −1e200, Mtt = 2. Rates are not
    // determined, as λ is beyond f64 too.
    let huge = of(&[1e200, -1e200, 0.0], &[1.0, 2.0, 3.0]);
    assert_eq!((huge.weight, huge.bias, huge.r2, huge.r), (Some(-5e-201), Some(2.0), Some(0.25), Some(-0.5)));
    // Σr² = Mtt·(1 − R²) = 1.5, with one degree of freedom; p = 1 − 2·atan(t)/π.
    assert_eq!(huge.residual_std, Some(1.5f64.sqrt()));
    assert!((huge.p_value.unwrap() - 2.0 / 3.0).abs() < 1e-15, "{huge:?}");
    assert_eq!((huge.lr_max, huge.lr_best, huge.condition), (None, None, None));
}

/// Residuals 1e-9 of T: the moments alone would leave nothing of their sum of
/// squares.
#[test]
fn a_nearly_perfect_fit_keeps_its_residuals() {
    let n = 10_000;
    let x: Vec<f64> = (0..n).map(noise).collect();
    let t: Vec<f64> = (0..n).zip(&x).map(|(k, x)| 2.0 * x + 1.0 + 1e-9 * noise(!k)).collect();
    let errors: Vec<f64> = x.iter().zip(&t).map(|(x, t)| t - (2.0 * x + 1.0)).collect();
    let want = (errors.iter().map(|e| e * e).sum::<f64>() / n as f64).sqrt();
    let got = statistics(&mut Cpu::new(&pair(x, t))).residual_std.unwrap();
    assert!((got / want - 1.0).abs() < 1e-3, "{got:e} for {want:e}");
}

fn trace(
    run: impl FnOnce(&mut dyn FnMut(&State) -> ControlFlow<()>) -> Result<Fit, FitError>,
) -> (Fit, Vec<State>) {
    let mut states = Vec::new();
    let fit = run(&mut |state| {
        states.push(*state);
        ControlFlow::Continue(())
    });
    (fit.unwrap(), states)
}

/// 10,000 steps of the reference, pass by pass, and from the moments.
#[test]
fn the_replay_is_the_descent_step_by_step() {
    for (mean, learning_rate) in [(0.0, 0.3), (1.0, 0.1), (5.0, 0.01)] {
        let data = noisy(500, mean);
        for standardize in [false, true] {
            let mut reference = Reference::new(&data);
            let moments = Cpu::new(&data).all_moments().unwrap();
            let coordinates = if standardize {
                Coordinates::standardized(&moments).unwrap()
            } else {
                Coordinates::Original
            };
            let sgd = GradientDescent {
                learning_rate,
                steps: 10_000,
                start: Affine::new(-1.0, 2.0),
                coordinates,
                ..GradientDescent::default()
            };
            let (want_fit, want) = trace(|see| sgd.fit(&mut reference, see));
            let (got_fit, got) = trace(|see| sgd.replay(&mut Cpu::new(&data), &moments, see));
            assert_eq!((got.len(), want.len()), (10_001, 10_001));
            for (got, want) in got.iter().zip(&want) {
                assert_eq!(got.step, want.step);
                let size = want.model.weight.abs().max(want.model.bias.abs());
                let off = (got.model.weight - want.model.weight)
                    .abs()
                    .max((got.model.bias - want.model.bias).abs());
                assert!(off <= 1e-12 * size, "mean {mean}, step {}: {off:e}", want.step);
                let off = (got.evaluation.loss - want.evaluation.loss).abs();
                assert!(off <= 1e-12 * want.evaluation.loss, "mean {mean}, step {}: {off:e}", want.step);
            }
            assert_eq!(
                (got_fit.steps, got_fit.stop_reason, got_fit.n),
                (want_fit.steps, want_fit.stop_reason, 500)
            );
        }
    }
}

#[test]
fn the_replay_ends_as_the_descent_does() {
    let data = noisy(500, 1.0);
    let moments = Cpu::new(&data).all_moments().unwrap();
    let bound = Coordinates::Original.curvature(&moments).unwrap().rate_bound();
    let both = |sgd: GradientDescent| {
        let (want, states) = trace(|see| sgd.fit(&mut Cpu::new(&data), see));
        let (got, replayed) = trace(|see| sgd.replay(&mut Cpu::new(&data), &moments, see));
        assert_eq!((got.steps, got.stop_reason), (want.steps, want.stop_reason));
        assert_eq!(states.len(), replayed.len());
        got
    };
    let reached = both(GradientDescent {
        learning_rate: 0.2,
        tolerance: 1e-6,
        steps: 100_000,
        ..GradientDescent::default()
    });
    assert_eq!(reached.stop_reason, StopReason::Tolerance);
    // Reported is what a pass finds at the printed W and b, not the replay.
    let pass = linfit::math::Evaluation::from_sums(&Cpu::new(&data).loss_sums_at(reached.model).unwrap());
    assert_eq!(reached.evaluation, pass);
    let diverged = both(GradientDescent { learning_rate: 10.0 * bound, ..GradientDescent::default() });
    assert_eq!(diverged.stop_reason, StopReason::Diverged);
    assert!(diverged.model.is_finite() && diverged.evaluation.is_finite());
    assert_eq!(both(GradientDescent { steps: 0, ..GradientDescent::default() }).steps, 0);
    let mut stop =
        |state: &State| if state.step == 1_500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let stopped = GradientDescent { steps: 9_999, ..GradientDescent::default() }
        .replay(&mut Cpu::new(&data), &moments, &mut stop)
        .unwrap();
    assert_eq!((stopped.steps, stopped.stop_reason), (1_500, StopReason::Interrupted));
}

/// A fit by moments never has a negative loss, not even of a perfect line.
#[test]
fn a_replayed_loss_is_never_negative() {
    let x: Vec<f64> = (0..1_000).map(noise).collect();
    let t = x.iter().map(|x| x / 3.0 - 0.7).collect();
    let data = pair(x, t);
    let moments = Cpu::new(&data).all_moments().unwrap();
    let sgd = GradientDescent { learning_rate: 0.5, steps: 3_000, ..GradientDescent::default() };
    let (fit, states) = trace(|see| sgd.replay(&mut Cpu::new(&data), &moments, see));
    assert!(states.iter().all(|state| state.evaluation.loss >= 0.0));
    assert!(fit.evaluation.loss < 1e-30 && states.last().unwrap().evaluation.loss < 1e-15, "{fit:?}");
}

/// At the exact solution nothing is left of the gradients but rounding: of x·W
/// and of b, 2⁻⁵³ of their size, times x.
#[test]
fn the_exact_solution_is_the_optimum() {
    for mean in [0.0, 3.0, 1e3, 1e6] {
        let data = noisy(20_011, mean);
        for engine in [&mut Cpu::new(&data) as &mut dyn Engine, &mut Reference::new(&data)] {
            let moments = engine.all_moments().unwrap();
            let fit = Exact.fit(engine, &moments, &mut go_on).unwrap();
            assert_eq!((fit.steps, fit.stop_reason, fit.n), (0, StopReason::Exact, 20_011));
            let (size, rounding) = (mean + 1.0, 16.0 * f64::EPSILON);
            assert!(fit.evaluation.grad_bias.abs() <= rounding * size, "{mean}: {fit:?}");
            assert!(fit.evaluation.grad_weight.abs() <= rounding * size * size, "{mean}: {fit:?}");
            // Any other line is worse.
            for (w, b) in [(1e-4, 0.0), (-1e-4, 0.0), (0.0, 1e-4), (0.0, -1e-4)] {
                let at = Affine::new(fit.model.weight + w, fit.model.bias + b);
                let loss = engine.loss_sums_at(at).unwrap().rr / 20_011.0;
                assert!(loss > fit.evaluation.loss, "{mean}: {at:?}");
            }
        }
    }
}

#[test]
fn what_no_single_line_fits_best_is_refused() {
    let solve = |x: Vec<f64>, t: Vec<f64>| {
        let data = pair(x, t);
        let mut cpu = Cpu::new(&data);
        let moments: Moments = cpu.all_moments().unwrap();
        (Exact.fit(&mut cpu, &moments, &mut go_on), Coordinates::standardized(&moments))
    };
    let (exact, scaled) = solve(vec![0.1; 3_000], (0..3_000).map(noise).collect());
    assert!(matches!(exact, Err(FitError::NoSpread(x)) if x == 0.1), "{exact:?}");
    assert!(matches!(scaled, Err(FitError::NoSpread(_))), "{scaled:?}");
    let (exact, _) = solve(vec![1.0], vec![2.0]);
    assert!(matches!(exact, Err(FitError::OneElement)), "{exact:?}");
    // The slope 2e308/2e-308 is beyond f64.
    let (exact, _) = solve(vec![1e-308, -1e-308], vec![1e308, -1e308]);
    assert!(matches!(exact, Err(FitError::LineBeyondRange(616))), "{exact:?}");
}

/// The bound divides what converges from what doesn't.
#[test]
fn a_rate_converges_if_and_only_if_it_is_below_the_bound() {
    for mean in [0.0, 2.0, 30.0] {
        let data = noisy(300, mean);
        let moments = Cpu::new(&data).all_moments().unwrap();
        let curvature = Coordinates::Original.curvature(&moments).unwrap();
        let at = |factor: f64| GradientDescent {
            learning_rate: factor * curvature.rate_bound(),
            steps: 60_000,
            ..GradientDescent::default()
        };
        let norm = |sgd: GradientDescent| {
            let first = GradientDescent { steps: 0, ..sgd }
                .replay(&mut Cpu::new(&data), &moments, &mut go_on)
                .unwrap();
            let fit = sgd.replay(&mut Cpu::new(&data), &moments, &mut go_on).unwrap();
            fit.evaluation.gradient_norm() / first.evaluation.gradient_norm()
        };
        assert!(at(0.999).check_rate(&curvature).is_ok() && norm(at(0.999)) < 1e-3, "{mean}");
        assert!(norm(at(1.001)) > 1e3, "{mean}");
        let refused = at(1.001).check_rate(&curvature);
        assert!(matches!(refused, Err(FitError::RateTooLarge { .. })), "{refused:?}");
        assert!(at(1.0).check_rate(&curvature).is_err(), "the bound itself only oscillates");
        assert!(
            GradientDescent { steps: 0, ..at(1.001) }.check_rate(&curvature).is_ok(),
            "no step, no divergence"
        );
        // The best rate shrinks the gradient faster than those beside it.
        let error = |rate: f64| curvature.contraction(rate);
        let best = curvature.best_rate();
        assert!(error(best) < error(0.99 * best) && error(best) < error(1.01 * best), "{mean}");
    }
}

/// With mean/σ of 1e3 the condition number is about 1e12, and plain descent
/// gets nowhere; standardized it arrives, at any such mean.
#[test]
fn standardized_steps_arrive_whatever_the_mean() {
    for mean in [0.0, 1e3, 1e5] {
        let data = noisy(2_000, mean);
        let mut cpu = Cpu::new(&data);
        let moments = cpu.all_moments().unwrap();
        let coordinates = Coordinates::standardized(&moments).unwrap();
        assert_eq!(coordinates.curvature(&moments).unwrap().rate_bound(), 1.0);
        let sgd = GradientDescent { coordinates, steps: 2_000, ..GradientDescent::default() };
        let start = sgd.start;
        let (fit, states) = trace(|see| sgd.fit(&mut cpu, see));
        let line = moments.least_squares().unwrap();
        assert!((fit.model.weight / line.weight - 1.0).abs() < 1e-9, "{mean}: {fit:?} {line:?}");
        assert!((fit.model.apply(mean) - line.apply(mean)).abs() < 1e-12 * (mean + 1.0) + 1e-9, "{mean}");
        // Each error shrinks by 1 − 2η = 0.98 a step, that of W as that of
        // the prediction at x̄. Far from the optimum, x̄ times the gradient of b
        // is most of W's, and what is left has the digits it leaves.
        let rounding = 1e-12 + f64::EPSILON * mean * mean;
        for state in &states[..200] {
            let factor = 0.98f64.powi(i32::try_from(state.step).unwrap());
            let want = line.weight + (start.weight - line.weight) * factor;
            assert!(
                (state.model.weight - want).abs() < rounding * line.weight.abs(),
                "{mean}: {state:?} {want}"
            );
        }
        if mean > 0.0 {
            assert!(moments.quadratic().curvature().condition() > 1e12);
        }
    }
}

#[test]
fn fits_have_the_same_bits_on_any_number_of_threads() {
    let data = noisy(400_003, 1.0);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut cpu = Cpu::new(&data);
            let moments = cpu.all_moments().unwrap();
            let sgd = GradientDescent { steps: 20, ..GradientDescent::default() };
            let standardized =
                GradientDescent { coordinates: Coordinates::standardized(&moments).unwrap(), ..sgd };
            let bits = |fit: Result<Fit, FitError>| fit.map(|fit| (fit.model, fit.evaluation)).unwrap();
            [
                bits(sgd.fit(&mut cpu, &mut go_on)),
                bits(sgd.replay(&mut cpu, &moments, &mut go_on)),
                bits(standardized.fit(&mut cpu, &mut go_on)),
                bits(Exact.fit(&mut cpu, &moments, &mut go_on)),
            ]
        })
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(on(threads), one, "{threads} threads");
    }
}

/// Through two points goes a line without residuals. From the moments alone the
/// loss would be about 1e-16 of T's squares, 1e-8.
#[test]
fn a_standardized_replay_through_two_points_leaves_no_loss() {
    let x = Array::from_vec("x", &[2], vec![-0.191_772_460_937_5, -0.933_105_468_75]);
    let t = Array::from_vec("t", &[2], vec![5_662.667_480_468_75, 27_536.224_609_375]);
    let data = Problem::pair(x, t).unwrap();
    let mut engine = Cpu::new(&data);
    let moments = engine.all_moments().unwrap();
    let coordinates = Coordinates::standardized(&moments).unwrap();
    let sgd = GradientDescent { steps: 5, learning_rate: 0.5, coordinates, ..GradientDescent::default() };
    let fit = sgd.replay(&mut engine, &moments, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(fit.evaluation.loss < 1e-20, "{fit:?}");
}
