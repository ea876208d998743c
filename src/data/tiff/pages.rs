//! Which of a file's directories are pages, and which are masks of them.

use std::io::BufReader;

use ::tiff::TiffResult;
use ::tiff::decoder::Decoder;
use ::tiff::tags::Tag;

use super::super::DataError;
use super::super::source::Input;
use super::bands::Bands;
use super::{KIND, failed};

/// A page that is neither a reduced copy of another nor a mask.
pub(super) struct Page {
    /// Its place among all directories.
    pub(super) number: usize,
    /// Samples of a pixel.
    pub(super) samples: usize,
    /// Images that follow one another where its directory says that one is.
    pub(super) slices: usize,
    /// The directory of its mask.
    pub(super) mask: Option<usize>,
}

impl Page {
    pub(super) fn bands(&self) -> usize {
        self.samples.saturating_mul(self.slices)
    }
}

/// The pages of a file. A mask belongs to the page before it, as GDAL and those
/// who write cloud-optimised files have it.
pub(super) fn pages(
    input: &Input<'_>,
    decoder: &mut Decoder<BufReader<Bands>>,
) -> Result<Vec<Page>, DataError> {
    const REDUCED: u32 = 0b001;
    const MASK: u32 = 0b100;
    let failed = |e| failed(input, e);
    let mut pages: Vec<Page> = Vec::new();
    let mut directories = 0;
    loop {
        let kind: u32 = decoder.find_tag_unsigned(Tag::NewSubfileType).map_err(failed)?.unwrap_or(0);
        match pages.last_mut() {
            Some(page) if kind & (MASK | REDUCED) == MASK => {
                if page.mask.replace(directories).is_some() {
                    let found = "it has several masks for one page".to_owned();
                    return Err(
                        input.unsupported(found, "save its bands and a mask as files, and give --mask")
                    );
                }
            }
            Some(_) if kind & REDUCED != 0 => {}
            _ => {
                let samples: Option<u16> = decoder.find_tag_unsigned(Tag::SamplesPerPixel).map_err(failed)?;
                let samples = usize::from(samples.unwrap_or(1));
                pages.push(Page { number: directories, samples, slices: 1, mask: None });
            }
        }
        directories += 1;
        if !decoder.more_images() {
            break;
        }
        decoder.next_image().map_err(failed)?;
    }
    if let ([page], 1) = (&mut pages[..], directories) {
        page.slices = slices(decoder, page.samples).map_err(failed)?;
        let file_bytes = input.file.metadata().map_err(|e| DataError::io(input.path, e))?.len();
        if page.bands() as u64 > file_bytes {
            return Err(input.invalid(KIND, "it has fewer images than it says; it is truncated or damaged"));
        }
    }
    Ok(pages)
}

/// How many images there are in a file of a single directory: ImageJ, for large
/// stacks, and tifffile, if asked to, describe but the first, and say how many
/// follow it.
fn slices(decoder: &mut Decoder<BufReader<Bands>>, samples: usize) -> TiffResult<usize> {
    let (width, height) = decoder.dimensions()?;
    let text = decoder.find_tag(Tag::ImageDescription)?.and_then(|text| text.into_string().ok());
    let text = text.unwrap_or_default();
    let images = if text.starts_with("ImageJ=") {
        text.lines().find_map(|line| line.strip_prefix("images=")?.trim().parse().ok())
    } else {
        let pixel_count = u64::from(width) * u64::from(height);
        pixel_count
            .checked_mul(samples as u64)
            .and_then(|of_one| Some(truncated_elements(&text)? / of_one.max(1)))
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
