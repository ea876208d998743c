//! Columns of predictions as Arrow's batches, and files of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(in crate::io) use arrow_array::RecordBatch;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::column::KIND;
use crate::array::error::reason;
use crate::array::{Bitmap, DataError, ElementType};
use crate::io::decoding::catch;
use crate::io::output::OutputFile;
use crate::io::writer::{ArrayWriter, NAME, ResultPlan};

/// Rows of a batch that is written.
const BATCH_ROWS: usize = 1 << 16;

/// Opens a table.
pub(in crate::io) type OpenTable = fn(&Path) -> Result<Table, DataError>;

/// All columns of a table, row after row.
pub(in crate::io) struct Table {
    pub(in crate::io) schema: Arc<Schema>,
    pub(in crate::io) batches: Box<dyn Iterator<Item = Result<RecordBatch, String>>>,
}

/// The rows of a table that predictions are added to, as far as they are read.
struct Rows {
    batches: Box<dyn Iterator<Item = Result<RecordBatch, String>>>,
    /// Those of a batch that are left.
    left: Option<RecordBatch>,
}

impl Rows {
    /// The next rows of one batch, so many at most; `None` after the last one.
    fn next(&mut self, most: usize) -> io::Result<Option<RecordBatch>> {
        loop {
            if let Some(left) = self.left.take().filter(|left| left.num_rows() > 0) {
                let count = left.num_rows().min(most);
                self.left = Some(left.slice(count, left.num_rows() - count));
                return Ok(Some(left.slice(0, count)));
            }
            let batches = &mut self.batches;
            let next = catch(|| batches.next().transpose()).and_then(|next| next);
            match next.map_err(|e| io::Error::other(format!("X's table: {}", reason(&e))))? {
                Some(batch) => self.left = Some(batch),
                None => return Ok(None),
            }
        }
    }
}

/// A column of predictions on its way to a file, with nulls where X has them, by itself or
/// beside the columns of X's table.
struct Batches {
    schema: Arc<Schema>,
    data_type: DataType,
    valid: Option<Arc<Bitmap>>,
    rows: usize,
    others: Option<Rows>,
}

impl Batches {
    /// No batches yet, on their way to a file `path` of this kind. Fails for a
    /// type that Arrow does not have.
    fn new(path: &Path, kind: &str, plan: &ResultPlan<'_>, table: OpenTable) -> Result<Self, DataError> {
        let element = plan.element;
        let data_type = data_type(element)
            .ok_or_else(|| DataError::write(path, io::Error::other(format!("{kind} has no {element}"))))?;
        let valid = plan.metadata.valid().cloned();
        let field = |name| Field::new(name, data_type.clone(), valid.is_some());
        let Some(append) = plan.append else {
            let schema = Arc::new(Schema::new(vec![field(NAME)]));
            return Ok(Self { schema, data_type, valid, rows: 0, others: None });
        };
        let refused = |reason| DataError::Append { path: append.table.to_owned(), reason };
        if plan.shape.0.len() != 1 {
            return Err(refused("X is no single column of it"));
        }
        let Table { schema, batches } = table(append.table)?;
        if schema.fields().iter().any(|field| field.name() == append.column) {
            return Err(refused("it has a column of that name already"));
        }
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(field(append.column)));
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let others = Some(Rows { batches, left: None });
        Ok(Self { schema, data_type, valid, rows: 0, others })
    }

    /// Fails if the table has rows beyond the last prediction.
    fn check_end(&mut self) -> io::Result<()> {
        match self.others.as_mut().map(|others| others.next(1)).transpose()?.flatten() {
            Some(_) => Err(io::Error::other("X's table has more rows than X")),
            None => Ok(()),
        }
    }

    /// Makes batches of the next elements, given as bytes, and hands them on.
    fn of(&mut self, elements: &[u8], mut each: impl FnMut(RecordBatch) -> io::Result<()>) -> io::Result<()> {
        let Self { schema, data_type, valid, rows: done, others } = self;
        let size = data_type.primitive_width().unwrap_or(1);
        let mut elements = elements;
        while !elements.is_empty() {
            let most = BATCH_ROWS.min(elements.len() / size);
            let (mut columns, count) = match others {
                None => (Vec::new(), most),
                Some(others) => {
                    let fewer = || io::Error::other("X's table has fewer rows than X");
                    let batch = others.next(most)?.ok_or_else(fewer)?;
                    (batch.columns().to_vec(), batch.num_rows())
                }
            };
            let (bytes, later) = elements.split_at(count * size);
            let rows = *done..*done + count;
            (elements, *done) = (later, rows.end);
            let valid = valid.as_ref().map(|valid| rows.map(|k| valid.contains(k)).collect());
            columns.push(column(data_type, bytes, valid).map_err(io::Error::other)?);
            let batch = RecordBatch::try_new(Arc::clone(schema), columns);
            each(batch.map_err(io::Error::other)?)?;
        }
        Ok(())
    }
}

