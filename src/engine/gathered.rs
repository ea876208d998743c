//! Fits whose elements are apart, for engines that pass over runs of elements: a
//! device's kernels walk neighbours.

use std::ops::Range;

use super::{
    Cpu, Engine, EngineError, EngineInfo, Mergeable, Notice, Partials, Sink, SumsAt, check_points,
    check_squared, elements_of, partials_of_fits,
};
use crate::array::{Array, DataError, Gathering, Problem};
use crate::math::{Affine, Loss, LossSums, Moments, SumsAccumulator};

/// An engine for fits whose elements are apart, by another one over a copy that has
/// those of each fit one after the other.
///
/// Passes over all chunks, and so all fits, are that engine's. What is asked of a part
/// of the chunks, and predictions, are computed by [`Cpu`] on the data themselves.
pub struct Gathered<E> {
    data: Problem,
    /// The fit of each run of the engine's problem.
    fits: Vec<u64>,
    engine: E,
    host: Cpu,
}

impl<E: Engine> Gathered<E> {
    /// Brings the elements of fits together and opens an engine on them.
    ///
    /// # Errors
    /// Those of [`Problem::gathered`] and of `open`.
    pub fn open(
        data: &Problem,
        open: impl FnOnce(&Problem) -> Result<E, EngineError>,
    ) -> Result<Self, EngineError> {
        let Gathering { problem, fits } = data.gathered()?;
        let engine = open(&problem).map_err(|error| located(data, error))?;
        Ok(Self { data: data.clone(), fits, engine, host: Cpu::new(data) })
    }

    fn is_all(&self, over: &Range<u64>) -> bool {
        *over == self.data.grid().chunks()
    }

    /// What each fit has of the results of runs, which `add` adds to none.
    fn partials<S: Mergeable>(
        &self,
        of_runs: Partials<S>,
        over: Range<u64>,
        none: impl Fn(usize) -> S::Value,
        value: impl Fn(S, usize) -> S::Value,
    ) -> Result<Partials<S>, EngineError> {
        let arithmetic = of_runs.source().arithmetic().clone();
        let (_, results) = of_runs.into_totals()?;
        let count = usize::try_from(self.data.fits().count()).unwrap_or(usize::MAX);
        let mut values: Vec<S::Value> = (0..count).map(none).collect();
        let mut before = None;
        for (&fit, result) in self.fits.iter().zip(results) {
            let place = usize::try_from(fit).unwrap_or(usize::MAX);
            let value = value(result, place);
            values[place] = if before == Some(fit) { S::merge(values[place].clone(), value)? } else { value };
            before = Some(fit);
        }
        partials_of_fits(&self.data, arithmetic, over, values)
    }
}

impl<E: Engine> Engine for Gathered<E> {
    fn info(&self) -> &EngineInfo {
        self.engine.info()
    }

    fn problem(&self) -> &Problem {
        &self.data
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        self.engine.take_notices()
    }

    fn pass_bytes(&self) -> u64 {
        self.engine.pass_bytes()
    }

    fn loss_sums(
        &mut self,
        at: &[Affine],
        loss: Loss,
        over: Range<u64>,
    ) -> Result<Partials<LossSums>, EngineError> {
        check_points(&self.data, at)?;
        check_squared(self.engine.info(), loss)?;
        elements_of(&self.data, &over)?;
        if !self.is_all(&over) {
            return self.host.loss_sums(at, loss, over);
        }
        let point = |&fit: &u64| at[usize::try_from(fit).unwrap_or(usize::MAX)];
        let of_runs: Vec<Affine> = self.fits.iter().map(point).collect();
        let all = self.engine.problem().grid().chunks();
        let sums = self.engine.loss_sums(&of_runs, loss, all).map_err(|error| located(&self.data, error))?;
        let value = |sums, fit: usize| SumsAt { at: at[fit], loss, sums };
        self.partials(
            sums,
            over,
            |fit| value(SumsAccumulator::default(), fit),
            |sums, fit| value(sums.into(), fit),
        )
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        elements_of(&self.data, &over)?;
        if !self.is_all(&over) {
            return self.host.moments(over);
        }
        let all = self.engine.problem().grid().chunks();
        let moments = self.engine.moments(all).map_err(|error| located(&self.data, error))?;
        self.partials(moments, over, |_| Moments::default(), |moments, _| moments)
    }

    fn host_moments(&mut self) -> Result<Option<Moments>, EngineError> {
        self.host.all_moments().map(Some)
    }

    fn resolved_share(&self) -> f64 {
        self.engine.resolved_share()
    }

    /// By the host.
    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.host.predict(at, sink)
    }

    fn start_clock(&mut self) -> bool {
        self.engine.start_clock()
    }

    fn stop_clock(&mut self) -> Option<f64> {
        self.engine.stop_clock()
    }
}

/// An error about an element of the copy, with the element's place in the data.
fn located(data: &Problem, error: EngineError) -> EngineError {
    let EngineError::Data(DataError::BeyondF32 { label, position, value }) = error else { return error };
    let array = data.matrices().find(|array| array.label() == label);
    let found =
        array.and_then(|array| Some(array.position(place_of(data, array, value)? as u64, data.order())));
    DataError::BeyondF32 { label, position: found.unwrap_or(position), value }.into()
}

/// The first valid element of an array with this value.
fn place_of(data: &Problem, array: &Array, value: f64) -> Option<usize> {
    let is_valid = |k: usize| data.validity().is_none_or(|validity| validity.contains(k));
    let mut values = vec![0f64; super::CHUNK.min(array.len())];
    super::chunks(0..array.len(), super::CHUNK).find_map(|chunk| {
        let values = &mut values[..chunk.len()];
        array.read(data.order(), chunk.start, values);
        chunk.zip(values.iter()).find(|(k, found)| **found == value && is_valid(*k)).map(|(k, _)| k)
    })
}
