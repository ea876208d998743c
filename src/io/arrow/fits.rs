//! Tables of many fits, a row for each.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{Field, Schema};

use super::output::BatchFile;
use crate::array::{DataError, LabelNames};
use crate::io::fits_plan::{COUNT, FitsPlan, Keys};
use crate::io::output::OutputFile;

/// Rows of a batch.
const BATCH_ROWS: usize = 1 << 16;

/// Writes a table of fits in a format that takes batches.
pub(in crate::io) fn write_fits_as<F: BatchFile>(path: &Path, plan: &FitsPlan<'_>) -> Result<(), DataError> {
    let failed = |e: io::Error| DataError::write(path, e);
    let keys = plan.keys.columns(plan.shape);
    let batch = |first: usize| -> io::Result<RecordBatch> {
        let fits = first..plan.count.min(first + BATCH_ROWS);
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        if let Keys::Labels(LabelNames::Text(texts)) = plan.keys {
            let texts = StringArray::from_iter_values(&texts[fits.clone()]);
            columns.push(("group".to_owned(), Arc::new(texts)));
        }
        for (name, number) in &keys {
            columns.push((name.clone(), whole_column(fits.clone().map(number), is_unsigned(plan))));
        }
        let rows: Vec<_> = fits.map(|fit| (plan.numbers)(fit)).collect();
        for (column, name) in plan.names.iter().enumerate() {
            let numbers = rows.iter().map(|row| row[column]);
            #[expect(clippy::cast_possible_truncation, reason = "a count")]
            let array: ArrayRef = if column == COUNT {
                Arc::new(numbers.map(|number| number as i64).collect::<Int64Array>())
            } else {
                Arc::new(Float64Array::from_iter_values(numbers))
            };
            columns.push(((*name).to_owned(), array));
        }
        let fields = columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), false));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(schema, arrays).map_err(io::Error::other)
    };
    let first = batch(0).map_err(failed)?;
    let mut file = F::start(OutputFile::create(path)?, &first.schema()).map_err(failed)?;
    file.write(&first).map_err(failed)?;
    for start in (BATCH_ROWS..plan.count).step_by(BATCH_ROWS) {
        file.write(&batch(start).map_err(failed)?).map_err(failed)?;
    }
    file.end().map_err(failed)?.finish()
}

/// Whether labels are beyond i64.
fn is_unsigned(plan: &FitsPlan<'_>) -> bool {
    match plan.keys {
        Keys::Labels(LabelNames::Whole(labels)) => labels.iter().any(|&label| i64::try_from(label).is_err()),
        _ => false,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "labels of 64 bits")]
fn whole_column(numbers: impl Iterator<Item = i128>, is_unsigned: bool) -> ArrayRef {
    if is_unsigned {
        Arc::new(numbers.map(|number| number as u64).collect::<UInt64Array>())
    } else {
        Arc::new(numbers.map(|number| number as i64).collect::<Int64Array>())
    }
}
