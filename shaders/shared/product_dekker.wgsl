// parts: two_float
//
// Products by halves of their factors (T. J. Dekker, 1971): for devices whose fma
// rounds its product.

// The upper 12 of a number's 24 bits. By its bits: Veltkamp's way, which
// multiplies by 4097, overflows for large numbers.
fn upper_half(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) & vec4(0xfffff000u));
}

// a · b == hi + lo exactly, unless lo underflows.
fn two_product(a: vec4<f32>, b: vec4<f32>) -> Sum {
    let hi = opaque(a * b);
    let a_hi = upper_half(a);
    let b_hi = upper_half(b);
    let a_lo = opaque(a - a_hi);
    let b_lo = opaque(b - b_hi);
    let rest = opaque(opaque(a_hi * b_hi - hi) + a_hi * b_lo);
    return Sum(hi, opaque(rest + a_lo * b_hi) + a_lo * b_lo);
}
