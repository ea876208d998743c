// parts: none
//
// W and b on the device.

struct Parameters {
    weight: vec2<f32>,    // (hi, lo): W as an unevaluated sum
    bias: vec2<f32>,
    // W and b with so few digits that f32 rounds residuals this way and that.
    // The readers of such sums add the omitted digits' share.
    coarse: vec2<f32>,
    shift: vec2<f32>,     // (p, q): what residuals in f32 take off X and T
    delta: vec2<f32>,     // (hi, lo) of Huber's δ
}
