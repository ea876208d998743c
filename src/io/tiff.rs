//! Bands of TIFF, BigTIFF and GeoTIFF images. A band that lies in the file as
//! it is in memory is mapped; others are decoded, row by row. All samples of a
//! pixel are bands, and their numbers are those that are stored, whatever
//! colours they are meant to be. What the image's own masks and markers exclude
//! is null.

mod directory;
mod image;
mod markers;
mod output;
mod pages;
mod rows;

use self::directory::{Directory, File};
use self::image::Image;
use self::markers::Band;
pub(super) use self::markers::mask_file;
pub(super) use self::output::header;
use self::pages::{Page, pages};
use super::sidecar;
use super::source::Input;
use crate::array::array::Bytes;
use crate::array::attribute::NodataAttribute;
use crate::array::georeference::{GeoValue, Georeference};
use crate::array::scan;
use crate::array::{Array, DataError, Element, ElementType, Note};
use crate::with_element;

const KIND: &str = "TIFF";

const CONVERT: &str = "convert it, for example with gdal_translate -co COMPRESS=DEFLATE";

/// The tags that are looked at.
mod tag {
    pub(super) const KIND: u16 = 254;
    pub(super) const OLD_KIND: u16 = 255;
    pub(super) const WIDTH: u16 = 256;
    pub(super) const HEIGHT: u16 = 257;
    pub(super) const BITS: u16 = 258;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const MEANING: u16 = 262;
    pub(super) const FILL_ORDER: u16 = 266;
    pub(super) const DESCRIPTION: u16 = 270;
    pub(super) const OFFSETS: u16 = 273;
    pub(super) const SAMPLES: u16 = 277;
    pub(super) const ROWS_PER_STRIP: u16 = 278;
    pub(super) const COUNTS: u16 = 279;
    pub(super) const PLANAR: u16 = 284;
    pub(super) const PREDICTOR: u16 = 317;
    pub(super) const TILE_WIDTH: u16 = 322;
    pub(super) const TILE_HEIGHT: u16 = 323;
    pub(super) const TILE_OFFSETS: u16 = 324;
    pub(super) const TILE_COUNTS: u16 = 325;
    pub(super) const SUB_DIRECTORIES: u16 = 330;
    pub(super) const EXTRA_SAMPLES: u16 = 338;
    pub(super) const FORMAT: u16 = 339;
    pub(super) const SUBSAMPLING: u16 = 530;
    /// What GDAL notes of an image and its bands, as XML.
    pub(super) const GDAL_METADATA: u16 = 42_112;
    pub(super) const GDAL_NODATA: u16 = 42_113;
    /// In GeoTIFF: scale, tie points, transformation, keys and their parameters.
    pub(super) const GEO: [u16; 6] = [33_550, 33_922, 34_264, 34_735, 34_736, 34_737];
}

