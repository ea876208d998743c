// parts: window sums {quantity}
//
// A pass that sums each piece in a workgroup: for GPUs.

var<workgroup> totals: array<Total, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_workgroup(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = window.share;
    let begin = number_of(workgroup, workgroups) * share;
    let end = min(begin + share, window.pieces);
    let first_partial = window.first_partial;
    for (var k = begin; k < end; k++) {
        totals[local] = sum_of(k, local, WORKGROUP_SIZE);
        for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if local < half {
                totals[local] = combine(totals[local], totals[local + half]);
            }
        }
        if local == 0u {
            partials[first_partial + k] = totals[0];
        }
        // The next piece's totals take the place of these.
        workgroupBarrier();
    }
}
