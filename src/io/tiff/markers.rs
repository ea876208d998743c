//! Which pixels of a band do not count, by the image's own word.
//!
//! The order is that of GDAL's mask bands (`GDALRasterBand::GetMaskBand` and
//! the GTiff driver's): a mask in the file, else one in `FILE.msk`, else the
//! item NODATA_VALUES, else the nodata value, else the alpha band. The first
//! that there is decides alone.

use super::super::bits::unpacked;
use super::super::sidecar::{self, NODATA_VALUES};
use super::super::source::Input;
use super::super::xml;
use super::directory::Directory;
use super::image::{Image, Row, samples};
use super::pages::pages;
use super::{KIND, tag};
use crate::array::array::Bytes;
use crate::array::mapping::Mapping;
use crate::array::nulls::Nulls;
use crate::array::{DataError, Element, ElementType, Note};
use crate::with_element;

/// The pixels of an image that its mask, an image of the same size, says are
/// not there: those where it is 0.
pub(super) fn masked(
    input: &Input<'_>,
    map: &Mapping,
    mask: &Directory<'_>,
    band: usize,
    size: [usize; 2],
) -> Result<Nulls, DataError> {
    let refuse = |found| DataError::UnsupportedMask {
        path: input.path.to_owned(),
        found: format!("its mask {found}"),
    };
    let of = Image::of(input, map, mask, band).map_err(masks)?;
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
    zeros::<u8>(&of).map_err(masks)
}

/// The pixels of which a band is 0.
fn zeros<E: Element>(band: &Image<'_>) -> Result<Nulls, DataError> {
    band.check_claims()?;
    let mut nulls = Nulls::default();
    band.elements(E::zeroed(), |start, values| {
        let places = values.iter().enumerate().filter(|(_, value)| value.to_f64() == 0.0);
        places.for_each(|(k, _)| nulls.insert(start + k));
        Ok(())
    })?;
    Ok(nulls)
}

