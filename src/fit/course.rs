//! The way of one fit to its line: in steps, over batches, in rounds, or in closed form.

use std::ops::ControlFlow;

use super::{
    BatchDescent, ClosedForm, Coordinates, Fit, FitError, GradientDescent, Method, Parameter, RobustFit,
    Solver, State, Statistics,
};
use crate::engine::Engine;
use crate::math::{Curvature, Moments, RobustWeight};

/// A [`Solver`] with what it takes from the moments of the data.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    solver: Solver,
    /// The descent, with the learning rate chosen; `None` if there is none.
    pub descent: Option<GradientDescent>,
    /// The batches of the descent, if it has any.
    pub batches: Option<BatchDescent>,
    /// The curvature of the loss in the coordinates of the descent; `None` if that
    /// overflows.
    pub curvature: Option<Curvature>,
}

impl Solver {
    /// The way to the line of data with these moments.
    ///
    /// # Errors
    /// [`FitError`]: the descent is known to diverge, or its settings mean nothing for
    /// these data.
    pub fn course(&self, moments: &Moments) -> Result<Course, FitError> {
        if self.method == Method::Exact {
            let curvature = Coordinates::Original.curvature(moments);
            return Ok(Course { solver: *self, descent: None, batches: None, curvature });
        }
        let (descent, curvature) = self.descent_over(moments)?;
        let batches = self.batches_of(&descent);
        Ok(Course { solver: *self, descent: Some(descent), batches, curvature })
    }

    /// The descent over data with these moments, with the rate chosen, and refused
    /// if it diverges; and the curvature of the loss in its coordinates, `None` if
    /// that overflows.
    fn descent_over(&self, moments: &Moments) -> Result<(GradientDescent, Option<Curvature>), FitError> {
        let mut descent = GradientDescent { fixed: Parameter::fixed_by(self.line), ..self.descent };
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
        Ok((descent, curvature))
    }
}

impl Course {
    /// The number of the last step over so many elements.
    #[must_use]
    pub fn last_step(&self, elements: u64) -> u64 {
        match (&self.batches, &self.descent) {
            (Some(batches), _) => batches.last_step(elements),
            (None, Some(descent)) => descent.last_step(),
            (None, None) => 0,
        }
    }

    /// Goes to the line of the data of an engine, which have these moments, and says how
    /// a robust fit came to it. `observe` sees every finite state, and may end the fit.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Result<(Fit, Option<RobustFit>), FitError> {
        let fit = match (&self.batches, &self.descent, self.solver.method) {
            (Some(batches), ..) => batches.fit(engine, moments, observe),
            (None, Some(descent), Method::Moments) => descent.replay(engine, moments, observe),
            (None, Some(descent), _) => descent.fit(engine, observe),
            (None, None, _) => {
                if let Some(rounds) = self.solver.rounds() {
                    let found = rounds.fit(engine, moments, observe)?;
                    return Ok((found.fit.clone(), Some(found)));
                }
                ClosedForm { kind: self.solver.kind() }.fit(engine, moments, observe)
            }
        }?;
        Ok((fit, None))
    }

    /// The moments of the pairs that are left where a robust fit has removed some.
    pub(super) fn moments_left<'r>(&self, robust: Option<&'r RobustFit>) -> Option<&'r Moments> {
        let is_clipped = matches!(self.solver.robust, Some(RobustWeight::Clip(_)));
        robust.filter(|_| is_clipped).map(|found| &found.moments)
    }

    /// The statistics of the data, of a robust fit that clips those of the pairs that
    /// are left.
    ///
    /// # Errors
    /// Those of a pass, which lines need that explain T almost completely.
    pub fn statistics(
        &self,
        engine: &mut dyn Engine,
        moments: &Moments,
        robust: Option<&RobustFit>,
    ) -> Result<Statistics, FitError> {
        let kind = self.solver.kind();
        Ok(match self.moments_left(robust) {
            Some(left) => Statistics::of_moments(left, kind, self.curvature),
            None => Statistics::measure_line(engine, moments, kind, self.curvature)?,
        })
    }
}
