// One invocation's part of a window: which elements it takes, and in which
// order they are summed.
//
// Expects, from one of shared/residuals_*.wgsl and shared/moments_*.wgsl, what
// is done with them: `take` adds the terms of four elements to a Block,
// `take_valid` those of some of four, each as often as its weight says, `close`
// adds a Block to a Total. And one of shared/holes_none.wgsl and
// shared/holes_bits.wgsl: which elements count.
//
// Expects `load_x`, `load_t` and `load_weights`, four elements of X, of T and of
// the weights, whatever their type (engine/gpu/packing.rs); they declare the
// bindings 0, 1 and, if there are weights, 7. Declares binding 3 (window) and
// the override constants WEIGHTED, CENTRED, CONTIGUOUS, LOADS and BLOCK of the kernel that
// it precedes.
//
// Compiled without bounds checks: every index lies in its buffer for the
// reasons written down in engine/gpu/plan.rs.

// Whether pairs have weights; if not, all of them are 1 and nothing is
// multiplied with them.
override WEIGHTED: bool = false;
// Whether residuals in f32 are computed about other centres than 0.
override CENTRED: bool = false;
// Whether an invocation takes neighbouring vec4s (a CPU's caches want that)
// or every `invocations`-th one, so that a workgroup's loads are neighbours.
override CONTIGUOUS: bool = true;
// Groups of x, and of t, that are loaded before the first of them is used, so
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
    x_centre: f32,       // what residuals in f32 take off X
    t_centre: f32,       // and off T
    unused: u32,
}

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
                let x0 = load_x(i0);
                let x1 = load_x(i1);
                let x2 = load_x(i2);
                let x3 = load_x(i3);
                let t0 = load_t(i0);
                let t1 = load_t(i1);
                let t2 = load_t(i2);
                let t3 = load_t(i3);
                let w0 = load_weights(i0);
                let w1 = load_weights(i1);
                let w2 = load_weights(i2);
                let w3 = load_weights(i3);
                visit(&block, at, i0, x0, t0, w0);
                visit(&block, at, i1, x1, t1, w1);
                visit(&block, at, i2, x2, t2, w2);
                visit(&block, at, i3, x3, t3, w3);
            }
        }
        for (; k < end; k++) {
            let i = first + k * stride;
            visit(&block, at, i, load_x(i), load_t(i), load_weights(i));
        }
        total = close(total, block);
    }

    // The last 1 to 3 elements share a vec4 with padding: selected, not
    // multiplied, so that nothing of the padding gets in.
    let rest = elements % 4u;
    if invocation == 0u && rest > 0u {
        var block = Block();
        let valid = (vec4(0u, 1u, 2u, 3u) < vec4(rest)) & counts(whole);
        take_valid(&block, at, load_x(whole), load_t(whole), load_weights(whole), valid);
        total = close(total, block);
    }
    return total;
}
