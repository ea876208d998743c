//! The GPU engine: WGSL compute shaders through wgpu, on whatever adapter the
//! machine has.
//!
//! [`Adapters`] finds the ways to a GPU, of drivers that `drivers` has tried in
//! another process (`trial`) and knows by their `manifests`; `device` opens one and turns every
//! failure into a [`GpuError`]; `plan` spreads the elements over windows
//! (buffers as large as the device binds), workgroups and invocations;
//! `inputs` says what of the data is sent there and how, `kernels` compiles the
//! shaders, `upload` moves data there and back. [`Gpu`] runs the passes, over
//! data that are on the device (`resident`) or sent through it (`stream`): one
//! dispatch a window leaves partial sums, a last dispatch adds them up, and one
//! small read-back brings loss and gradients. `forward` predicts. `descent` runs
//! many passes, each with the update that follows, for one read-back. `coarse`
//! puts back what of W and b residuals in f32 are computed without.

mod adapter;
mod clock;
mod coarse;
mod descent;
mod device;
mod drivers;
mod error;
mod forward;
mod inputs;
mod kernels;
mod manifests;
mod packing;
mod partials;
mod plan;
mod precision;
mod resident;
mod stream;
mod trial;
mod tuning;
mod upload;

pub use adapter::{Adapter, AdapterChoice, Adapters};
pub use drivers::{BrokenDriver, Rest, Trials, Verdict, fingerprint, try_all};
pub use error::GpuError;
pub use precision::Precision;
pub use trial::{Found, Trial, TrialError, answer};
pub use tuning::{Reduction, Tuning};

use super::frame::Frame;
use super::{Cpu, Digits, Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, Stepper, targets};
use crate::array::{DataError, Problem};
use crate::math::{Affine, Compensated, Line, LossSums, Moments, PivotSums, Readings, SumsAccumulator};
use coarse::Spread;
use descent::Descent;
use device::Device;
use inputs::Inputs;
use kernels::{Kernel, Parameters, Point, Quantity, SumsKernel, compile_forward};
use partials::Sums;
use resident::{Resident, ResidentPass, Window};
use stream::Stream;

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu {
    data: Problem,
    /// How f64 holds the data, on their way to f32.
    readings: Readings,
    inputs: Inputs,
    info: EngineInfo,
    notices: Vec<Notice>,
    device: Device,
    tuning: Tuning,
    precision: Precision,
    /// What of data that are sent through may be on the device.
    memory_bytes: u64,
    forward: Kernel,
    /// Whether the elements that weigh most are too near one another for f32.
    is_narrow: bool,
    /// Where a pass is taken: W and b, or a pivot.
    point: wgpu::Buffer,
    held: Held,
    /// Found when they are first asked for.
    moments: Option<Moments>,
    /// The same; see [`coarse`].
    spread: Option<Spread>,
    /// Made when it is first asked for.
    descent: Option<Descent>,
    /// Whether sums of two f32 keep rounding errors; found out when it is first
    /// asked for.
    keeps_rounding: Option<bool>,
}

/// Where the data of the residual passes are.
enum Held {
    /// On the device.
    Resident(Box<Resident>),
    /// With the host, which sends them through in every pass.
    Streamed(Box<Stream>),
    /// There is no T, so there are no residual passes.
    InputsOnly,
}

/// How a GPU is used.
#[derive(Debug, Clone, Copy)]
pub struct GpuSettings {
    /// Bytes of X, T and weights that may be on the device: if they are larger
    /// there, every pass streams them. No bound by default.
    pub memory_bytes: u64,
    /// How work is spread; by default as the adapter's kind likes it.
    pub tuning: Option<Tuning>,
    /// How sums are carried.
    pub precision: Precision,
}

impl Default for GpuSettings {
    fn default() -> Self {
        Self { memory_bytes: u64::MAX, tuning: None, precision: Precision::default() }
    }
}

