//! Chunks that were kept apart, brought to their place in a whole.

use super::node::Node;
use super::{Mergeable, Partials, PartialsError, Source, Tree};
use crate::array::CHUNK_ELEMENTS;

impl<S: Mergeable> Partials<S> {
    /// The same results, of one fit over data that begin with chunk number
    /// `first_chunk` of a whole instead of the first. Chunks that were kept apart
    /// ([`Problem::with_chunks_apart`](crate::array::Problem::with_chunks_apart)) merge
    /// there as in the whole.
    ///
    /// # Errors
    /// [`PartialsError::Many`]: there are several fits. [`PartialsError::Merged`]: chunks
    /// were not kept apart. [`PartialsError::Beyond`]: no such whole can be numbered.
    pub fn starting_at(&self, first_chunk: u64) -> Result<Self, PartialsError> {
        if self.source.fit_elements.is_some() {
            return Err(PartialsError::Many { fits: self.nodes.first().map_or(0, |node| node.values.len()) });
        }
        if self.source.tree == Tree::Dyadic && first_chunk > 0 {
            return Err(PartialsError::Merged);
        }
        let tree = if self.source.tree == Tree::Apart { Tree::Dyadic } else { self.source.tree };
        let beyond = || PartialsError::Beyond { end: u64::MAX };
        let first_element = first_chunk.checked_mul(CHUNK_ELEMENTS).ok_or_else(beyond)?;
        let last = self.nodes.last().map_or(0, Node::end).checked_add(first_chunk).ok_or_else(beyond)?;
        last.checked_mul(CHUNK_ELEMENTS).ok_or_else(beyond)?;
        let end = self.end.map(|end| end.checked_add(first_element).ok_or_else(beyond)).transpose()?;
        let mut placed = Self { end, ..Self::new(Source { tree, ..self.source.clone() }) };
        for node in &self.nodes {
            placed.insert(Node { first_chunk: node.first_chunk + first_chunk, ..node.clone() })?;
        }
        Ok(placed)
    }
}
