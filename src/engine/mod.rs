//! The engines that compute passes over the data.
//!
//! An [`Engine`] is given its [`Problem`] once and then asked for passes over a
//! range of its chunks, at any W and b. A pass takes a point (W, b) for each fit
//! and gives a result for each, as [`Partials`], which merge with those of other
//! chunks. An engine knows nothing of learning rates or stopping, except behind
//! a [`Stepper`]; a solver knows nothing of threads or devices. [`Reference`]
//! is the definition, plain and slow; [`Cpu`] uses every core; [`gpu::Gpu`] runs
//! the shaders.

mod check;
mod cpu;
mod frame;
pub mod gpu;
mod notice;
mod partials;
mod probe;
mod reference;
mod rule;
mod scales;
mod stepper;

use std::ops::Range;
use std::{fmt, io};

use serde::Serialize;

pub use check::{Mismatch, POINTS, PassErrors, PointResult, ReferenceResult, TOLERANCE, relative};
pub use cpu::Cpu;
pub use notice::Notice;
pub use partials::{Mergeable, Partials, PartialsError, Source, SumsAt, Tree};
pub use probe::ReadProbe;
pub use reference::Reference;
pub use rule::{DescentRule, Movable, StepOutcome, StepState};
pub use scales::TermScales;
pub use stepper::{Evaluated, MOST_EVALUATIONS, Stepper};

use crate::array::{Array, Batch, CHUNK_ELEMENTS, DataError, GroupsError, Hint, Hinted, Problem};
use crate::math::{Affine, Line, LossSums, Moments, Readings};
use gpu::GpuError;

/// Elements of a chunk, of arrays in memory.
#[expect(clippy::cast_possible_truncation, reason = "2^16")]
pub(crate) const CHUNK: usize = CHUNK_ELEMENTS as usize;

/// Takes the predictions of a forward pass, in the problem's order.
pub type Sink<'s> = &'s mut dyn FnMut(&[f32]) -> io::Result<()>;

/// Computes passes over one problem.
pub trait Engine: Send {
    /// The name of this engine, and what it runs on.
    fn info(&self) -> &EngineInfo;

    /// The problem that it computes on.
    fn problem(&self) -> &Problem;

    /// Notices of what opening and the passes since found out about the data:
    /// each is given once.
    fn take_notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Bytes of X and T that one residual pass reads.
    fn pass_bytes(&self) -> u64 {
        self.problem().matrices().map(Array::stored_bytes).sum()
    }

    /// The sums over a range of the problem's chunks: one result for each fit, at
    /// the W and b that `at` has for it.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`] if the problem has no T; [`EngineError::Points`];
    /// [`EngineError::Chunks`]; whatever a device reports.
    fn loss_sums(&mut self, at: &[Affine], over: Range<u64>) -> Result<Partials<LossSums>, EngineError>;

    /// The means of X and T over a range of the problem's chunks, and the sums of
    /// squares and products about them, which determine the loss sums at every W
    /// and b: one result for each fit.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`] if the problem has no T; [`EngineError::Chunks`];
    /// whatever a device reports.
    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError>;

    /// The sums over the elements of a batch of the one fit. A batch is not made of
    /// chunks, and does not merge with others. Whether the files are intact is for the
    /// caller to check, as often as it is worth it: [`Problem::check_intact`].
    ///
    /// # Errors
    /// [`EngineError::NoBatches`], or those of [`loss_sums`](Self::loss_sums).
    fn batch_sums(&mut self, at: Affine, batch: &Batch<'_>) -> Result<LossSums, EngineError> {
        let _ = (at, batch);
        Err(EngineError::NoBatches(self.info().kind))
    }

    /// The sums over all elements of the one fit.
    ///
    /// # Errors
    /// Those of [`loss_sums`](Self::loss_sums).
    fn loss_sums_at(&mut self, at: Affine) -> Result<LossSums, EngineError> {
        let all = self.problem().grid().chunks();
        Ok(self.loss_sums(&[at], all)?.total()?)
    }

    /// The moments of all elements of the one fit.
    ///
    /// # Errors
    /// Those of [`moments`](Self::moments).
    fn all_moments(&mut self) -> Result<Moments, EngineError> {
        let all = self.problem().grid().chunks();
        Ok(self.moments(all)?.total()?)
    }

    /// The sums over all elements of the one fit about a point that the line goes through, in
    /// its units: of r = (x − x₀)·W − (t − y₀), and Σ w·r·(x − x₀) instead of
    /// Σ w·r·x. Where X or T lie far from 0 for their spread, these have digits
    /// that [`loss_sums_at`](Self::loss_sums_at) cannot have.
    ///
    /// # Errors
    /// Those of [`loss_sums_at`](Self::loss_sums_at).
    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        let _ = digits;
        let sums = self.loss_sums_at(line.affine())?;
        Ok(about(line, sums))
    }

    /// The least share of T's variance of which this engine's passes tell how
    /// much of it a line leaves unexplained: below it, residuals are what
    /// rounding leaves, unless all [`Digits`] are asked for.
    fn resolved_share(&self) -> f64 {
        RESOLVED_SHARE
    }

    /// The moments of the data as the host has them, in f64, if those of
    /// [`all_moments`](Self::all_moments) are of elements with fewer digits.
    ///
    /// # Errors
    /// Those of [`all_moments`](Self::all_moments).
    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        Ok(None)
    }

    /// Y = X·W + b as f32, chunk by chunk.
    ///
    /// # Errors
    /// [`EngineError::Sink`] if the sink fails; whatever a device reports.
    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError>;

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

