use super::abi::{FinishUniform, FinishedSum, binding};
use super::buffers::{STORAGE, create_buffer};
use super::device::Device;
use super::pipelines::SumsKernel;
use super::plan::{self, FINISHERS};
use super::readback::Staging;
use super::{GpuError, Precision};

/// Four sums in f64: one finisher's.
pub(super) type Sums = [f64; 4];

/// The partial sums of a pass on the device, and what adds them up and brings
/// the result to the host.
pub(super) struct Partials {
    pub(super) buffer: wgpu::Buffer,
    /// Partial sums that the buffer has room for.
    pub(super) room: u64,
    kernel: SumsKernel,
    uniform: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    sums: wgpu::Buffer,
    staging: Staging,
}

impl Partials {
    /// Room for so many of them.
    pub(super) fn new(device: &Device, kernel: &SumsKernel, room: u64) -> Result<Self, GpuError> {
        plan::check_finish(room, kernel.parts()).map_err(|reason| device.limit(reason))?;
        let bytes = room * u64::from(kernel.partial_bytes());
        let buffer = create_buffer(device, "partials", bytes, STORAGE)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let uniform = create_buffer(device, "finish", size_of::<FinishUniform>() as u64, usage)?;
        let sums_bytes = u64::from(FINISHERS) * size_of::<FinishedSum>() as u64;
        let sums = create_buffer(device, "sums", sums_bytes, STORAGE)?;
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
        let staging = Staging::new(device, "sums staging", sums_bytes)?;
        Ok(Self { buffer, room, kernel: kernel.clone(), uniform, bindings, sums, staging })
    }

    /// Says how many partial sums the windows leave.
    pub(super) fn set_count(&self, device: &Device, count: u32) -> Result<(), GpuError> {
        if u64::from(count) > self.room {
            let reason = format!("{count} partial sums do not fit where {} do", self.room);
            return Err(device.limit(reason));
        }
        let part_count = count * self.kernel.parts();
        let uniform = FinishUniform { part_count, zero: 0, unused: [0; 2] };
        device.scoped(0, |_, queue| queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(&uniform)))
    }

    /// Submits what `record` records and the addition of what that leaves; the
    /// sums of all finishers, those of parts of one kind `parts` apart.
    pub(super) fn add_up(
        &self,
        device: &Device,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Vec<Sums>, GpuError> {
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            record(pass);
            pass.set_pipeline(&self.kernel.finish.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        };
        let precision = self.kernel.precision;
        let read = |bytes: &[u8]| -> Vec<Sums> {
            let sums = bytes.chunks_exact(size_of::<FinishedSum>());
            match precision {
                Precision::Fast | Precision::Compensated => {
                    sums.map(|bytes| whole(&bytemuck::pod_read_unaligned(bytes))).collect()
                }
                Precision::F64 => sums.map(bytemuck::pod_read_unaligned).collect(),
            }
        };
        self.staging.run(device, &self.sums, self.sums.size(), record, read)
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
