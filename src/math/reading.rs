use super::{Affine, Double, LossSums, scaled};

/// The way from stored elements e to the f64 that sums are made of:
/// (e − shift)·2ᵉˣᵖᵒⁿᵉⁿᵗ, exactly.
///
/// Whole numbers beyond 2⁵³ keep their digits by the shift, which is taken off
/// them as whole numbers; numbers whose squares leave the range of f64 keep
/// theirs by the power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Taken off whole numbers of 64 bits; 0 for all others.
    pub shift: i128,
    /// The power of two.
    pub exponent: i32,
}

impl Reading {
    /// Whether elements are read as they are.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// A number of the data's own scale, as it is read.
    #[must_use]
    pub fn apply(self, value: Double) -> Double {
        if self.is_plain() { value } else { value.minus(Double::whole(self.shift)).scaled(self.exponent) }
    }

    /// The number that is read so.
    #[must_use]
    pub fn undo(self, value: Double) -> Double {
        if self.is_plain() { value } else { value.scaled(-self.exponent).plus(Double::whole(self.shift)) }
    }
}

/// The readings of X and T.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readings {
    /// X.
    pub x: Reading,
    /// T.
    pub t: Reading,
}

impl Readings {
    /// W and b of a model where X and T are read so:
    /// 2ᶜ·(x·W + b − q) = x'·(2ᶜ⁻ᵃ·W) + 2ᶜ·(b + p·W − q) with x' = 2ᵃ·(x − p).
    #[must_use]
    pub fn model(&self, at: Affine) -> Affine {
        let rise = Double::whole(self.x.shift).times(at.weight);
        let bias = rise.minus(Double::whole(self.t.shift)).plus(at.bias);
        Affine {
            weight: scaled(at.weight, self.t.exponent - self.x.exponent),
            bias: bias.scaled(self.t.exponent).value(),
        }
    }

    /// Sums about 0, from those of data that were read so.
    #[must_use]
    pub fn sums(&self, sums: LossSums) -> LossSums {
        let [x, t] = [self.x, self.t].map(|reading| -reading.exponent);
        let r = scaled(sums.r, t);
        let rx = Double::from(scaled(sums.rx, x + t)).plus(Double::whole(self.x.shift).times(r));
        LossSums { rr: scaled(sums.rr, 2 * t), rx: rx.value(), r, ..sums }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_can_be_told() {
        let reading = Reading { shift: 1_700_000_000_000_000_000, exponent: -3 };
        let value = Double::whole(1_700_000_000_000_000_009);
        assert_eq!(reading.apply(value), Double::from(9.0 / 8.0));
        assert_eq!(reading.undo(reading.apply(value)), value);
    }
}
