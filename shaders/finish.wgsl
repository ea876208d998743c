// Adds up the partials of all windows into FINISHERS sums, which the host
// reads back and merges in f64. CPU twin: math/compensated.rs `Compensated`.
//
// Each sum is carried as (hi, lo), so that however many partials there are,
// adding them costs no digits. Preceded by shared/two_float.wgsl.

// Invocations of the one workgroup; set by the host.
override FINISHERS: u32 = 64u;

struct Finish {
    partial_count: u32,
    zero: u32,           // what `run_time_zero` returns
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<Sum>;
@group(0) @binding(2) var<uniform> finish: Finish;

fn run_time_zero() -> u32 {
    return finish.zero;
}

@compute @workgroup_size(FINISHERS)
fn finish_sums(@builtin(local_invocation_index) local: u32) {
    let count = finish.partial_count;
    var total = Sum(vec4<f32>(), vec4<f32>());
    for (var k = local; k < count; k += FINISHERS) {
        let next = two_sum(total.hi, partials[k]);
        total = Sum(next.hi, total.lo + next.lo);
    }
    sums[local] = total;
}
