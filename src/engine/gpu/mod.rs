//! The GPU engine: WGSL compute shaders through wgpu, on whatever adapter the
//! machine has.
//!
//! [`Adapters`] finds the ways to a GPU, of drivers that `drivers` has tried in
//! another process (`trial`) and knows by their `manifests`. `open` opens one;
//! `device` turns every failure of it into a [`GpuError`].
//!
//! The shaders: `shaders` composes their text, `kernels` lists the kernels with
//! their bindings and constants, `abi` has the memory that both sides share,
//! `pipelines` compiles. Tests hold the two sides together (`reflection`).
//!
//! The data: `inputs` says what of them is sent and in which form (`packing`),
//! `plan` divides the elements among windows (buffers as large as the device
//! binds), workgroups and invocations, `upload` sends them.
//!
//! A pass is over data that are `resident` on the device or are sent through it
//! (`stream`): one dispatch a `window` leaves partial sums, a last dispatch adds
//! them up (`partials`), and one small read-back (`readback`) brings them to the
//! host. `passes` and `moments` make loss sums and moments of them; `coarse`
//! adds the share of the digits of W and b that residuals in f32 are computed
//! without; `host` has what the host finds in f64 for them. `predict` predicts. `descent` runs many passes, each with the update
//! that follows, for one read-back.

mod abi;
mod adapter;
mod buffers;
mod clock;
mod coarse;
mod descent;
mod device;
mod drivers;
mod error;
mod host;
mod inputs;
mod kernels;
mod listing;
mod manifests;
mod moments;
mod open;
mod packing;
mod partials;
mod passes;
mod pipelines;
mod plan;
mod precision;
mod predict;
mod readback;
#[cfg(test)]
mod reflection;
mod resident;
mod shaders;
mod stream;
mod trial;
mod tuning;
mod upload;
mod window;

pub use adapter::{Adapter, AdapterChoice, Adapters};
pub use drivers::{BrokenDriver, Rest, Trials, Verdict, fingerprint, try_all};
pub use error::GpuError;
pub use listing::{Listed, Listing};
pub use open::GpuSettings;
pub use precision::Precision;
pub use trial::{Found, Trial, TrialError, answer};
pub use tuning::{Reduction, Tuning};

use std::ops::Range;

use super::{
    Digits, Engine, EngineError, EngineInfo, Notice, Partials, Reweighting, Sink, Stepper, SumsAt,
    check_one_fit, check_points,
};
use crate::array::Problem;
use crate::math::{Affine, Line, Loss, LossSums, Moments, Readings, SizeCounts, SizeRange, SumsAccumulator};
use coarse::Spread;
use descent::Descent;
use device::Device;
use host::Host;
use inputs::Inputs;
use pipelines::Kernel;
use resident::Resident;
use stream::Stream;

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu {
    data: Problem,
    /// The readings of the data in f64, on their way to f32.
    readings: Readings,
    inputs: Inputs,
    info: EngineInfo,
    notices: Vec<Notice>,
    device: Device,
    tuning: Tuning,
    precision: Precision,
    /// Bytes of streamed data that may be on the device.
    memory_bytes: u64,
    predict: Kernel,
    /// Whether the elements that weigh most are too near one another for f32.
    is_narrow: bool,
    /// The point of a pass: W and b, or a shift.
    point: wgpu::Buffer,
    held: Held,
    /// Found when they are first asked for.
    moments: Option<Moments>,
    /// Found when it is first asked for; see [`coarse`].
    spread: Option<Spread>,
    /// The data as the host passes over them; made when it is first asked for.
    host: Option<Host>,
    /// Made when it is first asked for.
    descent: Option<Descent>,
    /// Whether sums of two f32 keep rounding errors; found out when it is first
    /// asked for.
    keeps_rounding: Option<bool>,
}

/// The place of the data of passes that sum.
enum Held {
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
        let (at, part) = (super::point_of(at, 0), self.part(&over)?);
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
            _ => super::RESOLVED_SHARE,
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
        let keeps = *self.keeps_rounding.get_or_insert_with(|| precision::self_test(device).is_ok());
        keeps.then_some(self)
    }
}

#[cfg(test)]
mod tests;
