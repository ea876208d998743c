use std::cell::Cell;

/// Bytes of the two timestamps of a compute pass.
pub(super) const TICKS_BYTES: u64 = 16;

/// The device's own clock. While it runs, it adds up how long compute passes
/// take on the device, without the way there and back.
///
/// Some drivers offer timestamps that do not advance. The time that such a clock
/// has counted is not known.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    seconds_per_tick: f64,
    /// Ticks so far, while it runs.
    ticks: Cell<Option<Ticks>>,
}

/// The ticks of some passes; none that are known once a pass took no time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ticks(Option<u64>);

impl Ticks {
    const ZERO: Self = Self(Some(0));

    /// The sum with one more pass, which noted when it began and when it ended.
    fn and(self, noted: &[u8]) -> Self {
        let &[begin, end] = bytemuck::pod_collect_to_vec::<u8, u64>(noted).as_slice() else {
            return Self(None);
        };
        let pass = end.checked_sub(begin).filter(|&ticks| ticks > 0);
        Self(self.0.zip(pass).map(|(sum, pass)| sum.saturating_add(pass)))
    }

    /// Seconds, where any pass was timed and all of them took time.
    fn seconds(self, seconds_per_tick: f64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "no pass takes 2^53 ticks")]
        self.0.filter(|&ticks| ticks > 0).map(|ticks| ticks as f64 * seconds_per_tick)
    }
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
        Self { queries, resolved, seconds_per_tick, ticks: Cell::new(None) }
    }

    pub(super) fn start(&self) {
        self.ticks.set(Some(Ticks::ZERO));
    }

    /// The seconds of the passes since it was started; `None` if it was not, or
    /// if timestamps did not advance.
    pub(super) fn stop(&self) -> Option<f64> {
        self.ticks.take()?.seconds(self.seconds_per_tick)
    }

    pub(super) fn is_running(&self) -> bool {
        self.ticks.get().is_some()
    }

    /// The request to a compute pass to note when it begins and ends.
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

    /// Adds the time of a pass from what it noted.
    pub(super) fn add(&self, noted: &[u8]) {
        self.ticks.set(self.ticks.get().map(|ticks| ticks.and(noted)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_that_do_not_advance_are_no_time() {
        let seconds = |passes: &[[u64; 2]]| {
            let ticks = passes.iter().fold(Ticks::ZERO, |ticks, pass| ticks.and(bytemuck::cast_slice(pass)));
            ticks.seconds(0.5)
        };
        assert_eq!(seconds(&[[100, 104], [110, 112]]), Some(3.0));
        assert_eq!(seconds(&[]), None, "no pass was timed");
        assert_eq!(seconds(&[[0, 0]]), None);
        assert_eq!(seconds(&[[7, 7], [9, 12]]), None, "one of two is not known");
        assert_eq!(seconds(&[[12, 9], [9, 12]]), None, "backwards");
        assert_eq!(Ticks::ZERO.and(&[]).seconds(1.0), None, "nothing was noted");
    }
}
