// parts: {zero} {product}
// twin: src/math/double.rs two_sum
//
// Arithmetic on unevaluated sums of two f32, four at a time: 48 bits where f32
// has 24. Sums and products are right to 46 bits or better (M. Joldes, J.-M.
// Muller, V. Popescu: Tight and rigorous error bounds for basic building blocks
// of double-word arithmetic, 2017).
//
// `run_time_zero` returns a 0 that the compiler must not know.

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
