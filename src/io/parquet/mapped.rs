//! Bytes of mapped files for decoders that want them whole.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::array::mapping::Mapping;

/// Bytes that are read before their memory is released.
const HELD_BYTES: usize = 1 << 20;

/// All of a map, as what [`bytes::Bytes`] can own.
pub(super) struct Mapped(pub(super) Arc<Mapping>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// A reader of bytes that releases their memory as it goes, if they are a part of
/// a map.
pub(super) struct Releasing<'a> {
    map: &'a Mapping,
    rest: &'a [u8],
    /// The places in the map of those that were read and are still held.
    held: Option<Range<usize>>,
}

impl<'a> Releasing<'a> {
    pub(super) fn new(map: &'a Mapping, bytes: &'a [u8]) -> Self {
        let offset = bytes.as_ptr().addr().checked_sub(map.bytes().as_ptr().addr());
        let is_in_it = |offset: &usize| offset + bytes.len() <= map.bytes().len();
        Self { map, rest: bytes, held: offset.filter(is_in_it).map(|offset| offset..offset) }
    }
}

impl Read for Releasing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest.read(buffer)?;
        if let Some(held) = &mut self.held {
            held.end += count;
            if held.len() >= HELD_BYTES {
                self.map.release(held.clone());
                held.start = held.end;
            }
        }
        Ok(count)
    }
}
