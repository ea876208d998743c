mod words;

use serde::{Deserialize, Serialize};

use super::double::{Double, scaled, two_sum};
use super::number;
use super::units::{common_unit, is_possible};
use super::{Reading, Readings, ShiftedSums};

/// The means of X and T and the sums of squares and products of what differs
/// from them: what one pass over the data has to yield so that loss and
/// gradients are known at *every* W and b.
///
/// Moments of two parts of the data [`merge`](Self::merge) into the
/// moments of both (T. F. Chan, G. H. Golub, R. J. LeVeque, 1979). All sums
/// are about the means, so no digits cancel where the means are large against
/// the spread, and the means are kept to twice the digits of f64, so none are
/// lost between parts. Where pairs have weights w, each term counts w times
/// and the means are weighted; where they have none, w = 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// The number of elements.
    pub n: u64,
    /// Σ w: n, where there are no weights.
    #[serde(with = "number")]
    pub weight_sum: f64,
    /// x̄, the mean of X, times 2ᵃ.
    #[serde(with = "number")]
    x_mean: f64,
    /// t̄, the mean of T, times 2ᶜ.
    #[serde(with = "number")]
    t_mean: f64,
    /// Mxx = Σ w·(x − x̄)².
    #[serde(with = "number")]
    pub xx: f64,
    /// Mxt = Σ w·(x − x̄)·(t − t̄).
    #[serde(with = "number")]
    pub xt: f64,
    /// Mtt = Σ w·(t − t̄)².
    #[serde(with = "number")]
    pub tt: f64,
    /// The rests that rounding to f64 took from x̄ and t̄.
    #[serde(with = "number")]
    x_rest: f64,
    #[serde(with = "number")]
    t_rest: f64,
    /// The powers of two a and c of the units of X and T: Mxx, Mxt and Mtt are
    /// given times 2²ᵃ, 2ᵃ⁺ᶜ and 2²ᶜ: 0 unless they would leave the range of
    /// f64. So are the means held while parts merge: two means may be farther
    /// apart than f64 goes, and subnormal ones would be short of digits.
    units: [i32; 2],
    /// The power of two that weights were multiplied with, and with them all
    /// sums; even.
    weight_exponent: i32,
}

impl Moments {
    /// The moments behind sums about a shift; `sums.weight_sum` must not be 0.
    ///
    /// With a shift k standard deviations off the mean, 1 + k² times the
    /// rounding of the sums is left in them. An element of the part is never
    /// farther off than √n, or, with weights, than √(Σw/w) for its weight w.
    #[must_use]
    pub fn from_shifted_sums(sums: &ShiftedSums) -> Self {
        let n = sums.weight_sum;
        let (x, t) = (sums.x / n, sums.t / n);
        let (x_mean, x_rest) = two_sum(sums.x_shift, x);
        let (t_mean, t_rest) = two_sum(sums.t_shift, t);
        Self {
            n: sums.n,
            weight_sum: sums.weight_sum,
            x_mean,
            t_mean,
            xx: (sums.xx - sums.x * x).max(0.0),
            xt: sums.xt - sums.x * t,
            tt: (sums.tt - sums.t * t).max(0.0),
            x_rest,
            t_rest,
            ..Self::default()
        }
        .or_overflowed(sums.xx, sums.tt)
    }

    /// The moments of so many pairs from their means, each a shift and the distance
    /// from it, and the sums Mxx, Mxt and Mtt about them.
    #[must_use]
    pub fn about_means(n: u64, weight_sum: f64, x: [f64; 2], t: [f64; 2], squares: [f64; 3]) -> Self {
        let [xx, xt, tt] = squares;
        let (x_mean, x_rest) = two_sum(x[0], x[1]);
        let (t_mean, t_rest) = two_sum(t[0], t[1]);
        Self { n, weight_sum, x_mean, t_mean, xx, xt, tt, x_rest, t_rest, ..Self::default() }
            .or_overflowed(xx, tt)
    }

    /// `max` swallows the NaN that ∞ − ∞ is.
    fn or_overflowed(mut self, xx: f64, tt: f64) -> Self {
        if !xx.is_finite() {
            self.xx = f64::INFINITY;
        }
        if !tt.is_finite() {
            self.tt = f64::INFINITY;
        }
        self
    }

