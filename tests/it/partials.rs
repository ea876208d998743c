//! Results of parts of the data, in whatever order and form they come, are those
//! of the whole; many fits in one pass are those of as many problems.

use std::fmt::Debug;
use std::sync::Arc;

use linfit::array::{Array, ElementType, Groups, GroupsError, Layout, Order, Problem, Shape, ValidityRules};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision, Reduction, Tuning};
use linfit::engine::{Cpu, Digits, Engine, EngineError, Mergeable, Partials, PartialsError, Reference};
use linfit::math::{Affine, Line, Loss, LossSums, Moments};

use crate::common::adapter::software_adapter;
use crate::common::noise::noise;
use crate::common::tolerances::DEVICE_FITS;

const N: usize = 1_000_003;
const CHUNK: usize = 65_536;
const AT: Affine = Affine::new(1.9, 0.7);

/// X, T and, where a case has them, weights and a mask, of which any range is a
/// problem too.
#[derive(Clone)]
struct Case {
    name: &'static str,
    x: Column,
    t: Column,
    weights: Option<Vec<f64>>,
    mask: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Column {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
}

impl Column {
    fn array(&self, label: &str, shape: &[u64], range: std::ops::Range<usize>) -> Array {
        match self {
            Self::F32(values) => Array::from_vec(label, shape, values[range].to_vec()),
            Self::F64(values) => Array::from_vec(label, shape, values[range].to_vec()),
            Self::I64(values) => Array::from_vec(label, shape, values[range].to_vec()),
        }
    }
}

impl Case {
    /// The problem of some elements.
    fn part(&self, range: std::ops::Range<usize>) -> Problem {
        let shape = [range.len() as u64];
        self.shaped(&shape, range)
    }

    fn shaped(&self, shape: &[u64], range: std::ops::Range<usize>) -> Problem {
        let weights = self.weights.as_ref();
        let mask = self.mask.as_ref();
        let rules = ValidityRules {
            weights: weights
                .map(|weights| Array::from_vec("w", shape, weights[range.clone()].to_vec()).into()),
            mask: mask.map(|mask| Array::from_vec("mask", shape, mask[range.clone()].to_vec()).into()),
            ..ValidityRules::default()
        };
        let (x, t) = (self.x.array("x", shape, range.clone()), self.t.array("t", shape, range));
        Problem::builder(x).target(t).rules(rules).build().unwrap()
    }

