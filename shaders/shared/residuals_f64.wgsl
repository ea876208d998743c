// r = x·W + b − t and the sums (Σr², Σr·x, Σr), in f64 for devices that have
// it. CPU twin: engine/reference.rs `residual_sums`.
//
// Goes before shared/walk.wgsl.

struct Point {
    weight: f64,
    bias: f64,
}

alias Total = vec4<f64>;   // (Σr², Σr·x, Σr, 0)

struct Block {
    rr: vec4<f64>,
    rx: vec4<f64>,
    r: vec4<f64>,
}

fn residual(at: Point, xs: vec4<f64>, ts: vec4<f64>) -> vec4<f64> {
    return xs * vec4<f64>(at.weight) + vec4<f64>(at.bias) - ts;
}

fn take_residuals(block: ptr<function, Block>, xs: vec4<f64>, rs: vec4<f64>, weighed: vec4<f64>) {
    (*block).rr += weighed * rs;
    (*block).rx += weighed * xs;
    (*block).r += weighed;
}

fn take(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let wide = vec4<f64>(xs);
    let rs = residual(at, wide, vec4<f64>(ts));
    take_residuals(block, wide, rs, rs);
}

fn take_valid(
    block: ptr<function, Block>,
    at: Point,
    xs: vec4<f32>,
    ts: vec4<f32>,
    ws: vec4<f32>,
    valid: vec4<bool>,
) {
    let none = vec4<f32>();
    let rs = select(vec4<f64>(), residual(at, vec4<f64>(xs), vec4<f64>(ts)), valid);
    var weighed = rs;
    if WEIGHTED {
        weighed = vec4<f64>(select(none, ws, valid)) * rs;
    }
    take_residuals(block, vec4<f64>(select(none, xs, valid)), rs, weighed);
}

fn lanes(v: vec4<f64>) -> f64 {
    return (v.x + v.y) + (v.z + v.w);
}

fn close(total: Total, block: Block) -> Total {
    return total + vec4<f64>(lanes(block.rr), lanes(block.rx), lanes(block.r), 0.0lf);
}

fn merge(a: Total, b: Total) -> Total {
    return a + b;
}
