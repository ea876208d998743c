use std::fmt;

use crate::array::{ElementType, Hint, Hinted};

/// Something that doesn't stop a fit but that its user should know; the
/// [`hints`](Hinted::hints) say what can be done about it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// Elements lost digits on their way to the type the engine computes in.
    Rounded {
        /// Whose elements.
        label: String,
        /// The type they are stored in.
        from: ElementType,
        /// The type they were brought to.
        to: ElementType,
        /// The number that was taken off them before.
        shift: f64,
        /// The count of those that are now another number.
        count: u64,
        /// The count of all.
        n: u64,
    },
    /// The device's memory doesn't hold the data, so that every pass sends them
    /// there.
    Streamed {
        /// The device.
        adapter: String,
        /// The memory that they take there.
        needed_mib: u64,
    },
    /// The GPU engine was asked for and there is only a software adapter.
    SoftwareAdapter {
        /// Its name.
        adapter: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounded { label, from, to, shift, count, n } => {
                write!(f, "{label}: {count} of {n} {from} elements were rounded to {to}")?;
                if *shift != 0.0 {
                    write!(f, ", after {shift:?} was taken off")?;
                }
                match to {
                    ElementType::F32 => Ok(()),
                    _ if *shift == 0.0 => f.write_str(
                        ", the widest type linfit computes in; take a constant off them first if their \
                         differences matter",
                    ),
                    _ => f.write_str(
                        ", the widest type linfit computes in: they are spread over more than its 2^53 whole \
                         numbers",
                    ),
                }
            }
            Self::Streamed { adapter, needed_mib } => write!(
                f,
                "{adapter}: its memory does not hold the {needed_mib} MiB of the data, which are sent there in \
                 every pass"
            ),
            Self::SoftwareAdapter { adapter } => {
                write!(f, "no real GPU found: using the software adapter {adapter}")
            }
        }
    }
}

impl Hinted for Notice {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Rounded { to: ElementType::F32, .. } => vec![Hint::UnroundedEngine],
            Self::Rounded { .. } => Vec::new(),
            Self::Streamed { .. } | Self::SoftwareAdapter { .. } => vec![Hint::FasterEngine],
        }
    }
}
