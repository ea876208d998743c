// parts: two_float
//
// Partial sums as two-floats, four to a part.

alias Part = Sum;
alias Finished = Sum;

fn plus_part(total: Finished, part: Part) -> Finished {
    return add(total, part);
}
