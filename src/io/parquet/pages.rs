//! Pages of a column that are decompressed to no more bytes than they claim.
//! The parquet crate believes that of gzip and Brotli pages only once it has all
//! that they expand to.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::RowGroups;
use ::parquet::basic::Compression;
use ::parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use ::parquet::file::serialized_reader::SerializedPageReader;

/// Bytes of a Brotli page that are looked at at a time.
const BROTLI_BYTES: usize = 1 << 12;

/// The row groups of a file, of which one column is read.
pub(super) struct Groups {
    pub(super) file: Arc<File>,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// For each row group and each of its columns that are read, the bytes that
    /// the pages claim to have once decompressed.
    pub(super) claims: Arc<Claims>,
}

/// By the numbers of a row group and of a column.
pub(super) type Claims = std::collections::HashMap<(usize, usize), Vec<u64>>;

/// The rows that row groups claim to have.
pub(super) fn rows(groups: &[RowGroupMetaData]) -> usize {
    let rows = groups.iter().map(RowGroupMetaData::num_rows);
    rows.map(|rows| usize::try_from(rows).unwrap_or(0)).fold(0, usize::saturating_add)
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        rows(self.metadata.row_groups())
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (file, metadata) = (Arc::clone(&self.file), Arc::clone(&self.metadata));
        let claims = Arc::clone(&self.claims);
        Ok(Box::new(Chunks { file, metadata, claims, column, group: 0 }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The chunks of a column, one a row group.
struct Chunks {
    file: Arc<File>,
    metadata: Arc<ParquetMetaData>,
    claims: Arc<Claims>,
    column: usize,
    group: usize,
}

impl Chunks {
    fn pages(&self, group: &RowGroupMetaData) -> Result<Box<dyn PageReader>> {
        let chunk = group.column(self.column);
        let rows = usize::try_from(group.num_rows())?;
        let open = |chunk: &ColumnChunkMetaData| {
            SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None)
        };
        let codec = match chunk.compression() {
            Compression::GZIP(_) => Codec::Gzip,
            Compression::BROTLI(_) => Codec::Brotli,
            _ => return Ok(Box::new(open(chunk)?)),
        };
        // As it is in the file; it is decompressed here.
        let stored = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let claims = self.claims.get(&(self.group, self.column)).cloned().unwrap_or_default();
        Ok(Box::new(Bounded { stored: open(&stored)?, claims: claims.into(), codec }))
    }
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let metadata = Arc::clone(&self.metadata);
        let pages = self.pages(metadata.row_groups().get(self.group)?);
        self.group += 1;
        Some(pages)
    }
}

impl PageIterator for Chunks {}

/// The pages of a chunk.
struct Bounded {
    stored: SerializedPageReader<File>,
    /// The bytes that each of the pages that are left claims.
    claims: VecDeque<u64>,
    codec: Codec,
}

#[derive(Debug, Clone, Copy)]
enum Codec {
    Gzip,
    Brotli,
}

impl Codec {
    /// Decompresses all of a page after its first `plain` bytes, which are as
    /// they are.
    fn decompress(self, page: &[u8], plain: usize, claimed: u64) -> Result<Vec<u8>> {
        let fault = |fault: &str| ParquetError::General(format!("a page is damaged: {fault}"));
        let (head, packed) = page.split_at_checked(plain).ok_or_else(|| fault("its levels are cut off"))?;
        let mut bytes = Vec::new();
        let room = usize::try_from(claimed).map_err(|_| fault("it is larger than any memory"))?;
        bytes.try_reserve_exact(room).map_err(|_| fault("it is larger than the memory that there is"))?;
        bytes.extend_from_slice(head);
        // One byte more than claimed says that there are more.
        let most = claimed.saturating_sub(plain as u64) + 1;
        if most > 1 {
            match self {
                Self::Gzip => flate2::read::MultiGzDecoder::new(packed).take(most).read_to_end(&mut bytes),
                Self::Brotli => {
                    brotli::Decompressor::new(packed, BROTLI_BYTES).take(most).read_to_end(&mut bytes)
                }
            }?;
        }
        if bytes.len() as u64 == claimed {
            Ok(bytes)
        } else {
            Err(fault(&format!("it claims {claimed} bytes once decompressed and has others")))
        }
    }
}

impl PageReader for Bounded {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.stored.get_next_page()? else { return Ok(None) };
        let claimed = self.claims.pop_front();
        let claimed =
            claimed.ok_or_else(|| ParquetError::General("it has more pages than it had".to_owned()))?;
        match &mut page {
            Page::DataPageV2 { is_compressed: false, .. } => {}
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let plain = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                let plain = usize::try_from(plain)?;
                *buf = self.codec.decompress(buf, plain, claimed)?.into();
            }
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.codec.decompress(buf, 0, claimed)?.into();
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

impl Iterator for Bounded {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        match codec {
            Codec::Gzip => {
                let mut gzip = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
                gzip.write_all(bytes).unwrap();
                gzip.finish().unwrap();
            }
            Codec::Brotli => {
                brotli::CompressorWriter::new(&mut packed, 4096, 1, 22).write_all(bytes).unwrap();
            }
        }
        packed
    }

    #[test]
    fn a_page_has_as_many_bytes_as_it_claims() {
        let bytes: Vec<u8> = (0..100_000u64).map(|k| (k * k / 128).to_le_bytes()[0]).collect();
        for codec in [Codec::Gzip, Codec::Brotli] {
            let page = packed(codec, &bytes);
            assert_eq!(codec.decompress(&page, 0, 100_000).unwrap(), bytes);
            for claimed in [1, 99_999, 100_001, 1 << 30] {
                assert!(codec.decompress(&page, 0, claimed).is_err(), "{codec:?} {claimed}");
            }
            // Levels are before what is compressed, and as they are.
            let page = [&[1, 2, 3][..], &page].concat();
            let whole = codec.decompress(&page, 3, 100_003).unwrap();
            assert!(whole[..3] == [1, 2, 3] && whole[3..] == bytes);
            assert!(codec.decompress(&page[..2], 3, 100_003).is_err());
            assert_eq!(codec.decompress(&[1, 2, 3], 3, 3).unwrap(), [1, 2, 3], "all of it null");
        }
    }

    /// Small pages of many bytes, of which no more are made than are claimed.
    #[test]
    fn a_page_expands_no_further_than_it_claims() {
        for codec in [Codec::Gzip, Codec::Brotli] {
            let page = packed(codec, &vec![0; 1 << 26]);
            assert!(page.len() < 1 << 20);
            let error = codec.decompress(&page, 0, 1000).unwrap_err().to_string();
            assert!(error.contains("claims 1000 bytes"), "{error}");
        }
    }
}
