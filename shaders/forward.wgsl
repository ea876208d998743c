// Y = X·W + b, element by element. CPU twin: engine/reference.rs `forward`.
//
// Four elements to a vec4; a window whose length is no multiple of 4 has
// padding at the end of its buffers, which is computed and never read.

// Invocations in a workgroup; set by the host.
override WORKGROUP_SIZE: u32 = 64u;
// Whether an invocation takes neighbouring vec4s (a CPU's caches want that)
// or every `invocations`-th one, so that a workgroup's loads are neighbours.
override CONTIGUOUS: bool = true;

struct Window {
    elements: u32,
    invocations: u32,
    run: u32,            // vec4s an invocation visits at most
    first_partial: u32,  // unused here
}

struct Parameters {
    weight: vec2<f32>,   // (hi, lo): W as an unevaluated sum; forward uses hi
    bias: vec2<f32>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> window: Window;
@group(0) @binding(3) var<storage, read> parameters: Parameters;

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let invocation = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP_SIZE + local;
    if invocation >= window.invocations {
        return;
    }
    let weight = vec4(parameters.weight.x);
    let bias = vec4(parameters.bias.x);
    let vectors = (window.elements + 3u) / 4u;
    let first = select(invocation, invocation * window.run, CONTIGUOUS);
    let stride = select(window.invocations, 1u, CONTIGUOUS);
    let run = window.run;
    for (var k = 0u; k < run; k++) {
        let i = first + k * stride;
        if i < vectors {
            y[i] = weight * x[i] + bias;
        }
    }
}
