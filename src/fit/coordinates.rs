use super::FitError;
use super::parameter::Parameter;
use crate::engine::{Digits, Engine, EngineError, Movable};
use crate::math::{
    Affine, Curvature, Double, Evaluation, Line, Loss, Moments, Quadratic, Slopes, exponent_of, scaled,
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
    /// W and b of (x − x̄)/σx and (t − t̄)/σt, in which the loss curves alike in
    /// every direction, so that every learning rate below 1 converges.
    ///
    /// Since w·σt/σx = W and t̄ + σt·b' − W·x̄ = b, a step of gradient descent
    /// in (w, b') moves W by −η·(∂L/∂W − x̄·∂L/∂b)/σx² and the prediction at
    /// x̄, W·x̄ + b, by −η·∂L/∂b: σt drops out. ∂L/∂W − x̄·∂L/∂b is
    /// (2/N)·Σ r·(x − x̄), in which the height of the line cancels: passes add
    /// it up as such about (x̄, t̄), because as a difference it would lose
    /// (x̄/σx)² roundings. A position is W and the prediction at x̄; b follows
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
            return Err(FitError::NoSpread(moments.x_mean()));
        }
        Ok(Self::Standardized {
            x_mean: moments.x_mean_double(),
            t_mean: moments.t_mean_double(),
            x_variance,
            units: moments.units(),
        })
    }

    /// The curvature of the loss in these coordinates; `None` if that overflows.
    #[must_use]
    pub fn curvature(self, moments: &Moments) -> Option<Curvature> {
        let curvature = match self {
            Self::Original => moments.quadratic().curvature(),
            Self::Standardized { .. } => Curvature::STANDARDIZED,
        };
        (moments.is_finite() && curvature.largest.is_finite()).then_some(curvature)
    }
}

/// W and b as a descent holds them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    coordinates: Coordinates,
    model: Affine,
    /// The prediction at x̄, which unlike b loses no digits to W·x̄; only in
    /// standardized coordinates.
    height: Double,
}

impl Position {
    /// These W and b.
    pub(super) fn new(model: Affine, coordinates: Coordinates) -> Self {
        let height = match coordinates {
            Coordinates::Original => Double::default(),
            Coordinates::Standardized { x_mean, .. } => x_mean.times(model.weight).plus(model.bias),
        };
        Self { coordinates, model, height }
    }

    /// The same W with this prediction at x̄, in coordinates that hold it.
    pub(super) fn at_height(self, height: Option<Double>) -> Self {
        match (self.coordinates, height) {
            (Coordinates::Standardized { .. }, Some(height)) => Self { height, ..self },
            _ => self,
        }
    }

    /// The prediction at x̄, in coordinates that hold it.
    #[inline]
    pub(super) fn height(&self) -> Option<Double> {
        (self.coordinates != Coordinates::Original).then_some(self.height)
    }

    /// The same with a parameter of another position, in original coordinates.
    pub(super) fn keeping(self, fixed: Parameter, of: &Self) -> Self {
        let model = match fixed {
            Parameter::Weight => Affine { weight: of.model.weight, ..self.model },
            Parameter::Bias => Affine { bias: of.model.bias, ..self.model },
        };
        Self { model, ..self }
    }

    /// W and b, each the nearest f64.
    pub(super) fn affine(&self) -> Affine {
        self.model
    }

    /// The loss, in standardized coordinates the squared one, and its gradients here by
    /// a pass, the gradient in these coordinates,
    /// and the number of elements.
    pub(super) fn pass(
        &self,
        engine: &mut dyn Engine,
        loss: Loss,
    ) -> Result<(Evaluation, Affine, u64), EngineError> {
        match self.coordinates {
            Coordinates::Original => {
                let sums = engine.sums_of_loss(self.model, loss)?;
                let evaluation = Evaluation::from_sums(&sums);
                Ok((evaluation, evaluation.gradient(), sums.n))
            }
            Coordinates::Standardized { x_mean, t_mean, x_variance, units } => {
                let high = self.height.minus(t_mean).value();
                let line_units = units_at(self.model.weight, high, x_variance, units);
                let line = Line { weight: self.model.weight.into(), x: x_mean, y: t_mean, units: line_units };
                let sums = engine.sums_about(&line, Digits::Usual)?;
                let slope = Evaluation::from_sums(&sums).grad_weight / x_variance;
                let evaluation = line.evaluation(&sums.raised(scaled(high, line_units[1])));
                let weight = scaled(slope, line_units[0] - line_units[1]);
                Ok((evaluation, Affine { weight, bias: evaluation.grad_bias }, sums.n))
            }
        }
    }

    /// Loss and gradients here from the moments, and the gradient in these
    /// coordinates.
    #[inline]
    pub(super) fn replay(&self, quadratic: &Quadratic) -> (Evaluation, Affine) {
        match self.coordinates {
            Coordinates::Original => {
                let evaluation = quadratic.evaluate(self.model);
                (evaluation, evaluation.gradient())
            }
            Coordinates::Standardized { t_mean, .. } => {
                let Slopes { evaluation, weight } =
                    quadratic.evaluate_about(self.model.weight, self.height.minus(t_mean).value());
                (evaluation, Affine { weight, bias: evaluation.grad_bias })
            }
        }
    }
}

impl Movable for Position {
    #[inline]
    fn moved(self, by: Affine) -> Self {
        match self.coordinates {
            Coordinates::Original => Self { model: self.model.moved(by), ..self },
            Coordinates::Standardized { x_mean, .. } => {
                let weight = self.model.weight + by.weight;
                let height = self.height.plus(by.bias);
                let bias = height.minus(x_mean.times(weight)).value();
                Self { model: Affine { weight, bias }, height, ..self }
            }
        }
    }

    /// In the original coordinates: settings with a decay refuse others.
    #[inline]
    fn decaying(&self) -> Affine {
        self.model
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
    use super::super::host::{HostStepper, Replay};
    use super::*;
    use crate::engine::{DescentRule, Stepper};
    use crate::math::ShiftedSums;

    /// X = 1, 2, 3, 4, T = 2·X + 1 (x̄ = 2.5, σx² = 1.25, t̄ = 6, σt² = 5) from
    /// W = b = 0 with η = ¼. Standardized, w = 0 and b' = −6/√5, the optimum
    /// is (1, 0) and each error halves: w = ½ and b' = −3/√5, which is
    /// W = ½·√5/√1.25 = 1 and b = 6 − 3 − 2.5 = 0.5.
    #[test]
    fn a_standardized_step_by_hand() {
        let (n, weight_sum, x_shift, t_shift) = (4, 4.0, 1.0, 3.0);
        let (x, t, xx, xt, tt) = (6.0, 12.0, 14.0, 28.0, 56.0);
        let sums = ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt };
        let moments = Moments::from_shifted_sums(&sums);
        let coordinates = Coordinates::standardized(&moments).unwrap();
        let mut stepper = HostStepper::new(Replay::of(&moments), coordinates);
        stepper.start(&DescentRule::default(), Affine::default()).unwrap();
        // With η = ½ the next step is the last.
        let rows = stepper.advance(&[0.25, 0.5, 0.5]).unwrap();
        assert_eq!(rows[0].evaluation, Evaluation { loss: 41.0, grad_weight: -35.0, grad_bias: -12.0 });
        let models: Vec<_> = rows.iter().map(|row| row.model).collect();
        assert_eq!(models, [Affine::default(), Affine::new(1.0, 0.5), Affine::new(2.0, 1.0)]);
    }
}
