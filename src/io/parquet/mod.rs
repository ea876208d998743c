//! Columns of Parquet files, decoded page by page.

mod claims;
mod format;
mod mapped;
mod pages;
mod thrift;
mod unpack;

use std::io;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowGroups,
};
use ::parquet::arrow::{
    ArrowWriter, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema_by_columns,
};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_schema::{DataType, Schema};

use super::arrow::{BatchFile, Column, RecordBatch, TableWriter, no_number, nodata_of};
use super::input::Input;
use super::metadata::Opened;
use super::output::OutputFile;
use crate::array::DataError;
use crate::array::error::reason;
use claims::KIND;
use pages::{Claims, Groups, Large};

const WRITE: &str = "write it again, with zstd, snappy or no compression";

const FEWER_CHUNKS: &str = "a row group has fewer columns than the schema";

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 1 << 16;

/// Opens a column.
pub(super) fn open(input: &Input<'_>) -> Result<Opened, DataError> {
    let failed = |e| failed(input, &e);
    let map = input.map()?;
    claims::check_footer(map.bytes()).map_err(|fault| input.invalid(KIND, &reason(&fault)))?;
    // What other libraries note beside the schema, such as categories, is
    // about how they show the numbers, but for their attributes.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(input.clone_file()?, options)
        .map_err(failed)?;
    let mut column = Column::choose(input, builder.schema())?;
    let leaves = leaves(&column, builder.parquet_schema());
    // Of a column of fields nothing but the one that is read.
    column.fields.fill(0);
    let row_groups = builder.metadata().row_groups();
    let rows = pages::rows(row_groups);
    for &leaf in &leaves {
        let chunks = row_groups.iter().filter_map(|group| group.columns().get(leaf));
        claims::check_apart(input, chunks, rows)?;
    }
    let mut page_claims = Claims::new();
    for (k, row_group) in row_groups.iter().enumerate() {
        for &leaf in &leaves {
            let chunk = row_group.columns().get(leaf).ok_or_else(|| input.invalid(KIND, FEWER_CHUNKS))?;
            if chunk.compression() == Compression::LZO {
                return Err(input.unsupported("it is compressed by LZO".to_owned(), WRITE));
            }
            page_claims.insert((k, leaf), claims::check_pages(input, map.bytes(), chunk)?);
        }
    }
    let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
    // It may also be damaged or of another version, which is not this file's
    // fault.
    let notes = builder.metadata().file_metadata().key_value_metadata();
    let noted = parquet_to_arrow_schema_by_columns(builder.parquet_schema(), mask.clone(), notes);
    if let Some(noted) = noted.ok().as_ref().and_then(|schema| column.within(schema.fields().first()?)) {
        column.nodata = nodata_of(noted);
        // Parquet has no such type: they are whole numbers but for this note.
        if matches!(noted.data_type(), DataType::Duration(_)) {
            return Err(no_number(input, &column.name, noted.data_type()));
        }
    }
    let levels = parquet_to_arrow_field_levels(builder.parquet_schema(), mask, None).map_err(failed)?;
    let metadata = Arc::clone(builder.metadata());
    let large = Large::new(input.path.to_owned(), input.memory().unit_bytes(), map);
    let (file, claims) = (Arc::new(input.clone_file()?), Arc::new(page_claims));
    let groups = Groups { file, metadata, claims, large: Arc::clone(&large) };
    let batches = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, BATCH_ROWS, None);
    let batches = batches.map_err(failed)?;
    let batches = batches.map(|batch| {
        large.release();
        batch.map_err(|e| large.failure().unwrap_or_else(|| failed(e.into())))
    });
    let opened = column.read(input, batches)?;
    let (claimed, found) = (groups.num_rows(), opened.len());
    if claimed != found {
        let fault = format!("its footer claims {claimed} rows, its pages have {found}");
        return Err(input.invalid(KIND, &format!("it is damaged: {fault}")));
    }
    Ok(opened)
}

/// The places among a schema's innermost columns of the one that is read.
fn leaves(column: &Column, schema: &SchemaDescriptor) -> Vec<usize> {
    let is_of_it = |&leaf: &usize| {
        schema.get_column_root_idx(leaf) == column.index && schema.column(leaf).path().parts() == column.path
    };
    (0..schema.num_columns()).filter(is_of_it).collect()
}