    /// The moments of the elements of both parts.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.n == 0 {
            return other;
        }
        if other.n == 0 {
            return self;
        }
        let (a, b) = (self.has_size(), other.has_size());
        let units = common_unit([(self.units, a), (other.units, b)]);
        let exponent = self.weight_exponent.min(other.weight_exponent);
        let (one, other) = (self.in_units(units, exponent), other.in_units(units, exponent));
        one.merge_alike(other)
    }

    /// Whether X and T are anything but 0.
    fn has_size(&self) -> [bool; 2] {
        [self.x_mean != 0.0 || self.xx != 0.0, self.t_mean != 0.0 || self.tt != 0.0]
    }

    /// Both parts in the same units.
    fn merge_alike(self, other: Self) -> Self {
        let weight_sum = self.weight_sum + other.weight_sum;
        // The distance of the means, rounded once, however large they are.
        let apart = |a: (f64, f64), b: (f64, f64)| {
            let (difference, error) = two_sum(b.0, -a.0);
            difference + (error + (b.1 - a.1))
        };
        let x = apart((self.x_mean, self.x_rest), (other.x_mean, other.x_rest));
        let t = apart((self.t_mean, self.t_rest), (other.t_mean, other.t_rest));
        let share = other.weight_sum / weight_sum;
        let weight = self.weight_sum * share;
        let (x_mean, x_rest) = moved((self.x_mean, self.x_rest), x * share);
        let (t_mean, t_rest) = moved((self.t_mean, self.t_rest), t * share);
        Self {
            n: self.n + other.n,
            weight_sum,
            x_mean,
            t_mean,
            xx: self.xx + other.xx + weight * x * x,
            xt: self.xt + other.xt + weight * x * t,
            tt: self.tt + other.tt + weight * t * t,
            x_rest,
            t_rest,
            ..self
        }
    }

    /// The moments of the data, from those of data that were read so.
    #[must_use]
    pub fn of_readings(self, readings: &Readings, weight_exponent: i32) -> Self {
        // The shift in the units that the elements were read in.
        let unshifted = |(mean, rest): (f64, f64), reading: Reading| match reading.shift {
            0 => (mean, rest),
            shift => {
                let mean = Double::sum(mean, rest).plus(Double::whole(shift).scaled(reading.exponent));
                (mean.value(), mean.rest())
            }
        };
        let (x_mean, x_rest) = unshifted((self.x_mean, self.x_rest), readings.x);
        let (t_mean, t_rest) = unshifted((self.t_mean, self.t_rest), readings.t);
        Self {
            x_mean,
            x_rest,
            t_mean,
            t_rest,
            units: [self.units[0] + readings.x.exponent, self.units[1] + readings.t.exponent],
            weight_exponent: self.weight_exponent + weight_exponent,
            ..self
        }
    }

    /// The same in other units.
    fn in_units(self, units: [i32; 2], weight_exponent: i32) -> Self {
        if (self.units, self.weight_exponent) == (units, weight_exponent) {
            return self;
        }
        let w = weight_exponent - self.weight_exponent;
        let [x, t] = [units[0] - self.units[0], units[1] - self.units[1]];
        Self {
            weight_sum: scaled(self.weight_sum, w),
            x_mean: scaled(self.x_mean, x),
            t_mean: scaled(self.t_mean, t),
            x_rest: scaled(self.x_rest, x),
            t_rest: scaled(self.t_rest, t),
            xx: scaled(self.xx, 2 * x + w),
            xt: scaled(self.xt, x + t + w),
            tt: scaled(self.tt, 2 * t + w),
            units,
            weight_exponent,
            ..self
        }
    }

    /// Whether there are data that have such moments, as far as can be told
    /// without these; else nothing may be computed with them.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        is_possible(self.n, self.weight_sum, self.units, self.weight_exponent)
    }

    /// The powers of two of the units of Mxx, Mxt and Mtt: of X and of T.
    #[must_use]
    pub fn units(&self) -> [i32; 2] {
        self.units
    }

    /// The power of two that the weights were multiplied with, and with them
    /// all sums.
    #[must_use]
    pub fn weight_exponent(&self) -> i32 {
        self.weight_exponent
    }

    /// x̄, the mean of X.
    #[must_use]
    pub fn x_mean(&self) -> f64 {
        scaled(self.x_mean, -self.units[0])
    }

    /// t̄, the mean of T.
    #[must_use]
    pub fn t_mean(&self) -> f64 {
        scaled(self.t_mean, -self.units[1])
    }

    /// x̄ with all its digits.
    #[must_use]
    pub fn x_mean_double(&self) -> Double {
        Double::sum(self.x_mean, self.x_rest).scaled(-self.units[0])
    }

    /// t̄ with all its digits.
    #[must_use]
    pub fn t_mean_double(&self) -> Double {
        Double::sum(self.t_mean, self.t_rest).scaled(-self.units[1])
    }

    /// σx, the standard deviation of X, and σt, which f64 has also where it
    /// does not have their squares.
    #[must_use]
    pub fn deviations(&self) -> [f64; 2] {
        let of = |squares: f64, unit: i32| scaled((squares / self.weight_sum).sqrt(), -unit);
        [of(self.xx, self.units[0]), of(self.tt, self.units[1])]
    }

    /// The moments of all parts, combined two and two, so that rounding grows
    /// with the logarithm of their number. The same parts in the same order
    /// give the same bits.
    #[must_use]
    pub fn of_parts(parts: &[Self]) -> Self {
        match parts {
            [] => Self::default(),
            [part] => *part,
            _ => {
                let (first, second) = parts.split_at(parts.len().next_power_of_two() / 2);
                Self::of_parts(first).merge(Self::of_parts(second))
            }
        }
    }

    /// Whether every number is finite: they overflow where the square of an
    /// element does.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        [self.x_mean, self.t_mean, self.xx, self.xt, self.tt].iter().all(|value| value.is_finite())
    }
}

