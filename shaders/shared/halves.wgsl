// parts: none
//
// Four numbers of 16 bits, unpacked by their bits: the built-in function may
// take subnormal ones for 0, where drivers flush them. The fractions of those
// are whole numbers times 2⁻²⁴; of normal ones the exponent's bias moves from
// 15 to 127.

fn halves(group: vec2<u32>) -> vec4<f32> {
    let bits = (group.xxyy >> vec4(0u, 16u, 0u, 16u)) & vec4(0xffffu);
    let size = bits & vec4(0x7fffu);
    let subnormal = vec4<f32>(size) * 0x1p-24;
    let normal = bitcast<vec4<f32>>((size << vec4(13u)) + vec4(0x38000000u));
    let sign = (bits & vec4(0x8000u)) << vec4(16u);
    let value = bitcast<vec4<u32>>(select(normal, subnormal, size < vec4(0x400u)));
    return bitcast<vec4<f32>>(value | sign);
}
