//! The header of an object: messages that say what a group or a dataset is.

use std::collections::HashSet;

use super::bytes::Bytes;
use super::fault::Fault;
use super::file::{File, SUM_BYTES};

/// The kinds of messages that are read.
pub(super) mod kind {
    pub(in crate::io::hdf5) const DATASPACE: u8 = 0x01;
    pub(in crate::io::hdf5) const LINK_INFO: u8 = 0x02;
    pub(in crate::io::hdf5) const DATATYPE: u8 = 0x03;
    pub(in crate::io::hdf5) const OLD_FILL: u8 = 0x04;
    pub(in crate::io::hdf5) const FILL: u8 = 0x05;
    pub(in crate::io::hdf5) const LINK: u8 = 0x06;
    pub(in crate::io::hdf5) const EXTERNAL: u8 = 0x07;
    pub(in crate::io::hdf5) const LAYOUT: u8 = 0x08;
    pub(in crate::io::hdf5) const FILTERS: u8 = 0x0b;
    pub(in crate::io::hdf5) const ATTRIBUTE: u8 = 0x0c;
    pub(super) const CONTINUATION: u8 = 0x10;
    pub(in crate::io::hdf5) const SYMBOLS: u8 = 0x11;
    pub(in crate::io::hdf5) const ATTRIBUTE_INFO: u8 = 0x15;
}

/// Blocks of messages that one object may have; writers make a few.
const MOST_BLOCKS: usize = 1 << 16;

/// A message.
#[derive(Clone, Copy)]
pub(super) struct Message<'f> {
    pub(super) kind: u8,
    pub(super) is_shared: bool,
    pub(super) body: Bytes<'f>,
}

/// The messages of an object.
pub(super) struct Header<'f> {
    messages: Vec<Message<'f>>,
}

impl<'f> Header<'f> {
    /// Reads the header at an address.
    pub(super) fn new(file: &File<'f>, address: u64) -> Result<Self, Fault> {
        let mut start = file.from(address)?;
        let mut header = Self { messages: Vec::new() };
        if start.rest().starts_with(b"OHDR") {
            header.read_new(file, address)?;
        } else {
            start.version("object header", 1..=1)?;
            // Reserved, the number of messages and of references to the object.
            start.take(7)?;
            let bytes = start.size(4)?;
            start.take(4)?;
            let first = start.part(bytes)?;
            header.read_blocks(file, first, |address, bytes| file.at(address, bytes), 8, false)?;
        }
        Ok(header)
    }

    fn read_new(&mut self, file: &File<'f>, address: u64) -> Result<(), Fault> {
        const TIMES: u8 = 0x20;
        const LIMITS: u8 = 0x10;
        const ORDERED: u8 = 0x04;
        let mut start = file.from(address)?;
        let before = start.rest().len();
        start.signature(b"OHDR")?;
        start.version("object header", 2..=2)?;
        let flags = start.u8()?;
        start.take(if flags & TIMES > 0 { 16 } else { 0 } + if flags & LIMITS > 0 { 4 } else { 0 })?;
        let bytes = start.size(1 << (flags & 3))?;
        let head = before - start.rest().len();
        let all = bytes.checked_add(head + SUM_BYTES).ok_or_else(Fault::damaged)?;
        let mut first = file.checked(address, all)?;
        first.take(head)?;
        let next = |address: u64, bytes: u64| -> Result<Bytes<'f>, Fault> {
            let mut block = file.checked(address, usize::try_from(bytes).map_err(|_| Fault::damaged())?)?;
            block.signature(b"OCHK")?;
            Ok(block)
        };
        self.read_blocks(file, first, next, 4, flags & ORDERED > 0)
    }

    /// Reads a block of messages, and those that it leads to.
    fn read_blocks(
        &mut self,
        file: &File<'f>,
        first: Bytes<'f>,
        next: impl Fn(u64, u64) -> Result<Bytes<'f>, Fault>,
        head_bytes: usize,
        is_ordered: bool,
    ) -> Result<(), Fault> {
        const SHARED: u8 = 0x02;
        let mut seen = HashSet::new();
        let mut blocks = vec![first];
        while let Some(mut block) = blocks.pop() {
            // A gap at the end may have no room for a message.
            while block.rest().len() >= head_bytes + if is_ordered { 2 } else { 0 } {
                let kind = if head_bytes == 8 { block.u16()? } else { block.u8()?.into() };
                let bytes = block.u16()?;
                let flags = block.u8()?;
                block.take(if head_bytes == 8 {
                    3
                } else if is_ordered {
                    2
                } else {
                    0
                })?;
                let body = Bytes::new(block.take(bytes)?, file.sizes());
                let Ok(kind) = u8::try_from(kind) else { continue };
                if kind == kind::CONTINUATION {
                    let mut body = body;
                    let address = body.address()?.ok_or_else(Fault::damaged)?;
                    let bytes = body.length()?;
                    if !seen.insert(address) || seen.len() > MOST_BLOCKS {
                        return Err(Fault::circle());
                    }
                    blocks.push(next(address, bytes)?);
                } else {
                    self.messages.push(Message { kind, is_shared: flags & SHARED > 0, body });
                }
            }
        }
        Ok(())
    }

    /// The messages of a kind.
    pub(super) fn all(&self, kind: u8) -> impl Iterator<Item = &Message<'f>> {
        self.messages.iter().filter(move |message| message.kind == kind)
    }

    /// The first message of a kind, which is elsewhere if it is shared.
    pub(super) fn find(&self, file: &File<'f>, kind: u8) -> Result<Option<Bytes<'f>>, Fault> {
        let Some(message) = self.all(kind).next() else { return Ok(None) };
        message.resolve(file).map(Some)
    }
}

impl<'f> Message<'f> {
    /// The message, or that which it stands for.
    pub(super) fn resolve(&self, file: &File<'f>) -> Result<Bytes<'f>, Fault> {
        if !self.is_shared {
            return Ok(self.body);
        }
        elsewhere(file, self.body, self.kind)
    }
}

/// The message of a kind that is that of another object.
pub(super) fn elsewhere<'f>(file: &File<'f>, mut body: Bytes<'f>, kind: u8) -> Result<Bytes<'f>, Fault> {
    const IN_HEAP: u8 = 1;
    let version = body.version("shared message", 1..=3)?;
    let place = body.u8()?;
    if version == 3 && place == IN_HEAP {
        return Err(Fault::unsupported("it has messages that objects share in a heap".to_owned()));
    }
    if version == 1 {
        body.take(6)?;
    }
    let header = Header::new(file, body.address()?.ok_or_else(Fault::damaged)?)?;
    let found = header.all(kind).find(|message| !message.is_shared);
    Ok(found.ok_or_else(Fault::damaged)?.body)
}
