// parts: window walk sums {quantity}
//
// A pass over a window that adds up each workgroup and leaves a partial sum for
// it: for GPUs.

var<workgroup> totals: array<Total, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_workgroup(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = number_of(workgroup, workgroups);
    totals[local] = walk(group * WORKGROUP_SIZE + local, point);
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            totals[local] = combine(totals[local], totals[local + half]);
        }
    }
    if local == 0u && group * WORKGROUP_SIZE < window.invocations {
        partials[window.first_partial + group] = totals[0];
    }
}
