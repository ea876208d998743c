//! Passes over fits of which the elements are not runs: the ways to go, and the
//! values that passes find.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::Cpu;
use super::scattered::{Labelled, OneFit, OneMoments, OneSums, merged};
use super::side::{SideMoments, SidePass, SideSums};
use super::strided::{Task, Walk};
use crate::array::parallel;
use crate::array::{Array, Level, Members};
use crate::engine::alone::{alone, may_leave_range};
use crate::engine::frame::Frame;
use crate::engine::reframe::{is_safe_moments, is_safe_sums};
use crate::engine::whole::whole_frame;
use crate::engine::{Engine, EngineError, SumsAt, chunks, elements_of, targets};
use crate::math::{Affine, Loss, Moments};

/// Fits of so many neighbours are passed over one after the other, not side by
/// side, unless they have many rows.
const LONG_RUN: u64 = 32;

/// Rows of a fit for which columns are added up first.
const MANY_ROWS: u64 = 16;

/// Elements of one fit that are one task.
const TASK_ELEMENTS: usize = 1 << 18;

/// The result of a pass for each fit.
trait FitPass: Sync {
    type Value: Copy + Send + Sync;
    type Side: SidePass<Value = Self::Value>;
    type One: OneFit<Value = Self::Value>;

    /// The sums of fits side by side.
    fn side(&self, fits: &[usize]) -> Self::Side;

    /// The sums of one fit.
    fn one(&self, fit: usize) -> Self::One;

    /// The value of a run of a fit's elements.
    fn run(&self, cpu: &Cpu, t: &Array, frame: &Frame, fit: usize, run: Range<usize>) -> Self::Value;

    fn merge(&self, one: Self::Value, other: Self::Value) -> Self::Value;

    /// The value of the data, from that of data that were read so.
    fn of_frame(&self, value: Self::Value, frame: &Frame) -> Self::Value;

    /// Whether sums of squares stayed far from the ends of the range of f64.
    fn is_safe(&self, value: &Self::Value) -> bool;

    /// The value of a fit's elements, which are all that an engine has.
    fn alone(&self, fit: usize, cpu: &mut Cpu) -> Result<Self::Value, EngineError>;
}

/// The pass that finds moments.
struct ForMoments;

impl FitPass for ForMoments {
    type Value = Moments;
    type Side = SideMoments;
    type One = OneMoments;

    fn side(&self, fits: &[usize]) -> SideMoments {
        SideMoments::new(fits.len())
    }

    fn one(&self, _fit: usize) -> OneMoments {
        OneMoments::default()
    }

    fn run(&self, cpu: &Cpu, t: &Array, frame: &Frame, _fit: usize, run: Range<usize>) -> Moments {
        cpu.framed_moments(frame, t, &run)
    }

    fn merge(&self, one: Moments, other: Moments) -> Moments {
        one.merge(other)
    }

    fn of_frame(&self, value: Moments, frame: &Frame) -> Moments {
        if frame.is_plain() { value } else { value.of_readings(&frame.readings, frame.weight_exponent) }
    }

    fn is_safe(&self, value: &Moments) -> bool {
        is_safe_moments(value)
    }

    fn alone(&self, _fit: usize, cpu: &mut Cpu) -> Result<Moments, EngineError> {
        cpu.all_moments()
    }
}

/// The pass that finds loss sums at a point for each fit.
struct ForSums<'a> {
    at: &'a [Affine],
    frame: &'a Frame,
}

impl ForSums<'_> {
    fn there(&self, fit: usize) -> Affine {
        if self.frame.is_plain() { self.at[fit] } else { self.frame.readings.model(self.at[fit]) }
    }
}

