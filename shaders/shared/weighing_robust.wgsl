// parts: {real} {residual} {robust}
//
// The weights of moments are those that are given times those of the residuals at a
// W and b.

struct Reweighting {
    model: Model,         // with the size of a residual from which on weights change, for δ
    shift: vec2<f32>,     // that moments are summed about
}

alias Weighing = Reweighting;

// Whether weights follow from the data.
const WEIGHS = true;

fn shift_of_moments(at: Weighing) -> vec2<f32> {
    return at.shift;
}

fn weighed(at: Weighing, xs: vec4<f32>, ts: vec4<f32>, given: Reals) -> Reals {
    return product(given, robust_weight(residual(at.model, xs, ts), delta_of(at.model)));
}
