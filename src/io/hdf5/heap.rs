//! Heaps: where names, and the links and attributes of objects that have many, are.

use super::bytes::{Bytes, bytes_up_to};
use super::fault::Fault;
use super::file::{File, SUM_BYTES};

/// The names of an old group.
pub(super) fn local<'f>(file: &File<'f>, address: u64) -> Result<&'f [u8], Fault> {
    let mut head = file.from(address)?;
    head.signature(b"HEAP")?;
    head.version("local heap", 0..=0)?;
    head.take(3)?;
    let bytes = head.length()?;
    head.length()?;
    let data = head.address()?.ok_or_else(Fault::damaged)?;
    Ok(file.at(data, bytes)?.rest())
}

/// A heap whose blocks double in size.
pub(super) struct Fractal<'f> {
    file: &'f File<'f>,
    /// Bytes of an object's name.
    id_bytes: usize,
    offset_bytes: usize,
    length_bytes: usize,
    width: u64,
    start_bytes: u64,
    most_direct_bytes: u64,
    root: Option<u64>,
    root_rows: u64,
}

impl<'f> Fractal<'f> {
    pub(super) fn new(file: &'f File<'f>, address: u64) -> Result<Self, Fault> {
        let sizes = file.sizes();
        let bytes = 22 + 12 * sizes.length + 3 * sizes.offset + SUM_BYTES;
        // Filtered heaps have more, and are refused before their checksum.
        let mut head = file.from(address)?;
        head.signature(b"FRHP")?;
        head.version("fractal heap", 0..=0)?;
        let id_bytes = head.u16()?;
        if head.u16()? > 0 {
            return Err(Fault::unsupported("it has compressed links or attributes".to_owned()));
        }
        file.checked(address, bytes)?;
        head.u8()?;
        let most_bytes = head.number(4)?;
        head.length()?;
        head.address()?;
        head.length()?;
        head.address()?;
        for _ in 0..8 {
            head.length()?;
        }
        let width = head.number(2)?;
        let start_bytes = head.length()?;
        let most_direct_bytes = head.length()?;
        let bits = head.u16()?;
        head.u16()?;
        let root = head.address()?;
        let root_rows = head.number(2)?;
        let is_power = |number: u64| number.is_power_of_two();
        if !is_power(width) || !is_power(start_bytes) || !is_power(most_direct_bytes) || bits > 64 {
            return Err(Fault::damaged());
        }
        let direct_bytes = (most_direct_bytes.ilog2() as usize).div_ceil(8);
        Ok(Self {
            file,
            id_bytes,
            offset_bytes: bits.div_ceil(8),
            length_bytes: direct_bytes.min(bytes_up_to(most_bytes)),
            width,
            start_bytes,
            most_direct_bytes,
            root,
            root_rows,
        })
    }

    /// Bytes of an object's name.
    pub(super) fn id_bytes(&self) -> usize {
        self.id_bytes
    }

    /// The object of that name; `None` if it is one that is too large for it to be
    /// here.
    pub(super) fn object(&self, id: &'f [u8]) -> Result<Option<Bytes<'f>>, Fault> {
        const KIND: u8 = 0x30;
        const MANAGED: u8 = 0x00;
        const HUGE: u8 = 0x10;
        let mut read = Bytes::new(id, self.file.sizes());
        let head = read.u8()?;
        match head & KIND {
            MANAGED => {}
            HUGE => return Ok(None),
            _ => return Ok(Some(read.part(usize::from(head & 0x0f) + 1)?)),
        }
        let offset = read.number(self.offset_bytes)?;
        let bytes = read.number(self.length_bytes)?;
        let root = self.root.ok_or_else(Fault::damaged)?;
        let (block, block_bytes, within) = if self.root_rows == 0 {
            (root, self.start_bytes.max(self.most_direct_bytes), offset)
        } else {
            self.block(root, self.root_rows, offset, 0)?
        };
        let end = within.checked_add(bytes).filter(|&end| end <= block_bytes);
        end.ok_or_else(Fault::damaged)?;
        self.file.at(block.checked_add(within).ok_or_else(Fault::damaged)?, bytes).map(Some)
    }

    fn row_bytes(&self, row: u64) -> Option<u64> {
        let power = u32::try_from(row.saturating_sub(1)).ok()?;
        self.start_bytes.checked_mul(1u64.checked_shl(power)?)
    }

    /// The direct block with a place of the space that an indirect one has: its
    /// address, its size and the place in it.
    fn block(&self, address: u64, rows: u64, offset: u64, depth: u32) -> Result<(u64, u64, u64), Fault> {
        if depth > 64 {
            return Err(Fault::circle());
        }
        let mut read = self.file.from(address)?;
        read.signature(b"FHIB")?;
        read.version("fractal heap", 0..=0)?;
        read.address()?;
        read.number(self.offset_bytes)?;
        let mut rest = offset;
        for row in 0..rows {
            let block_bytes = self.row_bytes(row).ok_or_else(Fault::damaged)?;
            let in_row = block_bytes.checked_mul(self.width).ok_or_else(Fault::damaged)?;
            if rest >= in_row {
                read.take(
                    usize::try_from(self.width).unwrap_or(usize::MAX).saturating_mul(read.sizes().offset),
                )?;
                rest -= in_row;
                continue;
            }
            let skipped = usize::try_from(rest / block_bytes).map_err(|_| Fault::damaged())?;
            read.take(skipped.saturating_mul(read.sizes().offset))?;
            let child = read.address()?.ok_or_else(Fault::damaged)?;
            let within = rest % block_bytes;
            if block_bytes <= self.most_direct_bytes {
                if self.file.from(child)?.rest().starts_with(b"FHDB") {
                    return Ok((child, block_bytes, within));
                }
                return Err(Fault::damaged());
            }
            let first_row = self.start_bytes.checked_mul(self.width).ok_or_else(Fault::damaged)?;
            let rows = u64::from((block_bytes / first_row).checked_ilog2().ok_or_else(Fault::damaged)?) + 1;
            return self.block(child, rows, within, depth + 1);
        }
        Err(Fault::damaged())
    }
}
