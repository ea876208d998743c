use std::ops::Range;

use rayon::prelude::*;

use super::GpuError;
use super::device::Device;
use crate::data::{DataError, ElementType, Matrix, Order, Rounding};
use crate::engine::{EngineError, Notice};

/// Elements sent to the device at a time: 16 MiB.
const UPLOAD_ELEMENTS: usize = 1 << 22;

/// Elements a thread converts at a time.
const CONVERT_ELEMENTS: usize = 1 << 16;

/// Brings a matrix to f32 and to the device, range by range, and counts what
/// the conversion lost.
pub(super) struct Uploader<'m> {
    matrix: &'m Matrix,
    order: Order,
    rounded: u64,
    scratch: Vec<f32>,
}

impl<'m> Uploader<'m> {
    pub(super) fn new(matrix: &'m Matrix, order: Order) -> Self {
        Self { matrix, order, rounded: 0, scratch: Vec::new() }
    }

    /// Fills a new buffer with the elements of `range`.
    pub(super) fn buffer(
        &mut self,
        device: &Device,
        label: &str,
        range: Range<usize>,
        needed_bytes: u64,
    ) -> Result<wgpu::Buffer, EngineError> {
        let size = padded_bytes(range.len());
        let buffer = device.scoped(needed_bytes, |device, _| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        self.write(device, &buffer, range)?;
        Ok(buffer)
    }

    /// Writes the elements of `range` to the start of a buffer.
    pub(super) fn write(
        &mut self,
        device: &Device,
        buffer: &wgpu::Buffer,
        range: Range<usize>,
    ) -> Result<(), EngineError> {
        for part in range.clone().step_by(UPLOAD_ELEMENTS) {
            let part = part..range.end.min(part + UPLOAD_ELEMENTS);
            let offset = (part.start - range.start) as u64 * 4;
            self.enqueue(device, buffer, offset, part)?;
            // The queue keeps a copy of what is written until it has been
            // submitted and waited for.
            let submission = device.scoped(0, |_, queue| queue.submit([]))?;
            device.wait(submission)?;
        }
        Ok(())
    }

    /// Hands the elements of `range` to the queue, which writes them to the
    /// buffer, from byte `offset` on, ahead of the next submission. Mapped
    /// memory they came from is given back: the device has them now.
    pub(super) fn enqueue(
        &mut self,
        device: &Device,
        buffer: &wgpu::Buffer,
        offset: u64,
        range: Range<usize>,
    ) -> Result<(), EngineError> {
        let values = convert(self.matrix, self.order, range.clone(), &mut self.scratch, &mut self.rounded)?;
        device.scoped(0, |_, queue| queue.write_buffer(buffer, offset, bytemuck::cast_slice(values)))?;
        self.matrix.give_back(self.order, range);
        Ok(self.matrix.check_intact()?)
    }

    /// What the user should know about the elements uploaded so far.
    pub(super) fn notice(&self) -> Option<Notice> {
        (self.rounded > 0).then(|| Notice::Rounded {
            label: self.matrix.label().to_owned(),
            from: self.matrix.element(),
            to: ElementType::F32,
            count: self.rounded,
            n: self.matrix.len() as u64,
        })
    }
}

/// The elements of `range` as f32: where they lie, or converted to `scratch`.
fn convert<'s>(
    matrix: &'s Matrix,
    order: Order,
    range: Range<usize>,
    scratch: &'s mut Vec<f32>,
    rounded: &mut u64,
) -> Result<&'s [f32], DataError> {
    if let Some(values) = matrix.as_slice::<f32>(order) {
        return Ok(&values[range]);
    }
    scratch.resize(range.len(), 0.0);
    let lost: Vec<Rounding> = scratch
        .par_chunks_mut(CONVERT_ELEMENTS)
        .enumerate()
        .map(|(k, out)| {
            let start = range.start + k * CONVERT_ELEMENTS;
            matrix.read(order, start, out);
            matrix.rounding_to_f32(order, start..start + out.len())
        })
        .collect();
    if let Some(k) = lost.iter().find_map(|rounding| rounding.overflowed) {
        let mut value = [0f64];
        matrix.read(order, usize::try_from(k).unwrap_or(usize::MAX), &mut value);
        let (label, position) = (matrix.label().to_owned(), matrix.position(k, order));
        return Err(DataError::BeyondF32 { label, position, value: value[0] });
    }
    *rounded += lost.iter().map(|rounding| rounding.rounded).sum::<u64>();
    Ok(scratch)
}

/// Bytes of a buffer for this many f32, padded to whole vec4s.
pub(super) fn padded_bytes(elements: usize) -> u64 {
    (elements as u64 * 4).next_multiple_of(16)
}

/// A buffer that the device writes to and the host reads.
pub(super) struct Staging {
    buffer: wgpu::Buffer,
}

impl Staging {
    pub(super) fn new(device: &Device, label: &str, bytes: u64) -> Result<Self, GpuError> {
        let buffer = device.scoped(bytes, |device, _| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(Self { buffer })
    }

    /// Submits what `encode` records, then the copy of the first `bytes` of
    /// `from`; waits, and hands those bytes to `read`.
    pub(super) fn run<T>(
        &self,
        device: &Device,
        from: &wgpu::Buffer,
        bytes: u64,
        encode: impl FnOnce(&mut wgpu::CommandEncoder),
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let readback = |reason: String| GpuError::Readback { adapter: device.adapter(), reason };
        let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
        let submission = device.scoped(0, |device, queue| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encode(&mut encoder);
            encoder.copy_buffer_to_buffer(from, 0, &self.buffer, 0, bytes);
            encoder.map_buffer_on_submit(&self.buffer, wgpu::MapMode::Read, ..bytes, move |mapped| {
                // Nobody waits any more if the receiver is gone.
                let _ = sender.send(mapped);
            });
            queue.submit([encoder.finish()])
        })?;
        if let Err(error) = device.wait(submission) {
            self.buffer.unmap();
            return Err(error);
        }
        let mapped = pollster::block_on(receiver.receive());
        let result = match mapped {
            None => Err(readback("the mapping was dropped".to_owned())),
            Some(Err(error)) => Err(readback(error.to_string())),
            Some(Ok(())) => match self.buffer.get_mapped_range(..bytes) {
                Ok(view) => Ok(read(&view)),
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
