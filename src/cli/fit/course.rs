//! The way of one fit to its line: in steps, over batches, or in closed form.

use std::ops::ControlFlow;

use crate::cli::error::CliError;
use crate::cli::solver::Solver;
use crate::engine::Engine;
use crate::fit::{
    BatchDescent, ClosedForm, Coordinates, Fit, FitError, GradientDescent, Method, RobustFit, State,
    Statistics,
};
use crate::math::{Curvature, Moments, RobustWeight};

/// A solver with what it takes from the moments of the data.
pub(super) struct Course<'a> {
    solver: &'a Solver<'a>,
    method: Method,
    /// The descent, if it descends.
    pub(super) sgd: Option<GradientDescent>,
    /// The batches of the descent, if it has any.
    pub(super) batches: Option<BatchDescent>,
    /// The curvature of the loss; `None` if that overflows.
    pub(super) curvature: Option<Curvature>,
}

impl<'a> Course<'a> {
    pub(super) fn of(solver: &'a Solver<'a>, method: Method, moments: &Moments) -> Result<Self, CliError> {
        let (sgd, curvature) = match method {
            Method::GradientDescent | Method::Moments => {
                let (sgd, curvature) = solver.descent(moments)?;
                (Some(sgd), curvature)
            }
            Method::Exact => (None, Coordinates::Original.curvature(moments)),
        };
        let batches = sgd.map(|sgd| solver.batches(sgd)).transpose()?.flatten();
        Ok(Self { solver, method, sgd, batches, curvature })
    }

    /// The number of the last step over so many elements.
    pub(super) fn last_step(&self, elements: u64) -> u64 {
        match (&self.batches, &self.sgd) {
            (Some(batches), _) => batches.last_step(elements),
            (None, Some(sgd)) => sgd.last_step(),
            (None, None) => 0,
        }
    }

    /// Goes to the line; how a robust fit came to it.
    pub(super) fn fit(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        see: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<(Fit, Option<RobustFit>), FitError> {
        let fit = match (&self.batches, &self.sgd, self.method) {
            (Some(batches), ..) => batches.fit(engine, moments, see),
            (None, Some(sgd), Method::Moments) => sgd.replay(engine, moments, see),
            (None, Some(sgd), _) => sgd.fit(engine, see),
            (None, None, _) => {
                if let Some(rounds) = self.solver.robust() {
                    let found = rounds.fit(engine, moments, see)?;
                    return Ok((found.fit.clone(), Some(found)));
                }
                ClosedForm { kind: self.solver.line() }.fit(engine, moments, see)
            }
        }?;
        Ok((fit, None))
    }

    /// The statistics of the data, of a robust fit that clips those of the pairs that
    /// are left.
    pub(super) fn statistics(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        robust: Option<&RobustFit>,
    ) -> Result<Statistics, CliError> {
        let (kind, weight) = (self.solver.line(), self.solver.robust().map(|robust| robust.weight));
        Ok(match (robust, weight) {
            (Some(found), Some(RobustWeight::Clip(_))) => {
                Statistics::of_moments(&found.moments, kind, self.curvature)
            }
            _ => Statistics::measure_line(engine, moments, kind, self.curvature)?,
        })
    }
}
