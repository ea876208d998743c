//! Attributes of an object.

use super::bytes::Bytes;
use super::dataspace;
use super::datatype::Datatype;
use super::fault::Fault;
use super::file::File;
use super::header::{Header, elsewhere, kind};
use super::{heap, tree};
use crate::io::cf::{Attributes, Value};

/// The attributes of an object that are numbers or text.
pub(super) fn all<'f>(file: &'f File<'f>, header: &Header<'f>) -> Result<Attributes, Fault> {
    let mut found = Attributes::new();
    let mut add = |body: Bytes<'f>| -> Result<(), Fault> {
        if let Some((name, value)) = attribute(file, body)? {
            found.insert(name, value);
        }
        Ok(())
    };
    for message in header.all(kind::ATTRIBUTE) {
        add(message.resolve(file)?)?;
    }
    if let Some(mut info) = header.find(file, kind::ATTRIBUTE_INFO)? {
        info.version("attribute info", 0..=0)?;
        if info.u8()? & 1 > 0 {
            info.take(2)?;
        }
        if let (Some(heap), Some(names)) = (info.address()?, info.address()?) {
            let heap = heap::Fractal::new(file, heap)?;
            tree::records(file, names, &[8], &mut |_, mut record| {
                const SHARED: u8 = 2;
                let id = record.take(heap.id_bytes())?;
                if record.u8()? & SHARED > 0 {
                    return Err(Fault::unsupported("it has attributes that objects share".to_owned()));
                }
                heap.object(id)?.map_or(Ok(()), &mut add)
            })?;
        }
    }
    Ok(found)
}

/// The name and the value of an attribute; `None` if it is neither numbers nor text.
fn attribute(file: &File<'_>, mut body: Bytes<'_>) -> Result<Option<(String, Value)>, Fault> {
    const TYPE_ELSEWHERE: u8 = 1;
    const SPACE_ELSEWHERE: u8 = 2;
    let version = body.version("attribute", 1..=3)?;
    let flags = body.u8()?;
    let flags = if version == 1 { 0 } else { flags };
    let sizes = [body.u16()?, body.u16()?, body.u16()?];
    if version == 3 {
        body.u8()?;
    }
    let [name, datatype, space] =
        sizes.map(|bytes| if version == 1 { bytes.next_multiple_of(8) } else { bytes });
    let name = Bytes::text(body.take(name)?);
    let mut datatype = body.part(datatype)?;
    if flags & TYPE_ELSEWHERE > 0 {
        datatype = elsewhere(file, datatype, kind::DATATYPE)?;
    }
    let mut space = body.part(space)?;
    if flags & SPACE_ELSEWHERE > 0 {
        space = elsewhere(file, space, kind::DATASPACE)?;
    }
    let Ok(datatype) = Datatype::new(&mut datatype) else { return Ok(None) };
    let Some((shape, _)) = dataspace::extents(&mut space)? else { return Ok(None) };
    let count = shape.iter().try_fold(1u64, |count, &extent| count.checked_mul(extent));
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or_else(Fault::damaged)?;
    let bytes = body.take(count.checked_mul(datatype.bytes()).ok_or_else(Fault::damaged)?)?;
    Ok(match datatype {
        Datatype::Number(element, big_endian) => Some((name, Value::of(bytes, element, big_endian))),
        Datatype::Text(_) => Some((name, Value::Text(Bytes::text(bytes)))),
        Datatype::Other(..) => None,
    })
}
