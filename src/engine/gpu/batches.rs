//! Passes over batches on the device: each is the runs of neighbours that a batch is
//! made of, and many are recorded for one submission.

use std::num::NonZeroU64;
use std::ops::Range;

use super::abi::{RunOfWindow, WindowUniform};
use super::buffers::{STORAGE, STORAGE_INPUT, create_buffer};
use super::device::Device;
use super::frames::weight_sum;
use super::kernels::Quantity;
use super::pipelines::SumsKernel;
use super::plan::{self, UPDATED_PARTIALS};
use super::resident::Resident;
use super::window::{Slice, Tables, Window};
use super::{Gpu, GpuError, Precision};
use crate::array::{Batch, Batches, CHUNK_ELEMENTS, Problem, Shuffle};
use crate::engine::EngineError;

/// The most batches of a submission: there are bindings for each in each window.
pub(super) const MOST_BATCHES: usize = 256;

/// The most bytes of a submission's runs in a window.
const MOST_RUN_BYTES: u64 = 16 << 20;

/// The bytes that bindings of a uniform begin at: as many as any device wants.
const UNIFORM_BYTES: u64 = 256;

/// The passes over batches of one kind.
pub(super) struct BatchPasses {
    kernel: SumsKernel,
    /// The partial sums of a batch, in whose place come those of the next.
    pub(super) partials: wgpu::Buffer,
    /// The partial sums there is room for.
    pub(super) most_partials: u32,
    windows: Vec<BatchWindow>,
    /// Runs of a submission there is room for in each window.
    most_runs: usize,
}

struct BatchWindow {
    range: Range<usize>,
    runs: wgpu::Buffer,
    uniforms: wgpu::Buffer,
    /// The bindings of each batch of a submission.
    bindings: Vec<wgpu::BindGroup>,
}

/// A batch of a submission: the dispatches of its pass, and what becomes of them.
pub(super) struct BatchDispatch {
    /// The number of the batch in the submission.
    number: usize,
    /// A window's number and workgroups.
    dispatches: Vec<(usize, [u32; 2])>,
    pub(super) partials: u32,
    /// Σ w of the valid elements.
    pub(super) weight_sum: f64,
}

impl BatchPasses {
    /// Passes over such batches, at the W and b of the steps on the device.
    pub(super) fn new(gpu: &Gpu, resident: &Resident, batches: &Batches) -> Result<Self, EngineError> {
        let (device, precision, quantity) = (&gpu.device, Precision::Compensated, Quantity::LossSums);
        let longest = batches.block().min(batches.batch).min(batches.elements).min(CHUNK_ELEMENTS);
        let longest = usize::try_from(longest).unwrap_or(1).max(1);
        let most_runs = most_runs(batches);
        let form = gpu.form(false);
        let mut kernel = SumsKernel::compile(device, &gpu.tuning, precision, quantity, form, longest)?;
        let mut pieces = kernel.pieces;
        let count = |pieces: plan::Pieces| most_runs.saturating_mul(u64::from(pieces.per_run));
        while let Some(larger) = pieces.larger().filter(|_| count(pieces) > UPDATED_PARTIALS) {
            pieces = larger;
        }
        if pieces != kernel.pieces {
            kernel = SumsKernel::in_pieces(device, kernel.tuning, precision, quantity, form, pieces)?;
        }
        let most_partials = u32::try_from(count(pieces))
            .ok()
            .filter(|&count| u64::from(count) * u64::from(kernel.partial_bytes()) <= 1 << 27)
            .ok_or_else(|| device.limit("a batch has more blocks than a step adds up".to_owned()))?;
        let partial_bytes = u64::from(most_partials) * u64::from(kernel.partial_bytes());
        let partials = create_buffer(device, "partials of a batch", partial_bytes, STORAGE)?;
        let run_bytes = size_of::<RunOfWindow>() as u64;
        let all_runs = most_runs.saturating_mul(MOST_BATCHES as u64);
        let most_runs = all_runs.min(MOST_RUN_BYTES / run_bytes).max(most_runs);
        let windows = resident.windows.iter().map(|window| {
            plan::check_buffers(window.groups(gpu.inputs), window.range.len())
                .map_err(|reason| device.limit(reason))?;
            BatchWindow::new(gpu, window, &kernel, most_runs * run_bytes, &partials)
        });
        let windows = windows.collect::<Result<_, GpuError>>()?;
        let most_runs = usize::try_from(most_runs).unwrap_or(usize::MAX);
        Ok(Self { kernel, partials, most_partials, windows, most_runs })
    }

