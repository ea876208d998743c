use crate::math::{Affine, Evaluation};

/// Gradient descent's rule: how W and b move by a gradient, and when they no
/// longer do. Both are defined here once, for every stepper on the host and for
/// judging the answers of a device, which has the twin `shaders/shared/rule.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DescentRule {
    /// Tolerances of |∂L/∂W| and |∂L/∂b|: a descent stops where both gradients
    /// are within theirs. With a 0 it never does.
    pub(crate) tolerance: [f64; 2],
    /// Momentum μ.
    pub(crate) momentum: f64,
    /// Dampening τ.
    pub(crate) dampening: f64,
    /// Whether the momentum is Nesterov's.
    pub(crate) nesterov: bool,
    /// Weight decay δ.
    pub(crate) weight_decay: f64,
}

/// The state of a descent after some steps.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepState<P = Affine> {
    /// W and b.
    pub model: P,
    /// The velocity v after the last step: its gradient, if there is no momentum.
    /// Meaningless before the first step.
    pub velocity: Affine,
    /// Steps so far.
    pub step: u64,
}

/// W and b, in some coordinates and with some number of digits.
pub trait Movable {
    /// W and b, moved by a displacement.
    #[must_use]
    fn moved(self, by: Affine) -> Self;

    /// The parameters that a weight decay pulls to 0: W and b.
    #[must_use]
    fn decaying(&self) -> Affine;
}

impl Movable for Affine {
    fn moved(self, by: Affine) -> Self {
        Self { weight: self.weight + by.weight, bias: self.bias + by.bias }
    }

    fn decaying(&self) -> Affine {
        *self
    }
}

impl<P> StepState<P> {
    /// The state before the first step.
    #[must_use]
    pub fn start(model: P) -> Self {
        Self { model, velocity: Affine::new(0.0, 0.0), step: 0 }
    }
}

impl DescentRule {
    /// Plain descent that stops within these tolerances of |∂L/∂W| and
    /// |∂L/∂b|; with a 0 it never does.
    #[must_use]
    pub fn within(tolerance: [f64; 2]) -> Self {
        Self { tolerance, ..Self::default() }
    }

    /// Moves W and b by a gradient g at a rate η: g ← g + δ·(W, b); v ← μ·v +
    /// (1 − τ)·g, in the first step v ← g; then (W, b) ← (W, b) − η·v, or with
    /// Nesterov's momentum (W, b) ← (W, b) − η·(g + μ·v). This is
    /// `torch.optim.SGD`, which without momentum has no dampening either. Twin:
    /// `stepped` in `shaders/shared/rule.wgsl`.
    #[inline]
    pub fn step<P: Movable + Copy>(&self, state: &mut StepState<P>, gradient: Affine, rate: f64) {
        let gradient = self.decayed(gradient, &state.model);
        if state.step == 0 || self.momentum == 0.0 {
            state.velocity = gradient;
        } else {
            let (kept, share) = (self.momentum, 1.0 - self.dampening);
            state.velocity.weight = kept * state.velocity.weight + share * gradient.weight;
            state.velocity.bias = kept * state.velocity.bias + share * gradient.bias;
        }
        let Affine { weight, bias } = state.velocity;
        let Affine { weight, bias } = if self.nesterov {
            Affine {
                weight: gradient.weight + self.momentum * weight,
                bias: gradient.bias + self.momentum * bias,
            }
        } else {
            state.velocity
        };
        state.model = state.model.moved(Affine { weight: -(rate * weight), bias: -(rate * bias) });
        state.step += 1;
    }

    /// A gradient with the part of the weight decay, δ·(W, b): the gradient of
    /// L + δ/2·(W² + b²). Twin: `decayed` in `shaders/shared/rule.wgsl`.
    #[inline]
    fn decayed<P: Movable>(&self, gradient: Affine, at: &P) -> Affine {
        if self.weight_decay == 0.0 {
            return gradient;
        }
        let Affine { weight, bias } = at.decaying();
        Affine {
            weight: gradient.weight + self.weight_decay * weight,
            bias: gradient.bias + self.weight_decay * bias,
        }
    }

    /// The outcome of an evaluation at W and b, if they would be finite numbers
    /// after a step or not. Tolerances are of the gradients with the part of the
    /// weight decay: those vanish where a descent arrives. Twin: `outcome` in
    /// `shaders/shared/rule.wgsl`.
    #[must_use]
    #[inline]
    pub fn outcome(&self, evaluation: &Evaluation, at: Affine, stays_finite: bool) -> StepOutcome {
        if !evaluation.is_finite() {
            StepOutcome::Diverged
        } else if self.tolerates(evaluation, at) {
            StepOutcome::Tolerance
        } else if !stays_finite {
            StepOutcome::Diverged
        } else {
            StepOutcome::Step
        }
    }

    /// True if there is a tolerance.
    #[must_use]
    pub fn has_tolerance(&self) -> bool {
        self.tolerance.iter().all(|&tolerance| tolerance > 0.0)
    }

    fn tolerates(&self, evaluation: &Evaluation, at: Affine) -> bool {
        let Affine { weight, bias } = self.decayed(evaluation.gradient(), &at);
        self.has_tolerance() && weight.abs() <= self.tolerance[0] && bias.abs() <= self.tolerance[1]
    }
}

