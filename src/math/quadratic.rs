use super::{Affine, Curvature, Evaluation, Moments};

/// The loss as a function of W and b, which is a paraboloid:
///
/// L(W, b) = L* + v·(W − W*)² + d², with d = W·x̄ + b − t̄
///
/// where v = Mxx/N (Mxx/Σw of weighted pairs) is the variance of X, W* the least-squares weight and L*
/// the loss of the least-squares line. Written about the optimum, it is never
/// negative, and what is left near the optimum has digits of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quadratic {
    x_mean: f64,
    t_mean: f64,
    /// v.
    variance: f64,
    /// W*; 0 if all x are equal, since W then matters only within d.
    weight: f64,
    /// L*.
    least: f64,
}

impl Quadratic {
    pub(super) fn of(moments: &Moments) -> Self {
        let n = moments.weight_sum;
        let weight = if moments.xx > 0.0 { moments.xt / moments.xx } else { 0.0 };
        Self {
            x_mean: moments.x_mean,
            t_mean: moments.t_mean,
            variance: moments.xx / n,
            weight,
            least: moments.least_squares_rr() / n,
        }
    }

    /// Loss and gradients at `at`:
    /// ∂L/∂W = 2·(v·(W − W*) + d·x̄), ∂L/∂b = 2·d.
    #[must_use]
    pub fn evaluate(&self, at: Affine) -> Evaluation {
        let d = at.weight * self.x_mean + (at.bias - self.t_mean);
        let off = at.weight - self.weight;
        let slope = self.variance * off;
        Evaluation {
            loss: self.least + slope * off + d * d,
            grad_weight: 2.0 * (slope + d * self.x_mean),
            grad_bias: 2.0 * d,
        }
    }

    /// W and b where the loss is least; of many, the one with W = 0.
    #[must_use]
    pub fn optimum(&self) -> Affine {
        Affine { weight: self.weight, bias: (-self.weight).mul_add(self.x_mean, self.t_mean) }
    }

    /// How the loss curves, the same everywhere.
    #[must_use]
    pub fn curvature(&self) -> Curvature {
        Curvature::new(self.x_mean, self.variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::PivotSums;

    fn example() -> Quadratic {
        // X = 1, 2, 3, 4 and T = 2·X + 1, about (1, 3): Σx = 6, Σx² = 14.
        let (n, weight_sum, x_pivot, t_pivot) = (4, 4.0, 1.0, 3.0);
        let (x, t, xx, xt, tt) = (6.0, 12.0, 14.0, 28.0, 56.0);
        let sums = PivotSums { n, weight_sum, x_pivot, t_pivot, x, t, xx, xt, tt };
        Moments::from_pivot_sums(&sums).quadratic()
    }

    /// The numbers of the worked example, and, one step of η = 2⁻⁴ later,
    /// those computed by hand in src/fit/sgd.rs.
    #[test]
    fn the_worked_example() {
        let at_zero = example().evaluate(Affine::default());
        assert_eq!(at_zero, Evaluation { loss: 41.0, grad_weight: -35.0, grad_bias: -12.0 });
        let after = example().evaluate(Affine::new(2.1875, 0.75));
        assert_eq!(after, Evaluation { loss: 0.091_796_875, grad_weight: 1.5625, grad_bias: 0.4375 });
        assert_eq!(example().optimum(), Affine::new(2.0, 1.0));
        assert_eq!(example().evaluate(example().optimum()), Evaluation::default());
    }
}
