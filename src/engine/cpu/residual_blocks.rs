//! Passes over the residuals of blocks in f64: of elements of any type, brought
//! to f64 in room for one block, so that the loops are compiled once.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::blocks::BlockPass;
use super::lanes::{BLOCK_ELEMENTS, LANES, Weighing, mul_add, tree_sum};
use super::read::widen;
use crate::array::Element;
use crate::math::{Affine, LossSums, SumsAccumulator};

/// A block in f64: slices of one length, of which excluded pairs have the weight 0.
pub(super) struct WideBlock<'b> {
    pub(super) xs: &'b [f64],
    pub(super) ts: &'b [f64],
    pub(super) ws: &'b [f64],
    /// The number of valid pairs.
    pub(super) n: u64,
}

/// A pass over blocks in f64.
pub(super) trait WidePass {
    fn accumulate(&mut self, block: &WideBlock<'_>);
}

/// Brings blocks to f64 for a pass.
pub(super) struct Widening<P> {
    pub(super) pass: P,
    room: [Vec<f64>; 3],
}

impl<P: WidePass> Widening<P> {
    pub(super) fn new(pass: P) -> Self {
        Self { pass, room: [(); 3].map(|()| vec![0.0; BLOCK_ELEMENTS]) }
    }
}

impl<P: WidePass> BlockPass for Widening<P> {
    fn accumulate<E: Element>(&mut self, xs: &[E], ts: &[E], ws: impl Weighing, n: u64) {
        let [x, t, w] = self.room.each_mut().map(|room| &mut room[..xs.len()]);
        widen(xs, x);
        widen(ts, t);
        w.iter_mut().enumerate().for_each(|(k, w)| *w = ws.at(k));
        self.pass.accumulate(&WideBlock { xs: x, ts: t, ws: w, n });
    }
}

/// The sums of Huber's loss.
pub(super) struct HuberSums {
    pub(super) at: Affine,
    pub(super) delta: f64,
    pub(super) sums: SumsAccumulator,
}

impl WidePass for HuberSums {
    fn accumulate(&mut self, block: &WideBlock<'_>) {
        let Self { at, delta, sums } = self;
        sums.add(LossSums { n: block.n, ..huber_sums(block.xs, block.ts, block.ws, *at, *delta) });
    }
}

/// The sums over a block: ρ = c·(2r − c) and ρ′/2 = c, with c the residual clamped
/// to ±δ.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn huber_sums(xs: &[f64], ts: &[f64], ws: &[f64], at: Affine, delta: f64) -> LossSums {
    let (mut rr, mut rx, mut r) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let mut weight_sum = [0f64; LANES];
    for ((xs, ts), ws) in xs.chunks(LANES).zip(ts.chunks(LANES)).zip(ws.chunks(LANES)) {
        for (lane, ((&x, &t), &w)) in xs.iter().zip(ts).zip(ws).enumerate() {
            let residual = mul_add!(x, at.weight, at.bias) - t;
            let clamped = residual.min(delta).max(-delta);
            let weighed = w * clamped;
            rr[lane] = mul_add!(weighed, 2.0 * residual - clamped, rr[lane]);
            rx[lane] = mul_add!(weighed, x, rx[lane]);
            r[lane] += weighed;
            weight_sum[lane] += w;
        }
    }
    LossSums { n: 0, weight_sum: tree_sum(weight_sum), rr: tree_sum(rr), rx: tree_sum(rx), r: tree_sum(r) }
}
