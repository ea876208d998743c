/// A permutation of 0, 1, …, n − 1 that takes no memory: by a seed alone, each
/// number's place can be told without those of the others.
///
/// A Feistel network (H. Feistel, 1973) swaps the two halves of a number's bits,
/// each time mixing a function of one half into the other, which can be undone
/// whatever the function is. Six rounds are two more than suffice for a good function
/// to look random (M. Luby, C. Rackoff, 1988). It permutes the numbers below a power
/// of two; one that lands at n or above is sent on until it does not ("cycle walking":
/// J. Black, P. Rogaway, 2002), less than once on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutation {
    n: u64,
    /// Bits of the lower half, and of the upper one.
    bits: [u32; 2],
    keys: [u64; ROUNDS],
}

const ROUNDS: usize = 6;

impl Permutation {
    /// The permutation of so many numbers that belongs to a seed and a number under it.
    #[must_use]
    pub fn of(n: u64, seed: u64, number: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let mut state = mixed(mixed(seed).wrapping_add(number));
        let keys = [(); ROUNDS].map(|()| {
            state = state.wrapping_add(GOLDEN);
            mixed(state)
        });
        Self { n, bits: [bits / 2, bits - bits / 2], keys }
    }

    /// The number at a place below n.
    #[must_use]
    #[inline]
    pub fn at(&self, place: u64) -> u64 {
        debug_assert!(place < self.n);
        let mut number = self.forward(place);
        while number >= self.n {
            number = self.forward(number);
        }
        number
    }

    /// The place of a number below n.
    #[must_use]
    pub fn place_of(&self, number: u64) -> u64 {
        debug_assert!(number < self.n);
        let mut place = self.backward(number);
        while place >= self.n {
            place = self.backward(place);
        }
        place
    }

    #[inline]
    fn forward(&self, number: u64) -> u64 {
        let mut halves = self.halves(number);
        for round in 0..ROUNDS {
            self.mix(&mut halves, round);
        }
        halves[1] << self.bits[0] | halves[0]
    }

    fn backward(&self, number: u64) -> u64 {
        let mut halves = self.halves(number);
        for round in (0..ROUNDS).rev() {
            self.mix(&mut halves, round);
        }
        halves[1] << self.bits[0] | halves[0]
    }

    #[inline]
    fn halves(&self, number: u64) -> [u64; 2] {
        [number & mask(self.bits[0]), number >> self.bits[0]]
    }

    /// A round: even ones change the upper half, odd ones the lower. Twice, it
    /// changes nothing.
    #[inline]
    fn mix(&self, halves: &mut [u64; 2], round: usize) {
        let (changed, from) = (1 - round % 2, round % 2);
        halves[changed] ^= mixed(halves[from] ^ self.keys[round]) & mask(self.bits[changed]);
    }
}

fn mask(bits: u32) -> u64 {
    (1u64 << bits) - 1
}

/// The odd number next to 2⁶⁴ over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number of which each bit depends on all bits of another: the finalizer of
/// `SplitMix64` (G. L. Steele, D. Lea, C. H. Flood, 2014), which is D. Stafford's "Mix13".
#[inline]
fn mixed(mut value: u64) -> u64 {
    value = value.wrapping_add(GOLDEN);
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_place() {
        for n in [1u64, 2, 3, 4, 5, 7, 8, 9, 100, 1_000, 1_023, 1_024, 1_025, 65_537] {
            for number in 0..3 {
                let permutation = Permutation::of(n, 42, number);
                let mut seen = vec![false; usize::try_from(n).unwrap()];
                for place in 0..n {
                    let number = permutation.at(place);
                    assert!(
                        !std::mem::replace(&mut seen[usize::try_from(number).unwrap()], true),
                        "{n}: {number} twice"
                    );
                    assert_eq!(permutation.place_of(number), place, "{n}");
                }
            }
        }
    }

    /// The largest that there can be.
    #[test]
    fn large_numbers_come_back() {
        for n in [u64::MAX, u64::MAX / 2 + 2, 1 << 40] {
            let permutation = Permutation::of(n, 7, 0);
            for place in [0, 1, n / 3, n - 1] {
                assert_eq!(permutation.place_of(permutation.at(place)), place);
            }
        }
    }

    /// Each of the 24 orders of 4 numbers comes up as often as the others: χ² of 23
    /// degrees of freedom is above 49.7 once in a thousand times.
    #[test]
    fn all_orders_are_alike() {
        let mut counts = std::collections::BTreeMap::new();
        let seeds = 24_000u64;
        for seed in 0..seeds {
            let permutation = Permutation::of(4, seed, 3);
            *counts.entry([0, 1, 2, 3].map(|place| permutation.at(place))).or_insert(0u32) += 1;
        }
        let squares: f64 = counts.values().map(|&count| (f64::from(count) - 1000.0).powi(2) / 1000.0).sum();
        assert!(counts.len() == 24 && squares < 49.7, "{squares}: {counts:?}");
    }

    /// The place of a number tells nothing of the next one's: the mean of
    /// |π(k + 1) − π(k)| of a random order is (n + 1)/3, with a standard deviation of
    /// about n/(√(18/…)·√n), here below 15.
    #[test]
    fn neighbours_are_torn_apart() {
        let n = 10_000u64;
        for (seed, number) in [(0, 0), (0, 1), (1, 0), (u64::MAX, 5)] {
            let permutation = Permutation::of(n, seed, number);
            let total: u64 = (1..n).map(|k| permutation.at(k).abs_diff(permutation.at(k - 1))).sum();
            assert!((total / (n - 1)).abs_diff(3_333) < 100, "{seed}, {number}: {}", total / (n - 1));
        }
    }
}
