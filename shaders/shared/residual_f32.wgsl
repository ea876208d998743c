// parts: parameters {real}
//
// r = x·W + b − t in f32, at a W and b of few digits.

alias Model = Parameters;

fn shift_of(at: Model) -> vec2<f32> {
    return at.shift;
}

fn residual(at: Model, xs: vec4<f32>, ts: vec4<f32>) -> Reals {
    // T before b: what is left of x·W − t is small where the fit is good, and
    // so is what rounding takes from it.
    return fma(vec4(at.coarse.x), xs, -ts) + vec4(at.coarse.y);
}
