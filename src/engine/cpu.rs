mod batches;
mod blocks;
mod deviations;
mod grouped;
mod lanes;
mod moments;
mod read;
mod residual_blocks;
mod residuals;
mod robust;
mod scattered;
mod side;
mod strided;
mod windows;

use std::ops::Range;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::facts::Facts;
use super::frame::Frame;
use super::reweighting::{Reweighting, WholeWeights};
use super::{
    CHUNK, Digits, Engine, EngineError, EngineInfo, EngineKind, Leaf, MomentsSink, Notice, Partials, Sink,
    check_one_fit, check_points, check_runs, check_squared, chunks, elements_of, partials_of,
    partials_of_fits, point_of, targets,
};
use crate::array::parallel;
use crate::array::{Array, Batch, Order, Problem, Real, Window};
use crate::math::{Affine, Line, Loss, LossSums, Moments, SizeCounts, SizeRange, SumsAccumulator, scaled};
use blocks::{Blocks, for_each_block};
use lanes::BLOCK_ELEMENTS;
use moments::BlockMoments;
use residual_blocks::{HuberSums, Widening};
use residuals::BlockResiduals;
use robust::{ResidualSizes, ReweightedMoments};

/// Below this many elements waking other threads costs more than they help.
const PARALLEL_ELEMENTS: usize = 2 * CHUNK;

/// Elements of Y computed between two calls of the sink.
const PREDICT_ELEMENTS: usize = 1 << 20;

/// All CPU cores, with the widest vector instructions the machine has,
/// computing in f64 whatever type the data are stored in.
#[derive(Debug)]
pub struct Cpu {
    data: Problem,
    facts: Facts,
    info: EngineInfo,
    notices: Vec<Notice>,
}

impl Cpu {
    /// The engine for this data, on rayon's current thread pool.
    #[must_use]
    pub fn new(data: &Problem) -> Self {
        let info = EngineInfo {
            kind: EngineKind::Cpu,
            adapter: None,
            backend: None,
            driver: None,
            precision: None,
            detail: Some(Self::describe()),
        };
        let facts = Facts::of(data);
        let notices = facts.notices(data);
        Self { data: data.clone(), facts, info, notices }
    }

    /// The threads and vector instructions that this engine has here.
    #[must_use]
    pub fn describe() -> String {
        let threads = rayon::current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("{threads} thread{plural}, {}", simd_name())
    }

