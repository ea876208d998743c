//! The f64 nearest to a decimal number w·10^q, ties to even.
//!
//! The algorithm is Eisel's and Lemire's (D. Lemire, Number parsing at a gigabyte
//! per second, 2021): w times the first 128 bits of 5^q. N. Mushtak and D. Lemire
//! (Fast number parsing without fallback, 2022) prove that these bits decide the
//! rounding of every w of 64 bits, so that the result is right to the last digit.
//! Powers from 5^-27 to 5^55 have a place in the table: numbers of up to 19 digits
//! from 1e-9 on. All others are left to the standard library, as are subnormal
//! numbers.

/// The table's powers below and above 5⁰.
const BELOW_ONE: usize = 27;
const ABOVE_ONE: usize = 55;
const POWERS: usize = BELOW_ONE + 1 + ABOVE_ONE;

/// Bits of the mantissa after the first one.
const MANTISSA_BITS: u32 = 52;

/// Bits of a product below the mantissa and what rounds it.
const LOW_BITS: u64 = u64::MAX >> (MANTISSA_BITS + 3);

/// The exponent of f64 that stands for infinity.
const INFINITE: i64 = 0x7ff;

/// The first 128 bits of each power of five: those of positive powers cut off, the
/// reciprocals rounded up.
static FIVES: [u128; POWERS] = fives();

const fn fives() -> [u128; POWERS] {
    let mut fives = [0; POWERS];
    let mut power = 1u128;
    let mut q = 0;
    while q <= ABOVE_ONE {
        fives[BELOW_ONE + q] = power << power.leading_zeros();
        if q > 0 && q <= BELOW_ONE {
            fives[BELOW_ONE - q] = reciprocal(power);
        }
        if q < ABOVE_ONE {
            power *= 5;
        }
        q += 1;
    }
    fives
}

/// The first 128 bits of 1/power, rounded up, for a power of less than 64 bits that
/// is no power of two.
const fn reciprocal(power: u128) -> u128 {
    let bits = 128 - power.leading_zeros();
    let (mut quotient, mut rest) = (0u128, 1u128);
    let mut k = 0;
    while k < bits + 127 {
        rest *= 2;
        quotient *= 2;
        if rest >= power {
            rest -= power;
            quotient += 1;
        }
        k += 1;
    }
    quotient + 1
}

/// The f64 nearest to w·10^q, if the table has the power and the number is normal.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "halves of products, small numbers"
)]
pub(super) fn nearest(w: u64, q: i64) -> Option<f64> {
    if w == 0 {
        return Some(0.0);
    }
    let five = *FIVES.get(usize::try_from(q + BELOW_ONE as i64).ok()?)?;
    let shift = w.leading_zeros();
    let w = w << shift;
    let product = u128::from(w) * (five >> 64);
    let (mut high, mut low) = ((product >> 64) as u64, product as u64);
    // Only where the bits below the mantissa are all ones can a carry reach it.
    if high & LOW_BITS == LOW_BITS {
        let more = ((u128::from(w) * u128::from(five as u64)) >> 64) as u64;
        let (sum, carries) = low.overflowing_add(more);
        low = sum;
        high += u64::from(carries);
    }
    let upper = (high >> 63) as u32;
    let below = upper + 64 - MANTISSA_BITS - 3;
    let mut mantissa = high >> below;
    // ⌊q·log₂10⌋ of the power, and the bits of w.
    let mut exponent = ((q * (152_170 + 65_536)) >> 16) + 63 + i64::from(upper) - i64::from(shift) + 1023;
    if exponent <= 0 {
        return None;
    }
    // Halfway between two numbers, exactly: round to the even one.
    if low <= 1 && (-4..=23).contains(&q) && mantissa & 3 == 1 && mantissa << below == high {
        mantissa -= 1;
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if mantissa >= 2 << MANTISSA_BITS {
        mantissa = 1 << MANTISSA_BITS;
        exponent += 1;
    }
    (exponent < INFINITE)
        .then(|| f64::from_bits(mantissa & !(1 << MANTISSA_BITS) | (exponent as u64) << MANTISSA_BITS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(w: u64, q: i64) {
        let text = format!("{w}e{q}");
        let standard: f64 = text.parse().unwrap();
        match nearest(w, q) {
            Some(number) => assert_eq!(number.to_bits(), standard.to_bits(), "{text}"),
            None => assert!(!(-27..=55).contains(&q), "{text}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        #[test]
        fn as_the_standard_library(w in any::<u64>(), shift in 0..64u32, q in -30..=60i64) {
            check(w >> shift, q);
        }

        /// Numbers exactly between two neighbours, and beside such.
        #[test]
        fn halfway(bits in any::<u64>(), q in 0..=22i64) {
            // An odd number of 54 bits is halfway between two of 53.
            let half = bits >> 10 | 1 << 53 | 1;
            for w in [half - 1, half, half + 1] {
                check(w, 0);
                check(w, 1);
            }
            let five = 5u64.pow(u32::try_from(q).unwrap().min(4));
            for w in [half.wrapping_mul(five), half.wrapping_mul(five).wrapping_add(1)] {
                check(w, -q.min(4));
                check(w, q);
            }
        }
    }

    #[test]
    fn the_ends_of_the_table() {
        for w in [1, 9, u64::MAX, 1 << 53, (1 << 53) + 1, 9_007_199_254_740_993] {
            (-29..=57).for_each(|q| check(w, q));
        }
        assert_eq!(nearest(0, 99), Some(0.0));
    }
}
