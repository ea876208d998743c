// parts: {real}
//
// Huber's weights: 1 up to a bound, and bound/|r| beyond.

fn robust_weight(r: Reals, bound: Reals) -> Reals {
    let size = size_of(r);
    let is_beyond = exceeds(size, bound);
    let beyond = selected(quotient(bound, size), is_beyond);
    return plus_term(beyond, selected(reals(vec4(1.0)), !is_beyond));
}
