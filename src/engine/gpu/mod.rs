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
mod plan;
mod stream;
mod tuning;
mod upload;

use std::ops::Range;

pub use adapter::{Adapter, AdapterChoice, Adapters};
pub use error::GpuError;
pub use tuning::{Reduction, Tuning};

use super::{DeviceDescent, Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, chunks, targets};
use crate::data::Dataset;
use crate::math::{Affine, ResidualSums, SumsAccumulator};
use descent::Descent;
use device::Device;
use kernels::{FinishUniform, FinishedSum, Kernels, Parameters, WindowUniform, binding};
use plan::{Dispatch, FINISHERS, FORWARD_ELEMENTS};
use stream::Stream;
use upload::{Staging, Uploader, padded_bytes};

/// X and T on a GPU, and the shaders to pass over them.
pub struct Gpu<'d> {
    data: &'d Dataset,
    info: EngineInfo,
    notices: Vec<Notice>,
    device: Device,
    tuning: Tuning,
    kernels: Kernels,
    parameters: wgpu::Buffer,
    held: Held<'d>,
    /// Made when it is first asked for.
    descent: Option<Descent>,
}

/// Where the data of the residual passes are.
enum Held<'d> {
    /// On the device.
    Resident(Resident),
    /// With the host, which sends them through in every pass.
    Streamed(Box<Stream<'d>>),
    /// There is no T, so there are no residual passes.
    InputsOnly,
}

/// What a residual pass needs, all of it on the device.
struct Resident {
    windows: Vec<Window>,
    sums_of_windows: Vec<WindowSums>,
    partials: wgpu::Buffer,
    partial_count: u32,
    sums: wgpu::Buffer,
    finish: wgpu::BindGroup,
    staging: Staging,
}

/// A part of X and T in buffers of its own.
#[derive(Clone)]
struct Window {
    range: Range<usize>,
    x: wgpu::Buffer,
    t: wgpu::Buffer,
}

impl Window {
    /// Checks that it holds what a kernel so dispatched reads.
    fn check(&self, dispatch: &Dispatch) -> Result<(), String> {
        dispatch.check_buffers(self.x.size().min(self.t.size()), 0, u64::MAX)
    }
}

/// The pass over a window.
struct WindowSums {
    bindings: wgpu::BindGroup,
    workgroups: [u32; 2],
}

impl<'d> Gpu<'d> {
    /// Opens an adapter and brings X and, if there is one, T to it as f32.
    /// Data without T stay on the host and are sent through chunk by chunk.
    ///
    /// # Errors
    /// [`GpuError`]: the adapter can't be opened, or its memory doesn't hold
    /// the data. [`EngineError::Data`]: an element is beyond the range of f32.
    pub fn open(adapter: &Adapter, data: &'d Dataset) -> Result<Self, EngineError> {
        Self::open_tuned(adapter, data, u64::MAX, Tuning::default_for(adapter))
    }

