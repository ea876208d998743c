use std::fmt;
use std::ops::Range;

use super::CHUNK_ELEMENTS;
use crate::math::Permutation;

/// The order in which the elements of an epoch are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shuffle {
    /// As they are, row by row.
    #[default]
    None,
    /// In blocks of neighbours, whose order is shuffled. Memory and files are read at
    /// full speed.
    Block,
    /// Each by itself, in an order of which all are equally likely.
    Element,
}

impl Shuffle {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::None, Self::Block, Self::Element];

    /// The name used on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Block => "block",
            Self::Element => "element",
        }
    }
}

impl fmt::Display for Shuffle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The elements of some data in batches, which together are an epoch. Their order
/// depends on the seed and the number of the epoch alone.
///
/// A batch is no unit of memory: that is a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Elements of the data, at least 1.
    pub elements: u64,
    /// Elements of a batch, at least 1.
    pub batch: u64,
    /// The order of the elements.
    pub shuffle: Shuffle,
    /// The seed of that order.
    pub seed: u64,
    /// Whether a last batch with fewer elements is left out.
    pub drop_last: bool,
}

/// A block is a sixteenth of a batch, so that each epoch has other batches, within
/// these bounds: the upper one is 64 KiB of f32, with which memory is read at full
/// speed.
const BLOCK_SHARE: u64 = 16;
const BLOCK_ELEMENTS: [u64; 2] = [16, 1 << 14];

impl Batches {
    /// The batches of an epoch.
    #[must_use]
    pub fn count(&self) -> u64 {
        let batch = self.batch.max(1);
        if self.drop_last { self.elements / batch } else { self.elements.div_ceil(batch) }
    }

    /// Neighbours that are drawn together at least where no batch, chunk or array ends.
    #[must_use]
    pub(crate) fn block(&self) -> u64 {
        match self.shuffle {
            Shuffle::None => self.batch,
            Shuffle::Block => (self.batch / BLOCK_SHARE).clamp(BLOCK_ELEMENTS[0], BLOCK_ELEMENTS[1]),
            Shuffle::Element => 1,
        }
    }

    /// The order of an epoch, counting from 0.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let permutation = |n| Permutation::of(n, self.seed, epoch);
        let order = match self.shuffle {
            Shuffle::None => Order::Stored,
            Shuffle::Block => {
                let block = self.block();
                let blocks = permutation(self.elements.div_ceil(block));
                Order::Blocks {
                    block,
                    blocks,
                    short_place: blocks.place_of(self.elements.div_ceil(block) - 1),
                }
            }
            Shuffle::Element => Order::Elements(permutation(self.elements)),
        };
        Epoch { batches: *self, order }
    }
}

/// The order of the elements in an epoch.
#[derive(Debug, Clone, Copy)]
pub struct Epoch {
    batches: Batches,
    order: Order,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Stored,
    /// The last block, which may be shorter than the others, comes at `short_place`.
    Blocks {
        block: u64,
        blocks: Permutation,
        short_place: u64,
    },
    Elements(Permutation),
}

impl Epoch {
    /// Batch number `k`, counting from 0.
    #[must_use]
    pub fn batch(&self, k: u64) -> Batch<'_> {
        let Batches { elements, batch, .. } = self.batches;
        let start = k.saturating_mul(batch).min(elements);
        Batch { epoch: self, draws: start..start.saturating_add(batch).min(elements) }
    }
}

/// A batch, or a part of one: some draws of an epoch.
#[derive(Debug, Clone)]
pub struct Batch<'e> {
    epoch: &'e Epoch,
    draws: Range<u64>,
}

impl<'e> Batch<'e> {
    /// The number of elements.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.draws.end - self.draws.start
    }

    /// Whether the elements are drawn each by itself.
    #[must_use]
    pub fn is_scattered(&self) -> bool {
        matches!(self.epoch.order, Order::Elements(_))
    }

    /// The chunks that the batch is made of, counted from the first of the data, if its
    /// elements are those of whole chunks in their order.
    #[must_use]
    pub fn chunks(&self) -> Option<Range<u64>> {
        let Range { start, end } = self.draws;
        let is_whole = |draw: u64| draw.is_multiple_of(CHUNK_ELEMENTS) || draw == self.epoch.batches.elements;
        let is_stored = matches!(self.epoch.order, Order::Stored);
        (is_stored && is_whole(start) && is_whole(end))
            .then(|| start.div_ceil(CHUNK_ELEMENTS)..end.div_ceil(CHUNK_ELEMENTS))
    }

    /// The batch in parts of as many elements as a chunk, to be summed apart: cut the
    /// same way wherever they are.
    pub fn parts(&self) -> impl Iterator<Item = Batch<'e>> + use<'e> {
        let (epoch, draws) = (self.epoch, self.draws.clone());
        (0..self.elements().div_ceil(CHUNK_ELEMENTS)).map(move |k| {
            let start = draws.start + k * CHUNK_ELEMENTS;
            Batch { epoch, draws: start..draws.end.min(start + CHUNK_ELEMENTS) }
        })
    }

    /// The runs of neighbours among the elements, in the order in which they are drawn;
    /// none goes on beyond a chunk.
    pub fn runs(&self) -> impl Iterator<Item = Range<usize>> + use<'e> {
        let (epoch, mut draws) = (self.epoch, self.draws.clone());
        std::iter::from_fn(move || {
            if draws.is_empty() {
                return None;
            }
            let (element, left) = epoch.drawn(draws.start);
            let in_chunk = CHUNK_ELEMENTS - element % CHUNK_ELEMENTS;
            let length = left.min(in_chunk).min(draws.end - draws.start);
            draws.start += length;
            Some(place(element)..place(element + length))
        })
    }
}

