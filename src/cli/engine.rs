use clap::{Args, ValueEnum};

use super::drivers::Drivers;
use super::error::CliError;
use super::memory::MemoryArguments;
use super::precision::PrecisionArguments;
use super::tuning::TuningArguments;
use super::verbosity::Verbosity;
use crate::array::Problem;
use crate::engine::gpu::{Adapter, AdapterChoice, Adapters, Gpu, GpuSettings};
use crate::engine::{Cpu, Engine, EngineError, EngineKind, Notice, Reference};

/// What `--engine` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineChoice {
    /// A real GPU if there is one, else the CPU; where one pass over the data is all, the CPU
    Auto,
    /// The best adapter there is, software adapters included
    Gpu,
    /// All CPU cores, f64 arithmetic
    Cpu,
    /// One core, plain f64 with compensated sums: slow, the definition
    Reference,
}

#[derive(Debug, Args)]
pub(super) struct EngineArguments {
    /// Where to compute
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

/// An engine, and why it was taken if it wasn't asked for by name.
pub(super) struct Opened {
    pub(super) engine: Box<dyn Engine>,
    pub(super) reason: Option<String>,
}

/// What `--engine auto` may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auto {
    /// A real GPU, if there is one.
    Gpu,
    /// The CPU, without a look at what else there is: on the way to a GPU and
    /// back the data would take longer than the CPU takes for a pass.
    Cpu,
}

/// The engine to open, and the drivers that this needs: none for what computes
/// on the CPU.
pub(super) struct EngineChosen<'a> {
    arguments: &'a EngineArguments,
    drivers: Option<Drivers>,
}

impl EngineArguments {
    /// Checks what was asked for and tries the drivers that it needs. To be
    /// called before anything is read or written: the program may start anew.
    pub(super) fn choose(&self, auto: Auto, verbosity: Verbosity) -> Result<EngineChosen<'_>, CliError> {
        let is_cpu = match (self.engine, &self.adapter) {
            (EngineChoice::Cpu | EngineChoice::Reference, Some(_)) => {
                return Err(CliError::Usage(
                    "--adapter chooses a GPU; use it with --engine gpu or auto".to_owned(),
                ));
            }
            (EngineChoice::Cpu | EngineChoice::Reference, None) => true,
            (EngineChoice::Auto, None) => auto == Auto::Cpu,
            (EngineChoice::Gpu, _) | (EngineChoice::Auto, Some(_)) => false,
        };
        let drivers = match (is_cpu, self.engine, &self.adapter) {
            (true, ..) => None,
            (false, EngineChoice::Auto, None) => Some(Drivers::try_for_real_gpu(verbosity)?),
            (false, ..) => Some(Drivers::try_all(verbosity)?),
        };
        Ok(EngineChosen { arguments: self, drivers })
    }

    fn open_gpu(&self, adapter: &Adapter, data: &Problem, verbosity: Verbosity) -> Result<Gpu, EngineError> {
        let settings = GpuSettings {
            memory_bytes: self.memory.device_bytes(adapter),
            tuning: Some(self.tuning.load(verbosity).of(adapter)),
            precision: self.precision.of_gpu(),
        };
        Gpu::open_with(adapter, data, &settings)
    }

    /// Bytes of data the host may hold.
    pub(super) fn host_bytes(&self) -> u64 {
        self.memory.host_bytes()
    }

    /// Whether the CPU was asked for or nothing in particular.
    pub(super) fn allows_cpu(&self) -> bool {
        self.adapter.is_none() && matches!(self.engine, EngineChoice::Auto | EngineChoice::Cpu)
    }
}

impl EngineChosen<'_> {
    /// Opens the engine that was asked for, or the one that suits the machine,
    /// and tells what the user should know about it.
    pub(super) fn open(&self, data: &Problem, verbosity: Verbosity) -> Result<Opened, CliError> {
        let opened = match &self.drivers {
            Some(drivers) => self.open_with(drivers, data, verbosity)?,
            None if self.arguments.engine == EngineChoice::Reference => {
                Opened { engine: Box::new(Reference::new(data)), reason: None }
            }
            None => Opened { engine: Box::new(Cpu::new(data)), reason: None },
        };
        if opened.engine.info().kind != EngineKind::Gpu {
            self.arguments.precision.note_f64(verbosity);
        }
        verbosity.notices(opened.engine.notices());
        Ok(opened)
    }

    fn open_with(&self, drivers: &Drivers, data: &Problem, verbosity: Verbosity) -> Result<Opened, CliError> {
        let choice = self.arguments.adapter.as_ref();
        if self.arguments.engine == EngineChoice::Gpu || choice.is_some() {
            let adapters = drivers.adapters();
            let adapter = drivers.choose(&adapters, choice)?;
            drivers.note_broken(verbosity);
            if adapter.is_software() && choice.is_none() {
                verbosity.notices(&[Notice::SoftwareAdapter { adapter: adapter.name().to_owned() }]);
            }
            let engine = self.arguments.open_gpu(adapter, data, verbosity)?;
            return Ok(Opened { engine: Box::new(engine), reason: None });
        }
        drivers.note_broken(verbosity);
        let adapters = drivers.may_have_real_gpu().then(|| drivers.adapters());
        Ok(match adapters.as_ref().and_then(Adapters::real_gpu) {
            Some(adapter) => Opened {
                engine: Box::new(self.arguments.open_gpu(adapter, data, verbosity)?),
                reason: Some("the best GPU found".to_owned()),
            },
            None => Opened {
                engine: Box::new(Cpu::new(data)),
                reason: Some(drivers.no_gpu_reason(adapters.as_ref()).to_owned()),
            },
        })
    }
}
