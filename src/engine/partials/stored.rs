//! The serialised form of partial results, and the checks of one that was read:
//! the file may be anyone's.

use serde::{Deserialize, Serialize};

use super::error::{PartialsError, VERSION};
use super::mergeable::Mergeable;
use super::node::Node;
use super::source::{Source, Tree};
use crate::array::CHUNK_ELEMENTS;

/// The serialised form. The version comes first, so that nothing else of
/// another one is read.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored<V> {
    version: Version,
    kind: String,
    source: Source,
    end: Option<u64>,
    nodes: Vec<Node<V>>,
}

/// The source, the end and the nodes.
type Parts<V> = (Source, Option<u64>, Vec<Node<V>>);

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u32")]
struct Version(u32);

impl TryFrom<u32> for Version {
    type Error = PartialsError;

    fn try_from(found: u32) -> Result<Self, PartialsError> {
        if found == VERSION { Ok(Self(found)) } else { Err(PartialsError::Version { found }) }
    }
}

impl<V> Stored<V> {
    pub(super) fn new<S: Mergeable<Value = V>>(
        source: Source,
        end: Option<u64>,
        nodes: Vec<Node<V>>,
    ) -> Self {
        Self { version: Version(VERSION), kind: S::KIND.to_owned(), source, end, nodes }
    }

    /// The source, the end and the nodes, each of which some data may have.
    pub(super) fn checked<S: Mergeable<Value = V>>(self) -> Result<Parts<V>, PartialsError> {
        let Self { kind, source, end, nodes, .. } = self;
        if kind != S::KIND {
            return Err(malformed::<S>("they are of another kind"));
        }
        if source.chunk_elements != CHUNK_ELEMENTS {
            let other = Source { chunk_elements: CHUNK_ELEMENTS, ..source.clone() };
            return Err(PartialsError::Source { one: Box::new(source), other: Box::new(other) });
        }
        nodes.iter().try_for_each(|node| check_node::<S>(node, source.tree))?;
        Ok((source, end, nodes))
    }
}

fn malformed<S: Mergeable>(reason: &'static str) -> PartialsError {
    PartialsError::Malformed { expected: S::KIND, reason }
}

/// Checks everything of a node, so that nothing overflows later.
fn check_node<S: Mergeable>(node: &Node<S::Value>, tree: Tree) -> Result<(), PartialsError> {
    let is_node = node.chunks.is_power_of_two() && node.first_chunk.is_multiple_of(node.chunks);
    let elements = node.first_chunk.checked_add(node.chunks).map(|end| end.checked_mul(CHUNK_ELEMENTS));
    if elements.is_none_or(|elements| elements.is_none()) || node.chunks == 0 {
        return Err(malformed::<S>("a range of chunks is none"));
    }
    if tree != Tree::Ranges && !is_node {
        return Err(malformed::<S>("a range of chunks is no node of the tree"));
    }
    if node.values.is_empty() || node.first_fit.checked_add(node.values.len() as u64).is_none() {
        return Err(malformed::<S>("a range of fits is none"));
    }
    // Within 64 bits, as the end of the last chunk is.
    let room = node.chunks * CHUNK_ELEMENTS;
    let mut elements = node.values.iter().map(S::elements);
    if elements.try_fold(0u64, |sum, elements| sum.checked_add(elements?)).is_none_or(|sum| sum > room) {
        return Err(malformed::<S>("no data have such a value"));
    }
    Ok(())
}
