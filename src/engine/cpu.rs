mod deviations;
mod lanes;
mod moments;
mod residuals;

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

use super::frame::{self, Frame};
use super::reference::stored_bytes;
use super::{Digits, Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, chunks, targets};
use crate::array::{Array, Element, Order, Problem, Real, with_element};
use crate::math::{Affine, Double, Line, LossSums, Moments, Readings, SumsAccumulator};
use lanes::{GROUP_ELEMENTS, Once, Weighing, prefetch};
use moments::BlockMoments;
use residuals::BlockResiduals;

/// Elements summed in plain f64 before the sums are merged with compensation.
/// Fixed, like everything that decides which additions are made: the result
/// has the same bits on any number of threads.
const BLOCK_ELEMENTS: usize = 1024;

/// Elements whose sums are merged with those of other threads.
const CHUNK_ELEMENTS: usize = 64 * BLOCK_ELEMENTS;

/// Below this many elements waking other threads costs more than they help.
const PARALLEL_ELEMENTS: usize = 2 * CHUNK_ELEMENTS;

/// Elements of Y computed between two calls of the sink.
const FORWARD_ELEMENTS: usize = 1 << 20;

/// All CPU cores, with the widest vector instructions the machine has,
/// computing in f64 whatever type the data are stored in.
#[derive(Debug)]
pub struct Cpu {
    data: Problem,
    frame: Frame,
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
        let frame = Frame::of(data);
        Self { data: data.clone(), frame, info, notices: frame.notices(data) }
    }

    /// What this engine has to work with here: threads and vector instructions.
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
    pub fn forward_as<R: Real>(
        &self,
        at: Affine,
        sink: &mut dyn FnMut(&[R]) -> std::io::Result<()>,
    ) -> Result<(), EngineError> {
        let (x, order) = (self.data.x(), self.data.order());
        let mut ys = vec![R::zeroed(); FORWARD_ELEMENTS.min(self.data.len())];
        for range in chunks(0..self.data.len(), FORWARD_ELEMENTS) {
            let ys = &mut ys[..range.len()];
            ys.par_chunks_mut(CHUNK_ELEMENTS).enumerate().for_each(|(k, ys)| {
                let start = range.start + k * CHUNK_ELEMENTS;
                forward_chunk(x, order, start, at, ys);
            });
            x.release(order, range.clone());
            x.check_intact()?;
            sink(ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }
}

impl Cpu {
    /// What passes make of each chunk of X and T, in order: which additions are
    /// made depends neither on which thread is first nor on how many elements
    /// it goes through before it gives memory back.
    fn map_chunks<P: BlockPass>(
        &self,
        frame: &Frame,
        new: impl Fn() -> P + Sync,
    ) -> Result<Vec<P>, EngineError> {
        let t = targets(&self.data)?;
        self.map_ranges(|chunk| {
            let mut pass = new();
            visit(&self.data, t, frame, chunk, &mut pass);
            pass
        })
    }

    /// The same for any pass over a chunk.
    fn map_ranges<P: Send>(
        &self,
        chunk_pass: impl Fn(Range<usize>) -> P + Sync,
    ) -> Result<Vec<P>, EngineError> {
        let n = self.data.len();
        let run_passes = |run: Range<usize>| {
            let passes: Vec<P> = chunks(run.clone(), CHUNK_ELEMENTS).map(&chunk_pass).collect();
            self.data.release(&run);
            passes
        };
        let passes = if n <= PARALLEL_ELEMENTS {
            run_passes(0..n)
        } else {
            let run = self.data.run_elements().next_multiple_of(CHUNK_ELEMENTS);
            let runs: Vec<_> = chunks(0..n, run).collect();
            let passes: Vec<Vec<P>> = runs.into_par_iter().map(run_passes).collect();
            passes.into_iter().flatten().collect()
        };
        self.data.check_intact()?;
        Ok(passes)
    }

    /// The sums of X and T that are read so.
    fn framed_sums(&self, frame: &Frame, at: Affine) -> Result<LossSums, EngineError> {
        let readings = &frame.readings;
        if frame.is_plain() {
            let chunks = self.map_chunks(frame, || BlockResiduals::new(at))?;
            return Ok(chunks.into_iter().map(BlockResiduals::total).collect::<SumsAccumulator>().total());
        }
        let there = readings.model(at);
        let chunks = self.map_chunks(frame, || BlockResiduals::new(there))?;
        let sums = chunks.into_iter().map(BlockResiduals::total).collect::<SumsAccumulator>().total();
        Ok(readings.sums(sums))
    }

    fn framed_moments(&self, frame: &Frame) -> Result<Moments, EngineError> {
        let chunks = self.map_chunks(frame, BlockMoments::default)?;
        let moments = Moments::of_parts(&chunks.into_iter().map(BlockMoments::total).collect::<Vec<_>>());
        Ok(moments.of_readings(&frame.readings, frame.weight_exponent))
    }
}

impl Engine for Cpu {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn pass_bytes(&self) -> u64 {
        stored_bytes(&self.data)
    }

    fn loss_sums(&mut self, at: Affine) -> Result<LossSums, EngineError> {
        let sums = self.framed_sums(&self.frame, at)?;
        match self.frame.for_residuals(&self.data, at, &sums) {
            Some(frame) => self.framed_sums(&frame, at),
            None => Ok(sums),
        }
    }

    fn moments(&mut self) -> Result<Moments, EngineError> {
        let moments = self.framed_moments(&self.frame)?;
        match self.frame.for_moments(&self.data, &moments) {
            Some(frame) => self.framed_moments(&frame),
            None => Ok(moments),
        }
    }

    fn sums_about(&mut self, line: &Line, digits: Digits) -> Result<LossSums, EngineError> {
        let (data, t) = (&self.data, targets(&self.data)?);
        let frame = &self.frame.in_units(line.units);
        let there = line.read(&frame.readings);
        let sums = self.map_ranges(|chunk| match digits {
            Digits::Usual => {
                let mut pass = BlockResiduals::new(Affine::new(there.weight.value(), 0.0));
                let mut widened = Widened::new(Source { data, t, frame, about: Some([there.x, there.y]) });
                chunks(chunk, BLOCK_ELEMENTS).for_each(|block| widened.hand_to(&mut pass, block));
                pass.total()
            }
            Digits::Double => deviations::sums(data, t, frame, &there, chunk),
        })?;
        let sums = sums.into_iter().collect::<SumsAccumulator>().total();
        Ok(line.in_units(sums, &frame.readings))
    }

    fn forward(&mut self, at: Affine, sink: Sink<'_>) -> Result<(), EngineError> {
        self.forward_as::<f32>(at, sink)
    }
}

/// What the vector instructions in use are called.
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

/// What a pass makes of X and T, block by block.
trait BlockPass: Send {
    /// Takes the next block in, of which `n` pairs have a weight; all have the
    /// same length.
    fn take<E: Element>(&mut self, xs: &[E], ts: &[E], ws: impl Weighing, n: u64);
}

/// Hands a range of elements to a pass: as they lie in memory if X and T are of
/// one type, read as they are, and all of a block count, else brought to f64 a
/// block at a time, which stays in the first-level cache.
fn visit(data: &Problem, t: &Array, frame: &Frame, range: Range<usize>, pass: &mut impl BlockPass) {
    let (x, order, validity) = (data.x(), data.order(), data.validity());
    let is_whole = |block: &Range<usize>| validity.is_none_or(|validity| validity.contains_all(block));
    let source = Source { data, t, frame, about: None };
    // Room that is not always needed, and that takes time to clear.
    let mut widened: Option<Widened<'_>> = None;
    if x.element() == t.element() && frame.readings == Readings::default() {
        let in_place = with_element!(x.element(), E => {
            let pair = x.as_slice::<E>(order).zip(t.as_slice::<E>(order));
            pair.map(|(xs, ts)| {
                for block in chunks(range.clone(), BLOCK_ELEMENTS) {
                    let n = block.len() as u64;
                    if !is_whole(&block) {
                        widened.get_or_insert_with(|| Widened::new(source)).hand_to(pass, block);
                    } else if data.weights().is_some() {
                        let ws = &mut widened.get_or_insert_with(|| Widened::new(source)).ws[..block.len()];
                        read_weights(frame, data, order, block.start, ws);
                        pass.take(&xs[block.clone()], &ts[block], &*ws, n);
                    } else {
                        pass.take(&xs[block.clone()], &ts[block], Once, n);
                    }
                }
            })
        });
        if in_place.is_some() {
            return;
        }
    }
    let widened = widened.get_or_insert_with(|| Widened::new(source));
    chunks(range, BLOCK_ELEMENTS).for_each(|block| widened.hand_to(pass, block));
}

/// What blocks are read from, and how.
#[derive(Clone, Copy)]
struct Source<'d> {
    data: &'d Problem,
    t: &'d Array,
    frame: &'d Frame,
    /// A point that is taken off X and T once they are read.
    about: Option<[Double; 2]>,
}

