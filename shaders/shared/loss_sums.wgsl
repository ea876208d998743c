// parts: shift {load} {real} {residual}
// twin: src/engine/reference.rs loss_sums
//
// The loss sums (Σw·r², Σw·r·(x − p), Σw·r) of r = x·W + b − t, with p the shift
// of X.

alias Point = Model;
alias Total = Reals;

struct Block {
    rr: Reals,
    rx: Reals,
    r: Reals,
}

fn accumulate_residuals(block: ptr<function, Block>, xs: vec4<f32>, rs: Reals, weighted: Reals) {
    (*block).rr = plus_product((*block).rr, weighted, rs);
    (*block).rx = plus_multiple((*block).rx, weighted, xs);
    (*block).r = plus_term((*block).r, weighted);
}

fn accumulate(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let shift = shift_of(at);
    let dx = shifted(xs, shift.x);
    let rs = residual(at, dx, shifted(ts, shift.y));
    accumulate_residuals(block, dx, rs, rs);
}

fn accumulate_valid(
    block: ptr<function, Block>,
    at: Point,
    xs: vec4<f32>,
    ts: vec4<f32>,
    ws: vec4<f32>,
    valid: vec4<bool>,
) {
    let none = vec4<f32>();
    let shift = shift_of(at);
    let dx = select(none, shifted(xs, shift.x), valid);
    let rs = selected(residual(at, dx, shifted(ts, shift.y)), valid);
    if WEIGHTED {
        accumulate_residuals(block, dx, rs, product(reals(select(none, ws, valid)), rs));
    } else {
        accumulate_residuals(block, dx, rs, rs);
    }
}

fn flush(total: Total, block: Block) -> Total {
    return merge(total, across(block.rr, block.rx, block.r));
}

fn combine(a: Total, b: Total) -> Total {
    return merge(a, b);
}
