//! Elements and weights brought to f64, by vectors.

use multiversion::multiversion;

use super::lanes::{GROUP_ELEMENTS, prefetch};
use crate::array::{Array, Element, Order, Problem, with_element};
use crate::engine::frame::{self, Frame};
use crate::math::{Double, Reading, two_sum};

/// The elements from number `start` on, as [`Array::read`] has them except for NaN
/// and infinities, which may become any number.
pub(super) fn read_finite(matrix: &Array, order: Order, start: usize, out: &mut [f64]) {
    with_element!(matrix.element(), E => match matrix.as_slice::<E>(order) {
        Some(values) => widen(&values[start..][..out.len()], out),
        None => matrix.read(order, start, out),
    });
}

/// [`Frame::read_weights`] by vectors.
pub(super) fn read_weights(frame: &Frame, data: &Problem, order: Order, start: usize, out: &mut [f64]) {
    match data.weights() {
        Some(weights) => read_finite(weights, order, start, out),
        None => out.fill(1.0),
    }
    frame.scale_weights(out);
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn widen<E: Element>(values: &[E], out: &mut [f64]) {
    for (values, out) in values.chunks(GROUP_ELEMENTS).zip(out.chunks_mut(GROUP_ELEMENTS)) {
        prefetch(values);
        for (value, out) in values.iter().zip(out) {
            *out = value.finite_to_f64();
        }
    }
}

/// The elements from number `start` on, as they are read, less a point.
pub(super) fn read_about(
    matrix: &Array,
    reading: Reading,
    point: Double,
    order: Order,
    start: usize,
    out: &mut [f64],
) {
    read_as(matrix, reading, order, start, out, None);
    let (high, low) = (point.value(), point.rest());
    out.iter_mut().for_each(|value| *value = (*value - high) - low);
}

/// The same with what rounding takes.
pub(super) fn read_double(
    matrix: &Array,
    reading: Reading,
    point: Double,
    order: Order,
    start: usize,
    out: &mut [f64],
    rests: &mut [f64],
) {
    read_as(matrix, reading, order, start, out, Some(rests));
    let (high, low) = (point.value(), point.rest());
    for (value, rest) in out.iter_mut().zip(rests) {
        let (difference, error) = two_sum(*value, -high);
        *rest = (*rest - low) + error;
        *value = difference;
    }
}

fn read_as(
    matrix: &Array,
    reading: Reading,
    order: Order,
    start: usize,
    out: &mut [f64],
    rests: Option<&mut [f64]>,
) {
    if reading.is_plain() && !(rests.is_some() && matrix.is_wide_integer()) {
        read_finite(matrix, order, start, out);
        rests.into_iter().for_each(|rests| rests.fill(0.0));
    } else {
        frame::read(matrix, reading, order, start, out, rests);
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
pub(super) fn fill_unset(words: &[u32], values: &mut [f64], fill: f64) {
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
