use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::math::Affine;

/// Why a file is not a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum ModelError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: not a model ({reason}); give a file written by `linfit fit --save`", path.display())]
    Invalid { path: PathBuf, reason: String },
}

/// No model is nearly as long; what is was given by mistake.
const MAX_MODEL_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Model {
    weight: f64,
    bias: f64,
}

/// Reads W and b from the JSON that `fit --save` or `fit --json` wrote, or
/// from any JSON object with the numbers `weight` and `bias`.
///
/// # Errors
/// [`ModelError`]: the file can't be read, isn't such an object, or its
/// numbers aren't finite.
pub fn load_model(path: &Path) -> Result<Affine, ModelError> {
    let failed = |source| ModelError::Read { path: path.to_owned(), source };
    let invalid = |reason: String| ModelError::Invalid { path: path.to_owned(), reason };
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_MODEL_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_MODEL_BYTES {
        return Err(invalid(format!("it is longer than {MAX_MODEL_BYTES} bytes")));
    }
    // By way of a map, since a bare `[1, 2]` would pass for the struct too.
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&text).map_err(|e| invalid(e.to_string()))?;
    let Model { weight, bias } = serde_json::from_value(object.into()).map_err(|e| invalid(e.to_string()))?;
    let model = Affine { weight, bias };
    if model.is_finite() { Ok(model) } else { Err(invalid("weight or bias is not finite".to_owned())) }
}
