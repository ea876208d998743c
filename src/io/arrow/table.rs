//! All columns of an IPC file or a stream, for a table that a column is added to. What is
//! read here was found whole by the reader of X, and goes to a file batch by batch.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use arrow_ipc::reader::{FileReader, StreamReader};

use super::column::KIND;
use super::output::Table;
use crate::array::DataError;
use crate::array::error::reason;

/// The first bytes of a file; a stream has none.
pub(super) const SIGNATURE: &[u8] = b"ARROW1";

/// Opens all columns.
pub(in crate::io) fn open_table(path: &Path) -> Result<Table, DataError> {
    let io = |e| DataError::io(path, e);
    let invalid = |e: arrow_schema::ArrowError| DataError::Invalid {
        path: path.to_owned(),
        kind: KIND,
        reason: reason(&e.to_string()),
    };
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    file.by_ref().take(SIGNATURE.len() as u64).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    if start == SIGNATURE {
        let reader = FileReader::try_new(BufReader::new(file), None).map_err(invalid)?;
        let schema = reader.schema();
        return Ok(Table { schema, batches: Box::new(reader.map(|batch| batch.map_err(|e| e.to_string()))) });
    }
    let reader = StreamReader::try_new(BufReader::new(file), None).map_err(invalid)?;
    let schema = reader.schema();
    Ok(Table { schema, batches: Box::new(reader.map(|batch| batch.map_err(|e| e.to_string()))) })
}