fn failed(input: &Input<'_>, error: &ParquetError) -> DataError {
    match error {
        ParquetError::NYI(what) => input.unsupported(reason(what), WRITE),
        e => input.invalid(KIND, &reason(without_layers(&e.to_string()))),
    }
}

/// An error's text without the names of the layers that it came through.
fn without_layers(text: &str) -> &str {
    const LAYERS: [&str; 3] = ["External: ", "Parquet argument error: ", "Parquet error: "];
    match LAYERS.iter().find_map(|layer| text.strip_prefix(layer)) {
        Some(text) => without_layers(text),
        None => text,
    }
}

/// A writer of Parquet files.
pub(super) type Writer = TableWriter<ArrowWriter<OutputFile>>;

impl BatchFile for ArrowWriter<OutputFile> {
    const KIND: &str = KIND;

    fn start(file: OutputFile, schema: &Arc<Schema>) -> io::Result<Self> {
        // Predictions are hardly ever the same number twice.
        let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
        Self::try_new(file, Arc::clone(schema), Some(properties)).map_err(io::Error::other)
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.write(batch).map_err(io::Error::other)
    }

    fn end(self) -> io::Result<OutputFile> {
        self.into_inner().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array, RecordBatch};

    use super::*;
    use crate::io::{Reading, Source};

    /// A file of 100 rows, and the place of its footer.
    fn file() -> (Vec<u8>, usize) {
        let column: ArrayRef = Arc::new((0..100).map(f64::from).collect::<Float64Array>());
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let bytes = writer.into_inner().unwrap();
        let length = bytes[bytes.len() - 8..].first_chunk().copied().map(u32::from_le_bytes).unwrap();
        let footer = bytes.len() - 8 - length as usize;
        (bytes, footer)
    }

    /// All numbers of 100 in the footer are of rows or of values.
    #[test]
    fn a_file_has_as_many_rows_as_its_footer_claims() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.parquet");
        for (claimed, byte) in [(100, 0xc8), (99, 0xc6), (101, 0xca), (116, 0xe8)] {
            let (mut bytes, footer) = file();
            let places: Vec<usize> =
                (footer..bytes.len() - 8).filter(|&at| bytes[at..at + 2] == [0xc8, 0x01]).collect();
            assert!(places.len() >= 3, "{places:?}");
            places.into_iter().for_each(|at| bytes[at] = byte);
            std::fs::write(&path, bytes).unwrap();
            let opened = Reading::default().open(&Source { path: path.clone(), key: None });
            match opened {
                Ok(array) => assert_eq!((claimed, array.len()), (100, 100)),
                Err(error) => {
                    let text = error.to_string();
                    assert!(claimed != 100 && text.contains(&format!("claims {claimed} rows")), "{text}");
                }
            }
        }
    }

    /// The file of a column of equal numbers whose page is compressed so that its
    /// decoder needs a window of 32 MiB.
    fn wide_window(rows: usize) -> Vec<u8> {
        use ::parquet::basic::ZstdLevel;
        let column: ArrayRef = Arc::new(std::iter::repeat_n(2.5, rows).collect::<Float64Array>());
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(20).unwrap()))
            .set_max_row_group_row_count(Some(rows))
            .set_data_page_size_limit(1 << 30)
            .set_data_page_row_count_limit(rows)
            .set_write_batch_size(rows)
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    /// It is not damaged: more memory is what it takes.
    #[test]
    fn a_window_beyond_the_memory_is_an_error_of_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.parquet");
        let open = |memory_bytes| {
            let reading = Reading { memory_bytes, ..Reading::default() };
            reading.open(&Source { path: path.clone(), key: None })
        };
        let rows = (24 << 20) / 8;
        std::fs::write(&path, wide_window(rows)).unwrap();
        for memory_bytes in [0, 16 << 20, 20 << 20] {
            let error = open(memory_bytes).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, DataError::BeyondMemory { .. }), "{text}");
            assert!(text.contains("33554432 bytes") && !text.contains("damaged"), "{text}");
        }
        for memory_bytes in [32 << 20, 64 << 20] {
            assert_eq!(open(memory_bytes).unwrap().len(), rows);
        }
        // Pages that the least memory holds.
        std::fs::write(&path, wide_window(1000)).unwrap();
        assert_eq!(open(0).unwrap().len(), 1000);
    }

    #[test]
    fn an_error_has_no_names_of_layers() {
        assert_eq!(without_layers("External: Parquet argument error: Parquet error: a page"), "a page");
        assert_eq!(without_layers("a page: External: no"), "a page: External: no");
    }
}
