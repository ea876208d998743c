use super::FitError;
use crate::engine::{DescentRule, Digits, Engine, EngineError, Evaluated, StepOutcome};
use crate::math::{
    Affine, Curvature, Double, Evaluation, Line, Moments, Quadratic, Slopes, exponent_of, scaled,
};

/// The coordinates in which a descent steps.
///
/// W and b, the loss and its gradients, and with them the tolerance, are
/// always those of the data as they are; only the direction and the length of
/// the steps depend on this.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Coordinates {
    /// W and b themselves.
    #[default]
    Original,
    /// Those of (x − x̄)/σx and (t − t̄)/σt, in which the loss curves alike in
    /// every direction, so that every learning rate below 1 converges.
    ///
    /// With w·σt/σx = W and t̄ + σt·b' − W·x̄ = b, a step of gradient descent
    /// in (w, b') moves W by −η·(∂L/∂W − x̄·∂L/∂b)/σx² and the prediction at
    /// x̄, W·x̄ + b, by −η·∂L/∂b: σt drops out. ∂L/∂W − x̄·∂L/∂b is
    /// (2/N)·Σ r·(x − x̄), in which the height of the line cancels: passes add
    /// it up as such about (x̄, t̄), because as a difference it would lose
    /// (x̄/σx)² roundings. W and the prediction at x̄ are what is held; b follows
    /// from them.
    Standardized {
        /// x̄.
        x_mean: Double,
        /// t̄.
        t_mean: Double,
        /// σx², the mean of (x − x̄)², in the units of the moments.
        x_variance: f64,
        /// The powers of two of these units: of X and of T.
        units: [i32; 2],
    },
}

impl Coordinates {
    /// The standardized coordinates of data with these moments.
    ///
    /// # Errors
    /// [`FitError::NoSpread`] if all x are equal; [`FitError::MomentsOverflow`].
    pub fn standardized(moments: &Moments) -> Result<Self, FitError> {
        if !moments.is_finite() {
            return Err(FitError::MomentsOverflow);
        }
        let x_variance = moments.xx / moments.weight_sum;
        if x_variance == 0.0 {
            return Err(FitError::NoSpread(moments.x_mean));
        }
        Ok(Self::Standardized {
            x_mean: moments.x_centre(),
            t_mean: moments.t_centre(),
            x_variance,
            units: moments.units(),
        })
    }

    /// How the loss curves in these coordinates; `None` if that overflows.
    #[must_use]
    pub fn curvature(self, moments: &Moments) -> Option<Curvature> {
        let curvature = match self {
            Self::Original => moments.quadratic().curvature(),
            Self::Standardized { .. } => Curvature::STANDARDIZED,
        };
        (moments.is_finite() && curvature.largest.is_finite()).then_some(curvature)
    }
}

/// Where a descent is, and how it goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    coordinates: Coordinates,
    model: Affine,
    /// The prediction at x̄, which unlike b loses no digits to W·x̄; only in
    /// standardized coordinates.
    centre: Double,
}

impl Position {
    pub(super) fn new(start: Affine, coordinates: Coordinates) -> Self {
        let centre = match coordinates {
            Coordinates::Original => Double::default(),
            Coordinates::Standardized { x_mean, .. } => x_mean.times(start.weight).plus(start.bias),
        };
        Self { coordinates, model: start, centre }
    }

    /// W and b here.
    #[cfg(test)]
    pub(super) fn model(&self) -> Affine {
        self.model
    }

    /// What a pass finds here, and the number of elements.
    pub(super) fn pass(&self, engine: &mut dyn Engine) -> Result<(Slopes, u64), EngineError> {
        match self.coordinates {
            Coordinates::Original => {
                let sums = engine.loss_sums_at(self.model)?;
                Ok((Slopes { evaluation: Evaluation::from_sums(&sums), weight: 0.0 }, sums.n))
            }
            Coordinates::Standardized { x_mean, t_mean, x_variance, units } => {
                let high = self.centre.minus(t_mean).value();
                let units = units_at(self.model.weight, high, x_variance, units);
                let line = Line { weight: self.model.weight.into(), x: x_mean, y: t_mean, units };
                let sums = engine.sums_about(&line, Digits::Usual)?;
                let weight = Evaluation::from_sums(&sums).grad_weight / x_variance;
                let evaluation = line.evaluation(&sums.raised(scaled(high, units[1])));
                Ok((Slopes { evaluation, weight: scaled(weight, units[0] - units[1]) }, sums.n))
            }
        }
    }

