// Forward, residual and the three sums (Σr², Σr·x, Σr) in one read of X and T.
// CPU twin: engine/reference.rs `residual_sums`.
//
// Two entry points: `residual_sums_by_invocation` has no barrier and writes a
// partial per invocation, for adapters that run on a CPU, where a barrier
// turns a workgroup into coroutines; `residual_sums_by_workgroup` adds up its
// workgroup first and writes a partial per workgroup, for real GPUs.

// Invocations in a workgroup, a power of two; set by the host.
override WORKGROUP_SIZE: u32 = 64u;
// Whether an invocation takes neighbouring vec4s (a CPU's caches want that)
// or every `invocations`-th one, so that a workgroup's loads are neighbours.
override CONTIGUOUS: bool = true;
// vec4s that are summed before they join their run's total. Short sums keep
// f32's rounding error down; the host counts these loops too.
override BLOCK: u32 = 16u;

struct Window {
    elements: u32,
    invocations: u32,
    run: u32,            // vec4s an invocation visits at most
    first_partial: u32,  // where this window's partials start
}

struct Parameters {
    weight: vec2<f32>,   // (hi, lo): W as an unevaluated sum
    bias: vec2<f32>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> window: Window;
@group(0) @binding(4) var<storage, read> parameters: Parameters;

var<workgroup> totals: array<vec4<f32>, WORKGROUP_SIZE>;

fn residual(xs: vec4<f32>, ts: vec4<f32>, weight: vec2<f32>, bias: vec2<f32>) -> vec4<f32> {
    let high = fma(vec4(weight.x), xs, vec4(bias.x)) - ts;
    return high + fma(vec4(weight.y), xs, vec4(bias.y));
}

fn lanes(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

// (Σr², Σr·x, Σr, 0) over this invocation's part of the window.
fn sum_run(invocation: u32) -> vec4<f32> {
    let weight = parameters.weight;
    let bias = parameters.bias;
    let whole = window.elements / 4u;
    let first = select(invocation, invocation * window.run, CONTIGUOUS);
    let stride = select(window.invocations, 1u, CONTIGUOUS);
    // How many of first, first + stride, … lie below `whole`, at most `run`.
    var count = 0u;
    if invocation < window.invocations && first < whole {
        count = min((whole - first + stride - 1u) / stride, window.run);
    }

    var total = vec4<f32>();
    for (var start = 0u; start < count; start += BLOCK) {
        let end = min(start + BLOCK, count);
        var rr = vec4<f32>();
        var rx = vec4<f32>();
        var r = vec4<f32>();
        for (var k = start; k < end; k++) {
            let xs = x[first + k * stride];
            let rs = residual(xs, t[first + k * stride], weight, bias);
            rr += rs * rs;
            rx += rs * xs;
            r += rs;
        }
        total += vec4(lanes(rr), lanes(rx), lanes(r), 0.0);
    }

    // The last 1 to 3 elements share a vec4 with padding: select, don't
    // multiply, so that nothing of the padding gets in.
    let rest = window.elements % 4u;
    if invocation == 0u && rest > 0u {
        let valid = vec4(0u, 1u, 2u, 3u) < vec4(rest);
        let xs = select(vec4<f32>(), x[whole], valid);
        let rs = select(vec4<f32>(), residual(xs, t[whole], weight, bias), valid);
        total += vec4(lanes(rs * rs), lanes(rs * xs), lanes(rs), 0.0);
    }
    return total;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn residual_sums_by_invocation(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let invocation = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP_SIZE + local;
    let total = sum_run(invocation);
    if invocation < window.invocations {
        partials[window.first_partial + invocation] = total;
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn residual_sums_by_workgroup(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = workgroup.y * workgroups.x + workgroup.x;
    totals[local] = sum_run(group * WORKGROUP_SIZE + local);
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            totals[local] += totals[local + half];
        }
    }
    if local == 0u && group * WORKGROUP_SIZE < window.invocations {
        partials[window.first_partial + group] = totals[0];
    }
}
