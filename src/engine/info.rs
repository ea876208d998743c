use std::fmt;

use serde::Serialize;

use super::gpu::Precision;

/// The kinds of engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Sequential f64 with compensated sums: the definition.
    Reference,
    /// All CPU cores, f64 sums.
    Cpu,
    /// WGSL compute shaders on a wgpu adapter.
    Gpu,
}

impl EngineKind {
    /// The name used on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// The engine that computed a result, and what it ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// The engine.
    pub kind: EngineKind,
    /// The adapter's name, for the GPU engine.
    pub adapter: Option<String>,
    /// The graphics API, for the GPU engine.
    pub backend: Option<String>,
    /// The driver's name and version, for the GPU engine.
    pub driver: Option<String>,
    /// The numbers that sums are carried in, for the GPU engine.
    #[serde(skip)]
    pub precision: Option<&'static str>,
    /// The rest of a summary: threads, SIMD.
    #[serde(skip)]
    pub detail: Option<String>,
}

/// An engine in a line: what it is and what it runs on.
impl fmt::Display for EngineInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.adapter.as_deref().unwrap_or(self.kind.name()))?;
        let mut details: Vec<&str> =
            [&self.backend, &self.driver, &self.detail].into_iter().flatten().map(String::as_str).collect();
        let precision = self.precision.filter(|&precision| precision != Precision::default().name());
        details.extend(precision);
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}
