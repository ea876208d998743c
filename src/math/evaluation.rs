use super::{Affine, LossSums};

/// The loss and its gradients at some W and b.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evaluation {
    /// Mean squared error L = (1/N) Σ r²; of weighted pairs Σ w·r² / Σ w.
    pub loss: f64,
    /// ∂L/∂W = (1/N) Σ 2·r·x, or Σ 2·w·r·x / Σ w.
    pub grad_weight: f64,
    /// ∂L/∂b = (1/N) Σ 2·r, or Σ 2·w·r / Σ w.
    pub grad_bias: f64,
}

impl Evaluation {
    /// The loss and gradients of the sums of a pass. `sums.weight_sum` must not be 0: over no
    /// elements the mean is undefined and every field is NaN.
    #[must_use]
    pub fn from_sums(sums: &LossSums) -> Self {
        let n = sums.weight_sum;
        Self { loss: sums.rr / n, grad_weight: 2.0 * sums.rx / n, grad_bias: 2.0 * sums.r / n }
    }

    /// (∂L/∂W, ∂L/∂b), along the axes of W and b.
    #[must_use]
    pub fn gradient(&self) -> Affine {
        Affine { weight: self.grad_weight, bias: self.grad_bias }
    }

    /// max(|∂L/∂W|, |∂L/∂b|): what a tolerance is compared with.
    #[must_use]
    pub fn gradient_norm(&self) -> f64 {
        self.grad_weight.abs().max(self.grad_bias.abs())
    }

    /// Whether the loss and both gradients are finite numbers.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_weight.is_finite() && self.grad_bias.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Affine, SumsAccumulator};

    /// The evaluation of data (x, t, w).
    fn evaluate(data: &[(f64, f64, f64)], at: Affine) -> Evaluation {
        let sums = data
            .iter()
            .map(|&(x, t, w)| {
                let r = at.apply(x) - t;
                LossSums { n: 1, weight_sum: w, rr: w * r * r, rx: w * r * x, r: w * r }
            })
            .collect::<SumsAccumulator>();
        Evaluation::from_sums(&sums.total())
    }

    /// Central differences of the loss, a quadratic: exact but for rounding.
    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let data = [(0.5, 1.0, 1.0), (-1.25, 0.75, 0.5), (2.0, -3.0, 3.0), (0.0, 0.125, 1.0)];
        let at = Affine::new(0.75, -0.5);
        let h = 1e-4;
        let slope = |a: Affine, b: Affine| (evaluate(&data, b).loss - evaluate(&data, a).loss) / (2.0 * h);
        let got = evaluate(&data, at);
        let by_weight = slope(Affine::new(at.weight - h, at.bias), Affine::new(at.weight + h, at.bias));
        let by_bias = slope(Affine::new(at.weight, at.bias - h), Affine::new(at.weight, at.bias + h));
        assert!((got.grad_weight - by_weight).abs() < 1e-9, "{got:?} {by_weight}");
        assert!((got.grad_bias - by_bias).abs() < 1e-9, "{got:?} {by_bias}");
    }
}
