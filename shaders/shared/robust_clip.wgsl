// parts: {real}
//
// The weights of clipping: 1 up to a bound, and 0 beyond.

fn robust_weight(r: Reals, bound: Reals) -> Reals {
    return selected(reals(vec4(1.0)), !exceeds(size_of(r), bound));
}