impl Source<'_> {
    fn read(&self, start: usize, xs: &mut [f64], ts: &mut [f64]) {
        let (order, Readings { x, t }) = (self.data.order(), self.frame.readings);
        for (matrix, reading, axis, out) in [(self.data.x(), x, 0, xs), (self.t, t, 1, ts)] {
            match self.about {
                Some(point) => deviations::read(matrix, reading, point[axis], order, start, out),
                None if reading.is_plain() => read_finite(matrix, order, start, out),
                None => frame::read(matrix, reading, order, start, out, None),
            }
        }
    }
}

/// Room for a block in f64.
struct Widened<'d> {
    source: Source<'d>,
    xs: [f64; BLOCK_ELEMENTS],
    ts: [f64; BLOCK_ELEMENTS],
    ws: [f64; BLOCK_ELEMENTS],
}

impl<'d> Widened<'d> {
    fn new(source: Source<'d>) -> Self {
        let none = [0f64; BLOCK_ELEMENTS];
        Self { source, xs: none, ts: none, ws: none }
    }

    /// Hands a block to a pass. A hole is another pair of the block, of weight
    /// 0: that takes no branches.
    fn hand_to(&mut self, pass: &mut impl BlockPass, block: Range<usize>) {
        let Source { data, frame, .. } = self.source;
        let (order, start, len) = (data.order(), block.start, block.len());
        let [xs, ts, ws] = [&mut self.xs, &mut self.ts, &mut self.ws].map(|values| &mut values[..len]);
        self.source.read(start, xs, ts);
        if data.weights().is_some() {
            read_weights(frame, data, order, start, ws);
        }
        let Some(validity) = data.validity().filter(|validity| !validity.contains_all(&block)) else {
            let n = len as u64;
            match data.weights() {
                Some(_) => pass.take(xs, ts, &*ws, n),
                None => pass.take(xs, ts, Once, n),
            }
            return;
        };
        let Some(first) = data.next_valid(start).filter(|first| block.contains(first)) else { return };
        if data.weights().is_none() {
            ws.fill(1.0);
        }
        let words = validity.words(&block);
        let (x, t) = (xs[first - start], ts[first - start]);
        fill_unset(words, xs, x);
        fill_unset(words, ts, t);
        fill_unset(words, ws, 0.0);
        let n = words.iter().map(|word| u64::from(word.count_ones())).sum();
        pass.take(xs, ts, &*ws, n);
    }
}

