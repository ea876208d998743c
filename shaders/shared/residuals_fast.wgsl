// r = x·W + b − t and the sums (Σr², Σr·x, Σr), in f32, at a W and b of
// few digits. CPU twins: engine/reference.rs `residual_sums`, and, for the other
// digits, engine/gpu/coarse.rs.
//
// X and T are taken about a centre, a point near their means, or 0: of x·W + b − t
// with large x and t, f32 would keep few digits. The bias is b + p·W − q then,
// with p and q the centres.
//
// Expects shared/parameters.wgsl; goes before shared/walk.wgsl.

alias Point = Parameters;
alias Total = vec4<f32>;   // (Σr², Σr·(x − p), Σr, 0)

struct Block {
    rr: vec4<f32>,
    rx: vec4<f32>,
    r: vec4<f32>,
}

fn residual(at: Point, dx: vec4<f32>, dt: vec4<f32>) -> vec4<f32> {
    // T before b: what is left of x·W − t is small where the fit is good, and
    // so is what rounding takes from it.
    return fma(vec4(at.coarse.x), dx, -dt) + vec4(at.coarse.y);
}

fn take_residuals(block: ptr<function, Block>, dx: vec4<f32>, rs: vec4<f32>, weighed: vec4<f32>) {
    (*block).rr += weighed * rs;
    (*block).rx += weighed * dx;
    (*block).r += weighed;
}

fn about(centre: f32, values: vec4<f32>) -> vec4<f32> {
    if CENTRED {
        return values - vec4(centre);
    }
    return values;
}

fn take(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let dx = about(window.x_centre, xs);
    let rs = residual(at, dx, about(window.t_centre, ts));
    take_residuals(block, dx, rs, rs);
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
    let dx = select(none, about(window.x_centre, xs), valid);
    let rs = select(none, residual(at, dx, about(window.t_centre, ts)), valid);
    var weighed = rs;
    if WEIGHTED {
        weighed = select(none, ws, valid) * rs;
    }
    take_residuals(block, dx, rs, weighed);
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
