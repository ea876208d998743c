use std::fmt;

/// Something that a file's reader found and that does not stop a fit, but that
/// its user should know. The text says what was done and, where there is a
/// choice, how to have it done otherwise.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The file has a scale and an offset, which are not applied.
    NotScaled {
        /// The file's scale.
        scale: f64,
        /// The file's offset.
        offset: f64,
    },
}

impl Note {
    /// Whether only a verbose command tells it.
    #[must_use]
    pub fn is_detail(&self) -> bool {
        matches!(self, Self::NotScaled { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotScaled { scale, offset } => {
                write!(f, "read as it is stored, not with its scale {scale:?} and offset {offset:?}")
            }
        }
    }
}