/// A mean in two parts, moved by `by`.
fn moved((mean, rest): (f64, f64), by: f64) -> (f64, f64) {
    let (sum, error) = two_sum(mean, by);
    two_sum(sum, error + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Affine, LossSums};

    fn part(pairs: &[(f64, f64)]) -> Moments {
        weighted(pairs, &vec![1.0; pairs.len()])
    }

    fn weighted(pairs: &[(f64, f64)], weights: &[f64]) -> Moments {
        let (x_shift, t_shift) = pairs[0];
        let mut sums = ShiftedSums { n: pairs.len() as u64, x_shift, t_shift, ..ShiftedSums::default() };
        for (&(x, t), &w) in pairs.iter().zip(weights) {
            let (x, t) = (x - x_shift, t - t_shift);
            sums.weight_sum += w;
            sums.x += w * x;
            sums.t += w * t;
            sums.xx += w * x * x;
            sums.xt += w * x * t;
            sums.tt += w * t * t;
        }
        Moments::from_shifted_sums(&sums)
    }

    const EXAMPLE: [(f64, f64); 4] = [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0)];

    /// X = 1, 2, 3, 4 and T = 2·X + 1: x̄ = 2.5, t̄ = 6, the deviations of X
    /// are ∓1.5 and ∓0.5, so Mxx = 2·(2.25 + 0.25) = 5, Mxt = 2·5, Mtt = 4·5.
    #[test]
    fn the_worked_example() {
        let got = part(&EXAMPLE);
        assert_eq!((got.n, got.x_mean, got.t_mean), (4, 2.5, 6.0));
        assert_eq!((got.xx, got.xt, got.tt), (5.0, 10.0, 20.0));
        assert_eq!(got.least_squares(), Some(Affine::new(2.0, 1.0)));
        assert_eq!(got.least_squares_rr(), 0.0);
        let sums = got.loss_sums(Affine::default());
        // Σr² = 4·41, Σr·x = −70, Σr = −24.
        assert_eq!(sums, LossSums { n: 4, weight_sum: 4.0, rr: 164.0, rx: -70.0, r: -24.0 });
    }

    /// A pair that counts three times is three pairs, but for their number; a
    /// part with weights combines with one without.
    #[test]
    fn a_weight_is_a_number_of_pairs() {
        let [a, b, c] = [(1.0, 3.0), (2.0, 5.5), (4.0, 9.0)];
        let want = part(&[a, b, b, b, c]);
        let got = weighted(&[a, b, c], &[1.0, 3.0, 1.0]);
        assert_eq!(got, Moments { n: 3, ..want });
        let combined = weighted(&[b], &[3.0]).merge(part(&[a, c]));
        for (got, want) in [
            (combined.x_mean, want.x_mean),
            (combined.t_mean, want.t_mean),
            (combined.xx, want.xx),
            (combined.xt, want.xt),
            (combined.tt, want.tt),
        ] {
            assert!((got - want).abs() <= 1e-14 * want.abs(), "{got} for {want}");
        }
        assert_eq!((combined.n, combined.weight_sum), (3, 5.0));
    }

    #[test]
    fn parts_combine_to_the_whole() {
        for at in 1..4 {
            let (head, tail) = EXAMPLE.split_at(at);
            assert_eq!(part(head).merge(part(tail)), part(&EXAMPLE), "{at}");
        }
        let each: Vec<Moments> = EXAMPLE.iter().map(|&pair| part(&[pair])).collect();
        assert_eq!(Moments::of_parts(&each), part(&EXAMPLE));
        assert_eq!(Moments::of_parts(&[]), Moments::default());
        assert_eq!(Moments::default().merge(part(&EXAMPLE)), part(&EXAMPLE));
        assert_eq!(part(&EXAMPLE).merge(Moments::default()), part(&EXAMPLE));
    }

    /// Two parts of one element each, at 2⁵³ + 2 and 2⁵³ + 4 and weighed 1:2,
    /// have a mean that f64 cannot hold; its rest is kept.
    #[test]
    fn means_keep_what_f64_cannot() {
        let far = 2f64.powi(53);
        let parts = [(far + 2.0, 0.0), (far + 4.0, 0.0), (far + 4.0, 0.0)].map(|pair| part(&[pair]));
        let got = Moments::of_parts(&parts);
        assert!(((got.x_mean - far) + got.x_rest - 10.0 / 3.0).abs() < 1e-15, "{got:?}");
        // 8/3: deviations −4/3, 2/3, 2/3.
        assert!((got.xx - 8.0 / 3.0).abs() < 1e-15, "{got:?}");
    }

    #[test]
    fn equal_elements_have_no_spread_at_all() {
        let parts = vec![part(&[(0.1, 0.3); 7]); 9];
        let got = Moments::of_parts(&parts);
        assert_eq!((got.xx, got.xt, got.tt, got.x_mean, got.t_mean), (0.0, 0.0, 0.0, 0.1, 0.3));
        assert_eq!(got.least_squares(), None);
    }

    #[test]
    fn an_overflow_is_not_a_number_and_no_line() {
        let got = part(&[(1e200, 1.0), (-1e200, 2.0)]);
        assert!(!got.is_finite(), "{got:?}");
        assert_eq!(got.least_squares(), None);
    }

    /// ±2¹⁰²³ read in units of it, 2¹⁰²⁴ apart, and 1 and 2 times 2⁻¹⁰⁷⁴ read in
    /// units of that, whose mean lies between them.
    #[test]
    fn means_of_parts_have_the_units_that_these_were_read_in() {
        let read = |x: f64, exponent: i32| {
            let mut readings = Readings::default();
            readings.x.exponent = exponent;
            part(&[(x, 0.0)]).of_readings(&readings, 0)
        };
        let far = read(1.0, -1023).merge(read(-1.0, -1023));
        assert_eq!((far.x_mean(), far.xx, far.units()), (0.0, 2.0, [-1023, 0]));
        let high = read(1.0, -1023).merge(read(1.0, -1023));
        assert_eq!(far.merge(high).x_mean(), 2f64.powi(1022));
        let near = read(1.0, 1074).merge(read(2.0, 1074));
        assert_eq!((near.x_mean, near.xx), (1.5, 0.5));
        let all = near.merge(read(3.0, 1074));
        assert_eq!((all.x_mean(), all.xx), (f64::from_bits(2), 2.0));
        // Beside 2¹⁰²³ they are nothing.
        let mixed = all.merge(read(1.0, -1023));
        assert_eq!((mixed.x_mean(), mixed.xx), (2f64.powi(1021), 0.75));
    }
}
