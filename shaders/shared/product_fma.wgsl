// parts: two_float
//
// Products by fma: for devices that show that theirs rounds once, which all are
// free not to do.

// a · b == hi + lo exactly, unless lo underflows.
fn two_product(a: vec4<f32>, b: vec4<f32>) -> Sum {
    let hi = opaque(a * b);
    return Sum(hi, fma(a, b, -hi));
}
