//! The definition of every pass, in plain Rust: twin of the shaders
//! `shared/loss_sums.wgsl`, `shared/moments.wgsl` and `predict.wgsl`.

mod grouped;
mod windows;

use std::ops::Range;

use super::facts::Facts;
use super::frame::{self, Frame};
use super::reweighting::{Reweighting, WholeWeights};
use super::{
    CHUNK, Digits, Engine, EngineError, EngineInfo, EngineKind, Leaf, MomentsSink, Notice, Partials, Sink,
    check_one_fit, check_points, check_runs, check_squared, chunks, elements_of, partials_of,
    partials_of_fits, point_of, targets,
};
use crate::array::{Array, Batch, Problem, Window};
use crate::math::{
    Affine, Compensated, Double, Line, Loss, LossSums, Moments, ShiftedSums, SizeCounts, SizeRange,
    SumsAccumulator, scaled,
};

/// Elements brought to f64 at a time.
const READ_ELEMENTS: usize = 1 << 14;

/// The definition: every formula as it is written, one element after the
/// other, in f64, with compensated sums. Every other engine is held against
/// it.
#[derive(Debug)]
pub struct Reference {
    data: Problem,
    facts: Facts,
    info: EngineInfo,
    notices: Vec<Notice>,
}

/// A pair as it is read: x and t in two parts, and its weight.
struct Pair {
    x: [f64; 2],
    t: [f64; 2],
    w: f64,
}

/// The name of this arithmetic.
const ARITHMETIC: &str = "reference f64";

impl Reference {
    /// The reference for this data.
    #[must_use]
    pub fn new(data: &Problem) -> Self {
        let info = EngineInfo {
            kind: EngineKind::Reference,
            adapter: None,
            backend: None,
            driver: None,
            precision: None,
            detail: None,
        };
        let facts = Facts::of(data);
        let notices = facts.notices(data);
        Self { data: data.clone(), facts, info, notices }
    }

    /// Calls `each` with every valid pair of a run, in order, read so.
    fn each_pair(&self, frame: &Frame, t: &Array, run: &Range<usize>, mut each: impl FnMut(Pair)) {
        self.each_numbered_pair(frame, t, run, |_, pair| each(pair));
    }

    /// The same with the number of each pair's element.
    fn each_numbered_pair(
        &self,
        frame: &Frame,
        t: &Array,
        run: &Range<usize>,
        mut each: impl FnMut(usize, Pair),
    ) {
        let (x, order) = (self.data.x(), self.data.order());
        let mut room = [(); 5].map(|()| vec![0.0; READ_ELEMENTS.min(run.len())]);
        let readings = frame.readings;
        for range in chunks(run.clone(), READ_ELEMENTS) {
            let (start, n) = (range.start, range.len());
            let [xs, x_rests, ts, t_rests, ws] = room.each_mut().map(|values| &mut values[..n]);
            frame::read(x, readings.x, order, start, xs, Some(x_rests));
            frame::read(t, readings.t, order, start, ts, Some(t_rests));
            frame.read_weights(&self.data, order, start, ws);
            for k in 0..n {
                if self.data.validity().is_none_or(|validity| validity.contains(start + k)) {
                    each(start + k, Pair { x: [xs[k], x_rests[k]], t: [ts[k], t_rests[k]], w: ws[k] });
                }
            }
            self.data.release(&range);
        }
    }

    /// The values of a range of chunks, each made of runs of one fit.
    fn leaves<V>(
        &self,
        over: &Range<u64>,
        mut value: impl FnMut(u64, Range<usize>) -> V,
    ) -> Result<Vec<Leaf<V>>, EngineError> {
        let elements = elements_of(&self.data, over)?;
        let leaves = chunks(elements, CHUNK).map(|chunk| Leaf::of(&self.data, chunk, &mut value)).collect();
        self.data.check_intact()?;
        Ok(leaves)
    }

    /// The sums over a run of X and T that are read so.
    fn framed_sums(
        &self,
        frame: &Frame,
        t: &Array,
        run: &Range<usize>,
        at: Affine,
        loss: Loss,
    ) -> SumsAccumulator {
        let (there, loss) = (frame.readings.model(at), loss.in_units(frame.readings.t.exponent));
        let mut sums = SumsAccumulator::default();
        self.each_pair(frame, t, run, |Pair { x: [x, _], t: [t, _], w }| {
            let [rho, r] = loss.of(there.apply(x) - t);
            sums.add(LossSums { n: 1, weight_sum: w, rr: w * rho, rx: w * r * x, r: w * r });
        });
        sums
    }

    /// The means of a run first, then, from the data again, the sums about them:
    /// two passes (T. F. Chan, G. H. Golub, R. J. LeVeque, 1983, the corrected
    /// two-pass algorithm).
    fn framed_moments(&self, frame: &Frame, t: &Array, run: &Range<usize>) -> Moments {
        self.two_pass_moments(frame, t, run, |pair| pair.w)
    }

