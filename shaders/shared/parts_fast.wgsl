// Partial sums as plain f32, four to a part.
//
// Expects shared/two_float.wgsl.

alias Part = vec4<f32>;
alias Finished = Sum;

// Parts are joined as two-floats: however many there are, it costs no digits.
fn join_part(total: Finished, part: Part) -> Finished {
    let next = two_sum(total.hi, part);
    return Sum(next.hi, total.lo + next.lo);
}
