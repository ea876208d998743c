use super::modes::Mode;
use super::{Coordinates, GradientDescent};
use crate::math::{Affine, Curvature, Moments};

/// The way of a descent with one learning rate, known before its first step: along
/// each eigenvector of the Hessian the gradient shrinks in a way of its own, without
/// momentum by 1 − η·λ a step.
///
/// A weight decay is part of the gradients here, as it is of those that a tolerance
/// is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// For each eigenvector its mode, and the part of the first gradient along
    /// it (∂L/∂W, ∂L/∂b).
    parts: [(Mode, [f64; 2]); 2],
    /// The logarithm of the factor by which a step multiplies the slowest error.
    log_factor: f64,
}

impl Forecast {
    /// The forecast of a descent over data with these moments, where the loss
    /// curves so in its coordinates; `None` where none can be made: for a schedule of
    /// rates, and for a descent that goes on with a velocity.
    #[must_use]
    pub fn new(descent: &GradientDescent, moments: &Moments, curvature: Curvature) -> Option<Self> {
        let has_velocity = descent.momentum != 0.0 && descent.progress.velocity != Affine::default();
        if has_velocity || !descent.schedule.is_constant() {
            return None;
        }
        let GradientDescent { start, learning_rate: rate, weight_decay, .. } = *descent;
        let quadratic = moments.quadratic();
        let rule = descent.rule();
        let mode = |value: f64| Mode::of(&rule, rate, value + weight_decay);
        let parts = match descent.coordinates {
            Coordinates::Original => {
                // By way of the distance from the optimum: in the gradient
                // itself, the part along the smaller eigenvalue is lost.
                let optimum = quadratic.optimum();
                curvature.directions().map(|(value, [w, b])| {
                    let along = |at: Affine| at.weight * w + at.bias * b;
                    let off =
                        Affine { weight: start.weight - optimum.weight, bias: start.bias - optimum.bias };
                    let slope = value * along(off) + weight_decay * along(start);
                    (mode(value), [slope * w, slope * b])
                })
            }
            Coordinates::Standardized { .. } => {
                let first = quadratic.evaluate(start);
                let mode = mode(curvature.largest);
                [(mode, [first.grad_weight, first.grad_bias]), (mode, [0.0; 2])]
            }
        };
        let smallest = curvature.smallest + weight_decay;
        let slowest = if smallest > 0.0 { mode(curvature.smallest) } else { mode(curvature.largest) };
        let log_factor = mode(curvature.largest).log_radius().max(slowest.log_radius());
        Some(Self { parts, log_factor })
    }

    /// A bound of max(|∂L/∂W|, |∂L/∂b|) after so many steps, rounding aside;
    /// close to it once one of the two parts is alone.
    #[must_use]
    pub fn gradient_norm(&self, steps: u64) -> f64 {
        let [weight, bias] = self.gradients(steps);
        weight.max(bias)
    }

    /// A bound of each of the two.
    fn gradients(&self, steps: u64) -> [f64; 2] {
        [0, 1].map(|axis: usize| {
            let along = self.parts.iter().filter(|(_, part)| part[axis] != 0.0);
            along.map(|(mode, part)| part[axis].abs() * mode.bound(steps)).sum::<f64>()
        })
    }

    /// The steps after which the gradients are within the tolerance, at most,
    /// rounding aside; `None` if they never are.
    #[must_use]
    pub fn steps_to(&self, tolerance: f64) -> Option<u64> {
        self.steps_within([tolerance; 2])
    }

    /// The steps after which each of the two is within its tolerance.
    #[must_use]
    pub fn steps_within(&self, tolerances: [f64; 2]) -> Option<u64> {
        const MOST: u64 = 1 << 52;
        let reached = |steps| {
            let gradients = self.gradients(steps);
            gradients.iter().zip(&tolerances).all(|(gradient, tolerance)| gradient <= tolerance)
        };
        if !reached(MOST) {
            return None;
        }
        let (mut before, mut at) = (0, MOST);
        while before < at {
            let middle = before.midpoint(at);
            if reached(middle) { at = middle } else { before = middle + 1 }
        }
        Some(at)
    }

