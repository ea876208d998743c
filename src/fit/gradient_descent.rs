use super::coordinates::Coordinates;
use super::error::{ConfigError, FitError};
use super::modes::Mode;
use super::parameter::Parameter;
use super::progress::Progress;
use super::schedule::Schedule;
use super::steps::StepsPerSubmit;
use crate::array::Hint;
use crate::engine::{DescentRule, StepState};
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
    /// The learning rate of each step, as a share of that one.
    pub schedule: Schedule,
    /// The most steps to take; 0 only evaluates at `start`.
    pub steps: u64,
    /// The tolerance: a descent stops where max(|∂L/∂W|, |∂L/∂b|) is at most
    /// this, with 0 nowhere.
    pub tolerance: f64,
    /// A tolerance for each of the two instead, as
    /// [`relative_to`](Self::relative_to) finds them; unused unless `tolerance`
    /// is 0.
    pub tolerances: [f64; 2],
    /// Momentum μ, from 0 (none) to below 1: the share of the velocity that a step
    /// keeps, as in `torch.optim.SGD`. The rate is outside the velocity, so that a
    /// change of it acts at once.
    pub momentum: f64,
    /// Dampening τ, from 0 to below 1: a gradient enters the velocity 1 − τ times,
    /// but for the first, which enters it whole.
    pub dampening: f64,
    /// Whether the momentum is Nesterov's, without dampening.
    pub nesterov: bool,
    /// Weight decay δ: δ·W and δ·b are added to the gradients of each step, which so
    /// descends on L + δ/2·(W² + b²). [`tolerance`](Self::tolerance) is of these sums.
    pub weight_decay: f64,
    /// W and b before the first step.
    pub start: Affine,
    /// The progress of an earlier descent that ended at `start`, which this one goes
    /// on from as if that had not ended.
    pub progress: Progress,
    /// The place where W and b are updated.
    pub update: Update,
    /// The coordinates in which the steps are made; other than the original
    /// ones, they are made on the host.
    pub coordinates: Coordinates,
    /// The loss to descend on.
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
            schedule: Schedule::default(),
            steps: 1000,
            tolerance: 0.0,
            tolerances: [0.0; 2],
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            start: Affine::default(),
            progress: Progress::default(),
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
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(ConfigError::Momentum(self.momentum));
        }
        if !(0.0..1.0).contains(&self.dampening) {
            return Err(ConfigError::Dampening(self.dampening));
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            return Err(ConfigError::Nesterov);
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(ConfigError::WeightDecay(self.weight_decay));
        }
        if self.weight_decay > 0.0 && self.coordinates != Coordinates::Original {
            return Err(ConfigError::DecayCoordinates);
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
        DescentRule {
            tolerance: self.both_tolerances(),
            momentum: self.momentum,
            dampening: self.dampening,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        }
    }

    /// The learning rate η of the step that follows `step` steps: a pure
    /// function of that number, so that a device can be given a table of rates.
    #[must_use]
    pub fn rate(&self, step: u64) -> f64 {
        self.schedule.rate(self.learning_rate, step)
    }

    /// The state that the descent starts from.
    pub(super) fn state(&self) -> StepState {
        let Progress { step, velocity, .. } = self.progress;
        StepState { model: self.start, velocity, step }
    }

    /// The number of the last step to take, those before the start included.
    #[must_use]
    pub fn last_step(&self) -> u64 {
        self.progress.step.saturating_add(self.steps)
    }

    /// Bounds of the rates of all steps, 0 aside.
    #[must_use]
    pub fn rates(&self) -> [f64; 2] {
        let first = self.progress.step;
        self.schedule.extremes(self.learning_rate, &(first..self.last_step()))
    }

    /// Refuses a learning rate with which the steps that are asked for would
    /// diverge, from the data's curvature in the coordinates of the descent: with a
    /// schedule that of the last step, where it ends.
    ///
    /// # Errors
    /// [`FitError::RateTooLarge`].
    pub fn check_rate(&self, curvature: &Curvature) -> Result<(), FitError> {
        let bound = self.rate_bound(curvature);
        if self.steps == 0 {
            return Ok(());
        }
        let rate = self.rate(self.progress.step.saturating_add(self.steps - 1));
        if rate < bound {
            return Ok(());
        }
        Err(FitError::RateTooLarge {
            rate,
            bound,
            best: self.best_rate(curvature),
            remedies: self.remedies(curvature),
        })
    }

    /// The learning rate below which a descent with this momentum and this decay
    /// converges on a loss that curves so: 2/λmax without momentum,
    /// 2·(1 + μ)/((1 − τ)·λmax) with it, and 2·(1 + μ)/((1 + 2·μ)·λmax) with
    /// Nesterov's, where λmax includes the decay.
    #[must_use]
    pub fn rate_bound(&self, curvature: &Curvature) -> f64 {
        let bound = curvature.decayed(self.weight_decay).rate_bound() * (1.0 + self.momentum);
        if self.nesterov {
            bound / (1.0 + 2.0 * self.momentum)
        } else if self.momentum == 0.0 {
            bound
        } else {
            bound / (1.0 - self.dampening)
        }
    }

    /// The learning rate with which a descent with this momentum and this decay
    /// converges fastest in the long run: where the error along the eigenvector of
    /// λmax begins to shrink more slowly than that of λmin.
    #[must_use]
    pub fn best_rate(&self, curvature: &Curvature) -> f64 {
        let decayed = curvature.decayed(self.weight_decay);
        if self.momentum == 0.0 || decayed.smallest == 0.0 {
            return decayed.best_rate();
        }
        let rule = self.rule();
        let radius = |rate, value| Mode::of(&rule, rate, value).log_radius();
        let is_fast = |rate| radius(rate, decayed.largest) > radius(rate, decayed.smallest);
        let (mut slow, mut fast) = (0.0, self.rate_bound(curvature));
        for _ in 0..100 {
            let middle = f64::midpoint(slow, fast);
            if is_fast(middle) { fast = middle } else { slow = middle }
        }
        slow
    }

    /// The same descent with the momentum and the learning rate that are the best of
    /// all heavy balls on a loss that curves so: η = 4/(√λmax + √λmin)² and
    /// μ = ((√κ − 1)/(√κ + 1))², where κ = λmax/λmin (B. T. Polyak, 1964). Where no
    /// curvature is small, or none but λmax is there, the best is without momentum.
    #[must_use]
    pub fn with_best_momentum(self, curvature: &Curvature) -> Self {
        let plain = Self { momentum: 0.0, dampening: 0.0, nesterov: false, ..self };
        let curved = curvature.decayed(self.weight_decay);
        let roots = [curved.largest.sqrt(), curved.smallest.sqrt()];
        let sum = roots[0] + roots[1];
        let momentum = ((roots[0] - roots[1]) / sum).powi(2);
        if roots[1] == 0.0 || momentum == 0.0 || momentum >= 1.0 {
            return Self { learning_rate: plain.best_rate(curvature), ..plain };
        }
        Self { learning_rate: 4.0 / (sum * sum), momentum, ..plain }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// λ = 2 and 18: √λ = √2·(1, 3), so η = 4/32 and μ = ¼; with a decay of 2, λ = 4
    /// and 20.
    #[test]
    fn the_best_momentum_by_hand() {
        // x̄ = 0 and a variance of 9 or 1: H = 2·diag(9, 1).
        let curvature = Curvature::new(0.0, 9.0);
        let sgd = GradientDescent { nesterov: true, dampening: 0.5, ..GradientDescent::default() };
        let best = sgd.with_best_momentum(&curvature);
        assert_eq!((best.nesterov, best.dampening), (false, 0.0));
        assert!(
            (best.learning_rate - 0.125).abs() < 1e-16 && (best.momentum - 0.25).abs() < 1e-16,
            "{best:?}"
        );
        let decayed = GradientDescent { weight_decay: 2.0, ..sgd }.with_best_momentum(&curvature);
        let sum = 2.0 + 20f64.sqrt();
        assert!((decayed.learning_rate - 4.0 / (sum * sum)).abs() < 1e-16, "{decayed:?}");
        // The best of its momentum, to which the error is flat: as good is the best.
        let radius = |rate, value| Mode::of(&best.rule(), rate, value).log_radius();
        let rate = best.best_rate(&curvature);
        assert!((rate / best.learning_rate - 1.0).abs() < 1e-6, "{rate}");
        assert!(
            (radius(rate, 18.0).exp() - 0.5).abs() < 1e-6 && (radius(rate, 2.0).exp() - 0.5).abs() < 1e-6
        );
        // A circle needs no momentum, and X without spread has but one curvature.
        for (curvature, rate) in [(Curvature::STANDARDIZED, 0.5), (Curvature::new(3.0, 0.0), 0.05)] {
            let best = sgd.with_best_momentum(&curvature);
            assert_eq!((best.momentum, best.learning_rate), (0.0, rate));
        }
    }

    /// No rate within a hundredth of the bound has a smaller radius.
    #[test]
    fn the_best_rate_of_a_momentum_is_the_best() {
        for (momentum, nesterov) in [(0.1, false), (0.9, false), (0.1, true), (0.9, true)] {
            let sgd = GradientDescent { momentum, nesterov, ..GradientDescent::default() };
            for curvature in [Curvature::new(1.5, 0.3), Curvature::new(0.0, 9.0), Curvature::new(40.0, 1.0)] {
                let radius = |rate| {
                    let of = |value| Mode::of(&sgd.rule(), rate, value).log_radius();
                    of(curvature.largest).max(of(curvature.smallest))
                };
                let (best, bound) = (sgd.best_rate(&curvature), sgd.rate_bound(&curvature));
                assert!(best > 0.0 && best < bound, "{sgd:?}: {best} of {bound}");
                for share in 1..100 {
                    let other = radius(bound * f64::from(share) / 100.0);
                    assert!(radius(best) <= other + 1e-9, "{sgd:?}, {share} %: {other} for {}", radius(best));
                }
            }
        }
    }

    #[test]
    fn refuses_momenta_and_decays_that_mean_nothing() {
        let default = GradientDescent::default();
        for bad in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
            assert!(GradientDescent { momentum: bad, ..default }.check().is_err(), "{bad}");
            assert!(GradientDescent { dampening: bad, momentum: 0.5, ..default }.check().is_err(), "{bad}");
            assert!(GradientDescent { nesterov: true, momentum: bad, ..default }.check().is_err(), "{bad}");
        }
        for bad in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(GradientDescent { weight_decay: bad, ..default }.check().is_err(), "{bad}");
        }
        let nesterov = GradientDescent { nesterov: true, ..default };
        assert_eq!(nesterov.check(), Err(ConfigError::Nesterov));
        let both = GradientDescent { dampening: 0.1, momentum: 0.5, ..nesterov };
        assert_eq!(both.check(), Err(ConfigError::Nesterov));
        assert_eq!(GradientDescent { momentum: 0.5, ..nesterov }.check(), Ok(()));
    }
}
