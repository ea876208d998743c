// parts: two_float step {kernel}
// twin: src/engine/rule.rs outcome
//
// Gradient descent's rule, in two-floats: how W and b move by a gradient, and
// when they no longer do.
//
// Of four lanes, y is that of W and z that of b, as in (L, ∂L/∂W, ∂L/∂b, –).
// `moved` says how a displacement of W and b moves them in the coordinates that
// they are held in.

struct StepState {
    model: Sum,           // (–, W, b, –)
    velocity: Sum,        // likewise
    step: u32,            // steps so far
}

const STEP: u32 = 0u;
const TOLERANCE: u32 = 1u;
const DIVERGED: u32 = 2u;

// The same number in all lanes.
fn splat(v: vec2<f32>) -> Sum {
    return Sum(vec4(v.x), vec4(v.y));
}

// A gradient with the part of the weight decay; `decaying` says what W and b are
// in the coordinates that they are held in. The twin of `decayed` in
// src/engine/rule.rs.
fn decayed(gradient: Sum, model: Sum) -> Sum {
    if descent.weight_decay.x == 0.0 {
        return gradient;
    }
    return add(gradient, multiply(decaying(model), splat(descent.weight_decay)));
}

// The twin of `step` in src/engine/rule.rs, from a decayed gradient on.
fn stepped(state: StepState, gradient: Sum, rate: vec2<f32>) -> StepState {
    var velocity = gradient;
    if state.step != 0u && descent.momentum.x != 0.0 {
        velocity = add(
            multiply(state.velocity, splat(descent.momentum)),
            multiply(gradient, splat(descent.gradient_share)),
        );
    }
    var direction = velocity;
    if descent.is_nesterov != 0u {
        direction = add(gradient, multiply(velocity, splat(descent.momentum)));
    }
    let displacement = multiply(direction, splat(-rate));
    // After 2³² − 1 comes 1: there is one first step.
    return StepState(moved(state.model, displacement), velocity, max(state.step + 1u, 1u));
}

// `gradient` is the decayed one.
fn outcome(evaluation: Sum, gradient: Sum, next: Sum) -> u32 {
    if !(is_finite(evaluation.hi.xyz) && is_finite(evaluation.lo.xyz)) {
        return DIVERGED;
    }
    if descent.has_tolerance != 0u
        && is_tolerable(gradient.hi.y, gradient.lo.y, descent.tolerance)
        && is_tolerable(gradient.hi.z, gradient.lo.z, descent.bias_tolerance) {
        return TOLERANCE;
    }
    if !(is_finite(next.hi.yyz) && is_finite(next.lo.yyz)) {
        return DIVERGED;
    }
    return STEP;
}

// By the bits, because compilers assume that there are no NaNs.
fn is_finite(v: vec3<f32>) -> bool {
    return all((bitcast<vec3<u32>>(v) & vec3(0x7f800000u)) != vec3(0x7f800000u));
}

// Whether |hi + lo| is at most a tolerance.
fn is_tolerable(hi: f32, lo: f32, tolerance: vec2<f32>) -> bool {
    let sign = select(1.0, -1.0, hi < 0.0);
    let size = sign * hi;
    return size < tolerance.x || (size == tolerance.x && sign * lo <= tolerance.y);
}
