// parts: {real}
//
// r = x·W + b − t in f64.

struct WideParameters {
    weight: f64,
    bias: f64,
    delta: f64,           // of Huber's loss
}

alias Model = WideParameters;

// These numbers have the digits to compute about 0.
fn shift_of(at: Model) -> vec2<f32> {
    return vec2<f32>();
}

fn residual(at: Model, xs: vec4<f32>, ts: vec4<f32>) -> Reals {
    return Reals(xs) * Reals(at.weight) + Reals(at.bias) - Reals(ts);
}

fn delta_of(at: Model) -> Reals {
    return Reals(at.delta);
}