impl FitPass for ForSums<'_> {
    type Value = SumsAt;
    type Side = SideSums;
    type One = OneSums;

    fn side(&self, fits: &[usize]) -> SideSums {
        let points: Vec<Affine> = fits.iter().map(|&fit| self.there(fit)).collect();
        SideSums::new(&points, fits.iter().map(|&fit| self.at[fit]).collect())
    }

    fn one(&self, fit: usize) -> OneSums {
        OneSums::new(self.at[fit], self.there(fit))
    }

    fn run(&self, cpu: &Cpu, t: &Array, frame: &Frame, fit: usize, run: Range<usize>) -> SumsAt {
        SumsAt {
            at: self.at[fit],
            loss: Loss::Squared,
            sums: cpu.framed_sums(frame, t, &run, self.at[fit], Loss::Squared),
        }
    }

    fn merge(&self, one: SumsAt, other: SumsAt) -> SumsAt {
        SumsAt { sums: one.sums.merge(other.sums), ..one }
    }

    fn of_frame(&self, value: SumsAt, frame: &Frame) -> SumsAt {
        if frame.is_plain() {
            return value;
        }
        SumsAt { sums: value.sums.of_readings(&frame.readings, frame.weight_exponent), ..value }
    }

    fn is_safe(&self, value: &SumsAt) -> bool {
        is_safe_sums(&value.sums.total())
    }

    fn alone(&self, fit: usize, cpu: &mut Cpu) -> Result<SumsAt, EngineError> {
        let sums = cpu.loss_sums_at(self.at[fit])?;
        Ok(SumsAt { at: self.at[fit], loss: Loss::Squared, sums: sums.into() })
    }
}

impl Cpu {
    /// The moments of all fits over a range of chunks.
    pub(super) fn moments_of_fits(&self, over: &Range<u64>) -> Result<Vec<Moments>, EngineError> {
        self.values_of_fits(over, &whole_frame(&self.data), &ForMoments)
    }

    /// The loss sums of all fits, each at its point.
    pub(super) fn sums_of_fits(&self, over: &Range<u64>, at: &[Affine]) -> Result<Vec<SumsAt>, EngineError> {
        let frame = whole_frame(&self.data);
        self.values_of_fits(over, &frame, &ForSums { at, frame: &frame })
    }

    fn values_of_fits<P: FitPass>(
        &self,
        over: &Range<u64>,
        frame: &Frame,
        pass: &P,
    ) -> Result<Vec<P::Value>, EngineError> {
        let (data, t) = (&self.data, targets(&self.data)?);
        let elements = elements_of(data, over)?;
        let fits = usize::try_from(data.fits().count()).unwrap_or(usize::MAX);
        let is_all = elements == (0..data.len());
        let mut values = match data.fits().members() {
            Members::Regular(levels) if is_all && is_long(levels) => {
                self.one_by_one(&Walk::new(levels), t, frame, pass)
            }
            Members::Regular(levels) if is_all => self.side_by_side(&Walk::new(levels), fits, t, frame, pass),
            _ => {
                let labelled = Labelled { data, t, frame };
                labelled.values(
                    elements.clone(),
                    fits,
                    |fit| pass.one(fit),
                    |one, other| pass.merge(one, other),
                )
            }
        };
        data.check_intact()?;
        if !frame.is_plain() {
            values = parallel::map(values.len(), |fit| pass.of_frame(values[fit], frame));
        }
        if may_leave_range(data) {
            let is_safe = parallel::map(values.len(), |fit| pass.is_safe(&values[fit]));
            let unsafe_fits: Vec<u64> =
                (0..).zip(is_safe).filter(|(_, is)| !is).map(|(fit, _)| fit).collect();
            if !unsafe_fits.is_empty() {
                for (fit, problem) in alone(data, elements, unsafe_fits)? {
                    let fit = usize::try_from(fit).unwrap_or(usize::MAX);
                    values[fit] = pass.alone(fit, &mut Self::new(&problem))?;
                }
            }
        }
        Ok(values)
    }

