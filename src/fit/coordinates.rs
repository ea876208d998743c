use super::FitError;
use crate::engine::{DescentRule, Evaluated, Onward};
use crate::math::{Affine, Curvature, Evaluation, Moments};

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
    /// x̄, W·x̄ + b, by −η·∂L/∂b: σt drops out. Of ∂L/∂W − x̄·∂L/∂b, which is
    /// (2/N)·Σ r·(x − x̄), about (x̄/σx)² roundings of the sums are lost while
    /// the residuals have a mean, and x̄/σx once they have none: with f64 sums
    /// of no account, with f32 sums not.
    Standardized {
        /// x̄.
        x_mean: f64,
        /// σx², the mean of (x − x̄)².
        x_variance: f64,
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
        Ok(Self::Standardized { x_mean: moments.x_mean, x_variance })
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
    centre: f64,
}

impl Position {
    pub(super) fn new(start: Affine, coordinates: Coordinates) -> Self {
        let centre = match coordinates {
            Coordinates::Original => 0.0,
            Coordinates::Standardized { x_mean, .. } => start.apply(x_mean),
        };
        Self { coordinates, model: start, centre }
    }

    /// W and b here.
    pub(super) fn model(&self) -> Affine {
        self.model
    }

    /// What was found here, and whether a step follows; if so, takes it.
    #[inline]
    pub(super) fn advance(&mut self, evaluation: Evaluation, rule: &DescentRule) -> Evaluated {
        let model = self.model;
        let next = self.stepped(&evaluation, rule.learning_rate);
        let onward = if !evaluation.is_finite() {
            Onward::Diverged
        } else if rule.tolerance > 0.0 && evaluation.gradient_norm() <= rule.tolerance {
            Onward::Tolerance
        } else if !next.model.is_finite() {
            Onward::Diverged
        } else {
            *self = next;
            Onward::Step
        };
        Evaluated { model, evaluation, onward }
    }

    #[inline]
    fn stepped(self, evaluation: &Evaluation, learning_rate: f64) -> Self {
        match self.coordinates {
            Coordinates::Original => Self { model: self.model.descend(evaluation, learning_rate), ..self },
            Coordinates::Standardized { x_mean, x_variance } => {
                let slope = (evaluation.grad_weight - x_mean * evaluation.grad_bias) / x_variance;
                let weight = self.model.weight - learning_rate * slope;
                let centre = self.centre - learning_rate * evaluation.grad_bias;
                Self { model: Affine { weight, bias: centre - weight * x_mean }, centre, ..self }
            }
        }
    }
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
        let rule = DescentRule { start: Affine::default(), learning_rate: 0.25, tolerance: 0.0 };
        let mut position = Position::new(rule.start, coordinates);
        let first = position.advance(moments.quadratic().evaluate(position.model()), &rule);
        assert_eq!((first.model, first.onward), (Affine::default(), Onward::Step));
        assert_eq!(first.evaluation, Evaluation { loss: 41.0, grad_weight: -35.0, grad_bias: -12.0 });
        assert_eq!(position.model(), Affine::new(1.0, 0.5));
        // With η = ½ the next step is the last.
        let last = DescentRule { learning_rate: 0.5, ..rule };
        position.advance(moments.quadratic().evaluate(position.model()), &last);
        assert_eq!(position.model(), Affine::new(2.0, 1.0));
    }
}
