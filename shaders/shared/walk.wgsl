// One invocation's part of a window: which elements it takes, and in which
// order they are summed.
//
// Expects, from one of shared/residuals_*.wgsl and shared/moments_*.wgsl, what
// is done with them: `take` adds the terms of four elements to a Block,
// `take_valid` those of some of four, `close` adds a Block to a Total.
//
// Declares the bindings 0 (x), 1 (t) and 3 (window) and the override constants
// CONTIGUOUS, LOADS and BLOCK of the kernel that it precedes.
//
// Compiled without bounds checks: every index lies in its buffer for the
// reasons written down in engine/gpu/plan.rs.

// Whether an invocation takes neighbouring vec4s (a CPU's caches want that)
// or every `invocations`-th one, so that a workgroup's loads are neighbours.
override CONTIGUOUS: bool = true;
// vec4s of x, and of t, that are loaded before the first of them is used, so
// that memory answers them side by side: 1 or 4.
override LOADS: u32 = 1u;
// vec4s that are summed before they join their run's total. Short sums keep
// f32's rounding error down; the host counts these loops too.
override BLOCK: u32 = 16u;

struct Window {
    elements: u32,
    invocations: u32,
    run: u32,            // vec4s an invocation visits at most
    first_partial: u32,  // where this window's partials start
    zero: u32,           // what `run_time_zero` returns
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> window: Window;

// The sums at a point over this invocation's part of the window.
fn sum_run(invocation: u32, at: Point) -> Total {
    let elements = window.elements;
    let invocations = window.invocations;
    let run = window.run;
    let whole = elements / 4u;
    let first = select(invocation, invocation * run, CONTIGUOUS);
    let stride = select(invocations, 1u, CONTIGUOUS);
    // How many of first, first + stride, … lie below `whole`, at most `run`.
    var within = 0u;
    if invocation < invocations && first < whole {
        within = min((whole - first + stride - 1u) / stride, run);
    }
    let count = within;

    var total = Total();
    for (var start = 0u; start < count; start += BLOCK) {
        let end = min(start + BLOCK, count);
        var block = Block();
        var k = start;
        if LOADS == 4u {
            let fours = start + ((end - start) & ~3u);
            for (; k < fours; k += 4u) {
                let i0 = first + k * stride;
                let i1 = i0 + stride;
                let i2 = i1 + stride;
                let i3 = i2 + stride;
                let x0 = x[i0];
                let x1 = x[i1];
                let x2 = x[i2];
                let x3 = x[i3];
                let t0 = t[i0];
                let t1 = t[i1];
                let t2 = t[i2];
                let t3 = t[i3];
                take(&block, at, x0, t0);
                take(&block, at, x1, t1);
                take(&block, at, x2, t2);
                take(&block, at, x3, t3);
            }
        }
        for (; k < end; k++) {
            let i = first + k * stride;
            take(&block, at, x[i], t[i]);
        }
        total = close(total, block);
    }

    // The last 1 to 3 elements share a vec4 with padding: selected, not
    // multiplied, so that nothing of the padding gets in.
    let rest = elements % 4u;
    if invocation == 0u && rest > 0u {
        var block = Block();
        take_valid(&block, at, x[whole], t[whole], vec4(0u, 1u, 2u, 3u) < vec4(rest));
        total = close(total, block);
    }
    return total;
}
