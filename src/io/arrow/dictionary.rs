//! The values that a column's keys stand for.

use std::path::Path;

use super::super::claims::room;
use crate::array::nulls::Nulls;
use crate::array::{DataError, Element};

/// Bytes of a dictionary that is held whatever little memory is allowed.
const LEAST_BYTES: u64 = 16 << 20;

/// A dictionary, as far as its batches were read.
pub(super) struct Dictionary<E> {
    values: Vec<E>,
    nulls: Nulls,
    /// Decimals that have more digits than f64 holds.
    rounded: Nulls,
}

impl<E: Element> Dictionary<E> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), nulls: Nulls::default(), rounded: Nulls::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Appends values, of which no more than `memory_bytes` shall be in memory.
    pub(super) fn append(&mut self, path: &Path, values: &[E], memory_bytes: u64) -> Result<(), DataError> {
        let memory_bytes = memory_bytes.max(LEAST_BYTES);
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

    pub(super) fn nulls_mut(&mut self) -> &mut Nulls {
        &mut self.nulls
    }

    /// Notes which values are rounded, by their places after `first`.
    pub(super) fn note_rounded(&mut self, first: usize, places: Vec<usize>) {
        places.into_iter().for_each(|k| self.rounded.insert(first + k));
    }

    /// What a key stands for; `None` if it is nothing.
    pub(super) fn get(&self, key: usize) -> Option<Meaning<E>> {
        let value = *self.values.get(key)?;
        let is_rounded = self.rounded.contains(key);
        Some(if self.nulls.contains(key) { Meaning::Null } else { Meaning::Value { value, is_rounded } })
    }
}

/// What a key stands for.
pub(super) enum Meaning<E> {
    Null,
    Value {
        value: E,
        /// Whether it is a decimal that has more digits than f64 holds.
        is_rounded: bool,
    },
}
