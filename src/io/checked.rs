//! A part of a mapped file that must have a checksum. The sum is computed of
//! each range just after it was read for the first time, while its bytes are in
//! the cache, so that checking reads nothing from the disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crc32fast::Hasher;

use crate::array::mapping::Mapping;
use crate::array::parallel;
use crate::array::{DataError, Storage};

/// Bytes whose checksum a thread computes at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A mapped file of which a part has the CRC-32 that is claimed for it, or is
/// found damaged at the end of the first pass.
pub(super) struct Checked {
    map: Mapping,
    /// The name of the part, for messages.
    label: String,
    part: Range<usize>,
    claimed: u32,
    sums: Mutex<Sums>,
    /// Whether passes release memory, so that checking has to as well.
    streams: AtomicBool,
    /// Whether the part has the sum, once it is known.
    verdict: OnceLock<bool>,
}

impl Checked {
    /// The part `part` of a file, which lies within it, with the sum that the
    /// file claims for it.
    pub(super) fn new(map: Mapping, label: String, part: Range<usize>, claimed: u32) -> Self {
        let (sums, streams) = (Mutex::default(), AtomicBool::new(false));
        Self { map, label, part, claimed, sums, streams, verdict: OnceLock::new() }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pieces of a range that have no sum yet.
    fn missing(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let range = range.start.max(self.part.start)..range.end.min(self.part.end);
        let missing = self.sums().missing(range);
        let pieces = |range: Range<usize>| {
            let end = range.end;
            range.step_by(PIECE_BYTES).map(move |start| start..end.min(start + PIECE_BYTES))
        };
        missing.into_iter().flat_map(pieces).collect()
    }

    /// Adds the sum of a piece, which may not have been in memory.
    fn sum(&self, piece: Range<usize>) {
        let mut sum = Hasher::new();
        sum.update(&self.map.bytes()[piece.clone()]);
        if self.streams.load(Ordering::Relaxed) {
            self.map.release(piece.clone());
        }
        self.sums().add(piece, sum);
    }

    /// Whether the part has its sum. Reads what no pass did, such as what is
    /// before and after the elements.
    fn has_its_sum(&self) -> bool {
        *self.verdict.get_or_init(|| {
            parallel::for_each(self.missing(&self.part), |piece| self.sum(piece));
            self.sums().of(&self.part) == Some(self.claimed)
        })
    }
}

impl Storage for Checked {
    fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    fn path(&self) -> Option<&Path> {
        self.map.path()
    }

    fn was_read(&self, range: Range<usize>) {
        if self.verdict.get().is_none() {
            self.missing(&range).into_iter().for_each(|piece| self.sum(piece));
        }
    }

    fn release(&self, range: Range<usize>) {
        self.streams.store(true, Ordering::Relaxed);
        self.was_read(range.clone());
        self.map.release(range);
    }

    fn check_intact(&self) -> Result<(), DataError> {
        self.map.check_intact()?;
        if self.has_its_sum() {
            return Ok(());
        }
        // The sum of a file that was changed meanwhile says nothing.
        self.map.check_intact()?;
        Err(DataError::Damaged { label: self.label.clone() })
    }
}

/// The sums of ranges that neither overlap nor touch, by where they start.
#[derive(Default)]
struct Sums(BTreeMap<usize, (usize, Hasher)>);

impl Sums {
    /// The parts of a range that have no sum yet.
    fn missing(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut missing = Vec::new();
        if range.is_empty() {
            return missing;
        }
        let before = self.0.range(..=range.start).next_back();
        let mut at = before.map_or(range.start, |(_, (end, _))| range.start.max(*end));
        for (&start, (end, _)) in self.0.range(range.clone()) {
            if at < start {
                missing.push(at..start);
            }
            at = at.max(*end);
        }
        if at < range.end {
            missing.push(at..range.end);
        }
        missing
    }

    /// Adds the sum of a range, unless another thread was faster.
    fn add(&mut self, mut range: Range<usize>, mut sum: Hasher) {
        if self.missing(range.clone()) != [range.clone()] {
            return;
        }
        if let Some((after, more)) = self.0.remove(&range.end) {
            sum.combine(&more);
            range.end = after;
        }
        if let Some((&start, (end, before))) = self.0.range_mut(..range.start).next_back()
            && *end == range.start
        {
            before.combine(&sum);
            *end = range.end;
            debug_assert!(start < range.start);
            return;
        }
        self.0.insert(range.start, (range.end, sum));
    }

    /// The sum of a range, if there is one of exactly that range.
    fn of(&self, range: &Range<usize>) -> Option<u32> {
        if range.is_empty() {
            return Some(Hasher::new().finalize());
        }
        let (end, sum) = self.0.get(&range.start)?;
        (*end == range.end).then(|| sum.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PART: Range<usize> = 1000..900_007;

    fn bytes() -> Vec<u8> {
        (0..1_000_000u64).map(|k| (k * k / 128).to_le_bytes()[0]).collect()
    }

    fn checked(bytes: &[u8]) -> Checked {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let map = Mapping::temporary(Path::new("x"), &file).unwrap();
        Checked::new(map, "x".to_owned(), PART, crc32fast::hash(&self::bytes()[PART]))
    }

    fn is_damaged(checked: &Checked) -> bool {
        match checked.check_intact() {
            Ok(()) => false,
            Err(DataError::Damaged { label }) => label == "x",
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Ranges of every length, some of them twice, in an order of no pattern.
    #[test]
    fn the_sum_does_not_depend_on_what_is_read_first() {
        for length in [1 << 10, 65_536, 333_333, 2_000_000] {
            let mut starts: Vec<usize> = (0..1_000_000).step_by(length).collect();
            starts.sort_by_key(|start| start.wrapping_mul(2_654_435_761) % 1009);
            let checked = checked(&bytes());
            parallel::for_each(starts, |start| checked.was_read(start..start + length + length / 3));
            // Two threads that sum a part of the same range leave the rest of it.
            assert!(!is_damaged(&checked), "{length}");
            let sums = checked.sums();
            assert!(sums.missing(PART).is_empty() && sums.0.len() == 1, "{length}");
        }
    }

    #[test]
    fn what_nobody_read_is_checked_at_the_end() {
        let checked = checked(&bytes());
        checked.release(2000..400_000);
        assert_eq!(checked.sums().missing(0..1_000_000), [0..2000, 400_000..1_000_000]);
        assert!(!is_damaged(&checked));
        assert!(!is_damaged(&super::tests::checked(&bytes())));
    }

    #[test]
    fn every_byte_of_the_part_counts_and_no_other() {
        for (at, is_damaged) in
            [(0, false), (999, false), (1000, true), (500_000, true), (900_006, true), (900_007, false)]
        {
            let mut bytes = bytes();
            bytes[at] ^= 0x10;
            for read in [0..0, 400_000..600_000, 0..1_000_000] {
                let checked = checked(&bytes);
                checked.was_read(read);
                let found = [(); 2].map(|()| self::is_damaged(&checked));
                assert_eq!(found, [is_damaged; 2], "{at}");
            }
        }
    }
}
