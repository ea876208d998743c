use super::{Coordinates, GradientDescent};
use crate::math::{Curvature, Moments};

/// The way of a descent, known before its first step: along each
/// eigenvector of the Hessian the gradient shrinks by 1 − η·λ a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// For each eigenvector the factor of a step, and the part of the first
    /// gradient along it (∂L/∂W, ∂L/∂b).
    parts: [(Factor, [f64; 2]); 2],
    curvature: Curvature,
    rate: f64,
}

impl Forecast {
    /// The forecast of a descent over data with these moments, where the loss
    /// curves so in its coordinates.
    #[must_use]
    pub fn new(descent: &GradientDescent, moments: &Moments, curvature: Curvature) -> Self {
        let GradientDescent { start, learning_rate: rate, .. } = *descent;
        let quadratic = moments.quadratic();
        let parts = match descent.coordinates {
            Coordinates::Original => {
                // By way of the distance from the optimum: in the gradient
                // itself, the part along the smaller eigenvalue is lost.
                let optimum = quadratic.optimum();
                let off = [start.weight - optimum.weight, start.bias - optimum.bias];
                curvature.directions().map(|(value, [w, b])| {
                    let along = value * (off[0] * w + off[1] * b);
                    (Factor::new(rate, value), [along * w, along * b])
                })
            }
            Coordinates::Standardized { .. } => {
                let factor = Factor::new(rate, curvature.largest);
                let first = quadratic.evaluate(start);
                [(factor, [first.grad_weight, first.grad_bias]), (factor, [0.0; 2])]
            }
        };
        Self { parts, curvature, rate }
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
            along.map(|(factor, part)| part[axis].abs() * factor.after(steps)).sum::<f64>()
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

    /// The factor by which so many steps multiply the slowest error.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a factor for people")]
    pub fn error_factor(&self, steps: u64) -> f64 {
        self.curvature.contraction(self.rate).powf(steps as f64)
    }
}

/// |1 − η·λ|, by its logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Factor(f64);

impl Factor {
    fn new(rate: f64, value: f64) -> Self {
        let step = rate * value;
        Self(if step < 1.0 { (-step).ln_1p() } else { (step - 1.0).ln() })
    }

    #[expect(clippy::cast_precision_loss, reason = "steps beyond 2^53 are never made")]
    fn after(self, steps: u64) -> f64 {
        // 0·(−∞) for the factor 0 after no step.
        if steps == 0 { 1.0 } else { (steps as f64 * self.0).exp() }
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
            let forecast = Forecast::new(&sgd, &moments, coordinates.curvature(&moments).unwrap());
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

    #[test]
    fn what_never_happens_is_not_foretold() {
        let data = data();
        let moments = Reference::new(&data).all_moments().unwrap();
        let curvature = Coordinates::Original.curvature(&moments).unwrap();
        let forecast = |learning_rate| {
            let descent = GradientDescent { learning_rate, ..GradientDescent::default() };
            Forecast::new(&descent, &moments, curvature)
        };
        let bound = curvature.rate_bound();
        assert_eq!(forecast(bound * 1.01).steps_to(1e-6), None);
        assert!(forecast(bound * 1.01).error_factor(1_000) > 1.0);
        assert!(forecast(bound * 0.99).steps_to(1e-6).is_some());
        assert_eq!(forecast(bound / 2.0).steps_to(1e6), Some(0));
    }
}
