//! Groups: the names of objects, and the way from the root to them.

use std::collections::HashSet;

use super::bytes::Bytes;
use super::fault::Fault;
use super::file::File;
use super::header::{Header, kind};
use super::{heap, tree};

/// Links that lead to links, and groups in groups.
const MOST_DEPTH: usize = 64;

/// Objects that are looked at for a message.
const MOST_OBJECTS: usize = 10_000;

/// The end of a link.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// An object header's address.
    Object(u64),
    /// A path.
    Path(String),
    /// Another file.
    Elsewhere,
}

/// Hands on the links of a group, until it is told to stop.
fn links<'f>(
    file: &'f File<'f>,
    header: &Header<'f>,
    each: &mut impl FnMut(String, Target) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for message in header.all(kind::LINK) {
        let (name, target) = link(message.body)?;
        each(name, target)?;
    }
    if let Some(mut info) = header.find(file, kind::LINK_INFO)? {
        info.version("link info", 0..=0)?;
        if info.u8()? & 1 > 0 {
            info.take(8)?;
        }
        if let (Some(heap), Some(names)) = (info.address()?, info.address()?) {
            let heap = heap::Fractal::new(file, heap)?;
            tree::records(file, names, &[5], &mut |_, mut record| {
                record.take(4)?;
                let Some(body) = heap.object(record.take(heap.id_bytes())?)? else { return Ok(()) };
                let (name, target) = link(body)?;
                each(name, target)
            })?;
        }
    }
    if let Some(mut symbols) = header.find(file, kind::SYMBOLS)? {
        let names = symbols.address()?.ok_or_else(Fault::damaged)?;
        let heap = heap::local(file, symbols.address()?.ok_or_else(Fault::damaged)?)?;
        tree::old_leaves(file, names, 0, file.sizes().length, &mut |_, node| {
            old_links(file, heap, node, each)
        })?;
    }
    Ok(())
}

fn old_links(
    file: &File<'_>,
    heap: &[u8],
    node: u64,
    each: &mut impl FnMut(String, Target) -> Result<(), Fault>,
) -> Result<(), Fault> {
    const SOFT: u32 = 2;
    let name = |at: u64| -> Result<String, Fault> {
        let rest = usize::try_from(at).ok().and_then(|at| heap.get(at..));
        Ok(Bytes::text(rest.ok_or_else(Fault::damaged)?))
    };
    let mut node = file.from(node)?;
    node.signature(b"SNOD")?;
    node.version("symbol table", 1..=1)?;
    node.take(1)?;
    for _ in 0..node.u16()? {
        let link = name(node.number(file.sizes().offset)?)?;
        let object = node.address()?;
        let cached = node.u32()?;
        node.take(4)?;
        let mut scratch = node.part(16)?;
        let target = if cached == SOFT {
            Target::Path(name(scratch.number(4)?)?)
        } else {
            Target::Object(object.ok_or_else(Fault::damaged)?)
        };
        each(link, target)?;
    }
    Ok(())
}

/// A link's message.
fn link(mut body: Bytes<'_>) -> Result<(String, Target), Fault> {
    body.version("link", 1..=1)?;
    let flags = body.u8()?;
    let kind = if flags & 0x08 > 0 { body.u8()? } else { 0 };
    body.take(if flags & 0x04 > 0 { 8 } else { 0 } + usize::from(flags & 0x10 > 0))?;
    let bytes = body.size(1 << (flags & 3))?;
    let name = String::from_utf8_lossy(body.take(bytes)?).into_owned();
    let target = match kind {
        0 => Target::Object(body.address()?.ok_or_else(Fault::damaged)?),
        1 => {
            let bytes = body.u16()?;
            Target::Path(String::from_utf8_lossy(body.take(bytes)?).into_owned())
        }
        _ => Target::Elsewhere,
    };
    Ok((name, target))
}

/// The object at the end of a path from the root; `None` if there is none.
pub(super) fn find<'f>(file: &'f File<'f>, path: &str) -> Result<Option<u64>, Fault> {
    let mut at = vec![file.root];
    let mut names: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut links_met = 0;
    while let Some(name) = names.pop() {
        if name.is_empty() || name == "." {
            continue;
        }
        let Some(&group) = at.last() else { return Ok(None) };
        let header = Header::new(file, group)?;
        let mut found = None;
        links(file, &header, &mut |link, target| {
            if link == name {
                found = Some(target);
            }
            Ok(())
        })?;
        match found {
            None => return Ok(None),
            Some(Target::Object(object)) => at.push(object),
            Some(Target::Path(path)) => {
                links_met += 1;
                if links_met > MOST_DEPTH {
                    return Err(Fault::circle());
                }
                if path.starts_with('/') {
                    at.truncate(1);
                }
                names.extend(path.split('/').rev().map(str::to_owned));
            }
            Some(Target::Elsewhere) => {
                let found = format!("its {name:?} is in another file");
                return Err(Fault::Unsupported(found, "name that file"));
            }
        }
    }
    Ok(at.last().copied())
}

/// All objects that are no groups, each with its path, in the order of names.
pub(super) fn objects<'f>(file: &'f File<'f>) -> Result<Vec<(String, Header<'f>)>, Fault> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([file.root]);
    let mut groups = vec![(String::new(), file.root)];
    while let Some((path, address)) = groups.pop() {
        let header = Header::new(file, address)?;
        let mut inside = Vec::new();
        links(file, &header, &mut |name, target| {
            if let Target::Object(object) = target
                && seen.len() < MOST_OBJECTS
                && seen.insert(object)
            {
                inside.push((if path.is_empty() { name } else { format!("{path}/{name}") }, object));
            }
            Ok(())
        })?;
        for (path, object) in inside {
            let header = Header::new(file, object)?;
            if header.all(kind::LAYOUT).next().is_some() {
                found.push((path, header));
            } else {
                groups.push((path, object));
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