/// The digits that residuals are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// Those that the engine's passes have.
    Usual,
    /// Twice those of f64, on the host: so many that only what the data
    /// themselves do not hold is lost.
    Double,
}

/// About twelve digits remain of sums in f64 about the means, of which a share
/// of 10⁻³ is left, and nine about a point that is far from the mean.
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

/// The engine that computed a result, and what it ran on.
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
    /// The numbers that sums are carried in, for the GPU engine.
    #[serde(skip)]
    pub precision: Option<&'static str>,
    /// The rest of a summary: threads, SIMD.
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
    /// A residual pass over a problem without T.
    #[error("there is no target T to compare the predictions with")]
    NoTarget,
    /// A descent on a device that answered with fewer steps than it was asked
    /// for, and no reason to stop.
    #[error("the device took {taken} of {wanted} steps and does not say why")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Stalled { taken: u32, wanted: u32 },
    /// Not one point for each fit.
    #[error("a pass over {fits} fits takes as many points, not {points}")]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Points { fits: u64, points: usize },
    /// Chunks that the problem does not have.
    #[error("there are no chunks {} to {}: the data have {} to {}", over.start, over.end, all.start, all.end)]
    #[expect(missing_docs, reason = "the message says what the fields hold")]
    Chunks { over: Range<u64>, all: Range<u64> },
    /// A pass over more than one fit on a device.
    #[error("the GPU engine computes one fit, not {fits}")]
    #[expect(missing_docs, reason = "the message says what the field holds")]
    ManyFits { fits: u64 },
    /// A pass over a batch with an engine that has none.
    #[error("the {} engine has no passes over batches", .0.name())]
    NoBatches(EngineKind),
    /// Elements cannot be grouped so.
    #[error(transparent)]
    Groups(#[from] GroupsError),
    /// Parts are not of one whole.
    #[error(transparent)]
    Partials(#[from] PartialsError),
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
            Self::ManyFits { .. } | Self::NoBatches(_) => vec![Hint::CpuEngine],
            Self::NoTarget
            | Self::Sink(_)
            | Self::Points { .. }
            | Self::Chunks { .. }
            | Self::Groups(_)
            | Self::Partials(_) => Vec::new(),
        }
    }
}

/// T of a problem, or [`EngineError::NoTarget`].
fn targets(data: &Problem) -> Result<&Array, EngineError> {
    data.t().ok_or(EngineError::NoTarget)
}

/// The number of fits, or [`EngineError::Points`] if there are not as many points.
fn check_points(data: &Problem, at: &[Affine]) -> Result<(), EngineError> {
    let fits = data.fits().range();
    let fits = fits.end - fits.start;
    if fits == at.len() as u64 { Ok(()) } else { Err(EngineError::Points { fits, points: at.len() }) }
}

/// Fails with [`EngineError::Points`] if there is more than one fit: of a pass at
/// one line.
fn check_one_fit(data: &Problem, line: &Line) -> Result<(), EngineError> {
    check_points(data, &[line.affine()])
}

/// The problem's elements in a range of chunks, or [`EngineError::Chunks`].
fn elements_of(data: &Problem, over: &Range<u64>) -> Result<Range<usize>, EngineError> {
    let chunks = || EngineError::Chunks { over: over.clone(), all: data.grid().chunks() };
    data.grid().elements_of(over).ok_or_else(chunks)
}

/// The point of a fit, counted from the problem's first one.
fn point_of(at: &[Affine], fit: u64) -> Affine {
    at[usize::try_from(fit).unwrap_or(usize::MAX)]
}

/// The values of a chunk: one for each of the fits that have elements in it.
struct Leaf<V> {
    first_fit: u64,
    values: Vec<V>,
}

impl<V> Leaf<V> {
    /// The values of the runs of elements that a chunk is made of.
    fn of(data: &Problem, chunk: Range<usize>, mut value: impl FnMut(u64, Range<usize>) -> V) -> Self {
        let mut first_fit = None;
        let values = data.fits().runs(chunk).map(|(fit, run)| {
            first_fit.get_or_insert(fit);
            value(fit, run)
        });
        let values = values.collect();
        Self { first_fit: first_fit.unwrap_or_default(), values }
    }
}

/// Partial results from the values of all chunks of a range, in order.
fn partials_of<S: Mergeable>(
    data: &Problem,
    arithmetic: &'static str,
    over: Range<u64>,
    leaves: impl IntoIterator<Item = Leaf<S::Value>>,
) -> Result<Partials<S>, EngineError> {
    let mut partials = Partials::new(Source::of(data, Tree::Dyadic, arithmetic));
    let end = data.grid().end_after(&over);
    for (chunk, leaf) in over.zip(leaves) {
        partials.push(chunk..chunk + 1, leaf.first_fit, leaf.values, end)?;
    }
    Ok(partials)
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
