// parts: window sums {quantity}
//
// A pass that sums each piece in a workgroup: its subgroups in registers, then
// their sums in the workgroup's memory. For GPUs that have subgroups, and totals
// that are a vec4<f32>.
//
// The number of subgroups is asked for, not computed from a size: drivers run
// subgroups narrower than they announce. Where an invocation has not the number
// of its subgroup from the device, as on HLSL, it is its place in the workgroup
// divided by the subgroup's size, which is right for the workgroups of one
// dimension that there are here.

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
    let share = window.share;
    let begin = number_of(workgroup, workgroups) * share;
    let end = min(begin + share, window.pieces);
    let first_partial = window.first_partial;
    for (var k = begin; k < end; k++) {
        let sum = subgroupAdd(sum_of(k, local, WORKGROUP_SIZE));
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
        if local == 0u {
            partials[first_partial + k] = totals[0];
        }
        // The next piece's totals take the place of these.
        workgroupBarrier();
    }
}
