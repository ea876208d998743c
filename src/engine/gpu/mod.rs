//! The GPU engine: WGSL compute shaders through wgpu, on whatever adapter the
//! machine has.
//!
//! [`Adapters`] finds the ways to a GPU; `device` opens one and turns every
//! failure into a [`GpuError`]; `plan` spreads the elements over windows
//! (buffers as large as the device binds), workgroups and invocations;
//! `kernels` compiles the shaders; `upload` moves data there and back.
//! [`Gpu`] holds X and T on the device and runs the passes: one dispatch a
//! window leaves partial sums, a last dispatch adds them up, and one small
//! read-back brings loss and gradients. `descent` runs many passes, each with
//! the update that follows, for one read-back.

mod adapter;
mod clock;
mod descent;
mod device;
mod error;
mod kernels;
mod packing;
mod partials;
mod plan;
mod precision;
mod stream;
mod tuning;
mod upload;

use std::ops::Range;

pub use adapter::{Adapter, AdapterChoice, Adapters};
pub use error::GpuError;
pub use precision::Precision;
pub use tuning::{Reduction, Tuning};

use super::{Cpu, DeviceDescent, Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, chunks, targets};
use crate::data::{DataError, Dataset, Matrix};
use crate::math::{Affine, Compensated, Moments, PivotSums, ResidualSums, SumsAccumulator};
use descent::Descent;
use device::Device;
use kernels::{Kernel, Parameters, Quantity, SumsKernel, WindowUniform, binding, compile_forward};
use packing::Packing;
use partials::{Partials, Sums};
use plan::{Dispatch, FORWARD_ELEMENTS};
use stream::Stream;
use upload::{Pending, Staging, Uploader};

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu<'d> {
    data: &'d Dataset,
    info: EngineInfo,
    notices: Vec<Notice>,
    device: Device,
    tuning: Tuning,
    precision: Precision,
    forward: Kernel,
    /// Where a pass is taken: W and b, or a pivot.
    point: wgpu::Buffer,
    held: Held<'d>,
    /// Made when it is first asked for.
    descent: Option<Descent>,
}

/// Where the data of the residual passes are.
enum Held<'d> {
    /// On the device.
    Resident(Box<Resident>),
    /// With the host, which sends them through in every pass.
    Streamed(Box<Stream<'d>>),
    /// There is no T, so there are no residual passes.
    InputsOnly,
}

/// X and T on the device, and the passes over them.
struct Resident {
    windows: Vec<Window>,
    residuals: ResidentPass,
    /// Made when it is first asked for.
    moments: Option<ResidentPass>,
}

/// A pass over the windows on the device.
struct ResidentPass {
    kernel: SumsKernel,
    windows: Vec<WindowPass>,
    partials: Partials,
    partial_count: u32,
}

/// A part of X and T in buffers of its own.
#[derive(Clone)]
struct Window {
    range: Range<usize>,
    x: wgpu::Buffer,
    t: wgpu::Buffer,
    /// A bit for each element, if there are holes.
    validity: Option<wgpu::Buffer>,
}

impl Window {
    /// Groups of four elements that it holds.
    fn groups(&self, [x, t]: [Packing; 2]) -> u64 {
        x.groups(self.x.size()).min(t.groups(self.t.size()))
    }
}

/// Memory that chunks of a forward pass take turns in.
struct ForwardSlot {
    x: Option<wgpu::Buffer>,
    y: wgpu::Buffer,
    staging: Staging,
}

/// A pass over one of them.
struct WindowPass {
    bindings: wgpu::BindGroup,
    workgroups: [u32; 2],
}

/// How a GPU is used.
#[derive(Debug, Clone, Copy)]
pub struct GpuSettings {
    /// Bytes of X and T, as f32, that may be on the device: if they are larger,
    /// every pass streams them there. No bound by default.
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

impl<'d> Gpu<'d> {
    /// Opens an adapter and brings X and, if there is one, T to it as f32.
    /// Data without T stay on the host and are sent through chunk by chunk.
    ///
    /// # Errors
    /// [`GpuError`]: the adapter can't be opened, or its memory doesn't hold
    /// the data. [`EngineError::Data`]: an element is beyond the range of f32.
    pub fn open(adapter: &Adapter, data: &'d Dataset) -> Result<Self, EngineError> {
        Self::open_with(adapter, data, &GpuSettings::default())
    }

