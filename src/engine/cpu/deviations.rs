//! Residuals about a point that a line goes through, r = (x − x₀)·W − (t − y₀),
//! in twice the digits of f64.

use std::ops::Range;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::lanes::{BLOCK_ELEMENTS, LANES, mul_add, tree_sum};
use super::read::{fill_unset, read_double, read_weights};
use crate::array::{Array, Problem};
use crate::engine::chunks;
use crate::engine::frame::Frame;
use crate::math::{Line, LossSums, SumsAccumulator, two_sum};

/// The sums over a chunk about a line that is in the frame's coordinates.
pub(super) fn sums(
    data: &Problem,
    t: &Array,
    frame: &Frame,
    line: &Line,
    chunk: Range<usize>,
) -> SumsAccumulator {
    let mut room = [(); 5].map(|()| vec![0f64; BLOCK_ELEMENTS]);
    let mut all = SumsAccumulator::default();
    for block in chunks(chunk, BLOCK_ELEMENTS) {
        let (order, start, len) = (data.order(), block.start, block.len());
        let [x, x_rest, t_value, t_rest, w] = room.each_mut().map(|values| &mut values[..len]);
        read_double(data.x(), frame.readings.x, line.x, order, start, x, x_rest);
        read_double(t, frame.readings.t, line.y, order, start, t_value, t_rest);
        read_weights(frame, data, order, start, w);
        let mut n = len as u64;
        if let Some(validity) = data.validity().filter(|validity| !validity.contains_all(&block)) {
            let words = validity.words(&block);
            // Whatever is at other places; on the line, it adds nothing.
            for values in [x, x_rest, t_value, t_rest, w] {
                fill_unset(words, values, 0.0);
            }
            n = words.iter().map(|word| u64::from(word.count_ones())).sum();
        }
        let [x, x_rest, t_value, t_rest, w] = room.each_ref().map(|values| &values[..len]);
        let weight = (line.weight.value(), line.weight.rest());
        all.add(LossSums { n, ..block_sums([x, x_rest], [t_value, t_rest], w, weight) });
    }
    all
}

/// The sums over a block. What rounding takes of each residual is at most a few
/// 2⁻¹⁰⁴ of (x − x₀)·W.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn block_sums(x: [&[f64]; 2], t: [&[f64]; 2], w: &[f64], weight: (f64, f64)) -> LossSums {
    let (mut rr, mut rx, mut r) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let mut weight_sum = [0f64; LANES];
    let [x, x_rest, t, t_rest] = [x[0], x[1], t[0], t[1]];
    let groups = x.chunks(LANES).zip(x_rest.chunks(LANES)).zip(t.chunks(LANES)).zip(t_rest.chunks(LANES));
    for ((((x, x_rest), t), t_rest), w) in groups.zip(w.chunks(LANES)) {
        for (lane, ((((&x, &x_rest), &t), &t_rest), &w)) in
            x.iter().zip(x_rest).zip(t).zip(t_rest).zip(w).enumerate()
        {
            let product = x * weight.0;
            // Exact with or without the instruction; the latter is slow.
            let error = x.mul_add(weight.0, -product);
            let error = error + (x * weight.1 + x_rest * weight.0);
            let (difference, rounding) = two_sum(product, -t);
            let residual = difference + (rounding + (error - t_rest));
            let weighed = w * residual;
            rr[lane] = mul_add!(weighed, residual, rr[lane]);
            rx[lane] = mul_add!(weighed, x, rx[lane]);
            r[lane] += weighed;
            weight_sum[lane] += w;
        }
    }
    LossSums {
        n: x.len() as u64,
        weight_sum: tree_sum(weight_sum),
        rr: tree_sum(rr),
        rx: tree_sum(rx),
        r: tree_sum(r),
    }
}