    fn whole(&self) -> Problem {
        self.part(0..N)
    }
}

fn f32_case() -> Case {
    let x: Vec<f32> = (0..N as u64).map(|k| noise(k) as f32).collect();
    let t = x.iter().zip(N as u64..).map(|(&x, k)| 2.0 * x + 1.0 + 0.1 * noise(k) as f32).collect();
    Case { name: "f32", x: Column::F32(x), t: Column::F32(t), weights: None, mask: None }
}

/// Weights, and missing values: every 13th, and most of a chunk and more.
fn excluded_case() -> Case {
    let mask = |k: usize| u8::from(!k.is_multiple_of(13) && !(2 * CHUNK - 70..3 * CHUNK + 5).contains(&k));
    Case {
        name: "weights and missing values",
        weights: Some((0..N as u64).map(|k| 1.5 + noise(3 * k)).collect()),
        mask: Some((0..N).map(mask).collect()),
        ..f32_case()
    }
}

/// Times in nanoseconds, whose last digits f64 does not hold, in all chunks but
/// some; parts begin with other elements than the whole.
fn i64_case() -> Case {
    let x = |k: i64| if (300_000..500_000).contains(&k) { k } else { 1_700_000_000_000_000_000 + 977 * k };
    let t = (0..N as u64).map(|k| 0.25 * k as f64 + noise(k)).collect();
    let x = Column::I64((0..N as i64).map(x).collect());
    Case { name: "i64", x, t: Column::F64(t), weights: None, mask: None }
}

/// Times in nanoseconds, all of them far from 0: each chunk is off by another
/// shift, and T rises with X.
fn far_case() -> Case {
    let x = Column::I64((0..N as i64).map(|k| 1_700_000_000_000_000_000 + 977 * k).collect());
    Case { name: "far i64", x, ..i64_case() }
}

/// W and b near the line of a case, off by some tenths of W.
fn near_line(case: &Case, tenths: usize) -> Affine {
    let more = 1.0 + 0.1 * tenths as f64;
    match case.name {
        "far i64" => Affine::new(more * 0.25 / 977.0, -more * 0.25 / 977.0 * 1.7e18),
        _ => Affine::new(1.5 * more, 0.5),
    }
}

/// Squares beyond f64 in some chunks, below it in others, and zeros.
fn extreme_case() -> Case {
    let size = |k: usize| match k / 150_000 {
        0 => 1e200,
        2 => 1e-200,
        3 => 0.0,
        _ => 1.0,
    };
    let x: Vec<f64> = (0..N).map(|k| size(k) * noise(k as u64)).collect();
    let t = x.iter().map(|x| 2.0 * x).collect();
    let weight = |k: usize| if k < 400_000 { 1e-59 } else { 1e59 };
    let weights = Some((0..N).map(weight).collect());
    Case { name: "extremes", x: Column::F64(x), t: Column::F64(t), weights, mask: None }
}

fn cases() -> Vec<Case> {
    vec![f32_case(), excluded_case(), i64_case(), extreme_case()]
}

type Open = fn(&Problem) -> Box<dyn Engine>;
const ENGINES: [(&str, Open); 2] =
    [("cpu", |data| Box::new(Cpu::new(data))), ("reference", |data| Box::new(Reference::new(data)))];

/// Ranges of chunks that make up the whole, in any order.
fn split(seed: u64) -> Vec<std::ops::Range<u64>> {
    let chunks = N.div_ceil(CHUNK) as u64;
    let mut ends: Vec<u64> = (1..chunks).filter(|&k| noise(seed * 1000 + k) > 0.2).chain([chunks]).collect();
    ends.dedup();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let mut ranges: Vec<_> = starts.zip(ends.iter().copied()).map(|(start, end)| start..end).collect();
    ranges.sort_by(|a, b| noise(seed + 7 * a.start).total_cmp(&noise(seed + 7 * b.start)));
    assert!(ranges.len() > 3);
    ranges
}

/// Through a file and back.
fn sent<S: Mergeable + Clone>(part: &Partials<S>) -> Partials<S> {
    serde_json::from_str(&serde_json::to_string(part).unwrap()).unwrap()
}

fn merged<S: Mergeable>(parts: Vec<Partials<S>>) -> Partials<S> {
    parts.into_iter().reduce(|all, part| all.merge(part).unwrap()).unwrap()
}

/// The result of a pass, of which every bit is compared.
fn bits<S: Mergeable + Clone + Debug>(partials: &Partials<S>) -> String {
    format!("{:?} {}", partials.total().unwrap(), serde_json::to_string(partials).unwrap())
}

/// Calls over ranges of one problem, problems of their own for each range, and
/// serialised results of these.
#[test]
fn parts_have_the_bits_of_the_whole() {
    for case in cases() {
        let whole = case.whole();
        let all = whole.grid().chunks();
        assert_eq!(all, 0..16);
        for (name, open) in ENGINES {
            let mut engine = open(&whole);
            let want_sums = bits(&engine.loss_sums(&[AT], Loss::Squared, all.clone()).unwrap());
            let want_moments = bits(&engine.moments(all.clone()).unwrap());
            assert_eq!(
                format!("{:?}", engine.loss_sums_at(AT).unwrap()),
                want_sums.split(" {\"").next().unwrap()
            );
            for seed in 0..2 {
                let (mut sums, mut moments) = (Vec::new(), Vec::new());
                for (k, over) in split(seed).into_iter().enumerate() {
                    // Every other one by a problem of its own, as another process would.
                    if k % 2 == 0 {
                        sums.push(engine.loss_sums(&[AT], Loss::Squared, over.clone()).unwrap());
                        moments.push(engine.moments(over).unwrap());
                    } else {
                        let part = case.part(over.start as usize * CHUNK..N.min(over.end as usize * CHUNK));
                        let mut engine = open(&part.starting_at(over.start).unwrap());
                        sums.push(sent(&engine.loss_sums(&[AT], Loss::Squared, over.clone()).unwrap()));
                        moments.push(sent(&engine.moments(over).unwrap()));
                    }
                }
                let case = format!("{}, {name}, split {seed}", case.name);
                assert_eq!(bits(&merged(sums)), want_sums, "{case}");
                assert_eq!(bits(&merged(moments)), want_moments, "{case}");
            }
        }
    }
}

#[test]
fn any_number_of_threads_makes_the_same_parts() {
    let data = excluded_case().whole();
    let pass = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut cpu = Cpu::new(&data);
            (bits(&cpu.loss_sums(&[AT], Loss::Squared, 1..14).unwrap()), bits(&cpu.moments(1..14).unwrap()))
        })
    };
    let want = pass(1);
    assert!((2..5).all(|threads| pass(threads) == want));
}

