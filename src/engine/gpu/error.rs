use crate::array::{Hint, Hinted};

/// A GPU that could not be used, or stopped working; the
/// [`hints`](Hinted::hints) say what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum GpuError {
    #[error("no GPU adapter found")]
    NoAdapter,

    #[error("no usable GPU adapter: {drivers}")]
    BrokenDriver { drivers: String },

    #[error("no adapter matches {wanted:?}, among: {available}")]
    NotFound { wanted: String, available: String },

    #[error("{adapter}: cannot be opened: {reason}")]
    Open { adapter: String, reason: String },

    #[error("{adapter}: out of device memory: the data need {needed_mib} MiB there")]
    OutOfMemory { adapter: String, needed_mib: u64 },

    #[error("{adapter}: the device was lost ({reason})")]
    Lost { adapter: String, reason: String },

    #[error("{adapter}: no answer within {seconds} s")]
    Timeout { adapter: String, seconds: u64 },

    #[error("{adapter}: results could not be read back ({reason})")]
    Readback { adapter: String, reason: String },

    #[error("{adapter}: the driver refused the work ({reason}); please report this")]
    Refused { adapter: String, reason: String },

    #[error(
        "{adapter}: loses the rounding errors that compensated precision is made of ({lost} of {of} in the \
         self-test)"
    )]
    NoCompensation { adapter: String, lost: usize, of: usize },

    #[error("{adapter}: has no f64 in its shaders")]
    NoF64 { adapter: String },

    #[error("{adapter}: {reason}")]
    Limit { adapter: String, reason: String },
}

impl Hinted for GpuError {
    fn hints(&self) -> Vec<Hint> {
        const INSTALL: Hint = Hint::Do(
            "install your GPU's Vulkan driver (on Debian or Ubuntu a software adapter is in mesa-vulkan-drivers)",
        );
        let remedy = match self {
            Self::NotFound { .. } => return vec![Hint::ListAdapters],
            Self::BrokenDriver { .. } => {
                return vec![Hint::Do("update or remove it"), Hint::CpuEngine, Hint::ListAdapters];
            }
            Self::NoAdapter => Some(INSTALL),
            Self::Open { .. } => Some(Hint::OtherAdapter),
            Self::OutOfMemory { .. } => Some(Hint::StreamData),
            Self::Lost { .. } | Self::Timeout { .. } | Self::Readback { .. } => Some(Hint::Do("run again")),
            Self::NoCompensation { .. } => Some(Hint::FastPrecision),
            Self::NoF64 { .. } => Some(Hint::CompensatedPrecision),
            Self::Refused { .. } | Self::Limit { .. } => None,
        };
        remedy.into_iter().chain([Hint::CpuEngine]).collect()
    }
}
