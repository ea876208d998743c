use super::coordinates::{Coordinates, Position};
use super::parameter::Parameter;
use crate::engine::{DescentRule, Engine, EngineError, Evaluated, StepOutcome, StepState, Stepper};
use crate::math::{Affine, Double, Evaluation, Loss, Moments, Quadratic};

/// The steps of a descent on the host, in f64: from passes of an engine, or
/// from the moments of the data without any. Twin of the shaders `descend.wgsl`,
/// `update.wgsl` and `shared/step.wgsl`.
pub(super) struct HostStepper<S> {
    source: S,
    coordinates: Coordinates,
    /// The height to start from, if it is known better than b tells it.
    height: Option<Double>,
    /// The parameter that stays.
    fixed: Option<Parameter>,
    rule: DescentRule,
    state: StepState<Position>,
}

/// A source of evaluations.
pub(super) trait Source {
    /// Loss and gradients at a position, and the gradient in its coordinates.
    fn evaluate(&mut self, at: &Position) -> Result<(Evaluation, Affine), EngineError>;

    /// The number of elements; known after the first evaluation.
    fn elements(&self) -> u64;
}

impl<S: Source> HostStepper<S> {
    /// A stepper in these coordinates.
    pub(super) fn new(source: S, coordinates: Coordinates) -> Self {
        let state = StepState::start(Position::new(Affine::default(), coordinates));
        Self { source, coordinates, height: None, fixed: None, rule: DescentRule::default(), state }
    }

    /// The same stepper, which starts from this prediction at x̄ in coordinates
    /// that hold it instead of b.
    pub(super) fn at_height(self, height: Option<Double>) -> Self {
        Self { height, ..self }
    }

    /// The same stepper with a parameter that stays as it is.
    pub(super) fn fixing(self, fixed: Option<Parameter>) -> Self {
        Self { fixed, ..self }
    }
}

impl<S: Source> Stepper for HostStepper<S> {
    fn resume(&mut self, rule: &DescentRule, from: &StepState) -> Result<(), EngineError> {
        self.rule = *rule;
        let StepState { model, velocity, step } = *from;
        let model = Position::new(model, self.coordinates).at_height(self.height);
        self.state = StepState { model, velocity, step };
        Ok(())
    }

    fn advance(&mut self, rates: &[f64]) -> Result<Vec<Evaluated>, EngineError> {
        let mut rows = Vec::with_capacity(rates.len());
        for &rate in rates {
            let (evaluation, gradient) = self.source.evaluate(&self.state.model)?;
            let mut next = self.state;
            self.rule.step(&mut next, gradient, rate);
            if let Some(fixed) = self.fixed {
                next.model = next.model.keeping(fixed, &self.state.model);
            }
            let StepState { model, velocity, .. } = self.state;
            let (model, height) = (model.affine(), model.height());
            let outcome = self.rule.outcome(&evaluation, model, next.model.affine().is_finite());
            rows.push(Evaluated { model, velocity, height, evaluation, outcome });
            if outcome != StepOutcome::Step {
                break;
            }
            self.state = next;
        }
        Ok(rows)
    }

    fn elements(&self) -> u64 {
        self.source.elements()
    }
}

/// A pass of an engine for every evaluation.
pub(super) struct Passes<'e> {
    engine: &'e mut dyn Engine,
    loss: Loss,
    elements: u64,
}

impl<'e> Passes<'e> {
    /// The passes of this engine over a loss.
    pub(super) fn of_loss(engine: &'e mut dyn Engine, loss: Loss) -> Self {
        Self { engine, loss, elements: 0 }
    }
}

impl Source for Passes<'_> {
    fn evaluate(&mut self, at: &Position) -> Result<(Evaluation, Affine), EngineError> {
        let (evaluation, gradient, elements) = at.pass(self.engine, self.loss)?;
        self.elements = elements;
        Ok((evaluation, gradient))
    }

    fn elements(&self) -> u64 {
        self.elements
    }
}

/// The moments instead of the data: the same evaluations, without another
/// pass.
pub(super) struct Replay {
    quadratic: Quadratic,
    elements: u64,
    weight_sum: f64,
}

impl Replay {
    /// The evaluations of data with these moments.
    pub(super) fn of(moments: &Moments) -> Self {
        Self { quadratic: moments.quadratic(), elements: moments.n, weight_sum: moments.weight_sum }
    }
}

impl Source for Replay {
    #[inline]
    fn evaluate(&mut self, at: &Position) -> Result<(Evaluation, Affine), EngineError> {
        let (mut evaluation, gradient) = at.replay(&self.quadratic);
        // A pass adds up Σr², which overflows before its mean does.
        if (evaluation.loss * self.weight_sum).is_infinite() {
            evaluation.loss = f64::INFINITY;
        }
        Ok((evaluation, gradient))
    }

    fn elements(&self) -> u64 {
        self.elements
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Problem};
    use crate::engine::gpu::{Adapters, Gpu, GpuSettings, Tuning};
    use crate::engine::{Cpu, Reference};

    /// The worked example, T = 2·X + 1 over X = 1, 2, 3, 4, with
    /// ∂L/∂W = 2·(7.5·W + 2.5·b − 17.5) and ∂L/∂b = 2·(2.5·W + b − 6), so that
    /// every number below is exact in binary.
    fn worked_example() -> Problem {
        let x = Array::from_vec("x", &[4], vec![1.0f32, 2.0, 3.0, 4.0]);
        let t = Array::from_vec("t", &[4], vec![3.0f32, 5.0, 7.0, 9.0]);
        Problem::pair(x, t).unwrap()
    }

