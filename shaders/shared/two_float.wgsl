// Arithmetic on unevaluated sums of two f32, four at a time: 48 bits where f32
// has 24. CPU twin: math/compensated.rs.
//
// Expects `fn run_time_zero() -> u32`, which returns a 0 that the compiler must
// not know.

struct Sum {
    hi: vec4<f32>,
    lo: vec4<f32>,
}

// The same number, behind an operation that no compiler can see through:
// without it, drivers simplify the error term of `two_sum` to zero.
fn opaque(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4(run_time_zero()));
}

// a + b == hi + lo exactly (TwoSum; Knuth, 1969).
fn two_sum(a: vec4<f32>, b: vec4<f32>) -> Sum {
    let hi = opaque(a + b);
    let b_part = opaque(hi - a);
    // Both differences are opaque too: they could be joined to a + b otherwise.
    return Sum(hi, opaque(a - opaque(hi - b_part)) + opaque(b - b_part));
}
