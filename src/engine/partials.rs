//! Results of parts of the data that merge into those of the whole.
//!
//! The chunks of a [`ChunkGrid`](crate::array::ChunkGrid) are the leaves of a
//! binary tree: node (ℓ, k) stands for chunks k·2ˡ to (k+1)·2ˡ − 1 and is the
//! merged value of nodes (ℓ−1, 2k) and (ℓ−1, 2k+1). A [`Partials`] holds the
//! largest whole nodes of the chunks it has, and neighbours merge as soon as
//! both are there. So which additions are made is decided by the numbers of the
//! chunks alone, and the bits are the same however the chunks were split over
//! calls, files, processes or machines, and in whatever order they came.
//!
//! That needs the value of a chunk to depend on nothing but the chunk: engines
//! whose parts merge so ([`Tree::Dyadic`]) decide for each chunk by itself what
//! they take off its elements and in which units they compute, and undo it
//! before they hand out the value. A device spreads its work as suits it; its
//! parts merge to the same numbers but for rounding ([`Tree::Ranges`]).

use std::borrow::Cow;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::array::{CHUNK_ELEMENTS, Order, Problem};
use crate::math::{Affine, LossSums, Moments, SumsAccumulator};

/// The version of the serialised form.
const VERSION: u32 = 1;

/// How parts merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// By the numbers of their chunks: to the same bits however they were split.
    Dyadic,
    /// As neighbours: to the same numbers but for rounding.
    Ranges,
}

/// Where results come from. Only those of one source merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    chunk_elements: u64,
    tree: Tree,
    arithmetic: Cow<'static, str>,
    /// The elements of a fit, if there may be several.
    fit_elements: Option<u64>,
    /// The order in which elements are numbered; `None` where both are one, of
    /// data along a single axis.
    order: Option<Order>,
}

impl Source {
    /// The source of results for a problem by an engine with this arithmetic, in a
    /// word or two.
    #[must_use]
    pub fn of(data: &Problem, tree: Tree, arithmetic: impl Into<Cow<'static, str>>) -> Self {
        Self {
            chunk_elements: CHUNK_ELEMENTS,
            tree,
            arithmetic: arithmetic.into(),
            fit_elements: data.fit_elements(),
            order: (!data.x().shape().is_linear()).then(|| data.order()),
        }
    }

    /// The source of parts of both, if they merge.
    fn joined(&self, other: &Self) -> Option<Self> {
        let order = self.order.or(other.order);
        let [one, other] =
            [self, other].map(|source| Self { order: source.order.or(order), ..source.clone() });
        (one == other).then_some(one)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} over chunks of {} elements", self.arithmetic, self.chunk_elements)?;
        match self.order {
            Some(Order::C) => f.write_str(" row by row")?,
            Some(Order::Fortran) => f.write_str(" column by column")?,
            None => {}
        }
        self.fit_elements.map_or(Ok(()), |elements| write!(f, " in fits of {elements}"))
    }
}

/// What partial results of one kind are made of.
pub trait Mergeable: Sized {
    /// The name of the kind in the serialised form.
    const KIND: &'static str;

    /// What is held of a range of chunks.
    type Value: Clone + std::fmt::Debug + PartialEq + Send + Sync + Serialize + DeserializeOwned;

    /// The value of the elements of both; the first ones' come first.
    ///
    /// # Errors
    /// [`PartialsError::Points`].
    fn merge(first: Self::Value, second: Self::Value) -> Result<Self::Value, PartialsError>;

    /// The result that a value stands for.
    fn result(value: &Self::Value) -> Self;

    /// The number of elements of a value that was read from somewhere; `None` if
    /// no data have such a value.
    fn elements(value: &Self::Value) -> Option<u64>;
}

impl Mergeable for Moments {
    const KIND: &'static str = "moments";
    type Value = Self;

    fn merge(first: Self, second: Self) -> Result<Self, PartialsError> {
        Ok(first.merge(second))
    }