    /// Y = X·W + b in f64 arithmetic, as f32 or f64, chunk by chunk.
    ///
    /// # Errors
    /// [`EngineError::Sink`] with the sink's own error.
    pub fn predict_as<R: Real>(
        &self,
        at: Affine,
        sink: &mut dyn FnMut(&[R]) -> std::io::Result<()>,
    ) -> Result<(), EngineError> {
        let (x, order) = (self.data.x(), self.data.order());
        let mut ys = vec![R::zeroed(); PREDICT_ELEMENTS.min(self.data.len())];
        for range in chunks(0..self.data.len(), PREDICT_ELEMENTS) {
            let ys = &mut ys[..range.len()];
            parallel::for_each(ys.chunks_mut(CHUNK).enumerate(), |(k, ys)| {
                let start = range.start + k * CHUNK;
                predict_chunk(x, order, start, at, ys);
            });
            x.release(order, range.clone());
            x.check_intact()?;
            sink(ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }
}

impl Cpu {
    /// Y = X·W + b in f64, with W and b of each element's fit, chunk by chunk: NaN for an
    /// element of none.
    ///
    /// # Errors
    /// [`EngineError::Points`]; [`EngineError::Sink`] with the sink's own error.
    pub fn predict_fits(
        &self,
        at: &[Affine],
        sink: &mut dyn FnMut(&[f64]) -> std::io::Result<()>,
    ) -> Result<(), EngineError> {
        check_points(&self.data, at)?;
        let (x, order, fits) = (self.data.x(), self.data.order(), self.data.fits());
        let mut ys = vec![0f64; PREDICT_ELEMENTS.min(self.data.len())];
        for range in chunks(0..self.data.len(), PREDICT_ELEMENTS) {
            let ys = &mut ys[..range.len()];
            parallel::for_each(ys.chunks_mut(CHUNK).enumerate(), |(k, ys)| {
                let mut numbers = Vec::new();
                let start = range.start + k * CHUNK;
                x.read(order, start, ys);
                fits.fill(start..start + ys.len(), &mut numbers);
                for (y, &fit) in ys.iter_mut().zip(&numbers) {
                    let at = usize::try_from(fit).ok().and_then(|fit| at.get(fit));
                    *y = at.map_or(f64::NAN, |at| at.apply(*y));
                }
            });
            x.release(order, range.clone());
            x.check_intact()?;
            sink(ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }

    /// The values of a range of chunks, each made of runs of one fit: which
    /// additions are made depends neither on which thread is first nor on how
    /// many elements it goes through before it releases memory.
    fn leaves<V: Send>(
        &self,
        over: &Range<u64>,
        value: impl Fn(u64, Range<usize>) -> V + Sync,
    ) -> Result<Vec<Leaf<V>>, EngineError> {
        self.map_chunks(elements_of(&self.data, over)?, |chunk| Leaf::of(&self.data, chunk, &value))
    }

    /// The value that a pass makes of each chunk of some elements, in order.
    fn map_chunks<V: Send>(
        &self,
        elements: Range<usize>,
        pass: impl Fn(Range<usize>) -> V + Sync,
    ) -> Result<Vec<V>, EngineError> {
        let run_passes = |run: Range<usize>| {
            let values: Vec<V> = chunks(run.clone(), CHUNK).map(&pass).collect();
            self.data.release(&run);
            values
        };
        let values = if elements.len() <= PARALLEL_ELEMENTS {
            run_passes(elements)
        } else {
            let run = self.data.run_elements().next_multiple_of(CHUNK);
            let runs: Vec<_> = chunks(elements, run).collect();
            let values: Vec<Vec<V>> = parallel::map(runs.len(), |k| run_passes(runs[k].clone()));
            values.into_iter().flatten().collect()
        };
        self.data.check_intact()?;
        Ok(values)
    }

    /// The part of a pass that adds to a value, chunk by chunk in any order; values that are
    /// made side by side merge.
    fn fold_chunks<V: Send>(
        &self,
        none: impl Fn() -> V + Sync,
        pass: impl Fn(&mut V, Range<usize>) + Sync,
        merge: impl Fn(V, V) -> V + Send + Sync,
    ) -> Result<V, EngineError> {
        let all = 0..self.data.len();
        let add = |value: &mut V, run: Range<usize>| {
            chunks(run.clone(), CHUNK).for_each(|chunk| pass(value, chunk));
            self.data.release(&run);
        };
        let value = if all.len() <= PARALLEL_ELEMENTS {
            let mut value = none();
            add(&mut value, all);
            value
        } else {
            let run = self.data.run_elements().next_multiple_of(CHUNK);
            let runs: Vec<_> = chunks(all, run).collect();
            let add_run = |value: &mut V, k: usize| add(value, runs[k].clone());
            parallel::fold(runs.len(), &none, add_run).into_iter().fold(none(), merge)
        };
        self.data.check_intact()?;
        Ok(value)
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
        let there = if frame.is_plain() { at } else { frame.readings.model(at) };
        let blocks = Blocks { data: &self.data, t, frame, about: None };
        match loss.in_units(frame.readings.t.exponent) {
            Loss::Squared => {
                let mut pass = BlockResiduals::new(there);
                for_each_block(blocks, run.clone(), &mut pass);
                pass.sums()
            }
            Loss::Huber { delta } => {
                let sums = SumsAccumulator::default();
                let mut pass = Widening::new(HuberSums { at: there, delta, sums });
                for_each_block(blocks, run.clone(), &mut pass);
                pass.pass.sums
            }
        }
    }

    fn framed_moments(&self, frame: &Frame, t: &Array, run: &Range<usize>) -> Moments {
        let mut pass = BlockMoments::default();
        for_each_block(Blocks { data: &self.data, t, frame, about: None }, run.clone(), &mut pass);
        pass.total()
    }

    /// The moments of each chunk of a range.
    pub(super) fn moments_of_chunks(&self, over: &Range<u64>) -> Result<Vec<Leaf<Moments>>, EngineError> {
        let (data, t) = (&self.data, targets(&self.data)?);
        self.leaves(over, |_, run| {
            self.facts.moments_of(data, &run, |frame| self.framed_moments(frame, t, &run))
        })
    }
}

impl Engine for Cpu {
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
            return partials_of_fits(&self.data, arithmetic(), over.clone(), self.sums_of_fits(&over, at)?);
        }
        let (data, t, first_fit) = (&self.data, targets(&self.data)?, self.data.fits().range().start);
        let leaves = self.leaves(&over, |fit, run| {
            let at = point_of(at, fit - first_fit);
            self.facts.sums_of(data, &run, at, loss, |frame| self.framed_sums(frame, t, &run, at, loss))
        })?;
        partials_of(data, arithmetic(), over, leaves)
    }

    fn moments(&mut self, over: Range<u64>) -> Result<Partials<Moments>, EngineError> {
        if !self.data.fits().are_runs() {
            return partials_of_fits(&self.data, arithmetic(), over.clone(), self.moments_of_fits(&over)?);
        }
        partials_of(&self.data, arithmetic(), over.clone(), self.moments_of_chunks(&over)?)
    }

    fn window_moments(&mut self, window: Window, sink: MomentsSink<'_>) -> Result<(), EngineError> {
        self.windows(window, sink)
    }

    fn batch_sums(&mut self, at: Affine, batch: &Batch<'_>) -> Result<LossSums, EngineError> {
        self.sums_of_batch(at, batch)
    }

    fn reweighted_moments(&mut self, at: &[Reweighting]) -> Result<Vec<Moments>, EngineError> {
        check_runs(&self.info, &self.data)?;
        check_points(&self.data, at)?;
        let (data, t, all) = (&self.data, targets(&self.data)?, self.data.grid().chunks());
        let first_fit = data.fits().range().start;
        let leaves = self.leaves(&all, |fit, run| {
            let Reweighting { model, scale, weight } = point_of(at, fit - first_fit);
            self.facts.moments_of(data, &run, |frame| {
                let scale = scaled(scale, frame.readings.t.exponent);
                let mut pass =
                    Widening::new(ReweightedMoments::new(frame.readings.model(model), scale, weight));
                for_each_block(Blocks { data, t, frame, about: None }, run.clone(), &mut pass);
                pass.pass.moments.total()
            })
        })?;
        Ok(partials_of::<Moments>(data, arithmetic(), all, leaves)?.totals()?.1)
    }

    fn residual_sizes(&mut self, at: &[(Affine, SizeRange)]) -> Result<Vec<SizeCounts>, EngineError> {
        check_runs(&self.info, &self.data)?;
        check_points(&self.data, at)?;
        let (data, t, weights) = (&self.data, targets(&self.data)?, WholeWeights::of(&self.data));
        let first_fit = data.fits().range().start;
        let pass = |all: &mut Vec<SizeCounts>, chunk: Range<usize>| {
            for (fit, run) in data.fits().runs(chunk) {
                let (model, range) = point_of(at, fit - first_fit);
                let frame = &self.facts.frame(data, &run);
                let (at, exponent) = (frame.readings.model(model), frame.readings.t.exponent);
                let counts = &mut all[usize::try_from(fit - first_fit).unwrap_or(usize::MAX)];
                let mut pass = Widening::new(ResidualSizes { at, range, exponent, weights, counts });
                for_each_block(Blocks { data, t, frame, about: None }, run, &mut pass);
            }
        };
        let merge = |one: Vec<SizeCounts>, other: Vec<SizeCounts>| {
            one.into_iter().zip(&other).map(|(one, other)| one.merge(other)).collect()
        };
        self.fold_chunks(|| vec![SizeCounts::default(); at.len()], pass, merge)
    }

    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        check_one_fit(&self.data, line)?;
        let (data, t) = (&self.data, targets(&self.data)?);
        let sums = self.map_chunks(0..data.len(), |chunk| {
            let frame = &self.facts.frame(data, &chunk).in_units(line.units);
            let there = line.read(&frame.readings);
            match digits {
                Digits::Usual => {
                    let mut pass = BlockResiduals::new(Affine::new(there.weight.value(), 0.0));
                    for_each_block(
                        Blocks { data, t, frame, about: Some([there.x, there.y]) },
                        chunk,
                        &mut pass,
                    );
                    pass.sums()
                }
                Digits::Double => deviations::sums(data, t, frame, &there, chunk),
            }
        })?;
        let sums = sums.into_iter().fold(SumsAccumulator::default(), SumsAccumulator::merge);
        Ok(sums.total())
    }

    fn predict(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.predict_as::<f32>(at, sink)
    }
}

/// The name of this arithmetic, which decides the bits: what the blocks' sums,
/// for the same targets, make of `mul_add!`.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn arithmetic() -> &'static str {
    if target_cfg_f!(any(target_feature = "fma", target_feature = "neon")) {
        "cpu f64"
    } else {
        "cpu f64 without fused multiply-add"
    }
}

