// Sums and products of two-floats, to 46 bits or better (M. Joldes, J.-M.
// Muller, V. Popescu: Tight and rigorous error bounds for basic building blocks
// of double-word arithmetic, 2017).
//
// Expects shared/two_float.wgsl.

// hi + lo again, with lo at most half a unit in the last place of hi; exact if
// |hi| >= |lo|.
fn normal(hi: vec4<f32>, lo: vec4<f32>) -> Sum {
    let total = opaque(hi + lo);
    return Sum(total, lo - opaque(total - hi));
}

fn add(a: Sum, b: Sum) -> Sum {
    let high = two_sum(a.hi, b.hi);
    let low = two_sum(a.lo, b.lo);
    let total = normal(high.hi, opaque(high.lo + low.hi));
    return normal(total.hi, opaque(low.lo + total.lo));
}

// The upper 12 of a number's 24 bits. By its bits: Veltkamp's way, which
// multiplies by 4097, overflows for large numbers.
fn upper_half(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) & vec4(0xfffff000u));
}

// a · b == hi + lo exactly, unless lo underflows (Dekker, 1971). Not by fma:
// drivers are free to round its product.
fn two_product(a: vec4<f32>, b: vec4<f32>) -> Sum {
    let hi = opaque(a * b);
    let a_hi = upper_half(a);
    let b_hi = upper_half(b);
    let a_lo = opaque(a - a_hi);
    let b_lo = opaque(b - b_hi);
    let rest = opaque(opaque(a_hi * b_hi - hi) + a_hi * b_lo);
    return Sum(hi, opaque(rest + a_lo * b_hi) + a_lo * b_lo);
}

fn multiply(a: Sum, b: Sum) -> Sum {
    let high = two_product(a.hi, b.hi);
    return normal(high.hi, opaque(high.lo + opaque(a.hi * b.lo + a.lo * b.hi)));
}

// A sum whose second part takes the errors as they come; `add` makes it normal
// again later.
fn plus(total: Sum, term: Sum) -> Sum {
    let next = two_sum(total.hi, term.hi);
    return Sum(next.hi, total.lo + opaque(next.lo + term.lo));
}

// The sums over the lanes of a, of b and of c: (Σa, Σb, Σc, 0).
fn across(a: Sum, b: Sum, c: Sum) -> Sum {
    let x = Sum(vec4(a.hi.x, b.hi.x, c.hi.x, 0.0), vec4(a.lo.x, b.lo.x, c.lo.x, 0.0));
    let y = Sum(vec4(a.hi.y, b.hi.y, c.hi.y, 0.0), vec4(a.lo.y, b.lo.y, c.lo.y, 0.0));
    let z = Sum(vec4(a.hi.z, b.hi.z, c.hi.z, 0.0), vec4(a.lo.z, b.lo.z, c.lo.z, 0.0));
    let w = Sum(vec4(a.hi.w, b.hi.w, c.hi.w, 0.0), vec4(a.lo.w, b.lo.w, c.lo.w, 0.0));
    return add(add(x, y), add(z, w));
}
