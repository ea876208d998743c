//! Passes of the host over all valid pairs of a problem, for any engine: a thread takes
//! a run of chunks at a time and runs are merged in order, so that neither the number
//! of threads nor their speed matters.

use std::ops::Range;

use super::EngineError;
use super::facts::Facts;
use super::frame::{self, Frame};
use super::pass::{CHUNK, chunks, targets};
use crate::array::{Array, Problem, parallel};
use crate::math::Affine;

/// Runs that the elements are made of, at most: each has a value of its own.
const MOST_RUNS: usize = 64;

/// Elements brought to f64 at a time.
const READ_ELEMENTS: usize = 1 << 12;

/// A valid pair.
pub(super) struct Pair {
    pub(super) k: usize,
    pub(super) x: f64,
    pub(super) t: f64,
    /// x·W + b − t times 2ᵉ.
    pub(super) residual: f64,
    /// e.
    pub(super) exponent: i32,
    pub(super) weight: f64,
}

/// What a pass makes of each run of the elements, in order.
pub(super) fn fold<V: Send>(
    data: &Problem,
    at: Affine,
    empty: impl Fn() -> V + Sync,
    add: impl Fn(&mut V, &Pair) + Sync,
) -> Result<Vec<V>, EngineError> {
    let (t, facts) = (targets(data)?, Facts::of(data));
    let run = data.len().div_ceil(MOST_RUNS).next_multiple_of(CHUNK);
    let runs: Vec<_> = chunks(0..data.len(), run).collect();
    let values = parallel::map(runs.len(), |k| {
        let mut value = empty();
        for chunk in chunks(runs[k].clone(), CHUNK) {
            each_pair(data, t, &facts.frame(data, &chunk), &chunk, at, |pair| add(&mut value, &pair));
            data.release(&chunk);
        }
        value
    });
    data.check_intact()?;
    Ok(values)
}

/// Calls `each` with every valid pair of a chunk, in order.
fn each_pair(
    data: &Problem,
    t: &Array,
    frame: &Frame,
    chunk: &Range<usize>,
    at: Affine,
    mut each: impl FnMut(Pair),
) {
    let (x, order, readings) = (data.x(), data.order(), frame.readings);
    let there = readings.model(at);
    let mut room = [(); 3].map(|()| vec![0.0; READ_ELEMENTS]);
    for range in chunks(chunk.clone(), READ_ELEMENTS) {
        if data.first_valid(&range).is_none() {
            continue;
        }
        let (start, n) = (range.start, range.len());
        let [xs, ts, ws] = room.each_mut().map(|values| &mut values[..n]);
        frame::read(x, readings.x, order, start, xs, None);
        frame::read(t, readings.t, order, start, ts, None);
        frame.read_weights(data, order, start, ws);
        for k in 0..n {
            if data.validity().is_none_or(|validity| validity.contains(start + k)) {
                let (x, t) = (readings.x.undo(xs[k].into()).value(), readings.t.undo(ts[k].into()).value());
                let residual = there.apply(xs[k]) - ts[k];
                let exponent = readings.t.exponent;
                each(Pair { k: start + k, x, t, residual, exponent, weight: ws[k] });
            }
        }
    }
}
