// parts: two_float {kernel}
// twin: src/fit/path.rs next
// twin: src/engine/gpu/coarse.rs coarse
//
// The end of a pass: loss and gradients of its sums, a row of the history, and
// the update W ← W − η·∂L/∂W, b ← b − η·∂L/∂b. The kernel declares the globals
// `descent` (uniform), `history` and `parameters` (storage, read_write).

// Invocations of the one workgroup, a power of two.
override WIDTH: u32;

struct Descent {
    mean: vec2<f32>,      // (hi, lo) of 1 / (Σw · partial_scale)
    rate: vec2<f32>,      // (hi, lo) of −η
    tolerance: vec2<f32>, // (hi, lo) of that of ∂L/∂W
    bias_tolerance: vec2<f32>, // (hi, lo) of that of ∂L/∂b
    x_pivot: vec2<f32>,   // (hi, lo) of what was taken off X on its way here
    x_mean: vec2<f32>,    // (hi, lo) of the mean of x, less the pivot
    x_square: vec2<f32>,  // and of x², likewise
    x_size: f32,          // of x about the pivot, a power of two
    x_reciprocal: f32,    // 1 / x_size
    t_size: f32,          // of t, likewise
    // A power of two that partials are multiplied with, so that their sum
    // does not overflow where their mean does not.
    partial_scale: f32,
    partial_count: u32,
    has_tolerance: u32,
    zero: u32,            // what `run_time_zero` returns
    most_steps: u32,      // that one dispatch may take
}

struct Row {
    evaluation: Sum,      // (L, ∂L/∂W, ∂L/∂b, –) at the W and b below
    weight: vec2<f32>,
    bias: vec2<f32>,
    step: u32,            // updates that led to this W and b
    onward: u32,          // ONWARD, or why no step follows
    unused: vec2<u32>,
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

// W and b with few digits. CPU twin: engine/gpu/coarse.rs `Sizes::coarse`.
fn coarse(weight: f32, bias: f32) -> vec2<f32> {
    let size = max(max(abs(weight) * descent.x_size, abs(bias)), descent.t_size);
    if !(size >= 0x1p-100 && size < 0x1p100) {
        return vec2(weight, bias);
    }
    let unit = bitcast<f32>(bitcast<u32>(size) & 0x7f800000u) * 0x1p-11;
    let unit_of_weight = unit * descent.x_reciprocal;
    return vec2(round(weight / unit_of_weight) * unit_of_weight, round(bias / unit) * unit);
}

// The rest of a number of which residuals are computed with `near`, which is so
// near that the difference is exact.
fn left_out(v: vec2<f32>, near: f32) -> vec2<f32> {
    let sum = normal(vec4(v.x - near), vec4(v.y));
    return vec2(sum.hi.x, sum.lo.x);
}

// (L, ∂L/∂W, ∂L/∂b, –) at W and b from those where the residual is less by
// w·x + v. CPU twin: engine/gpu/coarse.rs `Spread::moved`.
fn put_back(evaluation: Sum, w: vec2<f32>, v: vec2<f32>) -> Sum {
    if w.x == 0.0 && v.x == 0.0 {
        return evaluation;
    }
    let mean = descent.x_mean;
    let square = descent.x_square;
    // Twice (–, w·x² + v·x, w·x + v, –).
    let of_w = multiply(Sum(vec4(w.x), vec4(w.y)), Sum(vec4(0.0, square.x, mean.x, 0.0), vec4(0.0, square.y, mean.y, 0.0)));
    let of_v = multiply(Sum(vec4(v.x), vec4(v.y)), Sum(vec4(0.0, mean.x, 1.0, 0.0), vec4(0.0, mean.y, 0.0, 0.0)));
    let more = add(of_w, of_v);
    let gradients = add(evaluation, Sum(2.0 * more.hi, 2.0 * more.lo));
    // w times, and v times, the mean of the gradients at both ends.
    let ends = add(evaluation, gradients);
    let half_ends = Sum(0.5 * ends.hi, 0.5 * ends.lo);
    let terms = multiply(Sum(vec4(0.0, w.x, v.x, 0.0), vec4(0.0, w.y, v.y, 0.0)), half_ends);
    let of_loss = add(Sum(vec4(terms.hi.y), vec4(terms.lo.y)), Sum(vec4(terms.hi.z), vec4(terms.lo.z)));
    let loss = add(evaluation, of_loss);
    // No mean of squares is negative.
    let is_negative = loss.hi.x < 0.0;
    return Sum(
        vec4(select(loss.hi.x, 0.0, is_negative), gradients.hi.yzw),
        vec4(select(loss.lo.x, 0.0, is_negative), gradients.lo.yzw),
    );
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
    let weight = parameters.weight;
    let bias = parameters.bias;
    let near = parameters.coarse;
    var evaluation = put_back(
        Sum(means.hi * factors, means.lo * factors),
        left_out(weight, near.x),
        left_out(bias, near.y),
    );
    if is_centred {
        // x·r = (x − p)·r + p·r
        let more = multiply(
            Sum(vec4(0.0, pivot.x, 0.0, 0.0), vec4(0.0, pivot.y, 0.0, 0.0)),
            Sum(vec4(evaluation.hi.z), vec4(evaluation.lo.z)),
        );
        evaluation = add(evaluation, more);
    }

    // W and b stand where their gradients do.
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
    history.rows[history.count] = Row(evaluation, weight, bias, history.step, onward, vec2<u32>());
    history.count += 1u;
    if onward == ONWARD {
        parameters.weight = next_weight;
        parameters.bias = next_bias;
        parameters.coarse = coarse(next_weight.x, next_bias.x);
        history.step += 1u;
    } else {
        history.stopped = 1u;
    }
}
