//! Pages of a column that are decompressed to no more bytes than they claim,
//! and to a temporary file where they are too large for memory. The parquet
//! crate believes a page of gzip or Brotli only once it has all that it expands
//! to, and holds every page in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::bytes::Bytes;
use ::parquet::arrow::arrow_reader::RowGroups;
use ::parquet::basic::Compression;
use ::parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use ::parquet::file::reader::{ChunkReader, Length};
use ::parquet::file::serialized_reader::SerializedPageReader;

use super::mapped::{Mapped, Releasing};
use super::unpack::{Unpacked, beyond_memory, unpack};
use crate::array::DataError;
use crate::array::mapping::Mapping;
use crate::array::spool;
use crate::io::read_at::{read_at, read_exact_at};

/// A file that several threads read, each where it is. The crate's own reader of
/// files moves the one place that all handles share.
pub(super) struct Placed(pub(super) File);

impl Length for Placed {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }
}

impl ChunkReader for Placed {
    type T = BufReader<Onwards>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(Onwards { file: self.0.try_clone()?, place: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| std::io::Error::from(ErrorKind::OutOfMemory))?;
        bytes.resize(length, 0);
        read_exact_at(&self.0, &mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A file from a place on.
pub(super) struct Onwards {
    file: File,
    place: u64,
}

impl Read for Onwards {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = read_at(&self.file, buffer, self.place)?;
        self.place += bytes as u64;
        Ok(bytes)
    }
}

/// Row groups of a file, of which one column is read by one thread.
pub(super) struct Groups {
    pub(super) file: Arc<Placed>,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// For each row group and each of its columns that are read, what the pages
    /// claim.
    pub(super) claims: Arc<Claims>,
    pub(super) large: Arc<Large>,
    /// The numbers of the row groups.
    pub(super) groups: Range<usize>,
}

/// By the numbers of a row group and of a column.
pub(super) type Claims = std::collections::HashMap<(usize, usize), Vec<Claim>>;

/// The bytes that a page claims.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// In the file.
    pub(super) packed_bytes: u64,
    /// Once decompressed.
    pub(super) bytes: u64,
}

/// Pages that are too large for memory.
pub(super) struct Large {
    /// The bytes above which they are.
    pub(super) memory_bytes: u64,
    path: PathBuf,
    /// The file, in which they are as they are stored.
    pub(super) map: Arc<Mapping>,
    /// Maps of those that are being decoded.
    open: Mutex<Vec<std::sync::Weak<Mapping>>>,
    /// Why one could not be decompressed, if it is not damaged.
    failure: Mutex<Option<DataError>>,
}

impl Large {
    pub(super) fn new(path: PathBuf, memory_bytes: u64, map: Arc<Mapping>) -> Arc<Self> {
        let (open, failure) = (Mutex::default(), Mutex::default());
        Arc::new(Self { memory_bytes, path, map, open, failure })
    }

    fn are_among(&self, claims: &[Claim]) -> bool {
        claims.iter().any(|claim| claim.bytes.max(claim.packed_bytes) > self.memory_bytes)
    }

    /// Gives back the memory of what was decoded so far.
    pub(super) fn release(&self) {
        lock(&self.open).retain(|map| {
            let map = map.upgrade();
            map.iter().for_each(|map| map.release(0..map.bytes().len()));
            map.is_some()
        });
    }

    /// Why one could not be decompressed, if it is not damaged.
    pub(super) fn failure(&self) -> Option<DataError> {
        lock(&self.failure).take()
    }

    fn opened(&self, map: &Arc<Mapping>) {
        lock(&self.open).push(Arc::downgrade(map));
    }

    /// The error of a page for which there is no memory, or no temporary file.
    fn no_room(&self, error: std::io::Error) -> ParquetError {
        self.failed(spool::failed(&self.path, error))
    }

