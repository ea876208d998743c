//! The pixels of a band that the image itself excludes.
//!
//! The order is that of GDAL's mask bands (`GDALRasterBand::GetMaskBand` and
//! the GTiff driver's): a mask in the file, else one in `FILE.msk`, else the
//! item NODATA_VALUES, else the nodata value, else the alpha band. The first
//! that there is decides alone.

use super::directory::{Directory, File, KIND};
use super::image::{Image, Row};
use super::pages::{Page, pages};
use super::{samples, tag};
use crate::array::mapping::Mapping;
use crate::array::{Bitmap, DataError, Element, ElementType, Hint};
use crate::io::bits::unpacked;
use crate::io::input::Input;
use crate::io::note::Note;
use crate::io::sidecar::{self, NODATA_VALUES};
use crate::io::xml;
use crate::with_element;

/// The pixels of an image but for those that its mask, an image of the same size,
/// excludes: where it is 0.
fn masked(
    input: &Input<'_>,
    map: &Mapping,
    mask: &Directory<'_>,
    band: usize,
    size: [usize; 2],
) -> Result<Bitmap, DataError> {
    let refuse = |found| DataError::UnsupportedMask {
        path: input.path.to_owned(),
        found: format!("its mask {found}"),
    };
    let of = Image::of(input, map, mask, band).map_err(of_mask)?;
    let [width, height] = size;
    if [of.width, of.height] != size {
        return Err(refuse(format!(
            "has another size than its page: {}×{}, not {width}×{height}",
            of.width, of.height
        )));
    }
    if of.element != ElementType::U8 {
        return Err(refuse(format!("has samples of {} bits", of.packing.bits)));
    }
    but_zeros::<u8>(&of).map_err(of_mask)
}

/// The pixels but for those of which a band is 0.
fn but_zeros<E: Element>(band: &Image<'_>) -> Result<Bitmap, DataError> {
    band.check_claims()?;
    let mut valid = Bitmap::default();
    band.elements(E::zeroed(), |start, values| {
        let places = values.iter().enumerate().filter(|(_, value)| value.to_f64() == 0.0);
        places.for_each(|(k, _)| valid.exclude(start + k));
        Ok(())
    })?;
    Ok(valid)
}

/// The error of an image, as one of a mask.
fn of_mask(error: DataError) -> DataError {
    match error {
        DataError::Unsupported { path, found, .. } => {
            DataError::UnsupportedMask { path, found: format!("its mask: {found}") }
        }
        DataError::Invalid { path, kind, reason } => {
            DataError::Invalid { path, kind, reason: format!("its mask: {reason}") }
        }
        other => other,
    }
}

/// The name of a mask, and the pixels but for those that it excludes, or a note
/// why it isn't used.
pub(in super::super) type NamedMask = (String, Result<Bitmap, Note>);

/// The mask in `FILE.msk` of a band, numbered from 1, of an image of so many
/// columns and rows.
pub(in super::super) fn mask_beside(
    input: &Input<'_>,
    band: usize,
    size: [usize; 2],
) -> Result<Option<NamedMask>, DataError> {
    let Some(path) = sidecar::mask(input) else { return Ok(None) };
    let file = std::fs::File::open(&path).map_err(|e| DataError::io(&path, e))?;
    let beside = Input { path: &path, file: &file, key: None, ..*input };
    Ok(Some((sidecar::name(&path), mask_file(&beside, band, size)?)))
}

