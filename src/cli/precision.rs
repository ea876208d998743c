use clap::{Args, ValueEnum};

use super::verbosity::Verbosity;
use crate::engine::gpu::Precision;

/// The values of `--precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionChoice {
    /// f32, in short runs
    Fast,
    /// Two f32 for each number; refused where the driver loses rounding errors
    Compensated,
    /// f64, where the adapter has it
    F64,
}

impl From<PrecisionChoice> for Precision {
    fn from(choice: PrecisionChoice) -> Self {
        match choice {
            PrecisionChoice::Fast => Self::Fast,
            PrecisionChoice::Compensated => Self::Compensated,
            PrecisionChoice::F64 => Self::F64,
        }
    }
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct PrecisionArguments {
    /// The precision of a GPU's sums; the other engines always compute in f64
    #[arg(long, value_enum, value_name = "PRECISION")]
    precision: Option<PrecisionChoice>,
}

impl PrecisionArguments {
    /// The precision that was asked for.
    pub(super) fn asked(self) -> Option<Precision> {
        self.precision.map(Precision::from)
    }

    /// The precision of a GPU.
    pub(super) fn of_gpu(self) -> Precision {
        self.asked().unwrap_or_default()
    }

    /// Tells that it has no effect on another engine.
    pub(super) fn note_f64(self, verbosity: Verbosity) {
        if let Some(precision) = self.asked() {
            verbosity.note(&format!("--precision {precision} is for GPUs; this engine computes in f64"));
        }
    }
}
