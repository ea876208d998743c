//! The index of a dataset's chunks: where each of them is in the file.

use std::ops::Range;

use super::bytes::Bytes;
use super::fault::Fault;
use super::file::{File, SUM_BYTES};
use super::layout::{Chunking, Index};
use super::tree;

/// The place of a chunk in the file, and the filters that it did not go through.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// The address, and so many bytes from it; none if the file does not have the
    /// chunk.
    pub(super) place: Option<(u64, u64)>,
    pub(super) mask: u32,
}

/// Where the chunks of a dataset are.
pub(super) struct Places {
    /// The chunks along each axis of the dataset.
    counts: Vec<u64>,
    /// Those of chunks row by row.
    entries: Vec<Entry>,
}

/// A dataset as its index sees it.
pub(super) struct Indexed<'a> {
    /// The chunks along each axis.
    pub(super) counts: Vec<u64>,
    /// The chunks along each axis once it has grown as far as it may; `None` without
    /// end.
    pub(super) most: Vec<Option<u64>>,
    pub(super) chunk: &'a [u64],
    /// Bytes of a chunk before any filter.
    pub(super) bytes: u64,
    pub(super) is_filtered: bool,
}

impl Places {
    /// Reads the index; `entries` has room for all chunks.
    pub(super) fn new(
        file: &File<'_>,
        dataset: &Indexed<'_>,
        chunking: &Chunking,
        mut entries: Vec<Entry>,
    ) -> Result<Self, Fault> {
        let count = dataset.counts.iter().product::<u64>();
        let count = usize::try_from(count).map_err(|_| Fault::damaged())?;
        entries.clear();
        entries.resize(count, Entry::default());
        let mut places = Self { counts: dataset.counts.clone(), entries };
        let Some(address) = chunking.address else { return Ok(places) };
        match chunking.index {
            Index::OldTree => places.old_tree(file, dataset, address)?,
            Index::Single(filtered) => {
                let (bytes, mask) = filtered.unwrap_or((dataset.bytes, 0));
                if let Some(entry) = places.entries.first_mut() {
                    *entry = Entry { place: Some((address, bytes)), mask };
                }
            }
            Index::Implicit => {
                let order = Linear::new(dataset, false)?;
                for (number, entry) in places.entries.iter_mut().enumerate() {
                    let at = order.number(&index_of(number as u64, &places.counts));
                    let at = at.and_then(|at| at.checked_mul(dataset.bytes)?.checked_add(address));
                    entry.place = Some((at.ok_or_else(Fault::damaged)?, dataset.bytes));
                }
            }
            Index::FixedArray => places.array(dataset, false, &fixed(file, dataset, address)?)?,
            Index::ExtensibleArray => places.array(dataset, true, &extensible(file, dataset, address)?)?,
            Index::NewTree => places.new_tree(file, dataset, address)?,
        }
        Ok(places)
    }

    /// All of them, row by row.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// That of the chunk of this index.
    pub(super) fn get(&self, index: &[u64]) -> Entry {
        self.number(index).and_then(|number| self.entries.get(number).copied()).unwrap_or_default()
    }

    fn number(&self, index: &[u64]) -> Option<usize> {
        if index.iter().zip(&self.counts).any(|(index, count)| index >= count) {
            return None;
        }
        let number = index.iter().zip(&self.counts).fold(0, |number, (index, count)| number * count + index);
        usize::try_from(number).ok()
    }

    /// Notes a chunk. Those beyond the edge of a dataset that has shrunk are not
    /// its own any more.
    fn set(&mut self, index: &[u64], entry: Entry) {
        if let Some(number) = self.number(index)
            && let Some(place) = self.entries.get_mut(number)
        {
            *place = entry;
        }
    }

    fn old_tree(&mut self, file: &File<'_>, dataset: &Indexed<'_>, root: u64) -> Result<(), Fault> {
        let rank = dataset.chunk.len();
        tree::old_leaves(file, root, 1, 8 + 8 * (rank + 1), &mut |mut key, address| {
            let bytes = key.number(4)?;
            let mask = key.u32()?;
            let mut index = Vec::with_capacity(rank);
            for chunk in dataset.chunk {
                let start = key.number(8)?;
                if start % chunk != 0 {
                    return Err(Fault::damaged());
                }
                index.push(start / chunk);
            }
            self.set(&index, Entry { place: Some((address, bytes)), mask });
            Ok(())
        })
    }

