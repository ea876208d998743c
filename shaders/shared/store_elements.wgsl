// parts: none
//
// Y, element by element: other invocations store those of the same group that
// are of another fit.

@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn store(i: u32, ys: vec4<f32>, some: vec4<bool>) {
    for (var k = 0u; k < 4u; k++) {
        if some[k] {
            y[4u * i + k] = ys[k];
        }
    }
}
