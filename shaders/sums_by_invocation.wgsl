// parts: window sums
//
// A pass that sums each piece in one invocation, without a barrier: for adapters
// that run on a CPU, where a barrier turns a workgroup into coroutines, and for
// pieces that are too small to share.

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_invocation(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = window.share;
    let begin = number_of(workgroup, workgroups) * share;
    let end = min(begin + share, window.pieces);
    // Neighbouring pieces to one invocation.
    let each = (share + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let first = begin + local * each;
    let last = min(first + each, end);
    let first_partial = window.first_partial;
    for (var k = first; k < last; k++) {
        partials[first_partial + k] = sum_of(k, 0u, 1u);
    }
}
