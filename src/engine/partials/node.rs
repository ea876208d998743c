//! The nodes of the tree that results merge in.

use serde::{Deserialize, Serialize};

use super::error::PartialsError;
use super::mergeable::Mergeable;
use super::source::Tree;

/// The values of a range of chunks, for fits that follow one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Node<V> {
    pub(super) first_chunk: u64,
    pub(super) chunks: u64,
    pub(super) first_fit: u64,
    pub(super) values: Vec<V>,
}

impl<V> Node<V> {
    pub(super) fn end(&self) -> u64 {
        self.first_chunk + self.chunks
    }

    fn end_fit(&self) -> u64 {
        self.first_fit + self.values.len() as u64
    }

    /// Whether two neighbours merge.
    pub(super) fn meets(&self, next: &Self, tree: Tree) -> bool {
        let are_neighbours = self.end() == next.first_chunk;
        let are_siblings =
            self.chunks == next.chunks && self.first_chunk.is_multiple_of(2 * self.chunks.max(1));
        are_neighbours
            && match tree {
                Tree::Dyadic => are_siblings,
                Tree::Ranges => true,
                Tree::Apart => false,
            }
    }

    /// Merges the node that follows: the values of fits that both have, those of
    /// the others as they are.
    pub(super) fn merge<S: Mergeable<Value = V>>(mut self, mut next: Self) -> Result<Self, PartialsError>
    where
        V: Clone,
    {
        self.chunks += next.chunks;
        // Nearly always fits begin in order, or all are the same.
        if next.first_fit < self.first_fit {
            let missing = next.end_fit()..self.first_fit;
            if !missing.is_empty() {
                return Err(PartialsError::FitsGap { fits: missing });
            }
            let before = usize::try_from(self.first_fit - next.first_fit).unwrap_or(usize::MAX);
            let own = std::mem::take(&mut self.values);
            self.first_fit = next.first_fit;
            let rest = next.values.split_off(before.min(next.values.len()));
            self.values = next.values;
            return self.with_joined::<S>(own, rest);
        }
        let missing = self.end_fit()..next.first_fit;
        if !missing.is_empty() {
            return Err(PartialsError::FitsGap { fits: missing });
        }
        let before = usize::try_from(next.first_fit - self.first_fit).unwrap_or(usize::MAX);
        let own = self.values.split_off(before);
        self.with_joined::<S>(own, next.values)
    }

    /// Appends the merged values of fits from one on.
    fn with_joined<S: Mergeable<Value = V>>(
        mut self,
        first: Vec<V>,
        second: Vec<V>,
    ) -> Result<Self, PartialsError> {
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        loop {
            let value = match (first.next(), second.next()) {
                (Some(one), Some(other)) => S::merge(one, other)?,
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return Ok(self),
            };
            self.values.push(value);
        }
    }
}
