// parts: {load} {quantity}
//
// A pass over data of which every element is valid.

fn pass_group(block: ptr<function, Block>, at: Point, i: u32, xs: vec4<f32>, ts: vec4<f32>, ws: vec4<f32>) {
    if WEIGHTED {
        accumulate_valid(block, at, xs, ts, ws, vec4(true));
    } else {
        accumulate(block, at, xs, ts);
    }
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
    accumulate_valid(block, at, xs, ts, ws, some);
}