    /// Like [`open`](Self::open), with at most `memory_bytes` of X and T on
    /// the device: if they are larger as f32, every pass streams them there.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_within(adapter: &Adapter, data: &'d Dataset, memory_bytes: u64) -> Result<Self, EngineError> {
        Self::open_with(adapter, data, &GpuSettings { memory_bytes, ..GpuSettings::default() })
    }

    /// Like [`open`](Self::open), with other than the usual settings.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`GpuError::Limit`]: the adapter can't
    /// work by the tuning; [`GpuError::NoF64`], [`GpuError::NoCompensation`]:
    /// nor with the precision.
    pub fn open_with(
        adapter: &Adapter,
        data: &'d Dataset,
        settings: &GpuSettings,
    ) -> Result<Self, EngineError> {
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
        let mut gpu = Self::empty(data, info, device, tuning, precision)?;
        if data.t().is_some() {
            gpu.held = if gpu.device_bytes() <= memory_bytes {
                let windows = gpu.upload()?;
                Held::Resident(Box::new(gpu.resident(windows)?))
            } else {
                let kernel = gpu.compile(Quantity::Residuals)?;
                Held::Streamed(Box::new(Stream::new(&gpu.device, kernel, &gpu.point, data)?))
            };
        }
        Ok(gpu)
    }

    /// The same data on the same device, passed over by another tuning; `None`
    /// if they are not held on the device.
    ///
    /// # Errors
    /// [`GpuError::Limit`]: the device can't work by `tuning`.
    pub fn retuned(&self, tuning: Tuning) -> Result<Option<Self>, EngineError> {
        let Held::Resident(resident) = &self.held else { return Ok(None) };
        let mut gpu = Self::empty(self.data, self.info.clone(), self.device.clone(), tuning, self.precision)?;
        gpu.held = Held::Resident(Box::new(gpu.resident(resident.windows.clone())?));
        Ok(Some(gpu))
    }

    /// Without data yet.
    fn empty(
        data: &'d Dataset,
        info: EngineInfo,
        device: Device,
        tuning: Tuning,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        tuning.check_within(&device.limits, device.has_subgroups).map_err(|reason| device.limit(reason))?;
        let [x, _] = packings(data);
        let forward = compile_forward(&device, &tuning, x)?;
        let point = create_buffer(&device, "point", size_of::<Parameters>() as u64, STORAGE_INPUT)?;
        let (notices, held) = (Vec::new(), Held::InputsOnly);
        Ok(Self { data, info, notices, device, tuning, precision, forward, point, held, descent: None })
    }

