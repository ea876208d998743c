use std::cell::Cell;

use super::abi::{FinishUniform, FinishedSum, binding};
use super::buffers::{STORAGE, create_buffer};
use super::device::Device;
use super::pipelines::SumsKernel;
use super::plan;
use super::readback::Staging;
use super::{GpuError, Precision};

/// Four sums in f64.
pub(super) type Sums = [f64; 4];

/// The most bytes of partial sums, or of sums, that one submission leaves: data
/// that would leave more are passed over in several.
const MOST_BYTES: u64 = 64 << 20;

/// The partial sums of a pass on the device, and what adds up those of each run
/// and brings the sums to the host.
pub(super) struct Partials {
    pub(super) buffer: wgpu::Buffer,
    /// Runs that there is room for.
    pub(super) room: usize,
    kernel: SumsKernel,
    uniform: wgpu::Buffer,
    /// The number of sums that the uniform is set to.
    set_to: Cell<u32>,
    bindings: wgpu::BindGroup,
    sums: wgpu::Buffer,
    staging: Staging,
}

impl Partials {
    /// Room for so many runs, or for as many as a submission takes.
    pub(super) fn new(device: &Device, kernel: &SumsKernel, runs: usize) -> Result<Self, GpuError> {
        let partial_bytes = u64::from(kernel.pieces.per_run) * u64::from(kernel.partial_bytes());
        let sum_bytes = u64::from(kernel.parts()) * size_of::<FinishedSum>() as u64;
        let most = MOST_BYTES.min(device.limits.max_storage_buffer_binding_size);
        let most = usize::try_from(most / partial_bytes.max(sum_bytes)).unwrap_or(usize::MAX);
        let room = runs.min(most).max(1);
        let buffer = create_buffer(device, "partials", room as u64 * partial_bytes, STORAGE)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let uniform = create_buffer(device, "finish", size_of::<FinishUniform>() as u64, usage)?;
        let sums = create_buffer(device, "sums", room as u64 * sum_bytes, STORAGE)?;
        let bindings = device.scoped(0, |device, _| {
            use binding::finish::{FINISH, PARTS, SUMS};
            kernel.finish.bind(
                device,
                &[
                    (PARTS, buffer.as_entire_binding()),
                    (SUMS, sums.as_entire_binding()),
                    (FINISH, uniform.as_entire_binding()),
                ],
            )
        })?;
        let staging = Staging::new(device, "sums staging", sums.size())?;
        let set_to = Cell::new(0);
        Ok(Self { buffer, room, kernel: kernel.clone(), uniform, set_to, bindings, sums, staging })
    }

    /// Submits what `record` records, the pieces of so many runs, and the addition
    /// of what that leaves; the sums of each run, those of its parts next to
    /// another.
    pub(super) fn add_up(
        &self,
        device: &Device,
        runs: usize,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Vec<Sums>, GpuError> {
        if runs > self.room {
            let reason =
                format!("the partial sums of {runs} runs do not fit where those of {} do", self.room);
            return Err(device.limit(reason));
        }
        let count = runs as u64 * u64::from(self.kernel.parts());
        let [x, y] = plan::finish(count, &device.limits).map_err(|reason| device.limit(reason))?;
        let sums = u32::try_from(count).unwrap_or(u32::MAX);
        if self.set_to.get() != sums {
            let uniform = FinishUniform { sums, zero: 0, unused: [0; 2] };
            device
                .scoped(0, |_, queue| queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform)))?;
            self.set_to.set(sums);
        }
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            record(pass);
            pass.set_pipeline(&self.kernel.finish.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            pass.dispatch_workgroups(x, y, 1);
        };
        let (precision, scale) = (self.kernel.precision, f64::from(self.kernel.pieces.part_scale()));
        let read = |bytes: &[u8]| -> Vec<Sums> {
            let sums = bytes.chunks_exact(size_of::<FinishedSum>());
            match precision {
                Precision::Fast | Precision::Compensated => {
                    let sums = sums.map(|bytes| whole(&bytemuck::pod_read_unaligned(bytes)));
                    sums.map(|sums| sums.map(|sum| sum / scale)).collect()
                }
                Precision::F64 => sums.map(bytemuck::pod_read_unaligned).collect(),
            }
        };
        self.staging.run(device, &self.sums, count * size_of::<FinishedSum>() as u64, record, read)
    }
}

/// Four sums of two f32 each, in f64.
pub(super) fn whole(sum: &FinishedSum) -> Sums {
    // An overflowed hi has a NaN as its error term; the overflow is the news.
    std::array::from_fn(|k| {
        let hi = f64::from(sum.hi[k]);
        if hi.is_finite() { hi + f64::from(sum.lo[k]) } else { hi }
    })
}
