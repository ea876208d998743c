use serde::{Deserialize, Serialize};

use super::double::{Double, scaled, two_sum};
use super::number;

/// A running sum that keeps what rounding would lose: the rounding error of
/// every addition is itself summed and added at the end (A. Neumaier, 1974).
///
/// The result is as accurate as if the sum had been made in twice the
/// precision, whatever the order of magnitude of the terms.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Compensated {
    #[serde(with = "number")]
    sum: f64,
    #[serde(with = "number")]
    error: f64,
}

impl Compensated {
    /// Adds one term.
    pub fn add(&mut self, term: f64) {
        let (sum, error) = two_sum(self.sum, term);
        self.sum = sum;
        self.error += error;
    }

    /// A sum that is already made, in two parts.
    #[must_use]
    pub fn of(value: Double) -> Self {
        Self { sum: value.value(), error: value.rest() }
    }

    /// The sum so far, with all its digits.
    #[must_use]
    pub fn double(self) -> Double {
        Double::sum(self.sum, self.error)
    }

    /// The sum of the terms of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.add(other.sum);
        self.error += other.error;
        self
    }

    /// The sum times 2ᵉ.
    #[must_use]
    pub fn scaled(self, exponent: i32) -> Self {
        Self { sum: scaled(self.sum, exponent), error: scaled(self.error, exponent) }
    }

    /// The sum so far, rounded once.
    #[must_use]
    pub fn value(self) -> f64 {
        let value = self.sum + self.error;
        // After an overflow the error terms are infinity minus infinity; the
        // plain sum still says what happened.
        if value.is_nan() { self.sum } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_terms_that_a_plain_sum_drops() {
        let terms = [1e16, 1.0, 1.0, -1e16];
        let mut sum = Compensated::default();
        for t in terms {
            sum.add(t);
        }
        assert_eq!(sum.value(), 2.0);
        assert_eq!(terms.iter().sum::<f64>(), 2.0 - 2.0, "a plain sum gives 0");
    }

    #[test]
    fn an_overflow_stays_infinite() {
        let mut sum = Compensated::default();
        sum.add(f64::MAX);
        sum.add(f64::MAX);
        assert_eq!(sum.value(), f64::INFINITY);
    }
}
