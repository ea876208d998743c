use std::ops::Range;

/// Elements of a chunk. Every result that merges is made of whole chunks (only
/// the last one of the data may be shorter), so this number is part of their
/// format.
pub const CHUNK_ELEMENTS: u64 = 1 << 16;

/// The chunks that a problem's elements are passed over in, numbered across all
/// parts of the data: parts in several files, processes or machines number
/// theirs as one whole would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkGrid {
    first_chunk: u64,
    elements: u64,
}

impl ChunkGrid {
    /// The grid of data that are the whole.
    #[must_use]
    pub fn of(elements: u64) -> Self {
        Self { first_chunk: 0, elements }
    }

    /// The same elements, of which the first is the first one of chunk number
    /// `first_chunk` of the whole; `None` if elements beyond it could not be
    /// numbered.
    #[must_use]
    pub fn starting_at(self, first_chunk: u64) -> Option<Self> {
        first_chunk.checked_mul(CHUNK_ELEMENTS)?.checked_add(self.elements)?;
        Some(Self { first_chunk, ..self })
    }

    /// The chunks of this problem, by their numbers in the whole.
    #[must_use]
    pub fn chunks(&self) -> Range<u64> {
        self.first_chunk..self.first_chunk + self.elements.div_ceil(CHUNK_ELEMENTS)
    }

    /// The number in the whole of this problem's first element.
    #[must_use]
    pub fn first_element(&self) -> u64 {
        self.first_chunk * CHUNK_ELEMENTS
    }

    /// The elements of a range of chunks, counted from this problem's first
    /// one; `None` if it has not all of them.
    #[must_use]
    pub fn elements_of(&self, chunks: &Range<u64>) -> Option<Range<usize>> {
        let all = self.chunks();
        if chunks.start > chunks.end || chunks.start < all.start || chunks.end > all.end {
            return None;
        }
        let place = |chunk: u64| {
            let element = (chunk - self.first_chunk) * CHUNK_ELEMENTS;
            usize::try_from(element.min(self.elements)).ok()
        };
        Some(place(chunks.start)?..place(chunks.end)?)
    }

    /// The number of elements of the whole, which is known where a range ends
    /// with a shorter chunk: nothing can come after that.
    #[must_use]
    pub fn end_after(&self, chunks: &Range<u64>) -> Option<u64> {
        let is_short = !self.elements.is_multiple_of(CHUNK_ELEMENTS);
        (is_short && !chunks.is_empty() && chunks.end == self.chunks().end)
            .then(|| self.first_element() + self.elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 150,000 elements from chunk 7 on: two whole chunks and 18,928 elements.
    #[test]
    fn chunks_are_numbered_in_the_whole() {
        let grid = ChunkGrid::of(150_000).starting_at(7).unwrap();
        assert_eq!(grid.chunks(), 7..10);
        assert_eq!(grid.elements_of(&(7..10)), Some(0..150_000));
        assert_eq!(grid.elements_of(&(8..9)), Some(65_536..131_072));
        assert_eq!(grid.elements_of(&(9..9)), Some(131_072..131_072));
        assert_eq!((grid.elements_of(&(6..8)), grid.elements_of(&(9..11))), (None, None));
        assert_eq!((grid.end_after(&(7..9)), grid.end_after(&(8..10))), (None, Some(7 * 65_536 + 150_000)));
        assert_eq!(ChunkGrid::of(1).starting_at(u64::MAX), None);
    }
}
