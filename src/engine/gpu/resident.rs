//! X, T and the weights on the device, and the passes over them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::abi::{RunOfWindow, WindowUniform};
use super::buffers::{STORAGE_INPUT, create_buffer, storage, uniform};
use super::device::Device;
use super::frames::Frames;
use super::inputs::Inputs;
use super::packing::Packing;
use super::partials::{Partials, Sums};
use super::pipelines::SumsKernel;
use super::plan;
use super::upload::{Uploader, Uploaders};
use super::window::{Passes, PointOf, Slice, Tables, Window};
use super::{GpuError, kernels::Quantity};
use crate::array::Problem;
use crate::array::parallel;
use crate::engine::{EngineError, Notice};

/// Brings all of the data to the device, and tells what they lost on the way.
pub(super) fn upload(
    device: &Device,
    data: &Problem,
    frames: &Arc<Frames>,
    inputs: Inputs,
) -> Result<(Vec<Window>, Vec<Notice>), EngineError> {
    let needed_bytes = inputs.padded_bytes(data.len());
    let mut uploaders = Uploaders::new(data, frames, inputs)?;
    let mut windows = Vec::new();
    for range in plan::windows(data.len(), &device.limits) {
        let send =
            |uploader: &mut Uploader, label| uploader.buffer(device, label, range.clone(), needed_bytes);
        let (x, t) = (send(&mut uploaders.x, "x")?, send(&mut uploaders.t, "t")?);
        let weights = uploaders.weights.as_mut().map(|weights| send(weights, "weights")).transpose()?;
        let validity = data.validity().map(|validity| {
            let words = bytemuck::cast_slice(validity.words(&range));
            let buffer = create_buffer(device, "validity", words.len() as u64, STORAGE_INPUT)?;
            device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, words))?;
            Ok::<_, GpuError>(buffer)
        });
        let (weights, validity) = (weights.map(Slice::whole), validity.transpose()?.map(Slice::whole));
        windows.push(Window { range, x: Slice::whole(x), t: Slice::whole(t), weights, validity });
    }
    Ok((windows, uploaders.notices()))
}

/// The data on the device, and the passes over them.
pub(super) struct Resident {
    pub(super) windows: Vec<Window>,
    pub(super) passes: Passes<ResidentPass>,
}

impl Resident {
    pub(super) fn new(
        device: &Device,
        inputs: Inputs,
        frames: &Frames,
        windows: Vec<Window>,
        loss_sums: SumsKernel,
    ) -> Result<Self, GpuError> {
        let quantity = Quantity::LossSums;
        let loss_sums = ResidentPass::new(device, inputs, frames, &windows, loss_sums, quantity, None)?;
        Ok(Self { windows, passes: Passes::new(loss_sums) })
    }

    /// Makes another pass ready.
    pub(super) fn add(
        &mut self,
        device: &Device,
        inputs: Inputs,
        frames: &Frames,
        kernel: SumsKernel,
        quantity: Quantity,
    ) -> Result<(), GpuError> {
        let pass = ResidentPass::new(device, inputs, frames, &self.windows, kernel, quantity, None)?;
        self.passes.add(quantity, pass);
        Ok(())
    }

    /// A pass that has all runs at the one point in a buffer, whatever writes it.
    pub(super) fn pass_at(
        &self,
        device: &Device,
        inputs: Inputs,
        frames: &Frames,
        kernel: SumsKernel,
        point: &wgpu::Buffer,
    ) -> Result<ResidentPass, GpuError> {
        let quantity = kernel.quantity();
        let mut pass =
            ResidentPass::new(device, inputs, frames, &self.windows, kernel, quantity, Some(point))?;
        if pass.partials.room < frames.runs.len() {
            return Err(device.limit("the data leave more partial sums than a step adds up".to_owned()));
        }
        pass.set_runs(device, &(0..frames.runs.len()))?;
        Ok(pass)
    }

    /// The buffer that holds element number `k` of X, and its byte offset in it.
    pub(super) fn place(&self, k: usize, packing: Packing) -> Option<(&wgpu::Buffer, u64)> {
        let window = self.windows.iter().find(|window| window.range.contains(&k))?;
        Some((&window.x.buffer, ((k - window.range.start) * packing.size()) as u64))
    }
}

/// A pass over the windows on the device.
pub(super) struct ResidentPass {
    kernel: SumsKernel,
    windows: Vec<WindowPass>,
    pub(super) partials: Partials,
    /// The runs that the windows' uniforms are set to.
    set_to: Range<usize>,
}

/// A pass over one of them.
struct WindowPass {
    /// The numbers of its runs.
    runs: Range<usize>,
    /// A run for each of its points.
    points: Vec<usize>,
    points_buffer: wgpu::Buffer,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    /// The workgroups of its runs that the uniform is set to.
    workgroups: [u32; 2],
}

