use std::cell::Cell;

/// Bytes of the two timestamps of a compute pass.
pub(super) const TICKS_BYTES: u64 = 16;

/// The device's own clock. While it runs, it adds up how long compute passes
/// take on the device, without the way there and back.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    seconds_per_tick: f64,
    /// Seconds so far, while it runs.
    seconds: Cell<Option<f64>>,
}

impl Clock {
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("clock"),
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("clock"),
            size: TICKS_BYTES,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let seconds_per_tick = f64::from(queue.get_timestamp_period()) * 1e-9;
        Self { queries, resolved, seconds_per_tick, seconds: Cell::new(None) }
    }

    pub(super) fn start(&self) {
        self.seconds.set(Some(0.0));
    }

    /// The seconds since it was started, if it was.
    pub(super) fn stop(&self) -> Option<f64> {
        self.seconds.take()
    }

    pub(super) fn is_running(&self) -> bool {
        self.seconds.get().is_some()
    }

    /// What makes a compute pass note when it begins and ends.
    pub(super) fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    /// Copies what the last pass noted to `to`, from byte `offset` on.
    pub(super) fn record(&self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::Buffer, offset: u64) {
        encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, to, offset, TICKS_BYTES);
    }

    /// Adds up what a pass noted.
    pub(super) fn add(&self, ticks: &[u8]) {
        let &[begin, end] = bytemuck::pod_collect_to_vec::<u8, u64>(ticks).as_slice() else { return };
        #[expect(clippy::cast_precision_loss, reason = "no pass takes 2^53 ticks")]
        let seconds = end.saturating_sub(begin) as f64 * self.seconds_per_tick;
        self.seconds.set(self.seconds.get().map(|sum| sum + seconds));
    }
}
