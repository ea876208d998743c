use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::coarse::Spread;
use super::descent::Descent;
use super::device::Device;
use super::frames::{Frame, Frames};
use super::host::Host;
use super::inputs::Inputs;
use super::packing::Proven;
use super::pipelines::Kernel;
use super::resident::Resident;
use super::self_test::self_test;
use super::stream::Stream;
use super::{Precision, Tuning};
use crate::array::Problem;
use crate::engine::{
    Digits, Engine, EngineError, EngineInfo, Notice, Partials, RESOLVED_SHARE, Reweighting, Sink, Stepper,
    check_one_fit, check_points,
};
use crate::math::{Affine, Line, Loss, LossSums, Moments, Readings, SizeCounts, SizeRange};

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu {
    pub(super) data: Problem,
    pub(super) inputs: Inputs,
    pub(super) frames: Arc<Frames>,
    /// One frame for all elements, if they come to the device in one way; found
    /// when it is first asked for.
    pub(super) common: OnceLock<Option<Frame>>,
    pub(super) info: EngineInfo,
    pub(super) notices: Vec<Notice>,
    pub(super) device: Device,
    pub(super) tuning: Tuning,
    pub(super) precision: Precision,
    /// Built-in functions that the device has shown to be exact.
    pub(super) proven: Proven,
    /// Bytes of streamed data that may be on the device.
    pub(super) memory_bytes: u64,
    pub(super) predict: Kernel,
    /// Whether the elements that weigh most are too near one another for f32.
    pub(super) is_narrow: bool,
    /// W and b of the steps on the device.
    pub(super) point: wgpu::Buffer,
    pub(super) held: Held,
    /// Those of all chunks, found when they are first asked for.
    pub(super) moments: Option<Partials<Moments>>,
    /// Those of runs, found when they are first asked for; see `coarse`.
    pub(super) spreads: Vec<Option<Spread>>,
    /// The data as the host passes over them; made when it is first asked for.
    pub(super) host: Option<Host>,
    /// The loss of the steps on the device.
    pub(super) descent_loss: Loss,
    /// Made when it is first asked for.
    pub(super) descent: Option<Descent>,
    /// Whether sums of two f32 keep rounding errors; found out when it is first
    /// asked for.
    pub(super) keeps_rounding: Option<bool>,
}

/// The place of the data of passes that sum.
pub(super) enum Held {
    /// On the device.
    Resident(Box<Resident>),
    /// With the host, which streams them in every pass.
    Streamed(Box<Stream>),
    /// None: without T there are no such passes.
    InputsOnly,
}

impl Gpu {
    /// The number of fits.
    fn fits(&self) -> usize {
        let fits = self.data.fits().range();
        usize::try_from(fits.end - fits.start).unwrap_or(usize::MAX)
    }

    /// Y = X·W + b as f32, chunk by chunk, at the W and b of each fit.
    ///
    /// # Errors
    /// [`EngineError::Points`]; [`EngineError::Sink`] if the sink fails; whatever
    /// the device reports.
    pub fn predict_fits(&mut self, at: &[Affine], sink: Sink<'_>) -> Result<(), EngineError> {
        check_points(&self.data, at)?;
        self.predict_all(at, sink)
    }

    /// Whether the device has f64, or keeps the rounding errors that numbers of two
    /// f32 are made of.
    fn keeps_rounding(&mut self) -> bool {
        if self.precision == Precision::F64 {
            return true;
        }
        let device = &self.device;
        *self.keeps_rounding.get_or_insert_with(|| match self_test(device) {
            Ok(fma) => {
                self.proven.fma = fma;
                true
            }
            Err(_) => false,
        })
    }

    /// One frame for all elements, if they come to the device in one way.
    pub(super) fn common_frame(&self) -> Option<Frame> {
        *self.common.get_or_init(|| self.frames.common())
    }
}

impl Engine for Gpu {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn problem(&self) -> &Problem {
        &self.data
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn pass_bytes(&self) -> u64 {
        (self.data.len() * self.inputs.pair_bytes()) as u64
    }

    fn loss_sums(
        &mut self,
        at: &[Affine],
        loss: Loss,
        over: Range<u64>,
    ) -> Result<Partials<LossSums>, EngineError> {
        if loss != Loss::Squared && !self.keeps_rounding() {
            return self.host().cpu.loss_sums(at, loss, over);
        }
        self.loss_sums_in(at, loss, over)
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        self.moments_in(over)
    }

    /// By the device, if it has the digits.
    fn reweighted_moments(&mut self, at: &[Reweighting]) -> Result<Vec<Moments>, EngineError> {
        if self.keeps_rounding()
            && let Some(moments) = self.reweighted_in(at)?
        {
            return Ok(moments);
        }
        self.host().cpu.reweighted_moments(at)
    }

    /// By the host: the median of residuals is one of them, to the last digit of f64,
    /// and its rank a whole number of 64 bits, neither of which devices have.
    fn residual_sizes(&mut self, at: &[(Affine, SizeRange)]) -> Result<Vec<SizeCounts>, EngineError> {
        self.host().cpu.residual_sizes(at)
    }

    /// Twice the digits of f64 are had on the host.
    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        check_one_fit(&self.data, line)?;
        match digits {
            Digits::Usual => Ok(line.in_units(self.sums_about_line(line)?, &Readings::default())),
            Digits::Double => self.host().cpu.sums_about(line, digits),
        }
    }

    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        let all = self.data.grid().chunks();
        Ok(Some(self.host().moments(&all)?.total()?))
    }

    fn resolved_share(&self) -> f64 {
        match self.precision {
            // Residuals are off by some 2⁻²³ of T's spread, and their mean
            // square by the square of that: 1e-6 of it at this share.
            Precision::Fast if !self.is_narrow => 1e-7,
            // The moments tell them above it, the host below.
            _ => RESOLVED_SHARE,
        }
    }

    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.predict_all(&vec![at; self.fits()], sink)
    }

    /// For data that are on the device.
    fn start_clock(&mut self) -> bool {
        match &self.device.clock {
            Some(clock) if !matches!(self.held, Held::Streamed(_)) => {
                clock.start();
                true
            }
            _ => false,
        }
    }

    fn stop_clock(&mut self) -> Option<f64> {
        self.device.clock.as_ref()?.stop()
    }

    /// For one fit over data that are on the device, with the precision that
    /// updates there have, if it keeps the rounding errors that they are made of.
    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        let is_held = matches!(self.held, Held::Resident(_));
        if self.fits() != 1 || !is_held || self.precision != Precision::Fast {
            return None;
        }
        // Steps there compute with all elements as one.
        self.common_frame()?;
        self.keeps_rounding().then_some(self)
    }
}
