use crate::math::LineKind;

/// W or b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// W.
    Weight,
    /// b.
    Bias,
}

impl Parameter {
    /// The parameter that a descent to a line of this kind leaves as it is.
    #[must_use]
    pub fn fixed_by(line: LineKind) -> Option<Self> {
        match line {
            LineKind::ThroughOrigin { .. } => Some(Self::Bias),
            LineKind::Offset { .. } => Some(Self::Weight),
            _ => None,
        }
    }
}
