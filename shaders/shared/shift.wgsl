// parts: none
//
// X and T less a shift, a point near their means: of x·W + b − t with large x
// and t, f32 would keep few digits. The bias is b + p·W − q then, with p and q
// the shifts.

// Whether there is a shift other than 0.
override SHIFTED: bool;

fn shifted(values: vec4<f32>, shift: f32) -> vec4<f32> {
    if SHIFTED {
        return values - vec4(shift);
    }
    return values;
}
