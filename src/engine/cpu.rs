mod moments;

use multiversion::multiversion;
use rayon::prelude::*;

use super::reference::{rounding_to_f64, stored_bytes};
use super::{Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, chunks, targets};
use crate::data::{Dataset, Matrix, Order, Real};
use crate::math::{Affine, Moments, ResidualSums, SumsAccumulator};
use moments::chunk_moments;

/// Elements summed in plain f64 before the sums are merged with compensation.
/// Fixed, like everything that decides which additions are made: the result
/// has the same bits on any number of threads and any kind of CPU.
const BLOCK_ELEMENTS: usize = 1024;

/// Elements a thread takes at a time.
const CHUNK_ELEMENTS: usize = 64 * BLOCK_ELEMENTS;

/// Below this many elements waking other threads costs more than they help.
const PARALLEL_ELEMENTS: usize = 2 * CHUNK_ELEMENTS;

/// Elements of Y computed between two calls of the sink.
const FORWARD_ELEMENTS: usize = 1 << 20;

/// Independent sums side by side: enough to fill the vector registers of
/// AVX-512, and to hide the latency of additions with narrower ones.
const LANES: usize = 16;

/// All CPU cores, with the widest vector instructions the machine has,
/// computing in f64 whatever type the data are stored in.
#[derive(Debug)]
pub struct Cpu<'d> {
    data: &'d Dataset,
    info: EngineInfo,
    notices: Vec<Notice>,
}

impl<'d> Cpu<'d> {
    /// The engine for this data, on rayon's current thread pool.
    #[must_use]
    pub fn new(data: &'d Dataset) -> Self {
        let info = EngineInfo {
            kind: EngineKind::Cpu,
            adapter: None,
            backend: None,
            driver: None,
            detail: Some(Self::describe()),
        };
        Self { data, info, notices: rounding_to_f64(data) }
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
        for range in chunks(self.data.len(), FORWARD_ELEMENTS) {
            let ys = &mut ys[..range.len()];
            ys.par_chunks_mut(CHUNK_ELEMENTS).enumerate().for_each(|(k, ys)| {
                let start = range.start + k * CHUNK_ELEMENTS;
                forward_chunk(x, order, start, at, ys);
                x.release(order, start..start + ys.len());
            });
            x.check_intact()?;
            sink(ys).map_err(EngineError::Sink)?;
        }
        Ok(())
    }
}

impl Engine for Cpu<'_> {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn notices(&self) -> &[Notice] {
        &self.notices
    }

    fn pass_bytes(&self) -> u64 {
        stored_bytes(self.data)
    }

    fn residual_sums(&mut self, at: Affine) -> Result<ResidualSums, EngineError> {
        let (x, t, order) = (self.data.x(), targets(self.data)?, self.data.order());
        let n = self.data.len();
        let sums_of = |range: std::ops::Range<usize>| {
            let sums = chunk_sums(x, t, order, range.clone(), at);
            self.data.release(&range);
            sums
        };
        let total = if n <= PARALLEL_ELEMENTS {
            chunks(n, CHUNK_ELEMENTS).map(sums_of).collect::<SumsAccumulator>()
        } else {
            // Collected in order, then merged: the order of the additions
            // doesn't depend on which thread was first.
            let ranges: Vec<_> = chunks(n, CHUNK_ELEMENTS).collect();
            let sums: Vec<ResidualSums> = ranges.into_par_iter().map(sums_of).collect();
            sums.into_iter().collect()
        };
        self.data.check_intact()?;
        Ok(total.total())
    }

    fn moments(&mut self) -> Result<Moments, EngineError> {
        let (x, t, order) = (self.data.x(), targets(self.data)?, self.data.order());
        let n = self.data.len();
        let moments_of = |range: std::ops::Range<usize>| {
            let moments = chunk_moments(x, t, order, range.clone());
            self.data.release(&range);
            moments
        };
        let ranges = chunks(n, CHUNK_ELEMENTS);
        let parts: Vec<Moments> = if n <= PARALLEL_ELEMENTS {
            ranges.map(moments_of).collect()
        } else {
            ranges.collect::<Vec<_>>().into_par_iter().map(moments_of).collect()
        };
        self.data.check_intact()?;
        Ok(Moments::of_parts(&parts))
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

fn chunk_sums(
    x: &Matrix,
    t: &Matrix,
    order: Order,
    range: std::ops::Range<usize>,
    at: Affine,
) -> ResidualSums {
    if let (Some(xs), Some(ts)) = (x.as_slice::<f32>(order), t.as_slice::<f32>(order)) {
        return slice_sums(&xs[range.clone()], &ts[range], at);
    }
    if let (Some(xs), Some(ts)) = (x.as_slice::<f64>(order), t.as_slice::<f64>(order)) {
        return slice_sums(&xs[range.clone()], &ts[range], at);
    }
    // Any other pair is brought to f64 a block at a time, which stays in the
    // first-level cache.
    let (mut xs, mut ts) = ([0f64; BLOCK_ELEMENTS], [0f64; BLOCK_ELEMENTS]);
    let mut sums = SumsAccumulator::default();
    for start in range.clone().step_by(BLOCK_ELEMENTS) {
        let elements = BLOCK_ELEMENTS.min(range.end - start);
        let (xs, ts) = (&mut xs[..elements], &mut ts[..elements]);
        x.read(order, start, xs);
        t.read(order, start, ts);
        sums.add(block_sums(xs, ts, at.weight, at.bias));
    }
    sums.total()
}

fn slice_sums<R: Real>(xs: &[R], ts: &[R], at: Affine) -> ResidualSums {
    let blocks = xs.chunks(BLOCK_ELEMENTS).zip(ts.chunks(BLOCK_ELEMENTS));
    blocks.map(|(xs, ts)| block_sums(xs, ts, at.weight, at.bias)).collect::<SumsAccumulator>().total()
}

/// The sums over a block. Multiplications and additions are kept apart (no
/// fused multiply-add), so that every instruction set gives the same bits.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn block_sums<R: Real>(xs: &[R], ts: &[R], weight: f64, bias: f64) -> ResidualSums {
    let (mut rr, mut rx, mut r) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let (x_vectors, x_rest) = xs.as_chunks::<LANES>();
    let (t_vectors, t_rest) = ts.as_chunks::<LANES>();
    for (x_vector, t_vector) in x_vectors.iter().zip(t_vectors) {
        for lane in 0..LANES {
            let x = x_vector[lane].to_f64();
            let residual = x * weight + bias - t_vector[lane].to_f64();
            rr[lane] += residual * residual;
            rx[lane] += residual * x;
            r[lane] += residual;
        }
    }
    for (lane, (x, t)) in x_rest.iter().zip(t_rest).enumerate() {
        let x = x.to_f64();
        let residual = x * weight + bias - t.to_f64();
        rr[lane] += residual * residual;
        rx[lane] += residual * x;
        r[lane] += residual;
    }
    ResidualSums { n: xs.len() as u64, rr: tree_sum(rr), rx: tree_sum(rx), r: tree_sum(r) }
}

fn tree_sum(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

fn forward_chunk<R: Real>(x: &Matrix, order: Order, start: usize, at: Affine, ys: &mut [R]) {
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
