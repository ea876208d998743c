use std::fmt;

use serde::Serialize;

use super::numbers::{count, counted, short};
use crate::fit::{Robust, RobustFit};

/// The rounds of a robust fit, as reports have them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Robustness {
    /// The weight of residuals: huber, tukey or clip.
    pub method: &'static str,
    /// The residual from which it falls, or is 0, in units of the scale.
    pub constant: f64,
    /// The scale of the residuals: the standard deviation of normal ones.
    pub scale: f64,
    /// The rounds.
    pub rounds: u32,
    /// Elements with the weight 0.
    pub rejected: u64,
    /// Whether the last round changed nothing more.
    pub settled: bool,
    /// The standard errors of the robust W and b; null where not defined.
    pub stderr_weight: Option<f64>,
    /// That of b.
    pub stderr_bias: Option<f64>,
}

impl Robustness {
    /// The report of a robust fit.
    #[must_use]
    pub fn of(robust: &Robust, found: &RobustFit) -> Self {
        Self {
            method: robust.weight.name(),
            constant: robust.weight.constant(),
            scale: found.scale,
            rounds: found.rounds,
            rejected: found.rejected,
            settled: found.settled,
            stderr_weight: found.stderrs[0],
            stderr_bias: found.stderrs[1],
        }
    }

    /// The standard errors in words, if there are any.
    #[must_use]
    pub fn errors(&self) -> Option<String> {
        let of = |error: Option<f64>, name: &str| Some(format!("{} of the {name}", short(error?)));
        let both: Vec<String> =
            [of(self.stderr_weight, "weight"), of(self.stderr_bias, "bias")].into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join(", "))
    }

    /// A note on rounds that did not end by themselves.
    #[must_use]
    pub fn unsettled(self) -> Option<&'static str> {
        (!self.settled).then_some(
            "the rounds of the robust fit go on changing W and b, perhaps in turns between two lines; the last \
             one is printed",
        )
    }
}

impl fmt::Display for Robustness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = format!("{}:{}", self.method, self.constant);
        let rounds = counted(u64::from(self.rounds), "round");
        write!(f, "{method:<24} scale {}; {rounds}; {} rejected", short(self.scale), count(self.rejected))
    }
}
