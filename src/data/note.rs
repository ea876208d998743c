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
    /// A mask of the image's own, or what stands for one, excludes pixels.
    Masked {
        /// What it is.
        by: String,
        /// How many pixels it excludes.
        count: u64,
    },
    /// What could be a mask is not used.
    NotMasked {
        /// What it is.
        by: String,
        /// Why.
        reason: &'static str,
    },
    /// The nodata value comes from a file beside the image.
    NodataBeside {
        /// The value.
        value: f64,
        /// The file.
        file: String,
    },
    /// The first image of a file is a reduced copy, and another one is read.
    ReducedFirst,
    /// The only image of a file calls itself a reduced copy.
    OnlyReduced,
    /// The sizes of strips or tiles are not in the file.
    SizesCalculated,
}

impl Note {
    /// Whether only a verbose command tells it.
    #[must_use]
    pub fn is_detail(&self) -> bool {
        matches!(self, Self::NotScaled { .. } | Self::Masked { count: 0, .. })
    }

    /// Whether it tells which elements are excluded.
    #[must_use]
    pub fn is_exclusion(&self) -> bool {
        matches!(self, Self::Masked { .. } | Self::NodataBeside { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotScaled { scale, offset } => {
                write!(f, "read as it is stored, not with its scale {scale:?} and offset {offset:?}")
            }
            Self::Masked { by, count } => {
                write!(f, "{count} pixel{} excluded by {by}", if *count == 1 { " is" } else { "s are" })
            }
            Self::NotMasked { by, reason } => write!(f, "{by} excludes no pixels: {reason}"),
            Self::NodataBeside { value, file } => write!(f, "its nodata value {value:?} comes from {file}"),
            Self::ReducedFirst => f.write_str(
                "its first image calls itself a reduced copy and is passed over; what is read is the image \
                 in full that is there too",
            ),
            Self::OnlyReduced => f.write_str(
                "its only image calls itself a reduced copy of another one, and is read; if that other one is \
                 meant, find the file that has it",
            ),
            Self::SizesCalculated => f.write_str(
                "its strips or tiles have places but no sizes, which were calculated from the image's; write it \
                 again, for example with tiffcp",
            ),
        }
    }
}
