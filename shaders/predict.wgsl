// parts: window walk shift parameters
// twin: src/engine/reference.rs predict
//
// Y = X·W + b, element by element. Far from 0, as (X − p)·W + (b + p·W), with p
// the shift of X: of large x·W and b that cancel, f32 would keep few digits.
//
// The padding that the last elements share a group with is computed and never
// read.

// Invocations in a workgroup.
override WORKGROUP_SIZE: u32;

@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> parameters: Parameters;

// Nothing is summed.
alias Point = Parameters;
alias Block = u32;
alias Total = u32;

fn pass_group(block: ptr<function, Block>, at: Point, i: u32, xs: vec4<f32>, ts: vec4<f32>, ws: vec4<f32>) {
    y[i] = vec4(at.weight.x) * shifted(xs, window.x_shift) + vec4(at.bias.x);
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
    pass_group(block, at, i, xs, ts, ws);
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
    _ = walk(number_of(workgroup, workgroups) * WORKGROUP_SIZE + local, parameters);
}
