// parts: none
//
// Four numbers of 16 bits, unpacked by the built-in function: for devices that
// show that theirs is exact for every one.

fn halves(group: vec2<u32>) -> vec4<f32> {
    return vec4(unpack2x16float(group.x), unpack2x16float(group.y));
}
