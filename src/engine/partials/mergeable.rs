use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::PartialsError;
use crate::math::{Affine, Loss, LossSums, Moments, SumsAccumulator};

/// A kind of result that merges.
pub trait Mergeable: Sized {
    /// The name of the kind in the serialised form.
    const KIND: &'static str;

    /// The value of a range of chunks.
    type Value: Clone + std::fmt::Debug + PartialEq + Send + Sync + Serialize + DeserializeOwned;

    /// The value of the elements of both; the first ones' come first.
    ///
    /// # Errors
    /// [`PartialsError::Points`], [`PartialsError::Losses`].
    fn merge(first: Self::Value, second: Self::Value) -> Result<Self::Value, PartialsError>;

    /// The result that a value stands for.
    fn result(value: &Self::Value) -> Self;

    /// The number of elements of a value that was read from somewhere; `None` if
    /// no data have such a value.
    fn elements(value: &Self::Value) -> Option<u64>;
}

impl Mergeable for Moments {
    const KIND: &'static str = "moments";
    type Value = Self;

    fn merge(first: Self, second: Self) -> Result<Self, PartialsError> {
        Ok(first.merge(second))
    }

    fn result(value: &Self) -> Self {
        *value
    }

    fn elements(value: &Self) -> Option<u64> {
        value.is_possible().then_some(value.n)
    }
}

/// Loss sums, the W and b that they are at, and the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SumsAt {
    pub(in crate::engine) at: Affine,
    #[serde(default, skip_serializing_if = "is_squared")]
    pub(in crate::engine) loss: Loss,
    pub(in crate::engine) sums: SumsAccumulator,
}

/// True for the loss of parts that name none.
fn is_squared(loss: &Loss) -> bool {
    *loss == Loss::Squared
}

impl Mergeable for LossSums {
    const KIND: &'static str = "loss_sums";
    type Value = SumsAt;

    fn merge(first: SumsAt, second: SumsAt) -> Result<SumsAt, PartialsError> {
        let bits = |at: Affine| [at.weight, at.bias].map(f64::to_bits);
        if bits(first.at) != bits(second.at) {
            return Err(PartialsError::Points { one: first.at, other: second.at });
        }
        if first.loss != second.loss {
            return Err(PartialsError::Losses { one: first.loss, other: second.loss });
        }
        Ok(SumsAt { sums: first.sums.merge(second.sums), ..first })
    }

    fn result(value: &SumsAt) -> Self {
        value.sums.total()
    }

    fn elements(value: &SumsAt) -> Option<u64> {
        value.sums.is_possible().then(|| value.sums.n())
    }
}