    /// Brings X and T to the device.
    fn upload(&mut self) -> Result<Vec<Window>, EngineError> {
        let (x, t) = (self.data.x(), targets(self.data)?);
        let needed_bytes = self.device_bytes();
        let (mut x_uploader, mut t_uploader) = (Uploader::new(x, self.data), Uploader::new(t, self.data));
        let mut windows = Vec::new();
        for range in plan::windows(self.data.len(), &self.device.limits) {
            let x = x_uploader.buffer(&self.device, "x", range.clone(), needed_bytes)?;
            let t = t_uploader.buffer(&self.device, "t", range.clone(), needed_bytes)?;
            let validity = self.data.validity().map(|validity| {
                let words = bytemuck::cast_slice(validity.words(&range));
                let buffer = create_buffer(&self.device, "validity", words.len() as u64, STORAGE_INPUT)?;
                self.device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, words))?;
                Ok::<_, GpuError>(buffer)
            });
            windows.push(Window { range, x, t, validity: validity.transpose()? });
        }
        self.notices.extend([x_uploader.notice(), t_uploader.notice()].into_iter().flatten());
        Ok(windows)
    }

    /// Room for a chunk of a forward pass; of X only where it isn't there yet.
    fn forward_slot(&self, elements: usize) -> Result<ForwardSlot, GpuError> {
        let y_bytes = Packing::F32.padded_bytes(elements);
        let [packing, _] = self.packings();
        let x = match self.held {
            Held::Resident(_) => None,
            _ => Some(create_buffer(&self.device, "x chunk", packing.padded_bytes(elements), STORAGE_INPUT)?),
        };
        let y = create_buffer(&self.device, "y", y_bytes, STORAGE)?;
        Ok(ForwardSlot { x, y, staging: Staging::new(&self.device, "y staging", y_bytes)? })
    }

    /// How X and T lie on the device.
    fn packings(&self) -> [Packing; 2] {
        packings(self.data)
    }

    /// Bytes of X and T there.
    fn device_bytes(&self) -> u64 {
        self.packings().iter().map(|packing| packing.padded_bytes(self.data.len())).sum()
    }

    fn compile(&self, quantity: Quantity) -> Result<SumsKernel, GpuError> {
        let with_holes = self.data.validity().is_some();
        SumsKernel::compile(&self.device, &self.tuning, self.precision, quantity, with_holes, self.packings())
    }

    /// Prepares the passes over what is on the device.
    fn resident(&self, windows: Vec<Window>) -> Result<Resident, EngineError> {
        let residuals = self.resident_pass(&windows, self.compile(Quantity::Residuals)?)?;
        Ok(Resident { windows, residuals, moments: None })
    }

    fn resident_pass(&self, windows: &[Window], kernel: SumsKernel) -> Result<ResidentPass, EngineError> {
        let limit = |reason| self.device.limit(reason);
        let dispatches: Vec<Dispatch> = windows
            .iter()
            .map(|window| self.device.dispatch(window.range.len(), &kernel.tuning))
            .collect::<Result<_, _>>()?;
        let room = dispatches.iter().map(|dispatch| u64::from(dispatch.partials)).sum();
        let partials = Partials::new(&self.device, &kernel, room)?;
        let (mut window_passes, mut first_partial) = (Vec::new(), 0);
        for (window, dispatch) in windows.iter().zip(&dispatches) {
            dispatch
                .check_buffers(window.groups(self.packings()), first_partial, partials.room)
                .map_err(limit)?;
            let uniform = self.window_uniform(dispatch, first_partial)?;
            first_partial += dispatch.partials;
            let bindings = self.device.scoped(0, |device, _| {
                use binding::sums::{PARTIALS, POINT, T, VALIDITY, WINDOW, X};
                let mut resources = vec![
                    (X, window.x.as_entire_binding()),
                    (T, window.t.as_entire_binding()),
                    (PARTIALS, partials.buffer.as_entire_binding()),
                    (WINDOW, uniform.as_entire_binding()),
                    (POINT, self.point.as_entire_binding()),
                ];
                let bits = window.validity.as_ref();
                resources.extend(bits.map(|bits| (VALIDITY, bits.as_entire_binding())));
                kernel.sums.bind(device, &resources)
            })?;
            window_passes.push(WindowPass { bindings, workgroups: dispatch.workgroups });
        }
        partials.set_count(&self.device, first_partial)?;
        Ok(ResidentPass { kernel, windows: window_passes, partials, partial_count: first_partial })
    }

    fn window_uniform(&self, dispatch: &Dispatch, first_partial: u32) -> Result<wgpu::Buffer, GpuError> {
        let uniform = WindowUniform::new(dispatch, first_partial);
        self.uniform("window", bytemuck::bytes_of(&uniform))
    }

    fn uniform(&self, label: &str, contents: &[u8]) -> Result<wgpu::Buffer, GpuError> {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = create_buffer(&self.device, label, contents.len() as u64, usage)?;
        self.device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, contents))?;
        Ok(buffer)
    }

    /// W and b for a residual pass, as its kernel wants them.
    fn set_model(&self, at: Affine) -> Result<(), GpuError> {
        match self.precision {
            Precision::Fast | Precision::Compensated => self.set_point([split(at.weight), split(at.bias)]),
            Precision::F64 => self.set_point([at.weight, at.bias]),
        }
    }

    fn set_point(&self, point: [impl bytemuck::Pod; 2]) -> Result<(), GpuError> {
        self.device.scoped(0, |_, queue| queue.write_buffer(&self.point, 0, bytemuck::bytes_of(&point)))
    }

    /// A point near the means of X and of T: the mean of some elements from all
    /// over the data.
    fn pivot(&self) -> Result<[f32; 2], EngineError> {
        const PLACES: usize = 64;
        const ELEMENTS: usize = 16;
        let (order, n) = (self.data.order(), self.data.len());
        let mean = |matrix: &Matrix| {
            let mut values = [0f32; ELEMENTS];
            let (mut sum, mut count) = (0.0, 0.0);
            for place in 0..PLACES {
                let start = place * (n / PLACES);
                let values = &mut values[..ELEMENTS.min(n - start)];
                matrix.read(order, start, values);
                for (k, &value) in (start..).zip(&*values) {
                    if self.data.validity().is_none_or(|validity| validity.contains(k)) {
                        sum += f64::from(value);
                        count += 1.0;
                    }
                }
                // The system may have mapped far more around what was read.
                matrix.release(order, 0..n);
            }
            // A place without any that counts is as good as none.
            split(sum / f64::max(count, 1.0))[0]
        };
        let pivot = [mean(self.data.x()), mean(targets(self.data)?)];
        self.data.check_intact()?;
        Ok(pivot)
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

    /// Fails if squares were lost in f32, whose range is that of their roots
    /// squared. The host decides what looks like it: data may have no spread,
    /// and f64 may be too small as well.
    fn check_squares(&self, moments: &Moments) -> Result<(), EngineError> {
        /// 2⁻¹⁰²: below, the last of the 24 bits of a mean square are under
        /// 2⁻¹²⁶, the least that every device keeps.
        const LEAST: f64 = f64::from_bits((1023 - 102) << 52);
        #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
        let least = LEAST * moments.n as f64;
        let how = if !moments.is_finite() {
            "overflow"
        } else if moments.xx < least || moments.tt < least {
            "vanish"
        } else {
            return Ok(());
        };
        if self.precision == Precision::F64 {
            return Ok(());
        }
        let exact = Cpu::new(self.data).moments()?;
        let vanished = |exact: f64| exact > 0.0 && exact < least;
        let is_lost = match how {
            "overflow" => exact.is_finite(),
            _ => vanished(exact.xx) || vanished(exact.tt),
        };
        if !is_lost {
            return Ok(());
        }
        let (x, t) = (self.data.x().label().to_owned(), targets(self.data)?.label().to_owned());
        Err(DataError::SquaresBeyondF32 { x, t, how }.into())
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
                let pass = self.resident_pass(&resident.windows, kernel)?;
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

/// How X and T are sent; T like X where there is none.
fn packings(data: &Dataset) -> [Packing; 2] {
    let [x, t] = [data.x(), data.t().unwrap_or(data.x())];
    [x, t].map(|matrix| Packing::of(matrix.element()))
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

/// A number as the unevaluated sum of two f32.
#[expect(clippy::cast_possible_truncation, reason = "the rounding error is kept in the second part")]
fn split(value: f64) -> [f32; 2] {
    let hi = value as f32;
    [hi, (value - f64::from(hi)) as f32]
}

impl Engine for Gpu<'_> {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn pass_bytes(&self) -> u64 {
        let [x, t] = self.packings();
        (self.data.len() * (x.size() + if self.data.t().is_some() { t.size() } else { 0 })) as u64
    }

    fn residual_sums(&mut self, at: Affine) -> Result<ResidualSums, EngineError> {
        self.set_model(at)?;
        let n = self.data.valid_len();
        let sums = self.sums(Quantity::Residuals)?;
        let sums = sums.iter().map(|&[rr, rx, r, _]| ResidualSums { n: 0, rr, rx, r });
        Ok(ResidualSums { n, ..sums.collect::<SumsAccumulator>().total() })
    }

    fn moments(&mut self) -> Result<Moments, EngineError> {
        self.prepare_moments()?;
        let [x_pivot, t_pivot] = self.pivot()?;
        self.set_point([[x_pivot, 0.0], [t_pivot, 0.0]])?;
        let mut sums = [Compensated::default(); 5];
        for pair in self.sums(Quantity::Moments)?.chunks_exact(2) {
            let [linear, quadratic] = [pair[0], pair[1]];
            let terms = [linear[0], linear[1], quadratic[0], quadratic[1], quadratic[2]];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        }
        let [x, t, xx, xt, tt] = sums.map(Compensated::value);
        let (x_pivot, t_pivot) = (f64::from(x_pivot), f64::from(t_pivot));
        let n = self.data.valid_len();
        let moments = Moments::from_pivot_sums(&PivotSums { n, x_pivot, t_pivot, x, t, xx, xt, tt });
        self.check_squares(&moments)?;
        Ok(moments)
    }

    fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.set_point([[split(at.weight)[0], 0.0], [split(at.bias)[0], 0.0]])?;
        // Chunks that are sent take turns in two slots of half the size: while
        // the device computes one, the one before is taken and the next is read.
        let slots = if matches!(self.held, Held::Resident(_)) { 1 } else { 2 };
        let most = self.data.len().min(FORWARD_ELEMENTS as usize / slots);
        let [packing, _] = self.packings();
        let mut uploader = Uploader::new(self.data.x(), self.data);
        let slots: Vec<ForwardSlot> =
            (0..slots).map(|_| self.forward_slot(most)).collect::<Result<_, _>>()?;
        let mut under_way: Option<(&ForwardSlot, Pending, usize)> = None;
        let mut take = |(slot, pending, elements): (&ForwardSlot, Pending, usize)| {
            let read = |bytes: &[u8]| sink(&bytemuck::cast_slice(bytes)[..elements]);
            slot.staging.finish(&self.device, pending, read)?.map_err(EngineError::Sink)
        };
        for (range, slot) in chunks(0..self.data.len(), most).zip(slots.iter().cycle()) {
            let (x, offset) = match (&self.held, &slot.x) {
                (Held::Resident(resident), _) => {
                    resident.place(range.start, packing).ok_or(EngineError::NoTarget)?
                }
                (_, Some(x)) => {
                    uploader.enqueue(&self.device, x, 0, range.clone())?;
                    (x, 0)
                }
                (_, None) => return Err(EngineError::NoTarget),
            };
            let x_bytes = packing.padded_bytes(range.len());
            let dispatch = self.device.dispatch(range.len(), &self.tuning)?;
            dispatch
                .check_buffers(packing.groups(x_bytes).min(Packing::F32.groups(slot.y.size())), 0, u64::MAX)
                .map_err(|reason| self.device.limit(reason))?;
            let uniform = self.window_uniform(&dispatch, 0)?;
            let bindings = self.device.scoped(0, |device, _| {
                use binding::forward::{PARAMETERS, WINDOW, X, Y};
                let x = wgpu::BufferBinding { buffer: x, offset, size: std::num::NonZeroU64::new(x_bytes) };
                self.forward.bind(
                    device,
                    &[
                        (X, wgpu::BindingResource::Buffer(x)),
                        (Y, slot.y.as_entire_binding()),
                        (WINDOW, uniform.as_entire_binding()),
                        (PARAMETERS, self.point.as_entire_binding()),
                    ],
                )
            })?;
            let record = |pass: &mut wgpu::ComputePass<'_>| {
                pass.set_pipeline(&self.forward.pipeline);
                pass.set_bind_group(0, &bindings, &[]);
                let [x, y] = dispatch.workgroups;
                pass.dispatch_workgroups(x, y, 1);
            };
            if slots.len() == 1 {
                under_way.take().map_or(Ok(()), &mut take)?;
            }
            let bytes = Packing::F32.padded_bytes(range.len());
            let pending = slot.staging.submit(&self.device, &slot.y, bytes, record)?;
            under_way.replace((slot, pending, range.len())).map_or(Ok(()), &mut take)?;
        }
        under_way.map_or(Ok(()), &mut take)?;
        // Of data with T, the residual passes tell.
        if matches!(self.held, Held::InputsOnly) {
            self.notices.extend(uploader.notice());
        }
        Ok(())
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

    /// For data without holes that are on the device, with the precision that
    /// updates there have.
    fn descent(&mut self) -> Option<&mut dyn DeviceDescent> {
        let here = matches!(self.held, Held::Resident(_))
            && self.precision == Precision::Fast
            && self.data.validity().is_none();
        here.then_some(self)
    }
}

