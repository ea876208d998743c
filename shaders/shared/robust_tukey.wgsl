// parts: {real}
//
// Tukey's weights: (1 − (r/bound)²)² up to a bound, and 0 beyond.

fn robust_weight(r: Reals, bound: Reals) -> Reals {
    let u = quotient(r, bound);
    let share = difference_of(reals(vec4(1.0)), product(u, u));
    return selected(product(share, share), !exceeds(size_of(r), bound));
}