/// The bits of a word, each as wide as the values that it is for: compilers make
/// vectors of that, and not of shifts.
const BITS: [u64; 32] = {
    let mut bits = [0; 32];
    let mut k = 0;
    while k < bits.len() {
        bits[k] = 1 << k;
        k += 1;
    }
    bits
};

/// Sets the values whose bit isn't set.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn fill_unset(words: &[u32], values: &mut [f64], fill: f64) {
    let (whole, rest) = values.as_chunks_mut::<32>();
    for (&word, values) in words.iter().zip(whole) {
        for k in 0..32 {
            values[k] = if u64::from(word) & BITS[k] == 0 { fill } else { values[k] };
        }
    }
    let last = words.last().copied().unwrap_or_default();
    for (value, bit) in rest.iter_mut().zip(BITS) {
        *value = if u64::from(last) & bit == 0 { fill } else { *value };
    }
}

/// The elements from number `start` on, as [`Array::read`] has them but for NaN
/// and infinities, which may become any number.
fn read_finite(matrix: &Array, order: Order, start: usize, out: &mut [f64]) {
    with_element!(matrix.element(), E => match matrix.as_slice::<E>(order) {
        Some(values) => widen(&values[start..][..out.len()], out),
        None => matrix.read(order, start, out),
    });
}

/// [`Frame::read_weights`] by vectors.
fn read_weights(frame: &Frame, data: &Problem, order: Order, start: usize, out: &mut [f64]) {
    match data.weights() {
        Some(weights) => read_finite(weights, order, start, out),
        None => out.fill(1.0),
    }
    frame.scale_weights(out);
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn widen<E: Element>(values: &[E], out: &mut [f64]) {
    for (values, out) in values.chunks(GROUP_ELEMENTS).zip(out.chunks_mut(GROUP_ELEMENTS)) {
        prefetch(values);
        for (value, out) in values.iter().zip(out) {
            *out = value.finite_to_f64();
        }
    }
}

fn forward_chunk<R: Real>(x: &Array, order: Order, start: usize, at: Affine, ys: &mut [R]) {
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
