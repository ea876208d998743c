//! Where the elements of a dataset are.

use super::bytes::Bytes;
use super::fault::Fault;

/// The place of a dataset's elements.
#[derive(Debug)]
pub(super) enum Layout<'f> {
    /// In the header.
    Compact(&'f [u8]),
    /// At an address, one after another; `None` if none was ever written.
    Contiguous(Option<u64>),
    /// In chunks of these extents.
    Chunked(Vec<u64>, Chunking),
}

/// How the chunks of a dataset are found.
#[derive(Debug)]
pub(super) struct Chunking {
    pub(super) index: Index,
    /// `None` if none was ever written.
    pub(super) address: Option<u64>,
    /// Whether chunks that reach beyond the edge are stored as they are.
    pub(super) plain_edges: bool,
}

/// The index of chunks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Index {
    OldTree,
    /// The only chunk, of so many bytes and with this mask if it went through filters.
    Single(Option<(u64, u32)>),
    /// One after another.
    Implicit,
    FixedArray,
    ExtensibleArray,
    NewTree,
}

impl<'f> Layout<'f> {
    /// Reads the layout of a dataset of so many axes.
    pub(super) fn new(mut body: Bytes<'f>, rank: usize) -> Result<Self, Fault> {
        const COMPACT: u8 = 0;
        const CONTIGUOUS: u8 = 1;
        const CHUNKED: u8 = 2;
        const VIRTUAL: u8 = 3;
        let version = body.version("data layout", 1..=5)?;
        if version < 3 {
            let stored_rank = usize::from(body.u8()?);
            let class = body.u8()?;
            body.take(5)?;
            let address = if class == COMPACT { None } else { body.address()? };
            return match class {
                COMPACT => {
                    body.take(4 * stored_rank)?;
                    let bytes = body.size(4)?;
                    Ok(Self::Compact(body.take(bytes)?))
                }
                CONTIGUOUS => Ok(Self::Contiguous(address)),
                CHUNKED => {
                    let chunk = extents(&mut body, stored_rank, rank, 4)?;
                    Ok(Self::Chunked(chunk, Chunking { index: Index::OldTree, address, plain_edges: false }))
                }
                _ => Err(Fault::damaged()),
            };
        }
        match body.u8()? {
            COMPACT => {
                let bytes = body.u16()?;
                Ok(Self::Compact(body.take(bytes)?))
            }
            CONTIGUOUS => Ok(Self::Contiguous(body.address()?)),
            CHUNKED if version == 3 => {
                let stored_rank = usize::from(body.u8()?);
                let address = body.address()?;
                let chunk = extents(&mut body, stored_rank, rank, 4)?;
                Ok(Self::Chunked(chunk, Chunking { index: Index::OldTree, address, plain_edges: false }))
            }
            CHUNKED => Self::newer(body, rank),
            VIRTUAL => Err(Fault::Unsupported(
                "it is a virtual dataset, made of others".to_owned(),
                "name the file and the dataset that have the elements, or write them as one, with h5py for example",
            )),
            _ => Err(Fault::damaged()),
        }
    }

    fn newer(mut body: Bytes<'f>, rank: usize) -> Result<Self, Fault> {
        const PLAIN_EDGES: u8 = 1;
        const FILTERED: u8 = 2;
        let flags = body.u8()?;
        let stored_rank = usize::from(body.u8()?);
        let bytes = usize::from(body.u8()?);
        let chunk = extents(&mut body, stored_rank, rank, bytes)?;
        let index = match body.u8()? {
            1 if flags & FILTERED > 0 => Index::Single(Some((body.length()?, body.u32()?))),
            1 => Index::Single(None),
            2 => Index::Implicit,
            3 => {
                body.take(1)?;
                Index::FixedArray
            }
            4 => {
                body.take(5)?;
                Index::ExtensibleArray
            }
            5 => {
                body.take(6)?;
                Index::NewTree
            }
            other => return Err(Fault::unsupported(format!("it has an index of chunks of kind {other}"))),
        };
        let address = body.address()?;
        Ok(Self::Chunked(chunk, Chunking { index, address, plain_edges: flags & PLAIN_EDGES > 0 }))
    }
}

/// The extents of a chunk, which the size of an element follows.
fn extents(body: &mut Bytes<'_>, stored: usize, rank: usize, bytes: usize) -> Result<Vec<u64>, Fault> {
    if stored != rank + 1 {
        return Err(Fault::damaged());
    }
    let mut extents = Vec::with_capacity(rank);
    for _ in 0..rank {
        extents.push(body.number(bytes)?);
    }
    body.number(bytes)?;
    if extents.contains(&0) {
        return Err(Fault::damaged());
    }
    Ok(extents)
}
