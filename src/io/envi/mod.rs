//! Bands of ENVI images: plain numbers in one file, which are mapped, and a header of
//! text in another one beside it, `.hdr`.

mod header;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use header::Header;

use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::{nodata, scaling};
use crate::array::error::{excerpt, listed, shown};
use crate::array::mapping::Mapping;
use crate::array::{Array, DataError, ElementType, Layout, Shape};

const KIND: &str = "ENVI";

/// Far more than a header has of hundreds of bands.
const MOST_HEADER_BYTES: u64 = 16 << 20;

/// Extensions of files of pixels beside `NAME.hdr`, beside none.
const EXTENSIONS: [&str; 10] = ["dat", "img", "raw", "bin", "bsq", "bil", "bip", "sli", "envi", "ima"];

/// Opens a band, by its name or its number from 1, of a header or of the file of
/// pixels that has one beside it.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let (path, file) = (input.path, input.file);
    if is_header_name(path) {
        let text = text_of(path, file)?;
        let header = Header::of(&text)
            .ok_or_else(|| input.invalid(KIND, "a header's first line is ENVI, and this one's is not"))?;
        let pixels = pixels_beside(path).ok_or_else(|| {
            let reason =
                "its file of pixels is not beside it; bring it there, with the same name without .hdr";
            input.invalid(KIND, reason)
        })?;
        let file = File::open(&pixels).map_err(|e| DataError::io(&pixels, e))?;
        return band(input, &header, &pixels, &file);
    }
    let (_, header) = header_beside(path)?.ok_or_else(|| input.invalid(KIND, "its header is gone"))?;
    band(input, &header, path, file)
}

/// The bands of an image.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let header = if is_header_name(input.path) {
        Header::of(&text_of(input.path, &input.clone_file()?)?)
    } else {
        header_beside(input.path)?.map(|(_, header)| header)
    };
    let header = header.ok_or_else(|| input.invalid(KIND, "its header is gone"))?;
    let (names, count) = (header.list("band names"), whole(input, &header, "bands")?.unwrap_or(1));
    let mut all = Vec::new();
    for band in 1..=count {
        let key = band.to_string();
        let file = input.clone_file()?;
        let opened = open(&Input { key: Some(&key), file: &file, ..*input })?;
        let name = usize::try_from(band - 1).ok().and_then(|place| names.get(place));
        all.push(Listed::mapped(Some(key), &opened).named(name.map_or("", String::as_str)));
    }
    Ok(all)
}

/// Whether a file has an ENVI header beside it.
pub(super) fn has_header(path: &Path) -> Result<bool, DataError> {
    Ok(!is_header_name(path) && header_beside(path)?.is_some())
}

fn is_header_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("hdr"))
}

