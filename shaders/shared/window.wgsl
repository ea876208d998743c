// parts: none
//
// The part of the data that a dispatch covers, and how it is divided among
// invocations.

struct Window {
    elements: u32,
    invocations: u32,    // those that have work
    run: u32,            // groups of four elements that an invocation has at most
    first_partial: u32,  // where this window's partial sums start
    zero: u32,           // what `run_time_zero` returns
    x_shift: f32,        // what residuals in f32 take off X
    t_shift: f32,        // and off T
    unused: u32,
}

@group(0) @binding(3) var<uniform> window: Window;

// The number of a workgroup in a dispatch of two dimensions.
fn number_of(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}