    fn result(value: &Self) -> Self {
        *value
    }

    fn elements(value: &Self) -> Option<u64> {
        value.is_possible().then_some(value.n)
    }
}

/// Loss sums and the W and b that they are at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SumsAt {
    pub(super) at: Affine,
    pub(super) sums: SumsAccumulator,
}

impl Mergeable for LossSums {
    const KIND: &'static str = "loss_sums";
    type Value = SumsAt;

    fn merge(first: SumsAt, second: SumsAt) -> Result<SumsAt, PartialsError> {
        let bits = |at: Affine| [at.weight, at.bias].map(f64::to_bits);
        if bits(first.at) != bits(second.at) {
            return Err(PartialsError::Points { one: first.at, other: second.at });
        }
        Ok(SumsAt { sums: first.sums.merge(second.sums), ..first })
    }

    fn result(value: &SumsAt) -> Self {
        value.sums.total()
    }

    fn elements(value: &SumsAt) -> Option<u64> {
        value.sums.is_possible().then(|| value.sums.n())
    }
}

/// Why partial results do not merge, or have no total.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PartialsError {
    /// Results of different grids, groups, orders, engines or precisions.
    #[error(
        "partial results of {one} do not merge with those of {other}; compute all parts with one engine, \
         precision and launch configuration, grouped and stored alike"
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Source { one: Box<Source>, other: Box<Source> },
    /// Sums at different W and b.
    #[error(
        "partial sums at W = {:?}, b = {:?} do not merge with those at W = {:?}, b = {:?}; compute all parts at \
         one model",
        one.weight, one.bias, other.weight, other.bias
    )]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Points { one: Affine, other: Affine },
    /// Elements that are in both parts.
    #[error("chunks {} to {} are in both parts; merge each part once", chunks.start, chunks.end - 1)]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Overlap { chunks: Range<u64> },
    /// A part that ends within a chunk, and others behind it.
    #[error(
        "one part ends with element {end}, within a chunk of {CHUNK_ELEMENTS}, and another goes beyond; let all \
         parts but the last have a multiple of {CHUNK_ELEMENTS} elements"
    )]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Beyond { end: u64 },
    /// Chunks that are missing between others.
    #[error("chunks {} to {} are missing; merge the parts that have them", chunks.start, chunks.end - 1)]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Gap { chunks: Range<u64> },
    /// Fits that are missing between others.
    #[error("fits {} to {} are missing; merge parts in which fits follow one another", fits.start, fits.end - 1)]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    FitsGap { fits: Range<u64> },
    /// Nothing at all.
    #[error("there are no partial results")]
    Empty,
    /// Several results where one was asked for.
    #[error("there are {fits} fits, not one; ask for all totals")]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Many { fits: usize },
    /// Serialised results that were not written so.
    #[error("these are no partial results of {expected}: {reason}; write them again")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Malformed { expected: &'static str, reason: &'static str },
    /// Another version of the serialised form.
    #[error(
        "these partial results have format version {found}, and this program reads version {VERSION}; compute \
         them again with it"
    )]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    Version { found: u32 },
}

/// The values of a range of chunks, for fits that follow one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node<V> {
    first_chunk: u64,
    chunks: u64,
    first_fit: u64,
    values: Vec<V>,
}

impl<V> Node<V> {
    fn end(&self) -> u64 {
        self.first_chunk + self.chunks
    }

    fn end_fit(&self) -> u64 {
        self.first_fit + self.values.len() as u64
    }

    /// Whether two neighbours merge.
    fn meets(&self, next: &Self, tree: Tree) -> bool {
        let are_neighbours = self.end() == next.first_chunk;
        let are_siblings =
            self.chunks == next.chunks && self.first_chunk.is_multiple_of(2 * self.chunks.max(1));
        are_neighbours && (tree == Tree::Ranges || are_siblings)
    }

