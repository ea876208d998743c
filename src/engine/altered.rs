//! An engine whose results a test changes, so that a check must see it.

use std::ops::Range;

use super::{Cpu, Engine, EngineError, EngineInfo, Partials, Sink};
use crate::array::Problem;
use crate::math::{Affine, Loss, LossSums, Moments};

/// The CPU engine, with results that a test changes.
pub(crate) struct Altered<F> {
    inner: Cpu,
    alter: F,
}

/// A result that may be changed.
pub(crate) enum Found<'r> {
    Sums(&'r mut LossSums),
    Moments(&'r mut Moments),
    /// Predictions, a chunk of them.
    Predicted(&'r mut [f32]),
}

impl<F: FnMut(Found<'_>)> Altered<F> {
    pub(crate) fn new(data: &Problem, alter: F) -> Self {
        Self { inner: Cpu::new(data), alter }
    }
}

impl<F: FnMut(Found<'_>) + Send> Engine for Altered<F> {
    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }

    fn problem(&self) -> &Problem {
        self.inner.problem()
    }

    fn loss_sums(
        &mut self,
        at: &[Affine],
        loss: Loss,
        over: Range<u64>,
    ) -> Result<Partials<LossSums>, EngineError> {
        self.inner.loss_sums(at, loss, over)
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        self.inner.moments(over)
    }

    fn loss_sums_at(&mut self, at: Affine) -> Result<LossSums, EngineError> {
        let mut sums = self.inner.loss_sums_at(at)?;
        (self.alter)(Found::Sums(&mut sums));
        Ok(sums)
    }

    fn all_moments(&mut self) -> Result<Moments, EngineError> {
        let mut moments = self.inner.all_moments()?;
        (self.alter)(Found::Moments(&mut moments));
        Ok(moments)
    }

    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.inner.predict(at, &mut |ys| {
            let mut ys = ys.to_vec();
            (self.alter)(Found::Predicted(&mut ys));
            sink(&ys)
        })
    }
}
