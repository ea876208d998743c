//! The engine that keywords ask for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use linfit::array::Problem;
use linfit::engine::gpu::{
    self, Adapter, AdapterChoice, Adapters, Gpu, GpuError, GpuSettings, Precision, Trial, Verdict,
};
use linfit::engine::{Cpu, Engine, EngineError, EngineKind, Reference};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::of_choice;

crate::keywords::keywords! {
    /// The keywords of an engine.
    Settings {
        engine: String,
        adapter: Choice,
        precision: String,
    }
}

/// An adapter, by its number or a part of its name.
#[derive(FromPyObject)]
pub(crate) enum Choice {
    Number(usize),
    Name(String),
}

/// The engine to open.
#[derive(Clone)]
pub(crate) struct EngineChoice {
    pub(crate) kind: Option<EngineKind>,
    pub(crate) adapter: Option<AdapterChoice>,
    many_passes: bool,
    pub(crate) settings: GpuSettings,
    program: Option<std::path::PathBuf>,
}

impl EngineChoice {
    /// Checks the keywords, for work of one pass or many; devices hold no more than so
    /// many bytes.
    pub(crate) fn of(
        py: Python<'_>,
        settings: Settings,
        memory: Option<u64>,
        many_passes: bool,
    ) -> PyResult<Self> {
        let kind = match settings.engine.as_deref().unwrap_or("auto") {
            "auto" => None,
            "cpu" => Some(EngineKind::Cpu),
            "gpu" => Some(EngineKind::Gpu),
            "reference" => Some(EngineKind::Reference),
            other => return Err(of_choice("engine", other, &["auto", "cpu", "gpu", "reference"])),
        };
        if settings.adapter.is_some() && matches!(kind, Some(EngineKind::Cpu | EngineKind::Reference)) {
            return Err(PyValueError::new_err(
                "adapter= chooses a GPU; use it with engine=\"gpu\" or \"auto\"",
            ));
        }
        let precision = match settings.precision.as_deref() {
            None => Precision::default(),
            Some(name) => Precision::ALL
                .into_iter()
                .find(|precision| precision.name() == name)
                .ok_or_else(|| of_choice("precision", name, &Precision::ALL.map(Precision::name)))?,
        };
        let adapter = settings.adapter.map(|choice| match choice {
            Choice::Number(number) => AdapterChoice::Number(number),
            Choice::Name(name) => AdapterChoice::Name(name),
        });
        let memory_bytes = memory.unwrap_or(u64::MAX);
        let may_be_gpu =
            kind == Some(EngineKind::Gpu) || adapter.is_some() || (kind.is_none() && many_passes);
        let program = if may_be_gpu { interpreter(py) } else { None };
        let settings = GpuSettings { memory_bytes, precision, tuning: None };
        Ok(Self { kind, adapter, many_passes, settings, program })
    }

    /// Opens the engine. Without a choice it is a real GPU for work of many passes,
    /// if there is one, else the CPU: on the way to a GPU and back the data would take
    /// longer than a pass.
    pub(crate) fn open(&self, data: &Problem) -> Result<Box<dyn Engine>, EngineError> {
        let wants_gpu = self.kind == Some(EngineKind::Gpu) || self.adapter.is_some();
        if wants_gpu {
            let adapters = self.adapters()?;
            let adapter = adapters.choose(self.adapter.as_ref())?;
            return self.open_gpu(adapter, data);
        }
        if self.kind == Some(EngineKind::Reference) {
            return Ok(Box::new(Reference::new(data)));
        }
        if self.kind.is_none()
            && self.many_passes
            && let Ok(adapters) = self.adapters()
            && let Some(adapter) = adapters.real_gpu()
        {
            return self.open_gpu(adapter, data);
        }
        Ok(Box::new(Cpu::new(data)))
    }

    fn open_gpu(&self, adapter: &Adapter, data: &Problem) -> Result<Box<dyn Engine>, EngineError> {
        open_gpu_with(adapter, data, self.settings)
    }

    /// The adapters of drivers that work.
    pub(crate) fn adapters(&self) -> Result<Adapters, GpuError> {
        let verdict = verdict(self.program.as_deref());
        if verdict.rest.is_none() && !verdict.broken.is_empty() {
            let drivers: Vec<String> = verdict.broken.iter().map(ToString::to_string).collect();
            return Err(GpuError::BrokenDriver { drivers: drivers.join("; ") });
        }
        Ok(Adapters::allowed_by(&verdict))
    }
}

/// The findings of this process.
static VERDICT: Mutex<Option<Verdict>> = Mutex::new(None);

/// The time that drivers may take to list and open everything.
const LIMIT: Duration = Duration::from_secs(20);

/// Which drivers may be opened: tried once in a process of its own, so that one that
/// breaks it does not break this one. Without an interpreter to start they are opened
/// untried.
pub(crate) fn verdict(program: Option<&std::path::Path>) -> Verdict {
    let mut known = VERDICT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(verdict) = known.as_ref() {
        return verdict.clone();
    }
    let verdict = program
        .and_then(|program| {
            let code = "import importlib.util, sys\n\
                        spec = importlib.util.spec_from_file_location('_linfit', sys.argv[1])\n\
                        module = importlib.util.module_from_spec(spec)\n\
                        spec.loader.exec_module(module)\n\
                        module.answer_trial(sys.argv[2])";
            let arguments =
                ["-I", "-c", code].map(Into::into).into_iter().chain([extension()?.into()]).collect();
            let trial = Trial { program: program.to_owned(), arguments, limit: LIMIT, goes_on: || true };
            gpu::try_all(&trial).ok()
        })
        .map(|trials| trials.verdict)
        .unwrap_or_default();
    known.insert(verdict).clone()
}

/// The time that a trial may take.
pub(crate) fn limit() -> Duration {
    LIMIT
}

/// The file of the running interpreter.
pub(crate) fn interpreter(py: Python<'_>) -> Option<std::path::PathBuf> {
    let executable = py.import("sys").ok()?.getattr("executable").ok()?;
    executable.extract::<std::path::PathBuf>().ok().filter(|path| path.is_file())
}

/// The file of this extension module.
fn extension() -> Option<String> {
    Python::attach(|py| py.import("linfit._linfit").ok()?.getattr("__file__").ok()?.extract().ok())
}

/// Opens an adapter with settings; one that shares the host's memory has half of what
/// is free, unless a bound is given.
pub(crate) fn open_gpu_with(
    adapter: &Adapter,
    data: &Problem,
    mut settings: GpuSettings,
) -> Result<Box<dyn Engine>, EngineError> {
    if settings.memory_bytes == u64::MAX && adapter.shares_host_memory() {
        settings.memory_bytes = crate::problem::half_of_free();
    }
    Gpu::engine(adapter, data, &settings)
}
