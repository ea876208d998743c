// W and b on the device. CPU twin: math/affine.rs.

struct Parameters {
    weight: vec2<f32>,    // (hi, lo): W as an unevaluated sum
    bias: vec2<f32>,
}
