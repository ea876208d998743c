use futures_intrusive::channel::shared::OneshotReceiver;

use super::GpuError;
use super::clock::{Clock, TICKS_BYTES};
use super::device::Device;

/// A buffer that the device writes to and the host reads. Behind the results
/// is room for what the clock noted.
pub(super) struct Staging {
    buffer: wgpu::Buffer,
}

/// Results on their way to the host.
pub(super) struct Pending {
    submission: wgpu::SubmissionIndex,
    receiver: OneshotReceiver<Result<(), wgpu::BufferAsyncError>>,
    bytes: u64,
    mapped_bytes: u64,
}

impl Staging {
    pub(super) fn new(device: &Device, label: &str, bytes: u64) -> Result<Self, GpuError> {
        let buffer = device.scoped(bytes, |device, _| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes + TICKS_BYTES,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(Self { buffer })
    }

    /// Submits a compute pass of what `record` records, then the copy of the
    /// first `bytes` of `from`, a multiple of 8; waits, and hands those bytes
    /// to `read`.
    pub(super) fn run<T>(
        &self,
        device: &Device,
        from: &wgpu::Buffer,
        bytes: u64,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let pending = self.submit(device, from, bytes, record)?;
        self.finish(device, pending, read)
    }

    /// The first half of [`run`](Self::run). Until the second half is done with,
    /// nothing else may be submitted here.
    pub(super) fn submit(
        &self,
        device: &Device,
        from: &wgpu::Buffer,
        bytes: u64,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Pending, GpuError> {
        let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
        let clock = device.running_clock();
        let mapped_bytes = bytes + clock.map_or(0, |_| TICKS_BYTES);
        let submission = device.scoped(0, |device, queue| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let timestamp_writes = clock.map(Clock::writes);
            record(
                &mut encoder
                    .begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes }),
            );
            encoder.copy_buffer_to_buffer(from, 0, &self.buffer, 0, bytes);
            if let Some(clock) = clock {
                clock.record(&mut encoder, &self.buffer, bytes);
            }
            encoder.map_buffer_on_submit(&self.buffer, wgpu::MapMode::Read, ..mapped_bytes, move |mapped| {
                // Nobody waits any more if the receiver is gone.
                let _ = sender.send(mapped);
            });
            queue.submit([encoder.finish()])
        })?;
        Ok(Pending { submission, receiver, bytes, mapped_bytes })
    }

    /// Waits for what was submitted, and hands its bytes to `read`.
    pub(super) fn finish<T>(
        &self,
        device: &Device,
        pending: Pending,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let readback = |reason: String| GpuError::Readback { adapter: device.adapter(), reason };
        let Pending { submission, receiver, bytes, mapped_bytes } = pending;
        let clock = device.running_clock().filter(|_| mapped_bytes > bytes);
        if let Err(error) = device.wait(submission) {
            self.buffer.unmap();
            return Err(error);
        }
        let mapped = pollster::block_on(receiver.receive());
        let result = match mapped {
            None => Err(readback("the mapping was dropped".to_owned())),
            Some(Err(error)) => Err(readback(error.to_string())),
            Some(Ok(())) => match self.buffer.get_mapped_range(..mapped_bytes) {
                Ok(view) => {
                    let (results, ticks) =
                        view.split_at(view.len().min(usize::try_from(bytes).unwrap_or(usize::MAX)));
                    if let Some(clock) = clock {
                        clock.add(ticks);
                    }
                    Ok(read(results))
                }
                Err(error) => Err(readback(error.to_string())),
            },
        };
        self.buffer.unmap();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::tests::software_adapter;
    use super::*;

    #[test]
    fn a_mapping_that_fails_is_an_error() {
        let device = Device::open(&software_adapter()).unwrap();
        let staging = Staging::new(&device, "staging", 64).unwrap();
        let usage = wgpu::BufferUsages::COPY_SRC;
        let from = device
            .scoped(64, |device, _| {
                device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: 64,
                    usage,
                    mapped_at_creation: false,
                })
            })
            .unwrap();
        staging.buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        let twice = staging.run(&device, &from, 64, |_| {}, |_| ());
        assert!(matches!(twice, Err(GpuError::Refused { .. } | GpuError::Readback { .. })), "{twice:?}");
        // Nothing is stuck: the next read-back works.
        staging.buffer.unmap();
        assert_eq!(staging.run(&device, &from, 64, |_| {}, <[u8]>::len).unwrap(), 64);
    }
}
