use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::{Clock, TICKS_BYTES};
use super::{Adapter, GpuError};

/// The longest wait for one submission. Every wait is finite: drivers have been
/// seen never to answer.
const TIMEOUT: Duration = Duration::from_mins(2);

/// An open device and its queue, with every way they can fail turned into a
/// [`GpuError`].
#[derive(Clone)]
pub(super) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    /// Whether the host may map the buffers that kernels read. Only where both
    /// have the same memory: elsewhere it would make them slow.
    pub(super) maps_inputs: bool,
    /// Whether shaders can add up a subgroup.
    pub(super) has_subgroups: bool,
    /// The device's clock, if it has one.
    pub(super) clock: Option<Clock>,
    adapter: String,
    lost: Arc<Mutex<Option<String>>>,
    stray: Arc<Mutex<Option<wgpu::Error>>>,
}

/// A poisoned lock only means that another thread panicked while it noted an
/// error; the note is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// Opens the adapter with all its limits and those of its features that
    /// linfit uses.
    pub(super) fn open(adapter: &Adapter) -> Result<Self, GpuError> {
        let limits = adapter.limits();
        let mut useful =
            wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SHADER_F64;
        if adapter.is_software() {
            useful |= wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        }
        let features = adapter.adapter.features() & useful;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("linfit"),
            required_features: features,
            required_limits: limits.clone(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.adapter.request_device(&descriptor))
            .map_err(|e| GpuError::Open { adapter: adapter.name().to_owned(), reason: e.to_string() })?;
        let (lost, stray) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
        let note = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            *lock(&note) = Some(format!("{reason:?}: {message}"));
        });
        let note = Arc::clone(&stray);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&note).get_or_insert(error);
        }));
        let maps_inputs = features.contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS);
        let adapter = adapter.name().to_owned();
        let has_subgroups = features.contains(wgpu::Features::SUBGROUP);
        let mut opened =
            Self { device, queue, limits, maps_inputs, has_subgroups, clock: None, adapter, lost, stray };
        if features.contains(wgpu::Features::TIMESTAMP_QUERY) {
            opened.clock = Some(opened.scoped(TICKS_BYTES, Clock::new)?);
        }
        Ok(opened)
    }

    pub(super) fn adapter(&self) -> String {
        self.adapter.clone()
    }

    /// A limit of this device that the work does not fit in.
    pub(super) fn limit(&self, reason: String) -> GpuError {
        GpuError::Limit { adapter: self.adapter(), reason }
    }

    /// The clock, while it runs.
    pub(super) fn running_clock(&self) -> Option<&Clock> {
        self.clock.as_ref().filter(|clock| clock.is_running())
    }

    /// Runs `work`; validation, internal and out-of-memory errors raised in it
    /// on this thread become errors, `needed_bytes` being what it asks of the
    /// device's memory.
    pub(super) fn scoped<T>(
        &self,
        needed_bytes: u64,
        work: impl FnOnce(&wgpu::Device, &wgpu::Queue) -> T,
    ) -> Result<T, GpuError> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let result = work(&self.device, &self.queue);
        // In this order: scopes end last in, first out.
        let errors = [validation, internal, memory].map(|scope| pollster::block_on(scope.pop()));
        if let Some(error) = errors.into_iter().flatten().next() {
            return Err(self.describe(&error, needed_bytes));
        }
        self.health()?;
        Ok(result)
    }

    /// Waits for a submission.
    pub(super) fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.wait_at_most(submission, TIMEOUT)
    }

    fn wait_at_most(&self, submission: wgpu::SubmissionIndex, timeout: Duration) -> Result<(), GpuError> {
        let poll = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(timeout) };
        // wgpu panics when the driver reports a loss while it is polled.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(poll))) {
            Err(_) => Err(self.lost("the driver failed while it was waited for".to_owned())),
            Ok(Err(wgpu::PollError::Timeout)) => {
                self.health()?;
                Err(GpuError::Timeout { adapter: self.adapter(), seconds: timeout.as_secs() })
            }
            Ok(Err(error)) => {
                self.health()?;
                Err(GpuError::Refused { adapter: self.adapter(), reason: error.to_string() })
            }
            Ok(Ok(_)) => self.health(),
        }
    }

    /// Fails if the device was lost or reported an error outside any scope.
    fn health(&self) -> Result<(), GpuError> {
        if let Some(reason) = lock(&self.lost).clone() {
            return Err(self.lost(reason));
        }
        match lock(&self.stray).take() {
            Some(error) => Err(self.describe(&error, 0)),
            None => Ok(()),
        }
    }

    fn lost(&self, reason: String) -> GpuError {
        GpuError::Lost { adapter: self.adapter(), reason }
    }

    fn describe(&self, error: &wgpu::Error, needed_bytes: u64) -> GpuError {
        let adapter = self.adapter();
        match error {
            wgpu::Error::OutOfMemory { .. } => {
                GpuError::OutOfMemory { adapter, needed_mib: needed_bytes.div_ceil(1 << 20) }
            }
            _ => GpuError::Refused { adapter, reason: one_line(&error.to_string()) },
        }
    }
}

