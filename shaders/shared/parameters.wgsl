// W and b on the device. CPU twins: math/affine.rs, and engine/gpu/coarse.rs.

struct Parameters {
    weight: vec2<f32>,    // (hi, lo): W as an unevaluated sum
    bias: vec2<f32>,
    // W and b with so few digits that f32 rounds residuals this way and that.
    // Whoever reads sums of these puts back what is left out.
    coarse: vec2<f32>,
    unused: vec2<f32>,
}
