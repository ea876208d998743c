// parts: two_float rule {kernel}
// twin: src/fit/host.rs advance
// twin: src/engine/gpu/coarse.rs coarse
//
// The end of a pass: loss and gradients of its sums, a row of the history, and
// the step that follows. The kernel declares the globals `descent` (uniform),
// `plan` (storage), `history` and `parameters` (storage, read_write).

// Invocations of the one workgroup, a power of two.
override WIDTH: u32;

struct Descent {
    momentum: vec2<f32>,  // (hi, lo) of μ
    gradient_share: vec2<f32>, // (hi, lo) of 1 − τ
    tolerance: vec2<f32>, // (hi, lo) of that of |∂L/∂W|
    bias_tolerance: vec2<f32>, // (hi, lo) of that of |∂L/∂b|
    weight_decay: vec2<f32>, // (hi, lo) of δ
    x_shift: vec2<f32>,   // (hi, lo) of p, which was taken off X on its way here
    t_shift: vec2<f32>,   // (hi, lo) of q, which was taken off T
    x_mean: vec2<f32>,    // (hi, lo) of the mean of x − p
    x_square: vec2<f32>,  // (hi, lo) of the mean of (x − p)²
    x_size: f32,          // size of x − p, a power of two
    x_reciprocal: f32,    // 1 / x_size
    t_size: f32,          // size of t about its shift, likewise
    // A power of two that partials are multiplied with, so that their sum
    // does not overflow where their mean does not.
    partial_scale: f32,
    has_tolerance: u32,
    zero: u32,            // what `run_time_zero` returns
    most_steps: u32,      // that one dispatch may take
    elements: u32,        // of the data, if one workgroup passes over all of them
    is_nesterov: u32,
    is_whole: u32,        // whether residuals have all digits of W and b
    unused: vec2<u32>,
}

// A step that the host has planned.
struct Planned {
    rate: vec2<f32>,      // (hi, lo) of η
    mean: vec2<f32>,      // (hi, lo) of 1 / (Σw · partial_scale)
    partials: u32,        // that its pass leaves
    unused: u32,
}

struct Row {
    evaluation: Sum,      // (L, ∂L/∂W, ∂L/∂b, –) at the W and b below
    weight: vec2<f32>,
    bias: vec2<f32>,
    velocity_weight: vec2<f32>, // with which the descent came there
    velocity_bias: vec2<f32>,
    step: u32,            // steps that led to this W and b
    outcome: u32,         // STEP, or why no step follows
    unused: vec2<u32>,
}

struct History {
    wanted: u32,          // rows that the host asked for
    count: u32,           // rows there are
    stopped: u32,         // whether a row says that no step follows
    step: u32,            // steps so far
    velocity_weight: vec2<f32>, // (hi, lo) of that of W after the last of them
    velocity_bias: vec2<f32>,   // and of b
    rows: array<Row>,
}

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

// Whether another step is to follow. For the first invocation only.
fn goes_on() -> bool {
    return history.stopped == 0u && history.count < history.wanted;
}

// W and b with few digits.
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
// w·x + v. The twin of `moved` in src/engine/gpu/coarse.rs.
fn put_back(evaluation: Sum, w: vec2<f32>, v: vec2<f32>) -> Sum {
    if w.x == 0.0 && v.x == 0.0 {
        return evaluation;
    }
    let mean = descent.x_mean;
    let square = descent.x_square;
    // Twice (–, w·x² + v·x, w·x + v, –).
    let more = add(
        multiply(splat(w), of_w_and_b(square, mean)),
        multiply(splat(v), of_w_and_b(mean, vec2(1.0, 0.0))),
    );
    let gradients = add(evaluation, Sum(2.0 * more.hi, 2.0 * more.lo));
    // w times, and v times, the mean of the gradients at both ends.
    let ends = add(evaluation, gradients);
    let terms = multiply(of_w_and_b(w, v), Sum(0.5 * ends.hi, 0.5 * ends.lo));
    let of_loss = add(Sum(vec4(terms.hi.y), vec4(terms.lo.y)), Sum(vec4(terms.hi.z), vec4(terms.lo.z)));
    let loss = add(evaluation, of_loss);
    // No mean of squares is negative.
    let is_negative = loss.hi.x < 0.0;
    return Sum(
        vec4(select(loss.hi.x, 0.0, is_negative), gradients.hi.yzw),
        vec4(select(loss.lo.x, 0.0, is_negative), gradients.lo.yzw),
    );
}

