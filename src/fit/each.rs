//! Fits of many groups that need their elements, not only their moments: each is solved
//! by itself.

use std::ops::ControlFlow;
use std::sync::Mutex;

use super::many::{FitRow, ManyFits};
use super::{Fit, FitError, Solver, State, StopReason};
use crate::array::{Array, Order, Problem, Shape, ValidityRules, parallel, with_element};
use crate::engine::{Cpu, Engine, EngineError, EngineKind, Reference};
use crate::math::Moments;

/// Elements whose groups are brought together at a time, 64 MiB to 512 MiB of them, if
/// no group has more.
const MOST_ELEMENTS: u64 = 1 << 24;

impl ManyFits {
    /// The fits of all groups of a problem with these moments, each by the solver as if its elements were a problem of their own: the result of a group has the
    /// bits of that of its elements alone. The elements of some groups at a time are
    /// brought together for that. An engine of the host fits the groups, side by side.
    ///
    /// # Errors
    /// [`EngineError::NoRobustPass`] for the GPU engine; those of the solver and of the
    /// fits, but for a group without a line, which has no numbers.
    pub fn each(
        engine: &mut dyn Engine,
        shape: Shape,
        moments: &[Moments],
        solver: &Solver,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, FitError> {
        let (kind, data) = (engine.info().kind, engine.problem().clone());
        if kind == EngineKind::Gpu {
            return Err(EngineError::NoRobustPass(kind).into());
        }
        let mut rows = Vec::with_capacity(moments.len());
        let ends = Mutex::new(Ends::default());
        let mut first = 0;
        while first < moments.len() {
            let members = Members::from(&data, first, moments.len());
            let count = members.fits();
            let more = parallel::map(count, |k| {
                let moments = &moments[first + k];
                if moments.least_squares().is_none() {
                    return Ok(FitRow::none(moments.n));
                }
                let part = part_of(&data, members.of(k))?;
                let mut engine: Box<dyn Engine> = match kind {
                    EngineKind::Reference => Box::new(Reference::new(&part)),
                    EngineKind::Cpu | EngineKind::Gpu => Box::new(Cpu::new(&part)),
                };
                // As a fit of these elements alone has them, in the order of its sums.
                let own = engine.all_moments()?;
                let course = solver.course(&own)?;
                let mut observe = |_: &State| {
                    if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                match course.fit(engine.as_mut(), &own, &mut observe) {
                    Ok((fit, robust)) => {
                        if let Ok(mut ends) = ends.lock() {
                            ends.add(&fit);
                        }
                        // The statistics after clipping are of the elements that are left.
                        let of = course.moments_left(robust.as_ref()).unwrap_or(&own);
                        let row = FitRow::of(of, fit.model, fit.evaluation.loss, of.least_squares_rr());
                        Ok(FitRow { n: own.n, ..row })
                    }
                    Err(error) if error.is_of_data() => Ok(FitRow::none(own.n)),
                    Err(error) => Err(error),
                }
            });
            for row in more {
                rows.push(row?);
            }
            data.release(&(0..data.len()));
            first += count;
        }
        data.check_intact().map_err(EngineError::from)?;
        let Ends { steps, stopped } = ends.into_inner().unwrap_or_default();
        Ok(Self { shape, rows, steps, stopped })
    }
}

/// The ends of fits.
#[derive(Default)]
struct Ends {
    steps: u64,
    stopped: Vec<(StopReason, u64)>,
}

impl Ends {
    fn add(&mut self, fit: &Fit) {
        self.steps = self.steps.max(fit.steps);
        match self.stopped.iter_mut().find(|(reason, _)| *reason == fit.stop_reason) {
            Some((_, count)) => *count += 1,
            None => self.stopped.push((fit.stop_reason, 1)),
        }
    }
}

/// The places of the elements of some neighbouring fits, those of each in their order.
struct Members {
    places: Vec<usize>,
    /// Where those of each fit begin, and where the last one's end.
    bounds: Vec<usize>,
}

impl Members {
    /// Those of as many fits from number `first` on as are brought together at a time.
    fn from(data: &Problem, first: usize, fits: usize) -> Self {
        let mut counts = vec![0u64; fits - first];
        let own = |fit: u64| {
            let fit = usize::try_from(fit.checked_sub(data.fits().range().start)?).ok()?;
            fit.checked_sub(first)
        };
        each_number(data, |_, fit| {
            if let Some(count) = own(fit).and_then(|fit| counts.get_mut(fit)) {
                *count += 1;
            }
        });
        let mut sum = 0;
        let within = counts.iter().take_while(|&&count| {
            sum += count;
            sum <= MOST_ELEMENTS
        });
        counts.truncate(within.count().max(1));
        let mut bounds = vec![0];
        let mut end = 0;
        for count in counts {
            end += usize::try_from(count).unwrap_or(usize::MAX);
            bounds.push(end);
        }
        let (mut places, mut next) = (vec![0; end], bounds.clone());
        next.pop();
        each_number(data, |place, fit| {
            if let Some(next) = own(fit).and_then(|fit| next.get_mut(fit)) {
                places[*next] = place;
                *next += 1;
            }
        });
        Self { places, bounds }
    }

    fn fits(&self) -> usize {
        self.bounds.len() - 1
    }

    fn of(&self, k: usize) -> &[usize] {
        &self.places[self.bounds[k]..self.bounds[k + 1]]
    }
}

/// Calls `each` with the place and the fit of every element.
fn each_number(data: &Problem, mut each: impl FnMut(usize, u64)) {
    const ELEMENTS: usize = 1 << 16;
    let mut numbers = Vec::new();
    for range in (0..data.len()).step_by(ELEMENTS).map(|start| start..data.len().min(start + ELEMENTS)) {
        data.fits().fill(range.clone(), &mut numbers);
        range.zip(&numbers).for_each(|(place, &fit)| each(place, fit));
    }
}

/// Some elements as a problem of their own.
fn part_of(data: &Problem, places: &[usize]) -> Result<Problem, EngineError> {
    let order = data.order();
    let t = data.t().ok_or(EngineError::NoTarget)?;
    let mask = data.validity().map(|validity| {
        let valid = places.iter().map(|&place| u8::from(validity.contains(place)));
        Array::from_vec("mask", &[places.len() as u64], valid.collect())
    });
    let weights = data.weights().map(|weights| gathered(weights, order, places));
    let rules = ValidityRules {
        mask: mask.map(Into::into),
        weights: weights.map(Into::into),
        ..ValidityRules::default()
    };
    let part = Problem::builder(gathered(data.x(), order, places)).target(gathered(t, order, places));
    Ok(part.rules(rules).build()?)
}

/// Elements of an array from their places.
fn gathered(array: &Array, order: Order, places: &[usize]) -> Array {
    with_element!(array.element(), E => {
        let values: Vec<E> = if let Some(values) = array.as_slice::<E>(order) { places.iter().map(|&place| values[place]).collect() } else {
            let mut values = vec![<E as bytemuck::Zeroable>::zeroed(); places.len()];
            for (value, &place) in values.iter_mut().zip(places) {
                array.copy(order, place, std::slice::from_mut(value));
            }
            values
        };
        Array::from_vec(array.label(), &[places.len() as u64], values)
    })
}
