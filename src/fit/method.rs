use std::fmt;

use serde::Serialize;

/// The solver that found W and b.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Gradient descent, a pass for each step.
    #[serde(rename = "sgd")]
    GradientDescent,
    /// Gradient descent from the moments.
    Moments,
    /// The closed form.
    Exact,
}

/// The name that users choose it by.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GradientDescent => "sgd",
            Self::Moments => "moments",
            Self::Exact => "exact",
        })
    }
}
