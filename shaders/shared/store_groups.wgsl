// parts: none
//
// Y, four elements at a time: where all four are of one fit, or padding.

@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

fn store(i: u32, ys: vec4<f32>, some: vec4<bool>) {
    y[i] = ys;
}
