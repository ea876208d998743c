//! The values that a column's keys mean.

use std::path::Path;

use crate::array::{Bitmap, DataError, Element, MemoryPlan};
use crate::io::claims::room;

/// A dictionary, as far as its batches were read.
pub(super) struct Dictionary<E> {
    values: Vec<E>,
    valid: Bitmap,
    /// The places of decimals that have more digits than f64 holds, in order.
    rounded: Vec<usize>,
}

impl<E: Element> Dictionary<E> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), valid: Bitmap::default(), rounded: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Appends values, of which no more than `memory_bytes` shall be in memory.
    pub(super) fn append(&mut self, path: &Path, values: &[E], memory_bytes: u64) -> Result<(), DataError> {
        let memory_bytes = MemoryPlan::new(memory_bytes).unit_bytes();
        let count = (self.len() + values.len()) as u64;
        if count > self.values.capacity() as u64 {
            // Twice as much at a time, if so much is allowed.
            let doubled = room(path, "dictionary", count.saturating_mul(2), memory_bytes);
            let mut larger = doubled.or_else(|_| room(path, "dictionary", count, memory_bytes))?;
            larger.append(&mut self.values);
            self.values = larger;
        }
        self.values.extend_from_slice(values);
        Ok(())
    }

    pub(super) fn valid_mut(&mut self) -> &mut Bitmap {
        &mut self.valid
    }

    /// Notes which values are rounded, by their places after `first`.
    pub(super) fn note_rounded(&mut self, first: usize, places: Vec<usize>) {
        self.rounded.extend(places.into_iter().map(|k| first + k));
    }

    /// The meaning of a key; `None` if it has none.
    pub(super) fn get(&self, key: usize) -> Option<Meaning<E>> {
        let value = *self.values.get(key)?;
        let is_rounded = self.rounded.binary_search(&key).is_ok();
        Some(if self.valid.contains(key) { Meaning::Value { value, is_rounded } } else { Meaning::Null })
    }
}

/// The meaning of a key.
pub(super) enum Meaning<E> {
    Null,
    Value {
        value: E,
        /// Whether it is a decimal that has more digits than f64 holds.
        is_rounded: bool,
    },
}
