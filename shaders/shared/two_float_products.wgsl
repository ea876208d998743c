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