/// The name of the vector instructions in use.
fn simd_name() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
        {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") {
            return "AVX2";
        }
        "SSE2"
    }
    #[cfg(target_arch = "aarch64")]
    {
        "NEON"
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        "portable code"
    }
}

fn predict_chunk<R: Real>(x: &Array, order: Order, start: usize, at: Affine, ys: &mut [R]) {
    if let Some(xs) = x.as_slice::<f32>(order) {
        return affine_block(&xs[start..][..ys.len()], at.weight, at.bias, ys);
    }
    let mut xs = [0f64; BLOCK_ELEMENTS];
    for (k, ys) in ys.chunks_mut(BLOCK_ELEMENTS).enumerate() {
        let xs = &mut xs[..ys.len()];
        x.read(order, start + k * BLOCK_ELEMENTS, xs);
        affine_block(xs, at.weight, at.bias, ys);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn affine_block<X: Real, Y: Real>(xs: &[X], weight: f64, bias: f64, ys: &mut [Y]) {
    for (x, y) in xs.iter().zip(ys) {
        *y = Y::from_element(x.to_f64() * weight + bias);
    }
}

#[cfg(test)]
mod tests {
    /// A processor with fused multiply-add but without AVX2 runs the loops that
    /// round products, and says so.
    #[test]
    fn arithmetic_is_named_for_what_the_loops_do() {
        #[cfg(target_arch = "x86_64")]
        let is_fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let is_fused = cfg!(target_arch = "aarch64");
        let want = if is_fused { "cpu f64" } else { "cpu f64 without fused multiply-add" };
        assert_eq!(super::arithmetic(), want);
    }
}
