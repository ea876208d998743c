//! Images and columns of FITS files (`.fits`, `.fit`, `.fts`, `.fz`), by the FITS
//! standard 4.0.
//!
//! A key is the name of an extension, or the number of the HDU from 0; a column of a
//! binary table is `NAME.COLUMN`. An image of big-endian numbers is mapped. Whole
//! numbers that an offset makes of the other sign, compressed tiles and columns are
//! decoded. Other scales and offsets are not applied.
//!
//! cfitsio is a library in C of which this needs a small part; fitsrs, in Rust, gives
//! pixels one after another and no place of them, so that nothing could be mapped.

mod dither;
mod hdu;
mod header;
mod output;
mod pixels;
mod rice;
mod table;
mod tile;
mod tiles;

pub(super) use output::Writer;

use hdu::{Hdu, HduKind, meant};
use pixels::{Pixels, to_native};

use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::pieces;
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Element, Layout, Order, Shape};
use crate::with_element;

/// Elements that are decoded at a time.
const RUN_ELEMENTS: usize = 1 << 18;

/// Opens an image or a column.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let map = input.map()?;
    let all = Hdu::all(input, map.bytes())?;
    let meant = meant(input, &all)?;
    let hdu = &all[meant.hdu];
    let label = |opened: Opened| match input.key {
        Some(key) => opened.keyed(key),
        None => opened,
    };
    if meant.column.is_some() && hdu.kind != HduKind::Table {
        return Err(input.unsupported(
            format!("HDU {} is no binary table, so that it has no columns", meant.hdu),
            "name it without a column",
        ));
    }
    match hdu.kind {
        HduKind::Image => image(input, map, hdu),
        HduKind::Tiles => tiles::open(input, &map, hdu),
        HduKind::Table => table::open(input, &map, hdu, meant.hdu, meant.column.as_deref()),
        HduKind::Empty => Err(DataError::NoElements { path: input.path.to_owned(), shape: Shape(vec![0]) }),
        HduKind::TextTable => Err(input.unsupported(
            format!("HDU {} is a table of text", meant.hdu),
            "convert it to a binary table, with astropy's Table.read and write for example",
        )),
        HduKind::Groups => {
            Err(input.unsupported("its data are random groups".to_owned(), "save them as a binary table"))
        }
        HduKind::Other => Err(input
            .unsupported(format!("HDU {} is neither an image nor a table", meant.hdu), "name one that is")),
    }
    .map(label)
}

/// The images of a file, and the columns of its tables.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let map = input.map()?;
    let mut all = Vec::new();
    for (number, hdu) in Hdu::all(input, map.bytes())?.iter().enumerate() {
        let (name, key) = (hdu.name(), number.to_string());
        let image = |bits: &str, axes: &str| -> Result<Listed, DataError> {
            let pixels = Pixels::of(input, &hdu.header, hdu.header.whole(bits))?;
            let is_mapped = axes == "NAXIS" && !pixels.is_turned();
            let remarks = pixels.remarks();
            let listed = Listed::decoded(key.clone(), Some(hdu.shape(input, axes)?), pixels.element.name());
            let compression = hdu.header.text("ZCMPTYPE").filter(|_| axes != "NAXIS");
            let listed = listed.missing(pixels.nodata.as_ref()).named(&name).compressed(compression);
            Ok(Listed { is_mapped, remarks, ..listed })
        };
        match hdu.kind {
            HduKind::Image => all.push(image("BITPIX", "NAXIS")?),
            HduKind::Tiles => all.push(image("ZBITPIX", "ZNAXIS")?),
            HduKind::Table => all.extend(table::list(input, hdu, number)?),
            HduKind::Empty => {}
            _ => all.push(
                Listed::unread(key, "it is neither an image nor a binary table".to_owned()).named(&name),
            ),
        }
    }
    Ok(all)
}

/// An image as it is in the file.
fn image(input: &Input<'_>, map: Mapping, hdu: &Hdu) -> Result<Opened, DataError> {
    let pixels = Pixels::of(input, &hdu.header, hdu.header.whole("BITPIX"))?;
    let shape = hdu.shape(input, "NAXIS")?;
    let layout = Layout {
        swapped: cfg!(target_endian = "little") && pixels.stored.size() > 1,
        offset: hdu.data,
        ..Layout::contiguous(shape.clone(), pixels.stored, Order::C)
    };
    let stored = input.array(map, layout)?;
    let array = if pixels.is_turned() {
        with_element!(pixels.element, E => turned::<E>(input, hdu.data, shape)?)
    } else {
        stored
    };
    Ok(Opened::from(array).with_nodata(pixels.nodata).with_scaling(pixels.scaling))
}

/// The elements of an image with their first bits turned. They are all in the file.
fn turned<E: Element>(input: &Input<'_>, start: usize, shape: Shape) -> Result<Array, DataError> {
    let map = input.map()?;
    let count = usize::try_from(shape.elements().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
    let runs = (0..count).step_by(RUN_ELEMENTS).map(|first| first..count.min(first + RUN_ELEMENTS));
    let decode = |(): &mut (), run: std::ops::Range<usize>| {
        let mut elements = vec![E::zeroed(); run.len()];
        let range = start + run.start * size_of::<E>()..start + run.end * size_of::<E>();
        let from = map.bytes().get(range.clone()).unwrap_or_default();
        to_native(from, bytemuck::cast_slice_mut(&mut elements), size_of::<E>(), true);
        map.release(range);
        elements
    };
    let at_once = pieces::at_once((RUN_ELEMENTS * size_of::<E>()) as u64, input.memory_bytes);
    pieces::in_order(runs, at_once, decode, |elements| spool.append(&elements))?;
    map.check_intact()?;
    spool.finish(shape)
}
