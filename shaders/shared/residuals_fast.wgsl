// r = x·W + b − t and the sums (Σr², Σr·x, Σr), in f32 with W and b as
// two-floats. CPU twin: engine/reference.rs `residual_sums`.
//
// Expects shared/parameters.wgsl; goes before shared/walk.wgsl.

alias Point = Parameters;
alias Total = vec4<f32>;   // (Σr², Σr·x, Σr, 0)

struct Block {
    rr: vec4<f32>,
    rx: vec4<f32>,
    r: vec4<f32>,
}

fn residual(at: Point, xs: vec4<f32>, ts: vec4<f32>) -> vec4<f32> {
    // T before b: what is left of x·W − t is small where the fit is good, and
    // so is what rounding takes from it.
    let high = fma(vec4(at.weight.x), xs, -ts) + vec4(at.bias.x);
    return high + fma(vec4(at.weight.y), xs, vec4(at.bias.y));
}

fn take_residuals(block: ptr<function, Block>, xs: vec4<f32>, rs: vec4<f32>, weighed: vec4<f32>) {
    (*block).rr += weighed * rs;
    (*block).rx += weighed * xs;
    (*block).r += weighed;
}

fn take(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let rs = residual(at, xs, ts);
    take_residuals(block, xs, rs, rs);
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
    let rs = select(none, residual(at, xs, ts), valid);
    var weighed = rs;
    if WEIGHTED {
        weighed = select(none, ws, valid) * rs;
    }
    take_residuals(block, select(none, xs, valid), rs, weighed);
}

fn lanes(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn close(total: Total, block: Block) -> Total {
    return total + vec4(lanes(block.rr), lanes(block.rx), lanes(block.r), 0.0);
}

fn merge(a: Total, b: Total) -> Total {
    return a + b;
}
