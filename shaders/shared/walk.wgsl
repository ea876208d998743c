// parts: window {load} {pass} {quantity}
//
// One invocation's part of a window: the elements that it passes over, and the
// order in which they are summed.
//
// The pass is two functions: `pass_group` does its work on a group of four
// elements, `pass_some` on those of a group that a mask tells. The quantity is
// the types of a Point, a Block and a Total, and `flush`, which adds a Block to
// a Total.
//
// Compiled without bounds checks: every index lies in its buffer for the
// reasons written down in src/engine/gpu/plan.rs.

// Whether an invocation has neighbouring groups (a CPU's caches want that) or
// every `invocations`-th one, so that a workgroup's loads are neighbours.
override CONTIGUOUS: bool;
// Groups that are loaded before the first of them is used, so that memory
// answers them side by side: 1 or 4.
override LOADS: u32;
// Groups that are summed before they are flushed into their run's total. Short
// sums keep f32's rounding error down; the host counts these loops too.
override BLOCK: u32;

// The pass at a point over this invocation's part of the window.
fn walk(invocation: u32, at: Point) -> Total {
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
                pass_group(&block, at, i0, x0, t0, w0);
                pass_group(&block, at, i1, x1, t1, w1);
                pass_group(&block, at, i2, x2, t2, w2);
                pass_group(&block, at, i3, x3, t3, w3);
            }
        }
        for (; k < end; k++) {
            let i = first + k * stride;
            pass_group(&block, at, i, load_x(i), load_t(i), load_weights(i));
        }
        total = flush(total, block);
    }

    // The last 1 to 3 elements share a group with padding: selected, not
    // multiplied, so that nothing of the padding gets in.
    let rest = elements % 4u;
    if invocation == 0u && rest > 0u {
        var block = Block();
        let some = vec4(0u, 1u, 2u, 3u) < vec4(rest);
        pass_some(&block, at, whole, load_x(whole), load_t(whole), load_weights(whole), some);
        total = flush(total, block);
    }
    return total;
}
