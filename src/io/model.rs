use std::ffi::OsStr;
use std::io;
use std::path::Path;

use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::document::{Document, DocumentError, from_object};
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
    ::safetensors::serialize(tensors, None).map_err(io::Error::other)
}

#[derive(Deserialize)]
struct Model {
    weight: f64,
    bias: f64,
    descent: Option<SavedDescent>,
}

/// The state of a descent in the file of a model, from which it goes on as if it had not
/// ended.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedDescent {
    /// W after the last step: that of the model, unless that is a mean of many.
    pub weight: f64,
    /// b.
    pub bias: f64,
    /// Steps so far.
    pub step: u64,
    /// Epochs completed.
    #[serde(default)]
    pub epoch: u64,
    /// Batches of the next epoch that were gone through.
    #[serde(default)]
    pub batch: u64,
    /// The velocities of W and b.
    pub velocity: [f64; 2],
    /// The prediction at the mean of X, and the digits that f64 has not, where steps in
    /// standardized coordinates hold it in the place of b.
    #[serde(default)]
    pub height: Option<[f64; 2]>,
}

/// W and b from a file, as [`load_model`] reads them, and the state of the descent that
/// led to them, if the file has one.
///
/// # Errors
/// [`DocumentError`].
pub fn load_descent(path: &Path) -> Result<(Affine, Option<SavedDescent>), DocumentError> {
    Document::Model.read(path, |bytes| {
        let (model, descent) = match ModelFormat::of(path) {
            ModelFormat::Json => {
                from_object(bytes).map(|Model { weight, bias, descent }| (Affine { weight, bias }, descent))
            }
            ModelFormat::Safetensors => from_safetensors(bytes).map(|model| (model, None)),
        }?;
        if !model.is_finite() {
            return Err("weight or bias is not finite".to_owned());
        }
        let mut numbers = descent.iter().flat_map(|saved| {
            let height = saved.height.unwrap_or_default();
            [saved.weight, saved.bias].into_iter().chain(saved.velocity).chain(height)
        });
        if !numbers.all(f64::is_finite) {
            return Err("a number of its descent is not finite".to_owned());
        }
        Ok((model, descent))
    })
}

/// Reads W and b from a file that `fit --save` or `fit --json` wrote: from any
/// JSON object with the numbers `weight` and `bias`, or from a file of
/// safetensors with tensors so named, of one element each.
///
/// # Errors
/// [`DocumentError`]: the file can't be read, isn't such an object, or its
/// numbers aren't finite.
pub fn load_model(path: &Path) -> Result<Affine, DocumentError> {
    load_descent(path).map(|(model, _)| model)
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
