//! Descents and learning rates against those of PyTorch, in
//! tests/foreign/data/descent.json, which tests/foreign/descent.py makes.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use linfit::array::{Array, MaskedArray, Problem, ValidityRules};
use linfit::engine::gpu::Gpu;
use linfit::engine::{Cpu, Engine, Reference};
use linfit::fit::{BatchDescent, GradientDescent, Schedule, State, StepsPerSubmit, Update};
use linfit::math::Affine;
use serde::Deserialize;

use crate::common::adapter::software_adapter;
use crate::common::tolerances::{F32_RESULTS, F64_RESULTS};

#[derive(Deserialize)]
struct Made {
    x: Vec<f64>,
    t: Vec<f64>,
    weights: Vec<f64>,
    start: [f64; 2],
    descents: Vec<Descent>,
    schedules: serde_json::Map<String, serde_json::Value>,
}

/// A descent of torch, with W and b after every step.
#[derive(Deserialize)]
struct Descent {
    rate: f64,
    schedule: Option<String>,
    batch: Option<u64>,
    epochs: u64,
    drop_last: bool,
    weighted: bool,
    #[serde(default)]
    momentum: f64,
    #[serde(default)]
    dampening: f64,
    #[serde(default)]
    nesterov: bool,
    #[serde(default)]
    weight_decay: f64,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Made {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/data/descent.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn problem(&self, descent: &Descent) -> Problem {
        let n = [self.x.len() as u64];
        let array = |label, values: &[f64]| Array::from_vec(label, &n, values.to_vec());
        let weights = descent.weighted.then(|| MaskedArray::from(array("w", &self.weights)));
        let rules = ValidityRules { weights, ..ValidityRules::default() };
        Problem::builder(array("x", &self.x)).target(array("t", &self.t)).rules(rules).build().unwrap()
    }

    fn settings(&self, descent: &Descent) -> GradientDescent {
        let [weight, bias] = self.start;
        GradientDescent {
            learning_rate: descent.rate,
            schedule: descent.schedule.as_ref().map_or(Schedule::default(), |text| text.parse().unwrap()),
            steps: descent.weight.len() as u64 - 1,
            momentum: descent.momentum,
            dampening: descent.dampening,
            nesterov: descent.nesterov,
            weight_decay: descent.weight_decay,
            start: Affine::new(weight, bias),
            ..GradientDescent::default()
        }
    }
}

impl Descent {
    fn check(&self, states: &[State], tolerance: f64, case: &str) {
        assert_eq!(states.len(), self.weight.len(), "{case}");
        for (state, (&weight, &bias)) in states.iter().zip(self.weight.iter().zip(&self.bias)) {
            let off = (state.model.weight - weight).abs().max((state.model.bias - bias).abs());
            assert!(
                off <= tolerance,
                "{case}: step {} is {:?} for {weight}, {bias}",
                state.step,
                state.model
            );
        }
    }
}

/// The states of a descent, by passes or from the moments.
fn states(sgd: &GradientDescent, engine: &mut dyn Engine, replays: bool) -> Vec<State> {
    let mut states = Vec::new();
    let mut see = |state: &State| {
        states.push(*state);
        ControlFlow::Continue(())
    };
    if replays {
        let moments = engine.all_moments().unwrap();
        sgd.replay(engine, &moments, &mut see).unwrap();
    } else {
        sgd.fit(engine, &mut see).unwrap();
    }
    states
}

#[test]
fn full_batch_descents_are_those_of_torch() {
    let made = Made::read();
    let descents: Vec<_> = made.descents.iter().filter(|descent| descent.batch.is_none()).collect();
    assert!(descents.len() > 10, "{}", descents.len());
    for descent in descents {
        let (data, sgd) = (made.problem(descent), made.settings(descent));
        let case = |engine: &str| format!("{engine}: {sgd:?}");
        for replays in [false, true] {
            let how = if replays { "moments" } else { "passes" };
            let got = states(&sgd, &mut Reference::new(&data), replays);
            descent.check(&got, F64_RESULTS, &case(&format!("reference, {how}")));
            let got = states(&sgd, &mut Cpu::new(&data), replays);
            descent.check(&got, F64_RESULTS, &case(&format!("cpu, {how}")));
        }
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        for steps in [7, 1024] {
            let update = Update::Device(StepsPerSubmit::fixed(steps).unwrap());
            let got = states(&GradientDescent { update, ..sgd }, &mut gpu, false);
            descent.check(&got, F32_RESULTS, &case(&format!("device, {steps} steps")));
        }
    }
}

#[test]
fn descents_over_batches_are_those_of_torch() {
    let made = Made::read();
    let descents: Vec<_> = made.descents.iter().filter(|descent| descent.batch.is_some()).collect();
    assert!(descents.len() > 6, "{}", descents.len());
    for descent in descents {
        let (data, sgd) = (made.problem(descent), made.settings(descent));
        let batches = BatchDescent {
            batch: descent.batch.unwrap(),
            epochs: descent.epochs,
            drop_last: descent.drop_last,
            ..BatchDescent::of(sgd)
        };
        for engine in [&mut Reference::new(&data) as &mut dyn Engine, &mut Cpu::new(&data)] {
            let moments = engine.all_moments().unwrap();
            let mut states = Vec::new();
            let fit = batches.fit(engine, &moments, &mut |state| {
                states.push(*state);
                ControlFlow::Continue(())
            });
            let (fit, case) = (fit.unwrap(), format!("{:?}: {batches:?}", engine.info().kind));
            descent.check(&states, F64_RESULTS, &case);
            assert_eq!(Some(fit.model), states.last().map(|state| state.model), "{case}");
            assert_eq!((fit.progress.epoch, fit.progress.batch), (descent.epochs, 0), "{case}");
        }
    }
}

#[test]
fn rates_are_those_of_torch() {
    let made = Made::read();
    assert!(made.schedules.len() > 10, "{}", made.schedules.len());
    for (text, rates) in &made.schedules {
        let schedule: Schedule = text.parse().unwrap();
        let rates: Vec<f64> = serde_json::from_value(rates.clone()).unwrap();
        assert_eq!(rates.len(), 120);
        for (step, want) in (0..).zip(rates) {
            let got = schedule.rate(0.1, step);
            assert!((got - want).abs() <= F64_RESULTS * want, "{text}, step {step}: {got} for {want}");
        }
    }
}
