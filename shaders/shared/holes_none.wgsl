// All elements count.
//
// Expects what shared/walk.wgsl does, which it precedes.

fn counts(i: u32) -> vec4<bool> {
    return vec4(true);
}

fn visit(block: ptr<function, Block>, at: Point, i: u32, xs: vec4<f32>, ts: vec4<f32>, ws: vec4<f32>) {
    if WEIGHTED {
        take_valid(block, at, xs, ts, ws, counts(i));
    } else {
        take(block, at, xs, ts);
    }
}
