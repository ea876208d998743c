use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::blocks::BlockPass;
use super::lanes::{GROUP_ELEMENTS, LANES, Weighing, mul_add, prefetch, tree_sum};
use crate::array::Element;
use crate::math::{Affine, LossSums, SumsAccumulator};

/// The residual sums at a W and b.
pub(super) struct BlockResiduals {
    at: Affine,
    sums: SumsAccumulator,
}

impl BlockResiduals {
    pub(super) fn new(at: Affine) -> Self {
        Self { at, sums: SumsAccumulator::default() }
    }

    pub(super) fn sums(self) -> SumsAccumulator {
        self.sums
    }
}

impl BlockPass for BlockResiduals {
    fn accumulate<E: Element>(&mut self, xs: &[E], ts: &[E], ws: impl Weighing, n: u64) {
        self.sums.add(LossSums { n, ..block_sums(xs, ts, ws, self.at.weight, self.at.bias) });
    }
}

/// The sums over a block. Every instruction set with a fused multiply-add gives
/// the same bits; only x86 processors from before 2013 round products too.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
#[expect(clippy::cast_precision_loss, reason = "a block has 2^10 elements")]
fn block_sums<E: Element, W: Weighing>(xs: &[E], ts: &[E], ws: W, weight: f64, bias: f64) -> LossSums {
    let (mut rr, mut rx, mut r) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
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
                let x = x_vector[lane].finite_to_f64();
                let residual = mul_add!(x, weight, bias) - t_vector[lane].finite_to_f64();
                let weighed = ws[lane] * residual;
                rr[lane] = mul_add!(weighed, residual, rr[lane]);
                rx[lane] = mul_add!(weighed, x, rx[lane]);
                r[lane] += weighed;
                if W::IS_GIVEN {
                    weight_sum[lane] += ws[lane];
                }
            }
        }
        let rest = start + xs.len() - x_rest.len();
        for (lane, (x, t)) in x_rest.iter().zip(t_rest).enumerate() {
            let (x, w) = (x.finite_to_f64(), ws.at(rest + lane));
            let residual = mul_add!(x, weight, bias) - t.finite_to_f64();
            let weighed = w * residual;
            rr[lane] = mul_add!(weighed, residual, rr[lane]);
            rx[lane] = mul_add!(weighed, x, rx[lane]);
            r[lane] += weighed;
            weight_sum[lane] += w;
        }
    }
    LossSums {
        n: xs.len() as u64,
        weight_sum: if W::IS_GIVEN { tree_sum(weight_sum) } else { xs.len() as f64 },
        rr: tree_sum(rr),
        rx: tree_sum(rx),
        r: tree_sum(r),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Once;
    use super::*;

    /// Requests for memory beyond an array are harmless: here what follows the
    /// mapping mostly isn't mapped.
    #[test]
    fn asks_for_memory_beyond_the_end_without_harm() {
        let mut page = memmap2::MmapMut::map_anon(4096).unwrap();
        let values: &mut [f32] = bytemuck::cast_slice_mut(&mut page);
        values.fill(1.0);
        // r = 3·1 + 1 − 1 = 3 for each of 1,024 elements.
        let mut pass = BlockResiduals::new(Affine::new(3.0, 1.0));
        pass.accumulate(values, values, Once, 1024);
        let sums = pass.sums().total();
        assert_eq!(
            sums,
            LossSums { n: 1024, weight_sum: 1024.0, rr: 9.0 * 1024.0, rx: 3.0 * 1024.0, r: 3.0 * 1024.0 }
        );
    }
}
