// parts: window walk sums
//
// A pass over a window that leaves a partial sum for every invocation, without a
// barrier: for adapters that run on a CPU, where a barrier turns a workgroup
// into coroutines.

@compute @workgroup_size(WORKGROUP_SIZE)
fn sums_by_invocation(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let invocation = number_of(workgroup, workgroups) * WORKGROUP_SIZE + local;
    let total = walk(invocation, point);
    if invocation < window.invocations {
        partials[window.first_partial + invocation] = total;
    }
}
