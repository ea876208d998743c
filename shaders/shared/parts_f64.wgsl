// Partial sums as f64, four to a part. Only for devices that have f64.

alias Part = vec4<f64>;
alias Finished = vec4<f64>;

fn join_part(total: Finished, part: Part) -> Finished {
    return total + part;
}
