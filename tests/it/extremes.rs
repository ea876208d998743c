//! Data and starts whose squares leave the range of f64, where the numbers that
//! are asked for do not.

use std::ops::ControlFlow;

use linfit::array::{Array, Problem};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::fit::{Coordinates, Exact, GradientDescent, State, Statistics, Update};
use linfit::math::{Affine, Evaluation, Moments};

use crate::common::noise::noise;
use crate::common::tolerances::{CPU_SUMS, FEW_ROUNDINGS, MERGED_SUMS};

fn pair(x: Vec<f64>, t: Vec<f64>) -> Problem {
    let matrix = |label, values: Vec<f64>| Array::from_vec(label, &[values.len() as u64], values);
    Problem::pair(matrix("x", x), matrix("t", t)).unwrap()
}

/// X about 0, and T = 2·X + 1 and noise, times powers of ten.
fn scaled_pair(x_scale: f64, t_scale: f64) -> Problem {
    let x: Vec<f64> = (0..500).map(noise).collect();
    let t = x.iter().zip(500..).map(|(x, k)| (2.0 * x + 1.0 + 0.3 * noise(k)) * t_scale).collect();
    pair(x.iter().map(|x| x * x_scale).collect(), t)
}

fn engines(data: &Problem) -> [Box<dyn Engine>; 2] {
    [Box::new(Cpu::new(data)), Box::new(Reference::new(data))]
}

fn near(got: f64, want: f64, case: &str) {
    assert!((got - want).abs() <= FEW_ROUNDINGS * want.abs(), "{case}: {got:e} for {want:e}");
}

fn go_on(_: &State) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// With W = 0 all residuals are b, but for what is far below it: L = b² and
/// ∂L/∂b = 2·b, by passes, before and after the moments are known, and from
/// these.
#[test]
fn a_start_far_above_tiny_data_has_its_loss() {
    for (x_scale, t_scale) in [(1.0, 1e-200), (1e-200, 1e-200), (1e-200, 1e-250), (1e150, 1e-200)] {
        let data = scaled_pair(x_scale, t_scale);
        for (bias, loss) in [(1.0, 1.0), (-1e145, 1e145 * 1e145), (1e-130, 1e-260), (3.0, 9.0)] {
            for mut engine in engines(&data) {
                let case = format!("X·{x_scale:e}, T·{t_scale:e}, b = {bias:e}, {:?}", engine.info().kind);
                let at = Affine::new(0.0, bias);
                let first = engine.loss_sums_at(at).unwrap();
                let moments = engine.all_moments().unwrap();
                assert_eq!(engine.loss_sums_at(at).unwrap(), first, "{case}");
                let sgd = GradientDescent {
                    start: at,
                    steps: 0,
                    update: Update::Host,
                    ..GradientDescent::default()
                };
                let coordinates = Coordinates::standardized(&moments).unwrap();
                for (got, how) in [
                    (Evaluation::from_sums(&first), "a pass"),
                    (moments.quadratic().evaluate(at), "the moments"),
                    (sgd.fit(engine.as_mut(), &mut go_on).unwrap().evaluation, "a fit"),
                    (
                        GradientDescent { coordinates, ..sgd }
                            .fit(engine.as_mut(), &mut go_on)
                            .unwrap()
                            .evaluation,
                        "standardized",
                    ),
                    (
                        GradientDescent { coordinates, ..sgd }
                            .replay(engine.as_mut(), &moments, &mut go_on)
                            .unwrap()
                            .evaluation,
                        "replayed",
                    ),
                ] {
                    let case = format!("{case}, {how}");
                    near(got.loss, loss, &case);
                    near(got.grad_bias, 2.0 * bias, &case);
                }
            }
        }
    }
}

/// X·W with x of 1e-200 and W of 1e200: all as if both were 1.
#[test]
fn a_weight_far_above_tiny_data_has_its_loss() {
    let (tiny, ordinary) = (scaled_pair(2f64.powi(-600), 2f64.powi(-700)), scaled_pair(1.0, 2f64.powi(-700)));
    for (mut tiny, mut ordinary) in engines(&tiny).into_iter().zip(engines(&ordinary)) {
        let want = ordinary.loss_sums_at(Affine::new(1.0, 0.0)).unwrap();
        let at = Affine::new(2f64.powi(600), 0.0);
        let got = tiny.loss_sums_at(at).unwrap();
        assert_eq!(got.rr, want.rr);
        assert_eq!(got.rx, want.rx * 2f64.powi(-600));
        let loss = tiny.all_moments().unwrap().quadratic().evaluate(at).loss;
        assert!((loss / (want.rr / want.weight_sum) - 1.0).abs() < CPU_SUMS, "{loss:e}");
    }
}