/// The tree's result is that of all elements one after the other, to rounding.
#[test]
fn the_tree_leaves_nothing_out() {
    let Case { x: Column::F32(x), t: Column::F32(t), .. } = f32_case() else { unreachable!() };
    let pairs = || x.iter().zip(&t).map(|(&x, &t)| (f64::from(x), f64::from(t)));
    let n = N as f64;
    let (x_mean, t_mean) =
        (pairs().map(|pair| pair.0).sum::<f64>() / n, pairs().map(|pair| pair.1).sum::<f64>() / n);
    let xx: f64 = pairs().map(|(x, _)| (x - x_mean).powi(2)).sum();
    let xt: f64 = pairs().map(|(x, t)| (x - x_mean) * (t - t_mean)).sum();
    let rr: f64 = pairs().map(|(x, t)| (AT.apply(x) - t).powi(2)).sum();
    for (name, open) in ENGINES {
        let mut engine = open(&f32_case().whole());
        let (moments, sums) = (engine.all_moments().unwrap(), engine.loss_sums_at(AT).unwrap());
        for (got, want) in [(moments.xx, xx), (moments.xt, xt), (sums.rr, rr), (moments.x_mean(), x_mean)] {
            assert!((got - want).abs() <= 1e-11 * want.abs(), "{name}: {got} for {want}");
        }
    }
}

