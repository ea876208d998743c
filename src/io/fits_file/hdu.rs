//! The parts of a FITS file, each a header and data (HDU), and the one that a key
//! means.

use super::header::{BLOCK_BYTES, Header, KIND};
use crate::array::error::{excerpt, listed};
use crate::array::{DataError, Shape};
use crate::io::input::Input;

/// The most axes of an image.
const MOST_AXES: i64 = 999;

/// A part of a file.
pub(super) struct Hdu {
    pub(super) header: Header,
    /// The place of its data.
    pub(super) data: usize,
    pub(super) kind: HduKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HduKind {
    /// An image of some pixels.
    Image,
    /// A header without data, as most files of extensions begin with.
    Empty,
    /// An image whose tiles are compressed, in a table.
    Tiles,
    Table,
    /// A table of text.
    TextTable,
    /// Random groups of radio interferometers.
    Groups,
    Other,
}

impl HduKind {
    fn of(header: &Header, is_primary: bool) -> Self {
        let extension = header.text("XTENSION").unwrap_or_default();
        let has_pixels = |header: &Header| {
            let axes = header.whole("NAXIS").unwrap_or(0);
            axes > 0 && (1..=axes).all(|axis| header.whole(&format!("NAXIS{axis}")) != Some(0))
        };
        match extension.as_str() {
            _ if is_primary && header.is_true("GROUPS") => Self::Groups,
            "BINTABLE" | "A3DTABLE" if header.is_true("ZIMAGE") => Self::Tiles,
            "BINTABLE" | "A3DTABLE" => Self::Table,
            "TABLE" => Self::TextTable,
            _ if (is_primary || extension == "IMAGE") && has_pixels(header) => Self::Image,
            _ if is_primary || extension == "IMAGE" => Self::Empty,
            _ => Self::Other,
        }
    }

    pub(super) fn is_image(self) -> bool {
        matches!(self, Self::Image | Self::Tiles)
    }
}

impl Hdu {
    /// All parts of a file.
    pub(super) fn all(input: &Input<'_>, file: &[u8]) -> Result<Vec<Self>, DataError> {
        let most_bytes = input.memory().unit_bytes();
        let (mut all, mut at, mut header_bytes) = (Vec::new(), 0, 0);
        // What follows the last one is no part of it.
        while all.is_empty() || file.get(at..).is_some_and(|rest| rest.starts_with(b"XTENSION=")) {
            let (header, data) = Header::read(input, file, at, most_bytes.saturating_sub(header_bytes))?;
            header_bytes += header.bytes();
            let is_primary = all.is_empty();
            if is_primary && !header.starts_with("SIMPLE") {
                return Err(input.invalid(KIND, "it does not begin with SIMPLE"));
            }
            let kind = HduKind::of(&header, is_primary);
            let bytes = data_bytes(&header, kind).ok_or_else(|| {
                let reason = format!("the header of HDU {} does not say how many data it has", all.len());
                input.invalid(KIND, &reason)
            })?;
            at = bytes
                .checked_next_multiple_of(BLOCK_BYTES as u64)
                .and_then(|bytes| usize::try_from(bytes).ok()?.checked_add(data))
                .unwrap_or(usize::MAX);
            all.push(Self { header, data, kind });
        }
        Ok(all)
    }

    /// The name of its extension.
    pub(super) fn name(&self) -> String {
        self.header.text("EXTNAME").unwrap_or_default()
    }

    /// Whether a name, or a name and a version after a comma, means it. As in other
    /// programs small letters are as good as capitals.
    fn is_called(&self, key: &str, number: usize) -> bool {
        let version = self.header.whole("EXTVER").unwrap_or(1);
        let is_name = |name: &str| {
            let own = self.name();
            (!own.is_empty() && own.eq_ignore_ascii_case(name))
                || (number == 0 && own.is_empty() && name.eq_ignore_ascii_case("PRIMARY"))
        };
        let is_version = |(name, text): (&str, &str)| is_name(name) && text.trim().parse() == Ok(version);
        is_name(key) || key.rsplit_once(',').is_some_and(is_version)
    }

