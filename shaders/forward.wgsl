// Y = X·W + b, element by element. CPU twin: engine/reference.rs `forward`.
//
// Far from 0, as (X − c)·W + (b + c·W), with c a point near the mean of X: of
// large x·W and b that cancel, f32 would keep few digits.
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
// Whether X is taken about another centre than 0.
override CENTRED: bool = false;

struct Window {
    elements: u32,
    invocations: u32,
    run: u32,            // vec4s an invocation visits at most
    first_partial: u32,  // unused here
    zero: u32,           // unused here
    x_centre: f32,       // what is taken off X
    t_centre: f32,       // unused here
    unused: u32,
}

struct Parameters {
    weight: vec2<f32>,   // (hi, lo): W as an unevaluated sum; forward uses hi
    bias: vec2<f32>,
}

@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> window: Window;
@group(0) @binding(3) var<storage, read> parameters: Parameters;

fn predict(xs: vec4<f32>) -> vec4<f32> {
    let weight = vec4(parameters.weight.x);
    let bias = vec4(parameters.bias.x);
    if CENTRED {
        return weight * (xs - vec4(window.x_centre)) + bias;
    }
    return weight * xs + bias;
}

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
            y[i0] = predict(x0);
            y[i1] = predict(x1);
            y[i2] = predict(x2);
            y[i3] = predict(x3);
        }
    }
    for (; k < count; k++) {
        let i = first + k * stride;
        y[i] = predict(load_x(i));
    }
}