    /// Merges the node that follows: the values of fits that both have, those of
    /// the others as they are.
    fn merge<S: Mergeable<Value = V>>(mut self, mut next: Self) -> Result<Self, PartialsError>
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

/// The merged value of a node, from those of its chunks, a power of two of them.
fn merge_tree<S: Mergeable>(values: &[S::Value]) -> Result<S::Value, PartialsError> {
    /// Below so many, waking other threads costs more than they help.
    const PARALLEL: usize = 1024;
    if let [one] = values {
        return Ok(one.clone());
    }
    let (first, second) = values.split_at(values.len() / 2);
    let (first, second) = if values.len() < PARALLEL {
        (merge_tree::<S>(first), merge_tree::<S>(second))
    } else {
        rayon::join(|| merge_tree::<S>(first), || merge_tree::<S>(second))
    };
    S::merge(first?, second?)
}

/// Results of some chunks of the data that merge with those of others: one for
/// each fit. Serialised, they are for other processes and later days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Stored<S::Value>", try_from = "Stored<S::Value>", bound = "S: Mergeable + Clone")]
pub struct Partials<S: Mergeable> {
    source: Source,
    /// The number of elements of the whole, known once its last chunk is here
    /// and shorter than others.
    end: Option<u64>,
    nodes: Vec<Node<S::Value>>,
}

impl<S: Mergeable> Partials<S> {
    /// No results yet, of this source.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source, end: None, nodes: Vec::new() }
    }

    /// Adds the values of a range of chunks, for the fits from one on.
    /// `end` is the number of elements of the whole, if the last of the chunks is
    /// shorter than others.
    pub(super) fn push(
        &mut self,
        chunks: Range<u64>,
        first_fit: u64,
        values: Vec<S::Value>,
        end: Option<u64>,
    ) -> Result<(), PartialsError> {
        let node = Node { first_chunk: chunks.start, chunks: chunks.end - chunks.start, first_fit, values };
        self.end = self.end.or(end);
        self.insert(node)
    }

    /// Adds the values of each of a range of chunks, for the one fit, on all
    /// cores. They merge as they would one by one.
    pub(super) fn push_each(
        &mut self,
        chunks: Range<u64>,
        first_fit: u64,
        values: Vec<S::Value>,
        end: Option<u64>,
    ) -> Result<(), PartialsError> {
        let (mut start, mut rest) = (chunks.start, values.as_slice());
        while start < chunks.end && !rest.is_empty() {
            // The largest node that starts here and is all there.
            let most = (chunks.end - start).ilog2().min(rest.len().ilog2());
            let level = if start == 0 { most } else { most.min(start.trailing_zeros()) };
            let (node, others) = rest.split_at(1 << level);
            self.push(start..start + (1 << level), first_fit, vec![merge_tree::<S>(node)?], end)?;
            (start, rest) = (start + (1 << level), others);
        }
        Ok(())
    }

    /// The results of the chunks of both parts.
    ///
    /// # Errors
    /// [`PartialsError`], where the parts are not of one whole.
    pub fn merge(mut self, other: Self) -> Result<Self, PartialsError> {
        let Some(source) = self.source.joined(&other.source) else {
            let (one, other) = (Box::new(self.source), Box::new(other.source));
            return Err(PartialsError::Source { one, other });
        };
        self.source = source;
        if let (Some(end), Some(other_end)) = (self.end, other.end)
            && end != other_end
        {
            return Err(PartialsError::Beyond { end: end.min(other_end) });
        }
        self.end = self.end.or(other.end);
        for node in other.nodes {
            self.insert(node)?;
        }
        self.check_end()?;
        Ok(self)
    }

