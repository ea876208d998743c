//! Where a pass over the data is computed.
//!
//! An [`Engine`] is given its [`Problem`] once and then asked for passes at
//! any W and b. It knows nothing of learning rates or stopping, except behind
//! a [`Stepper`]; a solver knows nothing of threads or devices. [`Reference`] is the definition,
//! plain and slow; [`Cpu`] uses every core; [`gpu::Gpu`] runs the shaders.

mod cpu;
mod frame;
pub mod gpu;
mod notice;
mod probe;
mod reference;
mod rule;
mod stepper;

use std::ops::Range;
use std::{fmt, io};

use serde::Serialize;

pub use cpu::Cpu;
pub use notice::Notice;
pub use probe::ReadProbe;
pub use reference::{Reference, TermScales};
pub use rule::{DescentRule, Movable, StepOutcome, StepState};
pub use stepper::{Evaluated, MOST_EVALUATIONS, Stepper};

use crate::array::{DataError, Hint, Hinted, Problem};
use crate::math::{Affine, Line, LossSums, Moments, Readings};
use gpu::GpuError;

/// Takes the chunks of a forward pass, in the dataset's order.
pub type Sink<'s> = &'s mut dyn FnMut(&[f32]) -> io::Result<()>;

/// Computes passes over one dataset.
pub trait Engine: Send {
    /// Which engine this is and what it runs on.
    fn info(&self) -> &EngineInfo;

    /// What the user should know about how this engine holds the data.
    fn notices(&self) -> &[Notice];

    /// Bytes of X and T that one residual pass reads.
    fn pass_bytes(&self) -> u64;

    /// The sums over all elements at `at`, in one pass.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`] if the dataset has no T; whatever a device
    /// reports.
    fn loss_sums(&mut self, at: Affine) -> Result<LossSums, EngineError>;

    /// The means of X and T and the sums of squares and products about them,
    /// which determine the residual sums at every W and b.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`] if the dataset has no T; whatever a device
    /// reports.
    fn moments(&mut self) -> Result<Moments, EngineError>;

    /// The sums over all elements about a point that the line goes through, in
    /// its units: of r = (x − x₀)·W − (t − y₀), and Σ w·r·(x − x₀) instead of
    /// Σ w·r·x. Where X or T lie far from 0 for their spread, these have digits
    /// that [`loss_sums`](Self::loss_sums) cannot have.
    ///
    /// # Errors
    /// Those of [`loss_sums`](Self::loss_sums).
    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        let _ = digits;
        let sums = self.loss_sums(line.affine())?;
        Ok(about(line, sums))
    }

    /// The least share of T's variance of which this engine's passes tell how
    /// much of it a line leaves unexplained: below it, residuals are what
    /// rounding leaves, unless all [`Digits`] are asked for.
    fn resolved_share(&self) -> f64 {
        RESOLVED_SHARE
    }

    /// The moments of the data as the host has them, in f64, if those of
    /// [`moments`](Self::moments) are of elements with fewer digits.
    ///
    /// # Errors
    /// Those of [`moments`](Self::moments).
    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        Ok(None)
    }

    /// Y = X·W + b as f32, chunk by chunk.
    ///
    /// # Errors
    /// [`EngineError::Sink`] if the sink fails; whatever a device reports.
    fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError>;

    /// Starts to add up the time that passes take by the device's own clock;
    /// false if it has none.
    fn start_clock(&mut self) -> bool {
        false
    }

    /// Seconds of all passes since the clock was started, without the way to
    /// the device and back; stops it.
    fn stop_clock(&mut self) -> Option<f64> {
        None
    }

    /// The steps of a descent that this engine can take by itself, if it can.
    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        None
    }
}

/// With how many digits residuals are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// Those that the engine's passes have.
    Usual,
    /// Twice those of f64, on the host: so many that only what the data
    /// themselves do not hold is lost.
    Double,
}

/// Of sums in f64 about the means, of which a share of 10⁻³ is left, about
/// twelve digits remain, with a point that is far from the mean nine.
pub(crate) const RESOLVED_SHARE: f64 = 1e-3;

/// Sums about the point of a line in its units, from sums about 0.
fn about(line: &Line, sums: LossSums) -> LossSums {
    let rx = (-line.x.value()).mul_add(sums.r, sums.rx);
    line.in_units(LossSums { rx, ..sums }, &Readings::default())
}

/// The kinds of engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Sequential f64 with compensated sums: the definition.
    Reference,
    /// All CPU cores, f64 sums.
    Cpu,
    /// WGSL compute shaders on a wgpu adapter.
    Gpu,
}

impl EngineKind {
    /// The name used on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// Which engine computed a result, on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// The engine.
    pub kind: EngineKind,
    /// The adapter's name, for the GPU engine.
    pub adapter: Option<String>,
    /// The graphics API, for the GPU engine.
    pub backend: Option<String>,
    /// The driver's name and version, for the GPU engine.
    pub driver: Option<String>,
    /// How sums are carried, for the GPU engine.
    #[serde(skip)]
    pub precision: Option<&'static str>,
    /// What else there is to say in a summary: threads, SIMD.
    #[serde(skip)]
    pub detail: Option<String>,
}

/// An engine in a line: what it is and what it runs on.
impl fmt::Display for EngineInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.adapter.as_deref().unwrap_or(self.kind.name()))?;
        let mut details: Vec<&str> =
            [&self.backend, &self.driver, &self.detail].into_iter().flatten().map(String::as_str).collect();
        let precision = self.precision.filter(|&precision| precision != gpu::Precision::default().name());
        details.extend(precision);
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}

/// Why a pass could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A residual pass over a dataset without T.
    #[error("there is no target T to compare the predictions with")]
    NoTarget,
    /// A descent on a device that answered with fewer steps than it was asked
    /// for, and no reason to stop.
    #[error("the device took {taken} of {wanted} steps and does not say why")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Stalled { taken: u32, wanted: u32 },
    /// The caller's sink could not take a chunk.
    #[error("{0}")]
    Sink(io::Error),
    /// The data don't suit the engine.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

impl Hinted for EngineError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Data(error) => error.hints(),
            Self::Gpu(error) => error.hints(),
            Self::Stalled { .. } => vec![Hint::UpdateOnHost],
            Self::NoTarget | Self::Sink(_) => Vec::new(),
        }
    }
}

/// X and T of a dataset, or [`EngineError::NoTarget`].
fn targets(data: &Problem) -> Result<&crate::array::Array, EngineError> {
    data.t().ok_or(EngineError::NoTarget)
}

/// The ranges of `chunk` elements, the last one shorter, that make up `range`.
fn chunks(range: Range<usize>, chunk: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    (0..range.len().div_ceil(chunk)).map(move |k| {
        let start = range.start + k * chunk;
        start..range.end.min(start + chunk)
    })
}

/// Engines move between threads, and threads share a problem.
const _: () = {
    const fn moves<T: Send + 'static>() {}
    const fn is_shared<T: Send + Sync + 'static>() {}
    moves::<Reference>();
    moves::<Cpu>();
    moves::<gpu::Gpu>();
    moves::<Box<dyn Engine>>();
    is_shared::<ReadProbe>();
    is_shared::<Problem>();
};
