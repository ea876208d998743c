//! Buffers on the device, and numbers as it holds them.

use super::GpuError;
use super::device::Device;

pub(super) const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC);
pub(super) const STORAGE_INPUT: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);

pub(super) fn create_buffer(
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

/// A uniform buffer with these contents.
pub(super) fn uniform(device: &Device, label: &str, contents: &[u8]) -> Result<wgpu::Buffer, GpuError> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let buffer = create_buffer(device, label, contents.len() as u64, usage)?;
    device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, contents))?;
    Ok(buffer)
}

/// A buffer that kernels read, with these contents.
pub(super) fn storage(device: &Device, label: &str, contents: &[u8]) -> Result<wgpu::Buffer, GpuError> {
    let buffer = create_buffer(device, label, contents.len() as u64, STORAGE_INPUT)?;
    device.scoped(0, |_, queue| queue.write_buffer(&buffer, 0, contents))?;
    Ok(buffer)
}

/// A number as the unevaluated sum of two f32.
#[expect(clippy::cast_possible_truncation, reason = "the rounding error is kept in the second part")]
pub(super) fn split(value: f64) -> [f32; 2] {
    let hi = value as f32;
    [hi, (value - f64::from(hi)) as f32]
}

/// The sum of two f32, as one number.
pub(super) fn joined([hi, lo]: [f32; 2]) -> f64 {
    f64::from(hi) + f64::from(lo)
}