    /// Puts a node in its place and merges what meets there.
    fn insert(&mut self, node: Node<S::Value>) -> Result<(), PartialsError> {
        let mut place = self.nodes.partition_point(|other| other.first_chunk < node.first_chunk);
        let before = place.checked_sub(1).and_then(|k| self.nodes.get(k)).map_or(0, Node::end);
        let after = self.nodes.get(place).map_or(u64::MAX, |next| next.first_chunk);
        if node.first_chunk < before || after < node.end() {
            let other = if node.first_chunk < before { place - 1 } else { place };
            let other = &self.nodes[other];
            let chunks = node.first_chunk.max(other.first_chunk)..node.end().min(other.end());
            return Err(PartialsError::Overlap { chunks });
        }
        self.nodes.insert(place, node);
        loop {
            if place > 0 && self.nodes[place - 1].meets(&self.nodes[place], self.source.tree) {
                place -= 1;
            } else if !self
                .nodes
                .get(place + 1)
                .is_some_and(|next| self.nodes[place].meets(next, self.source.tree))
            {
                return Ok(());
            }
            let next = self.nodes.remove(place + 1);
            let node = self.nodes.remove(place).merge::<S>(next)?;
            self.nodes.insert(place, node);
        }
    }

    /// Nothing lies behind a chunk that is shorter than others.
    fn check_end(&self) -> Result<(), PartialsError> {
        let end = self.nodes.last().map_or(0, Node::end);
        match self.end {
            Some(elements) if end > elements.div_ceil(CHUNK_ELEMENTS) => {
                Err(PartialsError::Beyond { end: elements })
            }
            _ => Ok(()),
        }
    }

    /// The source of the results.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The ranges of chunks that are here, without gaps in each.
    #[must_use]
    pub fn chunks(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for node in &self.nodes {
            match ranges.last_mut() {
                Some(range) if range.end == node.first_chunk => range.end = node.end(),
                _ => ranges.push(node.first_chunk..node.end()),
            }
        }
        ranges
    }

    /// The number of elements of the whole, if the last of its chunks is here and
    /// shorter than others.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.end
    }

    /// The result of each fit over all chunks that are here, and the number of the
    /// first fit.
    ///
    /// # Errors
    /// [`PartialsError::Gap`], [`PartialsError::FitsGap`], [`PartialsError::Empty`].
    pub fn totals(&self) -> Result<(u64, Vec<S>), PartialsError> {
        // Of what takes microseconds, a copy would be a part.
        if let [all] = self.nodes.as_slice() {
            return Ok((all.first_fit, all.values.iter().map(S::result).collect()));
        }
        if let [first, second, ..] = self.chunks().as_slice() {
            return Err(PartialsError::Gap { chunks: first.end..second.start });
        }
        // The smallest nodes are the last ones of the whole; they merge first, as
        // if those that would make them whole were there and empty.
        let mut nodes = self.nodes.iter().rev().cloned();
        let last = nodes.next().ok_or(PartialsError::Empty)?;
        let all = nodes.try_fold(last, |after, node| node.merge::<S>(after))?;
        Ok((all.first_fit, all.values.iter().map(S::result).collect()))
    }

    /// The result over all chunks that are here, of the one fit.
    ///
    /// # Errors
    /// Those of [`totals`](Self::totals); [`PartialsError::Many`].
    pub fn total(&self) -> Result<S, PartialsError> {
        let (_, mut totals) = self.totals()?;
        match (totals.pop(), totals.len()) {
            (Some(total), 0) => Ok(total),
            (_, others) => Err(PartialsError::Many { fits: others + 1 }),
        }
    }
}

/// The serialised form. The version comes first, so that nothing else of
/// another one is read.
#[derive(Serialize, Deserialize)]
struct Stored<V> {
    version: Version,
    kind: String,
    source: Source,
    end: Option<u64>,
    nodes: Vec<Node<V>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u32")]
struct Version(u32);

impl TryFrom<u32> for Version {
    type Error = PartialsError;