    /// The extents of the axes of an image, the slowest first.
    pub(super) fn shape(&self, input: &Input<'_>, axes: &str) -> Result<Shape, DataError> {
        let extent = |axis: i64| self.header.whole(&format!("{axes}{axis}"));
        let count = self.header.whole(axes).filter(|count| (0..=MOST_AXES).contains(count));
        let extents = count.and_then(|count| {
            (1..=count).rev().map(|axis| u64::try_from(extent(axis)?).ok()).collect::<Option<Vec<u64>>>()
        });
        let shape = Shape(extents.ok_or_else(|| input.invalid(KIND, "its axes have no extents"))?);
        match shape.elements() {
            Some(_) => Ok(shape),
            None => Err(DataError::AbsurdShape { path: input.path.to_owned(), shape: shape.to_string() }),
        }
    }
}

/// The bytes of data after a header.
fn data_bytes(header: &Header, kind: HduKind) -> Option<u64> {
    let axes = header.whole("NAXIS").filter(|axes| (0..=MOST_AXES).contains(axes))?;
    if axes == 0 {
        return Some(0);
    }
    let whole = |keyword: &str, default| u64::try_from(header.whole(keyword).unwrap_or(default)).ok();
    // The first extent of random groups is 0.
    let first = if kind == HduKind::Groups { 2 } else { 1 };
    let mut elements = 1u64;
    for axis in first..=axes {
        let extent = u64::try_from(header.whole(&format!("NAXIS{axis}"))?).ok()?;
        elements = elements.checked_mul(extent)?;
    }
    let elements = elements.checked_add(whole("PCOUNT", 0)?)?.checked_mul(whole("GCOUNT", 1)?)?;
    elements.checked_mul(header.whole("BITPIX")?.unsigned_abs() / 8)
}

/// What a key means.
pub(super) struct Meant {
    /// The number of the HDU.
    pub(super) hdu: usize,
    /// The name or number of a column of it.
    pub(super) column: Option<String>,
}

/// The part that the key of an input means; without one the first, or the only one
/// with an image.
pub(super) fn meant(input: &Input<'_>, all: &[Hdu]) -> Result<Meant, DataError> {
    let whole = |hdu| Meant { hdu, column: None };
    let Some(key) = input.key else {
        let images: Vec<usize> = (0..all.len()).filter(|&k| all[k].kind.is_image()).collect();
        return match images[..] {
            _ if all[0].kind != HduKind::Empty => Ok(whole(0)),
            [only] => Ok(whole(only)),
            [] if all.len() == 1 => Ok(whole(0)),
            _ => Err(DataError::WhichArray {
                path: input.path.to_owned(),
                what: "HDU",
                count: all.len(),
                available: available(all),
            }),
        };
    };
    if let Some(hdu) = find(input, all, key)? {
        return Ok(whole(hdu));
    }
    for (dot, _) in key.match_indices('.') {
        if let Some(hdu) = find(input, all, &key[..dot])? {
            return Ok(Meant { hdu, column: Some(key[dot + 1..].to_owned()) });
        }
    }
    let names: Vec<String> = all.iter().map(Hdu::name).collect();
    Err(input.no_such("HDU", key, names.iter().map(String::as_str), available(all)))
}

fn find(input: &Input<'_>, all: &[Hdu], key: &str) -> Result<Option<usize>, DataError> {
    let named = all.iter().enumerate().map(|(number, hdu)| hdu.is_called(key, number));
    if let Some(number) = input.only_one("HDU", key, named)? {
        return Ok(Some(number));
    }
    Ok(key.parse().ok().filter(|number| *number < all.len()))
}

fn available(all: &[Hdu]) -> String {
    listed(all.iter().enumerate().map(|(number, hdu)| match hdu.name() {
        name if name.is_empty() => number.to_string(),
        name => format!("{} ({number})", excerpt(&name)),
    }))
}
