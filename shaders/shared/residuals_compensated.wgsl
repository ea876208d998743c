// r = x·W + b − t and the sums (Σr², Σr·x, Σr), every rounding error of
// products, residuals and sums carried along in a second f32. CPU twin:
// engine/reference.rs `residual_sums`.
//
// Expects shared/parameters.wgsl and shared/two_float_products.wgsl; goes
// before shared/walk.wgsl.

alias Point = Parameters;
alias Total = Sum;   // (Σr², Σr·x, Σr, 0)

struct Block {
    rr: Sum,
    rx: Sum,
    r: Sum,
}

fn residual(at: Point, xs: vec4<f32>, ts: vec4<f32>) -> Sum {
    let product = two_product(vec4(at.weight.x), xs);
    let y = two_sum(product.hi, vec4(at.bias.x));
    let r = two_sum(y.hi, -ts);
    let rest = opaque(product.lo + y.lo) + (at.weight.y * xs + vec4(at.bias.y));
    return normal(r.hi, opaque(r.lo + rest));
}

fn take_residuals(block: ptr<function, Block>, xs: vec4<f32>, rs: Sum) {
    let square = two_product(rs.hi, rs.hi);
    let product = two_product(rs.hi, xs);
    (*block).rr = plus((*block).rr, Sum(square.hi, square.lo + 2.0 * (rs.hi * rs.lo)));
    (*block).rx = plus((*block).rx, Sum(product.hi, product.lo + rs.lo * xs));
    (*block).r = plus((*block).r, rs);
}

fn take_weighted(block: ptr<function, Block>, xs: vec4<f32>, rs: Sum, ws: vec4<f32>) {
    let none = vec4<f32>();
    let weighed = multiply(rs, Sum(ws, none));
    (*block).rr = plus((*block).rr, multiply(weighed, rs));
    (*block).rx = plus((*block).rx, multiply(weighed, Sum(xs, none)));
    (*block).r = plus((*block).r, weighed);
}

fn take(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    take_residuals(block, xs, residual(at, xs, ts));
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
    let all = residual(at, xs, ts);
    let rs = Sum(select(none, all.hi, valid), select(none, all.lo, valid));
    let kept = select(none, xs, valid);
    if WEIGHTED {
        take_weighted(block, kept, rs, select(none, ws, valid));
    } else {
        take_residuals(block, kept, rs);
    }
}

fn close(total: Total, block: Block) -> Total {
    return add(total, across(block.rr, block.rx, block.r));
}

fn merge(a: Total, b: Total) -> Total {
    return add(a, b);
}
