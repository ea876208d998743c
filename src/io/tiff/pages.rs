//! The pages among a file's directories, and the masks of them.

use super::directory::{Directory, File, KIND};
use super::{samples, tag};
use crate::array::DataError;
use crate::io::input::Input;
use crate::io::note::Note;

/// A page that is neither a reduced copy of another nor a mask.
pub(super) struct Page<'a> {
    pub(super) directory: Directory<'a>,
    /// Samples of a pixel.
    pub(super) samples: usize,
    /// Images that follow one another where its directory says that one is.
    pub(super) slices: usize,
    /// The directory of its mask.
    pub(super) mask: Option<Directory<'a>>,
}

impl Page<'_> {
    pub(super) fn bands(&self) -> usize {
        self.samples.saturating_mul(self.slices)
    }
}

/// The bits of NewSubfileType.
const REDUCED: u64 = 0b001;
const MASK: u64 = 0b100;

/// The kind of image that a directory says it is.
fn kind(directory: &Directory<'_>) -> Result<u64, DataError> {
    /// The values of the older tag.
    const OLD_REDUCED: u64 = 2;
    if let Some(kind) = directory.number(tag::KIND)? {
        return Ok(kind);
    }
    Ok(if directory.number(tag::OLD_KIND)? == Some(OLD_REDUCED) { REDUCED } else { 0 })
}

/// Whether a directory says that its image is a reduced copy of another one.
pub(super) fn is_reduced(directory: &Directory<'_>) -> Result<bool, DataError> {
    Ok(kind(directory)? & (REDUCED | MASK) == REDUCED)
}

/// The pages of a file, and a note on how they were found. A mask
/// belongs to the page before it, as GDAL and those who write cloud-optimised
/// files have it.
pub(super) fn pages<'a>(
    input: &Input<'_>,
    file: &File<'a>,
) -> Result<(Vec<Page<'a>>, Option<Note>), DataError> {
    let directories = file.directories()?;
    let mut pages: Vec<Page<'a>> = Vec::new();
    for (place, &directory) in directories.iter().enumerate() {
        let kind = kind(&directory)?;
        match pages.last_mut() {
            Some(page) if kind & (MASK | REDUCED) == MASK => {
                if page.mask.replace(directory).is_some() {
                    let found = "it has several masks for one page".to_owned();
                    return Err(DataError::UnsupportedMask { path: input.path.to_owned(), found });
                }
            }
            _ if kind & REDUCED != 0 => {}
            // The mask of a reduced copy that comes first, of which none is read.
            None if kind & MASK != 0 && place > 0 => {}
            _ => pages.push(page(directory)?),
        }
    }
    let mut note = None;
    if kind(&directories[0])? & REDUCED != 0 {
        if pages.is_empty() {
            pages = beneath(file, &directories[0])?;
        }
        note = Some(if pages.is_empty() { Note::OnlyReduced } else { Note::ReducedFirst });
        if pages.is_empty() {
            pages.push(page(directories[0])?);
        }
    }
    if let ([page], 1) = (&mut pages[..], directories.len()) {
        page.slices = slices(&page.directory, page.samples)?;
        if page.slices > 1 && page.bands() as u64 > file.bytes.len() as u64 {
            return Err(input.invalid(KIND, "it has fewer images than it says; it is truncated or damaged"));
        }
    }
    Ok((pages, note))
}

fn page(directory: Directory<'_>) -> Result<Page<'_>, DataError> {
    Ok(Page { directory, samples: samples::count(&directory)?, slices: 1, mask: None })
}

/// The images that a directory points to that are no reduced copies.
fn beneath<'a>(file: &File<'a>, directory: &Directory<'a>) -> Result<Vec<Page<'a>>, DataError> {
    /// More than any camera or microscope writes.
    const MOST: u64 = 1 << 16;
    let mut pages = Vec::new();
    let Some(places) = directory.find(tag::SUB_DIRECTORIES)? else { return Ok(pages) };
    for place in (0..places.count.min(MOST)).filter_map(|k| places.whole(k)) {
        let directory = file.directory(place)?;
        if kind(&directory)? & (REDUCED | MASK) == 0 {
            pages.push(page(directory)?);
        }
    }
    Ok(pages)
}

/// The number of images in a file of a single directory: ImageJ, for large
/// stacks, and tifffile, if asked to, describe but the first, and say how many
/// follow it.
fn slices(directory: &Directory<'_>, samples: usize) -> Result<usize, DataError> {
    let (width, height) = (directory.number(tag::WIDTH)?, directory.number(tag::HEIGHT)?);
    let text = directory.text(tag::DESCRIPTION)?.unwrap_or_default();
    let images = if text.starts_with("ImageJ=") {
        text.lines().find_map(|line| line.strip_prefix("images=")?.trim().parse().ok())
    } else {
        let of_one = width.zip(height).and_then(|(width, height)| width.checked_mul(height));
        let of_one = of_one.and_then(|pixels| pixels.checked_mul(samples as u64));
        of_one.and_then(|of_one| Some(truncated_elements(&text)? / of_one.max(1)))
    };
    Ok(images.and_then(|images: u64| usize::try_from(images).ok()).unwrap_or(1).max(1))
}

/// The number of elements of an array of which tifffile says that its directories
/// are not all there.
fn truncated_elements(text: &str) -> Option<u64> {
    let notes: serde_json::Value = serde_json::from_str(text.trim_end_matches('\0')).ok()?;
    if notes.get("truncated")?.as_bool()? {
        let extents = notes.get("shape")?.as_array()?;
        extents.iter().try_fold(1u64, |product, extent| product.checked_mul(extent.as_u64()?))
    } else {
        None
    }
}
