//! A device is opened, and the data brought to it.

use std::sync::{Arc, OnceLock};

use super::abi::Parameters;
use super::buffers::{STORAGE_INPUT, create_buffer};
use super::device::Device;
use super::frames::Frames;
use super::inputs::Inputs;
use super::kernels::{self, Form, Quantity};
use super::packing::Proven;
use super::pipelines::Kernel;
use super::resident::{self, Resident};
use super::self_test::{self_test, self_test_halves};
use super::stream::Stream;
use super::window::Window;
use super::{Adapter, Gpu, GpuError, Held, Precision, Tuning};
use crate::array::Problem;
use crate::engine::{Engine, EngineError, EngineInfo, EngineKind, Gathered, Notice};

/// The settings that a GPU is opened with.
#[derive(Debug, Clone, Copy)]
pub struct GpuSettings {
    /// Bytes of X, T and weights that may be on the device: if they are larger
    /// there, every pass streams them. No bound by default.
    pub memory_bytes: u64,
    /// The launch configuration; by default that of the adapter's kind.
    pub tuning: Option<Tuning>,
    /// The numbers that sums are carried in.
    pub precision: Precision,
}

impl Default for GpuSettings {
    fn default() -> Self {
        Self { memory_bytes: u64::MAX, tuning: None, precision: Precision::default() }
    }
}

impl GpuSettings {
    /// The usual settings but for the launch configuration.
    #[must_use]
    pub fn tuned(tuning: Tuning) -> Self {
        Self { tuning: Some(tuning), ..Self::default() }
    }

    /// The usual settings, but with at most so many bytes of X, T and weights on
    /// the device.
    #[must_use]
    pub fn within(memory_bytes: u64) -> Self {
        Self { memory_bytes, ..Self::default() }
    }
}

impl Gpu {
    /// Opens an adapter and brings X and, if there is one, T to it: small
    /// elements as they are, others as f32. Data without T stay on the host and
    /// are sent through chunk by chunk.
    ///
    /// Data that its memory does not hold are streamed, with a
    /// [`Notice::Streamed`].
    ///
    /// # Errors
    /// [`GpuError`]: the adapter can't be opened. [`EngineError::Data`]: an
    /// element is beyond the range of f32.
    pub fn open(adapter: &Adapter, data: &Problem) -> Result<Self, EngineError> {
        Self::open_with(adapter, data, &GpuSettings::default())
    }

    /// Like [`open`](Self::open), with other than the usual settings.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`GpuError::Limit`]: the adapter can't
    /// work by the tuning; [`GpuError::NoF64`], [`GpuError::NoCompensation`]:
    /// nor with the precision.
    pub fn open_with(adapter: &Adapter, data: &Problem, settings: &GpuSettings) -> Result<Self, EngineError> {
        let GpuSettings { memory_bytes, tuning, precision } = *settings;
        if !data.fits().are_runs() {
            return Err(EngineError::Apart { fits: data.fits().count() });
        }
        precision.check_f64(adapter)?;
        let device = Device::open(adapter)?;
        let inputs = Inputs::of(data);
        let proven = Proven {
            fma: precision == Precision::Compensated && self_test(&device)?,
            halves: inputs.has_halves() && self_test_halves(&device)?,
        };
        let driver = adapter.driver();
        let info = EngineInfo {
            kind: EngineKind::Gpu,
            adapter: Some(adapter.name().to_owned()),
            backend: Some(adapter.backend()),
            driver: (!driver.is_empty()).then_some(driver),
            precision: Some(precision.name()),
            detail: None,
        };
        let tuning = tuning.unwrap_or_else(|| Tuning::default_for(adapter));
        let frames = Frames::of(data);
        data.check_intact()?;
        let mut gpu = Self::empty(data, inputs, frames, info, device, tuning, (precision, proven))?;
        gpu.memory_bytes = memory_bytes;
        // On their way to f32 elements are f64 once.
        gpu.notices = gpu.frames.notices();
        if data.t().is_some() {
            let uploaded = if inputs.padded_bytes(data.len()) <= memory_bytes {
                gpu.upload_unless_full()?
            } else {
                None
            };
            gpu.held = if let Some(windows) = uploaded {
                gpu.resident(windows)?
            } else {
                // Shifts are found as windows are sent.
                let kernel = gpu.compile(Quantity::LossSums, true)?;
                let stream = Stream::new(&gpu.device, kernel, data, inputs, &gpu.frames, memory_bytes)?;
                Held::Streamed(Box::new(stream))
            };
        }
        Ok(gpu)
    }

