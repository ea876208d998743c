// parts: two_float step parameters
// twin: src/fit/host.rs advance
//
// Adds up the partial sums of all windows and takes the step that follows from
// them, so that the next pass in the same submission starts from there. One
// workgroup.

@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> history: History;
@group(0) @binding(2) var<storage, read_write> parameters: Parameters;
@group(0) @binding(3) var<uniform> descent: Descent;
@group(0) @binding(4) var<storage, read> rates: array<vec2<f32>>;

fn plus_partial(total: Sum, partial: vec4<f32>) -> Sum {
    let next = two_sum(total.hi, partial * descent.partial_scale);
    return Sum(next.hi, total.lo + next.lo);
}

@compute @workgroup_size(WIDTH)
fn update(@builtin(local_invocation_index) local: u32) {
    let count = descent.partial_count;
    var total = Sum(vec4<f32>(), vec4<f32>());
    var k = local;
    // Four at a time, so that memory answers them side by side.
    for (; k + 3u * WIDTH < count; k += 4u * WIDTH) {
        let a = partials[k];
        let b = partials[k + WIDTH];
        let c = partials[k + 2u * WIDTH];
        let d = partials[k + 3u * WIDTH];
        total = plus_partial(plus_partial(plus_partial(plus_partial(total, a), b), c), d);
    }
    for (; k < count; k += WIDTH) {
        total = plus_partial(total, partials[k]);
    }
    totals[local] = normal(total.hi, total.lo);
    merge_totals(local);
    if local == 0u {
        advance();
    }
}