/// The outcome of an evaluation: a step, or the reason why none follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// A step follows.
    Step,
    /// None does: the gradients are within the tolerance.
    Tolerance,
    /// None does: the loss or a gradient isn't a finite number, or W or b after
    /// the step wouldn't be.
    Diverged,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps from (1, 2) with μ = ½, τ = ¼ and three gradients, at the rates ½, ¼, 1:
    /// step 1: v = g = (4, −8), the first is not dampened:
    ///   (1, 2) − ½·(4, −8) = (−1, 6)
    /// step 2: v = ½·(4, −8) + ¾·(2, 4) = (3.5, −1):
    ///   (−1, 6) − ¼·(3.5, −1) = (−1.875, 6.25)
    /// step 3: v = ½·(3.5, −1) + ¾·(−4, 0) = (−1.25, −0.5):
    ///   (−1.875, 6.25) + (1.25, 0.5) = (−0.625, 6.75)
    #[test]
    fn steps_with_momentum_by_hand() {
        let rule = DescentRule { momentum: 0.5, dampening: 0.25, ..DescentRule::default() };
        let mut state = StepState::start(Affine::new(1.0, 2.0));
        let steps = [
            ((4.0, -8.0), 0.5, (4.0, -8.0), (-1.0, 6.0)),
            ((2.0, 4.0), 0.25, (3.5, -1.0), (-1.875, 6.25)),
            ((-4.0, 0.0), 1.0, (-1.25, -0.5), (-0.625, 6.75)),
        ];
        for (step, (gradient, rate, velocity, model)) in (1..).zip(steps) {
            let affine = |(weight, bias)| Affine::new(weight, bias);
            rule.step(&mut state, affine(gradient), rate);
            assert_eq!(state, StepState { model: affine(model), velocity: affine(velocity), step });
        }
    }

    /// The velocity without momentum is the gradient alone, and nothing
    /// is dampened.
    #[test]
    fn steps_without_momentum_by_hand() {
        let rule = DescentRule { dampening: 0.25, ..DescentRule::default() };
        let mut state = StepState::start(Affine::new(1.0, 2.0));
        rule.step(&mut state, Affine::new(4.0, -8.0), 0.5);
        rule.step(&mut state, Affine::new(2.0, 4.0), 0.25);
        let want = StepState { model: Affine::new(-1.5, 5.0), velocity: Affine::new(2.0, 4.0), step: 2 };
        assert_eq!(state, want);
    }

    /// Steps from (2, −4) with Nesterov's μ = ½ and decay δ = ¼ at the rate ½:
    /// step 1: g = (1, 3) + ¼·(2, −4) = (1.5, 2), v = g, g + ½·v = (2.25, 3):
    ///   (2, −4) − ½·(2.25, 3) = (0.875, −5.5)
    /// step 2: g = (0.78125, −0.625) + ¼·(0.875, −5.5) = (1, −2),
    ///   v = ½·(1.5, 2) + (1, −2) = (1.75, −1), g + ½·v = (1.875, −2.5):
    ///   (0.875, −5.5) − ½·(1.875, −2.5) = (−0.0625, −4.25)
    #[test]
    fn steps_with_nesterovs_momentum_and_decay_by_hand() {
        let rule =
            DescentRule { momentum: 0.5, nesterov: true, weight_decay: 0.25, ..DescentRule::default() };
        let mut state = StepState::start(Affine::new(2.0, -4.0));
        rule.step(&mut state, Affine::new(1.0, 3.0), 0.5);
        let (model, velocity) = (Affine::new(0.875, -5.5), Affine::new(1.5, 2.0));
        assert_eq!(state, StepState { model, velocity, step: 1 });
        rule.step(&mut state, Affine::new(0.78125, -0.625), 0.5);
        let (model, velocity) = (Affine::new(-0.0625, -4.25), Affine::new(1.75, -1.0));
        assert_eq!(state, StepState { model, velocity, step: 2 });
    }

    #[test]
    fn a_descent_stops_where_both_gradients_are_within_or_a_number_is_not_finite() {
        let rule = DescentRule::within([0.5, 0.25]);
        let at = |loss, grad_weight, grad_bias| Evaluation { loss, grad_weight, grad_bias };
        for (evaluation, stays_finite, want) in [
            (at(1.0, 0.5, -0.25), true, StepOutcome::Tolerance),
            (at(1.0, 0.5, -0.25), false, StepOutcome::Tolerance),
            (at(1.0, -0.6, 0.25), true, StepOutcome::Step),
            (at(1.0, -0.5, 0.3), true, StepOutcome::Step),
            (at(1.0, -0.5, 0.3), false, StepOutcome::Diverged),
            (at(f64::INFINITY, 0.0, 0.0), true, StepOutcome::Diverged),
            (at(1.0, f64::NAN, 0.0), true, StepOutcome::Diverged),
            (at(1.0, 0.0, f64::NEG_INFINITY), true, StepOutcome::Diverged),
        ] {
            let outcome = rule.outcome(&evaluation, Affine::new(1.0, 1.0), stays_finite);
            assert_eq!(outcome, want, "{evaluation:?}, {stays_finite}");
        }
        // −0.5·(1, 0.5) + (0.5, −0.25) = (0, −0.5), and with (1, −0.5) it is 0.
        let rule = DescentRule { weight_decay: 0.5, ..rule };
        let evaluation = at(1.0, -0.5, 0.25);
        assert_eq!(rule.outcome(&evaluation, Affine::new(1.0, 0.5), true), StepOutcome::Step);
        assert_eq!(rule.outcome(&evaluation, Affine::new(1.0, -0.5), true), StepOutcome::Tolerance);
        for tolerance in [[0.0; 2], [1.0, 0.0], [0.0, 1.0]] {
            let rule = DescentRule::within(tolerance);
            let outcome = rule.outcome(&Evaluation::default(), Affine::default(), true);
            assert_eq!(outcome, StepOutcome::Step, "{tolerance:?}");
        }
    }
}
