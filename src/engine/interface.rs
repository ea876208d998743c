//! The seam between solvers and engines.

use std::io;
use std::ops::Range;

use super::bins::{self, BinPlan, Binned, Extremes};
use super::influence::{self, Influence};
use super::pass::check_points;
use super::{EngineError, EngineInfo, Notice, Partials, Reweighting, Stepper};
use crate::array::{Array, Batch, Problem, Window};
use crate::math::{Affine, Line, Loss, LossSums, Moments, Readings, SizeCounts, SizeRange};

/// Takes the moments of fits, in order.
pub type MomentsSink<'s> = &'s mut dyn FnMut(&[Moments]) -> Result<(), EngineError>;

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

    /// The sums of a loss over a range of the problem's chunks: one result for each
    /// fit, at the W and b that `at` has for it.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`] if the problem has no T; [`EngineError::Points`];
    /// [`EngineError::Chunks`]; whatever a device reports.
    fn loss_sums(
        &mut self,
        at: &[Affine],
        loss: Loss,
        over: Range<u64>,
    ) -> Result<Partials<LossSums>, EngineError>;

    /// The means of X and T over a range of the problem's chunks, and the sums of
    /// squares and products about them, which determine the loss sums at every W
    /// and b: one result for each fit.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`] if the problem has no T; [`EngineError::Chunks`];
    /// whatever a device reports.
    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError>;

    /// Hands the moments of the neighbourhood of every element to a sink, in order, many at a
    /// time.
    ///
    /// # Errors
    /// [`EngineError::NoWindows`] by an engine that has no such pass; [`EngineError::Groups`] if
    /// the window does not suit the data; [`EngineError::NoTarget`]; those of the sink.
    fn window_moments(&mut self, window: Window, sink: MomentsSink<'_>) -> Result<(), EngineError> {
        let _ = (window, sink);
        Err(EngineError::NoWindows)
    }

    /// The sums of the squared loss over the elements of a batch of the one fit. A batch need not be made of
    /// chunks, and does not merge with others; an engine may have passes over whole chunks
    /// only. Whether the files are intact is for the caller to check, as often as it is
    /// worth it: [`Problem::check_intact`].
    ///
    /// # Errors
    /// [`EngineError::NoBatches`], or those of [`loss_sums`](Self::loss_sums).
    fn batch_sums(&mut self, at: Affine, batch: &Batch<'_>) -> Result<LossSums, EngineError> {
        let chunks = batch.chunks().ok_or_else(|| EngineError::NoBatches(self.info().kind))?;
        let first = self.problem().grid().chunks().start;
        let over = first + chunks.start..first + chunks.end;
        Ok(self.loss_sums(&[at], Loss::Squared, over)?.total()?)
    }

    /// The moments of all elements with every sample weight times that of its
    /// residual: one result for each fit, by what `at` has for it. Elements of weight
    /// 0 are not counted.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`], [`EngineError::Points`]; [`EngineError::NoRobustPass`];
    /// whatever a device reports.
    fn reweighted_moments(&mut self, at: &[Reweighting]) -> Result<Vec<Moments>, EngineError> {
        let _ = at;
        Err(EngineError::NoRobustPass(self.info().kind))
    }

    /// The counts of all elements by the size of their residuals: one result for
    /// each fit, at a W and b in a range of sizes.
    ///
    /// # Errors
    /// Those of [`reweighted_moments`](Self::reweighted_moments).
    fn residual_sizes(&mut self, at: &[(Affine, SizeRange)]) -> Result<Vec<SizeCounts>, EngineError> {
        let _ = at;
        Err(EngineError::NoRobustPass(self.info().kind))
    }

    /// The sums that the standard errors of a robust line follow from, over all valid
    /// pairs of the one fit. Computed on the host.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`], [`EngineError::Points`]; those of the data.
    fn influence(&mut self, of: &Reweighting) -> Result<Influence, EngineError> {
        check_points(self.problem(), &[of.model])?;
        influence::influence(self.problem(), of)
    }

    /// The sums of the squared loss over all elements of the one fit.
    ///
    /// # Errors
    /// Those of [`loss_sums`](Self::loss_sums).
    fn loss_sums_at(&mut self, at: Affine) -> Result<LossSums, EngineError> {
        self.sums_of_loss(at, Loss::Squared)
    }

    /// The sums of a loss over all elements of the one fit.
    ///
    /// # Errors
    /// Those of [`loss_sums`](Self::loss_sums).
    fn sums_of_loss(&mut self, at: Affine, loss: Loss) -> Result<LossSums, EngineError> {
        let all = self.problem().grid().chunks();
        Ok(self.loss_sums(&[at], loss, all)?.total()?)
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

    /// The extremes of x, t and the residuals at a W and b, over the valid pairs of
    /// the one fit. Computed on the host.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`], [`EngineError::Points`]; those of the data.
    fn extremes(&mut self, at: Affine) -> Result<Extremes, EngineError> {
        check_points(self.problem(), &[at])?;
        bins::extremes(self.problem(), at)
    }

    /// Histograms of x, t and the residuals: exact counts of the valid pairs of the
    /// one fit, the same for any number of threads. Computed on the host.
    ///
    /// # Errors
    /// Those of [`extremes`](Self::extremes).
    fn binned(&mut self, plan: &BinPlan) -> Result<Binned, EngineError> {
        check_points(self.problem(), &[plan.at])?;
        bins::binned(self.problem(), plan)
    }

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
