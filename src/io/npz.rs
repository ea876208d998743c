//! Arrays of NumPy's `.npz` files: zip archives of `.npy` files. One stored
//! as it is is mapped, one that is compressed is decoded. Either way all of it
//! must have the checksum that the archive has for it.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crc32fast::Hasher;
use rayon::prelude::*;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::input::Input;
use super::npy;
use super::output::OutputFile;
use super::writer::{ArrayWriter, NAME, ResultPlan};
use crate::array::error::{excerpt, reason};
use crate::array::mapping::Mapping;
use crate::array::spool::Spool;
use crate::array::{Array, DataError, Layout};
use crate::with_element;

const SAVE: &str = "save it with numpy.savez or numpy.savez_compressed";

/// Bytes that are decoded before they are spooled.
const CHUNK_BYTES: usize = 1 << 18;

/// Bytes whose checksum a thread computes at a time.
const SUM_BYTES: usize = 1 << 22;

/// Opens an array; without a key the only one.
pub(super) fn open(input: &Input<'_>) -> Result<Array, DataError> {
    let file = BufReader::with_capacity(CHUNK_BYTES, input.clone_file()?);
    let mut archive = ZipArchive::new(file).map_err(|e| failed(input, &e))?;
    let mut members = Vec::new();
    for member in archive.file_names() {
        members.push(member.map_err(|e| failed(input, &e))?.into_owned());
    }
    // Like numpy.load: arrays go by their names without .npy.
    let names: Vec<String> =
        members.iter().filter_map(|member| member.strip_suffix(".npy")).map(str::to_owned).collect();
    let name = &names[input.choose("array", &names)?];
    let mut member = archive.by_name(&format!("{name}.npy")).map_err(|e| failed(input, &e))?;
    if member.encrypted() {
        return Err(input.unsupported("its arrays are encrypted".to_owned(), SAVE));
    }
    let array = match (member.compression(), member.data_start()) {
        (CompressionMethod::Stored, Some(start)) => {
            stored(input, start, &Claims { name, bytes: member.size(), sum: member.crc32() })?
        }
        (CompressionMethod::Stored | CompressionMethod::Deflated, _) => decoded(input, name, &mut member)?,
        (method, _) => return Err(input.unsupported(format!("its arrays are packed by {method}"), SAVE)),
    };
    Ok(array.keyed(name))
}

fn failed(input: &Input<'_>, error: &ZipError) -> DataError {
    match error {
        ZipError::Io(e) if e.kind() != io::ErrorKind::UnexpectedEof => {
            input.invalid(".npz", &reason(&e.to_string()))
        }
        ZipError::UnsupportedArchive(what) => input.unsupported((*what).to_owned(), SAVE),
        e => input.invalid(".npz", &reason(&e.to_string())),
    }
}

/// The claims of the archive's directory about a member.
struct Claims<'n> {
    name: &'n str,
    bytes: u64,
    sum: u32,
}

/// The error of an array whose bytes are not what they were.
fn damaged(input: &Input<'_>, name: &str, fault: &str) -> DataError {
    let name = excerpt(name);
    input.invalid(".npz", &reason(&format!("its array {name} is damaged: {fault}; copy or write it again")))
}

/// Maps an array that is in the archive as it is.
fn stored(input: &Input<'_>, start: u64, claims: &Claims<'_>) -> Result<Array, DataError> {
    let bytes = claims.bytes;
    let map = input.map()?;
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let rest = map.bytes().get(start..).unwrap_or_default();
    let member = &rest[..rest.len().min(usize::try_from(bytes).unwrap_or(usize::MAX))];
    let mut layout = npy::layout(input.path, member)?;
    check_size(input, &layout, bytes)?;
    layout.offset += start;
    let range = start..start + member.len();
    if sum(&map, range, bytes > input.memory_bytes) != claims.sum {
        return Err(if map.is_intact() {
            damaged(input, claims.name, "its checksum is not the archive's")
        } else {
            DataError::Shrunk { path: input.path.to_owned() }
        });
    }
    input.array(map, layout)
}

