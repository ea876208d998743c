//! The report on a fit of data of which there are only the moments.

use super::{FitReport, ManyReport, Solved, Timings};
use crate::engine::{EngineInfo, EngineKind};
use crate::fit::{ManyFits, Method, Solution};
use crate::io::fits::Keys;
use crate::math::Moments;

/// No engine, but what the moments are from.
fn none(source: String) -> EngineInfo {
    EngineInfo {
        kind: EngineKind::Cpu,
        adapter: None,
        backend: None,
        driver: None,
        precision: None,
        detail: Some(source),
    }
}

impl FitReport {
    /// The report on what [`Solver::solve_moments`](crate::fit::Solver::solve_moments)
    /// found; `source` says where the moments are from, such as `from moments`.
    #[must_use]
    pub fn from_moments(solution: &Solution, method: Method, source: String) -> Self {
        let Solution { fit, line, descent, moments, curvature, statistics, .. } = solution.clone();
        let solved = Solved { method, line, sgd: descent, batches: None, moments, curvature, statistics };
        Self::new(&fit, &solved, none(source), 0, Timings::default())
    }
}

impl ManyReport {
    /// The report on what [`Solver::solve_many_moments`](crate::fit::Solver::solve_many_moments)
    /// found from these moments.
    #[must_use]
    pub fn from_moments(
        fits: &ManyFits,
        moments: &[Moments],
        keys: &Keys,
        method: Method,
        source: String,
    ) -> Self {
        let n = moments.iter().map(|moments| moments.n).sum();
        Self { n, ..Self::new(fits, keys, method, none(source), Timings::default()) }
    }
}
