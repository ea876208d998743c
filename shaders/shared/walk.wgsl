// parts: {load} {pass} {quantity}
//
// One invocation's part of a piece: the elements that it passes over, and the
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
// Groups that are summed before they are flushed into their total. Short sums
// keep f32's rounding error down; the host counts these loops too.
override BLOCK: u32;

// The pass at a point over the part of the elements from number `first` on that
// falls to one of `invocations` invocations.
fn walk(first: u32, elements: u32, lane: u32, invocations: u32, at: Point) -> Total {
    let end = first + elements;
    // The groups of which all four elements are passed over.
    let whole = (first + 3u) / 4u;
    let wholes = max(end / 4u, whole) - whole;
    let most = (wholes + invocations - 1u) / invocations;
    let skipped = select(lane, lane * most, CONTIGUOUS);
    let stride = select(invocations, 1u, CONTIGUOUS);
    // How many of skipped, skipped + stride, … lie below `wholes`, at most `most`.
    var within = 0u;
    if skipped < wholes {
        within = min((wholes - skipped + stride - 1u) / stride, most);
    }
    let count = within;
    let begin = whole + skipped;

    var total = Total();
    for (var start = 0u; start < count; start += BLOCK) {
        let end = min(start + BLOCK, count);
        var block = Block();
        var k = start;
        if LOADS == 4u {
            let fours = start + ((end - start) & ~3u);
            for (; k < fours; k += 4u) {
                let i0 = begin + k * stride;
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
            let i = begin + k * stride;
            pass_group(&block, at, i, load_x(i), load_t(i), load_weights(i));
        }
        total = flush(total, block);
    }

    // At either end, 1 to 3 elements may share a group with others or with
    // padding: selected, not multiplied, so that nothing of those gets in.
    if lane == 0u {
        for (var edge = 0u; edge < 2u; edge++) {
            let place = select(end, first, edge == 0u);
            let i = place / 4u;
            // Where both ends are in one group, it is passed over once.
            let is_other = edge == 0u || first % 4u == 0u || i != first / 4u;
            if place % 4u != 0u && is_other {
                let numbers = vec4(4u * i) + vec4(0u, 1u, 2u, 3u);
                let some = (numbers >= vec4(first)) & (numbers < vec4(end));
                var block = Block();
                pass_some(&block, at, i, load_x(i), load_t(i), load_weights(i), some);
                total = flush(total, block);
            }
        }
    }
    return total;
}