/// The CRC-32 of a range of a file, which is released as it is read if it shall
/// not stay in memory. The sums of its parts add up to that of the whole, so
/// that all threads compute it.
fn sum(map: &Mapping, range: Range<usize>, release: bool) -> u32 {
    let starts: Vec<usize> = range.clone().step_by(SUM_BYTES).collect();
    let parts: Vec<Hasher> = starts
        .into_par_iter()
        .map(|start| {
            let part = start..range.end.min(start + SUM_BYTES);
            let mut hasher = Hasher::new();
            hasher.update(&map.bytes()[part.clone()]);
            if release {
                map.release(part);
            }
            hasher
        })
        .collect();
    let mut whole = Hasher::new();
    parts.iter().for_each(|part| whole.combine(part));
    whole.finalize()
}

/// Decodes an array to memory or to a temporary file.
fn decoded(
    input: &Input<'_>,
    name: &str,
    member: &mut ZipFile<'_, BufReader<File>>,
) -> Result<Array, DataError> {
    let read = |e: &io::Error| damaged(input, name, &e.to_string());
    let claimed_bytes = member.size();
    let mut head = Vec::new();
    let longest = npy::MAX_HEADER_BYTES as u64 + 12;
    member.by_ref().take(longest).read_to_end(&mut head).map_err(|e| read(&e))?;
    let mut layout = npy::layout(input.path, &head)?;
    check_size(input, &layout, claimed_bytes)?;
    let mut read_bytes = layout.offset as u64;
    let rest = head.split_off(layout.offset);
    layout.offset = 0;
    with_element!(layout.element, E => {
        let mut spool = Spool::<E>::new(input.path, input.memory_bytes);
        let mut data = rest.chain(member);
        let mut chunk = vec![<E as bytemuck::Zeroable>::zeroed(); CHUNK_BYTES / size_of::<E>()];
        loop {
            // One more read than there are elements, which checks the sum.
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut chunk);
            let filled = fill(&mut data, bytes).map_err(|e| read(&e))?;
            read_bytes += filled as u64;
            if read_bytes > claimed_bytes {
                let fault = format!("it has more than the {claimed_bytes} bytes that the archive claims");
                return Err(damaged(input, name, &fault));
            }
            spool.append(&chunk[..filled / size_of::<E>()])?;
            if filled < CHUNK_BYTES {
                break spool.finish_as(layout);
            }
        }
    })
}

/// Reads until a buffer is full or there is no more.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// An array may not reach beyond its member of the archive.
fn check_size(input: &Input<'_>, layout: &Layout, member_bytes: u64) -> Result<(), DataError> {
    let found_bytes = member_bytes.saturating_sub(layout.offset as u64);
    let expected = layout.shape.elements().and_then(|n| n.checked_mul(layout.element.size() as u64));
    match expected {
        // A shape that cannot be counted is the array's to refuse.
        Some(expected_bytes) if expected_bytes > found_bytes => {
            Err(DataError::Truncated { path: input.path.to_owned(), expected_bytes, found_bytes })
        }
        _ => Ok(()),
    }
}

/// Writes an archive with one array, as it is.
pub(super) struct Writer {
    archive: ZipWriter<StreamWriter<OutputFile>>,
    path: PathBuf,
}

impl Writer {
    pub(super) fn create(path: &Path, plan: &ResultPlan<'_>) -> Result<Self, DataError> {
        let &ResultPlan { shape, element, order, .. } = plan;
        let failed = |e: io::Error| DataError::write(path, e);
        let header = npy::header(path, shape, element, order)?;
        let mut archive = ZipWriter::new_stream(OutputFile::create(path)?);
        let bytes = shape.elements().unwrap_or(u64::MAX).saturating_mul(element.size() as u64);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            // Zip's own 4 GiB, less room for the header.
            .large_file(bytes > u64::from(u32::MAX) - (1 << 20));
        archive.start_file(format!("{NAME}.npy"), options).map_err(|e| failed(e.into()))?;
        archive.write_all(&header).map_err(failed)?;
        Ok(Self { archive, path: path.to_owned() })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        self.archive.write_all(elements)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        let file = self.archive.finish().map_err(|e| DataError::write(&self.path, e.into()))?;
        file.into_inner().finish()
    }
}
