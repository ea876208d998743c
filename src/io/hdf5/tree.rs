//! B-trees of both kinds, walked from the root to all records.

use std::collections::HashSet;

use super::bytes::{Bytes, bytes_up_to};
use super::fault::Fault;
use super::file::{File, SUM_BYTES};

/// Levels of a tree; more than any file has.
const MOST_DEPTH: usize = 64;

/// Hands on the keys of an old tree's leaves, each with the address that it leads to.
/// `kind` is 0 for groups, 1 for chunks.
pub(super) fn old_leaves<'f>(
    file: &File<'f>,
    root: u64,
    kind: u8,
    key_bytes: usize,
    each: &mut impl FnMut(Bytes<'f>, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    let mut nodes = vec![(root, None)];
    while let Some((address, above)) = nodes.pop() {
        if !seen.insert(address) {
            return Err(Fault::circle());
        }
        let mut node = file.from(address)?;
        node.signature(b"TREE")?;
        if node.u8()? != kind {
            return Err(Fault::damaged());
        }
        let level = node.u8()?;
        // Levels count down, so that no way is longer than they allow.
        if above.is_some() && level.checked_add(1) != above {
            return Err(Fault::damaged());
        }
        let count = node.u16()?;
        node.address()?;
        node.address()?;
        let first = nodes.len();
        for _ in 0..count {
            let key = node.part(key_bytes)?;
            let child = node.address()?.ok_or_else(Fault::damaged)?;
            if level == 0 {
                each(key, child)?;
            } else {
                nodes.push((child, Some(level)));
            }
        }
        // In the order of the keys.
        nodes[first..].reverse();
    }
    Ok(())
}

/// Bytes of a node that are no records.
const PREFIX_BYTES: usize = 4 + 1 + 1 + SUM_BYTES;

/// A tree of the newer kind.
struct Tree<'f, 'a> {
    file: &'a File<'f>,
    kind: u8,
    node_bytes: usize,
    record_bytes: usize,
    /// For each depth of a node: bytes of the number of all records below it.
    total_bytes: Vec<usize>,
    count_bytes: usize,
}

/// Hands on the records of a newer tree, which are of this kind.
pub(super) fn records<'f>(
    file: &File<'f>,
    address: u64,
    kinds: &[u8],
    each: &mut impl FnMut(u8, Bytes<'f>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let sizes = file.sizes();
    let head_bytes = 4 + 1 + 1 + 4 + 2 + 2 + 1 + 1 + sizes.offset + 2 + sizes.length + SUM_BYTES;
    let mut head = file.checked(address, head_bytes)?;
    head.signature(b"BTHD")?;
    head.version("B-tree", 0..=0)?;
    let kind = head.u8()?;
    let node_bytes = head.size(4)?;
    let record_bytes = head.u16()?;
    let depth = head.u16()?;
    head.take(2)?;
    let root = head.address()?;
    let count = head.u16()?;
    if !kinds.contains(&kind) || depth > MOST_DEPTH || record_bytes == 0 {
        return Err(Fault::damaged());
    }
    let Some(root) = root else { return Ok(()) };
    let most = (node_bytes.checked_sub(PREFIX_BYTES).ok_or_else(Fault::damaged)? / record_bytes) as u64;
    let count_bytes = bytes_up_to(most);
    let (mut total, mut total_bytes) = (most, vec![0]);
    for level in 1..=depth {
        let pointer = sizes.offset + count_bytes + total_bytes[level - 1];
        let room = node_bytes.checked_sub(PREFIX_BYTES + pointer).ok_or_else(Fault::damaged)?;
        let most = (room / (record_bytes + pointer)) as u64;
        total = total.saturating_mul(most + 1).saturating_add(most);
        total_bytes.push(bytes_up_to(total));
    }
    let tree = Tree { file, kind, node_bytes, record_bytes, total_bytes, count_bytes };
    tree.walk(root, count, depth, &mut HashSet::new(), each)
}

impl<'f> Tree<'f, '_> {
    fn walk(
        &self,
        address: u64,
        count: usize,
        depth: usize,
        seen: &mut HashSet<u64>,
        each: &mut impl FnMut(u8, Bytes<'f>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !seen.insert(address) {
            return Err(Fault::circle());
        }
        if count > self.node_bytes / self.record_bytes {
            return Err(Fault::damaged());
        }
        let sizes = self.file.sizes();
        let pointer =
            if depth == 0 { 0 } else { sizes.offset + self.count_bytes + self.total_bytes[depth - 1] };
        let pointers = if depth == 0 { 0 } else { (count + 1) * pointer };
        let bytes = 6 + count * self.record_bytes + pointers + SUM_BYTES;
        if bytes > self.node_bytes {
            return Err(Fault::damaged());
        }
        let mut node = self.file.checked(address, bytes)?;
        node.signature(if depth == 0 { b"BTLF" } else { b"BTIN" })?;
        node.version("B-tree", 0..=0)?;
        if node.u8()? != self.kind {
            return Err(Fault::damaged());
        }
        let mut records = node.part(count * self.record_bytes)?;
        for _ in 0..count {
            each(self.kind, records.part(self.record_bytes)?)?;
        }
        if depth > 0 {
            for _ in 0..=count {
                let child = node.address()?.ok_or_else(Fault::damaged)?;
                let count = node.size(self.count_bytes)?;
                node.take(self.total_bytes[depth - 1])?;
                self.walk(child, count, depth - 1, seen, each)?;
            }
        }
        Ok(())
    }
}
