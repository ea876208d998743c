//! Columns of predictions as Arrow's batches, and files of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::super::output::OutputFile;
use super::super::results::ArrayWriter;
use crate::array::nulls::Nulls;
use crate::array::{Array, DataError, ElementType};

/// Rows of a batch that is written.
const BATCH_ROWS: usize = 1 << 16;

/// A column of predictions on its way to a file: it has nulls where X has, and
/// what else is given.
pub(in super::super) struct Batches {
    pub(in super::super) schema: Arc<Schema>,
    nulls: Option<Arc<Nulls>>,
    rows: usize,
}

impl Batches {
    /// No batches yet; `None` for a type that Arrow does not have.
    pub(in super::super) fn new(name: &str, element: ElementType, x: &Array) -> Option<Self> {
        let nulls = x.nulls().cloned();
        let field = Field::new(name, data_type(element)?, nulls.is_some());
        Some(Self { schema: Arc::new(Schema::new(vec![field])), nulls, rows: 0 })
    }

    /// Makes batches of the next elements, given as bytes, and hands them on.
    pub(in super::super) fn of(
        &mut self,
        elements: &[u8],
        mut take: impl FnMut(RecordBatch) -> io::Result<()>,
    ) -> io::Result<()> {
        let data_type = self.schema.field(0).data_type();
        let size = data_type.primitive_width().unwrap_or(1);
        for bytes in elements.chunks(BATCH_ROWS * size) {
            let rows = self.rows..self.rows + bytes.len() / size;
            self.rows = rows.end;
            let valid = self.nulls.as_ref().map(|nulls| rows.map(|k| !nulls.contains(k)).collect());
            let column = column(data_type, bytes, valid).map_err(io::Error::other)?;
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![column]);
            take(batch.map_err(io::Error::other)?)?;
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

/// Writes an Arrow IPC file of one column.
pub(in super::super) struct Writer {
    file: FileWriter<OutputFile>,
    batches: Batches,
    path: PathBuf,
}

impl Writer {
    pub(in super::super) fn create(
        path: &Path,
        name: &str,
        x: &Array,
        element: ElementType,
    ) -> Result<Self, DataError> {
        let batches = Batches::new(name, element, x)
            .ok_or_else(|| DataError::write(path, io::Error::other(format!("Arrow has no {element}"))))?;
        let file = FileWriter::try_new(OutputFile::create(path)?, &batches.schema)
            .map_err(|e| DataError::write(path, io::Error::other(e)))?;
        Ok(Self { file, batches, path: path.to_owned() })
    }
}

impl ArrayWriter for Writer {
    fn write(&mut self, elements: &[u8]) -> io::Result<()> {
        let Self { file, batches, .. } = self;
        batches.of(elements, |batch| file.write(&batch).map_err(io::Error::other))
    }

    fn finish(mut self: Box<Self>) -> Result<(), DataError> {
        let failed = |e| DataError::write(&self.path, io::Error::other(e));
        self.file.finish().map_err(failed)?;
        self.file.into_inner().map_err(failed)?.finish()
    }
}
