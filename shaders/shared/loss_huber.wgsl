// parts: {real} {residual}
// twin: src/math/loss.rs half_slope
//
// Huber's loss, as two functions: ρ′(r)/2 = c, the residual clamped to ±δ, and what
// that is multiplied by to make ρ(r) = c·(2r − c).

fn half_slope(at: Model, r: Reals) -> Reals {
    return clamped(r, delta_of(at));
}

fn cofactor(r: Reals, slope: Reals) -> Reals {
    return merge(r, difference_of(r, slope));
}
