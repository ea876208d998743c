/// Why a GPU could not be used, or stopped working. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields hold")]
pub enum GpuError {
    #[error(
        "no GPU adapter found; install your GPU's Vulkan driver (on Debian or Ubuntu a software \
         adapter is in mesa-vulkan-drivers), or use --engine cpu"
    )]
    NoAdapter,

    #[error(
        "no usable GPU adapter: {drivers}; update or remove it, or use --engine cpu; `linfit devices` tries it \
         again, and lists the adapters that work, for --adapter"
    )]
    BrokenDriver { drivers: String },

    #[error("no adapter matches {wanted:?}; `linfit devices` lists them: {available}")]
    NotFound { wanted: String, available: String },

    #[error("{adapter}: cannot be opened: {reason}; try another --adapter or --engine cpu")]
    Open { adapter: String, reason: String },

    #[error(
        "{adapter}: out of device memory; the data need {needed_mib} MiB there; \
         stream them with --memory SIZE, or use --engine cpu"
    )]
    OutOfMemory { adapter: String, needed_mib: u64 },

    #[error("{adapter}: the device was lost ({reason}); run again, or use --engine cpu")]
    Lost { adapter: String, reason: String },

    #[error("{adapter}: no answer within {seconds} s; run again, or use --engine cpu")]
    Timeout { adapter: String, seconds: u64 },

    #[error("{adapter}: results could not be read back ({reason}); run again, or use --engine cpu")]
    Readback { adapter: String, reason: String },

    #[error("{adapter}: the driver refused the work ({reason}); use --engine cpu and report this")]
    Refused { adapter: String, reason: String },

    #[error(
        "{adapter}: loses the rounding errors that --precision compensated is made of ({lost} of {of} \
         in the self-test); use --precision fast, or --engine cpu"
    )]
    NoCompensation { adapter: String, lost: usize, of: usize },

    #[error("{adapter}: has no f64 in its shaders; use --precision compensated, or --engine cpu")]
    NoF64 { adapter: String },

    #[error("{adapter}: {reason}; use --engine cpu")]
    Limit { adapter: String, reason: String },
}