fn mask_file(input: &Input<'_>, band: usize, size: [usize; 2]) -> Result<Result<Bitmap, Note>, DataError> {
    const OF_ALL_BANDS: u64 = 2;
    let map = input.map()?;
    let file = File::new(input, map.bytes())?;
    let (pages, _) = pages(input, &file)?;
    let Some(page) = pages.first() else { return Err(input.invalid(KIND, "it has no image")) };
    let name = sidecar::name(input.path);
    // Without these GDAL does not use it either.
    let flags = item(&page.directory, &format!("INTERNAL_MASK_FLAGS_{band}"))?;
    let Some(flags) = flags.and_then(|flags| flags.trim().parse::<u64>().ok()) else {
        let reason = "it does not say which bands it is of (GDAL's item INTERNAL_MASK_FLAGS)";
        return Ok(Err(Note::NotMasked { by: name, reason, remedy: Some(Hint::GiveMask) }));
    };
    let band = if flags & OF_ALL_BANDS == 0 { band } else { 1 };
    if band > page.samples {
        let reason = "it has no mask of this band";
        return Ok(Err(Note::NotMasked { by: name, reason, remedy: None }));
    }
    masked(input, &map, &page.directory, band - 1, size).map(Ok)
}

/// The text of an item of GDAL's notes on a file.
fn item(directory: &Directory<'_>, name: &str) -> Result<Option<String>, DataError> {
    let Some(notes) = directory.text(tag::GDAL_METADATA)? else { return Ok(None) };
    let mut item = None;
    xml::for_each_text(&notes, |open, text| {
        let [root, last] = open else { return };
        let is_of_file = last.attribute("sample").is_none() && last.attribute("domain").is_none();
        let is_it = |found: String| found.eq_ignore_ascii_case(name);
        if root.is("GDALMetadata") && is_of_file && last.attribute("name").is_some_and(is_it) {
            item = Some(text.to_owned());
        }
    });
    Ok(item)
}

/// The marker that excludes pixels of a band in place of its nodata value: its
/// name, and the pixels but for those.
pub(super) fn in_place_of_nodata(
    input: &Input<'_>,
    map: &Mapping,
    page: &Page<'_>,
    beside: Option<&sidecar::Notes>,
    band: &Band<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<(String, Bitmap)>, DataError> {
    let size = [band.image.width, band.image.height];
    if let Some(mask) = &page.mask {
        let of = if samples::count(mask)? > 1 { band.number - 1 } else { 0 };
        return Ok(Some(("its own mask".to_owned(), masked(input, map, mask, of, size)?)));
    }
    if band.is_of_first_page {
        match mask_beside(input, band.number, size)? {
            Some((name, Ok(valid))) => return Ok(Some((name, valid))),
            Some((_, Err(note))) => notes.push(note),
            None => {}
        }
    }
    let values = match beside.and_then(sidecar::Notes::nodata_values) {
        Some(values) => Some(values),
        None => item(&page.directory, NODATA_VALUES)?,
    };
    let Some(text) = values else { return Ok(None) };
    let by = format!("{NODATA_VALUES} {text}");
    let values: Vec<f64> = text.split_whitespace().filter_map(|value| value.parse().ok()).collect();
    if page.slices > 1 || values.len() != page.samples || values.len() != text.split_whitespace().count() {
        let reason = "it does not have a number for each band";
        notes.push(Note::NotMasked { by, reason, remedy: Some(Hint::Exclude) });
        return Ok(None);
    }
    let valid = with_element!(band.image.element, E => but_all::<E>(input, map, page, &values))?;
    Ok(Some((by, valid)))
}

/// A band.
pub(super) struct Band<'a> {
    pub(super) image: &'a Image<'a>,
    /// Its number, from 1, among those of its page.
    pub(super) number: usize,
    /// GDAL's files beside an image know no other pages.
    pub(super) is_of_first_page: bool,
}

