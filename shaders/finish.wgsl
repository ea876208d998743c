// Adds up the partials of all windows into FINISHERS sums, which the host
// reads back and merges in f64. CPU twin: math/compensated.rs `Compensated`.
//
// Each sum is carried as (hi, lo), so that however many partials there are,
// adding them costs no digits.

// Invocations of the one workgroup; set by the host.
override FINISHERS: u32 = 64u;

struct Finish {
    partial_count: u32,
    zero: u32,           // 0, which the compiler must not know; see `opaque`
    unused0: u32,
    unused1: u32,
}

struct Sum {
    hi: vec4<f32>,
    lo: vec4<f32>,
}

@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<Sum>;
@group(0) @binding(2) var<uniform> finish: Finish;

// The same number, behind an operation that no compiler can see through:
// without it, drivers simplify the error term of `two_sum` to zero.
fn opaque(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4(finish.zero));
}

// a + b == hi + lo exactly (TwoSum; Knuth, 1969).
fn two_sum(a: vec4<f32>, b: vec4<f32>) -> Sum {
    let hi = opaque(a + b);
    let b_part = opaque(hi - a);
    return Sum(hi, (a - opaque(hi - b_part)) + (b - b_part));
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
