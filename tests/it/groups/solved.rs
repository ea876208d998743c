//! The results of many fits: lines and statistics against single ones.

use std::ops::ControlFlow;

use linfit::array::{Array, Groups, Problem};
use linfit::engine::{Cpu, Engine};
use linfit::fit::{Exact, FitRow, GradientDescent, ManyFits, Statistics};
use linfit::math::Moments;

use super::engines::{Given, problem, values};
use crate::common::tolerances::F64_RESULTS;

fn moments_of(data: &Problem) -> Vec<Moments> {
    Cpu::new(data).moments(data.grid().chunks()).unwrap().into_totals().unwrap().1
}

fn exact(data: &Problem) -> ManyFits {
    let moments = moments_of(data);
    ManyFits::exact(&mut Cpu::new(data), data.fits().shape().clone(), &moments).unwrap()
}

/// Bands of whole chunks: the same additions as alone, and so the same bits.
#[test]
fn a_band_has_the_bits_of_a_fit_of_its_own() {
    let run = 1usize << 16;
    let (x, t) = values(3 * run, 1.7);
    let all: Vec<usize> = (0..3 * run).collect();
    for given in [Given::Nothing, Given::Both] {
        let data = problem(&[3, 256, 256], x.clone(), t.clone(), &all, given);
        let fits = exact(&data.grouped(Groups::Axes(vec![1, 2])).unwrap());
        for (band, row) in fits.rows.iter().enumerate() {
            let part = band * run..(band + 1) * run;
            let alone =
                problem(&[256, 256], x[part.clone()].to_vec(), t[part.clone()].to_vec(), &all[part], given);
            let mut engine = Cpu::new(&alone);
            let moments = engine.all_moments().unwrap();
            let fit = Exact.fit(&mut engine, &moments, &mut |_| ControlFlow::Continue(())).unwrap();
            assert_eq!(row.model(), fit.model, "band {band}, {given:?}");
            let statistics = Statistics::measure(&mut engine, &moments, None).unwrap();
            for (got, want) in [
                (row.loss, Some(fit.evaluation.loss)),
                (row.r2, statistics.r2),
                (row.residual_std, statistics.residual_std),
                (row.stderr_weight, statistics.stderr_weight),
                (row.stderr_bias, statistics.stderr_bias),
            ] {
                let want = want.unwrap();
                assert!((got - want).abs() <= F64_RESULTS * want, "band {band}: {got} for {want}");
            }
        }
    }
}

/// One, two and three elements a fit, by hand: no line; T = 2·X − 1 through both; and
/// X = 0, 1, 2 with T = 0, 3, 0, of which the mean is the line.
#[test]
fn fits_of_few_elements_by_hand() {
    let of = |elements: u64, x: Vec<f64>, t: Vec<f64>| {
        let fits = x.len() as u64 / elements;
        let shape = [fits, elements];
        let data = Problem::pair(Array::from_vec("x", &shape, x), Array::from_vec("t", &shape, t)).unwrap();
        exact(&data.grouped(Groups::Axes(vec![1])).unwrap()).rows
    };
    assert!(of(1, vec![1.0, 2.0], vec![1.0, 2.0]).iter().all(|row| row.is_degenerate() && row.n == 1));
    let [row] = of(2, vec![1.0, 3.0], vec![1.0, 5.0])[..] else { panic!("one fit") };
    assert_eq!((row.weight, row.bias, row.loss, row.r2), (2.0, -1.0, 0.0, 1.0));
    assert!(row.residual_std.is_nan());
    let [row] = of(3, vec![0.0, 1.0, 2.0], vec![0.0, 3.0, 0.0])[..] else { panic!("one fit") };
    // Σr² = 1 + 4 + 1, of one degree of freedom; Mxx = 2, and x̄² = 1 of a mean square of 5/3.
    assert_eq!((row.weight, row.bias, row.loss, row.r2), (0.0, 1.0, 2.0, 0.0));
    let want = [6f64.sqrt(), 3f64.sqrt(), 5f64.sqrt()];
    for (got, want) in [row.residual_std, row.stderr_weight, row.stderr_bias].into_iter().zip(want) {
        assert!((got - want).abs() <= F64_RESULTS, "{got} for {want}");
    }
}

/// More fits than a device has workgroups, each T = k·X + 1.
#[test]
fn seventy_thousand_fits() {
    let (frames, pixels) = (3u64, 70_001u64);
    let n = (frames * pixels) as usize;
    let x: Vec<f32> = (0..n).map(|k| (k / pixels as usize) as f32).collect();
    let t: Vec<f32> = (0..n).map(|k| (k % pixels as usize) as f32 * x[k] + 1.0).collect();
    let shape = [frames, pixels];
    let data = Problem::pair(Array::from_vec("x", &shape, x), Array::from_vec("t", &shape, t)).unwrap();
    let fits = exact(&data.grouped(Groups::Axes(vec![0])).unwrap());
    assert_eq!(fits.rows.len(), pixels as usize);
    for (pixel, FitRow { weight, bias, .. }) in fits.rows.iter().enumerate() {
        let want = pixel as f64;
        assert!(
            (weight - want).abs() <= 1e-9 * want && (bias - 1.0).abs() <= 1e-9 * want.max(1.0),
            "{pixel}"
        );
    }
}

/// Steps from the moments are those of passes, of K fits and of one.
#[test]
fn descents_of_many_are_those_of_each() {
    let (x, t) = values(60, 1.3);
    let all: Vec<usize> = (0..60).collect();
    let data = problem(&[12, 5], x.clone(), t.clone(), &all, Given::Missing);
    let data = data.grouped(Groups::Axes(vec![0])).unwrap();
    let moments = moments_of(&data);
    let descent =
        GradientDescent { learning_rate: 0.03, steps: 40, tolerance: 0.2, ..GradientDescent::default() };
    let settings = |_: &Moments| Ok(descent);
    let shape = data.fits().shape().clone();
    let passes =
        GradientDescent::fit_many(&mut Cpu::new(&data), shape.clone(), &moments, &settings, &mut |_, _| {
            ControlFlow::Continue(())
        })
        .unwrap();
    let replayed = GradientDescent::replay_many(shape, &moments, &settings).unwrap();
    for (fit, (one, other)) in passes.rows.iter().zip(&replayed.rows).enumerate() {
        let places: Vec<usize> = (0..12).map(|row| 5 * row + fit).collect();
        let of = |values: &[f64]| places.iter().map(|&k| values[k]).collect::<Vec<_>>();
        let alone = problem(&[12], of(&x), of(&t), &places, Given::Missing);
        let single = descent.fit(&mut Cpu::new(&alone), &mut |_| ControlFlow::Continue(())).unwrap();
        for row in [one, other] {
            for (got, want) in [
                (row.weight, single.model.weight),
                (row.bias, single.model.bias),
                (row.loss, single.evaluation.loss),
            ] {
                assert!((got - want).abs() <= F64_RESULTS * want.abs(), "fit {fit}: {got} for {want}");
            }
        }
    }
}