    /// The factor by which so many steps multiply the slowest error in the long run.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a factor for people")]
    pub fn error_factor(&self, steps: u64) -> f64 {
        (steps as f64 * self.log_factor).exp()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::array::{Array, Problem};
    use crate::engine::{Engine, Reference};
    use crate::math::Affine;

    fn data() -> Problem {
        let x: Vec<f64> = (0..40).map(|k| 0.5 + f64::from(k * 17 % 40) / 20.0).collect();
        let t = (0..40).zip(&x).map(|(k, x)| 1.5 * x - 2.0 + f64::from(k % 3) * 0.1).collect();
        Problem::pair(Array::from_vec("x", &[40], x), Array::from_vec("t", &[40], t)).unwrap()
    }

    #[test]
    fn a_descent_takes_the_steps_that_were_foretold() {
        let data = data();
        let moments = Reference::new(&data).all_moments().unwrap();
        let standardized = Coordinates::standardized(&moments).unwrap();
        for (coordinates, learning_rate) in [
            (Coordinates::Original, 0.05),
            (Coordinates::Original, 0.28),
            (standardized, 0.1),
            (standardized, 0.9),
        ] {
            let start = Affine::new(-1.0, 3.0);
            let sgd = GradientDescent {
                learning_rate,
                coordinates,
                start,
                tolerance: 1e-9,
                steps: 1_000_000,
                ..GradientDescent::default()
            };
            let forecast = Forecast::new(&sgd, &moments, coordinates.curvature(&moments).unwrap()).unwrap();
            let mut last = 0.0;
            let fit = sgd.fit(&mut Reference::new(&data), &mut |state| {
                let bound = forecast.gradient_norm(state.step);
                last = state.evaluation.gradient_norm();
                assert!(last <= bound * (1.0 + 1e-4) + 1e-13, "{coordinates:?}, {state:?}: {bound:e}");
                ControlFlow::Continue(())
            });
            let steps = fit.unwrap().steps;
            let foretold = forecast.steps_to(1e-9).unwrap();
            assert!(steps > 5 && foretold.abs_diff(steps) <= 1 + steps / 1000, "{foretold} for {steps}");
        }
    }

    /// A momentum has a bound foretold, which is close where its waves do not go
    /// through 0: within a fifth.
    #[test]
    fn a_descent_with_momentum_or_decay_takes_no_more_than_the_steps_foretold() {
        let data = data();
        let moments = Reference::new(&data).all_moments().unwrap();
        let curvature = Coordinates::Original.curvature(&moments).unwrap();
        let start = Affine::new(-1.0, 3.0);
        let settings =
            GradientDescent { start, tolerance: 1e-9, steps: 1_000_000, ..GradientDescent::default() };
        for sgd in [
            GradientDescent { learning_rate: 0.02, momentum: 0.9, ..settings },
            GradientDescent { learning_rate: 0.02, momentum: 0.5, dampening: 0.3, ..settings },
            GradientDescent { learning_rate: 0.05, momentum: 0.9, nesterov: true, ..settings },
            GradientDescent { learning_rate: 0.05, weight_decay: 0.1, ..settings },
            GradientDescent { learning_rate: 0.05, momentum: 0.8, weight_decay: 0.1, ..settings },
            settings.with_best_momentum(&curvature),
        ] {
            let forecast = Forecast::new(&sgd, &moments, curvature).unwrap();
            let rule = sgd.rule();
            let fit = sgd.fit(&mut Reference::new(&data), &mut |state| {
                let bound = forecast.gradient_norm(state.step);
                let outcome = rule.outcome(&state.evaluation, state.model, true);
                let gradient = state.evaluation.gradient();
                let weight = gradient.weight + sgd.weight_decay * state.model.weight;
                let bias = gradient.bias + sgd.weight_decay * state.model.bias;
                let norm = weight.abs().max(bias.abs());
                assert_eq!(outcome == crate::engine::StepOutcome::Tolerance, norm <= 1e-9);
                assert!(norm <= bound * (1.0 + 1e-4) + 1e-13, "{sgd:?}, {state:?}: {bound:e}");
                ControlFlow::Continue(())
            });
            let steps = fit.unwrap().steps;
            let foretold = forecast.steps_to(1e-9).unwrap();
            assert!(steps > 20 && steps <= foretold + 1, "{foretold} for {steps}: {sgd:?}");
            assert!(foretold < steps + steps / 5 + 5, "{foretold} for {steps}: {sgd:?}");
        }
        let scheduled = GradientDescent { schedule: "step:10:0.5".parse().unwrap(), ..settings };
        assert_eq!(Forecast::new(&scheduled, &moments, curvature), None);
        let velocity = Affine::new(1.0, 0.0);
        let progress = crate::fit::Progress { velocity, ..crate::fit::Progress::default() };
        let going = GradientDescent { progress, momentum: 0.5, ..settings };
        assert_eq!(Forecast::new(&going, &moments, curvature), None);
    }

    #[test]
    fn what_never_happens_is_not_foretold() {
        let data = data();
        let moments = Reference::new(&data).all_moments().unwrap();
        let curvature = Coordinates::Original.curvature(&moments).unwrap();
        let forecast = |learning_rate| {
            let descent = GradientDescent { learning_rate, ..GradientDescent::default() };
            Forecast::new(&descent, &moments, curvature).unwrap()
        };
        let bound = curvature.rate_bound();
        assert_eq!(forecast(bound * 1.01).steps_to(1e-6), None);
        assert!(forecast(bound * 1.01).error_factor(1_000) > 1.0);
        assert!(forecast(bound * 0.99).steps_to(1e-6).is_some());
        assert_eq!(forecast(bound / 2.0).steps_to(1e6), Some(0));
    }
}
