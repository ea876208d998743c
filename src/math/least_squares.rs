//! The least-squares line of data with some moments.

use super::{Affine, Line, Moments, scaled};

impl Moments {
    /// The least-squares line W = Mxt/Mxx, b = t̄ − W·x̄, where the loss is
    /// least; `None` where no line is better than every other: a single
    /// element, or all x equal.
    #[must_use]
    pub fn least_squares(&self) -> Option<Affine> {
        self.line().map(|line| line.affine())
    }

    /// The least-squares line, with the digits that b = t̄ − W·x̄ loses where
    /// the means are far from 0 for the spread.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        if self.n < 2 || self.xx == 0.0 || !self.is_finite() {
            return None;
        }
        let [x, t] = self.units();
        let weight = scaled(self.xt / self.xx, x - t).into();
        let line = Line { weight, x: self.x_mean_double(), y: self.t_mean_double(), units: self.units() };
        line.affine().is_finite().then_some(line)
    }

    /// The power of ten of W of the least-squares line, also where W is beyond
    /// f64; `None` where the moments do not tell.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a power of ten of numbers in f64")]
    pub fn weight_digits(&self) -> Option<i64> {
        let digits = (self.xt / self.xx).abs().log10()
            + f64::from(self.units()[0] - self.units()[1]) * std::f64::consts::LOG10_2;
        (self.is_finite() && digits.is_finite()).then_some(digits.round() as i64)
    }

    /// Σ r² of the least-squares line, Mtt − Mxt²/Mxx, which is Mtt if all x
    /// are equal. Where the line fits T to all but a share s of Mtt, rounding
    /// leaves about 1e-16/s of it unknown.
    #[must_use]
    pub fn least_squares_rr(&self) -> f64 {
        if self.xx == 0.0 {
            return self.tt;
        }
        (-self.xt).mul_add(self.xt / self.xx, self.tt).max(0.0)
    }
}
