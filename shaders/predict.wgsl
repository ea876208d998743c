// parts: window walk shift parameters {store}
// twin: src/engine/reference.rs predict
//
// Y = X·W + b, element by element. Far from 0, as (X − p)·W + (b + p·W), with p
// the shift of X: of large x·W and b that cancel, f32 would keep few digits.
//
// The padding that the last elements share a group with may be stored; it is
// never read.

// Invocations in a workgroup.
override WORKGROUP_SIZE: u32;

@group(0) @binding(4) var<storage, read> points: array<Parameters>;

// Nothing is summed.
alias Point = Parameters;
alias Block = u32;
alias Total = u32;

fn predicted(at: Point, xs: vec4<f32>) -> vec4<f32> {
    return vec4(at.weight.x) * shifted(xs, at.shift.x) + vec4(at.bias.x);
}

fn pass_group(block: ptr<function, Block>, at: Point, i: u32, xs: vec4<f32>, ts: vec4<f32>, ws: vec4<f32>) {
    store(i, predicted(at, xs), vec4(true));
}

fn pass_some(
    block: ptr<function, Block>,
    at: Point,
    i: u32,
    xs: vec4<f32>,
    ts: vec4<f32>,
    ws: vec4<f32>,
    some: vec4<bool>,
) {
    store(i, predicted(at, xs), some);
}

fn flush(total: Total, block: Block) -> Total {
    return total;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn predict(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let share = window.share;
    let begin = number_of(workgroup, workgroups) * share;
    let end = min(begin + share, window.pieces);
    for (var k = begin; k < end; k++) {
        let piece = piece_of(k);
        _ = walk(piece.first, piece.elements, local, WORKGROUP_SIZE, points[piece.point]);
    }
}
