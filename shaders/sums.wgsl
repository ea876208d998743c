// A pass: the sums of all elements of a window, in one read of X and T, as
// partial sums.
//
// Two entry points: `sums_by_invocation` has no barrier and writes a partial
// per invocation, for adapters that run on a CPU, where a barrier turns a
// workgroup into coroutines; `sums_by_workgroup` adds up its workgroup first
// and writes a partial per workgroup, for real GPUs. A third, for those that
// can add up a subgroup, is in sums_by_subgroup.wgsl.
//
// Preceded by shared/walk.wgsl, which reads the elements, and what that
// expects. CPU twins: engine/reference.rs `residual_sums` and `moments`.

// Invocations in a workgroup, a power of two; set by the host.
override WORKGROUP_SIZE: u32 = 64u;

@group(0) @binding(2) var<storage, read_write> partials: array<Total>;
@group(0) @binding(4) var<storage, read> point: Point;

fn run_time_zero() -> u32 {
    return window.zero;
}

var<workgroup> totals: array<Total, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_invocation(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let invocation = (workgroup.y * workgroups.x + workgroup.x) * WORKGROUP_SIZE + local;
    let total = sum_run(invocation, point);
    if invocation < window.invocations {
        partials[window.first_partial + invocation] = total;
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_workgroup(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = workgroup.y * workgroups.x + workgroup.x;
    totals[local] = sum_run(group * WORKGROUP_SIZE + local, point);
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            totals[local] = merge(totals[local], totals[local + half]);
        }
    }
    if local == 0u && group * WORKGROUP_SIZE < window.invocations {
        partials[window.first_partial + group] = totals[0];
    }
}
