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
//! The data: `inputs` says what of them is sent and in which form (`packing`).
//! They are summed in `runs`, the elements of one fit within one chunk, and each
//! run has a way of its own to the device (`frames`, of a `passage` for X and one
//! for T, with the `shift` that residuals are computed with). `plan` divides
//! the elements among windows (buffers as large as the device binds), pieces,
//! workgroups and invocations, `upload` sends them.
//!
//! A pass is over data that are `resident` on the device or are sent through it
//! (`stream`): one dispatch a `window` leaves partial sums, a last dispatch adds
//! up those of each run (`partials`), and one small read-back (`readback`) brings
//! them to the host, which merges runs as all engines do. `passes` and `moments` make loss sums and moments of them; `coarse`
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
mod frames;
mod host;
mod inputs;
mod kernels;
mod listing;
mod manifests;
mod moments;
mod open;
mod packing;
mod partials;
mod passage;
mod passes;
mod pipelines;
mod plan;
mod precision;
mod predict;
mod readback;
#[cfg(test)]
mod reflection;
mod resident;
mod runs;
mod shaders;
mod shift;
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
use std::sync::Arc;

use super::{Digits, Engine, EngineError, EngineInfo, Notice, Partials, Sink, Stepper, check_one_fit};
use crate::array::Problem;
use crate::math::{Affine, Line, LossSums, Moments, Readings};
use coarse::Spread;
use descent::Descent;
use device::Device;
use frames::{Frame, Frames};
use host::Host;
use inputs::Inputs;
use pipelines::Kernel;
use resident::Resident;
use stream::Stream;

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu {
    data: Problem,
    inputs: Inputs,
    frames: Arc<Frames>,
    /// One frame for all elements, if they come to the device in one way; found
    /// when it is first asked for.
    common: Option<Option<Frame>>,
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
    /// W and b of the steps on the device.
    point: wgpu::Buffer,
    held: Held,
    /// Those of all chunks, found when they are first asked for.
    moments: Option<Partials<Moments>>,
    /// Those of runs, found when they are first asked for; see [`coarse`].
    spreads: Vec<Option<Spread>>,
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
        super::check_points(&self.data, at)?;
        self.predict_all(at, sink)
    }

    /// One frame for all elements, if they come to the device in one way.
    fn common_frame(&mut self) -> Option<Frame> {
        *self.common.get_or_insert_with(|| self.frames.common())
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

    fn loss_sums(&mut self, at: &[Affine], over: Range<u64>) -> Result<Partials<LossSums>, EngineError> {
        self.loss_sums_in(at, over)
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        self.moments_in(over)
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
            _ => super::RESOLVED_SHARE,
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
        let device = &self.device;
        let keeps = *self.keeps_rounding.get_or_insert_with(|| precision::self_test(device).is_ok());
        keeps.then_some(self)
    }
}

#[cfg(test)]
mod tests;
