use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{number, scaled};

/// The loss ρ of a residual r, of which the mean is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// ρ = r².
    #[default]
    Squared,
    /// ρ = r² where |r| ≤ δ, and 2δ|r| − δ² beyond (P. J. Huber, 1964): twice
    /// `torch.nn.HuberLoss`, so that inside it is the squared loss.
    Huber {
        /// δ > 0, in units of T.
        #[serde(with = "number")]
        delta: f64,
    },
}

impl Loss {
    /// ρ and ρ′/2 of a residual.
    #[must_use]
    pub fn of(self, r: f64) -> [f64; 2] {
        let slope = self.half_slope(r);
        [slope * self.cofactor(r, slope), slope]
    }

    /// ρ′/2 of a residual: Huber's is c, the residual clamped to ±δ. Twins:
    /// `shared/loss_squared.wgsl` and `shared/loss_huber.wgsl`.
    fn half_slope(self, r: f64) -> f64 {
        match self {
            Self::Squared => r,
            Self::Huber { delta } => r.clamp(-delta, delta),
        }
    }

    /// What ρ′/2 is multiplied by to make ρ: Huber's is c·(2r − c).
    fn cofactor(self, r: f64, slope: f64) -> f64 {
        match self {
            Self::Squared => r,
            Self::Huber { .. } => r + (r - slope),
        }
    }

    /// The loss of residuals that are given times 2ᵉ, times 2²ᵉ.
    #[must_use]
    pub fn in_units(self, exponent: i32) -> Self {
        match self {
            Self::Squared => self,
            Self::Huber { delta } => Self::Huber { delta: scaled(delta, exponent) },
        }
    }
}

/// The reason why a text names no loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected mse, or huber:DELTA with a positive number for DELTA")]
pub struct LossError;

impl FromStr for Loss {
    type Err = LossError;

    fn from_str(text: &str) -> Result<Self, LossError> {
        if text == "mse" {
            return Ok(Self::Squared);
        }
        let delta = text.strip_prefix("huber:").and_then(|delta| delta.parse().ok());
        let delta = delta.filter(|delta: &f64| *delta > 0.0 && delta.is_finite());
        delta.map(|delta| Self::Huber { delta }).ok_or(LossError)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Squared => f.write_str("mse"),
            Self::Huber { delta } => write!(f, "huber:{delta:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With δ = 2: inside 1² and 1; at the bound 4 and 2 from both sides; beyond,
    /// at −5, 2·2·5 − 4 = 16 with the slope −2.
    #[test]
    fn a_huber_loss_by_hand() {
        let loss = Loss::Huber { delta: 2.0 };
        for (r, want) in [(1.0, [1.0, 1.0]), (2.0, [4.0, 2.0]), (-5.0, [16.0, -2.0]), (0.0, [0.0, 0.0])] {
            assert_eq!(loss.of(r), want, "{r}");
        }
        assert_eq!(Loss::Squared.of(-5.0), [25.0, -5.0]);
        // In units of a quarter.
        assert_eq!(loss.in_units(2).of(-20.0), [16.0 * 16.0, -8.0]);
    }

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        for text in ["mse", "huber:1.5", "huber:0.001"] {
            assert_eq!(text.parse::<Loss>().unwrap().to_string(), text);
        }
        for text in ["huber", "huber:", "huber:0", "huber:-1", "huber:nan", "huber:inf", "l1", ""] {
            assert!(text.parse::<Loss>().is_err(), "{text}");
        }
    }
}
