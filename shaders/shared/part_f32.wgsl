// parts: two_float
//
// Partial sums in f32, four to a part. They are added up as two-floats: however
// many there are, it costs no digits.

alias Part = vec4<f32>;
alias Finished = Sum;

fn plus_part(total: Finished, part: Part, scale: f32) -> Finished {
    let next = two_sum(total.hi, part * scale);
    return Sum(next.hi, total.lo + next.lo);
}
