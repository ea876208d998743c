// What follows a pass: loss and gradients of its sums, a row of the history,
// and the update W ← W − η·∂L/∂W, b ← b − η·∂L/∂b. CPU twin: fit/path.rs
// `HostPath::next`.
//
// Expects shared/two_float.wgsl, shared/two_float_products.wgsl,
// shared/parameters.wgsl, and the globals `descent: Descent` (uniform),
// `history: History` and `parameters: Parameters` (storage, read_write).

// Invocations of the one workgroup, a power of two; set by the host.
override WIDTH: u32 = 64u;

struct Descent {
    mean: vec2<f32>,      // (hi, lo) of 1 / (Σw · partial_scale)
    rate: vec2<f32>,      // (hi, lo) of −η
    tolerance: vec2<f32>, // (hi, lo) of that of ∂L/∂W
    x_pivot: vec2<f32>,   // (hi, lo) of what was taken off X on its way here
    // A power of two that partials are multiplied with, so that their sum
    // does not overflow where their mean does not.
    partial_scale: f32,
    partial_count: u32,
    has_tolerance: u32,
    zero: u32,            // what `run_time_zero` returns
    most_steps: u32,      // that one dispatch may take
    unused0: u32,
    bias_tolerance: vec2<f32>, // (hi, lo) of that of ∂L/∂b
}

struct Row {
    evaluation: Sum,      // (L, ∂L/∂W, ∂L/∂b, –) at the W and b below
    weight: vec2<f32>,
    bias: vec2<f32>,
    step: u32,            // updates that led to this W and b
    onward: u32,          // ONWARD, or why no step follows
    unused0: u32,
    unused1: u32,
}

struct History {
    wanted: u32,          // rows that the host asked for
    count: u32,           // rows there are
    stopped: u32,         // whether a row says that no step follows
    step: u32,            // updates so far
    rows: array<Row>,
}

const ONWARD: u32 = 0u;
const TOLERANCE: u32 = 1u;
const DIVERGED: u32 = 2u;

var<workgroup> totals: array<Sum, WIDTH>;

fn run_time_zero() -> u32 {
    return descent.zero;
}

// Leaves the sum of all `totals` in `totals[0]`, for the first invocation.
fn merge_totals(local: u32) {
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            totals[local] = add(totals[local], totals[local + half]);
        }
    }
}

// By the bits, because compilers assume that there are no NaNs.
fn is_finite(v: vec2<f32>) -> bool {
    return all((bitcast<vec2<u32>>(v) & vec2(0x7f800000u)) != vec2(0x7f800000u));
}

// Whether |hi + lo| is at most a tolerance.
fn is_tolerable(hi: f32, lo: f32, tolerance: vec2<f32>) -> bool {
    let sign = select(1.0, -1.0, hi < 0.0);
    let size = sign * hi;
    return size < tolerance.x || (size == tolerance.x && sign * lo <= tolerance.y);
}

// Whether another step is to follow. For the first invocation only.
fn goes_on() -> bool {
    return history.stopped == 0u && history.count < history.wanted;
}

// Evaluates `totals[0]`, writes it down and updates W and b, unless the descent
// has stopped. For the first invocation only.
fn take_step() {
    if !goes_on() {
        return;
    }
    let means = multiply(totals[0], Sum(vec4(descent.mean.x), vec4(descent.mean.y)));
    let factors = vec4(1.0, 2.0, 2.0, 1.0);
    let rate = Sum(vec4(descent.rate.x), vec4(descent.rate.y));
    let pivot = descent.x_pivot;
    let is_centred = pivot.x != 0.0;
    var evaluation = Sum(means.hi * factors, means.lo * factors);
    if is_centred {
        // x·r = (x − p)·r + p·r
        let more = multiply(
            Sum(vec4(0.0, pivot.x, 0.0, 0.0), vec4(0.0, pivot.y, 0.0, 0.0)),
            Sum(vec4(evaluation.hi.z), vec4(evaluation.lo.z)),
        );
        evaluation = add(evaluation, more);
    }

    // W and b stand where their gradients do.
    let weight = parameters.weight;
    let bias = parameters.bias;
    let at = Sum(vec4(0.0, weight.x, bias.x, 0.0), vec4(0.0, weight.y, bias.y, 0.0));
    var step = multiply(evaluation, rate);
    if is_centred {
        // The bias here is b + p·W − q: it moves with W too.
        let more = multiply(
            Sum(vec4(0.0, 0.0, pivot.x, 0.0), vec4(0.0, 0.0, pivot.y, 0.0)),
            Sum(vec4(step.hi.y), vec4(step.lo.y)),
        );
        step = add(step, more);
    }
    let next = add(at, step);
    let next_weight = vec2(next.hi.y, next.lo.y);
    let next_bias = vec2(next.hi.z, next.lo.z);

    var onward = ONWARD;
    if !(is_finite(evaluation.hi.xy) && is_finite(evaluation.lo.xy)
        && is_finite(evaluation.hi.yz) && is_finite(evaluation.lo.yz)) {
        onward = DIVERGED;
    } else if descent.has_tolerance != 0u
        && is_tolerable(evaluation.hi.y, evaluation.lo.y, descent.tolerance)
        && is_tolerable(evaluation.hi.z, evaluation.lo.z, descent.bias_tolerance) {
        onward = TOLERANCE;
    } else if !(is_finite(next_weight) && is_finite(next_bias)) {
        onward = DIVERGED;
    }
    history.rows[history.count] = Row(evaluation, weight, bias, history.step, onward, 0u, 0u);
    history.count += 1u;
    if onward == ONWARD {
        parameters.weight = next_weight;
        parameters.bias = next_bias;
        history.step += 1u;
    } else {
        history.stopped = 1u;
    }
}
