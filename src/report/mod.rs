//! Reports for people and programs: summaries, JSON, tables and the history
//! file. Nothing here computes; everything here is text.

mod bench;
mod checkpoint;
mod comparison;
mod curve;
mod devices;
mod dry_run;
mod explanation;
mod from_moments;
mod history;
mod info;
mod many;
mod many_view;
mod numbers;
#[cfg(feature = "plot")]
mod page;
#[cfg(feature = "plot")]
pub mod pictures;
mod robustness;
mod summary;
mod table;
mod trace;
mod tuning;
mod view;

pub use bench::{BenchReport, BenchResult, ReadBandwidth, Timing};
pub use checkpoint::{Checkpoints, resumed, saved};
pub use comparison::{Comparison, EngineComparison, ReferencePoint, ReferenceValues};
pub use curve::loss_curve;
pub use devices::{AdapterReport, DevicesReport};
pub use dry_run::{DryRun, InputFile};
pub use explanation::Explanation;
pub use history::History;
pub use info::{ArrayReport, FileReport};
pub use many::{FitsSummary, GroupResult, ManyReport, Quartiles, Stopped};
pub use many_view::{FitMap, ManyView, NumberView, Shown};
pub(crate) use numbers::count;
#[cfg(feature = "plot")]
pub use page::{Provenance, many_page, page};
pub use robustness::Robustness;
pub use summary::{BatchesReport, FitReport, Outlook, Solved, Timings, far_by};
pub use trace::Trace;
pub use tuning::{AloneResult, TuningReport, TuningReports, TuningResult};
pub use view::{Bowl, FitView};
