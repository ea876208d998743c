//! Bands of TIFF, BigTIFF and GeoTIFF images. A band that lies in the file as
//! it is in memory is mapped; others are decoded, strips and tiles on all cores. All samples of a
//! pixel are bands, and their numbers are those that are stored, whatever
//! colours they are meant to be. Pixels that the image's own masks and markers
//! exclude are null.

mod blocks;
mod compression;
mod create;
mod decode;
mod directory;
mod encode;
mod image;
mod lzw;
mod markers;
mod output;
mod packing;
mod pages;
mod profile;
mod samples;
mod tag;
mod whole;
mod writer;

pub(super) use self::create::create;
use self::decode::Wanted;
use self::directory::{Directory, File};
use self::image::Image;
pub(super) use self::markers::mask_beside;
use self::markers::{Band, transparent};
pub(super) use self::output::write_fits;
use self::pages::{Page, pages};
use super::georeference::{GeoValue, Georeference};
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::note::Note;
use super::{nodata, scaling, sidecar, xml};
use crate::array::mapping::Mapping;
use crate::array::nodata::is_in_range;
use crate::array::{Array, Bitmap, DataError, Element, ElementType, Nodata};
use crate::with_element;

/// Opens bands, one for each key: numbered from 1; without a number the only one. The
/// bands of a file of several pages are those of the first, then those of the second,
/// and so on; reduced copies of a page have no numbers.
pub(super) fn open(input: &Input<'_>, keys: &[Option<&str>]) -> Result<Vec<Opened>, DataError> {
    let map = input.map()?;
    let file = File::new(input, map.bytes())?;
    let (pages, reduced) = pages(input, &file)?;
    let inputs: Vec<Input<'_>> = keys.iter().map(|&key| Input { key, ..*input }).collect();
    let mut bands = Vec::with_capacity(keys.len());
    for input in &inputs {
        bands.push(Chosen::new(input, &map, &pages, reduced.as_ref())?);
    }
    let wanted: Vec<Wanted<'_>> = bands.iter().map(Chosen::wanted).collect();
    let arrays = decode::arrays(&wanted)?;
    bands.iter().zip(arrays).map(|(band, array)| band.opened(array)).collect()
}

/// A band that was chosen, with what the file says of it.
struct Chosen<'a> {
    input: &'a Input<'a>,
    directory: &'a Directory<'a>,
    image: Image<'a>,
    /// The place of its page, and its own among that page's bands.
    page: usize,
    band: usize,
    is_only: bool,
    notes: Vec<Note>,
    nodata: Option<Nodata>,
    /// The scale and the offset that are beside the image.
    scaling: [Option<f64>; 2],
    excluded: Option<(String, Bitmap)>,
    /// Whether a mask decides alone which pixels are missing.
    is_masked: bool,
}

impl<'a> Chosen<'a> {
    fn new(
        input: &'a Input<'a>,
        map: &'a Mapping,
        pages: &'a [Page<'a>],
        reduced: Option<&Note>,
    ) -> Result<Self, DataError> {
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
        let image = Image::of(input, map, directory, band % page.samples)?;
        let image =
            image.further(band / page.samples)?.filter(|image| page.slices == 1 || image.is_one_of_many());
        let image = image.ok_or_else(|| {
            let found =
                format!("one directory stands for {} images, which are compressed or in tiles", page.slices);
            input.unsupported(found, "save them as pages, with ImageJ's or tifffile's writer")
        })?;
        image.check_claims()?;

        let mut notes: Vec<Note> = reduced.into_iter().cloned().collect();
        notes.extend(image.has_no_sizes().then_some(Note::SizesCalculated));
        let this = Band { image: &image, number: band + 1, is_of_first_page: place == 0 };
        let beside = if this.is_of_first_page { sidecar::Notes::of(input, &mut notes)? } else { None };
        let of_elements = |found| nodata::of_elements(found, image.element);
        let own = directory.text(tag::GDAL_NODATA)?.and_then(|text| nodata_of(&text)).map(of_elements);
        // GDAL lets what is beside the image replace what is in it.
        let elsewhere = beside
            .as_ref()
            .and_then(|beside| Some((of_elements(beside.nodata(this.number)?), beside.name.clone())));
        if let Some((found, file)) = &elsewhere {
            let file = file.clone();
            notes.extend(nodata::shown(found).map(|value| Note::NodataBeside { value, file }));
        }
        let found = elsewhere.map(|(found, _)| found).or(own);
        let scaling = beside.as_ref().map(|beside| beside.scaling(this.number)).unwrap_or_default();

        let excluded = markers::in_place_of_nodata(input, map, page, beside.as_ref(), &this, &mut notes)?;
        let is_masked = excluded.is_some();
        let excluded = match &found {
            _ if is_masked => excluded,
            Some(Nodata::Unclear { .. } | Nodata::Whole(_)) => None,
            Some(Nodata::Number(value)) if is_in_range(*value, image.element) => None,
            _ => transparent(input, map, page, &this, &mut notes)?,
        };
        let is_only = count == 1;
        Ok(Self {
            input,
            directory,
            image,
            page: place,
            band,
            is_only,
            notes,
            nodata: found,
            scaling,
            excluded,
            is_masked,
        })
    }

    fn wanted(&self) -> Wanted<'_> {
        let sparse = with_element!(self.image.element, E => {
            let sparse = self.nodata.as_ref().and_then(element_of).unwrap_or(<E as bytemuck::Zeroable>::zeroed());
            let mut bytes = [0; decode::MOST_ELEMENT_BYTES];
            bytes[..size_of::<E>()].copy_from_slice(bytemuck::bytes_of::<E>(&sparse));
            bytes
        });
        Wanted { image: &self.image, page: self.page, sparse }
    }

    fn opened(&self, array: Array) -> Result<Opened, DataError> {
        let array = if self.is_only { array } else { array.keyed(self.input.key.unwrap_or("1")) };
        let profile = profile::profile(self.input, self.directory.file(), self.directory, self.band)?;
        let opened = Opened::from(array).compared_as_gdal_does().located(georeference(self.directory)?);
        let mut opened = opened.stored_as(profile);
        let mut notes = self.notes.clone();
        let found = self.nodata.clone();
        if let Some((by, valid)) = &self.excluded {
            let unused = found.as_ref().filter(|_| self.is_masked).and_then(nodata::shown);
            let is_alpha = !self.is_masked;
            notes.push(Note::Masked { by: by.clone(), is_alpha, count: valid.missing(), unused });
            opened = opened.with_nulls(valid.clone());
        }
        let own = self.directory.text(tag::GDAL_METADATA)?.map(|text| scaling_of(&text, self.band));
        let own = own.unwrap_or_default();
        let scaling = scaling::of(self.scaling[0].or(own[0]), self.scaling[1].or(own[1]));
        // A mask decides alone; the value is still the one to write for missing pixels.
        let opened =
            if self.is_masked { opened.with_fill(found.as_ref()) } else { opened.with_nodata(found) };
        Ok(opened.noted(notes).with_scaling(scaling))
    }
}

