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

fn sign_of(r: Reals) -> vec4<f32> {
    return select(vec4(1.0), vec4(-1.0), r.hi < vec4<f32>());
}

// |r|.
fn size_of(r: Reals) -> Reals {
    let sign = sign_of(r);
    return Sum(sign * r.hi, sign * r.lo);
}

fn exceeds(a: Reals, b: Reals) -> vec4<bool> {
    return (a.hi > b.hi) | ((a.hi == b.hi) & (a.lo > b.lo));
}

// 1 where a number is above 0, and 0 elsewhere.
fn positive(v: Reals) -> Reals {
    return reals(select(vec4<f32>(), vec4(1.0), v.hi > vec4<f32>()));
}

// The quotient in f32, and that of what it leaves.
fn quotient(a: Reals, b: Reals) -> Reals {
    let near = a.hi / b.hi;
    let rest = add(a, multiply(reals(-near), b));
    return normal(near, rest.hi / b.hi);
}

// r clamped to ±bound, which is not negative.
fn clamped(r: Reals, bound: Reals) -> Reals {
    let sign = sign_of(r);
    let is_beyond = exceeds(size_of(r), bound);
    return Sum(select(r.hi, sign * bound.hi, is_beyond), select(r.lo, sign * bound.lo, is_beyond));
}

fn difference_of(a: Reals, b: Reals) -> Reals {
    return add(a, Sum(-b.hi, -b.lo));
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

// The sums over the lanes: (Σa, Σb, Σc, Σd).
fn across(a: Reals, b: Reals, c: Reals, d: Reals) -> Reals {
    let x = Sum(vec4(a.hi.x, b.hi.x, c.hi.x, d.hi.x), vec4(a.lo.x, b.lo.x, c.lo.x, d.lo.x));
    let y = Sum(vec4(a.hi.y, b.hi.y, c.hi.y, d.hi.y), vec4(a.lo.y, b.lo.y, c.lo.y, d.lo.y));
    let z = Sum(vec4(a.hi.z, b.hi.z, c.hi.z, d.hi.z), vec4(a.lo.z, b.lo.z, c.lo.z, d.lo.z));
    let w = Sum(vec4(a.hi.w, b.hi.w, c.hi.w, d.hi.w), vec4(a.lo.w, b.lo.w, c.lo.w, d.lo.w));
    return add(add(x, y), add(z, w));
}
