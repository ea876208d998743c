// parts: {real}
//
// The weights of moments are those that are given.

struct Shift {
    x: f32,
    t: f32,
}

alias Weighing = Shift;

// Whether weights follow from the data.
const WEIGHS = false;

fn shift_of_moments(at: Weighing) -> vec2<f32> {
    return vec2(at.x, at.t);
}

fn weighed(at: Weighing, xs: vec4<f32>, ts: vec4<f32>, given: Reals) -> Reals {
    return given;
}
