// parts: {quantity}
// twin: src/array/bitmap.rs contains
//
// A pass over the valid elements: those whose bit is set, 32 to a word, the
// first element's the lowest.

@group(0) @binding(6) var<storage, read> validity: array<u32>;

// Whether each of the four elements of group `i` is valid.
fn contains(i: u32) -> vec4<bool> {
    let bits = validity[i / 8u] >> (4u * (i % 8u));
    return (vec4(bits) & vec4(1u, 2u, 4u, 8u)) != vec4(0u);
}

// Missing values are selected away: whatever is in them, a NaN too, gets into
// no sum.
fn pass_group(block: ptr<function, Block>, at: Point, i: u32, xs: vec4<f32>, ts: vec4<f32>, ws: vec4<f32>) {
    accumulate_valid(block, at, xs, ts, ws, contains(i));
}

fn pass_some(
    block: ptr<function, Block>,
    at: Point,
    i: u32,
    xs: vec4<f32>,
    ts: vec4<f32>,
    ws: vec4<f32>,
    some: vec4<bool>,
) {
    accumulate_valid(block, at, xs, ts, ws, some & contains(i));
}