    fn new_tree(&mut self, file: &File<'_>, dataset: &Indexed<'_>, root: u64) -> Result<(), Fault> {
        const FILTERED: u8 = 11;
        let rank = dataset.chunk.len();
        tree::records(file, root, &[10, FILTERED], &mut |kind, mut record| {
            let record_bytes = record.rest().len();
            let address = record.address()?;
            let (mut bytes, mut mask) = (dataset.bytes, 0);
            if kind == FILTERED {
                let rest = record_bytes.checked_sub(record.sizes().offset + 4 + 8 * rank);
                bytes = record.number(rest.ok_or_else(Fault::damaged)?)?;
                mask = record.u32()?;
            }
            let mut index = Vec::with_capacity(rank);
            for _ in 0..rank {
                index.push(record.number(8)?);
            }
            self.set(&index, Entry { place: address.map(|address| (address, bytes)), mask });
            Ok(())
        })
    }

    /// Notes the chunks of an array of entries.
    fn array(&mut self, dataset: &Indexed<'_>, grows: bool, found: &Elements<'_>) -> Result<(), Fault> {
        let order = Linear::new(dataset, grows)?;
        for (number, entry) in self.entries.iter_mut().enumerate() {
            let at = order.number(&index_of(number as u64, &self.counts)).ok_or_else(Fault::damaged)?;
            *entry = found.get(at, dataset)?;
        }
        Ok(())
    }
}

/// The index along each axis of a chunk by its number row by row.
fn index_of(mut number: u64, counts: &[u64]) -> Vec<u64> {
    let mut index = vec![0; counts.len()];
    for axis in (0..counts.len()).rev() {
        index[axis] = number % counts[axis];
        number /= counts[axis];
    }
    index
}

/// The numbers that chunks have in an array of them: row by row of the largest shape
/// that the dataset may grow to, the axis that has no end first.
struct Linear {
    axes: Vec<usize>,
    counts: Vec<u64>,
}

impl Linear {
    fn new(dataset: &Indexed<'_>, grows: bool) -> Result<Self, Fault> {
        let endless: Vec<usize> =
            (0..dataset.most.len()).filter(|&axis| dataset.most[axis].is_none()).collect();
        if endless.len() > 1 || (endless.len() == 1) != grows {
            return Err(Fault::damaged());
        }
        let others = (0..dataset.most.len()).filter(|axis| !endless.contains(axis));
        let axes: Vec<usize> = endless.iter().copied().chain(others).collect();
        let counts = axes.iter().map(|&axis| dataset.most[axis].unwrap_or(u64::MAX)).collect();
        Ok(Self { axes, counts })
    }

    fn number(&self, index: &[u64]) -> Option<u64> {
        self.axes.iter().zip(&self.counts).try_fold(0u64, |number, (&axis, &count)| {
            // Of the first axis the count does not matter.
            if number == 0 { Some(index[axis]) } else { number.checked_mul(count)?.checked_add(index[axis]) }
        })
    }
}

/// Runs of entries in an array of them.
struct Elements<'f> {
    entry_bytes: usize,
    /// The number of the first entry of each run, in order, and the run's bytes.
    runs: Vec<(u64, Bytes<'f>)>,
}

impl Elements<'_> {
    /// The entry of a number; that of none if there is no such.
    fn get(&self, number: u64, dataset: &Indexed<'_>) -> Result<Entry, Fault> {
        let next = self.runs.partition_point(|(first, _)| *first <= number);
        let Some((first, run)) = next.checked_sub(1).map(|run| &self.runs[run]) else {
            return Ok(Entry::default());
        };
        let place = usize::try_from(number - first).ok().and_then(|k| k.checked_mul(self.entry_bytes));
        let Some(rest) = place.and_then(|at| run.rest().get(at..)).filter(|rest| !rest.is_empty()) else {
            return Ok(Entry::default());
        };
        let mut entry = Bytes::new(rest, run.sizes()).part(self.entry_bytes)?;
        let address = entry.address()?;
        let (mut bytes, mut mask) = (dataset.bytes, 0);
        if dataset.is_filtered {
            let width = self.entry_bytes.checked_sub(entry.sizes().offset + 4).ok_or_else(Fault::damaged)?;
            bytes = entry.number(width)?;
            mask = entry.u32()?;
        }
        Ok(Entry { place: address.map(|address| (address, bytes)), mask })
    }
}