fn data_type(element: ElementType) -> Option<DataType> {
    Some(match element {
        ElementType::U8 => DataType::UInt8,
        ElementType::I8 => DataType::Int8,
        ElementType::U16 => DataType::UInt16,
        ElementType::I16 => DataType::Int16,
        ElementType::U32 => DataType::UInt32,
        ElementType::I32 => DataType::Int32,
        ElementType::U64 => DataType::UInt64,
        ElementType::I64 => DataType::Int64,
        ElementType::F16 => DataType::Float16,
        ElementType::F32 => DataType::Float32,
        ElementType::F64 => DataType::Float64,
        ElementType::Bool | ElementType::Bf16 => return None,
    })
}

/// An array of elements given as bytes, null where they are not valid.
fn column(data_type: &DataType, bytes: &[u8], valid: Option<Vec<bool>>) -> Result<ArrayRef, ArrowError> {
    /// The array type of each type of elements.
    macro_rules! array {
        ($($name:ident => $array:ty;)*) => {
            match data_type {
                $(DataType::$name => {
                    let values: Vec<_> = bytemuck::pod_collect_to_vec(bytes);
                    Arc::new(PrimitiveArray::<$array>::from_iter_values_with_nulls(values, valid.map(Into::into)))
                })*
                other => return Err(ArrowError::NotYetImplemented(format!("columns of {other}"))),
            }
        };
    }
    Ok(array! {
        UInt8 => UInt8Type;
        Int8 => Int8Type;
        UInt16 => UInt16Type;
        Int16 => Int16Type;
        UInt32 => UInt32Type;
        Int32 => Int32Type;
        UInt64 => UInt64Type;
        Int64 => Int64Type;
        Float16 => Float16Type;
        Float32 => Float32Type;
        Float64 => Float64Type;
    })
}

/// A file of a format that takes batches.
pub(in crate::io) trait BatchFile: Sized {
    /// The name of the format.
    const KIND: &str;

    /// Starts the file.
    fn start(file: OutputFile, schema: &Arc<Schema>) -> io::Result<Self>;

    /// Writes a batch.
    fn write(&mut self, batch: &RecordBatch) -> io::Result<()>;

    /// Writes what belongs after the last batch.
    fn end(self) -> io::Result<OutputFile>;
}

/// A writer of files of one column.
pub(in crate::io) struct TableWriter<F> {
    file: F,
    batches: Batches,
    path: PathBuf,
}

impl<F: BatchFile> TableWriter<F> {
    /// Starts a file; `table` opens the one that predictions are added to.
    pub(in crate::io) fn create(
        path: &Path,
        plan: &ResultPlan<'_>,
        table: OpenTable,
    ) -> Result<Self, DataError> {
        let batches = Batches::new(path, F::KIND, plan, table)?;
        let file = F::start(OutputFile::create(path)?, &batches.schema);
        let file = file.map_err(|e| DataError::write(path, e))?;
        Ok(Self { file, batches, path: path.to_owned() })
    }
}

impl<F: BatchFile> ArrayWriter for TableWriter<F> {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, batches, .. } = self;
        batches.of(elements, |batch| file.write(&batch))
    }

    fn finish(mut self: Box<Self>) -> Result<(), DataError> {
        self.batches.check_end().map_err(|e| DataError::write(&self.path, e))?;
        self.file.end().map_err(|e| DataError::write(&self.path, e))?.finish()
    }
}

/// A writer of Arrow IPC files.
pub(in crate::io) type Writer = TableWriter<FileWriter<OutputFile>>;

impl BatchFile for FileWriter<OutputFile> {
    const KIND: &str = KIND;

    fn start(file: OutputFile, schema: &Arc<Schema>) -> io::Result<Self> {
        Self::try_new(file, schema).map_err(io::Error::other)
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.write(batch).map_err(io::Error::other)
    }

    fn end(mut self) -> io::Result<OutputFile> {
        self.finish().map_err(io::Error::other)?;
        self.into_inner().map_err(io::Error::other)
    }
}
