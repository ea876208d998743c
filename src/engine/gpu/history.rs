//! The history that steps on a device leave, checked and read as the host
//! understands it.

use std::iter::successors;

use super::abi::outcome::{DIVERGED, STEP, TOLERANCE};
use super::abi::{HistoryHead, HistoryRow};
use super::buffers::joined;
use super::partials::whole;
use super::shift::ResidualShift;
use crate::engine::{DescentRule, Evaluated, StepOutcome};
use crate::math::{Affine, Evaluation};

/// The answer of a submission.
pub(super) struct History {
    pub(super) head: HistoryHead,
    pub(super) rows: Vec<HistoryRow>,
}

impl History {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let (head, rows) = bytes.split_at(size_of::<HistoryHead>());
        let head: HistoryHead = bytemuck::pod_read_unaligned(head);
        let rows = rows.chunks_exact(size_of::<HistoryRow>()).take(head.count as usize);
        Self { head, rows: rows.map(bytemuck::pod_read_unaligned).collect() }
    }

    /// The rows as the host understands them, by the rule's own judgement; `None`
    /// if they are not what was asked for after `step` steps. That is so many
    /// rows, or fewer if the last one ends the descent, one for each step.
    /// Drivers have been seen to end long loops early, without a word.
    pub(super) fn evaluated(
        &self,
        rule: &DescentRule,
        shift: ResidualShift,
        wanted: u32,
        step: u32,
    ) -> Option<Vec<Evaluated>> {
        let has_stopped = self.head.stopped != 0;
        let complete = self.head.count == wanted || has_stopped;
        let steps = successors(Some(step), |step| Some(step.wrapping_add(1).max(1)));
        let in_order = self.rows.iter().zip(steps.clone()).all(|(row, step)| row.step == step);
        let (last, before) = self.rows.split_last()?;
        let one_end = before.iter().all(|row| row.outcome == STEP) && (last.outcome != STEP) == has_stopped;
        let taken = self.rows.len() - usize::from(has_stopped);
        let counted = steps.clone().nth(taken) == Some(self.head.step);
        if !(complete && in_order && one_end && counted) {
            return None;
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let evaluated = evaluated(row, rule, shift);
            let agrees = match row.outcome {
                // In f64 a gradient may be within where in two f32 it isn't. And
                // compilers that assume finite numbers find all of them finite.
                STEP => true,
                TOLERANCE => evaluated.outcome == StepOutcome::Tolerance,
                DIVERGED => evaluated.outcome == StepOutcome::Diverged,
                _ => false,
            };
            if !agrees {
                return None;
            }
            rows.push(evaluated);
            if evaluated.outcome != StepOutcome::Step {
                break;
            }
        }
        Some(rows)
    }
}

fn evaluated(row: &HistoryRow, rule: &DescentRule, shift: ResidualShift) -> Evaluated {
    let means = whole(&row.evaluation);
    // The shader has divided by Σw and multiplied with 2 already.
    let evaluation = Evaluation { loss: means[0], grad_weight: means[1], grad_bias: means[2] };
    let model = shift.unshifted(Affine::new(joined(row.weight), joined(row.bias)));
    Evaluated {
        model,
        velocity: Affine::new(joined(row.velocity_weight), joined(row.velocity_bias)),
        height: None,
        evaluation,
        outcome: rule.outcome(&evaluation, model, row.outcome != DIVERGED),
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable;

    use super::*;

    fn rows(steps: impl IntoIterator<Item = u32>) -> Vec<HistoryRow> {
        let row = |step| HistoryRow { step, ..HistoryRow::zeroed() };
        steps.into_iter().map(row).collect()
    }

    /// The rows of a history after 10 steps of which 4 more were asked for, as
    /// the host understands them.
    fn understood(mut rows: Vec<HistoryRow>, step: u32, last: u32, gradient: f32) -> Option<Vec<Evaluated>> {
        let count = u32::try_from(rows.len()).unwrap();
        if let Some(row) = rows.last_mut() {
            row.outcome = last;
        }
        for row in &mut rows {
            row.evaluation.hi = [1.0, gradient, gradient, 0.0];
        }
        let stopped = u32::from(last != STEP);
        let head = HistoryHead { wanted: 4, count, stopped, step, ..HistoryHead::zeroed() };
        let shift = ResidualShift { x: 0.0.into(), t: 0.0.into() };
        History { head, rows }.evaluated(&DescentRule::within([0.5; 2]), shift, 4, 10)
    }

    #[test]
    fn a_history_with_a_gap_or_an_early_end_is_noticed() {
        assert_eq!(understood(rows(10..14), 14, STEP, 1.0).map(|rows| rows.len()), Some(4));
        assert_eq!(understood(rows(10..12), 11, DIVERGED, 1.0).map(|rows| rows.len()), Some(2));
        assert_eq!(understood(rows(10..13), 13, STEP, 1.0), None, "one is missing");
        assert_eq!(understood(rows([10, 11, 13, 14]), 14, STEP, 1.0), None, "a gap");
        assert_eq!(understood(rows([]), 10, DIVERGED, 1.0), None, "stopped before anything");
        assert_eq!(understood(rows(0..4), 4, STEP, 1.0), None, "of another submission");
        assert_eq!(understood(rows(10..14), 13, STEP, 1.0), None, "a step that was not taken");
    }

    /// The rule's own judgement decides, not the device's.
    #[test]
    fn an_outcome_that_the_rule_does_not_have_is_noticed() {
        let outcomes = |last, gradient| {
            let rows = understood(rows(10..12), 11, last, gradient);
            rows.map(|rows| rows.into_iter().map(|row| row.outcome).collect::<Vec<_>>())
        };
        assert_eq!(outcomes(DIVERGED, 1.0), Some(vec![StepOutcome::Step, StepOutcome::Diverged]));
        assert_eq!(outcomes(TOLERANCE, 1.0), None, "the gradients are not within the tolerance");
        assert_eq!(outcomes(TOLERANCE, 0.25), Some(vec![StepOutcome::Tolerance]), "they were before");
        assert_eq!(outcomes(7, 1.0), None);
        let diverged = understood(rows(10..14), 14, STEP, f32::NAN).unwrap();
        let outcomes: Vec<_> = diverged.iter().map(|row| row.outcome).collect();
        assert_eq!(outcomes, [StepOutcome::Diverged], "a step from what is no number");
    }
}
