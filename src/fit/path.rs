//! The states of a descent, one after the other: twin of the shaders
//! `descend.wgsl`, `update.wgsl` and `shared/step.wgsl`.

use std::collections::VecDeque;
use std::time::Instant;

use super::coordinates::Position;
use super::steps::StepsPerSubmit;
use crate::engine::{DescentRule, DeviceDescent, Engine, EngineError, Evaluated};

/// The states that a descent goes through, one after the other, wherever the
/// updates are made.
pub(super) enum Path<'e> {
    /// The host updates W and b after every pass.
    Host(HostPath<'e>),
    /// The device does, or a replay from the moments, and tells of many steps
    /// at a time.
    Batches(BatchPath<'e>),
}

impl Path<'_> {
    /// The next state, and the seconds it took.
    pub(super) fn next(&mut self) -> Result<(Evaluated, f64), EngineError> {
        match self {
            Self::Host(path) => path.next(),
            Self::Batches(path) => path.next(),
        }
    }

    /// The number of elements; known after the first state.
    pub(super) fn elements(&self) -> u64 {
        match self {
            Self::Host(path) => path.elements,
            Self::Batches(path) => path.descent.elements(),
        }
    }
}

/// Passes by the engine, updates by the host, in f64.
pub(super) struct HostPath<'e> {
    engine: &'e mut dyn Engine,
    rule: DescentRule,
    position: Position,
    elements: u64,
}

impl<'e> HostPath<'e> {
    /// From `position`, by `rule`.
    pub(super) fn new(engine: &'e mut dyn Engine, rule: DescentRule, position: Position) -> Self {
        Self { engine, rule, position, elements: 0 }
    }

    fn next(&mut self) -> Result<(Evaluated, f64), EngineError> {
        let started = Instant::now();
        let (slopes, elements) = self.position.pass(self.engine)?;
        self.elements = elements;
        let evaluated = self.position.advance(slopes, &self.rule);
        Ok((evaluated, started.elapsed().as_secs_f64()))
    }
}

/// Evaluations and updates made elsewhere, a batch for each submission.
pub(super) struct BatchPath<'e> {
    descent: &'e mut dyn DeviceDescent,
    per_submit: StepsPerSubmit,
    /// Evaluations not yet asked for.
    left: u64,
    ready: VecDeque<Evaluated>,
    /// Of each evaluation in the last batch.
    seconds: Option<f64>,
}

impl<'e> BatchPath<'e> {
    /// At most `evaluations` of them.
    pub(super) fn new(
        descent: &'e mut dyn DeviceDescent,
        rule: &DescentRule,
        per_submit: StepsPerSubmit,
        evaluations: u64,
    ) -> Result<Self, EngineError> {
        descent.begin(rule)?;
        Ok(Self { descent, per_submit, left: evaluations, ready: VecDeque::new(), seconds: None })
    }

    fn next(&mut self) -> Result<(Evaluated, f64), EngineError> {
        if self.ready.is_empty() {
            let wanted = self.per_submit.next(self.seconds, self.left);
            let started = Instant::now();
            self.ready = self.descent.advance(wanted)?.into();
            let taken = u32::try_from(self.ready.len()).unwrap_or(u32::MAX);
            self.seconds = Some(started.elapsed().as_secs_f64() / f64::from(taken.max(1)));
            self.left = self.left.saturating_sub(u64::from(taken));
        }
        let none = EngineError::Stalled { taken: 0, wanted: 1 };
        let evaluated = self.ready.pop_front().ok_or(none)?;
        Ok((evaluated, self.seconds.unwrap_or_default()))
    }
}
