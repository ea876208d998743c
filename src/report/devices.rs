use std::fmt;

use serde::Serialize;

use super::table::Column::Words;
use super::table::Table;
use crate::engine::gpu::BrokenDriver;

/// An adapter and what it can do.
#[derive(Debug, Clone, Serialize)]
pub struct AdapterReport {
    /// The number that it is chosen by.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// The kind: discrete, integrated, virtual or software.
    pub device_type: &'static str,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// The largest part of a buffer a kernel sees, in bytes.
    pub max_binding_bytes: u64,
    /// The most invocations in a workgroup.
    pub max_workgroup_size: u32,
    /// Invocations that a subgroup has, least and most.
    pub subgroup_size: [u32; 2],
    /// Optional abilities.
    pub features: Vec<&'static str>,
}

/// Every engine and adapter of the machine.
#[derive(Debug, Clone, Serialize)]
pub struct DevicesReport {
    /// The CPU engine's threads and vector instructions.
    pub cpu: String,
    /// The adapters.
    pub adapters: Vec<AdapterReport>,
    /// The drivers that break the process they are loaded into, and are not used.
    pub broken: Vec<BrokenDriver>,
    /// The engine or adapter that is used unless one is asked for.
    pub auto: String,
}

impl fmt::Display for DevicesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cpu engine: {}", self.cpu)?;
        writeln!(f)?;
        if self.adapters.is_empty() {
            writeln!(f, "no GPU adapters found")?;
        } else {
            let headings =
                ["", "adapter", "type", "backend", "driver", "buffer", "binding", "workgroup", "features"];
            let mut table = Table::new(headings.map(Words));
            for adapter in &self.adapters {
                let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
                table.add([
                    adapter.number.to_string(),
                    adapter.name.clone(),
                    adapter.device_type.to_owned(),
                    adapter.backend.clone(),
                    adapter.driver.clone(),
                    mib(adapter.max_buffer_bytes),
                    mib(adapter.max_binding_bytes),
                    adapter.max_workgroup_size.to_string(),
                    adapter.features.join(" "),
                ]);
            }
            writeln!(f, "{table}")?;
        }
        for driver in &self.broken {
            writeln!(f, "broken: {driver}")?;
        }
        writeln!(f)?;
        write!(f, "engine auto takes: {}", self.auto)
    }
}
