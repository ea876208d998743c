use std::collections::VecDeque;
use std::time::Instant;

use super::steps::StepsPerSubmit;
use crate::engine::{DescentRule, DeviceDescent, Engine, EngineError, Evaluated, Onward};
use crate::math::Evaluation;

/// The states that a descent goes through, one after the other, wherever the
/// updates are made.
pub(super) enum Path<'e> {
    /// The host updates W and b after every pass.
    Host(HostPath<'e>),
    /// The device does, and tells of many steps at a time.
    Device(DevicePath<'e>),
}

impl Path<'_> {
    /// The next state, and the seconds it took.
    pub(super) fn next(&mut self) -> Result<(Evaluated, f64), EngineError> {
        match self {
            Self::Host(path) => path.next(),
            Self::Device(path) => path.next(),
        }
    }

    /// The number of elements; known after the first state.
    pub(super) fn elements(&self) -> u64 {
        match self {
            Self::Host(path) => path.elements,
            Self::Device(path) => path.device.elements(),
        }
    }
}

/// Passes by the engine, updates by the host, in f64.
pub(super) struct HostPath<'e> {
    engine: &'e mut dyn Engine,
    /// How to go on from `start`, which moves along.
    rule: DescentRule,
    elements: u64,
}

impl<'e> HostPath<'e> {
    pub(super) fn new(engine: &'e mut dyn Engine, rule: DescentRule) -> Self {
        Self { engine, rule, elements: 0 }
    }

    fn next(&mut self) -> Result<(Evaluated, f64), EngineError> {
        let started = Instant::now();
        let model = self.rule.start;
        let sums = self.engine.residual_sums(model)?;
        self.elements = sums.n;
        let evaluation = Evaluation::from_sums(&sums);
        let next = model.descend(&evaluation, self.rule.learning_rate);
        let onward = if !evaluation.is_finite() {
            Onward::Diverged
        } else if self.rule.tolerance > 0.0 && evaluation.gradient_norm() <= self.rule.tolerance {
            Onward::Tolerance
        } else if !next.is_finite() {
            Onward::Diverged
        } else {
            self.rule.start = next;
            Onward::Step
        };
        Ok((Evaluated { model, evaluation, onward }, started.elapsed().as_secs_f64()))
    }
}

/// Passes and updates by the device, a batch for each submission.
pub(super) struct DevicePath<'e> {
    device: &'e mut dyn DeviceDescent,
    per_submit: StepsPerSubmit,
    /// Evaluations not yet asked for.
    left: u64,
    ready: VecDeque<Evaluated>,
    /// Of each evaluation in the last batch.
    seconds: Option<f64>,
}

impl<'e> DevicePath<'e> {
    /// At most `evaluations` of them.
    pub(super) fn new(
        device: &'e mut dyn DeviceDescent,
        rule: &DescentRule,
        per_submit: StepsPerSubmit,
        evaluations: u64,
    ) -> Result<Self, EngineError> {
        device.begin(rule)?;
        Ok(Self { device, per_submit, left: evaluations, ready: VecDeque::new(), seconds: None })
    }

    fn next(&mut self) -> Result<(Evaluated, f64), EngineError> {
        if self.ready.is_empty() {
            let wanted = self.per_submit.next(self.seconds, self.left);
            let started = Instant::now();
            self.ready = self.device.advance(wanted)?.into();
            let taken = u32::try_from(self.ready.len()).unwrap_or(u32::MAX);
            self.seconds = Some(started.elapsed().as_secs_f64() / f64::from(taken.max(1)));
            self.left = self.left.saturating_sub(u64::from(taken));
        }
        let none = EngineError::Stalled { taken: 0, wanted: 1 };
        let evaluated = self.ready.pop_front().ok_or(none)?;
        Ok((evaluated, self.seconds.unwrap_or_default()))
    }
}
