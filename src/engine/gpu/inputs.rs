use super::packing::Packing;
use crate::array::{ElementType, Problem};

/// The inputs of a problem's passes and the form of each on the device: X, T,
/// weights and validity bits, as far as there are any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Inputs {
    pub(super) x: Packing,
    /// Like X where there is no T.
    pub(super) t: Packing,
    pub(super) weights: Option<Packing>,
    pub(super) has_validity: bool,
    has_t: bool,
}

impl Inputs {
    pub(super) fn of(data: &Problem) -> Self {
        let x = Packing::of(data.x().element());
        Self {
            x,
            t: data.t().map_or(x, |t| Packing::of(t.element())),
            weights: data.weights().map(|weights| match weights.element() {
                // They may have to be scaled, as those of other types never have.
                ElementType::F16 | ElementType::Bf16 => Packing::F32,
                element => Packing::of(element),
            }),
            has_validity: data.validity().is_some(),
            has_t: data.t().is_some(),
        }
    }

    /// Those of X, T and weights, as far as there are any.
    fn packings(self) -> impl Iterator<Item = Packing> {
        [Some(self.x), self.has_t.then_some(self.t), self.weights].into_iter().flatten()
    }

    /// Whether any of them are f16.
    pub(super) fn has_halves(self) -> bool {
        self.packings().any(|packing| packing == Packing::F16)
    }

    /// Bytes of buffers for so many pairs, without the bits.
    pub(super) fn padded_bytes(self, elements: usize) -> u64 {
        self.packings().map(|packing| packing.padded_bytes(elements)).sum()
    }

    /// Groups of four pairs that buffers of so many bytes hold, of X, of T and, as
    /// far as there are any, of weights and bits.
    pub(super) fn groups(self, x: u64, t: u64, weights: Option<u64>, validity: Option<u64>) -> u64 {
        let weights = self.weights.zip(weights).map(|(packing, bytes)| packing.groups(bytes));
        let validity = validity.filter(|_| self.has_validity).map(|bytes| bytes * 8 / 4);
        let both = self.x.groups(x).min(self.t.groups(t));
        [weights, validity].into_iter().flatten().fold(both, u64::min)
    }

    /// Bytes that a pass reads for each pair.
    pub(super) fn pair_bytes(self) -> usize {
        self.packings().map(Packing::size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 pairs are 16 groups of four: 256 bytes of f32, 64 of u8, 8 of bits. The
    /// shortest buffer decides.
    #[test]
    fn the_shortest_buffer_says_how_many_pairs_there_are() {
        let inputs = Inputs {
            x: Packing::F32,
            t: Packing::U8,
            weights: Some(Packing::F32),
            has_validity: true,
            has_t: true,
        };
        for ([x, t, weights, validity], groups) in [
            ([256, 64, 256, 8], 16),
            ([240, 64, 256, 8], 15),
            ([256, 60, 256, 8], 15),
            ([256, 64, 240, 8], 15),
            ([256, 64, 256, 4], 8),
        ] {
            assert_eq!(inputs.groups(x, t, Some(weights), Some(validity)), groups);
        }
        let plain = Inputs { weights: None, has_validity: false, ..inputs };
        assert_eq!(plain.groups(256, 64, Some(0), Some(0)), 16);
    }
}
