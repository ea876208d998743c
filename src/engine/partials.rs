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
//! before they hand out the value. All engines here do, each for the same
//! arithmetic and, on a device, the same launch configuration. Parts that were
//! written otherwise merge to the same numbers but for rounding
//! ([`Tree::Ranges`]).

mod apart;
mod error;
mod mergeable;
mod node;
mod source;
mod stored;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use error::PartialsError;
pub use mergeable::{Mergeable, SumsAt};
use node::Node;
pub use source::{Source, Tree};
use stored::Stored;

use crate::array::CHUNK_ELEMENTS;

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
        values: &[S::Value],
        end: Option<u64>,
    ) -> Result<(), PartialsError> {
        let (mut start, mut rest) = (chunks.start, values);
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
        if self.source.tree == Tree::Apart {
            return self.starting_at(0)?.totals();
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

    /// The same, without a copy of the results.
    ///
    /// # Errors
    /// Those of [`totals`](Self::totals).
    pub fn into_totals(mut self) -> Result<(u64, Vec<S>), PartialsError> {
        if self.nodes.len() != 1 {
            return self.totals();
        }
        let all = self.nodes.pop().ok_or(PartialsError::Empty)?;
        Ok((all.first_fit, all.values.into_iter().map(|value| S::result(&value)).collect()))
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

impl<S: Mergeable> From<Partials<S>> for Stored<S::Value> {
    fn from(partials: Partials<S>) -> Self {
        let Partials { source, end, nodes } = partials;
        Self::new::<S>(source, end, nodes)
    }
}

impl<S: Mergeable> TryFrom<Stored<S::Value>> for Partials<S> {
    type Error = PartialsError;

    fn try_from(stored: Stored<S::Value>) -> Result<Self, PartialsError> {
        let (source, end, nodes) = stored.checked::<S>()?;
        let mut partials = Self { end, ..Self::new(source) };
        for node in nodes {
            partials.insert(node)?;
        }
        partials.check_end()?;
        Ok(partials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Order;
    use crate::math::{Affine, LossSums, Moments, SumsAccumulator};

    fn source(tree: Tree) -> Source {
        Source {
            chunk_elements: CHUNK_ELEMENTS,
            tree,
            arithmetic: "test".into(),
            fit_elements: None,
            fits: None,
            order: None,
        }
    }

    fn moments(x: f64) -> Moments {
        Moments::from_shifted_sums(&crate::math::ShiftedSums {
            n: 1,
            weight_sum: 1.0,
            x_shift: x,
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
        of_sums
            .push(
                0..1,
                0,
                vec![SumsAt { at: Affine::new(1.5, -0.5), loss: crate::math::Loss::Squared, sums }],
                None,
            )
            .unwrap();
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
