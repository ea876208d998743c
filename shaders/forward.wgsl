// Y = X·W + b, element by element. CPU twin: engine/reference.rs `forward`.
//
// Four elements to a vec4; a window whose length is no multiple of 4 has
// padding at the end of its buffers, which is computed and never read.
//
// Preceded by `load_x`, four elements of X, whatever their type
// (engine/gpu/packing.rs), which declares binding 0.
//
// Compiled without bounds checks: every index lies in its buffer for the
// reasons written down in engine/gpu/plan.rs.

// Invocations in a workgroup; set by the host.
override WORKGROUP_SIZE: u32 = 64u;
// Whether an invocation takes neighbouring vec4s (a CPU's caches want that)
// or every `invocations`-th one, so that a workgroup's loads are neighbours.
override CONTIGUOUS: bool = true;
// vec4s that are loaded before the first of them is used: 1 or 4.
override LOADS: u32 = 1u;

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
    let run = window.run;
    let first = select(invocation, invocation * run, CONTIGUOUS);
    let stride = select(window.invocations, 1u, CONTIGUOUS);
    // How many of first, first + stride, … lie below `vectors`, at most `run`.
    var within = 0u;
    if first < vectors {
        within = min((vectors - first + stride - 1u) / stride, run);
    }
    let count = within;
    var k = 0u;
    if LOADS == 4u {
        let fours = count & ~3u;
        for (; k < fours; k += 4u) {
            let i0 = first + k * stride;
            let i1 = i0 + stride;
            let i2 = i1 + stride;
            let i3 = i2 + stride;
            let x0 = load_x(i0);
            let x1 = load_x(i1);
            let x2 = load_x(i2);
            let x3 = load_x(i3);
            y[i0] = weight * x0 + bias;
            y[i1] = weight * x1 + bias;
            y[i2] = weight * x2 + bias;
            y[i3] = weight * x3 + bias;
        }
    }
    for (; k < count; k++) {
        let i = first + k * stride;
        y[i] = weight * load_x(i) + bias;
    }
}
