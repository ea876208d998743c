use std::collections::VecDeque;
use std::ops::Range;

use super::device::Device;
use super::kernels::{FinishUniform, FinishedSum, Kernels, WindowUniform, binding};
use super::plan::{self, FINISHERS, Tuning};
use super::upload::{Staging, Uploader, padded_bytes};
use super::{STORAGE, STORAGE_INPUT, create_buffer, finished};
use crate::data::Dataset;
use crate::engine::{EngineError, Notice, chunks, targets};
use crate::math::{ResidualSums, SumsAccumulator};

/// Elements of X, and of T, sent at a time: 4 MiB each.
const WINDOW_ELEMENTS: usize = 1 << 20;

/// Windows on the device: one is computed while the next is read and sent.
const SLOTS: usize = 2;

/// Windows whose partials are added up by one finishing dispatch.
const ROUND: usize = 64;

/// X and T sent through a small part of the device's memory, window by
/// window, in every pass.
pub(super) struct Stream<'d> {
    ranges: Vec<Range<usize>>,
    x: Uploader<'d>,
    t: Uploader<'d>,
    slots: Vec<Slot>,
    sums: wgpu::Buffer,
    finish_uniform: wgpu::Buffer,
    finish: wgpu::BindGroup,
    staging: Staging,
    notices: Option<Vec<Notice>>,
}

/// Buffers that windows take turns in.
struct Slot {
    x: wgpu::Buffer,
    t: wgpu::Buffer,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
}

impl<'d> Stream<'d> {
    pub(super) fn new(
        device: &Device,
        kernels: &Kernels,
        tuning: &Tuning,
        parameters: &wgpu::Buffer,
        data: &'d Dataset,
    ) -> Result<Self, EngineError> {
        let ranges: Vec<Range<usize>> = chunks(0..data.len(), WINDOW_ELEMENTS).collect();
        let longest = ranges.first().map_or(0, ExactSizeIterator::len);
        let per_window = tuning.partials_of(&device.dispatch(longest, tuning)?);
        let partial_bytes = u64::from(per_window) * ROUND as u64 * 16;
        let partials = create_buffer(device, "partials", partial_bytes, STORAGE)?;
        let uniform_usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let mut slots = Vec::new();
        for _ in 0..SLOTS {
            let x = create_buffer(device, "x window", padded_bytes(longest), STORAGE_INPUT)?;
            let t = create_buffer(device, "t window", padded_bytes(longest), STORAGE_INPUT)?;
            let uniform = create_buffer(device, "window", size_of::<WindowUniform>() as u64, uniform_usage)?;
            let bindings = device.scoped(0, |device, _| {
                use binding::residual_sums::{PARAMETERS, PARTIALS, T, WINDOW, X};
                kernels.residual_sums.bind(
                    device,
                    &[
                        (X, x.as_entire_binding()),
                        (T, t.as_entire_binding()),
                        (PARTIALS, partials.as_entire_binding()),
                        (WINDOW, uniform.as_entire_binding()),
                        (PARAMETERS, parameters.as_entire_binding()),
                    ],
                )
            })?;
            slots.push(Slot { x, t, uniform, bindings });
        }
        let sums_bytes = u64::from(FINISHERS) * size_of::<FinishedSum>() as u64;
        let sums = create_buffer(device, "sums", sums_bytes, STORAGE)?;
        let finish_uniform =
            create_buffer(device, "finish", size_of::<FinishUniform>() as u64, uniform_usage)?;
        let finish = device.scoped(0, |device, _| {
            use binding::finish::{FINISH, PARTIALS, SUMS};
            kernels.finish.bind(
                device,
                &[
                    (PARTIALS, partials.as_entire_binding()),
                    (SUMS, sums.as_entire_binding()),
                    (FINISH, finish_uniform.as_entire_binding()),
                ],
            )
        })?;
        Ok(Self {
            ranges,
            x: Uploader::new(data.x(), data.order()),
            t: Uploader::new(targets(data)?, data.order()),
            slots,
            sums,
            finish_uniform,
            finish,
            staging: Staging::new(device, "sums staging", sums_bytes)?,
            notices: None,
        })
    }

    /// A pass at the W and b in the parameters' buffer. After the first one
    /// it is known what f32 lost.
    pub(super) fn residual_sums(
        &mut self,
        device: &Device,
        kernels: &Kernels,
        tuning: &Tuning,
    ) -> Result<ResidualSums, EngineError> {
        let mut total = SumsAccumulator::default();
        for round in 0..self.ranges.len().div_ceil(ROUND) {
            let windows = round * ROUND..self.ranges.len().min((round + 1) * ROUND);
            self.round(device, kernels, tuning, windows)?.into_iter().for_each(|sums| total.add(sums));
        }
        if self.notices.is_none() {
            self.notices = Some([self.x.notice(), self.t.notice()].into_iter().flatten().collect());
        }
        Ok(total.total())
    }

    /// What the first pass found out about the data.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn round(
        &mut self,
        device: &Device,
        kernels: &Kernels,
        tuning: &Tuning,
        windows: Range<usize>,
    ) -> Result<Vec<ResidualSums>, EngineError> {
        let mut under_way = VecDeque::new();
        let mut partial_count = 0;
        for window in windows {
            let range = self.ranges[window].clone();
            let slot = &self.slots[window % SLOTS];
            if under_way.len() == SLOTS
                && let Some(submission) = under_way.pop_front()
            {
                device.wait(submission)?;
            }
            let dispatch = device.dispatch(range.len(), tuning)?;
            let uniform = WindowUniform::new(range.len(), &dispatch, partial_count);
            partial_count += tuning.partials_of(&dispatch);
            self.x.enqueue(device, &slot.x, 0, range.clone())?;
            self.t.enqueue(device, &slot.t, 0, range)?;
            under_way.push_back(device.scoped(0, |device, queue| {
                queue.write_buffer(&slot.uniform, 0, bytemuck::bytes_of(&uniform));
                let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    pass.set_pipeline(&kernels.residual_sums.pipeline);
                    pass.set_bind_group(0, &slot.bindings, &[]);
                    let [x, y] = dispatch.workgroups;
                    pass.dispatch_workgroups(x, y, 1);
                }
                queue.submit([encoder.finish()])
            })?);
        }
        plan::check_finish(u64::from(partial_count)).map_err(|reason| device.limit(reason))?;
        let uniform = FinishUniform { partial_count, zero: 0, unused: [0; 2] };
        device.scoped(0, |_, queue| {
            queue.write_buffer(&self.finish_uniform, 0, bytemuck::bytes_of(&uniform));
        })?;
        let record = |encoder: &mut wgpu::CommandEncoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&kernels.finish.pipeline);
            pass.set_bind_group(0, &self.finish, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        };
        let read = |bytes: &[u8]| -> Vec<ResidualSums> {
            bytemuck::cast_slice::<u8, FinishedSum>(bytes).iter().map(finished).collect()
        };
        Ok(self.staging.run(device, &self.sums, self.sums.size(), record, read)?)
    }
}
