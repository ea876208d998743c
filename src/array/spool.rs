//! Elements of files that cannot be mapped as they are: decoded once, chunk
//! by chunk, to memory or, beyond a bound, to a temporary file without a name,
//! from which every pass then streams.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::shown;
use super::mapping::Mapping;
use super::{Array, DataError, Element, Layout, Order, Shape, Storage};

/// An array in the making, row-major unless it is finished otherwise.
pub(crate) struct Spool<E> {
    path: PathBuf,
    place: Place<E>,
    memory_bytes: u64,
    /// Elements up to the last one given.
    len: usize,
}

enum Place<E> {
    Memory(Vec<E>),
    /// The file, and the position in it.
    Disk(BufWriter<File>, u64),
}

impl<E: Element> Spool<E> {
    /// An empty array of the elements of the file `path`, of which no more
    /// than `memory_bytes` shall be in memory.
    pub(crate) fn new(path: &Path, memory_bytes: u64) -> Self {
        Self { path: path.to_owned(), place: Place::Memory(Vec::new()), memory_bytes, len: 0 }
    }

    /// Puts elements after those there are.
    pub(crate) fn append(&mut self, elements: &[E]) -> Result<(), DataError> {
        self.put(self.len, elements)
    }

    /// Puts elements at a place; elements that are never given are 0.
    pub(crate) fn put(&mut self, start: usize, elements: &[E]) -> Result<(), DataError> {
        let bytes = |elements: usize| (elements as u64).saturating_mul(size_of::<E>() as u64);
        let end = start.saturating_add(elements.len());
        self.len = self.len.max(end);
        if let Place::Memory(all) = &mut self.place {
            if bytes(end) <= self.memory_bytes {
                if start == all.len() {
                    let full = |_| failed(&self.path, io::ErrorKind::OutOfMemory.into());
                    all.try_reserve(elements.len()).map_err(full)?;
                    all.extend_from_slice(elements);
                    return Ok(());
                }
                if end > all.len() {
                    let full = |_| failed(&self.path, io::ErrorKind::OutOfMemory.into());
                    all.try_reserve(end - all.len()).map_err(full)?;
                    all.resize(end, E::zeroed());
                }
                all[start..end].copy_from_slice(elements);
                return Ok(());
            }
            let mut file = file().map_err(|e| self.failed(e))?;
            file.write_all(self.in_memory()).map_err(|e| self.failed(e))?;
            let position = self.in_memory().len() as u64;
            self.place = Place::Disk(BufWriter::with_capacity(1 << 18, file), position);
        }
        self.write(bytes(start), bytemuck::cast_slice(elements)).map_err(|e| self.failed(e))
    }

    fn in_memory(&self) -> &[u8] {
        match &self.place {
            Place::Memory(all) => bytemuck::cast_slice(all),
            Place::Disk(..) => &[],
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let Place::Disk(file, position) = &mut self.place else { return Ok(()) };
        if *position != at {
            file.seek(SeekFrom::Start(at))?;
        }
        file.write_all(bytes)?;
        *position = at + bytes.len() as u64;
        Ok(())
    }

    /// The array, whose elements must all have been given.
    pub(crate) fn finish(self, shape: Shape) -> Result<Array, DataError> {
        self.finish_as(Layout::contiguous(shape, E::TYPE, Order::C))
    }

    /// The array, laid out in another way than row-major.
    pub(crate) fn finish_as(self, layout: Layout) -> Result<Array, DataError> {
        let Self { path, place, .. } = self;
        let label = shown(&path).to_string();
        let storage: Arc<dyn Storage> = match place {
            Place::Memory(elements) => Arc::new(Decoded { path, elements }),
            Place::Disk(file, _) => {
                let failed = |e| failed(&path, e);
                let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
                // The map keeps the file alive.
                Arc::new(Mapping::temporary(&path, &file).map_err(failed)?)
            }
        };
        Array::new(label, storage, layout)
    }

    fn failed(&self, source: io::Error) -> DataError {
        failed(&self.path, source)
    }
}

/// A temporary file without a name.
#[allow(dead_code, reason = "the formats that need it are features")]
pub(crate) fn file() -> io::Result<File> {
    tempfile::tempfile()
}

/// The error of elements for which there is no memory, to have or to map them, or no
/// temporary file.
pub(crate) fn failed(path: &Path, source: io::Error) -> DataError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::OutOfMemory {
        return DataError::SystemMemory { path, source };
    }
    DataError::Spool { path, directory: std::env::temp_dir(), source }
}

/// Elements decoded to memory.
struct Decoded<E> {
    path: PathBuf,
    elements: Vec<E>,
}

impl<E: Element> Storage for Decoded<E> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.elements)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spooled(memory_bytes: u64) -> Array {
        let mut spool = Spool::<u16>::new(Path::new("x"), memory_bytes);
        spool.append(&[1, 2, 3]).unwrap();
        // Tiles of a 2×5 image: the right ones before the left one below.
        spool.put(3, &[4, 5]).unwrap();
        spool.put(8, &[9, 10]).unwrap();
        spool.put(5, &[6, 7, 8]).unwrap();
        spool.finish(Shape(vec![2, 5])).unwrap()
    }

    #[test]
    fn elements_are_where_they_were_put_in_memory_and_on_disk() {
        for (memory_bytes, on_disk) in
            [(0, true), (6, true), (8, true), (19, true), (20, false), (100, false)]
        {
            let matrix = spooled(memory_bytes);
            assert_eq!(matrix.is_spooled(), on_disk, "{memory_bytes}");
            let want: Vec<u16> = (1..=10).collect();
            assert_eq!(matrix.as_slice::<u16>(Order::C), Some(&want[..]), "{memory_bytes}");
        }
    }

    /// A map for which there is no memory is not mended by room on the disk.
    #[test]
    #[cfg(unix)]
    fn too_little_memory_is_not_too_little_room_on_the_disk() {
        let error = |code| failed(Path::new("x"), io::Error::from_raw_os_error(code));
        assert!(matches!(error(libc::ENOMEM), DataError::SystemMemory { .. }));
        assert!(matches!(error(libc::ENOSPC), DataError::Spool { .. }));
    }

    #[test]
    fn a_missing_end_is_an_error() {
        let mut spool = Spool::<u16>::new(Path::new("x"), 100);
        spool.append(&[1, 2, 3]).unwrap();
        assert!(matches!(spool.finish(Shape(vec![4])), Err(DataError::Truncated { .. })));
    }
}
