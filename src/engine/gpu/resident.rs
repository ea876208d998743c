//! X, T and the weights on the device, and the passes over them.

use std::ops::Range;

use super::GpuError;
use super::abi::WindowUniform;
use super::buffers::{STORAGE_INPUT, create_buffer, uniform};
use super::device::Device;
use super::inputs::Inputs;
use super::packing::Packing;
use super::partials::Partials;
use super::pipelines::SumsKernel;
use super::plan::{self, Dispatch};
use super::upload::{Uploader, Uploaders};
use super::window::{Passes, Slice, Window};
use crate::array::Problem;
use crate::engine::{EngineError, Notice};

/// Brings all of the data to the device, and tells what they lost on the way.
pub(super) fn upload(
    device: &Device,
    data: &Problem,
    inputs: &Inputs,
) -> Result<(Vec<Window>, Vec<Notice>), EngineError> {
    let needed_bytes = inputs.padded_bytes(data.len());
    let mut uploaders = Uploaders::new(data, inputs)?;
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
        windows: Vec<Window>,
        loss_sums: SumsKernel,
        point: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        let loss_sums = ResidentPass::new(device, &inputs, &windows, loss_sums, point)?;
        Ok(Self { windows, passes: Passes { loss_sums, moments: None } })
    }

    /// Makes the moments pass ready.
    pub(super) fn add_moments(
        &mut self,
        device: &Device,
        inputs: &Inputs,
        kernel: SumsKernel,
        point: &wgpu::Buffer,
    ) -> Result<(), GpuError> {
        self.passes.moments = Some(ResidentPass::new(device, inputs, &self.windows, kernel, point)?);
        Ok(())
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
    pub(super) partial_count: u32,
}

/// A pass over one of them.
struct WindowPass {
    bindings: wgpu::BindGroup,
    workgroups: [u32; 2],
}

impl ResidentPass {
    pub(super) fn new(
        device: &Device,
        inputs: &Inputs,
        windows: &[Window],
        kernel: SumsKernel,
        point: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        let dispatches = Self::dispatches(device, windows, &kernel)?;
        let room = dispatches.iter().map(|dispatch| u64::from(dispatch.partials)).sum();
        let partials = Partials::new(device, &kernel, room)?;
        let (mut window_passes, mut first_partial) = (Vec::new(), 0);
        for (window, dispatch) in windows.iter().zip(&dispatches) {
            dispatch
                .check_buffers(window.groups(inputs), first_partial, partials.room)
                .map_err(|reason| device.limit(reason))?;
            let place = WindowUniform::new(dispatch, first_partial, inputs);
            let place = uniform(device, "window", bytemuck::bytes_of(&place))?;
            first_partial += dispatch.partials;
            let bindings = device.scoped(0, |device, _| {
                window.bind(device, &kernel, place.as_entire_binding(), &partials.buffer, point)
            })?;
            window_passes.push(WindowPass { bindings, workgroups: dispatch.workgroups });
        }
        partials.set_count(device, first_partial)?;
        Ok(Self { kernel, windows: window_passes, partials, partial_count: first_partial })
    }

    /// The dispatch of each window: by the tuning, or with fewer workgroups where
    /// all windows together leave more partial sums than can be added up.
    fn dispatches(
        device: &Device,
        windows: &[Window],
        kernel: &SumsKernel,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let mut tuning = kernel.tuning;
        loop {
            let dispatches: Vec<Dispatch> = windows
                .iter()
                .map(|window| device.dispatch(window.range.len(), &tuning))
                .collect::<Result<_, _>>()?;
            let partials = dispatches.iter().map(|dispatch| u64::from(dispatch.partials)).sum();
            if tuning.workgroups == 1 || plan::check_finish(partials, kernel.parts()).is_ok() {
                return Ok(dispatches);
            }
            tuning.workgroups /= 2;
        }
    }

    /// The same pass over a range of elements, which starts with a chunk.
    pub(super) fn over(
        &self,
        device: &Device,
        inputs: &Inputs,
        windows: &[Window],
        range: &Range<usize>,
        point: &wgpu::Buffer,
    ) -> Result<Self, GpuError> {
        let windows: Vec<Window> = windows.iter().filter_map(|window| window.part(range, inputs)).collect();
        Self::new(device, inputs, &windows, self.kernel.clone(), point)
    }

    /// The dispatches that leave the partial sums of all windows.
    pub(super) fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.kernel.sums.pipeline);
        for window in &self.windows {
            pass.set_bind_group(0, &window.bindings, &[]);
            let [x, y] = window.workgroups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }
}
