//! Robust fits, Huber's loss and batches of groups: each as of its elements alone.

use std::ops::ControlFlow;

use linfit::array::{Array, Groups, Labels, Problem, Shuffle, ValidityRules};
use linfit::engine::gpu::Gpu;
use linfit::engine::{Cpu, Engine, EngineError, Reference};
use linfit::fit::{BatchDescent, Fit, FitError, GradientDescent, ManyFits, Method, Robust, Solver};
use linfit::math::{LineKind, Loss, RobustWeight};

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;

const SHAPE: [u64; 3] = [3, 4, 20];

fn arrays() -> [Vec<f64>; 4] {
    let n = SHAPE.iter().product::<u64>();
    let x: Vec<f64> = (0..n).map(|k| 3.0 * noise(k)).collect();
    let outlier = |k: u64| if k % 9 == 4 { 80.0 } else { 0.0 };
    let t = (0..n).map(|k| (1.0 + (k % 6) as f64) * x[k as usize] - 2.0 + 0.3 * noise(!k) + outlier(k));
    let mask = (0..n).map(|k| f64::from(u8::from(k % 13 != 5))).collect();
    let weights = (0..n).map(|k| 0.5 + (k % 4) as f64).collect();
    [x.clone(), t.collect(), mask, weights]
}

fn problem(shape: &[u64], places: &[usize], is_whole: bool) -> Problem {
    let [x, t, mask, weights] = arrays();
    let column = |label, values: &[f64]| {
        Array::from_vec(label, shape, places.iter().map(|&place| values[place]).collect::<Vec<f64>>())
    };
    let rules = ValidityRules {
        mask: (!is_whole).then(|| column("mask", &mask).into()),
        weights: (!is_whole).then(|| column("w", &weights).into()),
        ..ValidityRules::default()
    };
    Problem::builder(column("x", &x)).target(column("t", &t)).rules(rules).build().unwrap()
}

fn methods() -> Vec<Solver> {
    let descent =
        GradientDescent { learning_rate: 0.02, steps: 25, momentum: 0.4, ..GradientDescent::default() };
    let huber = GradientDescent { loss: Loss::Huber { delta: 0.5 }, ..descent };
    let descends =
        |descent| Solver { method: Method::GradientDescent, descent, force: true, ..Solver::default() };
    let batches = |shuffle| Solver {
        batches: Some(BatchDescent { batch: 7, epochs: 2, shuffle, ..BatchDescent::of(descent) }),
        ..descends(descent)
    };
    let robust = |weight| Solver { robust: Some(weight), ..Solver::default() };
    vec![
        robust(RobustWeight::HUBER),
        robust(RobustWeight::TUKEY),
        robust(RobustWeight::CLIP),
        descends(huber),
        batches(Shuffle::None),
        batches(Shuffle::Element),
    ]
}

fn alone(engine: &mut dyn Engine, solver: &Solver) -> Fit {
    let moments = engine.all_moments().unwrap();
    let mut observe = |_: &_| ControlFlow::Continue(());
    match (solver.robust, solver.batches) {
        (Some(weight), _) => {
            let robust = Robust { weight, line: LineKind::LeastSquares };
            robust.fit(engine, &moments, &mut observe).unwrap().fit
        }
        (None, Some(batches)) => batches.fit(engine, &moments, &mut observe).unwrap(),
        (None, None) => solver.descent.fit(engine, &mut observe).unwrap(),
    }
}

/// The place of an element, and the group that it belongs to.
type GroupOf = fn(usize) -> Option<usize>;

/// Along the first two axes, along the last one, in tiles, and by labels of which some
/// elements have none: with weights and missing elements and without, every group has
/// the bits of a fit of its elements alone.
#[test]
fn every_group_is_fitted_as_if_it_were_alone() {
    let all: Vec<usize> = (0..SHAPE.iter().product::<u64>() as usize).collect();
    let label = |k: usize| (k % 5 != 4).then_some(k % 5);
    let ids: Vec<i64> = all.iter().map(|&k| label(k).map_or(-1, |label| label as i64)).collect();
    let (labels, _) = Labels::of(&Array::from_vec("labels", &SHAPE, ids).into(), 1 << 20).unwrap();
    let kinds: [(&str, Groups, usize, GroupOf); 4] = [
        ("columns", Groups::Axes(vec![0, 1]), 20, |k| Some(k % 20)),
        ("rows", Groups::Axes(vec![2]), 12, |k| Some(k / 20)),
        ("tiles", Groups::Tiles { rows: 2, columns: 10 }, 12, |k| {
            Some(k / 80 * 4 + k / 20 % 4 / 2 * 2 + k % 20 / 10)
        }),
        ("labels", Groups::Labels(labels), 5, |k| Some(k % 5)),
    ];
    let mut compared = 0;
    for (name, groups, count, group_of) in kinds {
        for is_whole in [true, false] {
            let data = problem(&SHAPE, &all, is_whole).grouped(groups.clone()).unwrap();
            for method in methods() {
                for is_reference in [false, true] {
                    let engine = |data: &Problem| -> Box<dyn Engine> {
                        if is_reference { Box::new(Reference::new(data)) } else { Box::new(Cpu::new(data)) }
                    };
                    let mut many = engine(&data);
                    let (_, moments) = many.moments(data.grid().chunks()).unwrap().into_totals().unwrap();
                    let shape = data.fits().shape().clone();
                    let fits = ManyFits::each(many.as_mut(), shape, &moments, &method, &|| false);
                    let fits = fits.unwrap();
                    assert_eq!(fits.rows.len(), moments.len(), "{name}");
                    // The labels −1 are a group too, the first one.
                    for group in 0..count {
                        let places: Vec<usize> =
                            all.iter().copied().filter(|&k| group_of(k) == Some(group)).collect();
                        let row = if name == "labels" { (group + 1) % 5 } else { group };
                        let row = &fits.rows[row];
                        let part = problem(&[places.len() as u64], &places, is_whole);
                        if row.is_degenerate() {
                            assert!(part.valid_len() < 2, "{name}, {method:?}, {group}");
                            continue;
                        }
                        let want = alone(engine(&part).as_mut(), &method);
                        assert_eq!((row.model(), row.n), (want.model, want.n), "{name}, {method:?}, {group}");
                        assert_eq!(row.loss, want.evaluation.loss);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn a_device_has_no_fits_one_by_one() {
    let all: Vec<usize> = (0..SHAPE.iter().product::<u64>() as usize).collect();
    let data = problem(&SHAPE, &all, true).grouped(Groups::Axes(vec![2])).unwrap();
    let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
    let (_, moments) = gpu.moments(data.grid().chunks()).unwrap().into_totals().unwrap();
    let shape = data.fits().shape().clone();
    let fits = ManyFits::each(&mut gpu, shape, &moments, &methods()[0], &|| false);
    assert!(matches!(fits, Err(FitError::Engine(EngineError::NoRobustPass(_)))));
}