/// Bytes of an entry, which must be what the dataset's filters ask for.
fn entry_bytes(head: &mut Bytes<'_>, dataset: &Indexed<'_>) -> Result<usize, Fault> {
    let is_filtered = head.u8()? == 1;
    let bytes = usize::from(head.u8()?);
    let offset = head.sizes().offset;
    let is_it = if is_filtered { bytes > offset + 4 && bytes <= offset + 12 } else { bytes == offset };
    if is_filtered != dataset.is_filtered || !is_it {
        return Err(Fault::damaged());
    }
    Ok(bytes)
}

/// The entries of an array of a fixed length.
fn fixed<'f>(file: &File<'f>, dataset: &Indexed<'_>, address: u64) -> Result<Elements<'f>, Fault> {
    let sizes = file.sizes();
    let mut head = file.checked(address, 8 + sizes.length + sizes.offset + SUM_BYTES)?;
    head.signature(b"FAHD")?;
    head.version("fixed array", 0..=0)?;
    let entry_bytes = entry_bytes(&mut head, dataset)?;
    let page_bits = u32::from(head.u8()?);
    let count = head.length()?;
    let mut elements = Elements { entry_bytes, runs: Vec::new() };
    let Some(block) = head.address()? else { return Ok(elements) };
    let prefix = 6 + sizes.offset;
    let page = 1u64.checked_shl(page_bits).ok_or_else(Fault::damaged)?;
    let bytes = |entries: u64| {
        let bytes = entries.checked_mul(entry_bytes as u64).and_then(|bytes| usize::try_from(bytes).ok());
        bytes.ok_or_else(Fault::damaged)
    };
    if count <= page {
        let mut all = file.checked(block, bytes(count)?.saturating_add(prefix + SUM_BYTES))?;
        all.signature(b"FADB")?;
        all.take(prefix - 4)?;
        elements.runs.push((0, all));
        return Ok(elements);
    }
    let pages = count.div_ceil(page);
    let map_bytes = usize::try_from(pages.div_ceil(8)).map_err(|_| Fault::damaged())?;
    let mut start = file.checked(block, map_bytes.saturating_add(prefix + SUM_BYTES))?;
    start.signature(b"FADB")?;
    start.take(prefix - 4)?;
    let written = start.take(map_bytes)?;
    let mut at = block + (prefix + map_bytes + SUM_BYTES) as u64;
    for number in 0..pages {
        let bytes = bytes(page.min(count - number * page))? + SUM_BYTES;
        if is_set(written, number) {
            elements.runs.push((number * page, file.checked(at, bytes)?));
        }
        at += bytes as u64;
    }
    Ok(elements)
}

/// Whether a bit is set, the highest of a byte first.
fn is_set(map: &[u8], number: u64) -> bool {
    let byte = usize::try_from(number / 8).ok().and_then(|at| map.get(at));
    byte.is_some_and(|byte| byte & (0x80 >> (number % 8)) > 0)
}

/// The data blocks of an array that grows: so many, each of so many entries.
struct Growth {
    entry_bytes: usize,
    offset_bytes: usize,
    page: u64,
}

impl Growth {
    /// Notes the entries of a data block; `written` says which of its pages are there,
    /// if it has some.
    fn block<'f>(
        &self,
        file: &File<'f>,
        address: u64,
        entries: Range<u64>,
        written: impl Fn(u64) -> bool,
        elements: &mut Elements<'f>,
    ) -> Result<(), Fault> {
        let prefix = 6 + file.sizes().offset + self.offset_bytes;
        let bytes = |entries: u64| {
            let bytes =
                entries.checked_mul(self.entry_bytes as u64).and_then(|bytes| usize::try_from(bytes).ok());
            bytes.ok_or_else(Fault::damaged)
        };
        let count = entries.end - entries.start;
        let in_block = if count > self.page { 0 } else { bytes(count)? };
        let mut block = file.checked(address, in_block.saturating_add(prefix + SUM_BYTES))?;
        block.signature(b"EADB")?;
        block.take(prefix - 4)?;
        if count <= self.page {
            elements.runs.push((entries.start, block));
            return Ok(());
        }
        let page_bytes = bytes(self.page)? + SUM_BYTES;
        let mut at = address + (prefix + SUM_BYTES) as u64;
        for number in 0..count / self.page {
            if written(number) {
                elements.runs.push((entries.start + number * self.page, file.checked(at, page_bytes)?));
            }
            at = at.checked_add(page_bytes as u64).ok_or_else(Fault::damaged)?;
        }
        Ok(())
    }
}