fn refused<S: Mergeable + Debug>(result: Result<Partials<S>, PartialsError>, words: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn parts_of_another_whole_are_refused() {
    let data = f32_case().whole();
    let mut cpu = Cpu::new(&data);
    let mut part = |over| cpu.loss_sums(&[AT], Loss::Squared, over).unwrap();
    let (head, middle, tail) = (part(0..4), part(3..9), part(9..16));
    refused(head.clone().merge(middle.clone()), "chunks 3 to 3 are in both parts; merge each part once");
    let gap = head.clone().merge(tail.clone()).unwrap();
    assert_eq!(gap.chunks(), [0..4, 9..16]);
    assert_eq!(gap.total().unwrap_err(), PartialsError::Gap { chunks: 4..9 });
    assert_eq!((head.end(), gap.end()), (None, Some(N as u64)));
    // A part of its own data that would lie behind the last, shorter chunk.
    let behind = f32_case().part(0..CHUNK).starting_at(16).unwrap();
    let behind = Cpu::new(&behind).loss_sums(&[AT], Loss::Squared, 16..17).unwrap();
    refused(tail.merge(behind), "multiple of 65536 elements");
    let other = Reference::new(&data).loss_sums(&[AT], Loss::Squared, 4..5).unwrap();
    refused(head.clone().merge(other), "one engine");
    let elsewhere = Cpu::new(&data).loss_sums(&[Affine::new(1.9, 0.6)], Loss::Squared, 4..16).unwrap();
    refused(head.clone().merge(elsewhere).and_then(|all| all.total().map(|_| all)), "one model");
    let text = serde_json::to_string(&head).unwrap();
    let newer = text.replace(r#""version":1"#, r#""version":2"#);
    let error = serde_json::from_str::<Partials<LossSums>>(&newer).unwrap_err().to_string();
    assert!(error.contains("format version 2") && error.contains("compute them again"), "{error}");
    assert!(matches!(cpu.moments(3..17), Err(EngineError::Chunks { .. })));
    assert!(matches!(
        cpu.loss_sums(&[], Loss::Squared, 0..1),
        Err(EngineError::Points { fits: 1, points: 0 })
    ));
}

fn sums_about_refused(engine: &mut dyn Engine) {
    let line = Line::of(AT, 0.0.into());
    for digits in [Digits::Usual, Digits::Double] {
        let error = engine.sums_about(&line, digits).unwrap_err();
        assert!(matches!(error, EngineError::Points { fits: 3, points: 1 }), "{error}");
    }
}

/// Sums about a line, and steps on a device, are of one fit.
#[test]
fn one_line_is_not_for_many_fits() {
    let grouped = f32_case().shaped(&[3, 5], 0..15).grouped(Groups::Outer).unwrap();
    for (_, open) in ENGINES {
        sums_about_refused(open(&grouped).as_mut());
    }
}

/// Chunks of the same numbers whose fits are not: 4 of 32,768 elements, 2 of
/// 65,536, or one; by rows or by columns. Data along one axis have both orders.
#[test]
fn parts_of_other_groups_and_orders_are_refused() {
    let case = f32_case();
    let shaped = |shape: [u64; 2]| case.shaped(&shape, 0..2 * CHUNK);
    let outer = |shape| shaped(shape).grouped(Groups::Outer).unwrap();
    let moments = |data: &Problem, over| Cpu::new(data).moments(over).unwrap();
    let halves = outer([4, 1 << 15]);
    let want = moments(&halves, 0..2);
    assert_eq!(moments(&halves, 0..1).merge(moments(&halves, 1..2)).unwrap(), want);
    for other in [outer([2, 1 << 16]), shaped([4, 1 << 15])] {
        refused(moments(&halves, 0..1).merge(moments(&other, 1..2)), "in fits of 32768");
        refused(moments(&other, 0..1).merge(sent(&moments(&halves, 1..2))), "in fits of 32768");
    }
    let by_columns = |shape: [u64; 2]| {
        let stored = |column: &Column, label: &str| {
            let Column::F32(values) = column else { unreachable!() };
            let layout = Layout::contiguous(Shape(shape.to_vec()), ElementType::F32, Order::Fortran);
            Array::new(label.to_owned(), Arc::new(values[..2 * CHUNK].to_vec()), layout).unwrap()
        };
        Problem::pair(stored(&case.x, "x"), stored(&case.t, "t")).unwrap()
    };
    let (rows, columns) = (shaped([4, 1 << 15]), by_columns([1 << 15, 4]));
    refused(moments(&rows, 0..1).merge(moments(&columns, 1..2)), "column by column");
    let along_one = case.part(0..2 * CHUNK);
    let both = moments(&columns, 0..1).merge(moments(&along_one, 1..2)).unwrap();
    assert_eq!(both, moments(&along_one, 0..1).merge(moments(&columns, 1..2)).unwrap());
    assert_eq!(both.total().unwrap(), moments(&along_one, 0..2).total().unwrap());
}

/// K fits of `run` elements in one pass, and as many problems.
fn fits_and_problems(case: &Case, k: usize, run: usize, open: Open, compare: impl Fn(&str, &[f64], &[f64])) {
    let grouped = case.shaped(&[k as u64, run as u64], 0..k * run).grouped(Groups::Outer).unwrap();
    let all = grouped.grid().chunks();
    let points: Vec<Affine> =
        (0..k).map(|k| Affine::new(1.0 + 0.3 * k as f64, 0.5 - 0.1 * k as f64)).collect();
    let mut engine = open(&grouped);
    let (first, sums) = engine.loss_sums(&points, Loss::Squared, all.clone()).unwrap().totals().unwrap();
    let (_, moments) = engine.moments(all).unwrap().totals().unwrap();
    assert_eq!((first, sums.len(), moments.len()), (0, k, k));
    for (fit, (&sums, &moments)) in sums.iter().zip(&moments).enumerate() {
        let mut alone = open(&case.part(fit * run..(fit + 1) * run));
        let name = format!("{}, fit {fit} of {run}", case.name);
        compare(
            &name,
            &numbers(sums, moments),
            &numbers(alone.loss_sums_at(points[fit]).unwrap(), alone.all_moments().unwrap()),
        );
    }
}

fn numbers(sums: LossSums, moments: Moments) -> [f64; 11] {
    let LossSums { n, weight_sum, rr, rx, r } = sums;
    let Moments { xx, xt, tt, .. } = moments;
    [n as f64, weight_sum, rr, rx, r, moments.weight_sum, moments.x_mean(), moments.t_mean(), xx, xt, tt]
}

/// Fits that lie in one chunk, or start with one, make the additions that
/// problems of their own make.
#[test]
fn fits_are_problems_of_their_own() {
    for case in [f32_case(), excluded_case()] {
        for (engine, open) in ENGINES {
            for (k, run) in [(5, 13_107), (2, CHUNK), (700, 7), (3, 2 * CHUNK)] {
                fits_and_problems(&case, k, run, open, |name, got, want| {
                    assert_eq!(got, want, "{engine}, {name}");
                });
            }
        }
    }
}

/// Others are cut where the whole's chunks meet: the sums are rounded elsewhere.
#[test]
fn fits_across_chunks_are_theirs_to_rounding() {
    for case in [f32_case(), excluded_case(), i64_case()] {
        for (engine, open) in ENGINES {
            fits_and_problems(&case, 4, 70_001, open, |name, got, want| {
                let near = |(got, want): (&f64, &f64)| (got - want).abs() <= 1e-10 * (1.0 + want.abs());
                assert!(got.iter().zip(want).all(near), "{engine}, {name}: {got:?} for {want:?}");
            });
        }
    }
}

#[test]
fn parts_of_grouped_data_have_the_bits_of_the_whole() {
    let case = excluded_case();
    let (k, run) = (61, CHUNK / 4);
    let grouped = |fits: std::ops::Range<usize>| {
        let data = case.shaped(&[fits.len() as u64, run as u64], fits.start * run..fits.end * run);
        data.starting_at((fits.start / 4) as u64).unwrap().grouped(Groups::Outer).unwrap()
    };
    let whole = grouped(0..k);
    let points: Vec<Affine> = (0..k).map(|k| Affine::new(0.1 * k as f64, 1.0)).collect();
    let want = Cpu::new(&whole).loss_sums(&points, Loss::Squared, 0..16).unwrap();
    let (head, tail) = (grouped(0..24), grouped(24..k));
    assert_eq!(tail.fits().range(), 24..61);
    let mut cpu = Cpu::new(&tail);
    let parts = vec![
        sent(&cpu.loss_sums(&points[24..], Loss::Squared, 9..16).unwrap()),
        Cpu::new(&head).loss_sums(&points[..24], Loss::Squared, 0..6).unwrap(),
        sent(&cpu.loss_sums(&points[24..], Loss::Squared, 6..9).unwrap()),
    ];
    assert_eq!(merged(parts), want);
    let within = case.part(0..6 * CHUNK).starting_at(1).unwrap();
    assert_eq!(within.fits().range(), 0..1);
    let shape = [6, CHUNK as u64 - 1];
    let within = case.shaped(&shape, 0..6 * (CHUNK - 1)).grouped(Groups::Outer).unwrap().starting_at(1);
    assert!(matches!(within, Err(GroupsError::WithinFit { .. })), "{within:?}");
}

/// On the device and sent through it, with what f32 leaves out, weights and
/// missing values: the sums over ranges are those over all, to rounding.
#[test]
fn ranges_on_a_device_sum_to_the_whole() {
    let adapter = software_adapter();
    for case in [f32_case(), excluded_case()] {
        let data = case.whole();
        let (want_sums, want_moments) =
            (Cpu::new(&data).loss_sums_at(AT).unwrap(), Cpu::new(&data).all_moments().unwrap());
        for (memory_bytes, precision) in
            [(u64::MAX, Precision::Fast), (0, Precision::Fast), (u64::MAX, Precision::Compensated)]
        {
            let settings = GpuSettings { memory_bytes, precision, ..GpuSettings::default() };
            let mut gpu = Gpu::open_with(&adapter, &data, &settings).unwrap();
            let (mut sums, mut moments) = (Vec::new(), Vec::new());
            for over in [5..6, 0..2, 6..16, 2..5] {
                // Each range is right by itself.
                let want =
                    Cpu::new(&data).loss_sums(&[AT], Loss::Squared, over.clone()).unwrap().total().unwrap();
                let part = gpu.loss_sums(&[AT], Loss::Squared, over.clone()).unwrap();
                let got = part.total().unwrap();
                assert_eq!(got.n, want.n);
                assert!((got.rr - want.rr).abs() <= 1e-6 * want.rr, "{over:?}: {got:?} for {want:?}");
                sums.push(part);
                moments.push(gpu.moments(over).unwrap());
            }
            let (sums, moments) = (merged(sums), merged(moments));
            let got = numbers(sums.total().unwrap(), moments.total().unwrap());
            for (got, want) in got.into_iter().zip(numbers(want_sums, want_moments)) {
                let case = format!("{}, {memory_bytes} bytes, {}", case.name, precision.name());
                assert!((got - want).abs() <= 1e-6 * (1.0 + want.abs()), "{case}: {got} for {want}");
            }
            let cpu = Cpu::new(&data).moments(0..2).unwrap();
            refused(cpu.merge(gpu.moments(2..3).unwrap()), "do not merge");
            let empty = gpu.moments(4..4).unwrap().total();
            assert_eq!(empty.unwrap_err(), PartialsError::Empty);
        }
    }
    let grouped = f32_case().shaped(&[3, 5], 0..15).grouped(Groups::Outer).unwrap();
    let mut gpu = Gpu::open(&adapter, &grouped).unwrap();
    assert!(gpu.stepper().is_none());
    sums_about_refused(&mut gpu);
}

/// A device's settings by name: on the device or sent through it, every precision,
/// and sums by invocation, workgroup and subgroup.
fn device_settings() -> Vec<(&'static str, GpuSettings)> {
    let adapter = software_adapter();
    let software = Tuning::default_for(&adapter);
    let shared = Tuning { workgroup_size: 64, contiguous: false, loads: 4, ..software };
    let workgroup = Tuning { reduction: Reduction::Workgroup, ..shared };
    let subgroup = Tuning { reduction: Reduction::Subgroup, ..shared };
    let default = GpuSettings::default();
    vec![
        ("resident", default),
        ("streamed", GpuSettings::within(0)),
        ("by workgroup", GpuSettings { tuning: Some(workgroup), ..default }),
        ("by subgroup", GpuSettings { tuning: Some(subgroup), ..default }),
        ("streamed by workgroup", GpuSettings { tuning: Some(workgroup), ..GpuSettings::within(0) }),
        ("compensated", GpuSettings { precision: Precision::Compensated, ..default }),
        ("f64", GpuSettings { precision: Precision::F64, ..default }),
    ]
}

/// Calls over ranges of one problem, and problems of their own for each range,
/// whose elements a device has less another shift.
#[test]
fn parts_on_a_device_have_the_bits_of_the_whole() {
    let adapter = software_adapter();
    for case in [f32_case(), excluded_case(), far_case()] {
        let (whole, at) = (case.whole(), near_line(&case, 1));
        for (name, settings) in device_settings() {
            let mut gpu = Gpu::open_with(&adapter, &whole, &settings).unwrap();
            let want_sums = bits(&gpu.loss_sums(&[at], Loss::Squared, 0..16).unwrap());
            let want_moments = bits(&gpu.moments(0..16).unwrap());
            let (mut sums, mut moments) = (Vec::new(), Vec::new());
            for (k, over) in [13..16, 3..8, 0..3, 8..9, 9..13].into_iter().enumerate() {
                if k % 2 == 0 {
                    sums.push(gpu.loss_sums(&[at], Loss::Squared, over.clone()).unwrap());
                    moments.push(gpu.moments(over).unwrap());
                } else {
                    let part = case.part(over.start as usize * CHUNK..N.min(over.end as usize * CHUNK));
                    let part = part.starting_at(over.start).unwrap();
                    let mut gpu = Gpu::open_with(&adapter, &part, &settings).unwrap();
                    sums.push(sent(&gpu.loss_sums(&[at], Loss::Squared, over.clone()).unwrap()));
                    moments.push(sent(&gpu.moments(over).unwrap()));
                }
            }
            assert_eq!(bits(&merged(sums)), want_sums, "{}, {name}", case.name);
            assert_eq!(bits(&merged(moments)), want_moments, "{}, {name}", case.name);
        }
    }
}

/// The number of workgroups, loads under way and the place of the data change
/// nothing; the order in which a run is summed does, and its parts do not merge.
#[test]
fn a_launch_configuration_changes_no_bits_or_the_name() {
    let adapter = software_adapter();
    let data = excluded_case().whole();
    let sums = |tuning: Tuning, memory_bytes| {
        let settings = GpuSettings { tuning: Some(tuning), ..GpuSettings::within(memory_bytes) };
        Gpu::open_with(&adapter, &data, &settings).unwrap().loss_sums(&[AT], Loss::Squared, 0..16).unwrap()
    };
    let software = Tuning::default_for(&adapter);
    let shared =
        Tuning { workgroup_size: 64, contiguous: false, reduction: Reduction::Workgroup, ..software };
    for tuning in [software, shared] {
        let want = bits(&sums(tuning, u64::MAX));
        assert_eq!(bits(&sums(Tuning { workgroups: 3, loads: 4, ..tuning }, u64::MAX)), want);
        assert_eq!(bits(&sums(Tuning { workgroups: 5000, ..tuning }, 0)), want);
    }
    let one = sums(software, u64::MAX);
    for other in [shared, Tuning { workgroup_size: 32, ..shared }, Tuning { contiguous: true, ..shared }] {
        let other = sums(other, u64::MAX);
        assert_ne!(one.source(), other.source());
    }
    let settings = GpuSettings::tuned(shared);
    let part = Gpu::open_with(&adapter, &data, &settings).unwrap().moments(0..1).unwrap();
    refused(part.merge(Gpu::open(&adapter, &data).unwrap().moments(1..2).unwrap()), "launch configuration");
}

/// K fits on a device against the processor's: shorter than a vector and than a
/// piece, with borders within vectors, longer than a chunk, and more of them than
/// a dispatch has workgroups.
#[test]
fn fits_on_a_device_are_those_of_the_processor() {
    let adapter = software_adapter();
    let cases: [(Case, &[(usize, usize)]); 3] = [
        (f32_case(), &[(5, 13_107), (3, 2 * CHUNK), (70_000, 13), (4, 70_001)]),
        (excluded_case(), &[(700, 7), (33, 9_999), (2, CHUNK)]),
        (far_case(), &[(70_000, 3), (11, 70_001)]),
    ];
    for (case, sizes) in cases {
        for &(k, run) in sizes {
            let grouped = case.shaped(&[k as u64, run as u64], 0..k * run).grouped(Groups::Outer).unwrap();
            let all = grouped.grid().chunks();
            let points: Vec<Affine> = (0..k).map(|k| near_line(&case, k % 7)).collect();
            let mut cpu = Cpu::new(&grouped);
            let (_, want_sums) =
                cpu.loss_sums(&points, Loss::Squared, all.clone()).unwrap().totals().unwrap();
            let (_, want_moments) = cpu.moments(all.clone()).unwrap().totals().unwrap();
            for (name, settings) in device_settings() {
                // Once for many fits, by whatever way they go.
                if k > 1_000 && settings.tuning.is_some() || k > 1_000 && run == 3 && name != "resident" {
                    continue;
                }
                let mut gpu = Gpu::open_with(&adapter, &grouped, &settings).unwrap();
                let (first, sums) =
                    gpu.loss_sums(&points, Loss::Squared, all.clone()).unwrap().totals().unwrap();
                let (_, moments) = gpu.moments(all.clone()).unwrap().totals().unwrap();
                assert_eq!((first, sums.len(), moments.len()), (0, k, k));
                for (fit, (sums, want)) in sums.iter().zip(&want_sums).enumerate() {
                    let name = format!("{}, {name}, fit {fit} of {k} × {run}", case.name);
                    assert_eq!(sums.n, want.n, "{name}");
                    // Against Σ|terms|: products cancel.
                    let size = (want.rr * want.weight_sum).sqrt();
                    let near = |got: f64, want: f64, size: f64| (got - want).abs() <= DEVICE_FITS * size;
                    assert!(near(sums.rr, want.rr, want.rr), "{name}: {sums:?} for {want:?}");
                    assert!(near(sums.r, want.r, size), "{name}: {sums:?} for {want:?}");
                    let (got, want) = (&moments[fit], &want_moments[fit]);
                    let size = (want.xx * want.tt).sqrt();
                    assert!(near(got.xx, want.xx, want.xx), "{name}: {got:?} for {want:?}");
                    assert!(near(got.xt, want.xt, size), "{name}: {got:?} for {want:?}");
                    assert!(near(got.tt, want.tt, want.tt), "{name}: {got:?} for {want:?}");
                }
            }
        }
    }
}

/// Small whole numbers in u8, whose sums are exact whatever the order: each
/// element is in its own fit and in no other, where fits meet within a word.
#[test]
fn small_fits_of_bytes_are_exact() {
    let adapter = software_adapter();
    for (k, run) in [(70_000usize, 5usize), (1_001, 131), (9, 70_003), (3, 3), (1, 7)] {
        let n = k * run;
        let column = |label, period: usize| {
            let values: Vec<u8> = (0..n).map(|k| (k % period) as u8).collect();
            Array::from_vec(label, &[k as u64, run as u64], values)
        };
        let data = Problem::pair(column("x", 7), column("t", 11)).unwrap().grouped(Groups::Outer).unwrap();
        let all = data.grid().chunks();
        let points: Vec<Affine> = (0..k).map(|k| Affine::new((k % 3) as f64, (k % 5) as f64)).collect();
        let mut want = vec![LossSums::default(); k];
        for element in 0..n {
            let (x, t, fit) = ((element % 7) as f64, (element % 11) as f64, element / run);
            let r = points[fit].apply(x) - t;
            let sums = &mut want[fit];
            *sums = LossSums {
                n: sums.n + 1,
                weight_sum: sums.weight_sum + 1.0,
                rr: sums.rr + r * r,
                rx: sums.rx + r * x,
                r: sums.r + r,
            };
        }
        for (name, settings) in device_settings() {
            let mut gpu = Gpu::open_with(&adapter, &data, &settings).unwrap();
            let (_, got) = gpu.loss_sums(&points, Loss::Squared, all.clone()).unwrap().totals().unwrap();
            assert!(got == want, "{name}, {k} × {run}");
            let mut ys = Vec::new();
            gpu.predict_fits(&points, &mut |chunk| {
                ys.extend_from_slice(chunk);
                Ok(())
            })
            .unwrap();
            let y = |element: usize| points[element / run].apply((element % 7) as f64) as f32;
            let wrong = (0..n).find(|&element| ys[element] != y(element));
            assert_eq!((ys.len(), wrong), (n, None), "{name}, {k} × {run}");
        }
    }
}
