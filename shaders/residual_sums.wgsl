// Forward, residual and the three sums (Σr², Σr·x, Σr) in one read of X and T.
// CPU twin: engine/reference.rs `residual_sums`.
//
// Two entry points: `residual_sums_by_invocation` has no barrier and writes a
// partial per invocation, for adapters that run on a CPU, where a barrier
// turns a workgroup into coroutines; `residual_sums_by_workgroup` adds up its
// workgroup first and writes a partial per workgroup, for real GPUs. A third,
// for those that can add up a subgroup, is in residual_sums_by_subgroup.wgsl.
//
// Preceded by shared/sum_run.wgsl, which reads the elements.

// Invocations in a workgroup, a power of two; set by the host.
override WORKGROUP_SIZE: u32 = 64u;

struct Parameters {
    weight: vec2<f32>,   // (hi, lo): W as an unevaluated sum
    bias: vec2<f32>,
}

@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> parameters: Parameters;

var<workgroup> totals: array<vec4<f32>, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn residual_sums_by_invocation(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let invocation = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP_SIZE + local;
    let total = sum_run(invocation, parameters.weight, parameters.bias);
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
    let invocation = group * WORKGROUP_SIZE + local;
    totals[local] = sum_run(invocation, parameters.weight, parameters.bias);
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
