use clap::{Args, ValueEnum};

use super::error::CliError;
use super::memory::MemoryArguments;
use super::precision::PrecisionArguments;
use super::tuning::TuningArguments;
use super::verbosity::Verbosity;
use crate::data::Dataset;
use crate::engine::gpu::{Adapter, AdapterChoice, Adapters, Gpu, GpuSettings};
use crate::engine::{Cpu, Engine, EngineError, EngineKind, Notice, Reference};

/// What `--engine` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineChoice {
    /// A real GPU if there is one, else the CPU
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
pub(super) struct Opened<'d> {
    pub(super) engine: Box<dyn Engine + 'd>,
    pub(super) reason: Option<String>,
}

impl EngineArguments {
    /// Opens the engine that was asked for, or the one that suits the machine,
    /// and tells what the user should know about it.
    pub(super) fn open<'d>(&self, data: &'d Dataset, verbosity: Verbosity) -> Result<Opened<'d>, CliError> {
        let opened = self.choose(data, verbosity)?;
        if opened.engine.info().kind != EngineKind::Gpu {
            self.precision.note_f64(verbosity);
        }
        verbosity.notices(opened.engine.notices());
        Ok(opened)
    }

    fn choose<'d>(&self, data: &'d Dataset, verbosity: Verbosity) -> Result<Opened<'d>, CliError> {
        match (self.engine, &self.adapter) {
            (EngineChoice::Cpu | EngineChoice::Reference, Some(_)) => {
                Err(CliError::Usage("--adapter chooses a GPU; use it with --engine gpu or auto".to_owned()))
            }
            (EngineChoice::Cpu, None) => Ok(Opened { engine: Box::new(Cpu::new(data)), reason: None }),
            (EngineChoice::Reference, None) => {
                Ok(Opened { engine: Box::new(Reference::new(data)), reason: None })
            }
            (EngineChoice::Gpu, choice) | (EngineChoice::Auto, choice @ Some(_)) => {
                let adapters = Adapters::enumerate();
                let adapter = adapters.choose(choice.as_ref())?;
                if adapter.is_software() && choice.is_none() {
                    verbosity.note(&Notice::SoftwareAdapter { adapter: adapter.name().to_owned() });
                }
                Ok(Opened { engine: Box::new(self.open_gpu(adapter, data, verbosity)?), reason: None })
            }
            (EngineChoice::Auto, None) => {
                let adapters = Adapters::enumerate();
                match adapters.real_gpu() {
                    Some(adapter) => {
                        let reason = Some("the best GPU found".to_owned());
                        Ok(Opened { engine: Box::new(self.open_gpu(adapter, data, verbosity)?), reason })
                    }
                    None => Ok(Opened {
                        engine: Box::new(Cpu::new(data)),
                        reason: Some(no_gpu_reason(&adapters).to_owned()),
                    }),
                }
            }
        }
    }

    fn open_gpu<'d>(
        &self,
        adapter: &Adapter,
        data: &'d Dataset,
        verbosity: Verbosity,
    ) -> Result<Gpu<'d>, EngineError> {
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

/// Why `auto` takes the CPU.
pub(super) fn no_gpu_reason(adapters: &Adapters) -> &'static str {
    if adapters.is_empty() {
        "no GPU found"
    } else {
        "no real GPU found, and software adapters are used only when asked for"
    }
}
