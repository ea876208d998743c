//! The moments that the host finds, in f64, for passes of a device.

use std::ops::Range;

use crate::array::Problem;
use crate::engine::{Cpu, Engine, EngineError, Leaf, Partials, partials_of};
use crate::math::Moments;

/// The data on the host. Mini-batches come again and again, so that what was
/// found of a chunk is kept.
pub(super) struct Host {
    pub(super) cpu: Cpu,
    /// The moments of the runs of each chunk that was asked for, and the first
    /// one's fit.
    chunks: Vec<Option<(u64, Vec<Moments>)>>,
}

impl Host {
    pub(super) fn new(data: &Problem) -> Self {
        let chunks = data.grid().chunks();
        let count = usize::try_from(chunks.end - chunks.start).unwrap_or(0);
        Self { cpu: Cpu::new(data), chunks: vec![None; count] }
    }

    /// The moments of a range of chunks, merged as [`Cpu`] merges them.
    pub(super) fn moments(&mut self, over: &Range<u64>) -> Result<Partials<Moments>, EngineError> {
        let first = self.first_chunk();
        let place = |chunk: u64| usize::try_from(chunk - first).unwrap_or(usize::MAX);
        let range = place(over.start)..place(over.end);
        self.find(range.clone())?;
        let leaves = self.chunks[range].iter().flatten();
        let leaves = leaves.map(|(first_fit, values)| Leaf { first_fit: *first_fit, values: values.clone() });
        partials_of::<Moments>(self.cpu.problem(), "host f64", over.clone(), leaves)
    }

    /// The moments of the runs of the chunk in some place.
    pub(super) fn chunk(&mut self, place: usize) -> Result<&[Moments], EngineError> {
        self.find(place..place + 1)?;
        Ok(self.chunks[place].as_ref().map_or(&[], |(_, values)| values))
    }

    fn first_chunk(&self) -> u64 {
        self.cpu.problem().grid().chunks().start
    }

    fn find(&mut self, range: Range<usize>) -> Result<(), EngineError> {
        let is_missing = |place: &usize| self.chunks[*place].is_none();
        let Some(start) = range.clone().find(is_missing) else { return Ok(()) };
        let end = range.clone().rfind(is_missing).map_or(start + 1, |last| last + 1);
        let first = self.first_chunk();
        let leaves = self.cpu.moments_of_chunks(&(first + start as u64..first + end as u64))?;
        for (known, leaf) in self.chunks[start..end].iter_mut().zip(leaves) {
            *known = Some((leaf.first_fit, leaf.values));
        }
        Ok(())
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
    use crate::engine::CHUNK;

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
        for range in [2..4u64, 1..2, 0..7, 5..7, 2..4, 6..7, 1..6, 0..7] {
            let over = 3 + range.start..3 + range.end;
            let want = Cpu::new(&data).moments(over.clone()).unwrap().total().unwrap();
            assert_eq!(host.moments(&over).unwrap().total().unwrap(), want, "{range:?}");
            // A second time from what is kept.
            assert_eq!(host.moments(&over).unwrap().total().unwrap(), want, "{range:?}");
        }
        assert_eq!(host.chunks.len(), 7);
        host.chunks[6] = host.chunks[0].clone();
        assert_eq!(host.chunk(6).unwrap()[0].n, CHUNK as u64, "nothing is found again");
    }
}
