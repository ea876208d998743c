use crate::engine::DescentRule;

/// A descent along one eigenvector of the Hessian, as it goes without rounding.
///
/// With the distance e from the optimum, the curvature λ along the eigenvector
/// (with the weight decay) and s = η·λ, every step after the first is
/// e ← T·e − D·e', where e' is the distance before the last step:
///
/// | momentum | T | D |
/// |---|---|---|
/// | heavy ball (B. T. Polyak, 1964), dampened | 1 + μ − (1 − τ)·s | μ |
/// | Nesterov's (Y. Nesterov, 1983) | (1 + μ)·(1 − s) | μ·(1 − s) |
///
/// so that e is made of powers of the roots of z² − T·z + D, which are kept as
/// y = 1 − z: near the optimum of a badly conditioned loss, z has no digits left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mode {
    /// 1 − e₁/e₀: the first step has no velocity yet.
    first: f64,
    /// The sum of both y, 2 − T.
    sum: f64,
    /// Their product, 1 − T + D.
    product: f64,
}

impl Mode {
    /// The mode of a curvature, weight decay included.
    pub(super) fn of(rule: &DescentRule, rate: f64, value: f64) -> Self {
        let DescentRule { momentum, nesterov, dampening, .. } = *rule;
        let step = rate * value;
        if nesterov {
            let first = (1.0 + momentum) * step;
            Self { first, sum: 1.0 - momentum + first, product: step }
        } else {
            let share = if momentum == 0.0 { 1.0 } else { 1.0 - dampening };
            let product = share * step;
            Self { first: step, sum: 1.0 - momentum + product, product }
        }
    }

    /// ln |z| of the larger root: what a step adds to the logarithm of the error in
    /// the long run.
    pub(super) fn log_radius(&self) -> f64 {
        match self.roots() {
            Roots::Real { near, far } => log_of(near).max(log_of(far)),
            Roots::Complex { .. } => 0.5 * (self.product - self.sum).ln_1p(),
        }
    }

    /// A bound of |e| after so many steps over that at the start, which never grows
    /// with the steps where the descent converges.
    #[expect(clippy::cast_precision_loss, reason = "steps beyond 2^53 are never made")]
    pub(super) fn bound(&self, steps: u64) -> f64 {
        if steps == 0 {
            return 1.0;
        }
        let steps = steps as f64;
        match self.roots() {
            Roots::Real { near, far } => {
                let apart = far - near;
                let power = |y: f64| (steps * log_of(y)).exp();
                // A root of 0 has powers of 0, and may have no part.
                let part = |share: f64, y: f64| if share == 0.0 { 0.0 } else { share.abs() * power(y) };
                let parts = part((far - self.first) / apart, near) + part((self.first - near) / apart, far);
                let double = self.double(steps, (self.first - near).abs());
                // Of roots that are alike, both parts are infinite.
                if parts.is_nan() { double } else { parts.min(double) }
            }
            Roots::Complex { mean, angle } => {
                let off = mean - self.first;
                let waves = 1f64.hypot(off / angle) * (steps * self.log_radius()).exp();
                waves.min(self.double(steps, off.hypot(angle)))
            }
        }
    }

    /// The bound rᵏ + c·k·rᵏ⁻¹ with the larger |z| = r and c = |e₁/e₀ − z|, which is
    /// close where both roots are alike; at its maximum before that.
    fn double(&self, steps: f64, c: f64) -> f64 {
        let log = self.log_radius();
        let r = log.exp();
        let peak = if log < 0.0 { -1.0 / log - r / c } else { 0.0 };
        let steps = if peak.is_finite() { steps.max(peak) } else { steps };
        // A root of 0 has powers of 0, and 1 for the first.
        let before = if steps == 1.0 { 1.0 } else { ((steps - 1.0) * log).exp() };
        (steps * log).exp() + c * steps * before
    }

    fn roots(&self) -> Roots {
        let square = self.sum * self.sum - 4.0 * self.product;
        if square < 0.0 {
            return Roots::Complex { mean: self.sum / 2.0, angle: (-square).sqrt() / 2.0 };
        }
        let far = f64::midpoint(self.sum, square.sqrt());
        // Their product, over the other: as a difference it would lose its digits.
        Roots::Real { near: self.product / far, far }
    }
}

/// 1 − z of the roots.
enum Roots {
    Real {
        near: f64,
        far: f64,
    },
    /// Re y, and |Im y|.
    Complex {
        mean: f64,
        angle: f64,
    },
}

/// ln |1 − y|.
fn log_of(y: f64) -> f64 {
    if y < 1.0 { (-y).ln_1p() } else { (y - 1.0).ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::StepState;
    use crate::math::Affine;

    /// The rule itself over one curvature, λ = 1: W is the distance.
    fn distances(rule: &DescentRule, rate: f64) -> Vec<f64> {
        let mut state = StepState::start(Affine::new(1.0, 0.0));
        let step = |_| {
            let gradient = Affine::new(state.model.weight, 0.0);
            rule.step(&mut state, gradient, rate);
            state.model.weight
        };
        (0..400).map(step).collect()
    }

    fn with(momentum: f64, dampening: f64, nesterov: bool) -> DescentRule {
        DescentRule { momentum, dampening, nesterov, ..DescentRule::default() }
    }

    /// Real, alike and complex roots of each momentum, up to the bound: no distance is
    /// beyond its bound, and the last is near what the radius says.
    #[test]
    fn distances_stay_within_their_bounds() {
        for rule in
            [with(0.0, 0.5, false), with(0.9, 0.0, false), with(0.5, 0.25, false), with(0.9, 0.0, true)]
        {
            let alike = (1.0 - rule.momentum.sqrt()).powi(2);
            for rate in [1e-3, alike, 0.01, 0.3, 0.9, 1.0, 1.04] {
                let mode = Mode::of(&rule, rate, 1.0);
                let mut last = f64::INFINITY;
                let mut largest = 0f64;
                for (step, distance) in (1..).zip(distances(&rule, rate)) {
                    let bound = mode.bound(step);
                    assert!(bound <= last * (1.0 + 1e-12), "{rule:?}, {rate}, {step}: {bound} after {last}");
                    assert!(distance.abs() <= bound * (1.0 + 1e-9) + 1e-15, "{rule:?}, {rate}, {step}");
                    // The largest of some steps: waves go through 0.
                    largest = if step > 350 { largest.max(distance.abs() / bound) } else { 0.0 };
                    last = bound;
                }
                assert!(largest > 0.3 || mode.bound(350) < 1e-200, "{rule:?}, {rate}: {largest}");
            }
        }
    }

    /// On either side of the bounds 2·(1 + μ)/(1 − τ) and 2·(1 + μ)/(1 + 2·μ).
    #[test]
    fn the_radius_is_below_one_only_below_the_bound() {
        for (rule, bound) in [
            (with(0.0, 0.0, false), 2.0),
            (with(0.9, 0.0, false), 3.8),
            (with(0.9, 0.5, false), 7.6),
            (with(0.9, 0.0, true), 3.8 / 2.8),
        ] {
            assert!(Mode::of(&rule, bound * 0.999, 1.0).log_radius() < 0.0, "{rule:?}");
            assert!(Mode::of(&rule, bound * 1.001, 1.0).log_radius() > 0.0, "{rule:?}");
        }
    }
}
