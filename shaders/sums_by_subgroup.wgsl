// The third entry point of sums.wgsl, which precedes it: subgroups add
// up in registers, then their sums meet in the workgroup's memory. In a file of
// its own because a device without subgroups must not get to see it.
//
// How many subgroups there are and which one an invocation is in is asked, not
// computed from a size: drivers run subgroups narrower than they announce.

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_subgroup(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let group = workgroup.y * workgroups.x + workgroup.x;
    let sum = subgroupAdd(sum_run(group * WORKGROUP_SIZE + local, point));
    if lane == 0u {
        totals[subgroup] = sum;
    }
    // Any number of them, not only a power of two.
    for (var left = subgroups; left > 1u; left = (left + 1u) / 2u) {
        workgroupBarrier();
        let half = (left + 1u) / 2u;
        if local < left / 2u {
            totals[local] += totals[local + half];
        }
    }
    workgroupBarrier();
    if local == 0u && group * WORKGROUP_SIZE < window.invocations {
        partials[window.first_partial + group] = totals[0];
    }
}
