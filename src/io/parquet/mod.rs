//! Columns of Parquet files, decoded page by page, the row groups on all cores.

mod claims;
mod format;
mod mapped;
mod pages;
mod thrift;
mod unpack;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::arrow::{
    ArrowWriter, FieldLevels, ProjectionMask, parquet_to_arrow_field_levels,
    parquet_to_arrow_schema_by_columns,
};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::{ColumnPath, SchemaDescriptor};
use arrow_schema::{DataType, Schema};

use super::arrow::{
    BatchFile, Column, Part, RecordBatch, Table, TableWriter, no_number, nodata_of, scaling_of, text_column,
    texts_of, write_fits_as,
};
use super::fits_plan::FitsPlan;
use super::input::Input;
use super::listing::Listed;
use super::metadata::Opened;
use super::output::OutputFile;
use super::pieces;
use super::source_name::SourceName;
use super::texts::Texts;
use crate::array::error::reason;
use crate::array::held::Held;
use crate::array::mapping::Mapping;
use crate::array::{DataError, Shape};
use claims::KIND;
use pages::{Claims, Groups, Large, Placed};

const WRITE: &str = "write it again, with zstd, snappy or no compression";

const FEWER_CHUNKS: &str = "a row group has fewer columns than the schema";

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 1 << 16;

/// Bytes of a batch of a column, with what its decoding takes.
const BATCH_BYTES: u64 = 4 << 20;

/// Opens columns, one for each key. The row groups of all of them are decoded side by
/// side, each to its place, if memory holds the columns; else the columns side by
/// side, batch by batch.
pub(super) fn open(input: &Input<'_>, keys: &[Option<&str>]) -> Result<Vec<Opened>, DataError> {
    let failed = |e| failed(input, &e);
    let map = input.map()?;
    claims::check_footer(map.bytes()).map_err(|fault| input.invalid(KIND, &reason(&fault)))?;
    // What other libraries note beside the schema, such as categories, is
    // about how they show the numbers, but for their attributes.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(input.clone_file()?, options)
        .map_err(failed)?;
    let mut claims = Claims::new();
    let mut columns = Vec::with_capacity(keys.len());
    for &key in keys {
        columns.push(Selected::new(&Input { key, ..*input }, &builder, &map, &mut claims)?);
    }
    let metadata = Arc::clone(builder.metadata());
    let file = Arc::new(Placed(input.clone_file()?));
    let reader = Reader { input, file, metadata, claims: Arc::new(claims), map: Arc::new(map) };
    let rows = pages::rows(reader.metadata.row_groups());
    let room =
        |selected: &Selected| Held::new(input.path, selected.column.element, rows as u64, input.memory_bytes);
    match columns.iter().map(room).collect::<Option<Vec<_>>>() {
        Some(held) => reader.to_places(&columns, held, rows),
        None => reader.in_batches(&columns, rows),
    }
}

/// The columns of a file.
pub(super) fn list(input: &Input<'_>) -> Result<Vec<Listed>, DataError> {
    claims::check_footer(input.map()?.bytes()).map_err(|fault| input.invalid(KIND, &reason(&fault)))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(input.clone_file()?, options)
        .map_err(|e| failed(input, &e))?;
    let groups = builder.metadata().row_groups();
    let rows = pages::rows(groups) as u64;
    let compression = |root: usize| {
        let leaf = (0..builder.parquet_schema().num_columns())
            .find(|&leaf| builder.parquet_schema().get_column_root_idx(leaf) == root)?;
        let method = groups.first()?.columns().get(leaf)?.compression();
        (method != Compression::UNCOMPRESSED).then(|| method.to_string())
    };
    let fields = builder.schema().fields().iter().enumerate();
    let listed = fields.map(|(root, field)| {
        let listed =
            Listed::decoded(field.name().clone(), Some(Shape(vec![rows])), &field.data_type().to_string());
        let missing = field.is_nullable().then(|| "null".to_owned());
        Listed { missing, ..listed.compressed(compression(root)) }
    });
    Ok(listed.collect())
}

/// The columns of a file: the name and the type of each.
pub(super) fn schema(input: &Input<'_>) -> Result<Vec<(String, String)>, DataError> {
    claims::check_footer(input.map()?.bytes()).map_err(|fault| input.invalid(KIND, &reason(&fault)))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(input.clone_file()?, options)
        .map_err(|e| failed(input, &e))?;
    let fields = builder.schema().fields().iter();
    Ok(fields.map(|field| (field.name().clone(), field.data_type().to_string())).collect())
}

