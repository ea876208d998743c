// parts: {part}
//
// Adds up the partial sums of each run, in the order of its pieces, to the sums
// that the host reads back.
//
// A partial sum may consist of several parts, PARTS, which are added up apart.

// Invocations of a workgroup.
override FINISHERS: u32;
// Parts of a partial sum.
override PARTS: u32;
// Pieces of a run.
override PIECES: u32;
// A power of two that parts are multiplied with, unless they are f64, so that
// their sum does not overflow where their mean does not.
override PART_SCALE: f32;

struct Finish {
    sums: u32,           // of all runs: PARTS of each
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
fn finish_sums(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = (workgroup.y * workgroups.x + workgroup.x) * FINISHERS + local;
    if number >= finish.sums {
        return;
    }
    let first = number / PARTS * PIECES * PARTS + number % PARTS;
    var total = Finished();
    var k = 0u;
    // Four at a time, so that memory answers them side by side.
    for (; k + 4u <= PIECES; k += 4u) {
        let place = first + k * PARTS;
        let a = parts[place];
        let b = parts[place + PARTS];
        let c = parts[place + 2u * PARTS];
        let d = parts[place + 3u * PARTS];
        total = plus_part(total, a, PART_SCALE);
        total = plus_part(total, b, PART_SCALE);
        total = plus_part(total, c, PART_SCALE);
        total = plus_part(total, d, PART_SCALE);
    }
    for (; k < PIECES; k++) {
        total = plus_part(total, parts[first + k * PARTS], PART_SCALE);
    }
    sums[number] = total;
}
