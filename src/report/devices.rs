use std::fmt;

use serde::Serialize;

use super::table::Column::Words;
use super::table::Table;
use crate::engine::gpu::{BrokenDriver, Listing};

/// An adapter and what it can do.
#[derive(Debug, Clone, Serialize)]
pub struct AdapterReport {
    /// The number that it is chosen by.
    pub number: usize,
    /// The adapter.
    #[serde(flatten)]
    pub adapter: Listing,
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
    /// The name of that choice in the text.
    #[serde(skip)]
    pub auto_label: &'static str,
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
            for AdapterReport { number, adapter } in &self.adapters {
                let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
                table.add([
                    number.to_string(),
                    adapter.name.clone(),
                    adapter.device_type.clone(),
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
        write!(f, "{} takes: {}", self.auto_label, self.auto)
    }
}