/// The bands of all pages.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let map = input.map()?;
    let file = File::new(input, map.bytes())?;
    let (pages, _) = pages(input, &file)?;
    let mut all = Vec::new();
    for page in &pages {
        let directory = &page.directory;
        let method = directory.number(tag::COMPRESSION)?.unwrap_or(1);
        let marker = directory.text(tag::GDAL_NODATA)?.and_then(|text| nodata_of(&text));
        let place = georeference(directory)?.map(|place| place.to_string());
        let notes = directory.text(tag::GDAL_METADATA)?;
        for band in 0..page.bands() {
            let key = Some((all.len() + 1).to_string());
            let image = refuse_colours(input, directory)
                .and_then(|()| Image::of(input, &map, directory, band % page.samples));
            let image = match image {
                Ok(image) => image,
                Err(error) => {
                    all.push(Listed::unread(key, error.to_string()));
                    continue;
                }
            };
            let marker = marker.clone().map(|found| nodata::of_elements(found, image.element));
            let [scale, offset] = notes.as_deref().map(|notes| scaling_of(notes, band)).unwrap_or_default();
            let scale = scaling::of(scale, offset).map(scaling::note);
            let masked = page.mask.is_some().then(|| "its mask excludes pixels".to_owned());
            let listed = Listed::decoded(key, Some(image.shape()), image.element.name());
            all.push(Listed {
                place: place.clone(),
                is_mapped: image.mapped().is_ok_and(|mapped| mapped.is_some()),
                remarks: scale.map(|note| note.to_string()).into_iter().chain(masked).collect(),
                ..listed.missing(marker.as_ref()).compressed(compression::label(method))
            });
        }
    }
    Ok(all)
}

/// GDAL's notes on a file's first image.
pub(super) fn gdal_notes(input: &Input<'_>) -> Result<Option<String>, DataError> {
    let map = input.map()?;
    let file = File::new(input, map.bytes())?;
    let (pages, _) = pages(input, &file)?;
    pages.first().map_or(Ok(None), |page| page.directory.text(tag::GDAL_METADATA))
}

/// The nodata value of the tag that GDAL puts into its images: a text, which ends
/// with a NUL or a line end, and says nothing if it is empty.
fn nodata_of(text: &str) -> Option<Nodata> {
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    Some(text).filter(|text| !text.is_empty()).map(|text| nodata::of_image("GDAL_NODATA tag", text))
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

/// The scale and the offset of a band, numbered from 0, in GDAL's notes.
fn scaling_of(notes: &str, band: usize) -> [Option<f64>; 2] {
    let mut found = [None; 2];
    xml::for_each_text(notes, |open, text| {
        let [_, item] = open else { return };
        let is_of_band = item.attribute("sample").is_none_or(|sample| sample.trim().parse() == Ok(band));
        let role = item.attribute("role").filter(|_| is_of_band);
        let place = match role.as_deref() {
            Some("scale") => 0,
            Some("offset") => 1,
            _ => return,
        };
        found[place] = found[place].or(text.trim().parse().ok());
    });
    found
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

/// A nodata value as an element.
fn element_of<E: Element>(nodata: &Nodata) -> Option<E> {
    /// A whole number of 64 bits as an element, which must be as long.
    fn cast<W: bytemuck::Pod, E: Element>(whole: W) -> Option<E> {
        bytemuck::try_pod_read_unaligned(bytemuck::bytes_of(&whole)).ok()
    }
    match (nodata, E::TYPE) {
        (Nodata::Number(value), _) => Some(E::from_f64(*value)),
        (Nodata::Whole(value), ElementType::I64) => cast(i64::try_from(*value).ok()?),
        (Nodata::Whole(value), ElementType::U64) => cast(u64::try_from(*value).ok()?),
        _ => None,
    }
}
