// Partial sums as two-floats, four to a part.
//
// Expects shared/two_float_products.wgsl.

alias Part = Sum;
alias Finished = Sum;

fn join_part(total: Finished, part: Part) -> Finished {
    return add(total, part);
}
