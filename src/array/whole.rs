use super::Element;

/// A type of whole numbers that predictions are rounded to: f64 has all of them.
pub trait Whole: Element + std::fmt::Display {
    /// The least of them.
    const LEAST: Self;
    /// The greatest of them.
    const MOST: Self;
}

macro_rules! whole {
    ($($int:ty)*) => {$(
        impl Whole for $int {
            const LEAST: Self = <$int>::MIN;
            const MOST: Self = <$int>::MAX;
        }
    )*};
}

whole!(u8 i8 u16 i16 u32 i32);

/// The number of numbers beyond a type's range, which were set to its ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saturated {
    /// Below the least number.
    pub below: u64,
    /// Above the greatest.
    pub above: u64,
}

impl Saturated {
    /// Both together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.below + self.above
    }

    /// Rounds to the nearest whole number, a half to the even one, and counts
    /// those beyond the range. A NaN becomes the least number.
    pub fn round<W: Whole>(&mut self, value: f64) -> W {
        let rounded = value.round_ties_even();
        if rounded > W::MOST.to_f64() {
            self.above += 1;
            W::MOST
        } else if rounded >= W::LEAST.to_f64() {
            W::from_f64(rounded)
        } else {
            self.below += 1;
            W::LEAST
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_number() {
        let mut none = Saturated::default();
        for (value, want) in
            [(-0.5, 0), (0.5, 0), (1.5, 2), (2.5, 2), (3.4999, 3), (254.5, 254), (255.4, 255)]
        {
            assert_eq!(none.round::<u8>(value), want, "{value}");
        }
        for (value, want) in [(-1.5, -2), (-2.5, -2), (-128.5, -128), (127.49, 127)] {
            assert_eq!(none.round::<i8>(value), want, "{value}");
        }
        assert_eq!(none.round::<u32>(4_294_967_295.0), u32::MAX);
        assert_eq!(none.total(), 0);
    }

    #[test]
    fn what_is_beyond_the_range_is_its_end_and_counted() {
        let mut counted = Saturated::default();
        assert_eq!(counted.round::<u8>(255.5), 255);
        assert_eq!(counted.round::<u8>(1e300), 255);
        assert_eq!(counted.round::<u8>(-0.6), 0);
        assert_eq!(counted.round::<i32>(-1e10), i32::MIN);
        assert_eq!(counted.round::<u16>(f64::NAN), 0);
        assert_eq!(counted, Saturated { below: 3, above: 2 });
    }
}
