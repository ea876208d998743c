// parts: {part}
//
// Adds up the partial sums of all windows into FINISHERS sums, which the host
// reads back and merges in f64.
//
// A partial sum may consist of several parts; FINISHERS being a multiple of
// their number, each finisher's sum is of parts of one kind.

// Invocations of the one workgroup.
override FINISHERS: u32;

struct Finish {
    part_count: u32,
    zero: u32,           // what `run_time_zero` returns
    unused: vec2<u32>,
}

@group(0) @binding(0) var<storage, read> parts: array<Part>;
@group(0) @binding(1) var<storage, read_write> sums: array<Finished>;
@group(0) @binding(2) var<uniform> finish: Finish;

fn run_time_zero() -> u32 {
    return finish.zero;
}

@compute @workgroup_size(FINISHERS)
fn finish_sums(@builtin(local_invocation_index) local: u32) {
    let count = finish.part_count;
    var total = Finished();
    for (var k = local; k < count; k += FINISHERS) {
        total = plus_part(total, parts[k]);
    }
    sums[local] = total;
}
