// Sums about a pivot, a point among the data: what the moments follow from.
// Every rounding error is carried along in a second f32.
// CPU twin: math/moments.rs `PivotSums`.
//
// Expects shared/two_float_products.wgsl; goes before shared/walk.wgsl.

struct Point {
    x: vec2<f32>,   // the pivot, exact in the first f32 of each
    t: vec2<f32>,
}

struct Total {
    linear: Sum,      // (Σ(x − pivot), Σ(t − pivot), 0, 0)
    quadratic: Sum,   // Σ of (xx, xt, tt, 0), likewise
}

struct Block {
    x: Sum,
    t: Sum,
    xx: Sum,
    xt: Sum,
    tt: Sum,
}

// What is given twice is the deviations and the deviations times the weights.
fn take_deviations(block: ptr<function, Block>, dx: Sum, dt: Sum, weighed_dx: Sum, weighed_dt: Sum) {
    (*block).x = plus((*block).x, weighed_dx);
    (*block).t = plus((*block).t, weighed_dt);
    (*block).xx = plus((*block).xx, multiply(weighed_dx, dx));
    (*block).xt = plus((*block).xt, multiply(weighed_dx, dt));
    (*block).tt = plus((*block).tt, multiply(weighed_dt, dt));
}

fn take(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let dx = two_sum(xs, vec4(-at.x.x));
    let dt = two_sum(ts, vec4(-at.t.x));
    take_deviations(block, dx, dt, dx, dt);
}

fn take_valid(
    block: ptr<function, Block>,
    at: Point,
    xs: vec4<f32>,
    ts: vec4<f32>,
    ws: vec4<f32>,
    valid: vec4<bool>,
) {
    // Where an element isn't valid, the pivot adds nothing.
    let dx = two_sum(select(vec4(at.x.x), xs, valid), vec4(-at.x.x));
    let dt = two_sum(select(vec4(at.t.x), ts, valid), vec4(-at.t.x));
    if WEIGHTED {
        let none = vec4<f32>();
        let wide = Sum(select(none, ws, valid), none);
        take_deviations(block, dx, dt, multiply(wide, dx), multiply(wide, dt));
    } else {
        take_deviations(block, dx, dt, dx, dt);
    }
}

fn close(total: Total, block: Block) -> Total {
    let none = Sum(vec4<f32>(), vec4<f32>());
    return Total(
        add(total.linear, across(block.x, block.t, none)),
        add(total.quadratic, across(block.xx, block.xt, block.tt)),
    );
}

fn merge(a: Total, b: Total) -> Total {
    return Total(add(a.linear, b.linear), add(a.quadratic, b.quadratic));
}
