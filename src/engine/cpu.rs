use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::reference::{rounding_to_f64, stored_bytes};
use super::{Engine, EngineError, EngineInfo, EngineKind, Notice, Sink, chunks, targets};
use crate::data::{Dataset, Element, Matrix, Order, Real, with_element};
use crate::math::{Affine, ResidualSums, SumsAccumulator};

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

/// Independent sums side by side: enough to fill the vector registers of
/// AVX-512, and to hide the latency of additions with narrower ones.
const LANES: usize = 16;

/// Elements between two requests for what comes later: whole cache lines of
/// any type.
const GROUP_ELEMENTS: usize = 64;

/// How far ahead of the additions memory is asked for. The processor fetches
/// ahead by itself, but only to the end of a page, and two streams with
/// arithmetic between them leave it behind: 64 Mi f32 pairs take 24.1 ms
/// without such requests, 19.6, 18.2, 17.5, 17.5 and 18.5 ms with 0.5, 1, 2, 3
/// and 4 KiB, where plain reading takes 16.7 ms.
const PREFETCH_BYTES: usize = 3072;

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
        let sums_of = |range| chunk_sums(x, t, order, range, at);
        let total = if n <= PARALLEL_ELEMENTS {
            chunks(0..n, CHUNK_ELEMENTS).map(sums_of).collect::<SumsAccumulator>()
        } else {
            // Collected in order, then merged: the order of the additions
            // depends neither on which thread was first nor on how long the
            // runs are.
            let run = self.data.run_elements().next_multiple_of(CHUNK_ELEMENTS);
            let runs: Vec<_> = chunks(0..n, run).collect();
            let sums: Vec<Vec<ResidualSums>> = runs
                .into_par_iter()
                .map(|run| {
                    let sums = chunks(run.clone(), CHUNK_ELEMENTS).map(sums_of).collect();
                    self.data.release(&run);
                    sums
                })
                .collect();
            sums.into_iter().flatten().collect()
        };
        self.data.check_intact()?;
        Ok(total.total())
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
    if x.element() == t.element() {
        let sums = with_element!(x.element(), E => {
            let (xs, ts) = (x.as_slice::<E>(order), t.as_slice::<E>(order));
            xs.zip(ts).map(|(xs, ts)| slice_sums(&xs[range.clone()], &ts[range.clone()], at))
        });
        if let Some(sums) = sums {
            return sums;
        }
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

fn slice_sums<E: Element>(xs: &[E], ts: &[E], at: Affine) -> ResidualSums {
    let blocks = xs.chunks(BLOCK_ELEMENTS).zip(ts.chunks(BLOCK_ELEMENTS));
    blocks.map(|(xs, ts)| block_sums(xs, ts, at.weight, at.bias)).collect::<SumsAccumulator>().total()
}

/// a·b + c, rounded once where the processor can.
macro_rules! mul_add {
    ($a:expr, $b:expr, $c:expr) => {
        if target_cfg_f!(any(target_feature = "fma", target_feature = "neon")) {
            $a.mul_add($b, $c)
        } else {
            $a * $b + $c
        }
    };
}

/// The sums over a block. Every instruction set with a fused multiply-add gives
/// the same bits; only x86 processors from before 2013 round products too.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn block_sums<E: Element>(xs: &[E], ts: &[E], weight: f64, bias: f64) -> ResidualSums {
    let (mut rr, mut rx, mut r) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    for (xs, ts) in xs.chunks(GROUP_ELEMENTS).zip(ts.chunks(GROUP_ELEMENTS)) {
        prefetch(xs);
        prefetch(ts);
        let (x_vectors, x_rest) = xs.as_chunks::<LANES>();
        let (t_vectors, t_rest) = ts.as_chunks::<LANES>();
        for (x_vector, t_vector) in x_vectors.iter().zip(t_vectors) {
            for lane in 0..LANES {
                let x = x_vector[lane].finite_to_f64();
                let residual = mul_add!(x, weight, bias) - t_vector[lane].finite_to_f64();
                rr[lane] = mul_add!(residual, residual, rr[lane]);
                rx[lane] = mul_add!(residual, x, rx[lane]);
                r[lane] += residual;
            }
        }
        for (lane, (x, t)) in x_rest.iter().zip(t_rest).enumerate() {
            let x = x.finite_to_f64();
            let residual = mul_add!(x, weight, bias) - t.finite_to_f64();
            rr[lane] = mul_add!(residual, residual, rr[lane]);
            rx[lane] = mul_add!(residual, x, rx[lane]);
            r[lane] += residual;
        }
    }
    ResidualSums { n: xs.len() as u64, rr: tree_sum(rr), rx: tree_sum(rx), r: tree_sum(r) }
}

/// Asks for the cache lines that follow these elements at a distance, to be in
/// the cache when their turn comes.
#[inline(always)]
fn prefetch<E>(elements: &[E]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        let ahead = elements.as_ptr().cast::<i8>().wrapping_add(PREFETCH_BYTES);
        for line in (0..size_of_val(elements)).step_by(64) {
            // SAFETY: a hint: nothing is read that the program could see, and
            // no address makes it fail, not one beyond the array either.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(line)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = elements;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests for memory beyond an array are harmless: here what follows the
    /// mapping mostly isn't mapped.
    #[test]
    fn asks_for_memory_beyond_the_end_without_harm() {
        let mut page = memmap2::MmapMut::map_anon(4096).unwrap();
        let values: &mut [f32] = bytemuck::cast_slice_mut(&mut page);
        values.fill(1.0);
        // r = 3·1 + 1 − 1 = 3 for each of 1,024 elements.
        let sums = slice_sums(values, values, Affine::new(3.0, 1.0));
        assert_eq!(sums, ResidualSums { n: 1024, rr: 9.0 * 1024.0, rx: 3.0 * 1024.0, r: 3.0 * 1024.0 });
    }
}