// (–, W, b, –) of two numbers.
fn of_w_and_b(w: vec2<f32>, b: vec2<f32>) -> Sum {
    return Sum(vec4(0.0, w.x, b.x, 0.0), vec4(0.0, w.y, b.y, 0.0));
}

// W and b moved by a displacement: the bias here is b + p·W − q, and so moves
// with W too.
fn moved(model: Sum, displacement: Sum) -> Sum {
    let shift = descent.x_shift;
    if shift.x == 0.0 {
        return add(model, displacement);
    }
    let more = multiply(
        of_w_and_b(vec2(0.0, 0.0), shift),
        Sum(vec4(displacement.hi.y), vec4(displacement.lo.y)),
    );
    return add(model, add(displacement, more));
}

// (–, W, b, –) of a model: b is that here less p·W − q.
fn decaying(model: Sum) -> Sum {
    let shift = descent.x_shift;
    if shift.x == 0.0 && descent.t_shift.x == 0.0 {
        return model;
    }
    let rise = add(
        multiply(of_w_and_b(vec2(0.0, 0.0), shift), Sum(vec4(model.hi.y), vec4(model.lo.y))),
        of_w_and_b(vec2(0.0, 0.0), -descent.t_shift),
    );
    return add(model, Sum(-rise.hi, -rise.lo));
}

// Evaluates `totals[0]`, writes it down and takes the step that follows, unless
// the descent has stopped. For the first invocation only.
fn advance() {
    if !goes_on() {
        return;
    }
    let means = multiply(totals[0], splat(plan[history.count].mean));
    let factors = vec4(1.0, 2.0, 2.0, 1.0);
    let weight = parameters.weight;
    let bias = parameters.bias;
    let near = parameters.coarse;
    var evaluation = Sum(means.hi * factors, means.lo * factors);
    if descent.is_whole == 0u {
        evaluation = put_back(evaluation, left_out(weight, near.x), left_out(bias, near.y));
    }
    let shift = descent.x_shift;
    if shift.x != 0.0 {
        // x·r = (x − p)·r + p·r
        let more = multiply(
            of_w_and_b(shift, vec2(0.0, 0.0)),
            Sum(vec4(evaluation.hi.z), vec4(evaluation.lo.z)),
        );
        evaluation = add(evaluation, more);
    }

    let row = history.count;
    let velocity = of_w_and_b(history.velocity_weight, history.velocity_bias);
    let state = StepState(of_w_and_b(weight, bias), velocity, history.step);
    // The host has planned a step for every row.
    let gradient = decayed(evaluation, state.model);
    let next = stepped(state, gradient, plan[row].rate);
    let follows = outcome(evaluation, gradient, next.model);
    history.rows[row] = Row(
        evaluation,
        weight,
        bias,
        history.velocity_weight,
        history.velocity_bias,
        history.step,
        follows,
        vec2<u32>(),
    );
    history.count = row + 1u;
    if follows != STEP {
        history.stopped = 1u;
        return;
    }
    let model = next.model;
    parameters.weight = vec2(model.hi.y, model.lo.y);
    parameters.bias = vec2(model.hi.z, model.lo.z);
    parameters.coarse = coarse(model.hi.y, model.hi.z);
    history.velocity_weight = vec2(next.velocity.hi.y, next.velocity.lo.y);
    history.velocity_bias = vec2(next.velocity.hi.z, next.velocity.lo.z);
    history.step = next.step;
}
