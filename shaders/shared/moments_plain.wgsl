// Sums about a pivot, a point among the data: what the moments follow from.
// CPU twin: math/moments.rs `PivotSums`.
//
// Expects shared/real_f32.wgsl or shared/real_f64.wgsl; goes before
// shared/walk.wgsl.

struct Point {
    x: vec2<f32>,   // the pivot, exact in the first f32 of each
    t: vec2<f32>,
}

struct Total {
    linear: vec4<Real>,      // (Σ(x − pivot), Σ(t − pivot), 0, 0)
    quadratic: vec4<Real>,   // Σ of (xx, xt, tt, 0), likewise
}

struct Block {
    x: vec4<Real>,
    t: vec4<Real>,
    xx: vec4<Real>,
    xt: vec4<Real>,
    tt: vec4<Real>,
}

fn deviation(pivot: f32, values: vec4<f32>) -> vec4<Real> {
    return vec4<Real>(values) - vec4<Real>(vec4(pivot));
}

// What is given twice is the deviations and the deviations times the weights.
fn take_deviations(
    block: ptr<function, Block>,
    dx: vec4<Real>,
    dt: vec4<Real>,
    weighed_dx: vec4<Real>,
    weighed_dt: vec4<Real>,
) {
    (*block).x += weighed_dx;
    (*block).t += weighed_dt;
    (*block).xx += weighed_dx * dx;
    (*block).xt += weighed_dx * dt;
    (*block).tt += weighed_dt * dt;
}

fn take(block: ptr<function, Block>, at: Point, xs: vec4<f32>, ts: vec4<f32>) {
    let dx = deviation(at.x.x, xs);
    let dt = deviation(at.t.x, ts);
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
    let dx = deviation(at.x.x, select(vec4(at.x.x), xs, valid));
    let dt = deviation(at.t.x, select(vec4(at.t.x), ts, valid));
    if WEIGHTED {
        let wide = vec4<Real>(select(vec4<f32>(), ws, valid));
        take_deviations(block, dx, dt, wide * dx, wide * dt);
    } else {
        take_deviations(block, dx, dt, dx, dt);
    }
}

fn lanes(v: vec4<Real>) -> Real {
    return (v.x + v.y) + (v.z + v.w);
}

fn close(total: Total, block: Block) -> Total {
    let linear = vec4<Real>(lanes(block.x), lanes(block.t), Real(), Real());
    let quadratic = vec4<Real>(lanes(block.xx), lanes(block.xt), lanes(block.tt), Real());
    return Total(total.linear + linear, total.quadratic + quadratic);
}

fn merge(a: Total, b: Total) -> Total {
    return Total(a.linear + b.linear, a.quadratic + b.quadratic);
}
