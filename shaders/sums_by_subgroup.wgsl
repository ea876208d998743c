// parts: window walk sums {quantity}
//
// A pass over a window that adds up subgroups in registers, then their sums in
// the workgroup's memory, and leaves a partial sum for each workgroup: for GPUs
// that have subgroups, and totals that are a vec4<f32>.
//
// The number of subgroups and that of an invocation's subgroup are asked for,
// not computed from a size: drivers run subgroups narrower than they announce.

var<workgroup> totals: array<Total, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_subgroup(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let group = number_of(workgroup, workgroups);
    let sum = subgroupAdd(walk(group * WORKGROUP_SIZE + local, point));
    if lane == 0u {
        totals[subgroup] = sum;
    }
    // Any number of them, not only a power of two.
    for (var left = subgroups; left > 1u; left = (left + 1u) / 2u) {
        workgroupBarrier();
        let half = (left + 1u) / 2u;
        if local < left / 2u {
            totals[local] = combine(totals[local], totals[local + half]);
        }
    }
    workgroupBarrier();
    if local == 0u && group * WORKGROUP_SIZE < window.invocations {
        partials[window.first_partial + group] = totals[0];
    }
}
