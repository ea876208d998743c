//! Where the parts of a Zarr hierarchy are: files of a folder, or of a zip archive.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use zip::{CompressionMethod, ZipArchive};

use crate::array::DataError;
use crate::array::error::reason;
use crate::array::mapping::Mapping;
use crate::io::input::Input;
use crate::io::read_at::read_exact_at;

/// The kind of file in messages.
pub(super) const KIND: &str = "Zarr";

/// Most bytes of what describes an array.
const MOST_METADATA_BYTES: u64 = 16 << 20;

/// Folders within folders that are looked through.
const MOST_DEPTH: usize = 32;

/// Parts that are looked through.
const MOST_PARTS: usize = 100_000;

/// The parts of a hierarchy, by their paths from its root.
pub(super) enum Store<'a> {
    Folder(PathBuf),
    Archive(ZipArchive<Cursor<&'a [u8]>>),
}

/// A part that was found, of which any bytes can be read.
pub(super) enum Part<'a> {
    File(PathBuf, fs::File, u64),
    /// As it is in the archive.
    Stored(&'a [u8]),
    Unpacked(Vec<u8>),
}

impl<'a> Store<'a> {
    /// The parts of the archive that a file is.
    pub(super) fn archive(input: &Input<'_>, map: &'a Mapping) -> Result<Self, DataError> {
        let archive = ZipArchive::new(Cursor::new(map.bytes()));
        archive.map(Self::Archive).map_err(|e| input.invalid(KIND, &reason(&e.to_string())))
    }

    /// The part of that path; `None` if there is none. An archive's must not take more
    /// than `most` bytes unpacked.
    pub(super) fn part(
        &self,
        input: &Input<'_>,
        path: &str,
        most: u64,
    ) -> Result<Option<Part<'a>>, DataError> {
        match self {
            Self::Folder(root) => {
                let path = root.join(path);
                match fs::File::open(&path) {
                    Ok(file) => {
                        let bytes = file.metadata().map_err(|e| DataError::io(&path, e))?.len();
                        Ok(Some(Part::File(path, file, bytes)))
                    }
                    Err(e)
                        if matches!(
                            e.kind(),
                            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                        ) =>
                    {
                        Ok(None)
                    }
                    Err(e) => Err(DataError::io(&path, e)),
                }
            }
            Self::Archive(archive) => {
                let invalid = |reason_of: &str| {
                    input.invalid(
                        KIND,
                        &reason(&format!("its part {path}: {reason_of}; copy or write it again")),
                    )
                };
                let mut archive = archive.clone();
                let bytes: &'a [u8] = archive.clone().into_inner().into_inner();
                let Some(number) = archive.index_for_name(path) else { return Ok(None) };
                let mut part = archive.by_index(number).map_err(|e| invalid(&e.to_string()))?;
                let size = part.size();
                if part.compression() == CompressionMethod::Stored && !part.encrypted() {
                    let start = part.data_start().and_then(|start| usize::try_from(start).ok());
                    let end = start.and_then(|start| start.checked_add(usize::try_from(size).ok()?));
                    let stored = start.zip(end).and_then(|(start, end)| bytes.get(start..end));
                    let stored = stored.ok_or_else(|| invalid("it is truncated or damaged"))?;
                    if crc32fast::hash(stored) != part.crc32() {
                        return Err(invalid("its checksum is not the one in the file; it is damaged"));
                    }
                    return Ok(Some(Part::Stored(stored)));
                }
                if size > most {
                    return Err(DataError::Claim { path: input.path.to_owned(), what: "part", bytes: size });
                }
                let mut unpacked = Vec::new();
                part.by_ref()
                    .take(size + 1)
                    .read_to_end(&mut unpacked)
                    .map_err(|e| invalid(&e.to_string()))?;
                if unpacked.len() as u64 != size {
                    return Err(invalid("it is damaged"));
                }
                Ok(Some(Part::Unpacked(unpacked)))
            }
        }
    }

    /// The text of a part that describes an array or a group.
    pub(super) fn metadata(&self, input: &Input<'_>, path: &str) -> Result<Option<Vec<u8>>, DataError> {
        let Some(part) = self.part(input, path, MOST_METADATA_BYTES)? else { return Ok(None) };
        if part.len() > MOST_METADATA_BYTES {
            return Err(DataError::Claim {
                path: input.path.to_owned(),
                what: "metadata",
                bytes: part.len(),
            });
        }
        part.all().map(|bytes| Some(bytes.into_owned()))
    }

    /// The paths of the parts that may describe arrays, those of the folders that they
    /// are in.
    pub(super) fn described(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let is_description = |name: &str| matches!(name, ".zarray" | "zarr.json");
        match self {
            Self::Archive(archive) => {
                for path in archive.file_names().take(MOST_PARTS).flatten() {
                    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
                    if is_description(name) {
                        found.insert(folder.to_owned());
                    }
                }
            }
            Self::Folder(root) => {
                let mut folders = vec![(String::new(), 0)];
                let mut seen = 0;
                while let Some((folder, depth)) = folders.pop() {
                    let is_array = root.join(&folder).join(".zarray").exists();
                    if is_array || root.join(&folder).join("zarr.json").exists() {
                        found.insert(folder.clone());
                    }
                    // What an array has in its folder is chunks.
                    if is_array || depth == MOST_DEPTH {
                        continue;
                    }
                    for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
                        seen += 1;
                        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                        if let (true, true, Ok(name)) =
                            (seen < MOST_PARTS, is_folder, entry.file_name().into_string())
                            && !(name == "c" && root.join(&folder).join("zarr.json").exists())
                        {
                            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                            folders.push((path, depth + 1));
                        }
                    }
                }
            }
        }
        found
    }

    /// The bytes of all parts below a path.
    pub(super) fn bytes_below(&self, path: &str) -> u64 {
        match self {
            Self::Archive(archive) => archive.clone().into_inner().into_inner().len() as u64,
            Self::Folder(root) => {
                let (mut bytes, mut seen) = (0, 0);
                let mut folders = vec![root.join(path)];
                while let Some(folder) = folders.pop() {
                    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                        seen += 1;
                        match entry.metadata() {
                            Ok(entry_data) if entry_data.is_dir() && seen < MOST_PARTS => {
                                folders.push(entry.path());
                            }
                            Ok(entry_data) => bytes += entry_data.len(),
                            Err(_) => {}
                        }
                    }
                }
                bytes
            }
        }
    }
}

impl Part<'_> {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File(_, _, bytes) => *bytes,
            Self::Stored(bytes) => bytes.len() as u64,
            Self::Unpacked(bytes) => bytes.len() as u64,
        }
    }

    /// All its bytes. Their number must have been found to be bearable.
    pub(super) fn all(&self) -> Result<Cow<'_, [u8]>, DataError> {
        self.range(0, self.len()).map(std::option::Option::unwrap_or_default)
    }

    /// So many bytes from a place on; `None` if it does not have them.
    pub(super) fn range(&self, start: u64, bytes: u64) -> Result<Option<Cow<'_, [u8]>>, DataError> {
        let end = start.checked_add(bytes).filter(|&end| end <= self.len());
        let places = end.and_then(|end| Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?));
        let Some(places) = places else { return Ok(None) };
        Ok(match self {
            Self::File(path, file, _) => {
                let mut read = vec![0; places.len()];
                read_exact_at(file, &mut read, start).map_err(|e| DataError::io(path, e))?;
                Some(Cow::Owned(read))
            }
            Self::Stored(all) => all.get(places).map(Cow::Borrowed),
            Self::Unpacked(all) => all.get(places).map(Cow::Borrowed),
        })
    }
}
