use clap::{Args, ValueEnum};

use super::drivers::Drivers;
use super::error::CliError;
use super::hint::told;
use super::memory::MemoryArguments;
use super::place::Place;
use super::precision::PrecisionArguments;
use super::tuning::TuningArguments;
use super::verbosity::Verbosity;
use crate::array::Problem;
use crate::engine::gpu::{Adapter, AdapterChoice, Adapters, GpuSettings};
use crate::engine::{Cpu, Engine, EngineKind, Notice, Reference};

/// The values of `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineChoice {
    /// A real GPU if there is one, else the CPU; always the CPU where there is only one pass over the data
    Auto,
    /// The best adapter, software adapters included
    Gpu,
    /// All CPU cores, f64 arithmetic
    Cpu,
    /// One core, plain f64 with compensated sums: the definition, and slow
    Reference,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct EngineArguments {
    /// The engine that computes
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto, value_name = "ENGINE")]
    engine: EngineChoice,

    /// The GPU adapter, by its number in `linfit devices` or a part of its name
    #[arg(long, value_name = "NUMBER|NAME")]
    adapter: Option<AdapterChoice>,

    #[command(flatten)]
    memory: MemoryArguments,

    #[command(flatten)]
    precision: PrecisionArguments,

    #[command(flatten)]
    tuning: TuningArguments,
}

/// An engine, and the reason for it if it wasn't asked for by name.
pub(super) struct Opened {
    pub(super) engine: Box<dyn Engine>,
    pub(super) reason: Option<String>,
}

/// The choice of `--engine auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auto {
    /// A real GPU, if there is one.
    Gpu,
    /// The CPU, without a search for GPUs: on the way to one and back the data
    /// would take longer than the CPU's pass.
    Cpu,
}

/// The engine to open, and the drivers that it needs: none on the CPU.
pub(super) struct EngineChosen<'a> {
    arguments: &'a EngineArguments,
    drivers: Option<Drivers>,
}

impl EngineArguments {
    /// Checks the choice and tries the drivers that it needs. To be called before
    /// anything is read or written: the program may start anew.
    pub(super) fn choose(&self, auto: Auto, verbosity: Verbosity) -> Result<EngineChosen<'_>, CliError> {
        let drivers = match (self.engine, &self.adapter) {
            (EngineChoice::Cpu | EngineChoice::Reference, Some(_)) => {
                return Err(CliError::Usage(
                    "--adapter chooses a GPU; use it with --engine gpu or auto".to_owned(),
                ));
            }
            (EngineChoice::Cpu | EngineChoice::Reference, None) => None,
            (EngineChoice::Auto, None) if auto == Auto::Cpu => None,
            (EngineChoice::Auto, None) => Some(Drivers::try_for_real_gpu(verbosity)?),
            (EngineChoice::Gpu, _) | (EngineChoice::Auto, Some(_)) => Some(Drivers::try_all(verbosity)?),
        };
        Ok(EngineChosen { arguments: self, drivers })
    }

    fn gpu<'a>(&self, adapter: &'a Adapter, verbosity: Verbosity) -> Place<'a> {
        let settings = GpuSettings {
            memory_bytes: self.memory.device_bytes(adapter),
            tuning: Some(self.tuning.load(verbosity).of(adapter)),
            precision: self.precision.of_gpu(),
        };
        Place::Gpu(adapter, settings)
    }

    /// Bytes of data the host may hold.
    pub(super) fn host_bytes(&self) -> u64 {
        self.memory.host_bytes()
    }

    /// Whether the CPU engine may be used: asked for or not ruled out.
    pub(super) fn allows_cpu(&self) -> bool {
        self.adapter.is_none() && matches!(self.engine, EngineChoice::Auto | EngineChoice::Cpu)
    }
}

impl EngineChosen<'_> {
    /// Opens the engine that was asked for, or the best one of the machine,
    /// and tells its notices.
    pub(super) fn open(&self, data: &Problem, verbosity: Verbosity) -> Result<Opened, CliError> {
        let mut opened = match &self.drivers {
            Some(drivers) => self.open_with(drivers, data, verbosity)?,
            None if self.arguments.engine == EngineChoice::Reference => {
                Opened { engine: Box::new(Reference::new(data)), reason: None }
            }
            None => Opened { engine: Place::Cpu.open(data)?, reason: None },
        };
        if opened.engine.info().kind != EngineKind::Gpu {
            self.arguments.precision.note_f64(verbosity);
        }
        verbosity.notices_of(opened.engine.as_mut());
        Ok(opened)
    }

    /// The engine that would be opened, and whether it is the CPU's.
    pub(super) fn described(&self) -> Result<(String, bool), CliError> {
        let cpu = || format!("cpu ({})", Cpu::describe());
        let Some(drivers) = &self.drivers else {
            return Ok(match self.arguments.engine {
                EngineChoice::Reference => ("reference".to_owned(), false),
                _ => (cpu(), true),
            });
        };
        let choice = self.arguments.adapter.as_ref();
        if self.arguments.engine == EngineChoice::Gpu || choice.is_some() {
            let adapters = drivers.adapters();
            return Ok((drivers.choose(&adapters, choice)?.name().to_owned(), false));
        }
        let adapters = drivers.may_have_real_gpu().then(|| drivers.adapters());
        Ok(match adapters.as_ref().and_then(Adapters::real_gpu) {
            Some(adapter) => (format!("{}; the best GPU found", adapter.name()), false),
            None => (format!("{}; {}", cpu(), drivers.no_gpu_reason(adapters.as_ref())), true),
        })
    }

    fn open_with(&self, drivers: &Drivers, data: &Problem, verbosity: Verbosity) -> Result<Opened, CliError> {
        let choice = self.arguments.adapter.as_ref();
        if self.arguments.engine == EngineChoice::Gpu || choice.is_some() {
            let adapters = drivers.adapters();
            let adapter = drivers.choose(&adapters, choice)?;
            drivers.note_broken(verbosity);
            if adapter.is_software() && choice.is_none() {
                verbosity.note(&told(&Notice::SoftwareAdapter { adapter: adapter.name().to_owned() }));
            }
            return Ok(Opened { engine: self.arguments.gpu(adapter, verbosity).open(data)?, reason: None });
        }
        drivers.note_broken(verbosity);
        let adapters = drivers.may_have_real_gpu().then(|| drivers.adapters());
        let (place, reason) = match adapters.as_ref().and_then(Adapters::real_gpu) {
            Some(adapter) => (self.arguments.gpu(adapter, verbosity), "the best GPU found"),
            None => (Place::Cpu, drivers.no_gpu_reason(adapters.as_ref())),
        };
        Ok(Opened { engine: place.open(data)?, reason: Some(reason.to_owned()) })
    }
}
