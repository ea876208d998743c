// parts: two_float step parameters {part}
// twin: src/fit/host.rs advance
//
// Adds up the partial sums of all windows and takes the step that follows from
// them, so that the next pass in the same submission starts from there. One
// workgroup.

@group(0) @binding(0) var<storage, read> partials: array<Part>;
@group(0) @binding(1) var<storage, read_write> history: History;
@group(0) @binding(2) var<storage, read_write> parameters: Parameters;
@group(0) @binding(3) var<uniform> descent: Descent;
@group(0) @binding(4) var<storage, read> plan: array<Planned>;

@compute @workgroup_size(WIDTH)
fn update(@builtin(local_invocation_index) local: u32) {
    // One more than the rows that are wanted has a place.
    let count = plan[history.count].partials;
    let scale = descent.partial_scale;
    var total = Sum(vec4<f32>(), vec4<f32>());
    var k = local;
    // Four at a time, so that memory answers them side by side.
    for (; k + 3u * WIDTH < count; k += 4u * WIDTH) {
        let a = partials[k];
        let b = partials[k + WIDTH];
        let c = partials[k + 2u * WIDTH];
        let d = partials[k + 3u * WIDTH];
        total = plus_part(total, a, scale);
        total = plus_part(total, b, scale);
        total = plus_part(total, c, scale);
        total = plus_part(total, d, scale);
    }
    for (; k < count; k += WIDTH) {
        total = plus_part(total, partials[k], scale);
    }
    totals[local] = normal(total.hi, total.lo);
    merge_totals(local);
    if local == 0u {
        advance();
    }
}