    fn failed(&self, error: DataError) -> ParquetError {
        let text = error.to_string();
        *lock(&self.failure) = Some(error);
        ParquetError::General(text)
    }
}

/// A poisoned lock only means that a decoder panicked, which is its file's end.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rows that row groups claim to have.
pub(super) fn rows(groups: &[RowGroupMetaData]) -> usize {
    let rows = groups.iter().map(RowGroupMetaData::num_rows);
    rows.map(|rows| usize::try_from(rows).unwrap_or(0)).fold(0, usize::saturating_add)
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        rows(&self.metadata.row_groups()[self.groups.clone()])
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (file, metadata) = (Arc::clone(&self.file), Arc::clone(&self.metadata));
        let (claims, large) = (Arc::clone(&self.claims), Arc::clone(&self.large));
        let groups = self.groups.clone();
        Ok(Box::new(Chunks { file, metadata, claims, large, column, groups }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups()[self.groups.clone()].iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of a column, one a row group.
struct Chunks {
    file: Arc<Placed>,
    metadata: Arc<ParquetMetaData>,
    claims: Arc<Claims>,
    large: Arc<Large>,
    column: usize,
    /// The numbers of the row groups that are left.
    groups: Range<usize>,
}

impl Chunks {
    fn pages(&self, number: usize, group: &RowGroupMetaData) -> Result<Box<dyn PageReader>> {
        let chunk = group.column(self.column);
        let rows = usize::try_from(group.num_rows())?;
        let compression = chunk.compression();
        let claims = self.claims.get(&(number, self.column)).cloned().unwrap_or_default();
        let is_large = self.large.are_among(&claims);
        if !is_large && !matches!(compression, Compression::GZIP(_) | Compression::BROTLI(_)) {
            return Ok(Box::new(SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None)?));
        }
        // As it is in the file; it is decompressed here.
        let stored = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let (claims, large) = (claims.into(), Arc::clone(&self.large));
        if is_large {
            let file = Arc::new(Bytes::from_owner(Mapped(Arc::clone(&large.map))));
            large.opened(&large.map);
            let stored = SerializedPageReader::new(file, &stored, rows, None)?;
            return Ok(Box::new(Bounded { stored, claims, compression, large }));
        }
        let stored = SerializedPageReader::new(Arc::clone(&self.file), &stored, rows, None)?;
        Ok(Box::new(Bounded { stored, claims, compression, large }))
    }
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.groups.next()?;
        let metadata = Arc::clone(&self.metadata);
        Some(self.pages(number, metadata.row_groups().get(number)?))
    }
}

impl PageIterator for Chunks {}

/// The pages of a chunk.
struct Bounded<R: ChunkReader> {
    stored: SerializedPageReader<R>,
    /// The claims of the pages that are left.
    claims: VecDeque<Claim>,
    compression: Compression,
    large: Arc<Large>,
}

impl<R: ChunkReader> Bounded<R> {
    /// Decompresses all of a page after its first `plain` bytes, which are as
    /// they are.
    fn unpacked(&self, page: &Bytes, plain: usize, claimed: u64) -> Result<Bytes> {
        let fault = |fault: &str| ParquetError::General(format!("a page is damaged: {fault}"));
        if self.compression == Compression::UNCOMPRESSED {
            return Ok(page.clone());
        }
        let is_large = claimed > self.large.memory_bytes;
        if let Some(packed) = page.get(plain..).filter(|_| is_large)
            && let Some(bytes) = beyond_memory(self.compression, packed, self.large.memory_bytes)
        {
            let what = format!("a page takes {bytes} bytes of memory to be decompressed");
            return Err(self.large.failed(DataError::BeyondMemory { path: self.large.path.clone(), what }));
        }
        let no_room = |e| self.large.no_room(e);
        let mut bytes = if is_large {
            Unpacked::in_file(claimed, spool::file().map_err(no_room)?)
        } else {
            Unpacked::in_memory(claimed).map_err(no_room)?
        };
        let unpacked = (|| {
            let (levels, packed) = page.split_at_checked(plain).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            bytes.append(&mut &*levels)?;
            // With nothing but nulls there is nothing to decompress.
            if bytes.left() > 0 {
                let packed = BufReader::new(Releasing::new(&self.large.map, packed));
                unpack(self.compression, packed, self.large.memory_bytes, &mut bytes)?;
            }
            bytes.end()
        })();
        if let Some(error) = bytes.failure() {
            return Err(no_room(error));
        }
        unpacked.map_err(|e: std::io::Error| match e.kind() {
            std::io::ErrorKind::OutOfMemory => no_room(e),
            _ => fault(&format!("it claims {claimed} bytes once decompressed and has others: {e}")),
        })?;
        let (bytes, file) = bytes.into_parts();
        let Some(file) = file else { return Ok(bytes.into()) };
        let map = Arc::new(Mapping::temporary(&self.large.path, &file).map_err(no_room)?);
        self.large.opened(&map);
        Ok(Bytes::from_owner(Mapped(map)))
    }
}

impl<R: ChunkReader + 'static> PageReader for Bounded<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.stored.get_next_page()? else { return Ok(None) };
        let claimed = self.claims.pop_front();
        let claimed =
            claimed.ok_or_else(|| ParquetError::General("it has more pages than it had".to_owned()))?.bytes;
        match &mut page {
            Page::DataPageV2 { is_compressed: false, .. } => {}
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let plain = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                let plain = usize::try_from(plain)?;
                *buf = self.unpacked(buf, plain, claimed)?;
            }
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.unpacked(buf, 0, claimed)?;
            }
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.stored.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.claims.pop_front();
        self.stored.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.stored.at_record_boundary()
    }
}

impl<R: ChunkReader + 'static> Iterator for Bounded<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
