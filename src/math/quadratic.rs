use super::{Affine, Curvature, Evaluation, LossSums, Moments, scaled};

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
    /// v, in units of X.
    variance: f64,
    /// W*, in units of T over those of X; 0 if all x are equal, since W then
    /// matters only within d.
    weight: f64,
    /// L*, in units of T.
    least: f64,
    /// The powers of two of these units: of X and of T.
    units: [i32; 2],
}

impl Quadratic {
    fn of(moments: &Moments) -> Self {
        let n = moments.weight_sum;
        let weight = if moments.xx > 0.0 { moments.xt / moments.xx } else { 0.0 };
        Self {
            x_mean: moments.x_mean(),
            t_mean: moments.t_mean(),
            variance: moments.xx / n,
            weight,
            least: moments.least_squares_rr() / n,
            units: moments.units(),
        }
    }

    /// Loss and gradients at `at`:
    /// ∂L/∂W = 2·(v·(W − W*) + d·x̄), ∂L/∂b = 2·d.
    #[must_use]
    pub fn evaluate(&self, at: Affine) -> Evaluation {
        self.evaluate_about(at.weight, at.weight * self.x_mean + (at.bias - self.t_mean)).evaluation
    }

    /// Loss and gradients where the line of slope W lies by d above the point
    /// of the means.
    #[must_use]
    pub fn evaluate_about(&self, weight: f64, d: f64) -> Slopes {
        let off = self.off(weight);
        let slope = self.variance * off;
        if self.units == [0; 2] {
            let evaluation = Evaluation {
                loss: self.least + slope * off + d * d,
                grad_weight: 2.0 * (slope + d * self.x_mean),
                grad_bias: 2.0 * d,
            };
            return Slopes { evaluation, weight: 2.0 * off };
        }
        let [x, t] = self.units;
        let loss = self.loss_in_units(weight, d);
        let (loss, slope, off) = if loss.is_finite() && slope.is_finite() {
            (scaled(loss, -2 * t), scaled(slope, -x - t), scaled(off, x - t))
        } else {
            // So far from data that are so small that it is large in their
            // units, and need not be in numbers as they are.
            let off = weight - scaled(self.weight, x - t);
            let rise = scaled(off, -x) * self.variance.sqrt();
            let loss = scaled(self.least, -2 * t) + rise * rise + d * d;
            (loss, scaled(rise * self.variance.sqrt(), -x), off)
        };
        let evaluation =
            Evaluation { loss, grad_weight: 2.0 * slope + 2.0 * d * self.x_mean, grad_bias: 2.0 * d };
        Slopes { evaluation, weight: 2.0 * off }
    }

    /// W − W*, in the units of W*.
    fn off(&self, weight: f64) -> f64 {
        let [x, t] = self.units;
        scaled(weight, t - x) - self.weight
    }

    /// The loss, in units of T.
    fn loss_in_units(&self, weight: f64, d: f64) -> f64 {
        let (off, high) = (self.off(weight), scaled(d, self.units[1]));
        self.least + self.variance * off * off + high * high
    }

    /// The loss at `at` and the least, in units of T, where they are ordinary
    /// numbers although they may not be as they are.
    #[must_use]
    pub fn losses_in_units(&self, at: Affine) -> [f64; 2] {
        let d = at.weight * self.x_mean + (at.bias - self.t_mean);
        [self.loss_in_units(at.weight, d), self.least]
    }

    /// W and b where the loss is least; of many, the one with W = 0.
    #[must_use]
    pub fn optimum(&self) -> Affine {
        let weight = scaled(self.weight, self.units[0] - self.units[1]);
        Affine { weight, bias: (-weight).mul_add(self.x_mean, self.t_mean) }
    }

    /// L*, the least loss of all lines.
    #[must_use]
    pub fn least(&self) -> f64 {
        scaled(self.least, -2 * self.units[1])
    }

    /// The curvature of the loss, the same everywhere.
    #[must_use]
    pub fn curvature(&self) -> Curvature {
        Curvature::new(self.x_mean, scaled(self.variance, -2 * self.units[0]))
    }
}

impl Moments {
    /// The loss as a function of W and b; `self.weight_sum` must not be 0.
    #[must_use]
    pub fn quadratic(&self) -> Quadratic {
        Quadratic::of(self)
    }

    /// The residual sums at any W and b, without another pass.
    #[must_use]
    pub fn loss_sums(&self, at: Affine) -> LossSums {
        let n = self.weight_sum;
        let evaluation = self.quadratic().evaluate(at);
        LossSums {
            n: self.n,
            weight_sum: n,
            rr: n * evaluation.loss,
            rx: n * evaluation.grad_weight / 2.0,
            r: n * evaluation.grad_bias / 2.0,
        }
    }
}

/// Loss and gradients, and that of W in standardized coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slopes {
    /// In W and b.
    pub evaluation: Evaluation,
    /// 2·(W − W*) = (∂L/∂W − x̄·∂L/∂b)/v, without the cancellation.
    pub weight: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::ShiftedSums;

    fn example() -> Quadratic {
        // X = 1, 2, 3, 4 and T = 2·X + 1, about (1, 3): Σx = 6, Σx² = 14.
        let (n, weight_sum, x_shift, t_shift) = (4, 4.0, 1.0, 3.0);
        let (x, t, xx, xt, tt) = (6.0, 12.0, 14.0, 28.0, 56.0);
        let sums = ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt };
        Moments::from_shifted_sums(&sums).quadratic()
    }

    /// The numbers of the worked example, and, one step of η = 2⁻⁴ later,
    /// those computed by hand in src/fit/descend.rs.
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