/// The header beside a file of pixels, `NAME.EXT.hdr` or `NAME.hdr`.
fn header_beside(path: &Path) -> Result<Option<(PathBuf, Header)>, DataError> {
    let appended = |extension: &str| {
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let candidates =
        [appended(".hdr"), path.with_extension("hdr"), appended(".HDR"), path.with_extension("HDR")];
    for candidate in candidates {
        if candidate != path && candidate.is_file() {
            let file = File::open(&candidate).map_err(|e| DataError::io(&candidate, e))?;
            // Others have headers of this name too.
            if let Some(header) = Header::of(&text_of(&candidate, &file)?) {
                return Ok(Some((candidate, header)));
            }
        }
    }
    Ok(None)
}

/// The file of pixels beside a header.
fn pixels_beside(header: &Path) -> Option<PathBuf> {
    let stem = header.with_extension("");
    let named = EXTENSIONS.iter().flat_map(|&extension| {
        [OsStr::new(extension).to_owned(), extension.to_uppercase().into()].map(|e| stem.with_extension(e))
    });
    std::iter::once(stem.clone()).chain(named).find(|path| path != header && path.is_file())
}

fn text_of(path: &Path, file: &File) -> Result<String, DataError> {
    let mut text = Vec::new();
    let failed = |e: io::Error| DataError::io(path, e);
    file.take(MOST_HEADER_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    let bytes = text.len() as u64;
    if bytes > MOST_HEADER_BYTES {
        return Err(DataError::Claim { path: path.to_owned(), what: "header", bytes });
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The order of bands, rows and columns.
#[derive(Clone, Copy)]
enum Interleave {
    Bsq,
    Bil,
    Bip,
}

/// The sizes that a header has.
struct Sizes {
    columns: u64,
    rows: u64,
    bands: u64,
    interleave: Interleave,
}

impl Sizes {
    fn of(input: &Input<'_>, header: &Header) -> Result<Self, DataError> {
        let whole = |name: &str| {
            let missing = || input.invalid(KIND, &format!("its header has no {name}"));
            whole(input, header, name)?.ok_or_else(missing)
        };
        let interleave = header.value("interleave").map(|text| text.to_lowercase()).unwrap_or_default();
        let interleave = match interleave.as_str() {
            "bsq" | "" => Interleave::Bsq,
            "bil" => Interleave::Bil,
            "bip" => Interleave::Bip,
            other => {
                let reason =
                    format!("its interleave is {:?}, where there are bsq, bil and bip", excerpt(other));
                return Err(input.invalid(KIND, &reason));
            }
        };
        let bands = self::whole(input, header, "bands")?.unwrap_or(1);
        Ok(Self { columns: whole("samples")?, rows: whole("lines")?, bands, interleave })
    }

    /// The elements between neighbours along rows and columns, and those before the
    /// first one of a band; `None` if no memory has so many.
    fn places(&self, band: u64) -> Option<([isize; 2], u64)> {
        let &Self { columns, rows, bands, interleave } = self;
        columns.checked_mul(rows)?.checked_mul(bands)?;
        let (strides, first) = match interleave {
            Interleave::Bsq => ([columns, 1], band * rows * columns),
            Interleave::Bil => ([bands * columns, 1], band * columns),
            Interleave::Bip => ([bands * columns, bands], band),
        };
        let stride = |stride: u64| isize::try_from(stride).ok();
        Some(([stride(strides[0])?, stride(strides[1])?], first))
    }
}

fn whole(input: &Input<'_>, header: &Header, name: &str) -> Result<Option<u64>, DataError> {
    header.whole(name).map_err(|text| {
        let reason = format!("its {name} is {:?}, which is no whole number", excerpt(&text));
        input.invalid(KIND, &reason)
    })
}

fn element_type(input: &Input<'_>, header: &Header) -> Result<ElementType, DataError> {
    let number = whole(input, header, "data type")?
        .ok_or_else(|| input.invalid(KIND, "its header has no data type"))?;
    let found = match number {
        1 => return Ok(ElementType::U8),
        2 => return Ok(ElementType::I16),
        3 => return Ok(ElementType::I32),
        4 => return Ok(ElementType::F32),
        5 => return Ok(ElementType::F64),
        12 => return Ok(ElementType::U16),
        13 => return Ok(ElementType::U32),
        14 => return Ok(ElementType::I64),
        15 => return Ok(ElementType::U64),
        6 | 9 => "complex".to_owned(),
        other => format!("ENVI number {other}"),
    };
    Err(DataError::ElementType { path: input.path.to_owned(), found })
}

fn band(input: &Input<'_>, header: &Header, path: &Path, file: &File) -> Result<Opened, DataError> {
    if whole(input, header, "file compression")?.is_some_and(|compression| compression != 0) {
        return Err(
            input.unsupported("its pixels are compressed by gzip".to_owned(), "decompress them with gunzip")
        );
    }
    let sizes = Sizes::of(input, header)?;
    let element = element_type(input, header)?;
    let is_big = whole(input, header, "byte order")?.unwrap_or(0) != 0;
    let (band, is_only) = (choose(input, header, sizes.bands)?, sizes.bands == 1);
    let shape = Shape(vec![sizes.rows, sizes.columns]);
    let absurd = || DataError::AbsurdShape { path: input.path.to_owned(), shape: shape.to_string() };
    let (strides, first) = sizes.places(band).ok_or_else(absurd)?;
    let before = whole(input, header, "header offset")?.unwrap_or(0);
    let offset = first.checked_mul(element.size() as u64).and_then(|bytes| bytes.checked_add(before));
    let layout = Layout {
        shape: shape.clone(),
        element,
        strides: strides.to_vec(),
        swapped: element.size() > 1 && is_big != cfg!(target_endian = "big"),
        offset: offset.and_then(|offset| usize::try_from(offset).ok()).ok_or_else(absurd)?,
    };
    let map = Mapping::named(path, file).map_err(|e| DataError::io(path, e))?;
    let array = Array::new(shown(input.path).to_string(), Arc::new(map), layout)?;
    let array =
        if is_only && input.key.is_none() { array } else { array.keyed(input.key.unwrap_or_default()) };
    let name = "data ignore value";
    let nodata = nodata::find(&[name], |name| header.value(name));
    let number = |list: &str, default: f64| -> Option<f64> {
        let list = header.list(list);
        if list.is_empty() { Some(default) } else { list.get(usize::try_from(band).ok()?)?.parse().ok() }
    };
    let scaled = number("data gain values", 1.0).zip(number("data offset values", 0.0));
    let scaling = scaled.and_then(|(scale, offset)| scaling::of(Some(scale), Some(offset)));
    Ok(Opened::from(array).with_nodata(nodata).with_scaling(scaling))
}

/// The band that the key means, from 0.
fn choose(input: &Input<'_>, header: &Header, count: u64) -> Result<u64, DataError> {
    let names = header.list("band names");
    let available = || {
        let bands = (0..usize::try_from(count).unwrap_or(usize::MAX)).map(|band| match names.get(band) {
            Some(name) => format!("{} ({})", excerpt(name), band + 1),
            None => (band + 1).to_string(),
        });
        listed(bands)
    };
    let Some(key) = input.key else {
        return match count {
            0 => Err(DataError::NoArrays { path: input.path.to_owned(), what: "band" }),
            1 => Ok(0),
            _ => Err(DataError::WhichArray {
                path: input.path.to_owned(),
                what: "band",
                count: usize::try_from(count).unwrap_or(usize::MAX),
                available: available(),
            }),
        };
    };
    let named = input.only_one("band", key, names.iter().map(|name| name == key))?;
    let named = named.map(|band| band as u64);
    let numbered = || key.parse::<u64>().ok().and_then(|number| number.checked_sub(1));
    let found = named.or_else(numbered).filter(|band| *band < count);
    found.ok_or_else(|| input.no_such("band", key, names.iter().map(String::as_str), available()))
}
