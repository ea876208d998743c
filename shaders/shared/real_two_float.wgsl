// parts: two_float {product}
//
// Sums as two-floats: every rounding error of differences, products and sums is
// carried along in a second f32. The same functions on plain numbers are in
// real_plain.wgsl.

alias Reals = Sum;

fn reals(v: vec4<f32>) -> Reals {
    return Sum(v, vec4<f32>());
}

fn selected(v: Reals, valid: vec4<bool>) -> Reals {
    let none = vec4<f32>();
    return Sum(select(none, v.hi, valid), select(none, v.lo, valid));
}

fn difference(a: vec4<f32>, b: f32) -> Reals {
    return two_sum(a, vec4(-b));
}

fn product(a: Reals, b: Reals) -> Reals {
    return multiply(a, b);
}

// r clamped to ±bound, which is not negative.
fn clamped(r: Reals, bound: Reals) -> Reals {
    let sign = select(vec4(1.0), vec4(-1.0), r.hi < vec4<f32>());
    let size = Sum(sign * r.hi, sign * r.lo);
    let is_beyond = (size.hi > bound.hi) | ((size.hi == bound.hi) & (size.lo > bound.lo));
    return Sum(select(r.hi, sign * bound.hi, is_beyond), select(r.lo, sign * bound.lo, is_beyond));
}

// a + (a − b).
fn plus_difference(a: Reals, b: Reals) -> Reals {
    return add(a, add(a, Sum(-b.hi, -b.lo)));
}

fn plus_term(total: Reals, term: Reals) -> Reals {
    return plus(total, term);
}

// A product that is only added to a sum need not be normal.
fn plus_product(total: Reals, a: Reals, b: Reals) -> Reals {
    let high = two_product(a.hi, b.hi);
    return plus(total, Sum(high.hi, high.lo + (a.hi * b.lo + a.lo * b.hi)));
}

fn plus_multiple(total: Reals, a: Reals, b: vec4<f32>) -> Reals {
    let high = two_product(a.hi, b);
    return plus(total, Sum(high.hi, high.lo + a.lo * b));
}

fn merge(a: Reals, b: Reals) -> Reals {
    return add(a, b);
}

// The sums over the lanes: (Σa, Σb, Σc, 0).
fn across(a: Reals, b: Reals, c: Reals) -> Reals {
    let x = Sum(vec4(a.hi.x, b.hi.x, c.hi.x, 0.0), vec4(a.lo.x, b.lo.x, c.lo.x, 0.0));
    let y = Sum(vec4(a.hi.y, b.hi.y, c.hi.y, 0.0), vec4(a.lo.y, b.lo.y, c.lo.y, 0.0));
    let z = Sum(vec4(a.hi.z, b.hi.z, c.hi.z, 0.0), vec4(a.lo.z, b.lo.z, c.lo.z, 0.0));
    let w = Sum(vec4(a.hi.w, b.hi.w, c.hi.w, 0.0), vec4(a.lo.w, b.lo.w, c.lo.w, 0.0));
    return add(add(x, y), add(z, w));
}
