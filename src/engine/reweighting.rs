use crate::array::Problem;
use crate::math::{Affine, RobustWeight, exponent_of, scaled};

/// The weights of reweighted least squares: of a residual r at a W and b,
/// ω(|r|/scale).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reweighting {
    /// W and b.
    pub model: Affine,
    /// The scale of the residuals, above 0.
    pub scale: f64,
    /// ω.
    pub weight: RobustWeight,
}

impl Reweighting {
    /// The weight of a residual that is read times 2ᵉ.
    pub(super) fn of(&self, residual: f64, exponent: i32) -> f64 {
        self.weight.of(scaled(residual.abs(), -exponent) / self.scale)
    }
}

/// Sample weights as whole numbers, of which the sum of all stays within 64 bits:
/// counts of them are the same in any order. Each is rounded to 2⁻⁶¹ of the sum of
/// all or so; 1 where there are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct WholeWeights {
    factor: f64,
}

impl WholeWeights {
    pub(super) fn of(data: &Problem) -> Self {
        const SUM_EXPONENT: i32 = 61;
        let factor = match data.weights() {
            None => 1.0,
            Some(_) => scaled(1.0, SUM_EXPONENT - exponent_of(data.weight_sum())),
        };
        Self { factor }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "weights are not negative, and at most their sum"
    )]
    pub(super) fn whole(self, weight: f64) -> u64 {
        // To the nearest, without a call of a function.
        (weight * self.factor + 0.5) as u64
    }
}
