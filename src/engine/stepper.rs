use super::{DescentRule, EngineError, StepOutcome};
use crate::math::{Affine, Evaluation};

/// The most evaluations that a stepper is asked for at a time.
pub const MOST_EVALUATIONS: u32 = 1024;

/// Takes the steps of a gradient descent, many for one call.
///
/// An [`Engine`](super::Engine) computes passes and knows nothing of learning
/// rates, and for big data that is all that is needed. But a device answers
/// only after a round trip, which takes as long as the arithmetic of about a
/// million elements; to ask it after every step what the next one starts from
/// would be most of the time. So an engine may offer this second seam: the
/// update, being two multiplications, is done there too, by the same
/// [`DescentRule`] as on the host. A solver has steppers of its own for the
/// other ways to an evaluation, and one loop over all of them.
pub trait Stepper {
    /// Goes to a start, from where [`advance`](Self::advance) goes on by `rule`.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn start(&mut self, rule: &DescentRule, at: Affine) -> Result<(), EngineError>;

    /// Evaluates at the current W and b and takes the step that follows, once
    /// for each learning rate η in `rates`, or until an evaluation says that no
    /// step follows. Returns what was evaluated, in order. There are at least
    /// one rate and at most [`MOST_EVALUATIONS`], and the numbers are the same
    /// however many there are at a time.
    ///
    /// # Errors
    /// Whatever the device reports; a table of rates that it can't work by.
    fn advance(&mut self, rates: &[f64]) -> Result<Vec<Evaluated>, EngineError>;

    /// Whether steps at this rate have all the digits that they should have.
    fn takes_rate(&self, rate: f64) -> bool {
        let _ = rate;
        true
    }

    /// The number of elements; known after the first evaluation.
    fn elements(&self) -> u64;
}

/// W and b, what a pass found there, and whether a step follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluated {
    /// W and b.
    pub model: Affine,
    /// Loss and gradients there.
    pub evaluation: Evaluation,
    /// Whether a step follows.
    pub outcome: StepOutcome,
}