    /// Runs `check` on each stepper: the host's by passes and by moments, and the
    /// device's in one workgroup and in many.
    fn with_every_stepper(data: &Problem, mut check: impl FnMut(&str, &mut dyn Stepper)) {
        let adapters = Adapters::enumerate();
        let software = adapters.iter().find(|adapter| adapter.is_software());
        let software = software.expect("no software Vulkan adapter: run tests/run.sh, which installs one");
        let few = Tuning::default_for(software);
        let many = Tuning { alone_elements: 0, ..few };
        let gpu = |tuning| Gpu::open_with(software, data, &GpuSettings::tuned(tuning)).unwrap();
        let (mut reference, mut cpu) = (Reference::new(data), Cpu::new(data));
        let moments = reference.all_moments().unwrap();
        let passes = |engine| HostStepper::new(Passes::of_loss(engine, Loss::Squared), Coordinates::Original);
        check("reference", &mut passes(&mut reference));
        check("cpu", &mut passes(&mut cpu));
        check("moments", &mut HostStepper::new(Replay::of(&moments), Coordinates::Original));
        check("one workgroup", &mut gpu(few));
        check("dispatched", &mut gpu(many));
    }

    /// Every evaluation of a descent from 0 with these rates, a call for each
    /// part of the table.
    fn evaluated(stepper: &mut dyn Stepper, rule: &DescentRule, parts: &[&[f64]]) -> Vec<Evaluated> {
        stepper.start(rule, Affine::default()).unwrap();
        parts.iter().flat_map(|rates| stepper.advance(rates).unwrap()).collect()
    }

    /// Two rates, by hand: with 2⁻⁴ from (0, 0), where the gradients are
    /// (−35, −12), to (2.1875, 0.75); with 2⁻⁵ from there, where they are
    /// (1.5625, 0.4375), to (2.1875 − 0.048828125, 0.75 − 0.013671875).
    ///
    /// Likewise with μ = ½ and τ = ¼: the first velocity is the gradient, the
    /// second ½·(−35, −12) + ¾·(1.5625, 0.4375) = (−16.328125, −5.671875), which
    /// leads to (2.1875 + 0.51025390625, 0.75 + 0.17724609375). A velocity lasts
    /// from one call to the next, and not to the next descent.
    #[test]
    fn a_table_of_two_rates_by_hand() {
        let (first, table) = (Affine::new(2.1875, 0.75), [0.0625, 0.031_25, 1.0]);
        let momentum = DescentRule { momentum: 0.5, dampening: 0.25, ..DescentRule::default() };
        with_every_stepper(&worked_example(), |name, stepper| {
            for parts in [&[&table[..]][..], &[&table[..1], &table[1..]]] {
                for (rule, second) in [
                    (momentum, Affine::new(2.697_753_906_25, 0.927_246_093_75)),
                    (DescentRule::default(), Affine::new(2.138_671_875, 0.736_328_125)),
                    (momentum, Affine::new(2.697_753_906_25, 0.927_246_093_75)),
                ] {
                    let rows = evaluated(stepper, &rule, parts);
                    let models: Vec<_> = rows.iter().map(|row| row.model).collect();
                    assert_eq!(models, [Affine::default(), first, second], "{name}, {parts:?}");
                }
            }
            assert_eq!(stepper.elements(), 4, "{name}");
        });
    }

    /// A descent with rates and a momentum of many digits over data of many:
    /// every state of every stepper, and where it stops and stays.
    #[test]
    fn every_stepper_goes_through_the_same_states() {
        let n = 1_003u16;
        let x: Vec<f32> = (0..n).map(|k| 0.3 + f32::from(k * 37 % 101) / 70.0).collect();
        let t = x.iter().zip(0..n).map(|(x, k)| 1.7 * x - 0.4 + f32::from(k % 5) / 9.0).collect::<Vec<f32>>();
        let column = |label, values| Array::from_vec(label, &[n.into()], values);
        let data = Problem::pair(column("x", x), column("t", t)).unwrap();
        let rates: Vec<f64> = (0..400).map(|step| 0.21 / (1.0 + f64::from(step) / 300.0)).collect();
        let numbers = |row: &Evaluated| {
            let Evaluated { model: Affine { weight, bias }, evaluation, .. } = *row;
            [weight, bias, evaluation.loss, evaluation.grad_weight, evaluation.grad_bias]
        };
        // The tolerance of b ends the first and the last, that of W the second.
        for (momentum, tolerance) in [(0.0, [1e-2, 1e-4]), (0.0, [1e-4, 1e-2]), (0.7, [1e-2, 1e-4])] {
            let rule = DescentRule { momentum, dampening: 0.1, tolerance, ..DescentRule::default() };
            let mut want = Vec::new();
            with_every_stepper(&data, |name, stepper| {
                let rows = evaluated(stepper, &rule, &[&rates[..1], &rates[1..8], &rates[8..]]);
                let last = rows.last().unwrap();
                assert_eq!(last.outcome, StepOutcome::Tolerance, "{name}");
                assert_eq!(stepper.advance(&rates[..3]).unwrap(), [*last], "{name}: it moved after the stop");
                if want.is_empty() {
                    want.clone_from(&rows);
                }
                assert!(
                    (20..400).contains(&rows.len()) && rows.len() == want.len(),
                    "{name}, {}",
                    rows.len()
                );
                for (step, (got, want)) in rows.iter().zip(&want).enumerate() {
                    assert_eq!(got.outcome, want.outcome, "{name}, step {step}");
                    for (got, want) in numbers(got).into_iter().zip(numbers(want)) {
                        assert!((got - want).abs() <= 1e-6, "{name}, step {step}: {got} for {want}");
                    }
                }
            });
        }
    }
}