    /// Like [`open`](Self::open), with at most `memory_bytes` of X and T on
    /// the device: if they are larger as f32, every pass streams them there.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_within(adapter: &Adapter, data: &'d Dataset, memory_bytes: u64) -> Result<Self, EngineError> {
        Self::open_tuned(adapter, data, memory_bytes, Tuning::default_for(adapter))
    }

    /// Like [`open_within`](Self::open_within), with the work spread by
    /// `tuning`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`GpuError::Limit`]: the adapter can't
    /// work by `tuning`.
    pub fn open_tuned(
        adapter: &Adapter,
        data: &'d Dataset,
        memory_bytes: u64,
        tuning: Tuning,
    ) -> Result<Self, EngineError> {
        let device = Device::open(adapter)?;
        let driver = adapter.driver();
        let info = EngineInfo {
            kind: EngineKind::Gpu,
            adapter: Some(adapter.name().to_owned()),
            backend: Some(adapter.backend()),
            driver: (!driver.is_empty()).then_some(driver),
            detail: None,
        };
        let mut gpu = Self::empty(data, info, device, tuning)?;
        if data.t().is_some() {
            gpu.held = if 2 * padded_bytes(data.len()) <= memory_bytes {
                let windows = gpu.upload()?;
                Held::Resident(gpu.resident(windows)?)
            } else {
                let stream = Stream::new(&gpu.device, &gpu.kernels, &gpu.tuning, &gpu.parameters, data)?;
                Held::Streamed(Box::new(stream))
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
        let mut gpu = Self::empty(self.data, self.info.clone(), self.device.clone(), tuning)?;
        gpu.held = Held::Resident(gpu.resident(resident.windows.clone())?);
        Ok(Some(gpu))
    }

    /// Without data yet.
    fn empty(
        data: &'d Dataset,
        info: EngineInfo,
        device: Device,
        tuning: Tuning,
    ) -> Result<Self, EngineError> {
        tuning.check_within(&device.limits, device.has_subgroups).map_err(|reason| device.limit(reason))?;
        let kernels = Kernels::compile(&device, &tuning)?;
        let parameters = create_buffer(&device, "parameters", size_of::<Parameters>() as u64, STORAGE_INPUT)?;
        let (notices, held) = (Vec::new(), Held::InputsOnly);
        Ok(Self { data, info, notices, device, tuning, kernels, parameters, held, descent: None })
    }

    /// Brings X and T to the device.
    fn upload(&mut self) -> Result<Vec<Window>, EngineError> {
        let (x, t, order) = (self.data.x(), targets(self.data)?, self.data.order());
        let needed_bytes = 2 * padded_bytes(self.data.len());
        let (mut x_uploader, mut t_uploader) = (Uploader::new(x, order), Uploader::new(t, order));
        let mut windows = Vec::new();
        for range in plan::windows(self.data.len(), &self.device.limits) {
            let x = x_uploader.buffer(&self.device, "x", range.clone(), needed_bytes)?;
            let t = t_uploader.buffer(&self.device, "t", range.clone(), needed_bytes)?;
            windows.push(Window { range, x, t });
        }
        self.notices.extend([x_uploader.notice(), t_uploader.notice()].into_iter().flatten());
        Ok(windows)
    }

    /// Prepares the passes over what is on the device.
    fn resident(&self, windows: Vec<Window>) -> Result<Resident, EngineError> {
        let limit = |reason| self.device.limit(reason);
        let dispatches: Vec<Dispatch> = windows
            .iter()
            .map(|window| self.device.dispatch(window.range.len(), &self.tuning))
            .collect::<Result<_, _>>()?;
        let partial_count = dispatches.iter().map(|dispatch| u64::from(dispatch.partials)).sum();
        let partial_count = plan::check_finish(partial_count, u64::MAX).map_err(limit)?;
        let partials = create_buffer(&self.device, "partials", u64::from(partial_count) * 16, STORAGE)?;
        let (mut sums_of_windows, mut first_partial) = (Vec::new(), 0);
        for (window, dispatch) in windows.iter().zip(&dispatches) {
            window
                .check(dispatch)
                .and_then(|()| dispatch.check_buffers(window.x.size(), first_partial, partials.size()))
                .map_err(limit)?;
            let uniform = self.window_uniform(dispatch, first_partial)?;
            first_partial += dispatch.partials;
            let bindings = self.device.scoped(0, |device, _| {
                use binding::residual_sums::{PARAMETERS, PARTIALS, T, WINDOW, X};
                self.kernels.residual_sums.bind(
                    device,
                    &[
                        (X, window.x.as_entire_binding()),
                        (T, window.t.as_entire_binding()),
                        (PARTIALS, partials.as_entire_binding()),
                        (WINDOW, uniform.as_entire_binding()),
                        (PARAMETERS, self.parameters.as_entire_binding()),
                    ],
                )
            })?;
            sums_of_windows.push(WindowSums { bindings, workgroups: dispatch.workgroups });
        }

        let sums_bytes = u64::from(FINISHERS) * size_of::<FinishedSum>() as u64;
        let sums = create_buffer(&self.device, "sums", sums_bytes, STORAGE)?;
        let uniform = FinishUniform { partial_count, zero: 0, unused: [0; 2] };
        let uniform = self.uniform("finish", bytemuck::bytes_of(&uniform))?;
        let finish = self.device.scoped(0, |device, _| {
            use binding::finish::{FINISH, PARTIALS, SUMS};
            self.kernels.finish.bind(
                device,
                &[
                    (PARTIALS, partials.as_entire_binding()),
                    (SUMS, sums.as_entire_binding()),
                    (FINISH, uniform.as_entire_binding()),
                ],
            )
        })?;
        let staging = Staging::new(&self.device, "sums staging", sums_bytes)?;
        Ok(Resident { windows, sums_of_windows, partials, partial_count, sums, finish, staging })
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

    fn set_parameters(&self, at: Affine) -> Result<(), GpuError> {
        let parameters = Parameters { weight: split(at.weight), bias: split(at.bias) };
        self.device.scoped(0, |_, queue| {
            queue.write_buffer(&self.parameters, 0, bytemuck::bytes_of(&parameters));
        })
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
        let matrices = 1 + u64::from(self.data.t().is_some());
        self.data.len() as u64 * 4 * matrices
    }

    fn residual_sums(&mut self, at: Affine) -> Result<ResidualSums, EngineError> {
        self.set_parameters(at)?;
        let n = self.data.len() as u64;
        let resident = match &mut self.held {
            Held::Resident(resident) => resident,
            Held::Streamed(stream) => {
                let sums = stream.residual_sums(&self.device, &self.kernels, &self.tuning)?;
                self.notices.append(&mut stream.take_notices());
                return Ok(ResidualSums { n, ..sums });
            }
            Held::InputsOnly => return Err(EngineError::NoTarget),
        };
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            resident.dispatch_sums(pass, &self.kernels);
            pass.set_pipeline(&self.kernels.finish.pipeline);
            pass.set_bind_group(0, &resident.finish, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        };
        let merge = |bytes: &[u8]| {
            let sums: &[FinishedSum] = bytemuck::cast_slice(bytes);
            sums.iter().map(finished).collect::<SumsAccumulator>().total()
        };
        let sums = resident.staging.run(&self.device, &resident.sums, resident.sums.size(), record, merge)?;
        Ok(ResidualSums { n, ..sums })
    }

    fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.set_parameters(Affine {
            weight: f64::from(split(at.weight)[0]),
            bias: f64::from(split(at.bias)[0]),
        })?;
        let most = self.data.len().min(FORWARD_ELEMENTS as usize);
        let y = create_buffer(&self.device, "y", padded_bytes(most), STORAGE)?;
        let staging = Staging::new(&self.device, "y staging", padded_bytes(most))?;
        let mut uploader = Uploader::new(self.data.x(), self.data.order());
        let scratch = match self.held {
            Held::Resident(_) => None,
            _ => Some(create_buffer(&self.device, "x chunk", padded_bytes(most), STORAGE_INPUT)?),
        };
        for range in chunks(0..self.data.len(), most) {
            let (x, offset) = match (&self.held, &scratch) {
                (Held::Resident(resident), _) => resident.place(range.start).ok_or(EngineError::NoTarget)?,
                (_, Some(scratch)) => {
                    uploader.write(&self.device, scratch, range.clone())?;
                    (scratch, 0)
                }
                (_, None) => return Err(EngineError::NoTarget),
            };
            let bytes = padded_bytes(range.len());
            let dispatch = self.device.dispatch(range.len(), &self.tuning)?;
            dispatch
                .check_buffers(bytes.min(y.size()), 0, u64::MAX)
                .map_err(|reason| self.device.limit(reason))?;
            let uniform = self.window_uniform(&dispatch, 0)?;
            let bindings = self.device.scoped(0, |device, _| {
                use binding::forward::{PARAMETERS, WINDOW, X, Y};
                let x = wgpu::BufferBinding { buffer: x, offset, size: std::num::NonZeroU64::new(bytes) };
                self.kernels.forward.bind(
                    device,
                    &[
                        (X, wgpu::BindingResource::Buffer(x)),
                        (Y, y.as_entire_binding()),
                        (WINDOW, uniform.as_entire_binding()),
                        (PARAMETERS, self.parameters.as_entire_binding()),
                    ],
                )
            })?;
            let record = |pass: &mut wgpu::ComputePass<'_>| {
                pass.set_pipeline(&self.kernels.forward.pipeline);
                pass.set_bind_group(0, &bindings, &[]);
                let [x, y] = dispatch.workgroups;
                pass.dispatch_workgroups(x, y, 1);
            };
            let read = |bytes: &[u8]| sink(&bytemuck::cast_slice(bytes)[..range.len()]);
            staging.run(&self.device, &y, bytes, record, read)?.map_err(EngineError::Sink)?;
        }
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

    /// For data that are on the device.
    fn descent(&mut self) -> Option<&mut dyn DeviceDescent> {
        matches!(self.held, Held::Resident(_)).then_some(self)
    }
}

impl Resident {
    /// The dispatches that leave the partials of all windows.
    fn dispatch_sums(&self, pass: &mut wgpu::ComputePass<'_>, kernels: &Kernels) {
        pass.set_pipeline(&kernels.residual_sums.pipeline);
        for window in &self.sums_of_windows {
            pass.set_bind_group(0, &window.bindings, &[]);
            let [x, y] = window.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }

    /// The buffer that holds element number `k`, and its byte offset in it.
    fn place(&self, k: usize) -> Option<(&wgpu::Buffer, u64)> {
        let window = self.windows.iter().find(|window| window.range.contains(&k))?;
        Some((&window.x, (k - window.range.start) as u64 * 4))
    }
}

fn finished(sum: &FinishedSum) -> ResidualSums {
    let part = |k: usize| f64::from(sum.hi[k]) + f64::from(sum.lo[k]);
    // An overflowed hi has a NaN as its error term; the overflow is the news.
    let part = |k: usize| if sum.hi[k].is_finite() { part(k) } else { f64::from(sum.hi[k]) };
    ResidualSums { n: 0, rr: part(0), rx: part(1), r: part(2) }
}

#[cfg(test)]
mod tests {
    use super::device::tests::software_adapter;
    use super::*;
    use crate::data::Matrix;

    /// Every way of spreading the work must give the same whole numbers,
    /// also those meant for devices that aren't here.
    #[test]
    fn every_tuning_is_exact_on_whole_numbers() {
        let adapter = software_adapter();
        let at = Affine::new(2.0, 1.0);
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
            let whole = |k: usize, period: usize| i16::try_from(k % period).unwrap_or(0) - 3;
            let (x, t): (Vec<i16>, Vec<i16>) = (0..n).map(|k| (whole(k, 7), whole(k, 11))).unzip();
            let (mut rr, mut rx, mut r) = (0.0, 0.0, 0.0);
            for (&x, &t) in x.iter().zip(&t) {
                let residual = f64::from(2 * x + 1 - t);
                rr += residual * residual;
                rx += residual * f64::from(x);
                r += residual;
            }
            let want = ResidualSums { n: n as u64, rr, rx, r };
            let data =
                Dataset::pair(Matrix::from_vec("x", &[n as u64], x), Matrix::from_vec("t", &[n as u64], t))
                    .unwrap();
            for (tuning, memory) in
                tunings.map(|tuning| (tuning, u64::MAX)).into_iter().chain(tunings.map(|tuning| (tuning, 0)))
            {
                let mut gpu = Gpu::open_tuned(&adapter, &data, memory, tuning).unwrap();
                assert_eq!(gpu.residual_sums(at).unwrap(), want, "n = {n}, {tuning:?}");
                let mut ys = Vec::new();
                gpu.forward(at, &mut |chunk| {
                    ys.extend_from_slice(chunk);
                    Ok(())
                })
                .unwrap();
                let expected = |k: usize| f32::from(2 * whole(k, 7) + 1);
                assert!(ys.len() == n && ys.iter().enumerate().all(|(k, &y)| y == expected(k)), "{tuning:?}");
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
        let opened = Gpu::open_tuned(&software_adapter(), &data, u64::MAX, tuning).map(|_| ());
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
