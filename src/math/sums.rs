use serde::{Deserialize, Serialize};

use super::units::{common_unit, is_possible};
use super::{Compensated, Double, LossSums, Readings, scaled};

/// Accumulates [`LossSums`] of many parts without losing digits.
///
/// Sums over two parts of the data [`merge`](Self::merge) into the sums over
/// both, whatever the parts are: chunks, threads, files or machines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SumsAccumulator {
    n: u64,
    weight_sum: Compensated,
    rr: Compensated,
    rx: Compensated,
    r: Compensated,
    /// The powers of two a and c of the units of X and T: Σ w·r² is held times
    /// 2²ᶜ, Σ w·r·x times 2ᵃ⁺ᶜ and Σ w·r times 2ᶜ. 0 unless squares would leave
    /// the range of f64.
    units: [i32; 2],
    /// The power of two that weights were multiplied with, and with them all
    /// sums.
    weight_exponent: i32,
}

impl SumsAccumulator {
    /// Accumulates the sums over one part.
    pub fn add(&mut self, part: LossSums) {
        self.n += part.n;
        self.weight_sum.add(part.weight_sum);
        self.rr.add(part.rr);
        self.rx.add(part.rx);
        self.r.add(part.r);
    }

    /// The sums over the elements of both parts.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.n == 0 {
            return other;
        }
        if other.n == 0 {
            return self;
        }
        let zero = Compensated::default();
        let has_size = |sums: &Self| [sums.rx != zero, sums.rr != zero || sums.r != zero];
        let units = common_unit([(self.units, has_size(&self)), (other.units, has_size(&other))]);
        let exponent = self.weight_exponent.min(other.weight_exponent);
        let (a, b) = (self.in_units(units, exponent), other.in_units(units, exponent));
        Self {
            n: a.n + b.n,
            weight_sum: a.weight_sum.merge(b.weight_sum),
            rr: a.rr.merge(b.rr),
            rx: a.rx.merge(b.rx),
            r: a.r.merge(b.r),
            ..a
        }
    }

    /// The sums of the data, from those of data that were read so.
    #[must_use]
    pub fn of_readings(self, readings: &Readings, weight_exponent: i32) -> Self {
        let rx = match readings.x.shift {
            0 => self.rx,
            shift => {
                let shift = Double::whole(shift).scaled(readings.x.exponent);
                Compensated::of(shift.times(self.r.double()).plus(self.rx.double()))
            }
        };
        Self { rx, units: [readings.x.exponent, readings.t.exponent], weight_exponent, ..self }
    }

    fn in_units(self, units: [i32; 2], weight_exponent: i32) -> Self {
        if (self.units, self.weight_exponent) == (units, weight_exponent) {
            return self;
        }
        let w = weight_exponent - self.weight_exponent;
        let [x, t] = [units[0] - self.units[0], units[1] - self.units[1]];
        Self {
            weight_sum: self.weight_sum.scaled(w),
            rr: self.rr.scaled(2 * t + w),
            rx: self.rx.scaled(x + t + w),
            r: self.r.scaled(t + w),
            units,
            weight_exponent,
            ..self
        }
    }

    /// The number of elements.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Whether there are data that have such sums, as far as can be told without
    /// these; else nothing may be computed with them.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        is_possible(self.n, self.weight_sum.value(), self.units, self.weight_exponent)
    }

    /// The sums over all parts so far. Where sample weights are so large or
    /// small that sums of them would leave the range of f64, all sums are times
    /// a power of two, which leaves their ratios.
    #[must_use]
    pub fn total(&self) -> LossSums {
        let [x, t] = self.units;
        LossSums {
            n: self.n,
            weight_sum: self.weight_sum.value(),
            rr: scaled(self.rr.value(), -2 * t),
            rx: scaled(self.rx.value(), -x - t),
            r: scaled(self.r.value(), -t),
        }
    }
}

impl From<LossSums> for SumsAccumulator {
    fn from(sums: LossSums) -> Self {
        let mut all = Self::default();
        all.add(sums);
        all
    }
}

impl FromIterator<LossSums> for SumsAccumulator {
    fn from_iter<I: IntoIterator<Item = LossSums>>(parts: I) -> Self {
        let mut all = Self::default();
        parts.into_iter().for_each(|part| all.add(part));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(size: f64, exponent: i32) -> SumsAccumulator {
        let part = LossSums { n: 1, weight_sum: 1.0, rr: size * size, rx: size * size, r: size };
        let mut readings = Readings::default();
        (readings.x.exponent, readings.t.exponent) = (exponent, exponent);
        SumsAccumulator::from(part).of_readings(&readings, 0)
    }

    /// 3·2⁵⁰⁰ and 5, the first read in units of 2⁵⁰⁰: the second adds nothing
    /// that f64 holds to the squares, and all that it is to itself.
    #[test]
    fn parts_in_other_units_merge_in_those_of_the_larger() {
        let (large, small) = (sums(3.0, -500), sums(5.0, 0));
        for merged in [large.merge(small), small.merge(large)] {
            let total = merged.total();
            assert_eq!((total.n, total.r), (2, 3.0 * 2f64.powi(500)));
            assert_eq!(total.rr, 9.0 * 2f64.powi(1000));
        }
        assert_eq!(small.merge(small).total().rr, 50.0);
    }

    /// Zeros fit every unit: that of tiny numbers stays.
    #[test]
    fn zeros_have_no_unit() {
        let (tiny, zeros) = (sums(3.0, 600), sums(0.0, 0));
        for merged in [tiny.merge(zeros), zeros.merge(tiny)] {
            assert_eq!((merged.rr.value(), merged.units), (9.0, [600; 2]));
        }
    }

    /// About p = 2⁶², x′ = 1 and r = 3: Σ r·x = 3·(2⁶² + 1), which f64 has not.
    #[test]
    fn a_shift_is_undone_with_all_digits() {
        let mut readings = Readings::default();
        readings.x.shift = 1 << 62;
        let part = LossSums { n: 1, weight_sum: 1.0, rr: 9.0, rx: 3.0, r: 3.0 };
        let got = SumsAccumulator::from(part).of_readings(&readings, 0);
        assert_eq!(got.rx.double(), Double::whole(3 * ((1 << 62) + 1)));
    }
}