/// Opens a band, numbered from 1; without a number the only one. The bands of
/// a file of several pages are those of the first, then those of the second,
/// and so on; reduced copies of a page do not count.
pub(super) fn open(input: &Input<'_>) -> Result<Array, DataError> {
    let map = input.map()?;
    let file = File::new(input, map.bytes())?;
    let (pages, reduced) = pages(input, &file)?;
    let count = pages.iter().fold(0usize, |sum, page| sum.saturating_add(page.bands()));
    let mut band = input.choose_number("band", count)?;
    let mut place = 0;
    while band >= pages[place].bands() {
        band -= pages[place].bands();
        place += 1;
    }
    let page = &pages[place];
    let directory = &page.directory;
    refuse_colours(input, directory)?;
    let image = Image::of(input, &map, directory, band % page.samples)?;
    let image =
        image.further(band / page.samples)?.filter(|image| page.slices == 1 || image.is_one_of_many());
    let image = image.ok_or_else(|| {
        let found =
            format!("one directory stands for {} images, which are compressed or in tiles", page.slices);
        input.unsupported(found, "save them as pages, with ImageJ's or tifffile's writer")
    })?;
    image.check_claims()?;

    let mut notes: Vec<Note> = reduced.into_iter().collect();
    notes.extend(image.has_no_sizes().then_some(Note::SizesCalculated));
    let band = Band { image: &image, number: band + 1, is_of_first_page: place == 0 };
    let beside = if band.is_of_first_page { sidecar::Notes::of(input, &mut notes)? } else { None };
    let own = directory.text(tag::GDAL_NODATA)?.and_then(|text| nodata(&text));
    let own = own.map(|own| own.of_elements(image.element));
    // GDAL lets what is beside the image replace what is in it.
    let elsewhere = beside.as_ref().and_then(|beside| {
        Some((beside.nodata(band.number)?.of_elements(image.element), beside.name.clone()))
    });
    if let Some((nodata, file)) = &elsewhere {
        let file = file.clone();
        notes.extend(nodata.shown().map(|value| Note::NodataBeside { value, file }));
    }
    let nodata = elsewhere.map(|(nodata, _)| nodata).or(own);

    let excluded = markers::in_place_of_nodata(input, &map, page, beside.as_ref(), &band, &mut notes)?;
    let is_masked = excluded.is_some();
    let excluded = match &nodata {
        _ if is_masked => excluded,
        Some(NodataAttribute::Unclear { .. } | NodataAttribute::Whole(_)) => None,
        Some(NodataAttribute::Number(value)) if scan::is_in_range(*value, image.element) => None,
        _ => markers::transparent(input, &map, page, &band, &mut notes)?,
    };
    let matrix = match image.mapped()? {
        Some(matrix) => matrix,
        None => with_element!(image.element, E => {
            let sparse = match &nodata {
                Some(NodataAttribute::Number(value)) => from_f64(image.element, *value),
                Some(NodataAttribute::Whole(value)) => from_whole(image.element, *value),
                _ => <E as bytemuck::Zeroable>::zeroed(),
            };
            image.matrix::<E>(sparse)
        })?,
    };
    let matrix = match excluded {
        Some((by, nulls)) => {
            let unused = nodata.as_ref().filter(|_| is_masked).and_then(NodataAttribute::shown);
            notes.push(Note::Masked { by, is_alpha: !is_masked, count: nulls.count(), unused });
            matrix.with_nulls(nulls)
        }
        None => matrix,
    };
    notes.extend(directory.text(tag::GDAL_METADATA)?.and_then(|text| scaling(&text, band.number - 1)));
    let matrix = if count > 1 { matrix.keyed(input.key.unwrap_or("1")) } else { matrix };
    // A mask decides alone; the value is still the one to write for nothing.
    let matrix = if is_masked { matrix.with_fill(nodata.as_ref()) } else { matrix.with_nodata(nodata) };
    Ok(matrix.noted(notes).compared_as_gdal_does().located(georeference(directory)?))
}

/// What the tag says that GDAL puts into its images: a text, which ends with a
/// NUL or a line end, and says nothing if it is empty.
fn nodata(text: &str) -> Option<NodataAttribute> {
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    Some(text).filter(|text| !text.is_empty()).map(|text| NodataAttribute::of_image("GDAL_NODATA tag", text))
}

fn georeference(directory: &Directory<'_>) -> Result<Option<Georeference>, DataError> {
    let mut geo = Vec::new();
    for tag in tag::GEO {
        let Some(field) = directory.find(tag)? else { continue };
        let value = match tag {
            34_735 => field.shorts().map(GeoValue::Shorts),
            34_737 => directory.text(tag)?.map(GeoValue::Text),
            _ => field.doubles().map(GeoValue::Doubles),
        };
        geo.extend(value.map(|value| (tag, value)));
    }
    Ok(Some(Georeference(geo)).filter(|geo| !geo.0.is_empty()))
}

/// That GDAL's notes have a scale or an offset for a band, which is not applied.
fn scaling(notes: &str, band: usize) -> Option<Note> {
    let of_band = |item: &&str| item.contains(&format!("sample=\"{band}\"")) || !item.contains("sample=\"");
    let number = |role: &str, usual: f64| {
        let items = notes.split("<Item ").skip(1).filter(of_band);
        let (_, rest) =
            items.filter_map(|item| item.split_once('>')).find(|(head, _)| head.contains(role))?;
        rest.split('<').next()?.trim().parse().ok().filter(|number: &f64| (number - usual).abs() > 0.0)
    };
    let (scale, offset) = (number("role=\"scale\"", 1.0), number("role=\"offset\"", 0.0));
    let (scale, offset) =
        if scale.or(offset).is_some() { (scale.unwrap_or(1.0), offset.unwrap_or(0.0)) } else { return None };
    Some(Note::NotScaled { scale, offset })
}

