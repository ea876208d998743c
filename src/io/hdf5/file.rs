//! A file's superblock, and its parts by their addresses.

use std::ops::Range;

use super::bytes::{Bytes, Sizes, checksum};
use super::fault::Fault;

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Bytes of a checksum.
pub(super) const SUM_BYTES: usize = 4;

/// A file, of which all addresses are counted from its base.
pub(super) struct File<'f> {
    bytes: &'f [u8],
    base: usize,
    sizes: Sizes,
    /// The address of the root group's object header.
    pub(super) root: u64,
}

/// The flags of a file that is being written.
const WRITING: u8 = 0b101;

impl<'f> File<'f> {
    pub(super) fn new(bytes: &'f [u8]) -> Result<Self, Fault> {
        // What someone put before it takes 512 bytes, or twice as many, and so on.
        let places = std::iter::once(0).chain((9..usize::BITS).map(|power| 1usize << power));
        let mut places = places.take_while(|&place| place < bytes.len());
        let place = places.find(|&place| bytes[place..].starts_with(SIGNATURE));
        let place = place.ok_or_else(|| Fault::Invalid("it does not begin like one".to_owned()))?;
        let start = &bytes[place..];
        let mut read = Bytes::new(&start[SIGNATURE.len()..], Sizes { offset: 8, length: 8 });
        let version = read.version("superblock", 0..=3)?;
        let is_old = version < 2;
        if is_old {
            read.take(4)?;
        }
        let sizes = Sizes { offset: read.u8()?.into(), length: read.u8()?.into() };
        if ![sizes.offset, sizes.length].iter().all(|size| [2, 4, 8].contains(size)) {
            return Err(Fault::damaged());
        }
        // Sizes of nodes of B-trees, which say themselves how many entries they have.
        let flags = read.take(if is_old { if version == 1 { 13 } else { 9 } } else { 1 })?;
        if version == 3 && flags[0] & WRITING != 0 {
            return Err(Fault::Unsupported(
                "it is open for writing, or was not closed after it".to_owned(),
                "close it; if no program has it open: h5clear -s FILE",
            ));
        }
        let mut read = Bytes::new(read.rest(), sizes);
        let base = read.address()?.ok_or_else(Fault::damaged)?;
        read.address()?;
        let end = read.address()?.ok_or_else(Fault::damaged)?;
        if is_old {
            read.address()?;
            // The name of the root group's entry.
            read.number(sizes.offset)?;
        }
        let root = read.address()?.ok_or_else(Fault::damaged)?;
        if !is_old {
            let summed = start.len() - read.rest().len();
            check(&start[..summed + SUM_BYTES.min(read.rest().len())])?;
        }
        let base = usize::try_from(base).map_err(|_| Fault::damaged())?;
        if end > bytes.len() as u64 {
            let found = bytes.len();
            let reason = format!(
                "its end is at {end} bytes, and it has {found}; it is truncated; copy or write it again"
            );
            return Err(Fault::Invalid(reason));
        }
        Ok(Self { bytes, base, sizes, root })
    }

    /// Bytes of the whole file.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The bytes from an address to the end.
    pub(super) fn from(&self, address: u64) -> Result<Bytes<'f>, Fault> {
        let start = usize::try_from(address).ok().and_then(|address| address.checked_add(self.base));
        let rest = start.and_then(|start| self.bytes.get(start..)).ok_or_else(Fault::truncated)?;
        Ok(Bytes::new(rest, self.sizes))
    }

    /// So many bytes from an address.
    pub(super) fn at(&self, address: u64, bytes: u64) -> Result<Bytes<'f>, Fault> {
        self.from(address)?.part(usize::try_from(bytes).map_err(|_| Fault::truncated())?)
    }

    /// So many bytes from an address, of which the last are the checksum of those
    /// before, without these.
    pub(super) fn checked(&self, address: u64, bytes: usize) -> Result<Bytes<'f>, Fault> {
        let all = self.from(address)?.take(bytes)?;
        check(all)?;
        Ok(Bytes::new(&all[..bytes - SUM_BYTES], self.sizes))
    }

    /// The place in the file of so many bytes from an address.
    pub(super) fn place(&self, address: u64, bytes: u64) -> Result<Range<usize>, Fault> {
        let rest = self.at(address, bytes)?.rest();
        let start = usize::try_from(address).map_err(|_| Fault::truncated())? + self.base;
        Ok(start..start + rest.len())
    }

    /// The bytes at a place.
    pub(super) fn bytes(&self, place: &Range<usize>) -> &'f [u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }
}

/// Checks bytes of which the last are the checksum of those before.
pub(super) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let (summed, sum) = bytes.split_last_chunk::<SUM_BYTES>().ok_or_else(Fault::truncated)?;
    if checksum(summed) == u32::from_le_bytes(*sum) {
        return Ok(());
    }
    Err(Fault::Invalid(
        "its checksum is not the one in the file; it is damaged; copy or write it again".to_owned(),
    ))
}
