//! The start of an image of predictions, stored as X's image is.

use std::io::{self, Write};
use std::path::Path;

use super::compression::Compression;
use super::directory::KIND;
use super::image::MOST_BLOCK_BYTES;
use super::output::{Output, Storage};
use super::packing::Predictor;
use super::writer::Writer;
use crate::array::DataError;
use crate::io::image_profile::ImageProfile;
use crate::io::note::Note;
use crate::io::output::OutputFile;
use crate::io::writer::{ResultFile, ResultPlan};

/// Starts an image of predictions: stored as X's file is, if that is a TIFF.
pub(in super::super) fn create(path: &Path, plan: &ResultPlan<'_>) -> Result<ResultFile, DataError> {
    let &ResultPlan { shape, metadata, element, nodata, .. } = plan;
    let misfit =
        || DataError::OutputShape { path: path.to_owned(), kind: KIND, element, shape: shape.clone() };
    // Bands are the first of three axes.
    let (bands, height, width) = match shape.0[..] {
        [height, width] => (1, height, width),
        [bands, height, width] => (bands, height, width),
        _ => return Err(misfit()),
    };
    let bands = u16::try_from(bands).ok().filter(|&bands| bands > 0).ok_or_else(misfit)?;
    let (Ok(height), Ok(width)) = (u32::try_from(height), u32::try_from(width)) else { return Err(misfit()) };
    if width == 0 || height == 0 {
        return Err(misfit());
    }
    let file = OutputFile::create(path)?;
    let profile = metadata.profile();
    let mut notes: Vec<Note> =
        profile.filter(|profile| profile.has_overviews).map(|_| Note::OverviewsDropped).into_iter().collect();
    let storage = storage(plan, [width, height], bands, file.is_regular(), &mut notes);
    let image = Output {
        georeference: metadata.georeference().cloned(),
        element,
        nodata,
        bands,
        notes: profile.and_then(ImageProfile::notes_of_bands),
        texts: profile.map(|profile| profile.texts.clone()).unwrap_or_default(),
        width,
        height,
        storage,
    };
    if image.is_plain() {
        let head = image.head().map_err(|e| DataError::write(path, io::Error::other(e.to_string())))?;
        let mut file = file;
        file.write_all(&head).map_err(|e| DataError::write(path, e))?;
        return Ok(ResultFile::new(path, shape, element, Box::new(file)).noted(notes));
    }
    let writer = Writer::create(path, file, image, plan.memory_bytes / 4)?;
    Ok(ResultFile::new(path, shape, element, Box::new(writer)).noted(notes))
}

/// The storage of X's file, as far as it fits Y and the memory.
fn storage(
    plan: &ResultPlan<'_>,
    [width, height]: [u32; 2],
    bands: u16,
    can_rewrite: bool,
    notes: &mut Vec<Note>,
) -> Storage {
    let size = plan.element.size() as u64;
    let mut storage = Storage::plain(u64::from(width) * size, height);
    let mut has_predictor = true;
    if let Some(profile) = plan.metadata.profile() {
        storage.compression = profile.compression;
        storage.is_big = profile.is_big;
        storage.is_chunky = profile.is_chunky && bands > 1;
        has_predictor = profile.has_predictor || profile.compression == Compression::None;
        storage.tile = profile.tile.filter(|tile| tile.iter().all(|side| *side > 0 && side % 16 == 0));
        // Plain strips have sizes of their own, which nobody chose.
        if profile.compression != Compression::None && profile.tile.is_none() {
            storage.strip_rows = profile.strip_rows.min(height);
        }
    }
    storage.compression = plan.compression.unwrap_or(storage.compression);
    if storage.compression != Compression::None && !can_rewrite {
        notes.push(Note::NotCompressed);
        storage.compression = Compression::None;
    }
    if has_predictor && storage.compression.has_predictor() {
        storage.predictor =
            if plan.element.is_float() { Predictor::FloatingPoint } else { Predictor::Horizontal };
    }
    let pixel_bytes = size * if storage.is_chunky { u64::from(bands) } else { 1 };
    // Rows of blocks wait in memory until they are whole; a block is encoded in one go.
    let most = (plan.memory_bytes / 8).clamp(1, MOST_BLOCK_BYTES as u64);
    let row_bytes = u64::from(width) * pixel_bytes;
    if let Some([_, rows]) = &mut storage.tile {
        let asked = *rows;
        while u64::from(*rows) * row_bytes > most.max(plan.memory_bytes / 8) && *rows % 32 == 0 {
            *rows /= 2;
        }
        notes.extend((*rows < asked).then_some(Note::BlocksLower { asked, rows: *rows }));
    } else if storage.compression != Compression::None || storage.is_chunky {
        let asked = storage.strip_rows;
        storage.strip_rows = asked.min(u32::try_from(most / row_bytes).unwrap_or(u32::MAX).max(1));
        let rows = storage.strip_rows;
        notes.extend((rows < asked).then_some(Note::BlocksLower { asked, rows }));
    }
    storage
}
