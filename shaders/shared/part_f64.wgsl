// parts: none
//
// Partial sums in f64, four to a part, for devices that have it.

alias Part = vec4<f64>;
alias Finished = vec4<f64>;

fn plus_part(total: Finished, part: Part, scale: f32) -> Finished {
    return total + part;
}
