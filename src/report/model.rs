use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::array::{Hint, Hinted, shown};
use crate::math::Affine;

/// A kind of file that holds W and b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFormat {
    /// The report of a fit.
    Json,
    /// The tensors `weight`, 1×1, and `bias`, of one element, as f32: the state
    /// of PyTorch's `nn.Linear(1, 1)`.
    Safetensors,
}

impl ModelFormat {
    /// The format that a file's extension asks for.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(OsStr::to_str) {
            Some(extension) if extension.eq_ignore_ascii_case("safetensors") => Self::Safetensors,
            _ => Self::Json,
        }
    }
}

/// A model as [`ModelFormat::Safetensors`], rounded to f32.
///
/// # Errors
/// W or b is beyond the range of f32; the format's own.
#[expect(clippy::cast_possible_truncation, reason = "rounding is the documented meaning")]
pub fn to_safetensors(model: Affine) -> io::Result<Vec<u8>> {
    let [weight, bias] = [model.weight as f32, model.bias as f32];
    if !(weight.is_finite() && bias.is_finite()) {
        return Err(io::Error::other("the weight or the bias is beyond the range of f32; save it as .json"));
    }
    let [weight, bias] = [weight, bias].map(f32::to_le_bytes);
    let tensors = [
        ("weight", TensorView::new(Dtype::F32, vec![1, 1], &weight).map_err(io::Error::other)?),
        ("bias", TensorView::new(Dtype::F32, vec![1], &bias).map_err(io::Error::other)?),
    ];
    safetensors::serialize(tensors, None).map_err(io::Error::other)
}

/// Why a file is not a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum ModelError {
    #[error("{}: {source}", shown(path))]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: not a model ({reason})", shown(path))]
    Invalid { path: PathBuf, reason: String },
}

impl Hinted for ModelError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Invalid { .. } => vec![Hint::SavedModel],
            Self::Read { .. } => Vec::new(),
        }
    }
}

/// No model is nearly as long; what is was given by mistake.
const MAX_MODEL_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Model {
    weight: f64,
    bias: f64,
}

/// Reads W and b from what `fit --save` or `fit --json` wrote: from any JSON
/// object with the numbers `weight` and `bias`, or from a file of safetensors
/// with tensors of these names, of one element each.
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
    let model = match ModelFormat::of(path) {
        ModelFormat::Json => from_json(&text),
        ModelFormat::Safetensors => from_safetensors(&text),
    };
    let model = model.map_err(invalid)?;
    if model.is_finite() { Ok(model) } else { Err(invalid("weight or bias is not finite".to_owned())) }
}

fn from_json(text: &[u8]) -> Result<Affine, String> {
    // By way of a map, since a bare `[1, 2]` would pass for the struct too.
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let Model { weight, bias } = serde_json::from_value(object.into()).map_err(|e| e.to_string())?;
    Ok(Affine { weight, bias })
}

fn from_safetensors(bytes: &[u8]) -> Result<Affine, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let number = |name: &str| -> Result<f64, String> {
        let tensor = tensors.tensor(name).map_err(|_| format!("it has no tensor {name:?}"))?;
        let data = tensor.data();
        match (tensor.dtype(), data.len()) {
            (Dtype::F64, 8) => Ok(f64::from_le_bytes(bytemuck::pod_read_unaligned::<[u8; 8]>(data))),
            (Dtype::F32, 4) => {
                Ok(f64::from(f32::from_le_bytes(bytemuck::pod_read_unaligned::<[u8; 4]>(data))))
            }
            (Dtype::F16, 2) => {
                Ok(half::f16::from_le_bytes(bytemuck::pod_read_unaligned::<[u8; 2]>(data)).to_f64())
            }
            (Dtype::BF16, 2) => {
                Ok(half::bf16::from_le_bytes(bytemuck::pod_read_unaligned::<[u8; 2]>(data)).to_f64())
            }
            (dtype, _) => Err(format!(
                "its tensor {name:?} is {dtype:?} of shape {:?}, not one floating-point number",
                tensor.shape()
            )),
        }
    };
    Ok(Affine { weight: number("weight")?, bias: number("bias")? })
}
