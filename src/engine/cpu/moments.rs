use std::ops::Range;

use multiversion::multiversion;

use super::{BLOCK_ELEMENTS, LANES, tree_sum};
use crate::data::{Matrix, Order, Real};
use crate::math::{Moments, PivotSums};

/// The moments of the elements number `range`, block by block.
pub(super) fn chunk_moments(x: &Matrix, t: &Matrix, order: Order, range: Range<usize>) -> Moments {
    if let (Some(xs), Some(ts)) = (x.as_slice::<f32>(order), t.as_slice::<f32>(order)) {
        return slice_moments(&xs[range.clone()], &ts[range]);
    }
    if let (Some(xs), Some(ts)) = (x.as_slice::<f64>(order), t.as_slice::<f64>(order)) {
        return slice_moments(&xs[range.clone()], &ts[range]);
    }
    let (mut xs, mut ts) = ([0f64; BLOCK_ELEMENTS], [0f64; BLOCK_ELEMENTS]);
    let blocks = range.clone().step_by(BLOCK_ELEMENTS).map(|start| {
        let elements = BLOCK_ELEMENTS.min(range.end - start);
        let (xs, ts) = (&mut xs[..elements], &mut ts[..elements]);
        x.read(order, start, xs);
        t.read(order, start, ts);
        Moments::from_pivot_sums(&block_sums(xs, ts))
    });
    Moments::of_parts(&blocks.collect::<Vec<_>>())
}

fn slice_moments<R: Real>(xs: &[R], ts: &[R]) -> Moments {
    let blocks = xs.chunks(BLOCK_ELEMENTS).zip(ts.chunks(BLOCK_ELEMENTS));
    let blocks: Vec<_> = blocks.map(|(xs, ts)| Moments::from_pivot_sums(&block_sums(xs, ts))).collect();
    Moments::of_parts(&blocks)
}

/// The median of the first, the middle and the last element: near the mean
/// also of a ramp, and of a block that begins with an outlier.
fn pivot<R: Real>(values: &[R]) -> f64 {
    let last = values.len() - 1;
    let [a, b, c] = [0, last / 2, last].map(|k| values[k].to_f64());
    a.min(b).max(a.max(b).min(c))
}

/// The sums over a block about an element of it, which a mean far from 0
/// doesn't cost any digits. No fused multiply-add, as in the residual pass, so
/// that every instruction set gives the same bits.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn block_sums<R: Real>(xs: &[R], ts: &[R]) -> PivotSums {
    let (x_pivot, t_pivot) = (pivot(xs), pivot(ts));
    let (mut x_sum, mut t_sum) = ([0f64; LANES], [0f64; LANES]);
    let (mut xx, mut xt, mut tt) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let (x_vectors, x_rest) = xs.as_chunks::<LANES>();
    let (t_vectors, t_rest) = ts.as_chunks::<LANES>();
    for (x_vector, t_vector) in x_vectors.iter().zip(t_vectors) {
        for lane in 0..LANES {
            let (x, t) = (x_vector[lane].to_f64() - x_pivot, t_vector[lane].to_f64() - t_pivot);
            x_sum[lane] += x;
            t_sum[lane] += t;
            xx[lane] += x * x;
            xt[lane] += x * t;
            tt[lane] += t * t;
        }
    }
    for (lane, (x, t)) in x_rest.iter().zip(t_rest).enumerate() {
        let (x, t) = (x.to_f64() - x_pivot, t.to_f64() - t_pivot);
        x_sum[lane] += x;
        t_sum[lane] += t;
        xx[lane] += x * x;
        xt[lane] += x * t;
        tt[lane] += t * t;
    }
    PivotSums {
        n: xs.len() as u64,
        x_pivot,
        t_pivot,
        x: tree_sum(x_sum),
        t: tree_sum(t_sum),
        xx: tree_sum(xx),
        xt: tree_sum(xt),
        tt: tree_sum(tt),
    }
}