/// wgpu's errors are indented trees; ours are a line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::array::{Hint, Hinted};
    use crate::engine::gpu::Adapters;

    /// The adapter that `LINFIT_TEST_ADAPTER` names, or else a software adapter.
    pub(in super::super) fn software_adapter() -> Adapter {
        let adapters = Adapters::enumerate();
        if let Ok(name) = std::env::var("LINFIT_TEST_ADAPTER") {
            let Ok(choice) = name.parse::<crate::engine::gpu::AdapterChoice>();
            return adapters.choose(Some(&choice)).expect("LINFIT_TEST_ADAPTER names no adapter").clone();
        }
        let software = adapters.iter().find(|adapter| adapter.is_software());
        software.expect("no software Vulkan adapter: run tests/run.sh, which installs one").clone()
    }

    fn device() -> Device {
        Device::open(&software_adapter()).unwrap()
    }

    fn buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    }

    #[test]
    fn a_validation_error_is_an_error() {
        let device = device();
        let too_large = device.scoped(0, |device, _| buffer(device, 1 << 62, wgpu::BufferUsages::STORAGE));
        assert!(matches!(too_large, Err(GpuError::Refused { .. })), "{too_large:?}");
        // The device goes on working.
        assert!(device.scoped(0, |device, _| buffer(device, 64, wgpu::BufferUsages::STORAGE)).is_ok());
    }

    #[test]
    fn an_error_outside_any_scope_is_reported_at_the_next_look() {
        let device = device();
        let _ = buffer(&device.device, 1 << 62, wgpu::BufferUsages::STORAGE);
        assert!(matches!(device.health(), Err(GpuError::Refused { .. })));
        assert!(device.health().is_ok(), "it is reported once");
    }

    #[test]
    fn out_of_memory_says_how_much_was_needed() {
        let error = wgpu::Error::OutOfMemory { source: "test".into() };
        let error = device().describe(&error, 5 << 30);
        assert!(error.to_string().contains("5120 MiB"), "{error}");
        assert_eq!(error.hints(), [Hint::StreamData, Hint::CpuEngine]);
    }

    #[test]
    fn a_lost_device_is_an_error() {
        let device = device();
        let submission = device.scoped(0, |_, queue| queue.submit([])).unwrap();
        device.device.destroy();
        let lost = device.wait(submission);
        assert!(matches!(lost, Err(GpuError::Lost { .. })), "{lost:?}");
        assert!(matches!(device.health(), Err(GpuError::Lost { .. })), "and stays lost");
    }

    #[test]
    fn a_wait_ends() {
        let device = device();
        // 256 MiB to copy 64 times: longer than no time at all.
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let (from, to) = (buffer(&device.device, 1 << 28, usage), buffer(&device.device, 1 << 28, usage));
        let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for _ in 0..64 {
            encoder.copy_buffer_to_buffer(&from, 0, &to, 0, 1 << 28);
        }
        let submission = device.queue.submit([encoder.finish()]);
        let timeout = device.wait_at_most(submission.clone(), Duration::ZERO);
        assert!(matches!(timeout, Err(GpuError::Timeout { .. })), "{timeout:?}");
        assert!(device.wait(submission).is_ok(), "a timeout breaks nothing");
    }
}
