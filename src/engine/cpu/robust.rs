use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::blocks::BlockPass;
use super::lanes::{BLOCK_ELEMENTS, mul_add};
use super::moments::BlockMoments;
use super::residual_blocks::{WideBlock, WidePass};
use crate::engine::reweighting::WholeWeights;
use crate::math::{Affine, RobustWeight, SizeCounts, SizeRange, scaled};

/// The moments of pairs whose weights are multiplied by those of their residuals:
/// weights are made a block at a time, and moments of them as of any others.
pub(super) struct ReweightedMoments {
    at: Affine,
    scale: f64,
    weight: RobustWeight,
    ws: Box<[f64; BLOCK_ELEMENTS]>,
    pub(super) moments: BlockMoments,
}

impl ReweightedMoments {
    /// At W and b, and with the scale, of pairs as they are read.
    pub(super) fn new(at: Affine, scale: f64, weight: RobustWeight) -> Self {
        Self { at, scale, weight, ws: Box::new([0.0; BLOCK_ELEMENTS]), moments: BlockMoments::default() }
    }
}

impl WidePass for ReweightedMoments {
    fn accumulate(&mut self, block: &WideBlock<'_>) {
        let ws = &mut self.ws[..block.xs.len()];
        residuals(block.xs, block.ts, self.at, ws);
        weigh(ws, block.ws, self.scale, self.weight);
        let n = ws.iter().map(|&w| u64::from(w > 0.0)).sum();
        if n > 0 {
            self.moments.accumulate(block.xs, block.ts, &*ws, n);
        }
    }
}

/// The counts of residuals by their sizes.
pub(super) struct ResidualSizes<'c> {
    pub(super) at: Affine,
    pub(super) range: SizeRange,
    /// The power of two that residuals are read with.
    pub(super) exponent: i32,
    pub(super) weights: WholeWeights,
    pub(super) counts: &'c mut SizeCounts,
}

impl WidePass for ResidualSizes<'_> {
    fn accumulate(&mut self, block: &WideBlock<'_>) {
        let mut room = [0.0; BLOCK_ELEMENTS];
        let rs = &mut room[..block.xs.len()];
        residuals(block.xs, block.ts, self.at, rs);
        if self.exponent != 0 {
            rs.iter_mut().for_each(|r| *r = scaled(*r, -self.exponent));
        }
        for (&r, &w) in rs.iter().zip(block.ws) {
            self.counts.add(self.range, r, self.weights.whole(w));
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn residuals(xs: &[f64], ts: &[f64], at: Affine, out: &mut [f64]) {
    for ((&x, &t), out) in xs.iter().zip(ts).zip(out) {
        *out = mul_add!(x, at.weight, at.bias) - t;
    }
}

/// Turns residuals into weights, those given times those of the residuals.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn weigh(rs: &mut [f64], ws: &[f64], scale: f64, weight: RobustWeight) {
    // A loop for each, without branches in it.
    let pairs = rs.iter_mut().zip(ws);
    match weight {
        RobustWeight::Huber(k) => {
            pairs.for_each(|(r, w)| *r = w * RobustWeight::Huber(k).of(r.abs() / scale));
        }
        RobustWeight::Tukey(c) => {
            pairs.for_each(|(r, w)| *r = w * RobustWeight::Tukey(c).of(r.abs() / scale));
        }
        RobustWeight::Clip(k) => {
            pairs.for_each(|(r, w)| *r = w * RobustWeight::Clip(k).of(r.abs() / scale));
        }
    }
}
