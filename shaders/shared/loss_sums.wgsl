// parts: shift {load} {real} {residual} {loss}
// twin: src/engine/reference.rs loss_sums
//
// The loss sums (Σw·ρ(r), Σw·ρ′(r)/2·(x − p), Σw·ρ′(r)/2) of r = x·W + b − t, with p
// the shift of X.

alias Point = Model;
alias Total = Reals;

struct Block {
    rr: Reals,
    rx: Reals,
    r: Reals,
}

// Takes ρ′/2 of the residuals times their weights.
fn accumulate_slopes(block: ptr<function, Block>, xs: vec4<f32>, cofactors: Reals, weighted: Reals) {
    (*block).rr = plus_product((*block).rr, weighted, cofactors);
    (*block).rx = plus_multiple((*block).rx, weighted, xs);
    (*block).r = plus_term((*block).r, weighted);
}

fn accumulate(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let shift = shift_of(at);
    let dx = shifted(xs, shift.x);
    let rs = residual(at, dx, shifted(ts, shift.y));
    let slopes = half_slope(at, rs);
    accumulate_slopes(block, dx, cofactor(rs, slopes), slopes);
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
    let slopes = half_slope(at, rs);
    let cofactors = cofactor(rs, slopes);
    if WEIGHTED {
        accumulate_slopes(block, dx, cofactors, product(reals(select(none, ws, valid)), slopes));
    } else {
        accumulate_slopes(block, dx, cofactors, slopes);
    }
}

fn flush(total: Total, block: Block) -> Total {
    return merge(total, across(block.rr, block.rx, block.r, Reals()));
}

fn combine(a: Total, b: Total) -> Total {
    return merge(a, b);
}
