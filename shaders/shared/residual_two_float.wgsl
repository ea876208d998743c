// parts: parameters two_float {product} {real}
//
// r = x·W + b − t as a two-float, with every rounding error of the product and
// the sums.

alias Model = Parameters;

// These numbers have the digits to compute about 0.
fn shift_of(at: Model) -> vec2<f32> {
    return vec2<f32>();
}

fn residual(at: Model, xs: vec4<f32>, ts: vec4<f32>) -> Reals {
    let product = two_product(vec4(at.weight.x), xs);
    let y = two_sum(product.hi, vec4(at.bias.x));
    let r = two_sum(y.hi, -ts);
    let rest = opaque(product.lo + y.lo) + (at.weight.y * xs + vec4(at.bias.y));
    return normal(r.hi, opaque(r.lo + rest));
}

fn delta_of(at: Model) -> Reals {
    return Sum(vec4(at.delta.x), vec4(at.delta.y));
}
