use serde::{Deserialize, Serialize};

use super::number;

/// The model Y = X·W + b: a weight and a bias, both scalars, applied to every
/// element.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Affine {
    /// The weight W (slope, gain, scale).
    #[serde(with = "number")]
    pub weight: f64,
    /// The bias b (intercept, offset).
    #[serde(with = "number")]
    pub bias: f64,
}

impl Affine {
    /// A model with this weight and this bias.
    #[must_use]
    pub const fn new(weight: f64, bias: f64) -> Self {
        Self { weight, bias }
    }

    /// The prediction y = x·W + b for one element.
    #[must_use]
    pub fn apply(self, x: f64) -> f64 {
        x * self.weight + self.bias
    }

    /// Whether both parameters are finite numbers.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.weight.is_finite() && self.bias.is_finite()
    }
}
