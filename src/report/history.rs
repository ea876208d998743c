use std::path::{Path, PathBuf};

use crate::array::DataError;
use crate::fit::State;
use crate::io::output::OutputFile;

/// The history file of a fit: a CSV with a row for every state. Appears when
/// [`finish`](Self::finish)ed.
pub struct History {
    path: PathBuf,
    rows: csv::Writer<OutputFile>,
}

impl History {
    /// Starts a history file.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let mut rows = csv::Writer::from_writer(OutputFile::create(path)?);
        rows.write_record(["step", "loss", "grad_weight", "grad_bias", "weight", "bias"])
            .map_err(|e| failed(path, e))?;
        Ok(Self { path: path.to_owned(), rows })
    }

    /// Adds a state.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn add(&mut self, state: &State) -> Result<(), DataError> {
        let State { step, model, evaluation, .. } = state;
        let row =
            (step, evaluation.loss, evaluation.grad_weight, evaluation.grad_bias, model.weight, model.bias);
        self.rows.serialize(row).map_err(|e| failed(&self.path, e))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(self) -> Result<(), DataError> {
        let file = self.rows.into_inner().map_err(|e| failed(&self.path, e.into_error().into()))?;
        file.finish()
    }
}

fn failed(path: &Path, error: csv::Error) -> DataError {
    DataError::Write { path: path.to_owned(), source: error.into() }
}