impl GpuSettings {
    /// The usual settings but for how work is spread.
    #[must_use]
    pub fn tuned(tuning: Tuning) -> Self {
        Self { tuning: Some(tuning), ..Self::default() }
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

    /// Like [`open`](Self::open), with at most `memory_bytes` of X and T on
    /// the device: if they are larger there, every pass streams them.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_within(adapter: &Adapter, data: &Problem, memory_bytes: u64) -> Result<Self, EngineError> {
        Self::open_with(adapter, data, &GpuSettings { memory_bytes, ..GpuSettings::default() })
    }

    /// Like [`open`](Self::open), with other than the usual settings.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`GpuError::Limit`]: the adapter can't
    /// work by the tuning; [`GpuError::NoF64`], [`GpuError::NoCompensation`]:
    /// nor with the precision.
    pub fn open_with(adapter: &Adapter, data: &Problem, settings: &GpuSettings) -> Result<Self, EngineError> {
        let GpuSettings { memory_bytes, tuning, precision } = *settings;
        precision.check_f64(adapter)?;
        let device = Device::open(adapter)?;
        if precision == Precision::Compensated {
            precision::self_test(&device)?;
        }
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
        let frame = Frame::of(data);
        let inputs = Inputs::of(data, &frame.readings);
        data.check_intact()?;
        let mut gpu = Self::empty(data, inputs, info, device, tuning, precision)?;
        gpu.readings = frame.readings;
        gpu.memory_bytes = memory_bytes;
        // On their way to f32 elements are f64 once.
        gpu.notices = frame.notices(data);
        if data.t().is_some() {
            let kernel = gpu.compile(Quantity::Residuals)?;
            let uploaded = if inputs.padded_bytes(data.len()) <= memory_bytes {
                gpu.upload_unless_full()?
            } else {
                None
            };
            gpu.held = if let Some(windows) = uploaded {
                Held::Resident(Box::new(Resident::new(&gpu.device, inputs, windows, kernel, &gpu.point)?))
            } else {
                let stream = Stream::new(&gpu.device, kernel, &gpu.point, data, inputs, memory_bytes)?;
                Held::Streamed(Box::new(stream))
            };
        }
        Ok(gpu)
    }

