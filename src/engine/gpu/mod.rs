//! The GPU engine: WGSL compute shaders through wgpu, on whatever adapter the
//! machine has.
//!
//! [`Adapters`] finds the ways to a GPU, of drivers that `drivers` has tried in
//! another process (`trial`) and knows by their `manifests`; a `verdict` says which
//! may be opened. `open` opens an adapter; `device` turns every failure of it into a
//! [`GpuError`], and `self_test` proves its arithmetic. `engine` is the whole.
//!
//! The shaders: `shaders` composes their text, `kernels` lists the kernels with
//! their bindings and constants, `abi` has the memory that both sides share,
//! `pipelines` compiles. Tests hold the two sides together (`reflection`).
//!
//! The data: `inputs` says what of them is sent and in which form (`packing`).
//! They are summed in `runs`, the elements of one fit within one chunk, and each
//! run has a way of its own to the device (`frames`: a `passage` for X and one for
//! T, with the `shift` that residuals are computed with). `plan` divides the
//! elements among windows (buffers as large as the device binds), pieces,
//! workgroups and invocations, `upload` sends them.
//!
//! A pass is over data that are `resident` on the device or are sent through it
//! (`stream`): one dispatch a `window` leaves partial sums, a last dispatch adds
//! up those of each run (`partials`), and one small read-back (`readback`) brings
//! them to the host, which merges chunks as all engines do. `passes` and `moments` make loss sums and moments of them, `reweighted` those with robust weights; `coarse`
//! adds the share of the digits of W and b that residuals in f32 are computed
//! without; `host` finds moments in f64 for them. `predict` predicts. `descent` runs
//! many passes, each with the update that follows, for one read-back (`history`), over all
//! elements or over `batches`.

mod abi;
mod adapter;
mod batches;
mod buffers;
mod clock;
mod coarse;
mod descent;
mod device;
mod drivers;
mod engine;
mod error;
mod frames;
mod history;
mod host;
mod inputs;
mod kernels;
mod listing;
mod manifests;
mod moments;
mod open;
mod packing;
mod partials;
mod passage;
mod passes;
mod pipelines;
mod plan;
mod precision;
mod predict;
mod readback;
#[cfg(test)]
mod reflection;
mod resident;
mod reweighted;
mod runs;
mod self_test;
mod shaders;
mod shift;
mod stream;
mod trial;
mod tuning;
mod upload;
mod verdict;
mod window;

pub use adapter::{Adapter, AdapterChoice, Adapters};
pub use drivers::{Trials, fingerprint, try_all};
pub use engine::Gpu;
pub use error::GpuError;
pub use listing::{Found, Listed, Listing};
pub use open::GpuSettings;
pub use precision::Precision;
pub use trial::{Trial, TrialError, answer};
pub use tuning::{Reduction, Tuning};
pub use verdict::{BrokenDriver, Rest, Verdict};

use engine::Held;

#[cfg(test)]
mod tests;
