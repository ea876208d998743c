use super::coordinates::Coordinates;
use super::error::{ConfigError, FitError};
use super::parameter::Parameter;
use super::steps::StepsPerSubmit;
use crate::array::Hint;
use crate::engine::DescentRule;
use crate::math::{Affine, Curvature, Loss, Moments};

/// Full-batch gradient descent: every step passes over all the data and moves
/// W and b against the gradient of the loss.
///
/// ```
/// use linfit::array::{Problem, Array};
/// use linfit::engine::Cpu;
/// use linfit::fit::GradientDescent;
/// use std::ops::ControlFlow;
///
/// let x = Array::from_vec("x", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
/// let t = Array::from_vec("t", &[2, 2], vec![3.0, 5.0, 7.0, 9.0]); // 2·x + 1
/// let data = Problem::pair(x, t)?;
/// let fit = GradientDescent { steps: 5000, learning_rate: 0.05, ..GradientDescent::default() }
///     .fit(&mut Cpu::new(&data), &mut |_| ControlFlow::Continue(()))?;
/// assert!((fit.model.weight - 2.0).abs() < 1e-9);
/// assert!((fit.model.bias - 1.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientDescent {
    /// The learning rate η: how far along the gradient a step goes.
    pub learning_rate: f64,
    /// The most steps to take; 0 only evaluates at `start`.
    pub steps: u64,
    /// The tolerance: a descent stops where max(|∂L/∂W|, |∂L/∂b|) is at most
    /// this, with 0 nowhere.
    pub tolerance: f64,
    /// A tolerance for each of the two instead, as
    /// [`relative_to`](Self::relative_to) finds them; unused unless `tolerance`
    /// is 0.
    pub tolerances: [f64; 2],
    /// W and b before the first step.
    pub start: Affine,
    /// The place where W and b are updated.
    pub update: Update,
    /// The coordinates in which the steps are made; other than the original
    /// ones, they are made on the host.
    pub coordinates: Coordinates,
    /// The loss to descend on; other than the squared one, W and b are updated on
    /// the host, after a pass for each step.
    ///
    /// A learning rate that converges on the squared loss converges on Huber's: its
    /// curvature is that of the squared loss where |r| ≤ δ and 0 beyond, so that no
    /// direction curves more.
    pub loss: Loss,
    /// The parameter that stays as it is at `start`, if one does; updates are made on
    /// the host then.
    pub fixed: Option<Parameter>,
}

/// The place where W and b are updated. The states are the same up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Update {
    /// On the device if the engine can, else on the host.
    #[default]
    Auto,
    /// On the host, in f64, after a round trip for every step.
    Host,
    /// On the device, in two-float arithmetic (46 bits or more), many steps
    /// for a round trip.
    Device(StepsPerSubmit),
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            steps: 1000,
            tolerance: 0.0,
            tolerances: [0.0; 2],
            start: Affine::default(),
            update: Update::Auto,
            coordinates: Coordinates::Original,
            loss: Loss::Squared,
            fixed: None,
        }
    }
}

impl GradientDescent {
    /// Refuses rates, tolerances and starts that mean nothing.
    ///
    /// # Errors
    /// [`ConfigError`] for the first of them.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(ConfigError::LearningRate(self.learning_rate));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(ConfigError::Tolerance(self.tolerance));
        }
        if !self.start.is_finite() {
            return Err(ConfigError::Start(self.start));
        }
        if !self.is_plain() && self.coordinates != Coordinates::Original {
            return Err(ConfigError::PlainCoordinates);
        }
        Ok(())
    }

    /// The tolerances of |∂L/∂W| and |∂L/∂b| that are a share of their scales,
    /// 2·√(E x²)·σt and 2·σt: within them, the line is on average no farther
    /// than that share of σt above or below the data. Without spread, T's root
    /// mean square takes the place of σt.
    #[must_use]
    pub fn relative_to(moments: &Moments, share: f64) -> [f64; 2] {
        let [x, t] = moments.deviations();
        let t = if moments.tt > 0.0 { t } else { moments.t_mean().abs() };
        let x = x.hypot(moments.x_mean());
        [share * 2.0 * x * t, share * 2.0 * t]
    }

    /// Whether both parameters descend on the squared loss.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.loss == Loss::Squared && self.fixed.is_none()
    }

    /// The curvature of the squared loss in the coordinates and along the parameters
    /// of the descent; `None` if that overflows.
    #[must_use]
    pub fn curvature(&self, moments: &Moments) -> Option<Curvature> {
        let Some(fixed) = self.fixed else { return self.coordinates.curvature(moments) };
        let size = moments.deviations()[0].hypot(moments.x_mean());
        let value = match fixed {
            Parameter::Bias => 2.0 * size * size,
            Parameter::Weight => 2.0,
        };
        (moments.is_finite() && value.is_finite() && value > 0.0).then(|| Curvature::of_one(value))
    }

    /// The tolerances of |∂L/∂W| and of |∂L/∂b|; 0 where there are none.
    #[must_use]
    pub fn both_tolerances(&self) -> [f64; 2] {
        let mut both = if self.tolerance > 0.0 { [self.tolerance; 2] } else { self.tolerances };
        // The gradient of a fixed parameter does not matter.
        if let Some(fixed) = self.fixed
            && both.iter().all(|&tolerance| tolerance > 0.0)
        {
            both[usize::from(fixed == Parameter::Bias)] = f64::INFINITY;
        }
        both
    }

    /// The rule of the steps.
    #[must_use]
    pub fn rule(&self) -> DescentRule {
        DescentRule::within(self.both_tolerances())
    }

    /// The learning rate η of the step that follows `step` steps: a pure
    /// function of that number, so that a device can be given a table of rates.
    #[must_use]
    pub fn rate(&self, step: u64) -> f64 {
        let _ = step;
        self.learning_rate
    }

    /// Refuses a learning rate with which the steps that are asked for would
    /// diverge, from the data's curvature in the coordinates of the descent.
    ///
    /// # Errors
    /// [`FitError::RateTooLarge`].
    pub fn check_rate(&self, curvature: &Curvature) -> Result<(), FitError> {
        if self.steps == 0 || self.learning_rate < curvature.rate_bound() {
            return Ok(());
        }
        Err(FitError::RateTooLarge {
            rate: self.learning_rate,
            bound: curvature.rate_bound(),
            best: curvature.best_rate(),
            remedies: self.remedies(curvature),
        })
    }

    /// Ways to converge, and soon, where this rate does not.
    fn remedies(&self, curvature: &Curvature) -> &'static [Hint] {
        /// A condition number with which the best rate takes about 10⁴ steps for each digit.
        const SLOW: f64 = 1e4;
        let condition = curvature.condition();
        if self.coordinates != Coordinates::Original || condition.is_infinite() {
            &[Hint::BestRate]
        } else if condition > SLOW {
            &[Hint::Standardize, Hint::ExactSolver, Hint::SlowBestRate]
        } else {
            &[Hint::BestRate, Hint::Standardize]
        }
    }
}
