// parts: {load} {real}
// twin: src/engine/reference.rs moments
//
// Sums of deviations from a shift, a point among the data: the moments follow
// from them.

struct Shift {
    x: f32,
    t: f32,
}

alias Point = Shift;

struct Total {
    linear: Reals,      // (Σw·dx, Σw·dt, 0, 0)
    quadratic: Reals,   // (Σw·dx², Σw·dx·dt, Σw·dt², 0)
}

struct Block {
    x: Reals,
    t: Reals,
    xx: Reals,
    xt: Reals,
    tt: Reals,
}

// Takes the deviations, and the deviations times the weights.
fn accumulate_deviations(
    block: ptr<function, Block>,
    dx: Reals,
    dt: Reals,
    weighted_dx: Reals,
    weighted_dt: Reals,
) {
    (*block).x = plus_term((*block).x, weighted_dx);
    (*block).t = plus_term((*block).t, weighted_dt);
    (*block).xx = plus_product((*block).xx, weighted_dx, dx);
    (*block).xt = plus_product((*block).xt, weighted_dx, dt);
    (*block).tt = plus_product((*block).tt, weighted_dt, dt);
}

fn accumulate(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let dx = difference(xs, at.x);
    let dt = difference(ts, at.t);
    accumulate_deviations(block, dx, dt, dx, dt);
}

fn accumulate_valid(
    block: ptr<function, Block>,
    at: Point,
    xs: vec4<f32>,
    ts: vec4<f32>,
    ws: vec4<f32>,
    valid: vec4<bool>,
) {
    // The shift itself, in place of an invalid element, adds nothing.
    let dx = difference(select(vec4(at.x), xs, valid), at.x);
    let dt = difference(select(vec4(at.t), ts, valid), at.t);
    if WEIGHTED {
        let weights = reals(select(vec4<f32>(), ws, valid));
        accumulate_deviations(block, dx, dt, product(weights, dx), product(weights, dt));
    } else {
        accumulate_deviations(block, dx, dt, dx, dt);
    }
}

fn flush(total: Total, block: Block) -> Total {
    return Total(
        merge(total.linear, across(block.x, block.t, Reals())),
        merge(total.quadratic, across(block.xx, block.xt, block.tt)),
    );
}

fn combine(a: Total, b: Total) -> Total {
    return Total(merge(a.linear, b.linear), merge(a.quadratic, b.quadratic));
}
