// parts: halves_built_in
// twin: src/engine/gpu/self_test.rs self_test_halves
//
// Every pattern of 16 bits, unpacked: whether the built-in function keeps all
// numbers is found out, not assumed.

@group(0) @binding(0) var<storage, read_write> unpacked: array<vec4<f32>>;

@compute @workgroup_size(64)
fn self_test_halves(@builtin(global_invocation_id) id: vec3<u32>) {
    let first = 4u * id.x;
    unpacked[id.x] = halves(vec2(first | ((first + 1u) << 16u), (first + 2u) | ((first + 3u) << 16u)));
}
