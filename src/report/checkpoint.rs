use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::array::DataError;
use crate::fit::{Progress, State};
use crate::io::SavedDescent;
use crate::io::output::OutputFile;
use crate::math::{Affine, Double};

/// The state of a descent with these W and b as the file of a model has it.
#[must_use]
pub fn saved(model: Affine, progress: &Progress) -> SavedDescent {
    let Progress { step, epoch, batch, velocity, height } = *progress;
    let height = height.map(|height| [height.value(), height.rest()]);
    let velocity = [velocity.weight, velocity.bias];
    SavedDescent { weight: model.weight, bias: model.bias, step, epoch, batch, velocity, height }
}

/// W and b and the progress of a descent whose state a file has.
#[must_use]
pub fn resumed(saved: &SavedDescent) -> (Affine, Progress) {
    let SavedDescent { weight, bias, step, epoch, batch, velocity, height } = *saved;
    let height = height.map(|[value, rest]| Double::sum(value, rest));
    let velocity = Affine::new(velocity[0], velocity[1]);
    (Affine::new(weight, bias), Progress { step, epoch, batch, velocity, height })
}

/// A file that keeps the state of a descent every so many steps, each time in the place of
/// the last: whatever ends the program, one of them is there and whole.
#[derive(Debug)]
pub struct Checkpoints {
    path: PathBuf,
    every: u64,
}

#[derive(Serialize)]
struct Checkpoint {
    weight: f64,
    bias: f64,
    loss: f64,
    descent: SavedDescent,
}

impl Checkpoints {
    /// Checkpoints in a file, every so many steps.
    ///
    /// # Errors
    /// [`DataError::Write`]: the file could not be written.
    pub fn new(path: &Path, every: u64) -> Result<Self, DataError> {
        OutputFile::check(path)?;
        Ok(Self { path: path.to_owned(), every: every.max(1) })
    }

    /// Keeps a state, if it is one to be kept.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn see(&self, state: &State) -> Result<(), DataError> {
        if state.step == 0 || !state.step.is_multiple_of(self.every) {
            return Ok(());
        }
        let State { model: Affine { weight, bias }, evaluation, .. } = *state;
        let descent = saved(state.model, &state.progress);
        let checkpoint = Checkpoint { weight, bias, loss: evaluation.loss, descent };
        let text = serde_json::to_vec(&checkpoint).map_err(|e| DataError::write(&self.path, e.into()))?;
        OutputFile::create(&self.path)?.finish_with(&text)
    }
}
