use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::blocks::BlockPass;
use super::lanes::{GROUP_ELEMENTS, LANES, Weighing, mul_add, prefetch, tree_sum};
use crate::array::Element;
use crate::math::{Moments, ShiftedSums};

/// The moments of a chunk, block by block.
#[derive(Default)]
pub(super) struct BlockMoments {
    blocks: Vec<Moments>,
}

impl BlockMoments {
    pub(super) fn total(self) -> Moments {
        Moments::of_parts(&self.blocks)
    }
}

impl BlockPass for BlockMoments {
    fn accumulate<E: Element>(&mut self, xs: &[E], ts: &[E], ws: impl Weighing, n: u64) {
        self.blocks.push(Moments::from_shifted_sums(&ShiftedSums { n, ..block_sums(xs, ts, ws) }));
    }
}

/// The median of the first, the middle and the last element: near the mean
/// also of a ramp, and of a block that begins with an outlier. If others weigh
/// more, the heaviest instead: with w its weight, it is at most √(Σw/w) standard
/// deviations from the mean, no more than √n.
fn shift_of<E: Element>(values: &[E], ws: impl Weighing) -> f64 {
    let last = values.len() - 1;
    let mut places = [0, last / 2, last];
    places.sort_by(|&a, &b| values[a].finite_to_f64().total_cmp(&values[b].finite_to_f64()));
    let median = places[1];
    let place = match ws.heaviest() {
        Some(heaviest) if ws.at(heaviest) > ws.at(median) => heaviest,
        _ => median,
    };
    values[place].finite_to_f64()
}

/// The sums over a block about an element of it, which a mean far from 0
/// doesn't cost any digits.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
#[expect(clippy::cast_precision_loss, reason = "a block has 2^10 elements")]
fn block_sums<E: Element, W: Weighing>(xs: &[E], ts: &[E], ws: W) -> ShiftedSums {
    let (x_shift, t_shift) = (shift_of(xs, ws), shift_of(ts, ws));
    let (mut x_sum, mut t_sum) = ([0f64; LANES], [0f64; LANES]);
    let (mut xx, mut xt, mut tt) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let mut weight_sum = [0f64; LANES];
    for (group, (xs, ts)) in xs.chunks(GROUP_ELEMENTS).zip(ts.chunks(GROUP_ELEMENTS)).enumerate() {
        prefetch(xs);
        prefetch(ts);
        let start = group * GROUP_ELEMENTS;
        let (x_vectors, x_rest) = xs.as_chunks::<LANES>();
        let (t_vectors, t_rest) = ts.as_chunks::<LANES>();
        for (vector, (x_vector, t_vector)) in x_vectors.iter().zip(t_vectors).enumerate() {
            let ws = ws.lanes(start + vector * LANES);
            for lane in 0..LANES {
                let (x, t) =
                    (x_vector[lane].finite_to_f64() - x_shift, t_vector[lane].finite_to_f64() - t_shift);
                let (wx, wt) = (ws[lane] * x, ws[lane] * t);
                x_sum[lane] += wx;
                t_sum[lane] += wt;
                xx[lane] = mul_add!(wx, x, xx[lane]);
                xt[lane] = mul_add!(wx, t, xt[lane]);
                tt[lane] = mul_add!(wt, t, tt[lane]);
                if W::IS_GIVEN {
                    weight_sum[lane] += ws[lane];
                }
            }
        }
        let rest = start + xs.len() - x_rest.len();
        for (lane, (x, t)) in x_rest.iter().zip(t_rest).enumerate() {
            let (x, t, w) = (x.finite_to_f64() - x_shift, t.finite_to_f64() - t_shift, ws.at(rest + lane));
            let (wx, wt) = (w * x, w * t);
            x_sum[lane] += wx;
            t_sum[lane] += wt;
            xx[lane] = mul_add!(wx, x, xx[lane]);
            xt[lane] = mul_add!(wx, t, xt[lane]);
            tt[lane] = mul_add!(wt, t, tt[lane]);
            weight_sum[lane] += w;
        }
    }
    ShiftedSums {
        n: xs.len() as u64,
        weight_sum: if W::IS_GIVEN { tree_sum(weight_sum) } else { xs.len() as f64 },
        x_shift,
        t_shift,
        x: tree_sum(x_sum),
        t: tree_sum(t_sum),
        xx: tree_sum(xx),
        xt: tree_sum(xt),
        tt: tree_sum(tt),
    }
}
