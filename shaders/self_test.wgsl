// parts: two_float {product}
// twin: src/engine/gpu/self_test.rs self_test
//
// Sums and products whose rounding errors the host knows: whether this device
// and its compiler keep them is found out, not assumed.

struct Test {
    count: u32,
    zero: u32,           // what `run_time_zero` returns
    unused: vec2<u32>,
}

struct Case {
    a: vec4<f32>,
    b: vec4<f32>,
}

struct Result {
    sum: Sum,
    product: Sum,
    chain: Sum,          // a + b − a: b, if nothing was lost on the way
}

@group(0) @binding(0) var<storage, read> cases: array<Case>;
@group(0) @binding(1) var<storage, read_write> results: array<Result>;
@group(0) @binding(2) var<uniform> test: Test;

fn run_time_zero() -> u32 {
    return test.zero;
}

@compute @workgroup_size(64)
fn self_test(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= test.count {
        return;
    }
    let a = cases[id.x].a;
    let b = cases[id.x].b;
    let none = vec4<f32>();
    let chain = plus(plus(Sum(a, none), Sum(b, none)), Sum(-a, none));
    results[id.x] = Result(two_sum(a, b), two_product(a, b), normal(chain.hi, chain.lo));
}
