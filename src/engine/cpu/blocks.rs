//! The elements of a pass, a block at a time.

use std::ops::Range;

use super::lanes::{BLOCK_ELEMENTS, Once, Weighing};
use super::read::{fill_unset, read_about, read_finite, read_weights};
use crate::array::{Array, Element, Problem, Validity, with_element};
use crate::engine::chunks;
use crate::engine::frame::{self, Frame};
use crate::math::{Double, Readings};

/// A pass over X and T, block by block.
pub(super) trait BlockPass {
    /// Accumulates the next block, of which `n` pairs are valid; all slices have
    /// the same length.
    fn accumulate<E: Element>(&mut self, xs: &[E], ts: &[E], ws: impl Weighing, n: u64);
}

/// Hands a range of elements to a pass: as they lie in memory if X and T are of
/// one type, read as they are, and all of a block are valid, else brought to f64
/// a block at a time, which stays in the first-level cache.
pub(super) fn for_each_block(source: Blocks<'_>, range: Range<usize>, pass: &mut impl BlockPass) {
    let Blocks { data, t, frame, about } = source;
    let (x, order, validity) = (data.x(), data.order(), data.validity());
    let is_whole =
        |block: &Range<usize>| validity.is_none_or(|validity| contains_all(validity, block, data.len()));
    // Room that is not always needed, and that takes time to clear.
    let mut widened: Option<Widened<'_>> = None;
    if x.element() == t.element() && frame.readings == Readings::default() && about.is_none() {
        let in_place = with_element!(x.element(), E => {
            let pair = x.as_slice::<E>(order).zip(t.as_slice::<E>(order));
            pair.map(|(xs, ts)| {
                for block in chunks(range.clone(), BLOCK_ELEMENTS) {
                    let n = block.len() as u64;
                    if !is_whole(&block) {
                        widened.get_or_insert_with(|| Widened::new(source)).hand_to(pass, block);
                    } else if data.weights().is_some() {
                        let ws = &mut widened.get_or_insert_with(|| Widened::new(source)).ws[..block.len()];
                        read_weights(frame, data, order, block.start, ws);
                        pass.accumulate(&xs[block.clone()], &ts[block], &*ws, n);
                    } else {
                        pass.accumulate(&xs[block.clone()], &ts[block], Once, n);
                    }
                }
            })
        });
        if in_place.is_some() {
            return;
        }
    }
    let widened = widened.get_or_insert_with(|| Widened::new(source));
    chunks(range, BLOCK_ELEMENTS).for_each(|block| widened.hand_to(pass, block));
}

/// The source of blocks, and the way to read them.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'d> {
    pub(super) data: &'d Problem,
    pub(super) t: &'d Array,
    pub(super) frame: &'d Frame,
    /// A point that is taken off X and T once they are read.
    pub(super) about: Option<[Double; 2]>,
}

impl Blocks<'_> {
    fn read(&self, start: usize, xs: &mut [f64], ts: &mut [f64]) {
        let (order, Readings { x, t }) = (self.data.order(), self.frame.readings);
        for (matrix, reading, axis, out) in [(self.data.x(), x, 0, xs), (self.t, t, 1, ts)] {
            match self.about {
                Some(point) => read_about(matrix, reading, point[axis], order, start, out),
                None if reading.is_plain() => read_finite(matrix, order, start, out),
                None => frame::read(matrix, reading, order, start, out, None),
            }
        }
    }
}

/// Room for a block in f64.
struct Widened<'d> {
    source: Blocks<'d>,
    xs: [f64; BLOCK_ELEMENTS],
    ts: [f64; BLOCK_ELEMENTS],
    ws: [f64; BLOCK_ELEMENTS],
}

impl<'d> Widened<'d> {
    fn new(source: Blocks<'d>) -> Self {
        let none = [0f64; BLOCK_ELEMENTS];
        Self { source, xs: none, ts: none, ws: none }
    }

    /// Hands a block to a pass. In the place of a missing value is another pair of
    /// the block, of weight 0: that takes no branches.
    fn hand_to(&mut self, pass: &mut impl BlockPass, block: Range<usize>) {
        let Blocks { data, frame, .. } = self.source;
        let (order, start, len) = (data.order(), block.start, block.len());
        let validity = data.validity().filter(|validity| !contains_all(validity, &block, data.len()));
        let Some(first) = data.first_valid(&block) else { return };
        let [xs, ts, ws] = [&mut self.xs, &mut self.ts, &mut self.ws].map(|values| &mut values[..len]);
        self.source.read(start, xs, ts);
        if data.weights().is_some() {
            read_weights(frame, data, order, start, ws);
        }
        let Some(validity) = validity else {
            let n = len as u64;
            match data.weights() {
                Some(_) => pass.accumulate(xs, ts, &*ws, n),
                None => pass.accumulate(xs, ts, Once, n),
            }
            return;
        };
        if data.weights().is_none() {
            ws.fill(1.0);
        }
        let mut room = [0; BLOCK_WORDS];
        let words = words_of(validity, &block, data.len(), &mut room);
        let (x, t) = (xs[first - start], ts[first - start]);
        fill_unset(words, xs, x);
        fill_unset(words, ts, t);
        fill_unset(words, ws, 0.0);
        let n = words.iter().map(|word| u64::from(word.count_ones())).sum();
        pass.accumulate(xs, ts, &*ws, n);
    }
}

/// Elements that share a word of the bits.
const WORD_ELEMENTS: usize = 32;

const BLOCK_WORDS: usize = BLOCK_ELEMENTS / WORD_ELEMENTS;

/// The elements of the words that a block has a part in.
fn around(block: &Range<usize>, len: usize) -> Range<usize> {
    block.start / WORD_ELEMENTS * WORD_ELEMENTS..block.end.next_multiple_of(WORD_ELEMENTS).min(len)
}

/// Whether all of a block are valid. Whole words are looked at first: a fit may
/// begin and end within one.
fn contains_all(validity: &Validity, block: &Range<usize>, len: usize) -> bool {
    let around = around(block, len);
    validity.contains_all(&around) || (around != *block && validity.contains_all(block))
}

/// The bits of a block, the first element's the lowest, and none beyond it.
fn words_of<'v>(
    validity: &'v Validity,
    block: &Range<usize>,
    len: usize,
    room: &'v mut [u32; BLOCK_WORDS],
) -> &'v [u32] {
    let around = around(block, len);
    let words = validity.words(&around);
    if around == *block {
        return words;
    }
    let shift = block.start - around.start;
    let room = &mut room[..block.len().div_ceil(WORD_ELEMENTS)];
    for (k, out) in room.iter_mut().enumerate() {
        let next = words.get(k + 1).copied().unwrap_or_default();
        let both = u64::from(words[k]) | u64::from(next) << WORD_ELEMENTS;
        #[expect(clippy::cast_possible_truncation, reason = "a word of two")]
        let word = (both >> shift) as u32;
        *out = word;
    }
    if let (Some(last), rest @ 1..) = (room.last_mut(), block.len() % WORD_ELEMENTS) {
        *last &= (1 << rest) - 1;
    }
    room
}
