// parts: two_float
//
// Partial sums as two-floats, four to a part.

alias Part = Sum;
alias Finished = Sum;

fn plus_part(total: Finished, part: Part, scale: f32) -> Finished {
    return add(total, Sum(part.hi * scale, part.lo * scale));
}
