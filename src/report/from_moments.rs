//! The report on a fit of data of which there are only the moments.

use super::{FitReport, Solved, Timings};
use crate::engine::{EngineInfo, EngineKind};
use crate::fit::{Method, Solution};

impl FitReport {
    /// The report on what [`Solver::solve_moments`](crate::fit::Solver::solve_moments)
    /// found; `source` says where the moments are from, such as `from moments`.
    #[must_use]
    pub fn from_moments(solution: &Solution, method: Method, source: String) -> Self {
        let Solution { fit, line, descent, moments, curvature, statistics, .. } = solution.clone();
        let solved = Solved { method, line, sgd: descent, batches: None, moments, curvature, statistics };
        let engine = EngineInfo {
            kind: EngineKind::Cpu,
            adapter: None,
            backend: None,
            driver: None,
            precision: None,
            detail: Some(source),
        };
        Self::new(&fit, &solved, engine, 0, Timings::default())
    }
}
