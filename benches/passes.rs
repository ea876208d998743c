//! The engines' passes under criterion, for changes to one of them:
//!
//! ```sh
//! cargo bench --bench passes -- cpu/residual_sums
//! ```
//!
//! Each is named engine/pass/type/size. `gpu` is the adapter that
//! `linfit fit --engine gpu` takes; `linfit bench` measures all of them, and
//! checks what they compute. Throughput counts X and T (forward: X and Y).

#![allow(clippy::expect_used, reason = "a pass that fails must not look fast")]
#![allow(clippy::print_stderr, reason = "a program for people")]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use linfit::array::{ElementType, Problem};
use linfit::engine::gpu::{Adapters, Gpu};
use linfit::engine::{Cpu, Engine, ReadProbe};
use linfit::fit::{GradientDescent, Update};
use linfit::io::synthetic::Recipe;
use linfit::math::Affine;

const SIZES: [(&str, usize); 3] = [("64Ki", 1 << 16), ("1Mi", 1 << 20), ("16Mi", 1 << 24)];
const AT: Affine = Affine { weight: 0.5, bias: 0.25 };

fn passes(criterion: &mut Criterion) {
    let adapters = Adapters::enumerate();
    for (size, elements) in SIZES {
        let recipe = Recipe { model: Affine::new(2.0, 1.0), noise: 0.1, element: ElementType::F32, seed: 0 };
        let (x, t) = recipe.matrices(elements).expect("f32 data");
        let data = Problem::pair(x, t).expect("a pair");
        engine_passes(criterion, &mut Cpu::new(&data), size, elements);
        match adapters.choose(None) {
            Ok(adapter) => {
                let mut gpu = Gpu::open(adapter, &data).expect("an adapter that opens");
                engine_passes(criterion, &mut gpu, size, elements);
            }
            Err(error) => eprintln!("no gpu/ benchmarks: {error}"),
        }
    }
}

fn engine_passes(criterion: &mut Criterion, engine: &mut dyn Engine, size: &str, elements: usize) {
    let mut group = criterion.benchmark_group(engine.info().kind.name());
    group.throughput(Throughput::Bytes(2 * 4 * elements as u64));
    group.bench_function(format!("forward/f32/{size}"), |bencher| {
        bencher.iter(|| {
            let mut sink = |ys: &[f32]| {
                black_box(ys);
                Ok(())
            };
            engine.predict(AT, &mut sink).expect("a forward pass");
        });
    });
    group.bench_function(format!("residual_sums/f32/{size}"), |bencher| {
        bencher.iter(|| engine.loss_sums_at(black_box(AT)).expect("a residual pass"));
    });
    group.bench_function(format!("moments/f32/{size}"), |bencher| {
        bencher.iter(|| engine.all_moments().expect("a moments pass"));
    });
    for (pass, update) in [("step", Update::Host), ("steps", Update::Auto)] {
        group.bench_function(format!("{pass}/f32/{size}"), |bencher| {
            // A descent evaluates where it starts, so `steps` steps are one pass
            // more; criterion divides by the number of passes it asked for.
            bencher.iter_custom(|passes| {
                let sgd =
                    GradientDescent { steps: passes - 1, start: AT, update, ..GradientDescent::default() };
                let started = std::time::Instant::now();
                let fit = sgd.fit(engine, &mut |_| ControlFlow::Continue(())).expect("a descent");
                let took = started.elapsed();
                assert_eq!(fit.steps, passes - 1);
                took
            });
        });
    }
    group.finish();
}

/// The machine's read bandwidth, which the passes are held against.
fn read(criterion: &mut Criterion) {
    let probe = ReadProbe::new(256 << 20);
    assert_eq!(probe.pass(), probe.expected());
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(probe.bytes()));
    group.bench_function("u64/32Mi", |bencher| bencher.iter(|| probe.pass()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = read, passes
}
criterion_main!(benches);
