use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;

use super::progress::Progress;
use crate::math::{Affine, Evaluation};

/// A descent after `step` steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Steps so far; 0 is the start.
    pub step: u64,
    /// W and b after these steps.
    pub model: Affine,
    /// Loss and gradients at `model`.
    pub evaluation: Evaluation,
    /// The progress of the descent, to go on from `model` later.
    pub progress: Progress,
}

/// The reason why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// All the steps were taken.
    Steps,
    /// Both gradients reached the tolerance.
    Tolerance,
    /// The loss, a gradient or a parameter stopped being a finite number.
    Diverged,
    /// The observer ended it.
    Interrupted,
    /// In closed form, without steps.
    Exact,
    /// The loss did not shrink for as many epochs as there is patience.
    Patience,
}

/// The end of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// W and b: the last finite ones.
    pub model: Affine,
    /// Loss and gradients at exactly these W and b.
    pub evaluation: Evaluation,
    /// Steps that led to them, those before the start included.
    pub steps: u64,
    /// W and b after the last step: `model`, unless that is a mean of many.
    pub last: Affine,
    /// The progress of the descent, to go on from `last` later.
    pub progress: Progress,
    /// The reason why it ended; if diverged, the step after `steps` wasn't finite.
    pub stop_reason: StopReason,
    /// The number of elements.
    pub n: u64,
    /// Seconds for all passes and updates.
    pub seconds: f64,
    /// Median seconds of a pass and its update.
    pub step_median_seconds: f64,
}

impl Fit {
    /// The end of a fit in closed form to so many elements, which began at `started`.
    /// `observe` sees its one state.
    pub(super) fn in_closed_form(
        model: Affine,
        evaluation: Evaluation,
        n: u64,
        started: Instant,
        observe: &mut dyn FnMut(&State) -> ControlFlow<()>,
    ) -> Self {
        let seconds = started.elapsed().as_secs_f64();
        let progress = Progress::default();
        let interrupted = observe(&State { step: 0, model, evaluation, progress }).is_break();
        Self {
            model,
            evaluation,
            steps: 0,
            last: model,
            progress,
            stop_reason: if interrupted { StopReason::Interrupted } else { StopReason::Exact },
            n,
            seconds,
            step_median_seconds: seconds,
        }
    }
}
