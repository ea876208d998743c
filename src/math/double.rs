/// The sum of two numbers and the rounding error of that sum, exactly:
/// `a + b == sum + error` (TwoSum; D. E. Knuth, The Art of Computer
/// Programming 2, 1969). Twin of the one in `shared/two_float.wgsl`.
#[must_use]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    (sum, error)
}

/// A number as the unevaluated sum of two f64, the second at most half a unit
/// in the last place of the first: 106 bits or more (T. J. Dekker, 1971).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Double {
    hi: f64,
    lo: f64,
}

impl From<f64> for Double {
    fn from(value: f64) -> Self {
        Self { hi: value, lo: 0.0 }
    }
}

impl Double {
    /// The sum of two f64.
    #[must_use]
    pub fn sum(a: f64, b: f64) -> Self {
        let (hi, lo) = two_sum(a, b);
        // After an overflow the rest is infinity minus infinity.
        Self { hi, lo: if hi.is_finite() { lo } else { 0.0 } }
    }

    /// A whole number of up to 106 bits.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "the rest keeps what is lost"
    )]
    pub fn whole(value: i128) -> Self {
        let hi = value as f64;
        Self::sum(hi, value.wrapping_sub(hi as i128) as f64)
    }

    /// The nearest f64.
    #[must_use]
    pub fn value(self) -> f64 {
        self.hi
    }

    /// The part that rounding to [`value`](Self::value) takes.
    #[must_use]
    pub fn rest(self) -> f64 {
        self.lo
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let (high, low) = (Self::sum(self.hi, other.hi), Self::sum(self.lo, other.lo));
        let joined = Self::sum(high.hi, high.lo + low.hi);
        Self::sum(joined.hi, joined.lo + low.lo)
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.plus(Self { hi: -other.hi, lo: -other.lo })
    }

    /// The product.
    #[must_use]
    pub fn times(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let product = self.hi * other.hi;
        let error = self.hi.mul_add(other.hi, -product);
        Self::sum(product, error + (self.hi * other.lo + self.lo * other.hi))
    }

    /// The quotient; not a number if `other` is 0.
    #[must_use]
    pub fn over(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let first = self.hi / other.hi;
        let rest = self.minus(other.times(first));
        let second = rest.hi / other.hi;
        let rest = rest.minus(other.times(second));
        Self::sum(first, second).plus(rest.hi / other.hi)
    }

    /// The number times 2ᵉ.
    #[must_use]
    pub fn scaled(self, exponent: i32) -> Self {
        Self { hi: scaled(self.hi, exponent), lo: scaled(self.lo, exponent) }
    }
}

/// A number times 2ᵉ, rounded once where the result is subnormal.
#[must_use]
pub fn scaled(value: f64, exponent: i32) -> f64 {
    /// A power of two that is a normal number itself, as is its inverse.
    const STEP: i32 = 1000;
    const LEAST_NORMAL: i32 = -1022;
    if exponent == 0 {
        return value;
    }
    let (mut value, mut left) = (value, exponent);
    if exponent < -STEP {
        // As far down as no digit is lost, so that only the last step rounds.
        let mut exact = (LEAST_NORMAL - exponent_of(value)).min(0).max(exponent);
        left -= exact;
        while exact < 0 {
            let step = exact.max(-STEP);
            value *= 2f64.powi(step);
            exact -= step;
        }
        // What is beyond that is 0 anyway.
        return value * 2f64.powi(left.max(-STEP));
    }
    while left > STEP {
        value *= 2f64.powi(STEP);
        left -= STEP;
    }
    value * 2f64.powi(left)
}

/// The exponent e of |value| = m·2ᵉ with 1 ≤ m < 2; 0 for what is 0 or not
/// finite.
#[must_use]
pub fn exponent_of(value: f64) -> i32 {
    const SUBNORMAL_BITS: i32 = 54;
    let field = |value: f64| i32::try_from((value.to_bits() >> 52) & 0x7ff).unwrap_or(0);
    match field(value) {
        0x7ff => 0,
        0 if value == 0.0 => 0,
        0 => field(scaled(value, SUBNORMAL_BITS)) - 1023 - SUBNORMAL_BITS,
        normal => normal - 1023,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sum_loses_nothing() {
        // 1 + 2^-60 rounds to 1; the error term is the whole small addend.
        let small = 2f64.powi(-60);
        assert_eq!(two_sum(1.0, small), (1.0, small));
        assert_eq!(two_sum(small, 1.0), (1.0, small));
    }

    #[test]
    fn whole_numbers_of_64_bits_lose_nothing() {
        for value in [i128::from(i64::MAX), i128::from(u64::MAX), -(1 << 64) + 1, (1 << 53) + 1, 0, -7] {
            let got = Double::whole(value);
            #[expect(clippy::cast_possible_truncation, reason = "both are whole numbers")]
            let sum = got.hi as i128 + got.lo as i128;
            assert_eq!(sum, value, "{got:?}");
        }
    }

    /// (10⁹ + 1)² = 10¹⁸ + 2·10⁹ + 1 has 60 bits.
    #[test]
    fn products_and_sums_keep_twice_the_digits() {
        let a = Double::from(1e9 + 1.0);
        let square = a.times(a);
        assert_eq!(square, Double::whole(1_000_000_002_000_000_001));
        assert_eq!(square.minus(1e18).minus(2e9), Double::from(1.0));
        assert_eq!(square.over(a), a);
    }

    /// 3·(1/3) is 1 to 2⁻¹⁰⁴.
    #[test]
    fn a_quotient_has_both_parts() {
        let third = Double::from(1.0).over(3.0);
        assert_eq!(third.value(), 1.0 / 3.0);
        let off = third.times(3.0).minus(1.0).value();
        assert!(third.rest() != 0.0 && off.abs() <= 2f64.powi(-104), "{third:?} {off:e}");
    }

    #[test]
    fn scaling_reaches_from_end_to_end() {
        assert_eq!(scaled(f64::from_bits(1), 1074 + 1023), 2f64.powi(1023));
        assert_eq!(scaled(2f64.powi(1023), -1023 - 1074), f64::from_bits(1));
        assert_eq!(scaled(1.5, -1100), 0.0);
        assert_eq!(scaled(3.0, 0), 3.0);
        // To 2⁻¹⁰⁷⁴ at once: from three quarters of it up, from a half and a
        // little up, from a half to even down, and by way of other steps.
        for e in [0, 30, 500, 1022] {
            for (value, want) in [(0.75, 1), (0.5 + f64::EPSILON, 1), (0.5, 0), (1.5, 2), (2.5 - 1e-15, 2)] {
                let got = scaled(scaled(value, e), -1074 - e);
                assert_eq!(got.to_bits(), want, "{value:e}·2^{e}");
            }
        }
        assert_eq!(scaled(-f64::MAX, -5000), -0.0);
        assert_eq!(scaled(f64::from_bits(1), -1001), 0.0);
        for (value, exponent) in
            [(1.0, 0), (-1.5, 0), (0.75, -1), (f64::from_bits(1), -1074), (f64::MAX, 1023), (0.0, 0)]
        {
            assert_eq!(exponent_of(value), exponent, "{value:e}");
        }
    }

    #[test]
    fn an_overflow_stays_infinite() {
        let huge = Double::from(f64::MAX);
        assert_eq!(huge.plus(huge).value(), f64::INFINITY);
    }
}