    /// Brings the data to the device; `None` if its memory doesn't hold them.
    fn upload_unless_full(&mut self) -> Result<Option<Vec<Window>>, EngineError> {
        match resident::upload(&self.device, &self.data, &self.inputs) {
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
        let mut gpu = Self::empty(&self.data, self.inputs, info, device, tuning, self.precision)?;
        let (windows, kernel) = (resident.windows.clone(), gpu.compile(Quantity::Residuals)?);
        gpu.held =
            Held::Resident(Box::new(Resident::new(&gpu.device, gpu.inputs, windows, kernel, &gpu.point)?));
        gpu.readings = self.readings;
        // Of the data, which are the same; moments are what this tuning makes
        // of them.
        gpu.spread = self.spread;
        Ok(Some(gpu))
    }

    /// Without data yet.
    fn empty(
        data: &Problem,
        inputs: Inputs,
        info: EngineInfo,
        device: Device,
        tuning: Tuning,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        tuning.check_within(&device.limits, device.has_subgroups).map_err(|reason| device.limit(reason))?;
        let forward = compile_forward(&device, &tuning, &inputs.x)?;
        let point = create_buffer(&device, "point", size_of::<Point>() as u64, STORAGE_INPUT)?;
        Ok(Self {
            data: data.clone(),
            readings: Readings::default(),
            is_narrow: false,
            inputs,
            info,
            notices: Vec::new(),
            device,
            tuning,
            precision,
            memory_bytes: u64::MAX,
            forward,
            point,
            held: Held::InputsOnly,
            moments: None,
            spread: None,
            descent: None,
            keeps_rounding: None,
        })
    }

    fn compile(&self, quantity: Quantity) -> Result<SumsKernel, GpuError> {
        SumsKernel::compile(&self.device, &self.tuning, self.precision, quantity, &self.inputs)
    }

    /// The residual sums at W and b about the origin, with x about it.
    fn sums_at(&mut self, there: Affine) -> Result<LossSums, EngineError> {
        self.set_model(there)?;
        let sums = self.sums(Quantity::Residuals)?;
        let scale = self.inputs.weight_scale();
        let sums = sums.iter().map(|sums| {
            let [rr, rx, r, _] = sums.map(|sum| sum / scale);
            LossSums { rr, rx, r, ..LossSums::default() }
        });
        let sums = sums.collect::<SumsAccumulator>().total();
        let (n, weight_sum) = (self.data.valid_len(), self.data.weight_sum());
        self.with_left_out(LossSums { n, weight_sum, ..sums }, there)
    }

    /// Sets W and b, about the origin, for a residual pass.
    fn set_model(&self, at: Affine) -> Result<(), GpuError> {
        if self.precision == Precision::F64 {
            return self.set_point(&[at.weight, at.bias]);
        }
        self.set_point(&[Point {
            parameters: Parameters { weight: split(at.weight), bias: split(at.bias) },
            coarse: self.inputs.sizes().coarse(at),
            unused: [0.0; 2],
        }])
    }

    fn set_point<P: bytemuck::NoUninit>(&self, point: &[P]) -> Result<(), GpuError> {
        self.device.scoped(0, |_, queue| queue.write_buffer(&self.point, 0, bytemuck::cast_slice(point)))
    }

    /// The sums of a pass at the point that was set, those of parts of one kind
    /// next to another.
    fn sums(&mut self, quantity: Quantity) -> Result<Vec<Sums>, EngineError> {
        match &mut self.held {
            Held::Resident(resident) => {
                let pass = match quantity {
                    Quantity::Residuals => &resident.residuals,
                    Quantity::Moments => resident.moments.as_ref().ok_or(EngineError::NoTarget)?,
                };
                Ok(pass.partials.add_up(&self.device, |recorded| pass.dispatch(recorded))?)
            }
            Held::Streamed(stream) => {
                let sums = stream.sums(&self.device, quantity)?;
                self.notices.append(&mut stream.take_notices());
                Ok(sums)
            }
            Held::InputsOnly => Err(EngineError::NoTarget),
        }
    }

    /// The least sum of squares of which no digit was lost below f32's range.
    fn least_squares(&self, moments: &Moments) -> f64 {
        // The least that every device keeps is 2⁻¹²⁶: of a mean square, the last
        // of 24 bits, or of 48. With f64 it is the elements that are lost.
        let bits = match self.precision {
            Precision::Fast => 24 - 126,
            Precision::Compensated => 48 - 126,
            Precision::F64 => 2 * (24 - 126),
        };
        f64::from(bits).exp2() * moments.weight_sum
    }

    /// Fails if squares were lost in f32, whose range is that of their roots
    /// squared. The host decides what looks like it: data may have no spread,
    /// and f64 may be too small as well.
    fn check_squares(&self, moments: &Moments) -> Result<(), EngineError> {
        let least = self.least_squares(moments);
        let how = if !moments.is_finite() {
            "overflow"
        } else if moments.xx < least || moments.tt < least {
            "vanish"
        } else {
            return Ok(());
        };
        let exact = Cpu::new(&self.data).moments()?;
        let vanished = |exact: f64| exact > 0.0 && exact < least;
        let is_lost = match how {
            // Scaled, nothing overflows.
            "overflow" => exact.is_finite(),
            _ => exact.units() != [0; 2] || vanished(exact.xx) || vanished(exact.tt),
        };
        if !is_lost {
            return Ok(());
        }
        let (x, t) = (self.data.x().label().to_owned(), targets(&self.data)?.label().to_owned());
        Err(DataError::SquaresBeyondF32 { x, t, how }.into())
    }

    /// Whether weights leave hardly any spread: the elements that weigh most are
    /// then so near one another that f32, which holds all of them, has too few
    /// digits for what is between those.
    fn is_narrow_in(&self, moments: &Moments) -> bool {
        /// Of the spread of all, a share of which f32 leaves 18 bits.
        const NARROW: f64 = 1.0 / 64.0;
        /// Of smaller ones the squares vanish, and residuals with them.
        const LEAST_SPREAD: f64 = 1e-18;
        let is_narrow = |squares: f64, spread: f64| (squares / moments.weight_sum).sqrt() < NARROW * spread;
        let least = self.inputs.x.spread.min(self.inputs.t.spread);
        self.inputs.weights.is_some()
            && least > LEAST_SPREAD
            && (is_narrow(moments.xx, self.inputs.x.spread) || is_narrow(moments.tt, self.inputs.t.spread))
    }

    /// The moments as the device has them, of which squares may be lost.
    fn moments_in_range(&mut self) -> Result<Moments, EngineError> {
        if let Some(moments) = self.moments {
            return Ok(moments);
        }
        self.prepare_moments()?;
        let centres = [self.inputs.x.centre, self.inputs.t.centre];
        let mut moments = self.moments_about(centres)?;
        // Elements may be elsewhere than a sample of them was.
        if let Some(centres) = self.better_centres(centres, &moments) {
            moments = self.moments_about(centres)?;
        }
        Ok(*self.moments.insert(moments))
    }

    /// The spread of X about the origin of residuals.
    fn spread(&mut self) -> Result<Spread, EngineError> {
        if let Some(spread) = self.spread {
            return Ok(spread);
        }
        let moments = self.moments_in_range()?;
        let moments = if moments.is_finite() && moments.xx >= self.least_squares(&moments) {
            moments.of_readings(&self.readings, 0)
        } else {
            Cpu::new(&self.data).moments()?
        };
        let spread = Spread::about(self.inputs.origin(self.precision).x, &moments);
        Ok(*self.spread.insert(spread))
    }

    /// The sums at W and b from those at what of them residuals in f32 are
    /// computed at, all about the origin.
    fn with_left_out(&mut self, sums: LossSums, at: Affine) -> Result<LossSums, EngineError> {
        let left_out = self.inputs.sizes().left_out(at);
        if self.precision != Precision::Fast || left_out == Affine::default() {
            return Ok(sums);
        }
        Ok(self.spread()?.moved(sums, left_out))
    }

    /// The moments from sums about a point on the device.
    fn moments_about(&mut self, centres: [f32; 2]) -> Result<Moments, EngineError> {
        self.set_point(&centres.map(|centre| [centre, 0.0]))?;
        let mut sums = [Compensated::default(); 5];
        for pair in self.sums(Quantity::Moments)?.chunks_exact(2) {
            let [linear, quadratic] = [pair[0], pair[1]];
            let terms = [linear[0], linear[1], quadratic[0], quadratic[1], quadratic[2]];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        }
        let scale = self.inputs.weight_scale();
        let [x, t, xx, xt, tt] = sums.map(|sum| sum.value() / scale);
        let [x_pivot, t_pivot] =
            [self.inputs.x.pivot + f64::from(centres[0]), self.inputs.t.pivot + f64::from(centres[1])];
        let (n, weight_sum) = (self.data.valid_len(), self.data.weight_sum());
        Ok(Moments::from_pivot_sums(&PivotSums { n, weight_sum, x_pivot, t_pivot, x, t, xx, xt, tt }))
    }

    /// Where to sum about, if that was far from the means that were found.
    fn better_centres(&self, centres: [f32; 2], moments: &Moments) -> Option<[f32; 2]> {
        /// Standard deviations: with so many, the sums of squares lose 17 times
        /// their rounding.
        const FAR: f64 = 4.0;
        let means = [moments.x_mean - self.inputs.x.pivot, moments.t_mean - self.inputs.t.pivot];
        let squares = [moments.xx, moments.tt].map(|squares| squares / moments.weight_sum);
        let is_far = |k: usize| (means[k] - f64::from(centres[k])).powi(2) > FAR * FAR * squares[k];
        let better = means.map(|mean| split(mean)[0]);
        (moments.is_finite() && (is_far(0) || is_far(1)) && better != centres).then_some(better)
    }

    /// Compiles the moments pass, which is not always wanted.
    fn prepare_moments(&mut self) -> Result<(), EngineError> {
        let kernel = match &self.held {
            Held::Resident(resident) if resident.moments.is_none() => self.compile(Quantity::Moments)?,
            Held::Streamed(stream) if !stream.has_moments() => self.compile(Quantity::Moments)?,
            _ => return Ok(()),
        };
        match &self.held {
            Held::Resident(resident) => {
                let pass =
                    ResidentPass::new(&self.device, &self.inputs, &resident.windows, kernel, &self.point)?;
                if let Held::Resident(resident) = &mut self.held {
                    resident.moments = Some(pass);
                }
            }
            _ => {
                if let Held::Streamed(stream) = &mut self.held {
                    stream.add_moments(&self.device, kernel, &self.point)?;
                }
            }
        }
        Ok(())
    }
}

const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC);
const STORAGE_INPUT: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);

