// parts: window {quantity}
//
// The output of a pass that sums: partial sums, at a point.

// Invocations in a workgroup, a power of two.
override WORKGROUP_SIZE: u32;

@group(0) @binding(2) var<storage, read_write> partials: array<Total>;
@group(0) @binding(4) var<storage, read> point: Point;

fn run_time_zero() -> u32 {
    return window.zero;
}