    /// Sets what `dispatch` passes over, for the batches of a submission, or for the
    /// first of them, as many as there is room for.
    pub(super) fn set<'b>(
        &mut self,
        device: &Device,
        data: &Problem,
        batches: impl Iterator<Item = &'b Batch<'b>>,
    ) -> Result<Vec<BatchDispatch>, EngineError> {
        let kernel = &self.kernel;
        let mut tables: Vec<Vec<RunOfWindow>> = vec![Vec::new(); self.windows.len()];
        let mut uniforms: Vec<Vec<u8>> = vec![Vec::new(); self.windows.len()];
        let mut all = Vec::new();
        let number_of = |k: usize| u32::try_from(k).unwrap_or(u32::MAX);
        for (number, batch) in batches.enumerate() {
            let firsts: Vec<usize> = tables.iter().map(Vec::len).collect();
            let mut sum = 0.0;
            for run in batch.runs() {
                let place = self.windows.partition_point(|window| window.range.end <= run.start);
                let Some(window) = self.windows.get(place) else { continue };
                sum += weight_sum(data, &run, data.valid_in(&run));
                tables[place].push(RunOfWindow::of(&run, window.range.start));
            }
            if tables.iter().any(|table| table.len() > self.most_runs) {
                // These wait for the next submission.
                tables.iter_mut().zip(&firsts).for_each(|(table, &first)| table.truncate(first));
                break;
            }
            let (mut dispatches, mut partials) = (Vec::new(), 0);
            for (place, &first) in firsts.iter().enumerate() {
                let count = tables[place].len() - first;
                let start = number * usize::try_from(UNIFORM_BYTES).unwrap_or(256);
                uniforms[place].resize(start + size_of::<WindowUniform>(), 0);
                if count == 0 {
                    continue;
                }
                let dispatch = kernel.dispatch(device, count)?;
                let uniform = WindowUniform::new(&dispatch, number_of(first), partials);
                uniforms[place][start..].copy_from_slice(bytemuck::bytes_of(&uniform));
                partials += dispatch.pieces;
                dispatches.push((place, dispatch.workgroups));
            }
            if partials > self.most_partials {
                return Err(device.limit("a batch leaves more partial sums than planned".to_owned()).into());
            }
            all.push(BatchDispatch { number, dispatches, partials, weight_sum: sum });
        }
        for ((window, table), uniforms) in self.windows.iter().zip(&tables).zip(&uniforms) {
            device.scoped(0, |_, queue| {
                queue.write_buffer(&window.runs, 0, bytemuck::cast_slice(table));
                queue.write_buffer(&window.uniforms, 0, uniforms);
            })?;
        }
        Ok(all)
    }

    /// The dispatches that leave the partial sums of a batch.
    pub(super) fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, batch: &BatchDispatch) {
        pass.set_pipeline(&self.kernel.sums.pipeline);
        for &(window, [x, y]) in &batch.dispatches {
            pass.set_bind_group(0, &self.windows[window].bindings[batch.number], &[]);
            pass.dispatch_workgroups(x, y, 1);
        }
    }
}

impl BatchWindow {
    fn new(
        gpu: &Gpu,
        window: &Window,
        kernel: &SumsKernel,
        run_bytes: u64,
        partials: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        let device = &gpu.device;
        let runs = create_buffer(device, "runs of batches", run_bytes, STORAGE_INPUT)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let uniforms = create_buffer(device, "windows", MOST_BATCHES as u64 * UNIFORM_BYTES, usage)?;
        let points = Slice::whole(gpu.point.clone());
        let bindings = device.scoped(0, |device, _| {
            let bind = |number: usize| {
                let uniform = wgpu::BufferBinding {
                    buffer: &uniforms,
                    offset: number as u64 * UNIFORM_BYTES,
                    size: NonZeroU64::new(size_of::<WindowUniform>() as u64),
                };
                let tables = Tables {
                    uniform: wgpu::BindingResource::Buffer(uniform),
                    runs: runs.as_entire_binding(),
                    points: points.binding(),
                };
                window.bind(device, kernel, &tables, partials)
            };
            (0..MOST_BATCHES).map(bind).collect()
        })?;
        Ok(Self { range: window.range.clone(), runs, uniforms, bindings })
    }
}

/// The most runs of a batch: its blocks and those that chunks cut, and one more at
/// either end.
fn most_runs(batches: &Batches) -> u64 {
    let batch = batches.batch.min(batches.elements);
    let cuts = batch / CHUNK_ELEMENTS + 2;
    match batches.shuffle {
        Shuffle::None => cuts,
        // Each block may be cut once.
        Shuffle::Block | Shuffle::Element => 2 * (batch / batches.block() + 2),
    }
}