/// The error of an image, of a mask.
fn masks(error: DataError) -> DataError {
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

/// The pixels that a file beside an image masks in a band, numbered from 1; or
/// why it masks none.
pub(in super::super) fn mask_file(
    input: &Input<'_>,
    band: usize,
    size: [usize; 2],
) -> Result<Result<Nulls, Note>, DataError> {
    const OF_ALL_BANDS: u64 = 2;
    let map = input.map()?;
    let file = super::File::new(input, map.bytes())?;
    let (pages, _) = pages(input, &file)?;
    let Some(page) = pages.first() else { return Err(input.invalid(KIND, "it has no image")) };
    let name = input.path.file_name().unwrap_or_default().display().to_string();
    // Without these GDAL does not use it either.
    let flags = item(&page.directory, &format!("INTERNAL_MASK_FLAGS_{band}"))?;
    let Some(flags) = flags.and_then(|flags| flags.trim().parse::<u64>().ok()) else {
        let reason = "it does not say which bands it is of (GDAL's item INTERNAL_MASK_FLAGS)";
        return Ok(Err(Note::NotMasked { by: name, reason }));
    };
    let band = if flags & OF_ALL_BANDS == 0 { band } else { 1 };
    if band > page.samples {
        let reason = "it has no mask of this band";
        return Ok(Err(Note::NotMasked { by: name, reason }));
    }
    masked(input, &map, &page.directory, band - 1, size).map(Ok)
}

/// The text of an item of GDAL's notes on a file.
fn item(directory: &Directory<'_>, name: &str) -> Result<Option<String>, DataError> {
    let Some(notes) = directory.text(tag::GDAL_METADATA)? else { return Ok(None) };
    let mut item = None;
    xml::visit(&notes, |open, text| {
        let [root, last] = open else { return };
        let is_of_file = last.attribute("sample").is_none() && last.attribute("domain").is_none();
        let is_it = |found: String| found.eq_ignore_ascii_case(name);
        if root.is("GDALMetadata") && is_of_file && last.attribute("name").is_some_and(is_it) {
            item = Some(text.to_owned());
        }
    });
    Ok(item)
}

/// What excludes pixels of a band in place of its nodata value: its name, and
/// the pixels.
pub(super) fn in_place_of_nodata(
    input: &Input<'_>,
    map: &Mapping,
    page: &super::Page<'_>,
    beside: Option<&sidecar::Notes>,
    band: &Band<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<(String, Nulls)>, DataError> {
    let size = [band.image.width, band.image.height];
    if let Some(mask) = &page.mask {
        let of = if samples(mask)? > 1 { band.number - 1 } else { 0 };
        return Ok(Some(("its own mask".to_owned(), masked(input, map, mask, of, size)?)));
    }
    if band.is_of_first_page {
        match sidecar::mask(input, band.number, size)? {
            Some((name, Ok(nulls))) => return Ok(Some((name, nulls))),
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
        notes.push(Note::NotMasked { by, reason });
        return Ok(None);
    }
    let nulls = with_element!(band.image.element, E => all_are::<E>(input, map, page, &values))?;
    Ok(Some((by, nulls)))
}

/// A band.
pub(super) struct Band<'a> {
    pub(super) image: &'a Image<'a>,
    /// Its number, from 1, among those of its page.
    pub(super) number: usize,
    /// GDAL's files beside an image know no other pages.
    pub(super) is_of_first_page: bool,
}

/// The pixels of which all bands have their value: compared as GDAL's
/// `GDALNoDataValuesMaskBand` does, in the samples' own type.
fn all_are<E: Element>(
    input: &Input<'_>,
    map: &Mapping,
    page: &super::Page<'_>,
    values: &[f64],
) -> Result<Nulls, DataError> {
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
        let mut nulls = Nulls::default();
        first.rows(|start, width, row| {
            let Row::Bytes(row) = row else {
                if values.iter().all(|&value| value == 0.0) {
                    (start..start + width).for_each(|k| nulls.insert(k));
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
                        nulls.insert(k);
                    }
                }
                return Ok(());
            }
            for (k, pixel) in row.chunks_exact(values.len() * size_of::<E>()).take(width).enumerate() {
                let mut samples = pixel.chunks_exact(size_of::<E>()).map(bytemuck::pod_read_unaligned::<E>);
                if values.iter().all(|&value| samples.next().is_some_and(|sample| sample.to_f64() == value)) {
                    nulls.insert(start + k);
                }
            }
            Ok(())
        })?;
        return Ok(nulls);
    }
    // Each band has a plane of its own.
    let mut all: Option<Nulls> = None;
    for (sample, &value) in values.iter().enumerate() {
        let band = Image::of(input, map, &page.directory, sample)?;
        band.check_claims()?;
        let mut nulls = Nulls::default();
        band.elements(E::zeroed(), |start, elements| {
            let is_it = |k: usize, element: &E| {
                element.to_f64() == value && all.as_ref().is_none_or(|all| all.contains(k))
            };
            let places = elements.iter().enumerate().map(|(k, element)| (start + k, element));
            places.filter(|(k, element)| is_it(*k, element)).for_each(|(k, _)| nulls.insert(k));
            Ok(())
        })?;
        all = Some(nulls);
    }
    Ok(all.unwrap_or_default())
}

/// The pixels that are transparent where an image's last band is its alpha band
/// and another one is read: its name, and the pixels.
///
/// This goes beyond GDAL, in whose order of masks an alpha band stands here too
/// but only where it is one of two bands or four and its samples are bytes or
/// 16 bits: here one of any type, beside any number of bands, excludes the
/// pixels where it is 0. What is transparent has no colour that means something,
/// however it is stored; whoever wants it reads with `Reading::alpha` off. GDAL calls the first
/// band beyond grey alpha also where others follow it; that one is only named.
pub(super) fn transparent(
    input: &Input<'_>,
    map: &Mapping,
    page: &super::Page<'_>,
    band: &Band<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<(String, Nulls)>, DataError> {
    const ASSOCIATED: u64 = 1;
    const UNASSOCIATED: u64 = 2;
    let Some(extra) = page.directory.find(tag::EXTRA_SAMPLES)? else { return Ok(None) };
    let all = samples(&page.directory)?;
    let is_alpha = |k: u64| [Some(ASSOCIATED), Some(UNASSOCIATED)].contains(&extra.whole(k));
    let Some(last) = extra.count.checked_sub(1).filter(|_| extra.count < all as u64 && page.slices == 1)
    else {
        return Ok(None);
    };
    if !is_alpha(last) {
        if let Some(k) = (0..last).find(|&k| is_alpha(k)) {
            let by = format!("its alpha band {}", all as u64 - extra.count + k + 1);
            notes.push(Note::NotMasked { by, reason: "bands follow it" });
        }
        return Ok(None);
    }
    if !input.alpha || band.number == all {
        return Ok(None);
    }
    let alpha = Image::of(input, map, &page.directory, all - 1)?;
    let nulls = with_element!(alpha.element, E => zeros::<E>(&alpha))?;
    Ok(Some((format!("its alpha band {all}, where it is 0"), nulls)))
}
