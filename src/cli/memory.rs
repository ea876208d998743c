use bytesize::ByteSize;
use clap::Args;

use crate::engine::gpu::Adapter;

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct MemoryArguments {
    /// The most memory for X and T, on the host and on the device: 256MiB, 4GB.
    /// Larger data are streamed in every pass. Default: half of the free memory
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
}

impl MemoryArguments {
    /// Bytes of data the host may hold.
    pub(super) fn host_bytes(&self) -> u64 {
        self.memory.map_or_else(half_of_free, |memory| memory.as_u64())
    }

    /// Bytes of data the adapter may hold. The memory of a software adapter and
    /// of a GPU that is part of the processor is the host's; how much another
    /// one has free no API tells, so without a bound it is tried, and what does
    /// not fit is streamed.
    pub(super) fn device_bytes(&self, adapter: &Adapter) -> u64 {
        match self.memory {
            Some(memory) => memory.as_u64(),
            None if adapter.shares_host_memory() => half_of_free(),
            None => u64::MAX,
        }
    }
}

/// The start of the system in seconds since 1970; 0 where it doesn't tell.
pub(super) fn boot_time() -> u64 {
    sysinfo::System::boot_time().unwrap_or(0)
}

/// Half of the memory that is free now; no bound where the system doesn't
/// tell.
pub(super) fn half_of_free() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return u64::MAX };
    system.refresh_memory();
    match system.available_memory() / 2 {
        0 => u64::MAX,
        half => half,
    }
}