    /// The values of fits of which neighbours lie side by side.
    fn side_by_side<P: FitPass>(
        &self,
        walk: &Walk,
        fits: usize,
        t: &Array,
        frame: &Frame,
        pass: &P,
    ) -> Vec<P::Value> {
        let tasks = walk.tasks();
        let mut values: Vec<P::Value> = Vec::with_capacity(fits);
        let mut rest = &mut values.spare_capacity_mut()[..fits];
        let mut places: Vec<(&Task, &mut [MaybeUninit<P::Value>])> = Vec::with_capacity(tasks.len());
        for task in &tasks {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(task.fits.len());
            places.push((task, own));
            rest = others;
        }
        let is_filled = rest.is_empty();
        parallel::for_each(places, |(task, out)| {
            let found = self.values_of_task(walk, task, t, frame, pass);
            debug_assert_eq!(found.len(), out.len());
            let missing = (found.len()..out.len()).map(|k| pass.one(task.fits.start + k).value());
            let found: Vec<P::Value> = found.iter().copied().chain(missing).collect();
            out.iter_mut().zip(found).for_each(|(out, value)| {
                out.write(value);
            });
        });
        if is_filled {
            // SAFETY: the tasks' places are all of the first `fits` elements, without
            // gaps, and each task wrote to all of its own.
            unsafe { values.set_len(fits) };
        }
        values
    }

    /// The values of a task's fits.
    fn values_of_task<P: FitPass>(
        &self,
        walk: &Walk,
        task: &Task,
        t: &Array,
        frame: &Frame,
        pass: &P,
    ) -> Vec<P::Value> {
        let places = walk.places(task);
        let lanes: Vec<usize> = places.iter().map(|place| task.fits.start + place).collect();
        let of_segment = |segment: Range<usize>| {
            let mut side = pass.side(&lanes);
            walk.pass_over(&self.data, t, frame, task, segment, &mut side);
            side.values()
        };
        let segments = Walk::segments(task);
        let values = if let [segment] = &segments[..] {
            of_segment(segment.clone())
        } else {
            let parts: Vec<_> = parallel::map(segments.len(), |k| of_segment(segments[k].clone()));
            merged(parts, &|one, other| pass.merge(one, other)).unwrap_or_default()
        };
        if walk.is_plain() {
            return values;
        }
        let mut folded: Vec<Option<P::Value>> = vec![None; task.fits.len()];
        for (place, value) in places.into_iter().zip(values) {
            let fold = &mut folded[place];
            *fold = Some(fold.map_or(value, |so_far| pass.merge(so_far, value)));
        }
        let fits = task.fits.clone();
        folded
            .into_iter()
            .zip(fits)
            .map(|(fold, fit)| fold.unwrap_or_else(|| pass.one(fit).value()))
            .collect()
    }

    /// The values of fits of which each has few rows of many elements.
    fn one_by_one<P: FitPass>(&self, walk: &Walk, t: &Array, frame: &Frame, pass: &P) -> Vec<P::Value> {
        let tasks = walk.single_tasks();
        parallel::map(tasks.len(), |k| {
            let task = &tasks[k];
            let fit = task.fits.start;
            let rows = (0..task.rows()).flat_map(|row| chunks(walk.row(task, row), TASK_ELEMENTS));
            let runs: Vec<Range<usize>> = rows.collect();
            let parts: Vec<Vec<P::Value>> = parallel::map(runs.len(), |k| {
                let value = pass.run(self, t, frame, fit, runs[k].clone());
                self.data.release(&runs[k]);
                vec![value]
            });
            let value = merged(parts, &|one, other| pass.merge(one, other)).and_then(|mut all| all.pop());
            value.unwrap_or_else(|| pass.one(fit).value())
        })
    }
}

/// Whether fits are rather passed over one by one.
fn is_long(levels: &[Level]) -> bool {
    let Some((inner, outer)) = levels.split_last() else { return false };
    let rows: u64 = outer.iter().map(|level| level.shared.min(level.extent)).product();
    inner.shared >= LONG_RUN && (rows < MANY_ROWS || inner.shared > super::side::SIDE_ELEMENTS as u64)
}
