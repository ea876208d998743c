// parts: {real} {residual}
// twin: src/math/loss.rs half_slope
//
// The squared loss, as two functions: ρ′(r)/2, and what that is multiplied by to
// make ρ(r).

fn half_slope(at: Model, r: Reals) -> Reals {
    return r;
}

fn cofactor(r: Reals, slope: Reals) -> Reals {
    return r;
}