    /// The same of pairs with other weights.
    fn two_pass_moments(
        &self,
        frame: &Frame,
        t: &Array,
        run: &Range<usize>,
        weigh: impl Fn(&Pair) -> f64,
    ) -> Moments {
        let (mut n, mut means) = (0, [Compensated::default(); 3]);
        self.each_pair(frame, t, run, |pair| {
            let (Pair { x: [x, _], t: [t, _], .. }, w) = (&pair, weigh(&pair));
            n += u64::from(w > 0.0);
            means.iter_mut().zip([w, w * x, w * t]).for_each(|(sum, term)| sum.add(term));
        });
        if n == 0 {
            return Moments::default();
        }
        let [weight_sum, x, t_sum] = means.map(Compensated::value);
        let (x_shift, t_shift) = (x / weight_sum, t_sum / weight_sum);
        let mut sums = [Compensated::default(); 5];
        self.each_pair(frame, t, run, |pair| {
            let (Pair { x, t, .. }, w) = (&pair, weigh(&pair));
            let (x, t) = ((x[0] - x_shift) + x[1], (t[0] - t_shift) + t[1]);
            sums.iter_mut().zip([x, t, x * x, x * t, t * t]).for_each(|(sum, term)| sum.add(w * term));
        });
        let [x, t, xx, xt, tt] = sums.map(Compensated::value);
        Moments::from_shifted_sums(&ShiftedSums { n, weight_sum, x_shift, t_shift, x, t, xx, xt, tt })
    }

    /// The moments of a run by [`framed_moments`](Self::framed_moments), of pairs
    /// whose weights are multiplied by those of their residuals.
    fn framed_reweighted(&self, frame: &Frame, t: &Array, run: &Range<usize>, by: &Reweighting) -> Moments {
        let (there, exponent) = (frame.readings.model(by.model), frame.readings.t.exponent);
        self.two_pass_moments(frame, t, run, |Pair { x: [x, _], t: [t, _], w }| {
            w * by.of(there.apply(*x) - t, exponent)
        })
    }

    /// Calls `each` with x, t, w and the residual at W and b of every valid pair,
    /// in order.
    ///
    /// # Errors
    /// [`EngineError::NoTarget`].
    pub fn each_residual(
        &self,
        at: Affine,
        mut each: impl FnMut(f64, f64, f64, f64),
    ) -> Result<(), EngineError> {
        let t = targets(&self.data)?;
        for chunk in chunks(0..self.data.len(), CHUNK) {
            let readings = self.facts.frame(&self.data, &chunk).readings;
            let (frame, there) = (Frame { readings, ..Frame::default() }, readings.model(at));
            self.each_pair(&frame, t, &chunk, |Pair { x: [x, _], t: [t, _], w }| {
                let residual = there.apply(x) - t;
                let (x, t) = (readings.x.undo(x.into()).value(), readings.t.undo(t.into()).value());
                each(x, t, w, residual);
            });
        }
        Ok(self.data.check_intact()?)
    }

