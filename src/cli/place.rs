use clap::ValueEnum;

use super::drivers::Drivers;
use super::error::CliError;
use super::verbosity::Verbosity;
use crate::array::Problem;
use crate::engine::gpu::{Adapter, Adapters, Gpu, GpuError, GpuSettings};
use crate::engine::{Cpu, Engine, EngineError};

/// An engine and what it runs on, to be opened on any data.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Cpu,
    Gpu(&'a Adapter, GpuSettings),
}

impl<'a> Place<'a> {
    pub(super) fn adapter(self) -> Option<&'a Adapter> {
        match self {
            Self::Cpu => None,
            Self::Gpu(adapter, _) => Some(adapter),
        }
    }

    /// The engine's name in reports.
    pub(super) fn engine(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu(..) => "gpu",
        }
    }

    pub(super) fn open(self, data: &Problem) -> Result<Box<dyn Engine>, EngineError> {
        Ok(match self {
            Self::Cpu => Box::new(Cpu::new(data)),
            Self::Gpu(adapter, settings) => Gpu::engine(adapter, data, &settings)?,
        })
    }
}

/// The engines that can be measured or compared alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnlyEngine {
    /// All CPU cores
    Cpu,
    /// Every GPU adapter, software adapters included
    Gpu,
}

impl OnlyEngine {
    /// Tries the drivers that are needed: none for the CPU alone.
    pub(super) fn drivers(only: Option<Self>, verbosity: Verbosity) -> Result<Option<Drivers>, CliError> {
        (only != Some(Self::Cpu)).then(|| Drivers::try_all(verbosity)).transpose()
    }
}

/// Tells the user that adapters are missing or broken; an error if there are
/// none and only GPUs were asked for. `done` is what is done to engines.
pub(super) fn check_adapters(
    drivers: &Drivers,
    adapters: &Adapters,
    only: Option<OnlyEngine>,
    verbosity: Verbosity,
    done: &str,
) -> Result<(), CliError> {
    if adapters.is_empty() && only == Some(OnlyEngine::Gpu) {
        return Err(drivers.failure().unwrap_or(GpuError::NoAdapter).into());
    }
    drivers.note_broken(verbosity);
    if adapters.is_empty() {
        verbosity.note(&format_args!("no GPU adapter found; only the CPU engine is {done}"));
    }
    Ok(())
}
