/// The curvature of the loss: the eigenvalues of its Hessian
/// H = 2·[[E x², E x], [E x, 1]], the same at every W and b.
///
/// Gradient descent with rate η multiplies the distance from the optimum by
/// 1 − η·λ a step, along each eigenvector: it approaches the optimum if and
/// only if η < 2/λmax, and, both eigenvalues considered, fastest with
/// η = 2/(λmax + λmin), by (κ − 1)/(κ + 1) a step, where κ = λmax/λmin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curvature {
    /// λmin, ≥ 0; 0 if all x are equal.
    pub smallest: f64,
    /// λmax, ≥ 2.
    pub largest: f64,
    /// The angle of λmax's eigenvector to the axis of W.
    angle: f64,
}

impl Curvature {
    /// The curvature over data with this mean and this variance of X.
    #[must_use]
    pub fn new(x_mean: f64, x_variance: f64) -> Self {
        // Of H/2: trace p + 1, determinant v, and the root of the
        // discriminant, (p + 1)² − 4·v = (p − 1)² + (2·x̄)², without cancellation.
        let p = x_variance + x_mean * x_mean;
        let largest = (p + 1.0) + (p - 1.0).hypot(2.0 * x_mean);
        let smallest = if largest.is_finite() { 4.0 * (x_variance / largest) } else { f64::NAN };
        Self { smallest, largest, angle: 0.5 * (2.0 * x_mean).atan2(p - 1.0) }
    }

    /// The curvature along one parameter, where the other does not change.
    #[must_use]
    pub fn of_one(value: f64) -> Self {
        Self { smallest: value, largest: value, angle: 0.0 }
    }

    /// The curvature in coordinates in which x has mean 0 and variance 1,
    /// where it is the same in all directions.
    pub const STANDARDIZED: Self = Self { smallest: 2.0, largest: 2.0, angle: 0.0 };

    /// The curvature of the loss with a weight decay δ: of L + δ/2·(W² + b²).
    #[must_use]
    pub fn decayed(&self, decay: f64) -> Self {
        Self { smallest: self.smallest + decay, largest: self.largest + decay, ..*self }
    }

    /// κ = λmax/λmin; infinite if all x are equal.
    #[must_use]
    pub fn condition(&self) -> f64 {
        self.largest / self.smallest
    }

    /// 2/λmax, below which a learning rate has to stay.
    #[must_use]
    pub fn rate_bound(&self) -> f64 {
        2.0 / self.largest
    }

    /// 2/(λmax + λmin). Where λmin is lost beside λmax, the rate 1/λmax, which
    /// is best for the one direction that moves at all.
    #[must_use]
    pub fn best_rate(&self) -> f64 {
        let rate = 2.0 / (self.largest + self.smallest);
        if rate < self.rate_bound() { rate } else { 1.0 / self.largest }
    }

    /// By how much a step with this rate multiplies the slowest error (or, if
    /// it grows, the fastest growing); errors that never change aside.
    #[must_use]
    pub fn contraction(&self, rate: f64) -> f64 {
        let along = |value: f64| (1.0 - rate * value).abs();
        if self.smallest > 0.0 { along(self.largest).max(along(self.smallest)) } else { along(self.largest) }
    }

    /// The eigenvalues, each with its unit eigenvector (components along W
    /// and b).
    #[must_use]
    pub fn directions(&self) -> [(f64, [f64; 2]); 2] {
        let (sin, cos) = self.angle.sin_cos();
        [(self.largest, [cos, sin]), (self.smallest, [-sin, cos])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X = 1, 2, 3, 4: E x = 2.5, E x² = 7.5, H = [[15, 5], [5, 2]] with trace
    /// 17 and determinant 5: λ = (17 ± √269)/2.
    #[test]
    fn the_worked_example() {
        let got = Curvature::new(2.5, 1.25);
        let root = 269f64.sqrt();
        assert!((2.0 * got.largest - (17.0 + root)).abs() < 1e-14, "{got:?}");
        assert!((got.smallest - 2.0 * 5.0 / (17.0 + root)).abs() < 1e-15, "{got:?}");
        assert!((got.best_rate() - 2.0 / 17.0).abs() < 1e-16);
        assert!((got.condition() - got.largest / got.smallest).abs() < 1e-12);
        for (value, [w, b]) in got.directions() {
            assert!((15.0 * w + 5.0 * b - value * w).abs() < 1e-13, "{value} {w} {b}");
            assert!((5.0 * w + 2.0 * b - value * b).abs() < 1e-13, "{value} {w} {b}");
        }
    }

    /// Mean m and variance 1, m large: λmax ≈ 2·(m² + 2), λmin ≈ 2/(m² + 2),
    /// so κ ≈ (m² + 2)² to a relative 1/m⁴. The naive difference
    /// trace − root would be 0 from m = 1e4 on.
    #[test]
    fn a_large_mean_leaves_the_digits_of_the_smallest() {
        for m in [1e3, 1e5, 1e8] {
            let got = Curvature::new(m, 1.0);
            let want = m * m + 2.0;
            assert!((got.condition() / (want * want) - 1.0).abs() < 1e-11, "{m}: {got:?}");
            let (value, [w, b]) = got.directions()[1];
            assert!(value > 0.0 && (b / -w / m - 1.0).abs() < 1e-5, "{m}: {w} {b}");
            assert!(got.best_rate() < got.rate_bound());
        }
    }

    /// Mean 0, variance 1: a circle, done in one step of the best rate.
    #[test]
    fn standardized_data_curve_alike_everywhere() {
        let got = Curvature::new(0.0, 1.0);
        assert_eq!((got.smallest, got.largest), (2.0, 2.0));
        assert_eq!(got, Curvature::STANDARDIZED);
        assert_eq!((got.condition(), got.best_rate(), got.rate_bound()), (1.0, 0.5, 1.0));
        assert_eq!(got.contraction(0.5), 0.0);
        assert_eq!(got.contraction(0.01), 1.0 - 0.02);
    }

    #[test]
    fn without_spread_one_direction_stays_flat() {
        let got = Curvature::new(3.0, 0.0);
        assert_eq!((got.smallest, got.largest), (0.0, 20.0));
        assert_eq!(got.condition(), f64::INFINITY);
        assert_eq!((got.best_rate(), got.contraction(0.05)), (0.05, 0.0));
    }
}