/// A column that is read.
struct Selected {
    column: Column,
    levels: FieldLevels,
}

impl Selected {
    /// The column of the input's key, once the claims of its pages are found
    /// possible.
    fn new(
        input: &Input<'_>,
        builder: &ParquetRecordBatchReaderBuilder<File>,
        map: &Mapping,
        page_claims: &mut Claims,
    ) -> Result<Self, DataError> {
        let schema = builder.parquet_schema();
        let mut column = Column::choose(input, builder.schema())?;
        let leaves = leaves(&column, schema);
        // Of a column of fields nothing but the one that is read.
        column.fields.fill(0);
        let row_groups = builder.metadata().row_groups();
        let rows = pages::rows(row_groups);
        for &leaf in &leaves {
            let chunks = row_groups.iter().filter_map(|group| group.columns().get(leaf));
            claims::check_apart(input, chunks, rows)?;
        }
        for (k, row_group) in row_groups.iter().enumerate() {
            for &leaf in &leaves {
                let chunk = row_group.columns().get(leaf).ok_or_else(|| input.invalid(KIND, FEWER_CHUNKS))?;
                if chunk.compression() == Compression::LZO {
                    return Err(input.unsupported("it is compressed by LZO".to_owned(), WRITE));
                }
                page_claims.insert((k, leaf), claims::check_pages(input, map.bytes(), chunk)?);
            }
        }
        let mask = ProjectionMask::leaves(schema, leaves);
        // It may also be damaged or of another version, which is not this file's
        // fault.
        let notes = builder.metadata().file_metadata().key_value_metadata();
        let noted = parquet_to_arrow_schema_by_columns(schema, mask.clone(), notes);
        if let Some(noted) = noted.ok().as_ref().and_then(|schema| column.within(schema.fields().first()?)) {
            (column.nodata, column.scaling) = (nodata_of(noted), scaling_of(noted));
            // Parquet has no such type: they are whole numbers but for this note.
            if matches!(noted.data_type(), DataType::Duration(_)) {
                return Err(no_number(input, &column.name, noted.data_type()));
            }
        }
        let levels = parquet_to_arrow_field_levels(schema, mask, None).map_err(|e| failed(input, &e))?;
        Ok(Self { column, levels })
    }
}

/// A file whose columns are read.
struct Reader<'r> {
    input: &'r Input<'r>,
    file: Arc<Placed>,
    metadata: Arc<ParquetMetaData>,
    claims: Arc<Claims>,
    map: Arc<Mapping>,
}

/// A column's rows of a row group, and the place where they belong.
struct Piece<'p> {
    column: usize,
    group: usize,
    place: &'p mut [u8],
}

