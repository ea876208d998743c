//! The moments that the host finds, in f64, for passes of a device.

use std::ops::Range;

use crate::array::Problem;
use crate::engine::{CHUNK, Cpu, Engine, EngineError, Leaf, partials_of};
use crate::math::Moments;

/// The data on the host. Mini-batches come again and again, so that what was
/// found of a chunk is kept.
pub(super) struct Host {
    pub(super) cpu: Cpu,
    /// The moments of each chunk that was asked for.
    chunks: Vec<Option<Moments>>,
    /// The range that was asked for last.
    last: Option<(Range<usize>, Moments)>,
}

impl Host {
    pub(super) fn new(data: &Problem) -> Self {
        Self { cpu: Cpu::new(data), chunks: vec![None; data.len().div_ceil(CHUNK)], last: None }
    }

    /// The moments of a range of elements, which starts with a chunk and ends with
    /// one: those of its chunks, merged as [`Cpu`] merges them.
    pub(super) fn moments(&mut self, elements: &Range<usize>) -> Result<Moments, EngineError> {
        if let Some((_, moments)) = self.last.as_ref().filter(|(range, _)| range == elements) {
            return Ok(*moments);
        }
        let data = self.cpu.problem();
        let range = elements.start / CHUNK..elements.end.div_ceil(CHUNK);
        let first = data.grid().chunks().start;
        let numbers = |range: &Range<usize>| first + range.start as u64..first + range.end as u64;
        let is_missing = |place: &usize| self.chunks[*place].is_none();
        if let Some(start) = range.clone().find(is_missing) {
            let end = range.clone().rfind(is_missing).map_or(range.end, |last| last + 1);
            let leaves = self.cpu.moments_of_chunks(&numbers(&(start..end)))?;
            for (known, leaf) in self.chunks[start..end].iter_mut().zip(leaves) {
                *known = leaf.values.first().copied();
            }
        }
        let first_fit = data.fits().range().start;
        let known = self.chunks[range.clone()].iter();
        let leaves = known.map(|known| Leaf { first_fit, values: known.iter().copied().collect() });
        let moments = partials_of::<Moments>(data, "host f64", numbers(&range), leaves)?.total()?;
        self.last = Some((elements.clone(), moments));
        Ok(moments)
    }
}

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small numbers, or rounding is meant"
)]
mod tests {
    use super::*;
    use crate::array::Array;

    /// Ranges that overlap, in an order in which some chunks between others are
    /// known; to the bits of an engine that is asked for each range alone.
    #[test]
    fn moments_of_a_range_are_those_of_its_chunks() {
        let n = 6 * CHUNK + 1_001;
        let column = |label, step: f64| {
            let values: Vec<f64> = (0..n).map(|k| (k as f64 * step).fract() - 0.3).collect();
            Array::from_vec(label, &[n as u64], values)
        };
        let data = Problem::pair(column("x", 0.618_034), column("t", 0.414_21)).unwrap();
        let data = data.starting_at(3).unwrap();
        let mut host = Host::new(&data);
        for range in [2..4, 1..2, 0..7, 5..7, 2..4, 6..7, 1..6, 0..7] {
            let elements = range.start * CHUNK..n.min(range.end * CHUNK);
            let want = Cpu::new(&data).moments(3 + range.start as u64..3 + range.end as u64).unwrap();
            let want = want.total().unwrap();
            assert_eq!(host.moments(&elements).unwrap(), want, "{range:?}");
            // A second time from what is kept.
            assert_eq!(host.moments(&elements).unwrap(), want, "{range:?}");
        }
        assert_eq!(host.chunks.len(), 7);
        host.last = None;
        host.chunks[6] = host.chunks[0];
        assert_eq!(host.moments(&(6 * CHUNK..n)).unwrap().n, CHUNK as u64, "nothing is found again");
    }
}