impl Epoch {
    /// The element of a draw, and the number of neighbours that follow it, itself
    /// included.
    fn drawn(&self, draw: u64) -> (u64, u64) {
        let elements = self.batches.elements;
        match self.order {
            Order::Stored => (draw, elements - draw),
            Order::Elements(permutation) => (permutation.at(draw), 1),
            Order::Blocks { block, blocks, short_place } => {
                let short = elements - (elements - 1) / block * block;
                let before = short_place * block;
                let (place, within) = if draw < before {
                    (draw / block, draw % block)
                } else if draw < before + short {
                    (short_place, draw - before)
                } else {
                    ((draw - short) / block + 1, (draw - short) % block)
                };
                let length = if place == short_place { short } else { block };
                (blocks.at(place) * block + within, length - within)
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an element of an array has a place in memory")]
fn place(element: u64) -> usize {
    element as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(batches: &Batches, epoch: u64) -> Vec<Vec<usize>> {
        let epoch = batches.epoch(epoch);
        (0..batches.count()).map(|k| epoch.batch(k).runs().flatten().collect()).collect()
    }

    /// Every element of every epoch once, and all but a short batch as long as asked for;
    /// the sizes leave short blocks in every place.
    #[test]
    fn an_epoch_is_every_element_once() {
        for shuffle in Shuffle::ALL {
            for (elements, batch) in
                [(1, 1), (10, 3), (10, 100), (1_000, 64), (70_001, 300), (70_000, 1_000), (200_000, 150_000)]
            {
                let batches = Batches { elements, batch, shuffle, seed: 3, drop_last: false };
                for epoch in 0..4 {
                    let drawn = drawn(&batches, epoch);
                    let (last, before) = drawn.split_last().unwrap();
                    assert!(before.iter().all(|drawn| drawn.len() as u64 == batch), "{batches:?}");
                    assert_eq!(before.len() as u64 * batch + last.len() as u64, elements, "{batches:?}");
                    let mut all: Vec<usize> = drawn.into_iter().flatten().collect();
                    all.sort_unstable();
                    assert!(all.iter().copied().eq(0..all.len()), "{batches:?}");
                }
            }
        }
    }

    #[test]
    fn parts_of_a_batch_are_the_batch() {
        for shuffle in Shuffle::ALL {
            let batches = Batches { elements: 400_000, batch: 150_001, shuffle, seed: 1, drop_last: true };
            let epoch = batches.epoch(2);
            let batch = epoch.batch(1);
            let parts: Vec<_> = batch.parts().collect();
            assert_eq!(parts.iter().map(Batch::elements).collect::<Vec<_>>(), [65_536, 65_536, 18_929]);
            let runs: Vec<_> = parts.iter().flat_map(Batch::runs).flatten().collect();
            assert_eq!(runs, batch.runs().flatten().collect::<Vec<_>>(), "{shuffle}");
            let chunk = |k: usize| k as u64 / CHUNK_ELEMENTS;
            assert!(batch.runs().all(|run| chunk(run.start) == chunk(run.end - 1)), "{shuffle}");
        }
    }

    #[test]
    fn batches_of_whole_chunks_are_known() {
        let of = |batch, shuffle, k| {
            let batches = Batches { elements: 200_000, batch, shuffle, seed: 1, drop_last: false };
            batches.epoch(0).batch(k).chunks()
        };
        assert_eq!([0, 1].map(|k| of(131_072, Shuffle::None, k)), [Some(0..2), Some(2..4)]);
        assert_eq!(of(200_000, Shuffle::None, 0), Some(0..4));
        assert_eq!([0, 1].map(|k| of(100_000, Shuffle::None, k)), [None, None]);
        assert_eq!(of(131_072, Shuffle::Block, 0), None);
    }

    #[test]
    fn order_follows_from_seed_and_epoch() {
        let of = |shuffle, seed, epoch| {
            drawn(&Batches { elements: 10_000, batch: 512, shuffle, seed, drop_last: false }, epoch)
        };
        let stored = of(Shuffle::None, 0, 0);
        assert_eq!(stored[0], (0..512).collect::<Vec<_>>());
        assert_eq!((&stored, stored[19].len()), (&of(Shuffle::None, 1, 1), 10_000 - 19 * 512));
        for shuffle in [Shuffle::Block, Shuffle::Element] {
            assert_eq!(of(shuffle, 5, 2), of(shuffle, 5, 2));
            let others = [of(shuffle, 5, 1), of(shuffle, 4, 2), stored.clone()];
            assert!(!others.contains(&of(shuffle, 5, 2)), "{shuffle}");
        }
        // Blocks of 32 neighbours.
        let blocks = of(Shuffle::Block, 5, 2);
        assert!(blocks[3].chunks(16).all(|half| half[15] == half[0] + 15), "{:?}", blocks[3]);
    }

    #[test]
    fn a_short_last_batch_is_dropped_if_asked_for() {
        let count = |elements, drop_last| {
            Batches { elements, batch: 8, shuffle: Shuffle::None, seed: 0, drop_last }.count()
        };
        assert_eq!([count(17, false), count(17, true), count(16, true), count(7, true)], [3, 2, 2, 0]);
    }
}
