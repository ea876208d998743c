use std::ops::ControlFlow;
use std::time::Instant;

use super::{
    BatchDescent, ClosedForm, ConfigError, Coordinates, Fit, FitError, GradientDescent, Method, Parameter,
    Robust, RobustFit, State, Statistics,
};
use crate::engine::Engine;
use crate::math::{Curvature, LineKind, Moments, RobustWeight};

/// A method and its settings, of which the data give the rest: the whole of a
/// fit, from the moments to the statistics.
///
/// ```
/// use linfit::array::{Array, Problem};
/// use linfit::engine::Cpu;
/// use linfit::fit::Solver;
/// use std::ops::ControlFlow;
///
/// let x = Array::from_vec("x", &[4], vec![1.0, 2.0, 3.0, 4.0]);
/// let t = Array::from_vec("t", &[4], vec![3.0, 5.0, 7.0, 9.0]); // 2·x + 1
/// let mut engine = Cpu::new(&Problem::pair(x, t)?);
/// let solution = Solver::default().solve(&mut engine, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!((solution.fit.model.weight, solution.fit.model.bias), (2.0, 1.0));
/// assert_eq!(solution.statistics.r2, Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Solver {
    /// The method.
    pub method: Method,
    /// The line. A parameter that it fixes is that of the descent's start.
    pub line: LineKind,
    /// The weights of the rounds of a robust fit, which takes no steps.
    pub robust: Option<RobustWeight>,
    /// The descent, of which the closed form uses nothing.
    pub descent: GradientDescent,
    /// Whether the learning rate is the best one for the data instead.
    pub best_rate: bool,
    /// Whether the momentum is the best one for the data as well, with its rate.
    pub best_momentum: bool,
    /// The batches to make the steps from, if not from all elements: of their own
    /// [`descent`](BatchDescent::descent) nothing is used.
    pub batches: Option<BatchDescent>,
    /// The tolerance as a share of the scales of the gradients
    /// ([`GradientDescent::relative_to`]), where it is not 0.
    pub relative_tolerance: f64,
    /// Whether the steps are made in standardized coordinates.
    pub standardize: bool,
    /// Whether a learning rate that is known to diverge is taken all the same.
    pub force: bool,
}

/// The closed form.
impl Default for Solver {
    fn default() -> Self {
        Self {
            method: Method::Exact,
            line: LineKind::LeastSquares,
            robust: None,
            descent: GradientDescent::default(),
            best_rate: false,
            best_momentum: false,
            batches: None,
            relative_tolerance: 0.0,
            standardize: false,
            force: false,
        }
    }
}

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
    /// Refuses settings that mean nothing.
    ///
    /// # Errors
    /// [`FitError::Config`].
    pub fn check(&self) -> Result<(), FitError> {
        if self.robust.is_some() && self.line.is_symmetric() {
            return Err(ConfigError::RobustLine(self.line).into());
        }
        self.descent.check()?;
        GradientDescent { tolerance: self.relative_tolerance, ..self.descent }.check()?;
        if let Some(batches) = self.batches_of(&self.descent) {
            if self.best_rate {
                return Err(ConfigError::BatchesRate.into());
            }
            if self.standardize {
                return Err(ConfigError::BatchesElsewhere.into());
            }
            batches.check()?;
        }
        if self.best_momentum && !self.best_rate {
            return Err(ConfigError::BestMomentum.into());
        }
        Ok(())
    }

    /// A descent over batches, if it is to be over such.
    fn batches_of(&self, descent: &GradientDescent) -> Option<BatchDescent> {
        self.batches.map(|batches| BatchDescent { descent: *descent, ..batches })
    }

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
        let (descent, curvature) = self.prepared(&moments)?;
        let (line, rounds) = (self.kind(), self.rounds());
        let batches = descent.and_then(|descent| self.batches_of(&descent));
        let mut robust = None;
        let fit = match (&descent, self.method) {
            (Some(_), _) if let Some(batches) = batches => batches.fit(engine, &moments, observe),
            (Some(descent), Method::Moments) => descent.replay(engine, &moments, observe),
            (Some(descent), _) => descent.fit(engine, observe),
            (None, _) if let Some(rounds) = rounds => {
                rounds.fit(engine, &moments, observe).map(|found| robust.insert(found).fit.clone())
            }
            (None, _) => ClosedForm { kind: line }.fit(engine, &moments, observe),
        }?;
        let statistics = match (&robust, self.robust) {
            // Of the pairs that are left.
            (Some(found), Some(RobustWeight::Clip(_))) => {
                Statistics::of_moments(&found.moments, line, curvature)
            }
            _ => Statistics::measure_line(engine, &moments, line, curvature)?,
        };
        Ok(Solution { fit, line, robust, descent, batches, moments, curvature, statistics, moments_seconds })
    }

    /// The robust fit, if one is asked for.
    #[must_use]
    pub fn rounds(&self) -> Option<Robust> {
        self.robust.map(|weight| Robust { weight, line: self.kind() })
    }

    /// The line, with the W or b of the start where it is fixed.
    pub(super) fn kind(&self) -> LineKind {
        let start = self.descent.start;
        match self.line {
            LineKind::ThroughOrigin { .. } => LineKind::ThroughOrigin { bias: start.bias },
            LineKind::Offset { .. } => LineKind::Offset { weight: start.weight },
            line => line,
        }
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
        let (descent, curvature) = self.prepared(moments)?;
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

    /// The descent over data with these moments, with the rate chosen, and refused
    /// if it diverges; and the curvature of the loss in its coordinates, `None` if
    /// that overflows.
    pub(super) fn prepared(
        &self,
        moments: &Moments,
    ) -> Result<(Option<GradientDescent>, Option<Curvature>), FitError> {
        if self.method == Method::Exact {
            return Ok((None, Coordinates::Original.curvature(moments)));
        }
        let fixed = match self.line {
            LineKind::ThroughOrigin { .. } => Some(Parameter::Bias),
            LineKind::Offset { .. } => Some(Parameter::Weight),
            _ => None,
        };
        let mut descent = GradientDescent { fixed, ..self.descent };
        if self.standardize {
            descent.coordinates = Coordinates::standardized(moments)?;
        }
        descent.check()?;
        let curvature = descent.curvature(moments);
        if self.best_rate {
            let curvature = curvature.ok_or(FitError::MomentsOverflow)?;
            descent = if self.best_momentum {
                descent.with_best_momentum(&curvature)
            } else {
                GradientDescent { learning_rate: descent.best_rate(&curvature), ..descent }
            };
        }
        if self.relative_tolerance > 0.0 {
            // A share that is not 0 leaves a tolerance, however small.
            let least = f64::from_bits(1);
            let tolerances = GradientDescent::relative_to(moments, self.relative_tolerance);
            descent.tolerances = tolerances.map(|tolerance| tolerance.max(least));
            if !descent.tolerances.iter().all(|tolerance| tolerance.is_finite()) {
                return Err(FitError::ToleranceBeyondRange(self.relative_tolerance));
            }
        }
        if let Some(curvature) = curvature
            && !self.force
            && self.batches.is_none()
        {
            descent.check_rate(&curvature)?;
        }
        Ok((Some(descent), curvature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Problem};
    use crate::engine::Cpu;

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
