use crate::math::{Affine, Double, Line, LossSums};

/// The shift (p, q) of X and T that residuals are computed with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ResidualShift {
    pub(super) x: Double,
    pub(super) t: Double,
}

impl ResidualShift {
    /// p·W − q.
    fn rise(self, weight: impl Into<Double>) -> Double {
        self.x.times(weight).minus(self.t)
    }

    /// W and b about it: x·W + b − t = (x − p)·W + (b + p·W − q) − (t − q).
    pub(super) fn shifted(self, at: Affine) -> Affine {
        Affine { bias: self.rise(at.weight).plus(at.bias).value(), ..at }
    }

    /// The same of a line, which has more digits: from (x₀, y₀) about it,
    /// (y₀ − q) − (x₀ − p)·W.
    pub(super) fn shifted_line(self, line: &Line) -> Affine {
        let bias = line.y.minus(self.t).minus(line.x.minus(self.x).times(line.weight));
        Affine { weight: line.weight.value(), bias: bias.value() }
    }

    /// The other way round.
    pub(super) fn unshifted(self, at: Affine) -> Affine {
        Affine { bias: Double::from(at.bias).minus(self.rise(at.weight)).value(), ..at }
    }

    /// Σ r·x from sums with (x − p): Σ r·(x − p) + p·Σ r.
    pub(super) fn unshifted_sums(self, sums: LossSums) -> LossSums {
        self.sums_about(0.0.into(), sums)
    }

    /// Σ r·(x − x₀) from sums with (x − p).
    pub(super) fn sums_about(self, x: Double, sums: LossSums) -> LossSums {
        let off = self.x.minus(x);
        if off.value() == 0.0 {
            sums
        } else {
            LossSums { rx: off.times(sums.r).plus(sums.rx).value(), ..sums }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x = 1002, 1004 about 1000 and t = 505 about 500, W = 2, b = −1500:
    /// r = 2·1002 − 1500 − 505 = −1, and 2·2 + (2000 − 1500 − 500) − 5 = −1.
    #[test]
    fn residuals_are_those_of_the_data() {
        let shift = ResidualShift { x: 1000.0.into(), t: 500.0.into() };
        let at = Affine::new(2.0, -1500.0);
        assert_eq!(shift.shifted(at), Affine::new(2.0, 0.0));
        assert_eq!(shift.unshifted(shift.shifted(at)), at);
        // r = −1 and 3.
        let sums = LossSums { n: 2, weight_sum: 2.0, rr: 10.0, rx: -2.0 + 12.0, r: 2.0 };
        let want = LossSums { rx: -1002.0 + 3.0 * 1004.0, ..sums };
        assert_eq!(shift.unshifted_sums(sums), want);
    }
}