    /// Like [`open_with`](Self::open_with), for whatever fits: those whose elements are
    /// apart are brought together on the way.
    ///
    /// # Errors
    /// Those of [`open_with`](Self::open_with) and [`Problem::gathered`].
    pub fn engine(
        adapter: &Adapter,
        data: &Problem,
        settings: &GpuSettings,
    ) -> Result<Box<dyn Engine>, EngineError> {
        if data.fits().are_runs() {
            return Ok(Box::new(Self::open_with(adapter, data, settings)?));
        }
        let opened = Gathered::open(data, |runs| Self::open_with(adapter, runs, settings))?;
        Ok(Box::new(opened))
    }

    /// Brings the data to the device; `None` if its memory doesn't hold them.
    fn upload_unless_full(&mut self) -> Result<Option<Vec<Window>>, EngineError> {
        match resident::upload(&self.device, &self.data, &self.frames, self.inputs) {
            Ok((windows, mut notices)) => {
                self.notices.append(&mut notices);
                Ok(Some(windows))
            }
            Err(EngineError::Gpu(GpuError::OutOfMemory { adapter, needed_mib })) => {
                self.notices.push(Notice::Streamed { adapter, needed_mib });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The same data on the same device, passed over by another tuning; `None`
    /// if they are not held on the device.
    ///
    /// # Errors
    /// [`GpuError::Limit`]: the device can't work by `tuning`.
    pub fn retuned(&self, tuning: Tuning) -> Result<Option<Self>, EngineError> {
        let Held::Resident(resident) = &self.held else { return Ok(None) };
        let (info, device) = (self.info.clone(), self.device.clone());
        let frames = Arc::clone(&self.frames);
        let mut gpu = Self::empty(
            &self.data,
            self.inputs,
            frames,
            info,
            device,
            tuning,
            (self.precision, self.proven),
        )?;
        gpu.held = gpu.resident(resident.windows.clone())?;
        Ok(Some(gpu))
    }

    /// The data in these windows.
    fn resident(&self, windows: Vec<Window>) -> Result<Held, EngineError> {
        let (device, frames) = (&self.device, &self.frames);
        frames.find(0..frames.runs.len());
        let is_shifted = (0..frames.runs.len()).any(|k| frames.get(k).device_shift() != [0.0; 2]);
        let kernel = self.compile(Quantity::LossSums, is_shifted)?;
        Ok(Held::Resident(Box::new(Resident::new(device, self.inputs, frames, windows, kernel)?)))
    }

    /// Without data yet.
    fn empty(
        data: &Problem,
        inputs: Inputs,
        frames: Arc<Frames>,
        info: EngineInfo,
        device: Device,
        tuning: Tuning,
        (precision, proven): (Precision, Proven),
    ) -> Result<Self, EngineError> {
        tuning.check_within(&device.limits, device.has_subgroups).map_err(|reason| device.limit(reason))?;
        let predict = {
            let fits = data.fits();
            let share_groups = !fits.is_one() && fits.run_elements().is_none_or(|run| !run.is_multiple_of(4));
            let source = kernels::predict(&tuning, Form::of(inputs, true, proven), share_groups);
            device.scoped(0, |device, _| Kernel::compile(device, &source))?
        };
        let point = create_buffer(&device, "point", size_of::<Parameters>() as u64, STORAGE_INPUT)?;
        Ok(Self {
            data: data.clone(),
            is_narrow: false,
            inputs,
            spreads: vec![None; frames.runs.len()],
            frames,
            common: OnceLock::new(),
            info,
            notices: Vec::new(),
            device,
            tuning,
            precision,
            proven,
            memory_bytes: u64::MAX,
            predict,
            point,
            held: Held::InputsOnly,
            moments: None,
            host: None,
            descent_loss: crate::math::Loss::Squared,
            descent: None,
            keeps_rounding: None,
        })
    }
}
