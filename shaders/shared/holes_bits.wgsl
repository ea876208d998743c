// The elements count whose bit is set, 32 to a word, the first element's the
// lowest. CPU twin: data/validity.rs `Validity`.
//
// Expects what shared/walk.wgsl does, which it precedes.

@group(0) @binding(6) var<storage, read> validity: array<u32>;

// Of the four elements of vec4 number i.
fn counts(i: u32) -> vec4<bool> {
    let bits = validity[i / 8u] >> (4u * (i % 8u));
    return (vec4(bits) & vec4(1u, 2u, 4u, 8u)) != vec4(0u);
}

// Holes are selected away: whatever is in them, a NaN too, gets into no sum.
fn visit(block: ptr<function, Block>, at: Point, i: u32, xs: vec4<f32>, ts: vec4<f32>, ws: vec4<f32>) {
    take_valid(block, at, xs, ts, ws, counts(i));
}
