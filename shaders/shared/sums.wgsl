// parts: window walk {quantity}
//
// The output of a pass that sums: a partial sum for each piece, at the point of
// its run.

// Invocations in a workgroup, a power of two.
override WORKGROUP_SIZE: u32;

@group(0) @binding(2) var<storage, read_write> partials: array<Total>;
@group(0) @binding(4) var<storage, read> points: array<Point>;

fn run_time_zero() -> u32 {
    return window.zero;
}

// The share of piece number k that falls to one of `invocations` invocations.
fn sum_of(k: u32, lane: u32, invocations: u32) -> Total {
    let piece = piece_of(k);
    return walk(piece.first, piece.elements, lane, invocations, points[piece.point]);
}
