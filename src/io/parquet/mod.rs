//! Columns of Parquet files, decoded page by page.

mod claims;
mod format;
mod pages;
mod thrift;

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
use pages::{Claims, Groups};

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
    let groups = Groups { file: Arc::new(input.clone_file()?), metadata, claims: Arc::new(page_claims) };
    let batches = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, BATCH_ROWS, None);
    let batches = batches.map_err(failed)?;
    let opened = column.read(input, batches.map(|batch| batch.map_err(|e| failed(e.into()))))?;
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
        e => input.invalid(KIND, &reason(&e.to_string())),
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
