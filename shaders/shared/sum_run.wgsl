// Forward, residual and the three sums over one invocation's part of a window.
// CPU twin: engine/reference.rs `residual_sums`.
//
// Expects nothing; declares the bindings 0 (x), 1 (t) and 3 (window) and the
// override constants CONTIGUOUS, LOADS and BLOCK of the kernel that it precedes.
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
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> window: Window;

fn residual(xs: vec4<f32>, ts: vec4<f32>, weight: vec2<f32>, bias: vec2<f32>) -> vec4<f32> {
    let high = fma(vec4(weight.x), xs, vec4(bias.x)) - ts;
    return high + fma(vec4(weight.y), xs, vec4(bias.y));
}

fn lanes(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

// (Σr², Σr·x, Σr, 0) over this invocation's part of the window; W and b as
// (hi, lo).
fn sum_run(invocation: u32, weight: vec2<f32>, bias: vec2<f32>) -> vec4<f32> {
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

    var total = vec4<f32>();
    for (var start = 0u; start < count; start += BLOCK) {
        let end = min(start + BLOCK, count);
        var rr = vec4<f32>();
        var rx = vec4<f32>();
        var r = vec4<f32>();
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
                let r0 = residual(x0, t0, weight, bias);
                let r1 = residual(x1, t1, weight, bias);
                let r2 = residual(x2, t2, weight, bias);
                let r3 = residual(x3, t3, weight, bias);
                rr += (r0 * r0 + r1 * r1) + (r2 * r2 + r3 * r3);
                rx += (r0 * x0 + r1 * x1) + (r2 * x2 + r3 * x3);
                r += (r0 + r1) + (r2 + r3);
            }
        }
        for (; k < end; k++) {
            let i = first + k * stride;
            let xs = x[i];
            let rs = residual(xs, t[i], weight, bias);
            rr += rs * rs;
            rx += rs * xs;
            r += rs;
        }
        total += vec4(lanes(rr), lanes(rx), lanes(r), 0.0);
    }

    // The last 1 to 3 elements share a vec4 with padding: select, don't
    // multiply, so that nothing of the padding gets in.
    let rest = elements % 4u;
    if invocation == 0u && rest > 0u {
        let valid = vec4(0u, 1u, 2u, 3u) < vec4(rest);
        let xs = select(vec4<f32>(), x[whole], valid);
        let rs = select(vec4<f32>(), residual(xs, t[whole], weight, bias), valid);
        total += vec4(lanes(rs * rs), lanes(rs * xs), lanes(rs), 0.0);
    }
    return total;
}