impl Resident {
    /// The buffer that holds element number `k`, and its byte offset in it.
    fn place(&self, k: usize, packing: Packing) -> Option<(&wgpu::Buffer, u64)> {
        let window = self.windows.iter().find(|window| window.range.contains(&k))?;
        Some((&window.x, ((k - window.range.start) * packing.size()) as u64))
    }
}

impl ResidentPass {
    /// The dispatches that leave the partial sums of all windows.
    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.kernel.sums.pipeline);
        for window in &self.windows {
            pass.set_bind_group(0, &window.bindings, &[]);
            let [x, y] = window.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::device::tests::software_adapter;
    use super::*;
    use crate::data::Matrix;

    /// Small whole numbers, of which every sum is known.
    struct Whole {
        data: Dataset,
        /// At W = 2, b = 1.
        sums: ResidualSums,
        /// Sums of x, t, x², x·t, t².
        raw: [f64; 5],
    }

    impl Whole {
        const AT: Affine = Affine { weight: 2.0, bias: 1.0 };

        fn new(n: usize) -> Self {
            let (x, t): (Vec<i16>, Vec<i16>) =
                (0..n).map(|k| (Self::number(k, 7), Self::number(k, 11))).unzip();
            let mut sums = ResidualSums { n: n as u64, ..ResidualSums::default() };
            let mut raw = [0.0; 5];
            for (x, t) in x.iter().zip(&t).map(|(&x, &t)| (f64::from(x), f64::from(t))) {
                let residual = 2.0 * x + 1.0 - t;
                sums.rr += residual * residual;
                sums.rx += residual * x;
                sums.r += residual;
                raw.iter_mut().zip([x, t, x * x, x * t, t * t]).for_each(|(sum, term)| *sum += term);
            }
            let matrix = |label, values| Matrix::from_vec(label, &[n as u64], values);
            Self { data: Dataset::pair(matrix("x", x), matrix("t", t)).unwrap(), sums, raw }
        }

        fn number(k: usize, period: usize) -> i16 {
            i16::try_from(k % period).unwrap_or(0) - 3
        }

        /// Every number of a pass: the sums exactly, the moments, whose pivot
        /// is no whole number, to `off`, the predictions exactly.
        fn check(&self, adapter: &Adapter, settings: &GpuSettings, off: f64) {
            let mut gpu = Gpu::open_with(adapter, &self.data, settings).unwrap();
            assert_eq!(gpu.residual_sums(Self::AT).unwrap(), self.sums, "{settings:?}");

            let (moments, n) = (gpu.moments().unwrap(), self.data.len());
            let [x, t, xx, xt, tt] = self.raw;
            let count = f64::from(u32::try_from(n).unwrap());
            for (got, want, size) in [
                (moments.x_mean, x / count, 3.0),
                (moments.t_mean, t / count, 7.0),
                (moments.xx, xx - x * x / count, xx),
                (moments.xt, xt - x * t / count, (xx * tt).sqrt()),
                (moments.tt, tt - t * t / count, tt),
            ] {
                assert!((got - want).abs() <= off * size, "{got} for {want}, n = {n}, {settings:?}");
            }

            let mut ys = Vec::new();
            let mut keep = |chunk: &[f32]| {
                ys.extend_from_slice(chunk);
                Ok(())
            };
            gpu.forward(Self::AT, &mut keep).unwrap();
            let expected = |k: usize| f32::from(2 * Self::number(k, 7) + 1);
            assert!(ys.len() == n && ys.iter().enumerate().all(|(k, &y)| y == expected(k)), "{settings:?}");
        }
    }

    /// Every way of spreading the work must give the same whole numbers,
    /// also those meant for devices that aren't here.
    #[test]
    fn every_tuning_is_exact_on_whole_numbers() {
        let adapter = software_adapter();
        let tunings = [
            Tuning::SOFTWARE,
            Tuning::DISCRETE,
            Tuning::UNKNOWN,
            Tuning { workgroup_size: 128, workgroups: 3, ..Tuning::DISCRETE },
            Tuning { contiguous: true, ..Tuning::DISCRETE },
            Tuning { loads: 1, ..Tuning::DISCRETE },
            Tuning { reduction: Reduction::Workgroup, ..Tuning::DISCRETE },
            Tuning { contiguous: false, ..Tuning::SOFTWARE },
            Tuning { loads: 4, ..Tuning::SOFTWARE },
            Tuning { workgroup_size: 1, reduction: Reduction::Subgroup, ..Tuning::SOFTWARE },
            Tuning { workgroup_size: 1, workgroups: 1, ..Tuning::SOFTWARE },
        ];
        for n in [1usize, 2, 3, 4, 5, 63, 64, 65, 257, 4_099, 65_537, (1 << 20) - 1, (1 << 20) + 1] {
            let whole = Whole::new(n);
            for tuning in tunings {
                for memory_bytes in [u64::MAX, 0] {
                    let settings =
                        GpuSettings { memory_bytes, tuning: Some(tuning), precision: Precision::Fast };
                    whole.check(&adapter, &settings, 1e-5);
                }
            }
        }
    }

    /// Every type on either side, in lengths that leave 1, 2 and 3 in the last
    /// word, on the device or streamed, in the order of a CPU and of a GPU.
    #[test]
    fn every_type_is_exact_on_whole_numbers() {
        fn matrix<E: crate::data::Element>(
            label: &str,
            n: usize,
            element: impl Fn(i8) -> E,
            period: usize,
        ) -> Matrix {
            let values = (0..n).map(|k| element(i8::try_from(Whole::number(k, period)).unwrap()));
            Matrix::from_vec(label, &[n as u64], values.collect())
        }
        let of = |kind: usize, label: &str, n: usize, period: usize| match kind {
            0 => matrix(label, n, |v| v, period),
            1 => matrix(label, n, i16::from, period),
            2 => matrix(label, n, |v| half::f16::from_f32(v.into()), period),
            3 => matrix(label, n, |v| half::bf16::from_f32(v.into()), period),
            4 => matrix(label, n, i32::from, period),
            _ => matrix(label, n, f64::from, period),
        };
        let adapter = software_adapter();
        for n in [1, 2, 3, 4, 5, 6, 7, 63, 4_097, (1 << 20) + 5] {
            let Whole { sums, raw, .. } = Whole::new(n);
            let pairs: &[(usize, usize)] = if n == 4_097 {
                &[(0, 0), (0, 1), (1, 2), (2, 3), (3, 0), (4, 1), (5, 3), (2, 5)]
            } else {
                &[(0, 1), (2, 3)]
            };
            for &(x, t) in pairs {
                let data = Dataset::pair(of(x, "x", n, 7), of(t, "t", n, 11)).unwrap();
                let whole = Whole { data, sums, raw };
                for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE] {
                    for (memory_bytes, precision) in [(u64::MAX, Precision::Fast), (0, Precision::F64)] {
                        let settings = GpuSettings { memory_bytes, tuning: Some(tuning), precision };
                        whole.check(&adapter, &settings, 1e-5);
                    }
                }
            }
        }
    }

    /// Each pattern of bits of the small types, brought to f32 by the shader: Y
    /// of W = 1, b = 0 is X.
    #[test]
    fn every_small_number_is_unpacked_exactly() {
        fn check<E: crate::data::Element>(values: Vec<E>) {
            let want: Vec<f32> = values.iter().map(|value| value.to_f32()).collect();
            let data = Dataset::inputs(Matrix::from_vec("x", &[values.len() as u64], values)).unwrap();
            let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
            let mut got = Vec::new();
            let mut keep = |ys: &[f32]| {
                got.extend_from_slice(ys);
                Ok(())
            };
            gpu.forward(Affine::new(1.0, 0.0), &mut keep).unwrap();
            assert!(gpu.notices().is_empty() && got.len() == want.len());
            for (got, want) in got.iter().zip(&want) {
                assert!(got == want, "{:?}: {got:e} for {want:e}", E::TYPE);
            }
        }
        check((0..=u8::MAX).collect());
        check((i8::MIN..=i8::MAX).collect());
        check((0..=u16::MAX).collect());
        check((i16::MIN..=i16::MAX).collect());
        let finite = |value: &f32| value.is_finite();
        check((0..=u16::MAX).map(half::f16::from_bits).filter(|v| finite(&v.to_f32())).collect());
        check((0..=u16::MAX).map(half::bf16::from_bits).filter(|v| finite(&v.to_f32())).collect());
    }

    #[test]
    fn every_precision_is_exact_on_whole_numbers() {
        let adapter = software_adapter();
        for n in [1usize, 3, 5, 64, 4_099, (1 << 20) + 3] {
            let whole = Whole::new(n);
            for (precision, off) in [(Precision::Compensated, 1e-12), (Precision::F64, 1e-14)] {
                for tuning in [Tuning::SOFTWARE, Tuning::DISCRETE] {
                    for memory_bytes in [u64::MAX, 0] {
                        let settings = GpuSettings { memory_bytes, tuning: Some(tuning), precision };
                        whole.check(&adapter, &settings, off);
                    }
                }
            }
        }
    }

    #[test]
    fn a_lost_device_ends_a_pass_with_an_error() {
        let data = Dataset::pair(
            Matrix::from_vec("x", &[2], vec![1f32, 2.0]),
            Matrix::from_vec("t", &[2], vec![1f32, 2.0]),
        )
        .unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        gpu.device.device.destroy();
        let pass = gpu.residual_sums(Affine::default());
        assert!(matches!(pass, Err(EngineError::Gpu(_))), "{pass:?}");
        let pass = gpu.forward(Affine::default(), &mut |_| Ok(()));
        assert!(matches!(pass, Err(EngineError::Gpu(_))), "{pass:?}");
    }

    /// Of passes that read back once, many times, or for many steps.
    #[test]
    fn the_clock_runs_only_between_start_and_stop() {
        let column = |label| Matrix::from_vec(label, &[1000], vec![1f32; 1000]);
        let data = Dataset::pair(column("x"), column("t")).unwrap();
        let mut gpu = Gpu::open(&software_adapter(), &data).unwrap();
        gpu.residual_sums(Affine::default()).unwrap();
        assert_eq!(gpu.stop_clock(), None, "nobody started it");
        let rule =
            crate::engine::DescentRule { start: Affine::default(), learning_rate: 0.01, tolerance: 0.0 };
        let passes: [fn(&mut Gpu<'_>); 3] = [
            |gpu| assert_eq!(gpu.residual_sums(Affine::default()).unwrap().rr, 1000.0),
            |gpu| gpu.forward(Affine::default(), &mut |_| Ok(())).unwrap(),
            |gpu| assert_eq!(gpu.advance(100).unwrap().len(), 100),
        ];
        gpu.begin(&rule).unwrap();
        for pass in passes {
            assert!(gpu.start_clock());
            let started = std::time::Instant::now();
            pass(&mut gpu);
            let waited = started.elapsed().as_secs_f64();
            let seconds = gpu.stop_clock().unwrap();
            assert!(seconds > 0.0 && seconds <= waited, "{seconds} of {waited}");
            assert_eq!(gpu.stop_clock(), None);
        }
        let mut streamed = Gpu::open_within(&software_adapter(), &data, 0).unwrap();
        assert!(!streamed.start_clock(), "not every submission is timed");
    }

    #[test]
    fn a_tuning_that_the_adapter_cannot_follow_is_an_error() {
        let column = |label| Matrix::from_vec(label, &[3], vec![1f32; 3]);
        let data = Dataset::pair(column("x"), column("t")).unwrap();
        let tuning = Tuning { workgroup_size: 3, ..Tuning::SOFTWARE };
        let opened = Gpu::open_with(&software_adapter(), &data, &GpuSettings::tuned(tuning)).map(|_| ());
        assert!(opened.unwrap_err().to_string().contains("workgroup_size is 3"));
    }

    #[test]
    fn a_number_splits_into_two_f32() {
        let [hi, lo] = split(0.1);
        assert_eq!(hi, 0.1f32);
        assert!((f64::from(hi) + f64::from(lo) - 0.1).abs() < 1e-16);
        assert_eq!(split(0.5), [0.5, 0.0]);
    }
}
