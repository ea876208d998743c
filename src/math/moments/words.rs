//! Moments as words of 64 bits: for arrays of them that other processes merge.

use super::Moments;

impl Moments {
    /// The words that [`to_words`](Self::to_words) makes.
    pub const WORDS: usize = 11;

    /// All numbers, those of f64 by their bits.
    #[must_use]
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        let Self { n, weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest, units, weight_exponent } =
            *self;
        let [x_unit, t_unit] = units.map(|unit| u64::from(unit.cast_unsigned()));
        let [weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest] =
            [weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest].map(f64::to_bits);
        let both = x_unit << 32 | t_unit;
        let exponent = u64::from(weight_exponent.cast_unsigned());
        [n, weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest, both, exponent]
    }

    /// The moments of such words; `None` if no data have such.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "halves of a word")]
    pub fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        let [n, numbers @ .., both, exponent] = words;
        let [weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest] = numbers.map(f64::from_bits);
        let units = [(both >> 32) as u32, both as u32].map(u32::cast_signed);
        let weight_exponent = u32::try_from(exponent).ok()?.cast_signed();
        let moments =
            Self { n, weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest, units, weight_exponent };
        moments.is_possible().then_some(moments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_every_bit() {
        let moments = Moments {
            n: u64::MAX >> 12,
            weight_sum: 3.5,
            x_mean: -0.0,
            t_mean: f64::MIN_POSITIVE,
            xx: f64::INFINITY,
            xt: -1.0 / 3.0,
            tt: 1e300,
            x_rest: 1e-17,
            t_rest: -1e-18,
            units: [-1022, 7],
            weight_exponent: -4,
        };
        let again = Moments::from_words(moments.to_words()).unwrap();
        assert_eq!(again.to_words(), moments.to_words());
        assert_eq!((again.units, again.weight_exponent), ([-1022, 7], -4));
        assert_eq!(Moments::from_words([0; Moments::WORDS]), Some(Moments::default()));
        let mut bad = moments.to_words();
        bad[10] = 1 << 40;
        assert_eq!(Moments::from_words(bad), None);
    }
}