    fn try_from(found: u32) -> Result<Self, PartialsError> {
        if found == VERSION { Ok(Self(found)) } else { Err(PartialsError::Version { found }) }
    }
}

impl<S: Mergeable> From<Partials<S>> for Stored<S::Value> {
    fn from(partials: Partials<S>) -> Self {
        let Partials { source, end, nodes } = partials;
        Self { version: Version(VERSION), kind: S::KIND.to_owned(), source, end, nodes }
    }
}

/// Checks everything: the file may be anyone's.
impl<S: Mergeable> TryFrom<Stored<S::Value>> for Partials<S> {
    type Error = PartialsError;

    fn try_from(stored: Stored<S::Value>) -> Result<Self, PartialsError> {
        let Stored { kind, source, end, nodes, .. } = stored;
        let malformed = |reason| PartialsError::Malformed { expected: S::KIND, reason };
        if kind != S::KIND {
            return Err(malformed("they are of another kind"));
        }
        if source.chunk_elements != CHUNK_ELEMENTS {
            let other = Source { chunk_elements: CHUNK_ELEMENTS, ..source.clone() };
            return Err(PartialsError::Source { one: Box::new(source), other: Box::new(other) });
        }
        let mut partials = Self { end, ..Self::new(source) };
        for node in nodes {
            let is_node = node.chunks.is_power_of_two() && node.first_chunk.is_multiple_of(node.chunks);
            let elements =
                node.first_chunk.checked_add(node.chunks).map(|end| end.checked_mul(CHUNK_ELEMENTS));
            if elements.is_none_or(|elements| elements.is_none()) || node.chunks == 0 {
                return Err(malformed("a range of chunks is none"));
            }
            if partials.source.tree == Tree::Dyadic && !is_node {
                return Err(malformed("a range of chunks is no node of the tree"));
            }
            if node.values.is_empty() || node.first_fit.checked_add(node.values.len() as u64).is_none() {
                return Err(malformed("a range of fits is none"));
            }
            // Within 64 bits, as the end of the last chunk is.
            let room = node.chunks * CHUNK_ELEMENTS;
            let mut elements = node.values.iter().map(S::elements);
            if elements
                .try_fold(0u64, |sum, elements| sum.checked_add(elements?))
                .is_none_or(|sum| sum > room)
            {
                return Err(malformed("no data have such a value"));
            }
            partials.insert(node)?;
        }
        partials.check_end()?;
        Ok(partials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(tree: Tree) -> Source {
        Source {
            chunk_elements: CHUNK_ELEMENTS,
            tree,
            arithmetic: "test".into(),
            fit_elements: None,
            order: None,
        }
    }

    fn moments(x: f64) -> Moments {
        Moments::from_pivot_sums(&crate::math::PivotSums {
            n: 1,
            weight_sum: 1.0,
            x_pivot: x,
            ..Default::default()
        })
    }

    fn part(tree: Tree, chunks: Range<u64>, first_fit: u64, xs: &[f64]) -> Partials<Moments> {
        let mut part = Partials::new(source(tree));
        part.push(chunks, first_fit, xs.iter().copied().map(moments).collect(), None).unwrap();
        part
    }

    fn merged(parts: impl IntoIterator<Item = Partials<Moments>>) -> Partials<Moments> {
        let none = Partials::new(source(Tree::Dyadic));
        parts.into_iter().fold(none, |all, part| all.merge(part).unwrap())
    }

    /// Chunks 0 to 6 in any order are nodes of 4, 2 and 1 chunks.
    #[test]
    fn neighbours_merge_where_they_are_siblings() {
        let chunk =
            |k: u64| part(Tree::Dyadic, k..k + 1, 0, &[1.0 / f64::from(u32::try_from(k).unwrap() + 3)]);
        let in_order = merged((0..7).map(chunk));
        assert_eq!(in_order.nodes.iter().map(|node| node.chunks).collect::<Vec<_>>(), [4, 2, 1]);
        assert_eq!(merged([3, 1, 6, 0, 5, 2, 4].map(chunk)), in_order);
        let middle = merged((3..7).map(chunk));
        assert_eq!(middle.nodes.iter().map(|node| node.chunks).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(middle.chunks(), vec![3..7; 1]);
    }

    #[test]
    fn fits_of_both_parts_merge_and_others_follow() {
        let all =
            merged([part(Tree::Dyadic, 1..2, 1, &[3.0, 4.0, 5.0]), part(Tree::Dyadic, 0..1, 0, &[1.0, 2.0])]);
        let (first, totals) = all.totals().unwrap();
        assert_eq!((first, totals.iter().map(|fit| fit.n).collect::<Vec<_>>()), (0, vec![1, 2, 1, 1]));
        assert_eq!(totals[1].x_mean(), 2.5);
        assert_eq!(all.total(), Err(PartialsError::Many { fits: 4 }));
        // A part whose fits begin before those of the part ahead of it.
        let all =
            merged([part(Tree::Dyadic, 0..1, 1, &[2.0]), part(Tree::Dyadic, 1..2, 0, &[1.0, 4.0, 7.0])]);
        let (first, totals) = all.totals().unwrap();
        assert_eq!((first, totals.iter().map(Moments::x_mean).collect::<Vec<_>>()), (0, vec![1.0, 3.0, 7.0]));
    }

    #[test]
    fn parts_that_are_not_of_one_whole_are_refused() {
        let one = part(Tree::Dyadic, 0..1, 0, &[1.0]);
        let other = part(Tree::Ranges, 1..2, 0, &[1.0]);
        assert!(matches!(one.clone().merge(other), Err(PartialsError::Source { .. })));
        assert_eq!(one.clone().merge(one.clone()), Err(PartialsError::Overlap { chunks: 0..1 }));
        let apart = part(Tree::Dyadic, 1..2, 4, &[1.0]);
        assert_eq!(one.clone().merge(apart), Err(PartialsError::FitsGap { fits: 1..4 }));
        let gap = one.clone().merge(part(Tree::Dyadic, 4..6, 0, &[1.0])).unwrap();
        assert_eq!(gap.total(), Err(PartialsError::Gap { chunks: 1..4 }));
        assert_eq!(Partials::<Moments>::new(one.source).total(), Err(PartialsError::Empty));
    }

    #[test]
    fn nothing_comes_after_a_shorter_chunk() {
        let mut last = Partials::new(source(Tree::Dyadic));
        last.push(0..1, 0, vec![moments(1.0)], Some(65_535)).unwrap();
        let next = part(Tree::Dyadic, 1..2, 0, &[1.0]);
        assert_eq!(last.clone().merge(next.clone()), Err(PartialsError::Beyond { end: 65_535 }));
        assert_eq!(next.merge(last), Err(PartialsError::Beyond { end: 65_535 }));
    }

    #[test]
    fn what_was_written_is_read_and_anything_else_is_refused() {
        let all = merged([
            part(Tree::Dyadic, 0..2, 0, &[0.1, f64::INFINITY]),
            part(Tree::Dyadic, 5..6, 0, &[f64::NEG_INFINITY, -0.0]),
        ]);
        let text = serde_json::to_string(&all).unwrap();
        // Not by `==`: among the numbers are NaNs.
        for back in [serde_json::from_str(&text), serde_json::from_reader(text.as_bytes())] {
            let back: Partials<Moments> = back.unwrap();
            assert_eq!(serde_json::to_string(&back).unwrap(), text);
            assert_eq!(format!("{back:?}"), format!("{all:?}"));
        }
        let refused = |from: &str, to: &str, why: &str| {
            assert!(text.contains(from), "{from} in {text}");
            let error = serde_json::from_str::<Partials<Moments>>(&text.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        };
        refused(r#""version":1"#, r#""version":2,"nodes":7"#, "compute them again");
        refused(r#""moments""#, r#""loss_sums""#, "another kind");
        refused(":65536", ":32768", "do not merge");
        refused(r#""first_chunk":0,"#, r#""first_chunk":1,"#, "no node");
        refused(r#""first_chunk":5,"#, r#""first_chunk":1,"#, "in both parts");
        refused(r#""first_chunk":5,"#, r#""first_chunk":18446744073709551615,"#, "range of chunks");
        refused(r#""end":null"#, r#""end":65537"#, "goes beyond");
        refused(r#""-inf""#, r#""many""#, "a number");
        assert!(serde_json::from_str::<Partials<LossSums>>(&text).is_err());
    }

    /// Version 1 as it was first written, of both kinds: other names or numbers
    /// are another version.
    #[test]
    fn version_1_stays() {
        let mut readings = crate::math::Readings::default();
        (readings.x.exponent, readings.t.exponent) = (3, -2);
        let mut of_moments = Partials::new(Source { order: Some(Order::C), ..source(Tree::Ranges) });
        let value = moments(2.5).of_readings(&readings, 4);
        of_moments.push(7..8, 2, vec![value], Some(500_000)).unwrap();
        let text = concat!(
            r#"{"version":1,"kind":"moments","source":{"chunk_elements":65536,"tree":"ranges","#,
            r#""arithmetic":"test","fit_elements":null,"order":"c"},"end":500000,"nodes":[{"first_chunk":7,"#,
            r#""chunks":1,"first_fit":2,"values":[{"n":1,"weight_sum":1.0,"x_mean":2.5,"t_mean":0.0,"#,
            r#""xx":0.0,"xt":0.0,"tt":0.0,"x_rest":0.0,"t_rest":0.0,"units":[3,-2],"weight_exponent":4}]}]}"#,
        );
        assert_eq!(serde_json::to_string(&of_moments).unwrap(), text);
        assert_eq!(serde_json::from_str::<Partials<Moments>>(text).unwrap(), of_moments);

        let of_grouped =
            Source { fit_elements: Some(9), order: Some(Order::Fortran), ..source(Tree::Dyadic) };
        let mut of_sums = Partials::new(of_grouped);
        let sums = LossSums { n: 2, weight_sum: 2.0, rr: 5.0, rx: 3.0, r: -1.0 };
        let sums = SumsAccumulator::from(sums).of_readings(&readings, 4);
        of_sums.push(0..1, 0, vec![SumsAt { at: Affine::new(1.5, -0.5), sums }], None).unwrap();
        let text = concat!(
            r#"{"version":1,"kind":"loss_sums","source":{"chunk_elements":65536,"tree":"dyadic","#,
            r#""arithmetic":"test","fit_elements":9,"order":"fortran"},"end":null,"nodes":[{"first_chunk":0,"#,
            r#""chunks":1,"first_fit":0,"values":[{"at":{"weight":1.5,"bias":-0.5},"sums":{"n":2,"#,
            r#""weight_sum":{"sum":2.0,"error":0.0},"rr":{"sum":5.0,"error":0.0},"#,
            r#""rx":{"sum":3.0,"error":0.0},"r":{"sum":-1.0,"error":0.0},"units":[3,-2],"#,
            r#""weight_exponent":4}}]}]}"#,
        );
        assert_eq!(serde_json::to_string(&of_sums).unwrap(), text);
        assert_eq!(serde_json::from_str::<Partials<LossSums>>(text).unwrap(), of_sums);

        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            let error = serde_json::from_str::<Partials<LossSums>>(&text.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains("no data have such"), "{to}: {error}");
        };
        refused(r#""n":2"#, r#""n":65537"#);
        refused(r#""units":[3,-2]"#, r#""units":[3,-2201]"#);
        refused(r#""units":[3,-2]"#, r#""units":[2147483647,-2]"#);
        refused(r#""weight_exponent":4"#, r#""weight_exponent":-2147483648"#);
        for sum in ["0.0", "-1.0", r#""nan""#] {
            refused(r#"{"sum":2.0,"#, &format!(r#"{{"sum":{sum},"#));
        }
    }
}