    /// Calls `each` with the predictions in f64, a chunk at a time.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn predict_f64(
        &self,
        at: Affine,
        each: &mut dyn FnMut(&[f64]) -> std::io::Result<()>,
    ) -> Result<(), EngineError> {
        let mut ys = vec![0.0; READ_ELEMENTS];
        for range in chunks(0..self.data.len(), READ_ELEMENTS) {
            let ys = &mut ys[..range.len()];
            self.data.x().read(self.data.order(), range.start, ys);
            self.data.release(&range);
            self.data.check_intact()?;
            ys.iter_mut().for_each(|y| *y = at.apply(*y));
            each(ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }
}

impl Engine for Reference {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn problem(&self) -> &Problem {
        &self.data
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn loss_sums(
        &mut self,
        at: &[Affine],
        loss: Loss,
        over: Range<u64>,
    ) -> Result<Partials<LossSums>, EngineError> {
        check_points(&self.data, at)?;
        if !self.data.fits().are_runs() {
            check_squared(&self.info, loss)?;
            return partials_of_fits(&self.data, ARITHMETIC, over.clone(), self.sums_of_fits(&over, at)?);
        }
        let (data, t, first_fit) = (&self.data, targets(&self.data)?, self.data.fits().range().start);
        let leaves = self.leaves(&over, |fit, run| {
            let at = point_of(at, fit - first_fit);
            self.facts.sums_of(data, &run, at, loss, |frame| self.framed_sums(frame, t, &run, at, loss))
        })?;
        partials_of(data, ARITHMETIC, over, leaves)
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        if !self.data.fits().are_runs() {
            return partials_of_fits(&self.data, ARITHMETIC, over.clone(), self.moments_of_fits(&over)?);
        }
        let (data, t) = (&self.data, targets(&self.data)?);
        let leaves = self.leaves(&over, |_, run| {
            self.facts.moments_of(data, &run, |frame| self.framed_moments(frame, t, &run))
        })?;
        partials_of(data, ARITHMETIC, over, leaves)
    }

    fn window_moments(&mut self, window: Window, sink: MomentsSink<'_>) -> Result<(), EngineError> {
        self.windows(window, sink)
    }

    /// A run of neighbours after the other.
    fn batch_sums(&mut self, at: Affine, batch: &Batch<'_>) -> Result<LossSums, EngineError> {
        check_points(&self.data, &[at])?;
        let (data, t) = (&self.data, targets(&self.data)?);
        let sums = batch.runs().map(|run| {
            self.facts
                .sums_of(data, &run, at, Loss::Squared, |frame| {
                    self.framed_sums(frame, t, &run, at, Loss::Squared)
                })
                .sums
        });
        Ok(sums.fold(SumsAccumulator::default(), SumsAccumulator::merge).total())
    }

    fn reweighted_moments(&mut self, at: &[Reweighting]) -> Result<Vec<Moments>, EngineError> {
        check_runs(&self.info, &self.data)?;
        check_points(&self.data, at)?;
        let (data, t, all) = (&self.data, targets(&self.data)?, self.data.grid().chunks());
        let first_fit = data.fits().range().start;
        let leaves = self.leaves(&all, |fit, run| {
            let by = point_of(at, fit - first_fit);
            self.facts.moments_of(data, &run, |frame| self.framed_reweighted(frame, t, &run, &by))
        })?;
        Ok(partials_of::<Moments>(data, ARITHMETIC, all, leaves)?.totals()?.1)
    }

    fn residual_sizes(&mut self, at: &[(Affine, SizeRange)]) -> Result<Vec<SizeCounts>, EngineError> {
        check_runs(&self.info, &self.data)?;
        check_points(&self.data, at)?;
        let (data, t, weights) = (&self.data, targets(&self.data)?, WholeWeights::of(&self.data));
        let mut all = vec![SizeCounts::default(); at.len()];
        for chunk in chunks(0..data.len(), CHUNK) {
            for (fit, run) in data.fits().runs(chunk) {
                let fit = fit - data.fits().range().start;
                let ((model, range), frame) = (point_of(at, fit), self.facts.frame(data, &run));
                let (there, exponent) = (frame.readings.model(model), frame.readings.t.exponent);
                let counts = &mut all[usize::try_from(fit).unwrap_or(usize::MAX)];
                self.each_pair(&frame, t, &run, |Pair { x: [x, _], t: [t, _], w }| {
                    counts.add(range, scaled(there.apply(x) - t, -exponent), weights.whole(w));
                });
            }
        }
        self.data.check_intact()?;
        Ok(all)
    }

    /// With twice the digits of f64 in any case.
    fn sums_about(&mut self, line: &Line, _digits: Digits) -> Result<LossSums, EngineError> {
        check_one_fit(&self.data, line)?;
        let t = targets(&self.data)?;
        let mut all = SumsAccumulator::default();
        for chunk in chunks(0..self.data.len(), CHUNK) {
            let frame = self.facts.frame(&self.data, &chunk).in_units(line.units);
            let there = line.read(&frame.readings);
            self.each_pair(&frame, t, &chunk, |Pair { x, t, w }| {
                let x = Double::sum(x[0], x[1]).minus(there.x);
                let t = Double::sum(t[0], t[1]).minus(there.y);
                let (r, x) = (x.times(there.weight).minus(t).value(), x.value());
                all.add(LossSums { n: 1, weight_sum: w, rr: w * r * r, rx: w * r * x, r: w * r });
            });
        }
        self.data.check_intact()?;
        Ok(all.total())
    }

    #[expect(clippy::cast_possible_truncation, reason = "the pass's result is f32")]
    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        let mut rounded = Vec::with_capacity(READ_ELEMENTS);
        self.predict_f64(at, &mut |ys| {
            rounded.clear();
            rounded.extend(ys.iter().map(|&y| y as f32));
            sink(&rounded)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Evaluation;

    fn evaluate(x: Vec<f64>, t: Vec<f64>, at: Affine) -> Evaluation {
        let n = x.len() as u64;
        let data = Problem::pair(Array::from_vec("x", &[n], x), Array::from_vec("t", &[n], t)).unwrap();
        Evaluation::from_sums(&Reference::new(&data).loss_sums_at(at).unwrap())
    }

    /// X = [[1, 2], [3, 4]], T = [[3, 5], [7, 9]] (T = 2·X + 1), at W = b = 0:
    /// r = −t, so L = (9 + 25 + 49 + 81)/4 = 41,
    /// ∂L/∂W = −2·(3 + 10 + 21 + 36)/4 = −35, ∂L/∂b = −2·24/4 = −12.
    #[test]
    fn the_worked_example() {
        let at_zero = evaluate(vec![1.0, 2.0, 3.0, 4.0], vec![3.0, 5.0, 7.0, 9.0], Affine::default());
        assert_eq!(at_zero, Evaluation { loss: 41.0, grad_weight: -35.0, grad_bias: -12.0 });
    }

    #[test]
    fn sums_survive_cancellation() {
        // Residuals 1e16, 1, −1e16 in this order: a plain f64 sum loses the 1.
        let at = Affine::new(0.0, 0.0);
        let got = evaluate(vec![0.0; 3], vec![-1e16, -1.0, 1e16], at);
        assert_eq!(got.grad_bias, 2.0 / 3.0);
    }
}
