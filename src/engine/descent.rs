use super::EngineError;
use crate::math::{Affine, Evaluation};

/// The most evaluations that a device is asked for at a time.
pub const MOST_EVALUATIONS: u32 = 1024;

/// Gradient descent that an engine carries out where its data are, many steps
/// for one answer.
///
/// An [`Engine`](super::Engine) computes passes and knows nothing of learning
/// rates, and for big data that is all that is needed. But a device answers
/// only after a round trip, which takes as long as the arithmetic of about a
/// million elements; to ask it after every step what the next one starts from
/// would be most of the time. So an engine may offer this second seam: the
/// update, being two multiplications, is done there too, by the same rule and
/// with the same stops as on the host. (What replays a descent from the
/// moments of the data offers the seam as well.)
pub trait DeviceDescent {
    /// Goes to the start, from where [`advance`](Self::advance) goes on.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn begin(&mut self, rule: &DescentRule) -> Result<(), EngineError>;

    /// Evaluates at the current W and b and updates them, `evaluations` times
    /// or until one of them says that no step follows; what was evaluated, in
    /// order. At least one, at most [`MOST_EVALUATIONS`], and the same numbers however many are asked for at
    /// a time.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn advance(&mut self, evaluations: u32) -> Result<Vec<Evaluated>, EngineError>;

    /// The number of elements.
    fn elements(&self) -> u64;
}

/// How a descent goes: what a device needs to know of a solver.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DescentRule {
    /// W and b before the first step.
    pub start: Affine,
    /// The learning rate η.
    pub learning_rate: f64,
    /// Stops when |∂L/∂W| and |∂L/∂b| are at most these; with a 0 it never
    /// does.
    pub tolerance: [f64; 2],
}

impl DescentRule {
    /// Whether there is a tolerance.
    #[must_use]
    pub fn has_tolerance(&self) -> bool {
        self.tolerance.iter().all(|&tolerance| tolerance > 0.0)
    }

    /// Whether these gradients are within the tolerance.
    #[must_use]
    pub fn tolerates(&self, evaluation: &Evaluation) -> bool {
        let gradients = [evaluation.grad_weight, evaluation.grad_bias];
        let is_within = |(gradient, tolerance): (f64, f64)| gradient.abs() <= tolerance;
        self.has_tolerance() && gradients.into_iter().zip(self.tolerance).all(is_within)
    }
}

/// W and b, what a pass found there, and whether a step follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluated {
    /// W and b.
    pub model: Affine,
    /// Loss and gradients there.
    pub evaluation: Evaluation,
    /// Whether a step follows.
    pub onward: StepOutcome,
}

/// Whether a step follows an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// The gradients lead on.
    Step,
    /// No: the gradients are within the tolerance.
    Tolerance,
    /// No: the loss or a gradient isn't a finite number, or W or b after the
    /// step wouldn't be.
    Diverged,
}
