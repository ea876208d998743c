use clap::{Args, ValueEnum};

use super::verbosity::Verbosity;
use crate::engine::gpu::Precision;

/// What `--precision` takes.
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
pub(super) struct PrecisionArguments {
    /// How a GPU carries sums; the other engines always compute in f64
    #[arg(long, value_enum, value_name = "PRECISION")]
    precision: Option<PrecisionChoice>,
}

impl PrecisionArguments {
    /// What was asked for.
    pub(super) fn asked(self) -> Option<Precision> {
        self.precision.map(Precision::from)
    }

    /// What a GPU is to use.
    pub(super) fn of_gpu(self) -> Precision {
        self.asked().unwrap_or_default()
    }

    /// Says so where another engine than the GPU was taken.
    pub(super) fn note_f64(self, verbosity: Verbosity) {
        if let Some(precision) = self.asked() {
            verbosity.note(&format!("--precision {precision} is for GPUs; this engine computes in f64"));
        }
    }
}
