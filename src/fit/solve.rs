//! A [`Solver`] for one fit: the whole way, from the moments to the statistics.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{
    BatchDescent, ClosedForm, Course, Fit, FitError, GradientDescent, RobustFit, Solver, State, Statistics,
};
use crate::engine::Engine;
use crate::math::{Curvature, LineKind, Moments};

/// A fit and what was found out about the data on the way.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The fit.
    pub fit: Fit,
    /// The kind of line that it is of.
    pub line: LineKind,
    /// The robust fit, if it is one.
    pub robust: Option<RobustFit>,
    /// The descent as it was made; `None` if there was none.
    pub descent: Option<GradientDescent>,
    /// Its batches, if it had any.
    pub batches: Option<BatchDescent>,
    /// The moments of the data.
    pub moments: Moments,
    /// The curvature of the loss in the coordinates of the descent; `None` if that
    /// overflows.
    pub curvature: Option<Curvature>,
    /// The statistics of the data.
    pub statistics: Statistics,
    /// Seconds of the pass that found the moments.
    pub moments_seconds: f64,
}

impl Solver {
    /// Fits the data of an engine. `observe` sees every finite state, and may end
    /// the fit.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn solve(
        &self,
        engine: &mut dyn Engine,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Solution, FitError> {
        self.check()?;
        let started = Instant::now();
        let moments = engine.all_moments()?;
        let moments_seconds = started.elapsed().as_secs_f64();
        let course = self.course(&moments)?;
        let (fit, robust) = course.fit(engine, &moments, observe)?;
        let statistics = course.statistics(engine, &moments, robust.as_ref())?;
        let Course { descent, batches, curvature, .. } = course;
        let line = self.kind();
        Ok(Solution { fit, line, robust, descent, batches, moments, curvature, statistics, moments_seconds })
    }

    /// Fits data of which there are only the moments: those of a part, or of many
    /// that were merged. A descent is replayed from them, whatever the method.
    ///
    /// Loss and gradients are those of the moments: where the line goes through
    /// nearly all points, they have fewer digits than a pass over the data finds.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn solve_moments(
        &self,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<Solution, FitError> {
        self.check()?;
        let Course { descent, curvature, .. } = self.course(moments)?;
        let fit = match &descent {
            Some(descent) => descent.replay_moments(moments, observe),
            None => ClosedForm { kind: self.kind() }.of_moments(moments, observe),
        }?;
        let (line, moments) = (self.kind(), *moments);
        let statistics = Statistics::of_moments(&moments, line, curvature);
        Ok(Solution {
            fit,
            line,
            robust: None,
            descent,
            batches: None,
            moments,
            curvature,
            statistics,
            moments_seconds: 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Problem};
    use crate::engine::Cpu;
    use crate::fit::Method;

    const GO_ON: fn(&State) -> ControlFlow<()> = |_| ControlFlow::Continue(());

    /// The worked example: T = 2·X + 1 over 1, 2, 3, 4, with a residual of 1 at the
    /// last.
    fn example() -> Problem {
        let x = Array::from_vec("x", &[4], vec![1.0, 2.0, 3.0, 4.0]);
        let t = Array::from_vec("t", &[4], vec![3.0, 5.0, 7.0, 10.0]);
        Problem::pair(x, t).unwrap()
    }

    /// x̄ = 2.5, t̄ = 6.25, Mxx = 5, Mxt = 11.5: W = 2.3, b = 0.5; the residuals are
    /// −0.2, 0.1, 0.4, −0.3, so that L = 0.3/4.
    #[test]
    fn the_moments_alone_give_the_line_and_its_loss() {
        let mut engine = Cpu::new(&example());
        let moments = engine.all_moments().unwrap();
        let alone = Solver::default().solve_moments(&moments, &mut { GO_ON }).unwrap();
        let whole = Solver::default().solve(&mut engine, &mut { GO_ON }).unwrap();
        assert_eq!(alone.fit.model, whole.fit.model);
        assert!(
            (alone.fit.model.weight - 2.3).abs() < 1e-15 && (alone.fit.evaluation.loss - 0.075).abs() < 1e-15
        );
        assert_eq!(alone.statistics.r2, whole.statistics.r2);
        assert_eq!(alone.fit.n, 4);
    }

    #[test]
    fn a_descent_takes_the_same_states_from_moments_alone() {
        let mut engine = Cpu::new(&example());
        let moments = engine.all_moments().unwrap();
        let descent = GradientDescent { steps: 20, ..GradientDescent::default() };
        let solver = Solver { method: Method::Moments, descent, best_rate: true, ..Solver::default() };
        let (mut alone, mut whole) = (Vec::new(), Vec::new());
        let mut see = |state: &State| {
            alone.push(*state);
            ControlFlow::Continue(())
        };
        let one = solver.solve_moments(&moments, &mut see).unwrap();
        let mut see = |state: &State| {
            whole.push(*state);
            ControlFlow::Continue(())
        };
        let other = solver.solve(&mut engine, &mut see).unwrap();
        assert_eq!(alone, whole);
        assert_eq!((alone.len(), one.fit.model), (21, other.fit.model));
    }

    #[test]
    fn settings_that_mean_nothing_are_refused() {
        let bad = Solver { relative_tolerance: -1.0, method: Method::Moments, ..Solver::default() };
        assert!(bad.solve(&mut Cpu::new(&example()), &mut { GO_ON }).is_err());
    }
}