/// A tolerance that is a share of the data's scale scales with them.
#[test]
fn a_relative_tolerance_scales_with_the_data() {
    let moments = |data: &Problem| -> Moments { Cpu::new(data).all_moments().unwrap() };
    let want = GradientDescent::relative_to(&moments(&scaled_pair(1.0, 1.0)), 1e-6);
    for (x, t) in [(600, 0), (0, -700), (-700, 600), (0, 510), (-600, -400)] {
        let got = GradientDescent::relative_to(&moments(&scaled_pair(2f64.powi(x), 2f64.powi(t))), 1e-6);
        for (got, want) in [(got[0], want[0] * 2f64.powi(x + t)), (got[1], want[1] * 2f64.powi(t))] {
            assert!((got / want - 1.0).abs() < MERGED_SUMS, "2^{x}, 2^{t}: {got:e} for {want:e}");
        }
    }
}

/// The line of the statistics is the one that the closed form prints.
#[test]
fn the_statistics_are_of_the_line_that_is_printed() {
    let x: Vec<f64> = (0..100).map(|k| f64::from(k) * 0.1).collect();
    let t = x.iter().map(|x| 3.0 * x + 0.7).collect();
    for data in [pair(x, t), scaled_pair(1.0, 1e-200), scaled_pair(1e200, 1.0)] {
        for mut engine in engines(&data) {
            let moments = engine.all_moments().unwrap();
            let fit = Exact.fit(engine.as_mut(), &moments, &mut go_on).unwrap();
            let statistics = Statistics::measure(engine.as_mut(), &moments, None).unwrap();
            assert_eq!((statistics.weight, statistics.bias), (Some(fit.model.weight), Some(fit.model.bias)));
        }
    }
}

/// X·1e-300 and T·1e300: W is about 2e600, and that is what is said.
#[test]
fn a_line_beyond_f64_is_said_to_be_so() {
    let data = scaled_pair(1e-300, 1e300);
    for mut engine in engines(&data) {
        let moments = engine.all_moments().unwrap();
        let error = Exact.fit(engine.as_mut(), &moments, &mut go_on).unwrap_err().to_string();
        assert!(error.contains("beyond f64") && error.contains("1e600"), "{error}");
    }
}

/// Two chunks of pairs one after the other, and the same pairs in turn.
fn both_orders(chunks: [&dyn Fn(usize) -> (f64, f64); 2]) -> [(&'static str, Problem); 2] {
    const CHUNK: usize = 1 << 16;
    let problem = |place: fn(usize) -> (usize, usize)| {
        let (x, t) = (0..2 * CHUNK).map(|k| chunks[place(k).0](place(k).1)).unzip();
        pair(x, t)
    };
    [("one after the other", problem(|k| (k / CHUNK, k % CHUNK))), ("in turn", problem(|k| (k % 2, k / 2)))]
}

/// X = ±(1 + k/4)·2¹⁰²³ for k = 0..4, whose means are farther apart than f64
/// goes, and T = X·2⁻¹⁰²³, on the line.
#[test]
fn chunks_at_both_ends_of_f64_merge() {
    let at = |sign: f64| {
        move |k: usize| {
            let t = sign * (1.0 + 0.25 * (k % 4) as f64);
            (t * 2f64.powi(1023), t)
        }
    };
    for (order, data) in both_orders([&at(1.0), &at(-1.0)]) {
        for mut engine in engines(&data) {
            let case = format!("{order}, {:?}", engine.info().kind);
            let moments = engine.all_moments().unwrap();
            let fit = Exact.fit(engine.as_mut(), &moments, &mut go_on).expect(&case);
            assert_eq!((fit.model.weight, fit.model.bias), (2f64.powi(-1023), 0.0), "{case}");
            assert_eq!((moments.x_mean(), moments.t_mean()), (0.0, 0.0), "{case}");
            let statistics = Statistics::measure(engine.as_mut(), &moments, None).unwrap();
            assert_eq!(statistics.r2, Some(1.0), "{case}");
        }
    }
}

/// In units of 2⁻¹⁰⁷⁴, the least f64, X is 0 to 3 in one chunk and 1 to 4 in the
/// other: f64 has neither mean, 1.5 and 2.5. T is 0 to 3 times 2⁻⁵³ in both, so
/// that Mxx = 1.5·n, Mxt = Mtt = 1.25·n, and W and R² are 5/6.
#[test]
fn chunks_with_means_between_the_least_numbers_merge() {
    let at =
        |from: u64| move |k: usize| (f64::from_bits(k as u64 % 4 + from), (k % 4) as f64 * 2f64.powi(-53));
    for (order, data) in both_orders([&at(0), &at(1)]) {
        for mut engine in engines(&data) {
            let case = format!("{order}, {:?}", engine.info().kind);
            let moments = engine.all_moments().unwrap();
            assert_eq!(
                (moments.x_mean(), moments.t_mean()),
                (f64::from_bits(2), 1.5 * 2f64.powi(-53)),
                "{case}"
            );
            let fit = Exact.fit(engine.as_mut(), &moments, &mut go_on).expect(&case);
            near(fit.model.weight, 5.0 / 6.0 * 2f64.powi(1021), &case);
            let statistics = Statistics::measure(engine.as_mut(), &moments, None).unwrap();
            near(statistics.r2.unwrap(), 5.0 / 6.0, &case);
        }
    }
}