/// The entries of an array that grows without end.
fn extensible<'f>(file: &File<'f>, dataset: &Indexed<'_>, address: u64) -> Result<Elements<'f>, Fault> {
    let sizes = file.sizes();
    let mut head = file.checked(address, 12 + 6 * sizes.length + sizes.offset + SUM_BYTES)?;
    head.signature(b"EAHD")?;
    head.version("extensible array", 0..=0)?;
    let entry_bytes = entry_bytes(&mut head, dataset)?;
    let most_bits = u32::from(head.u8()?);
    let in_index = u64::from(head.u8()?);
    let least = u64::from(head.u8()?);
    let least_pointers = u64::from(head.u8()?);
    let page_bits = u32::from(head.u8()?);
    for _ in 0..6 {
        head.length()?;
    }
    let mut elements = Elements { entry_bytes, runs: Vec::new() };
    let Some(index) = head.address()? else { return Ok(elements) };
    if !least.is_power_of_two()
        || !least_pointers.is_power_of_two()
        || most_bits > 64
        || most_bits < least.ilog2()
    {
        return Err(Fault::damaged());
    }
    let growth = Growth {
        entry_bytes,
        offset_bytes: most_bits.div_ceil(8) as usize,
        page: 1u64.checked_shl(page_bits).ok_or_else(Fault::damaged)?,
    };
    let supers = 1 + most_bits - least.ilog2();
    let direct_supers = (2 * least_pointers.ilog2()).min(supers);
    let direct_blocks = 2 * (least_pointers - 1);
    let size = |n: u64| usize::try_from(n).map_err(|_| Fault::damaged());
    let prefix = 6 + sizes.offset;
    let addresses = size(direct_blocks + u64::from(supers - direct_supers))?;
    let bytes = prefix + size(in_index)? * entry_bytes + addresses * sizes.offset + SUM_BYTES;
    let mut block = file.checked(index, bytes)?;
    block.signature(b"EAIB")?;
    block.take(prefix - 4)?;
    elements.runs.push((0, block.part(size(in_index)? * entry_bytes)?));
    let mut first = in_index;
    for number in 0..supers {
        let blocks = 1u64.checked_shl(number / 2).ok_or_else(Fault::damaged)?;
        let entries = least.checked_mul(1u64.checked_shl(number.div_ceil(2)).ok_or_else(Fault::damaged)?);
        let entries = entries.ok_or_else(Fault::damaged)?;
        let next = |first: u64| first.checked_add(entries);
        if number < direct_supers {
            for _ in 0..blocks {
                let end = next(first).ok_or_else(Fault::damaged)?;
                if let Some(address) = block.address()? {
                    growth.block(file, address, first..end, |_| true, &mut elements)?;
                }
                first = end;
            }
            continue;
        }
        let Some(address) = block.address()? else {
            match blocks.checked_mul(entries).and_then(|entries| first.checked_add(entries)) {
                Some(end) => first = end,
                None => break,
            }
            continue;
        };
        let pages = if entries > growth.page { entries / growth.page } else { 0 };
        let map_bytes = size(pages.div_ceil(8))?;
        let prefix = 6 + sizes.offset + growth.offset_bytes;
        let maps = size(blocks)?.checked_mul(map_bytes).ok_or_else(Fault::damaged)?;
        let bytes = size(blocks)?.checked_mul(sizes.offset).and_then(|bytes| bytes.checked_add(maps));
        let bytes =
            bytes.and_then(|bytes| bytes.checked_add(prefix + SUM_BYTES)).ok_or_else(Fault::damaged)?;
        let mut super_block = file.checked(address, bytes)?;
        super_block.signature(b"EASB")?;
        super_block.take(prefix - 4)?;
        let maps = super_block.take(maps)?;
        for number in 0..blocks {
            let end = next(first).ok_or_else(Fault::damaged)?;
            if let Some(address) = super_block.address()? {
                let is_written = |page| is_set(maps, number.saturating_mul(pages).saturating_add(page));
                growth.block(file, address, first..end, is_written, &mut elements)?;
            }
            first = end;
        }
    }
    Ok(elements)
}
