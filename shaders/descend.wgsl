// parts: two_float step parameters walk {part}
// twin: src/fit/host.rs advance
//
// Whole steps, passes and updates, one after the other in a single workgroup:
// for data so small that a dispatch costs more than a pass.

@group(0) @binding(2) var<storage, read_write> history: History;
@group(0) @binding(4) var<storage, read_write> parameters: Parameters;
@group(0) @binding(5) var<uniform> descent: Descent;
@group(0) @binding(8) var<storage, read> plan: array<Planned>;

var<workgroup> next_follows: bool;

@compute @workgroup_size(WIDTH)
fn descend(@builtin(local_invocation_index) local: u32) {
    if local == 0u {
        next_follows = goes_on();
    }
    let most_steps = descent.most_steps;
    let elements = descent.elements;
    for (var step = 0u; step < most_steps; step++) {
        // Also the barrier between the update and the next pass.
        if !workgroupUniformLoad(&next_follows) {
            break;
        }
        let sums = walk(0u, elements, local, WIDTH, parameters);
        totals[local] = plus_part(Sum(vec4<f32>(), vec4<f32>()), sums, descent.partial_scale);
        merge_totals(local);
        if local == 0u {
            advance();
            next_follows = goes_on();
        }
        storageBarrier();
    }
}
