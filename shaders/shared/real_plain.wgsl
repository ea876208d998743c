// parts: {scalar}
//
// Arithmetic on four real numbers, as the device does it. The same functions on
// two-floats are in real_two_float.wgsl.

alias Reals = vec4<Real>;

fn reals(v: vec4<f32>) -> Reals {
    return Reals(v);
}

fn selected(v: Reals, valid: vec4<bool>) -> Reals {
    return select(Reals(), v, valid);
}

fn difference(a: vec4<f32>, b: f32) -> Reals {
    return Reals(a) - Reals(vec4(b));
}

fn product(a: Reals, b: Reals) -> Reals {
    return a * b;
}

// r clamped to ±bound, which is not negative.
fn clamped(r: Reals, bound: Reals) -> Reals {
    return max(min(r, bound), -bound);
}

// |r|.
fn size_of(r: Reals) -> Reals {
    return abs(r);
}

fn exceeds(a: Reals, b: Reals) -> vec4<bool> {
    return a > b;
}

// 1 where a number is above 0, and 0 elsewhere.
fn positive(v: Reals) -> Reals {
    return select(Reals(), reals(vec4(1.0)), v > Reals());
}

fn quotient(a: Reals, b: Reals) -> Reals {
    return a / b;
}

fn difference_of(a: Reals, b: Reals) -> Reals {
    return a - b;
}

fn plus_term(total: Reals, term: Reals) -> Reals {
    return total + term;
}

fn plus_product(total: Reals, a: Reals, b: Reals) -> Reals {
    return total + a * b;
}

fn plus_multiple(total: Reals, a: Reals, b: vec4<f32>) -> Reals {
    return total + a * Reals(b);
}

fn merge(a: Reals, b: Reals) -> Reals {
    return a + b;
}

// The sums over the lanes: (Σa, Σb, Σc, Σd).
fn across(a: Reals, b: Reals, c: Reals, d: Reals) -> Reals {
    return Reals(lanes(a), lanes(b), lanes(c), lanes(d));
}

fn lanes(v: Reals) -> Real {
    return (v.x + v.y) + (v.z + v.w);
}
