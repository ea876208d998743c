//! How a page of a file is stored, and its texts.

use super::blocks::Blocks;
use super::compression::Compression;
use super::directory::{Directory, File};
use super::pages::is_reduced;
use super::tag;
use crate::array::DataError;
use crate::io::image_profile::ImageProfile;
use crate::io::input::Input;

/// Texts about a whole file: its name, its description, the maker, the times, the owner.
const TEXTS: [u16; 6] =
    [tag::DOCUMENT_NAME, tag::DESCRIPTION, tag::SOFTWARE, tag::DATE_TIME, tag::ARTIST, tag::COPYRIGHT];

/// The storage of a band, which is number `band` of its page.
pub(super) fn profile(
    input: &Input<'_>,
    file: &File<'_>,
    directory: &Directory<'_>,
    band: usize,
) -> Result<ImageProfile, DataError> {
    const PLANAR: u64 = 2;
    let number = |tag| directory.number(tag);
    let extent =
        |tag| Ok::<_, DataError>(number(tag)?.and_then(|extent| u32::try_from(extent).ok()).unwrap_or(1));
    let (width, height) = (extent(tag::WIDTH)?, extent(tag::HEIGHT)?);
    let blocks = Blocks::of(input, directory, width as usize, height as usize)?;
    let side = |extent: usize| u32::try_from(extent).unwrap_or(u32::MAX);
    let compression = number(tag::COMPRESSION)?
        .map_or(Some(Compression::None), Compression::of)
        .unwrap_or(Compression::None);
    let mut texts = Vec::new();
    for tag in TEXTS {
        let text = directory.text(tag)?.filter(|text| !text.is_empty() && !is_of_structure(text));
        texts.extend(text.map(|text| (tag, text)));
    }
    let mut has_overviews = directory.find(tag::SUB_DIRECTORIES)?.is_some() || has_file_of_overviews(input);
    for directory in file.directories()?.iter().skip(1) {
        has_overviews = has_overviews || is_reduced(directory)?;
    }
    Ok(ImageProfile {
        tile: blocks.are_tiles.then(|| [side(blocks.width), side(blocks.height)]),
        strip_rows: side(blocks.height),
        compression,
        has_predictor: compression.has_predictor()
            && number(tag::PREDICTOR)?.is_some_and(|predictor| predictor > 1),
        is_big: file.is_big_tiff(),
        is_chunky: number(tag::PLANAR)? != Some(PLANAR),
        has_overviews,
        texts,
        notes: directory.text(tag::GDAL_METADATA)?,
        bands: vec![band],
    })
}

/// Whether a description says where the pixels are, as ImageJ, tifffile and OME write it:
/// that holds for its own file only.
fn is_of_structure(text: &str) -> bool {
    text.starts_with("ImageJ=") || text.starts_with('{') || text.contains("<OME ")
}

/// Whether GDAL keeps overviews beside the image.
fn has_file_of_overviews(input: &Input<'_>) -> bool {
    let mut name = input.path.as_os_str().to_owned();
    name.push(".ovr");
    std::path::Path::new(&name).is_file()
}