impl WindowPass {
    fn new(
        device: &Device,
        frames: &Frames,
        window: &Window,
        kernel: &SumsKernel,
        quantity: Quantity,
        partials: &Partials,
        one_point: Option<&wgpu::Buffer>,
    ) -> Result<Self, GpuError> {
        let runs = frames.runs.within(&window.range);
        let (mut points, mut table) = (Vec::new(), Vec::with_capacity(runs.len()));
        let mut known = HashMap::new();
        for (k, (run, frame)) in runs.clone().zip(frames.over(runs.clone())) {
            let point = match quantity {
                _ if one_point.is_some() => 0,
                _ if quantity.is_of_a_loss() => *known.entry(frame.point_key(run.fit)).or_insert_with(|| {
                    points.push(k);
                    points.len() - 1
                }),
                // Each run has its own shift.
                _ => {
                    points.push(k);
                    points.len() - 1
                }
            };
            table.push(RunOfWindow::new(run, window.range.start, point));
        }
        let point_bytes = kernel.point_bytes();
        let points_buffer = match one_point {
            Some(buffer) => buffer.clone(),
            None => create_buffer(device, "points", points.len() as u64 * point_bytes, STORAGE_INPUT)?,
        };
        let table = storage(device, "runs", bytemuck::cast_slice(&table))?;
        let uniform = uniform(device, "window", &[0; size_of::<WindowUniform>()])?;
        let bindings = device.scoped(0, |device, _| {
            let tables = Tables {
                uniform: uniform.as_entire_binding(),
                runs: table.as_entire_binding(),
                points: points_buffer.as_entire_binding(),
            };
            window.bind(device, kernel, &tables, &partials.buffer)
        })?;
        Ok(Self { runs, points, points_buffer, uniform, bindings, workgroups: [0, 0] })
    }
}

impl ResidentPass {
    fn new(
        device: &Device,
        inputs: Inputs,
        frames: &Frames,
        windows: &[Window],
        kernel: SumsKernel,
        quantity: Quantity,
        one_point: Option<&wgpu::Buffer>,
    ) -> Result<Self, GpuError> {
        frames.find(0..frames.runs.len());
        let partials = Partials::new(device, &kernel, frames.runs.len())?;
        let windows = windows.iter().map(|window| {
            plan::check_buffers(window.groups(inputs), window.range.len())
                .map_err(|reason| device.limit(reason))?;
            WindowPass::new(device, frames, window, &kernel, quantity, &partials, one_point)
        });
        let windows = windows.collect::<Result<_, _>>()?;
        Ok(Self { kernel, windows, partials, set_to: 0..0 })
    }

    /// The sums of some runs at their points.
    pub(super) fn sums(
        &mut self,
        device: &Device,
        runs: Range<usize>,
        points: &impl PointOf,
    ) -> Result<Vec<Sums>, GpuError> {
        self.set_points(device, &runs, points)?;
        let mut all = Vec::new();
        for start in runs.clone().step_by(self.partials.room) {
            let round = start..runs.end.min(start + self.partials.room);
            self.set_runs(device, &round)?;
            let sums = self.partials.add_up(device, round.len(), |pass| self.dispatch(pass))?;
            if round == runs {
                return Ok(sums);
            }
            all.extend(sums);
        }
        Ok(all)
    }

    /// Sets the points of the windows that have any of these runs.
    fn set_points(
        &self,
        device: &Device,
        runs: &Range<usize>,
        points: &impl PointOf,
    ) -> Result<(), GpuError> {
        for window in self.windows.iter().filter(|window| meet(&window.runs, runs).is_some()) {
            let values: Vec<_> = parallel::map(window.points.len(), |k| points.of(window.points[k]));
            device.scoped(0, |_, queue| {
                queue.write_buffer(&window.points_buffer, 0, bytemuck::cast_slice(&values));
            })?;
        }
        Ok(())
    }

    /// Sets what `dispatch` passes over: runs of which there is room for all.
    fn set_runs(&mut self, device: &Device, runs: &Range<usize>) -> Result<(), GpuError> {
        if self.set_to == *runs {
            return Ok(());
        }
        self.set_to = 0..0;
        let kernel = &self.kernel;
        for window in &mut self.windows {
            window.workgroups = [0, 0];
            let Some(own) = meet(&window.runs, runs) else { continue };
            let dispatch = kernel.dispatch(device, own.len())?;
            let number = |k: usize| u32::try_from(k).unwrap_or(u32::MAX);
            let first_partial = number(own.start - runs.start) * kernel.pieces.per_run;
            let uniform = WindowUniform::new(&dispatch, number(own.start - window.runs.start), first_partial);
            device.scoped(0, |_, queue| {
                queue.write_buffer(&window.uniform, 0, bytemuck::bytes_of(&uniform));
            })?;
            window.workgroups = dispatch.workgroups;
        }
        self.set_to = runs.clone();
        Ok(())
    }

    /// The dispatches that leave the partial sums of the runs that were set.
    pub(super) fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.kernel.sums.pipeline);
        for window in self.windows.iter().filter(|window| window.workgroups != [0, 0]) {
            pass.set_bind_group(0, &window.bindings, &[]);
            let [x, y] = window.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }
}

/// The intersection of two ranges, if it is not empty.
fn meet(one: &Range<usize>, other: &Range<usize>) -> Option<Range<usize>> {
    let both = one.start.max(other.start)..one.end.min(other.end);
    (!both.is_empty()).then_some(both)
}
