//! Reports for people and programs: summaries, JSON, tables and the history
//! file. Nothing here computes; everything here is text.

mod bench;
mod comparison;
mod devices;
mod explanation;
mod history;
mod numbers;
mod robustness;
mod summary;
mod table;
mod tuning;

pub use bench::{BenchReport, BenchResult, ReadBandwidth, Timing};
pub use comparison::{Comparison, EngineComparison, ReferencePoint, ReferenceValues};
pub use devices::{AdapterReport, DevicesReport};
pub use explanation::Explanation;
pub use history::History;
pub(crate) use numbers::count;
pub use robustness::Robustness;
pub use summary::{FitReport, Outlook, Solved, Timings};
pub use tuning::{AloneResult, TuningReport, TuningReports, TuningResult};