fn create_buffer(
    device: &Device,
    label: &str,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, GpuError> {
    device.scoped(size, |device, _| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    })
}

/// A uniform buffer with these contents.
fn uniform(device: &Device, label: &str, contents: &[u8]) -> Result<wgpu::Buffer, GpuError> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let buffer = create_buffer(device, label, contents.len() as u64, usage)?;
    device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, contents))?;
    Ok(buffer)
}

/// A number as the unevaluated sum of two f32.
#[expect(clippy::cast_possible_truncation, reason = "the rounding error is kept in the second part")]
fn split(value: f64) -> [f32; 2] {
    let hi = value as f32;
    [hi, (value - f64::from(hi)) as f32]
}

impl Engine for Gpu {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn pass_bytes(&self) -> u64 {
        (self.data.len() * self.inputs.pair_bytes()) as u64
    }

    fn loss_sums(&mut self, at: Affine) -> Result<LossSums, EngineError> {
        let origin = self.inputs.origin(self.precision);
        Ok(origin.uncentred_sums(self.sums_at(origin.centred(at))?))
    }

    fn moments(&mut self) -> Result<Moments, EngineError> {
        let moments = self.moments_in_range()?;
        self.is_narrow = self.is_narrow_in(&moments);
        if self.is_narrow {
            return Cpu::new(&self.data).moments();
        }
        self.check_squares(&moments)?;
        Ok(moments.of_readings(&self.readings, 0))
    }

    /// Twice the digits of f64 are had on the host.
    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        match digits {
            Digits::Usual => {
                let origin = self.inputs.origin(self.precision);
                let sums = self.sums_at(origin.centred_line(line))?;
                Ok(line.in_units(origin.sums_about(line.x, sums), &Readings::default()))
            }
            Digits::Double => Cpu::new(&self.data).sums_about(line, digits),
        }
    }

    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        Cpu::new(&self.data).moments().map(Some)
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

    fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.predict(at, sink)
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

    /// For data that are on the device, with the precision that updates there
    /// have, if it keeps the rounding errors that they are made of.
    fn stepper(&mut self) -> Option<&mut dyn Stepper> {
        if !matches!(self.held, Held::Resident(_)) || self.precision != Precision::Fast {
            return None;
        }
        let device = &self.device;
        let keeps = *self.keeps_rounding.get_or_insert_with(|| precision::self_test(device).is_ok());
        keeps.then_some(self)
    }
}

#[cfg(test)]
mod tests;
