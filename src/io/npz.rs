//! Arrays of NumPy's `.npz` files: zip archives of `.npy` files. An array that
//! is stored as it is gets mapped, a compressed one is decoded. All of it must
//! have the checksum that the archive has for it: a compressed one while it is
//! decoded, a mapped one during the first pass ([`Checked`]).

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::read::ZipFile;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::checked::Checked;
use super::fits_plan::{COUNT, FitsPlan, Keys};
use super::input::Input;
use super::listing::Listed;
use super::npy;
use super::output::OutputFile;
use super::writer::{ArrayWriter, NAME, ResultPlan};
use crate::array::error::{Shown, excerpt, reason, shown};
use crate::array::spool::Spool;
use crate::array::{Array, DataError, ElementType, LabelNames, Layout, Order, Shape};
use crate::with_element;

const SAVE: &str = "save it with numpy.savez or numpy.savez_compressed";

/// Bytes that are decoded before they are spooled.
const CHUNK_BYTES: usize = 1 << 18;

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
            stored(input, name, start, member.size(), member.crc32())?
        }
        (CompressionMethod::Stored | CompressionMethod::Deflated, _) => decoded(input, name, &mut member)?,
        (method, _) => return Err(input.unsupported(format!("its arrays are packed by {method}"), SAVE)),
    };
    let array = array.keyed(name);
    // No pass reads one without elements.
    if array.is_empty() {
        array.check_intact()?;
    }
    Ok(array)
}

/// The arrays of an archive.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    let file = BufReader::with_capacity(CHUNK_BYTES, input.clone_file()?);
    let mut archive = ZipArchive::new(file).map_err(|e| failed(input, &e))?;
    let mut all = Vec::new();
    for k in 0..archive.len() {
        let mut member = archive.by_index(k).map_err(|e| failed(input, &e))?;
        let method = member.compression();
        let Some(name) = member.name().ok().and_then(|name| name.strip_suffix(".npy").map(str::to_owned))
        else {
            continue;
        };
        let mut head = Vec::new();
        let longest = npy::MAX_HEADER_BYTES as u64 + 12;
        let read = member.by_ref().take(longest).read_to_end(&mut head);
        let layout = read.map_err(|e| damaged(input, &name, &e.to_string()));
        let listed = match layout.and_then(|_| npy::layout(input.path, &head)) {
            Ok(layout) => Listed::decoded(name, Some(layout.shape), layout.element.name()),
            Err(error) => Listed::unread(name, error.to_string()),
        };
        let is_mapped = method == CompressionMethod::Stored && listed.shape.is_some();
        let compression = (method != CompressionMethod::Stored).then(|| method.to_string());
        all.push(Listed { is_mapped, ..listed.compressed(compression) });
    }
    Ok(all)
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

/// The error of an array whose bytes are not what they were.
fn damaged(input: &Input<'_>, name: &str, fault: &str) -> DataError {
    let name = excerpt(name);
    input.invalid(".npz", &reason(&format!("its array {name} is damaged: {fault}; copy or write it again")))
}

/// Maps an array that is in the archive as it is, of so many bytes with this
/// checksum.
fn stored(
    input: &Input<'_>,
    name: &str,
    start: u64,
    claimed_bytes: u64,
    sum: u32,
) -> Result<Array, DataError> {
    let map = input.map()?;
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let rest = map.bytes().get(start..).unwrap_or_default();
    let member = &rest[..rest.len().min(usize::try_from(claimed_bytes).unwrap_or(usize::MAX))];
    let mut layout = npy::layout(input.path, member)?;
    check_size(input, &layout, claimed_bytes)?;
    layout.offset += start;
    let range = start..start + member.len();
    let label = format!("{}:{}", shown(input.path), Shown::name(name));
    let checked = Checked::new(map, label, range, sum);
    Array::new(shown(input.path).to_string(), Arc::new(checked), layout)
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

/// Writes an archive with an array for each number of many fits, and one that says what
/// numbers them: `axis` and `tile` as they were asked for, or the labels, `groups`.
pub(super) fn write_fits(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    const FITS: usize = 1 << 16;
    let failed = |e: io::Error| DataError::write(path, e);
    let mut archive = ZipWriter::new_stream(OutputFile::create(path)?);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let wholes = |values: &[u64]| -> (ElementType, Vec<u8>) {
        (ElementType::U64, bytemuck::cast_slice(values).to_vec())
    };
    let (name, (element, bytes), shape) = match plan.keys {
        Keys::Along(axes) | Keys::Numbering(axes) => {
            let axes: Vec<u64> = axes.iter().map(|&axis| axis as u64).collect();
            let name = if matches!(plan.keys, Keys::Along(_)) { "axis" } else { "numbering" };
            (name, wholes(&axes), axes.len())
        }
        Keys::Tiles { rows, columns } => ("tile", wholes(&[*rows, *columns]), 2),
        Keys::Labels(names) => ("groups", label_bytes(path, names)?, names.len()),
    };
    archive.start_file(format!("{name}.npy"), options).map_err(|e| failed(e.into()))?;
    archive.write_all(&npy::header(path, &Shape(vec![shape as u64]), element, Order::C)?).map_err(failed)?;
    archive.write_all(&bytes).map_err(failed)?;
    for (column, name) in plan.names.iter().enumerate() {
        let element = if column == COUNT { ElementType::I64 } else { ElementType::F64 };
        archive.start_file(format!("{name}.npy"), options).map_err(|e| failed(e.into()))?;
        archive.write_all(&npy::header(path, plan.shape, element, Order::C)?).map_err(failed)?;
        for first in (0..plan.count).step_by(FITS) {
            let bytes = plan.bytes(column, first..plan.count.min(first + FITS));
            archive.write_all(&bytes).map_err(failed)?;
        }
    }
    let file = archive.finish().map_err(|e| failed(e.into()))?;
    file.into_inner().finish()
}

/// Labels as elements.
pub(super) fn label_bytes(path: &Path, names: &LabelNames) -> Result<(ElementType, Vec<u8>), DataError> {
    let LabelNames::Whole(labels) = names else {
        return Err(DataError::FitsOutput {
            path: path.to_owned(),
            reason: "the labels are text, which it does not hold",
            formats: ".parquet, .arrow, .csv or .json",
        });
    };
    if let Ok(signed) = labels.iter().map(|&label| i64::try_from(label)).collect::<Result<Vec<i64>, _>>() {
        return Ok((ElementType::I64, bytemuck::cast_slice(&signed).to_vec()));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "labels of 64 bits")]
    let unsigned: Vec<u64> = labels.iter().map(|&label| label as u64).collect();
    Ok((ElementType::U64, bytemuck::cast_slice(&unsigned).to_vec()))
}