/// The pixels but for those of which all bands have their value: compared as GDAL's
/// `GDALNoDataValuesMaskBand` does, in the samples' own type.
fn but_all<E: Element>(
    input: &Input<'_>,
    map: &Mapping,
    page: &Page<'_>,
    values: &[f64],
) -> Result<Bitmap, DataError> {
    let cast = |value: f64| match E::TYPE {
        ElementType::F16 | ElementType::Bf16 | ElementType::F32 => f64::from(value.to_f32()),
        ElementType::F64 => value,
        _ => value.trunc(),
    };
    let values: Vec<f64> = values.iter().map(|&value| cast(value)).collect();
    let first = Image::of(input, map, &page.directory, 0)?;
    if first.samples == values.len() {
        first.check_claims()?;
        let bits = first.packing.bits;
        let mut valid = Bitmap::default();
        first.rows(|start, width, row| {
            let Row::Bytes(row) = row else {
                if values.iter().all(|&value| value == 0.0) {
                    (start..start + width).for_each(|k| valid.exclude(k));
                }
                return Ok(());
            };
            if bits < 8 {
                let mut samples = unpacked(row, bits);
                for k in start..start + width {
                    let pixel = samples.by_ref().take(values.len());
                    // All of the pixel's samples are to be taken.
                    if pixel.zip(&values).filter(|(sample, value)| f64::from(*sample) == **value).count()
                        == values.len()
                    {
                        valid.exclude(k);
                    }
                }
                return Ok(());
            }
            for (k, pixel) in row.chunks_exact(values.len() * size_of::<E>()).take(width).enumerate() {
                let mut samples = pixel.chunks_exact(size_of::<E>()).map(bytemuck::pod_read_unaligned::<E>);
                if values.iter().all(|&value| samples.next().is_some_and(|sample| sample.to_f64() == value)) {
                    valid.exclude(start + k);
                }
            }
            Ok(())
        })?;
        return Ok(valid);
    }
    // Each band has a plane of its own.
    let mut all: Option<Bitmap> = None;
    for (sample, &value) in values.iter().enumerate() {
        let band = Image::of(input, map, &page.directory, sample)?;
        band.check_claims()?;
        let mut valid = Bitmap::default();
        band.elements(E::zeroed(), |start, elements| {
            let is_it = |k: usize, element: &E| {
                element.to_f64() == value && all.as_ref().is_none_or(|all| !all.contains(k))
            };
            let places = elements.iter().enumerate().map(|(k, element)| (start + k, element));
            places.filter(|(k, element)| is_it(*k, element)).for_each(|(k, _)| valid.exclude(k));
            Ok(())
        })?;
        all = Some(valid);
    }
    Ok(all.unwrap_or_default())
}

/// The alpha band of an image, where it is the last one and another one is read:
/// its name, and the pixels but for the transparent ones.
///
/// This goes beyond GDAL, in whose order of masks an alpha band stands here too
/// but only where it is one of two bands or four and its samples are bytes or
/// 16 bits: here one of any type, beside any number of bands, excludes the
/// pixels where it is 0. A transparent pixel has no colour that means something,
/// however it is stored; to include it, read with
/// [`Reading::alpha`](crate::io::Reading::alpha) off. GDAL calls the first band
/// beyond grey alpha also where others follow it; that one is only named.
pub(super) fn transparent(
    input: &Input<'_>,
    map: &Mapping,
    page: &Page<'_>,
    band: &Band<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<(String, Bitmap)>, DataError> {
    const ASSOCIATED: u64 = 1;
    const UNASSOCIATED: u64 = 2;
    let Some(extra) = page.directory.find(tag::EXTRA_SAMPLES)? else { return Ok(None) };
    let all = samples::count(&page.directory)?;
    let is_alpha = |k: u64| [Some(ASSOCIATED), Some(UNASSOCIATED)].contains(&extra.whole(k));
    let Some(last) = extra.count.checked_sub(1).filter(|_| extra.count < all as u64 && page.slices == 1)
    else {
        return Ok(None);
    };
    if !is_alpha(last) {
        if let Some(k) = (0..last).find(|&k| is_alpha(k)) {
            let by = format!("its alpha band {}", all as u64 - extra.count + k + 1);
            let (reason, remedy) = ("bands follow it", Some(Hint::GiveMask));
            notes.push(Note::NotMasked { by, reason, remedy });
        }
        return Ok(None);
    }
    if !input.alpha || band.number == all {
        return Ok(None);
    }
    let alpha = Image::of(input, map, &page.directory, all - 1)?;
    let valid = with_element!(alpha.element, E => but_zeros::<E>(&alpha))?;
    Ok(Some((format!("its alpha band {all}, where it is 0"), valid)))
}