impl Reader<'_> {
    /// Row groups of the file, for a column of which one thread decodes them.
    fn groups(&self, groups: Range<usize>) -> Groups {
        let memory_bytes = self.input.memory().unit_bytes();
        Groups {
            file: Arc::clone(&self.file),
            metadata: Arc::clone(&self.metadata),
            claims: Arc::clone(&self.claims),
            large: Large::new(self.input.path.to_owned(), memory_bytes, Arc::clone(&self.map)),
            groups,
        }
    }

    /// The batches of a column's row groups.
    fn batches<'b>(
        &'b self,
        selected: &Selected,
        groups: &Groups,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, DataError>> + 'b, DataError> {
        let large = Arc::clone(&groups.large);
        let batches =
            ParquetRecordBatchReader::try_new_with_row_groups(&selected.levels, groups, BATCH_ROWS, None);
        let batches = batches.map_err(|e| failed(self.input, &e))?;
        Ok(batches.map(move |batch| {
            large.release();
            batch.map_err(|e| large.failure().unwrap_or_else(|| failed(self.input, &e.into())))
        }))
    }

    /// Decodes all row groups of all columns, each to its place.
    fn to_places(
        &self,
        columns: &[Selected],
        mut held: Vec<Held>,
        rows: usize,
    ) -> Result<Vec<Opened>, DataError> {
        let row_groups = self.metadata.row_groups();
        let mut rests: Vec<&mut [u8]> = held.iter_mut().map(Held::bytes_mut).collect();
        let mut work = Vec::with_capacity(row_groups.len() * columns.len());
        for group in 0..row_groups.len() {
            let rows = pages::rows(&row_groups[group..=group]);
            for (column, rest) in rests.iter_mut().enumerate() {
                let bytes = rows * columns[column].column.element.size();
                let (place, after) = std::mem::take(rest).split_at_mut(bytes);
                *rest = after;
                work.push(Piece { column, group, place });
            }
        }
        let decode = |(): &mut (), Piece { column, group, place }: Piece<'_>| {
            let groups = self.groups(group..group + 1);
            let batches = self.batches(&columns[column], &groups)?;
            columns[column].column.fill(self.input, batches, place).map(|part| (column, part))
        };
        let mut found: Vec<Part> = columns.iter().map(|_| Part::default()).collect();
        let largest =
            self.claims.values().flatten().map(|claim| claim.bytes.saturating_add(claim.packed_bytes));
        let piece_bytes = largest.max().unwrap_or(0).saturating_add(BATCH_BYTES);
        let at_once = pieces::at_once(piece_bytes, self.input.memory_bytes);
        pieces::in_order(work.into_iter(), at_once, decode, |read| {
            let (column, part) = read?;
            found[column].append(&part);
            Ok(())
        })?;
        let opened = columns.iter().zip(held).zip(found).map(|((selected, held), part)| {
            self.check_rows(rows, part.rows)?;
            let array = held.finish(Shape(vec![rows as u64]))?;
            Ok(selected.column.opened(array, part.valid, part.rounded))
        });
        opened.collect()
    }

    /// Decodes the columns, of each no more than a batch at a time.
    fn in_batches(&self, columns: &[Selected], rows: usize) -> Result<Vec<Opened>, DataError> {
        let decode = |(): &mut (), selected: &Selected| {
            let groups = self.groups(0..self.metadata.num_row_groups());
            let opened = selected.column.read(self.input, self.batches(selected, &groups)?)?;
            self.check_rows(rows, opened.len()).map(|()| opened)
        };
        let mut opened = Vec::with_capacity(columns.len());
        pieces::in_order(columns.iter(), columns.len(), decode, |column| {
            opened.push(column?);
            Ok::<(), DataError>(())
        })?;
        Ok(opened)
    }

    fn check_rows(&self, claimed: usize, found: usize) -> Result<(), DataError> {
        if claimed == found {
            return Ok(());
        }
        let fault = format!("its footer claims {claimed} rows, its pages have {found}");
        Err(self.input.invalid(KIND, &format!("it is damaged: {fault}")))
    }
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
        let properties = WriterProperties::builder();
        let properties = match schema.fields().last() {
            // Predictions are hardly ever the same number twice; the columns beside them may be.
            Some(predictions) if schema.fields().len() > 1 => {
                let predictions = ColumnPath::new(vec![predictions.name().clone()]);
                let compression = Compression::ZSTD(ZstdLevel::default());
                properties.set_compression(compression).set_column_dictionary_enabled(predictions, false)
            }
            _ => properties.set_dictionary_enabled(false),
        };
        let properties = properties.build();
        Self::try_new(file, Arc::clone(schema), Some(properties)).map_err(io::Error::other)
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.write(batch).map_err(io::Error::other)
    }

    fn end(self) -> io::Result<OutputFile> {
        self.into_inner().map_err(io::Error::other)
    }
}

/// Writes a table of many fits.
pub(super) fn write_fits(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    write_fits_as::<ArrowWriter<OutputFile>>(path, plan)
}

/// Opens all columns, for a table that a column is added to.
pub(super) fn open_table(path: &Path) -> Result<Table, DataError> {
    let invalid = |e: ParquetError| DataError::Invalid {
        path: path.to_owned(),
        kind: KIND,
        reason: reason(&e.to_string()),
    };
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(invalid)?;
    let schema = Arc::clone(builder.schema());
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(invalid)?;
    Ok(Table { schema, batches: Box::new(reader.map(|batch| batch.map_err(|e| e.to_string()))) })
}

/// Opens a column of text; `None` if it is of numbers.
pub(super) fn open_texts(source: &SourceName<'_>) -> Result<Option<Texts>, DataError> {
    let file = File::open(source.path).map_err(|e| DataError::io(source.path, e))?;
    // A damaged file is the reader of numbers' to judge.
    let Ok(builder) = ParquetRecordBatchReaderBuilder::try_new(file) else { return Ok(None) };
    let Some(place) = text_column(builder.schema(), source.key) else { return Ok(None) };
    let invalid =
        |text: String| DataError::Invalid { path: source.path.to_owned(), kind: KIND, reason: reason(&text) };
    let mask = ProjectionMask::roots(builder.parquet_schema(), [place]);
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    let reader = reader.map_err(|e| invalid(e.to_string()))?;
    texts_of(&source.label(), reader.map(|batch| batch.map_err(|e| e.to_string()))).map(Some).map_err(invalid)
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