    /// The same from the moments.
    #[inline]
    pub(super) fn slopes(&self, quadratic: &Quadratic) -> Slopes {
        match self.coordinates {
            Coordinates::Original => Slopes { evaluation: quadratic.evaluate(self.model), weight: 0.0 },
            Coordinates::Standardized { t_mean, .. } => {
                quadratic.evaluate_about(self.model.weight, self.centre.minus(t_mean).value())
            }
        }
    }

    /// What was found here, and whether a step follows; if so, takes it.
    #[inline]
    pub(super) fn advance(&mut self, slopes: Slopes, rule: &DescentRule) -> Evaluated {
        let (model, evaluation) = (self.model, slopes.evaluation);
        let next = self.stepped(&slopes, rule.learning_rate);
        let onward = if !evaluation.is_finite() {
            StepOutcome::Diverged
        } else if rule.tolerates(&evaluation) {
            StepOutcome::Tolerance
        } else if !next.model.is_finite() {
            StepOutcome::Diverged
        } else {
            *self = next;
            StepOutcome::Step
        };
        Evaluated { model, evaluation, onward }
    }

    #[inline]
    fn stepped(self, slopes: &Slopes, learning_rate: f64) -> Self {
        let evaluation = &slopes.evaluation;
        match self.coordinates {
            Coordinates::Original => Self { model: self.model.descend(evaluation, learning_rate), ..self },
            Coordinates::Standardized { x_mean, .. } => {
                let weight = self.model.weight - learning_rate * slopes.weight;
                let centre = self.centre.minus(learning_rate * evaluation.grad_bias);
                let bias = centre.minus(x_mean.times(weight)).value();
                Self { model: Affine { weight, bias }, centre, ..self }
            }
        }
    }
}

/// The powers of two of the units in which residuals of a line are summed that
/// goes by `high` above the point of the means: those of the moments, unless X
/// or T are so small that the line is large in them.
pub(super) fn units_at(weight: f64, high: f64, x_variance: f64, units: [i32; 2]) -> [i32; 2] {
    /// Squares of numbers within this power of two of 1 are within f64.
    const SAFE: i32 = 400;
    if units == [0; 2] {
        return units;
    }
    let size = |value: f64| if value == 0.0 { i32::MIN / 2 } else { exponent_of(value) };
    let rise = size(weight) + exponent_of(x_variance) / 2 - units[0];
    let parts = rise.max(size(high)).max(-units[1]);
    [units[0], if parts.abs() > SAFE { -parts } else { 0 }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::PivotSums;

    /// X = 1, 2, 3, 4, T = 2·X + 1 (x̄ = 2.5, σx² = 1.25, t̄ = 6, σt² = 5) from
    /// W = b = 0 with η = ¼. Standardized, w = 0 and b' = −6/√5, the optimum
    /// is (1, 0) and each error halves: w = ½ and b' = −3/√5, which is
    /// W = ½·√5/√1.25 = 1 and b = 6 − 3 − 2.5 = 0.5.
    #[test]
    fn a_standardized_step_by_hand() {
        let (n, weight_sum, x_pivot, t_pivot) = (4, 4.0, 1.0, 3.0);
        let (x, t, xx, xt, tt) = (6.0, 12.0, 14.0, 28.0, 56.0);
        let sums = PivotSums { n, weight_sum, x_pivot, t_pivot, x, t, xx, xt, tt };
        let moments = Moments::from_pivot_sums(&sums);
        let coordinates = Coordinates::standardized(&moments).unwrap();
        let rule = DescentRule { start: Affine::default(), learning_rate: 0.25, tolerance: [0.0; 2] };
        let mut position = Position::new(rule.start, coordinates);
        let slopes = |position: &Position| position.slopes(&moments.quadratic());
        let first = position.advance(slopes(&position), &rule);
        assert_eq!((first.model, first.onward), (Affine::default(), StepOutcome::Step));
        assert_eq!(first.evaluation, Evaluation { loss: 41.0, grad_weight: -35.0, grad_bias: -12.0 });
        assert_eq!(position.model(), Affine::new(1.0, 0.5));
        // With η = ½ the next step is the last.
        let last = DescentRule { learning_rate: 0.5, ..rule };
        position.advance(slopes(&position), &last);
        assert_eq!(position.model(), Affine::new(2.0, 1.0));
    }
}