/// Refuses samples that are no numbers of their own.
fn refuse_colours(input: &Input<'_>, directory: &Directory<'_>) -> Result<(), DataError> {
    const PALETTE: u64 = 3;
    const YCBCR: u64 = 6;
    const LAB: u64 = 8;
    const JPEG: [Option<u64>; 2] = [Some(6), Some(7)];
    let found = match directory.number(tag::MEANING)? {
        Some(PALETTE) => {
            let found = "its pixels are numbers of colours".to_owned();
            return Err(input.unsupported(
                found,
                "for the colours convert it with gdal_translate -expand rgb, for the numbers themselves with \
                 gdal_translate -co PHOTOMETRIC=MINISBLACK",
            ));
        }
        Some(LAB) => "its colours are L*a*b*, of which some are signed numbers",
        Some(YCBCR) => {
            let halved = directory.find(tag::SUBSAMPLING)?;
            // The usual is half the width and half the height. Of JPEG the error
            // says more.
            let is_whole = halved.is_some_and(|by| (by.whole(0), by.whole(1)) == (Some(1), Some(1)));
            if is_whole || JPEG.contains(&directory.number(tag::COMPRESSION)?) {
                return Ok(());
            }
            "its colours are YCbCr, of fewer pixels than its brightness"
        }
        None => "it does not say its photometric interpretation",
        _ => return Ok(()),
    };
    Err(input.unsupported(found.to_owned(), "convert it to greyscale or RGB"))
}

/// What a method of compression is called.
fn compression_name(method: u64) -> String {
    let name = match method {
        2 => "CCITT Huffman",
        3 => "CCITT Group 3",
        4 => "CCITT Group 4",
        6 => "old-style JPEG",
        7 => "JPEG",
        9 | 10 | 34_661 => "JBIG",
        22_610 | 34_934 => "JPEG XR",
        32_809 => "ThunderScan",
        33_003..=33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGILog",
        34_887 => "LERC",
        34_892 => "lossy JPEG",
        34_925 => "LZMA",
        34_926 => "Zstandard by an old number",
        34_933 => "PNG",
        50_001 => "WebP",
        50_002 | 52_546 => "JPEG XL",
        other => return format!("method {other}"),
    };
    name.to_owned()
}

/// A value as an element of the type `E`, which must be as long.
fn cast<E: Element>(value: impl bytemuck::Pod) -> E {
    bytemuck::pod_read_unaligned(bytemuck::bytes_of(&value))
}

/// A whole number of 64 bits as an element of the type `E`, which must be
/// `element`.
#[expect(clippy::cast_precision_loss, reason = "only whole numbers of 64 bits have more digits than f64")]
fn from_whole<E: Element>(element: ElementType, value: i128) -> E {
    match element {
        ElementType::I64 => cast(i64::try_from(value).unwrap_or_default()),
        ElementType::U64 => cast(u64::try_from(value).unwrap_or_default()),
        other => from_f64(other, value as f64),
    }
}

/// A number as an element of the type `E`, which must be `element`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a value that an image says stands for nothing is one its pixels can have"
)]
fn from_f64<E: Element>(element: ElementType, value: f64) -> E {
    match element {
        ElementType::Bool => cast(u8::from(value != 0.0)),
        ElementType::U8 => cast(value as u8),
        ElementType::I8 => cast(value as i8),
        ElementType::U16 => cast(value as u16),
        ElementType::I16 => cast(value as i16),
        ElementType::U32 => cast(value as u32),
        ElementType::I32 => cast(value as i32),
        ElementType::U64 => cast(value as u64),
        ElementType::I64 => cast(value as i64),
        ElementType::F16 => cast(half::f16::from_f64(value)),
        ElementType::Bf16 => cast(half::bf16::from_f64(value)),
        ElementType::F32 => cast(value as f32),
        ElementType::F64 => cast(value),
    }
}
