//! Adapters in words and numbers, for a list of them, from one process to
//! another.

use serde::{Deserialize, Serialize};

use super::{Adapter, Adapters};

/// An adapter and its abilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// Discrete, integrated, virtual, software.
    pub device_type: String,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The largest part of a buffer a kernel sees, in bytes.
    pub max_binding_bytes: u64,
    /// The most invocations in a workgroup.
    pub max_workgroup_size: u32,
    /// Invocations that a subgroup has, least and most.
    pub subgroup_size: [u32; 2],
    /// Optional abilities.
    pub features: Vec<String>,
}

impl Listing {
    fn of(adapter: &Adapter) -> Self {
        let limits = adapter.limits();
        Self {
            name: adapter.name().to_owned(),
            backend: adapter.backend(),
            driver: adapter.driver(),
            device_type: adapter.device_type().to_owned(),
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_workgroup_size: limits.max_compute_invocations_per_workgroup,
            subgroup_size: adapter.subgroup_size(),
            features: adapter.features().into_iter().map(str::to_owned).collect(),
        }
    }
}

/// All adapters, in the order in which `--adapter` counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The adapters.
    pub adapters: Vec<Listing>,
    /// The number of the best real GPU ([`Adapters::real_gpu`]).
    pub real_gpu: Option<usize>,
}

impl Listed {
    /// The list of these.
    #[must_use]
    pub fn of(adapters: &Adapters) -> Self {
        let best = adapters.real_gpu();
        let is_best = |adapter: &Adapter| best.is_some_and(|best| std::ptr::eq(best, adapter));
        Self {
            adapters: adapters.iter().map(Listing::of).collect(),
            real_gpu: adapters.iter().position(is_best),
        }
    }
}

/// The offer of drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// No adapter.
    Nothing,
    /// Only software adapters, or some that don't say what they are.
    Software,
    /// A real GPU.
    RealGpu,
}

impl Found {
    /// The kind of these.
    #[must_use]
    pub fn of(adapters: &Adapters) -> Self {
        match adapters.real_gpu() {
            Some(_) => Self::RealGpu,
            None if adapters.is_empty() => Self::Nothing,
            None => Self::Software,
        }
    }
}
