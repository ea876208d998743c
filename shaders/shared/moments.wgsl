// parts: {load} {real} {weighing}
// twin: src/engine/reference.rs moments
//
// Sums of deviations from a shift, a point among the data: the moments follow
// from them. Weights that follow from the data are summed too.

alias Point = Weighing;

struct Total {
    linear: Reals,      // (Σw·dx, Σw·dt, Σw, the number of w > 0)
    quadratic: Reals,   // (Σw·dx², Σw·dx·dt, Σw·dt², 0)
}

struct Block {
    x: Reals,
    t: Reals,
    xx: Reals,
    xt: Reals,
    tt: Reals,
    w: Reals,
    n: Reals,
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
    if WEIGHS {
        accumulate_valid(block, at, xs, ts, vec4(1.0), vec4(true));
    } else {
        let shift = shift_of_moments(at);
        let dx = difference(xs, shift.x);
        let dt = difference(ts, shift.y);
        accumulate_deviations(block, dx, dt, dx, dt);
    }
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
    let shift = shift_of_moments(at);
    let near_xs = select(vec4(shift.x), xs, valid);
    let near_ts = select(vec4(shift.y), ts, valid);
    let dx = difference(near_xs, shift.x);
    let dt = difference(near_ts, shift.y);
    if WEIGHS || WEIGHTED {
        let given = reals(select(vec4<f32>(), ws, valid));
        let weights = weighed(at, near_xs, near_ts, given);
        if WEIGHS {
            (*block).w = plus_term((*block).w, weights);
            (*block).n = plus_term((*block).n, positive(weights));
        }
        accumulate_deviations(block, dx, dt, product(weights, dx), product(weights, dt));
    } else {
        accumulate_deviations(block, dx, dt, dx, dt);
    }
}

fn flush(total: Total, block: Block) -> Total {
    return Total(
        merge(total.linear, across(block.x, block.t, block.w, block.n)),
        merge(total.quadratic, across(block.xx, block.xt, block.tt, Reals())),
    );
}

fn combine(a: Total, b: Total) -> Total {
    return Total(merge(a.linear, b.linear), merge(a.quadratic, b.quadratic));
}
