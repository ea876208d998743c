use std::ops::Range;

use super::coarse::Spread;
use super::descent::Descent;
use super::device::Device;
use super::host::Host;
use super::inputs::Inputs;
use super::pipelines::Kernel;
use super::resident::Resident;
use super::self_test::self_test;
use super::stream::Stream;
use super::{Precision, Tuning};
use crate::array::Problem;
use crate::engine::{
    Digits, Engine, EngineError, EngineInfo, Notice, Partials, RESOLVED_SHARE, Reweighting, Sink, Stepper,
    SumsAt, check_one_fit, check_points, point_of,
};
use crate::math::{Affine, Line, Loss, LossSums, Moments, Readings, SizeCounts, SizeRange, SumsAccumulator};

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu {
    pub(super) data: Problem,
    /// The readings of the data in f64, on their way to f32.
    pub(super) readings: Readings,
    pub(super) inputs: Inputs,
    pub(super) info: EngineInfo,
    pub(super) notices: Vec<Notice>,
    pub(super) device: Device,
    pub(super) tuning: Tuning,
    pub(super) precision: Precision,
    /// Bytes of streamed data that may be on the device.
    pub(super) memory_bytes: u64,
    pub(super) predict: Kernel,
    /// Whether the elements that weigh most are too near one another for f32.
    pub(super) is_narrow: bool,
    /// The point of a pass: W and b, or a shift.
    pub(super) point: wgpu::Buffer,
    pub(super) held: Held,
    /// Found when they are first asked for.
    pub(super) moments: Option<Moments>,
    /// Found when it is first asked for; see [`coarse`].
    pub(super) spread: Option<Spread>,
    /// The data as the host passes over them; made when it is first asked for.
    pub(super) host: Option<Host>,
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
        self.check_fits()?;
        check_points(&self.data, at)?;
        if loss != Loss::Squared {
            return self.host().cpu.loss_sums(at, loss, over);
        }
        let (at, part) = (point_of(at, 0), self.part(&over)?);
        if part.n == 0 {
            return self.partials(over, SumsAt { at, loss, sums: SumsAccumulator::default() });
        }
        let shift = self.inputs.shift(self.precision);
        let sums = shift.unshifted_sums(self.sums_at(shift.shifted(at), &part)?);
        self.partials(over, SumsAt { at, loss, sums: sums.into() })
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        self.check_fits()?;
        let part = self.part(&over)?;
        if part.n == 0 {
            return self.partials(over, Moments::default());
        }
        let moments = self.moments_in_range(&part)?;
        let is_narrow = self.is_narrow_in(&moments);
        if part.elements.len() == self.data.len() {
            self.is_narrow = is_narrow;
        }
        if is_narrow {
            let moments = self.host_moments_of(&part.elements)?;
            return self.partials(over, moments);
        }
        self.check_squares(&moments, &part)?;
        self.partials(over, moments.of_readings(&self.readings, 0))
    }

    /// By the host, in f64.
    fn reweighted_moments(&mut self, at: &[Reweighting]) -> Result<Vec<Moments>, EngineError> {
        self.host().cpu.reweighted_moments(at)
    }

    /// By the host, in f64.
    fn residual_sizes(&mut self, at: &[(Affine, SizeRange)]) -> Result<Vec<SizeCounts>, EngineError> {
        self.host().cpu.residual_sizes(at)
    }

    /// Twice the digits of f64 are had on the host.
    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        check_one_fit(&self.data, line)?;
        match digits {
            Digits::Usual => {
                let shift = self.inputs.shift(self.precision);
                let all = self.all();
                let sums = self.sums_at(shift.shifted_line(line), &all)?;
                Ok(line.in_units(shift.sums_about(line.x, sums), &Readings::default()))
            }
            Digits::Double => self.host().cpu.sums_about(line, digits),
        }
    }

    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        let all = 0..self.data.len();
        self.host_moments_of(&all).map(Some)
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
        self.predict_all(at, sink)
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
        if self.check_fits().is_err() || !is_held || self.precision != Precision::Fast {
            return None;
        }
        let device = &self.device;
        let keeps = *self.keeps_rounding.get_or_insert_with(|| self_test(device).is_ok());
        keeps.then_some(self)
    }
}
