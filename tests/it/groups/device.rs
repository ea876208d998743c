//! Fits whose elements are apart on the device: each against a separate problem of
//! its elements, in f64.

use std::ops::ControlFlow;

use linfit::array::{Array, Element, Groups, Labels, Problem};
use linfit::engine::gpu::{Gpu, GpuSettings, Precision};
use linfit::engine::{Cpu, Engine, EngineError, EngineKind, Gathered};
use linfit::fit::{GradientDescent, ManyFits};
use linfit::math::{Affine, Loss, LossSums, Moments};

use super::engines::{
    Given, Grouping, along, groupings, labelled, members, points, problem, single, spread, tiled, values,
};
use crate::common::adapter::software_adapter;
use crate::common::tolerances::{COMPENSATED_MOMENTS, DEVICE_FITS, F32_MOMENTS, GROUPED};

fn settings(precision: Precision, memory_bytes: u64) -> GpuSettings {
    GpuSettings { precision, memory_bytes, ..GpuSettings::default() }
}

fn open(data: &Problem, settings: &GpuSettings) -> Box<dyn Engine> {
    let engine = Gpu::engine(&software_adapter(), data, settings).unwrap();
    assert_eq!(engine.info().kind, EngineKind::Gpu);
    engine
}

/// The moments and the loss sums of all fits.
fn results(engine: &mut dyn Engine, points: &[Affine]) -> (Vec<Moments>, Vec<LossSums>) {
    let over = engine.problem().grid().chunks();
    let (first, moments) = engine.moments(over.clone()).unwrap().into_totals().unwrap();
    let (_, sums) = engine.loss_sums(points, Loss::Squared, over).unwrap().into_totals().unwrap();
    assert_eq!((first, moments.len(), sums.len()), (0, points.len(), points.len()));
    (moments, sums)
}

/// Numbers within a share of their sizes; rounding of means leaves as much of their
/// squares.
fn near(name: &str, tolerance: f64, numbers: &[(f64, f64, f64)]) {
    for &(got, want, size) in numbers {
        let is_near = (got - want).abs() <= tolerance * size;
        assert!(is_near, "{name}: {got:e} for {want:e}");
    }
}

fn compare(
    name: &str,
    tolerance: f64,
    (moments, sums): (&Moments, &LossSums),
    want: Option<&(Moments, LossSums)>,
) {
    let Some((of, at)) = want else {
        assert_eq!((moments.n, sums.n), (0, 0), "{name}");
        return;
    };
    assert_eq!((moments.n, sums.n), (of.n, of.n), "{name}");
    let root = |mean: f64, squares: f64| (mean * mean * of.weight_sum + squares).sqrt();
    let (x, t) = (root(of.x_mean(), of.xx), root(of.t_mean(), of.tt));
    let mean = |size: f64| size / of.weight_sum.sqrt();
    near(
        name,
        tolerance,
        &[
            (moments.weight_sum, of.weight_sum, of.weight_sum),
            (moments.x_mean(), of.x_mean(), mean(x)),
            (moments.t_mean(), of.t_mean(), mean(t)),
            (moments.xx, of.xx, of.xx.max(tolerance * x * x)),
            (moments.tt, of.tt, of.tt.max(tolerance * t * t)),
            (moments.xt, of.xt, (of.xx * of.tt).sqrt().max(tolerance * x * t)),
            // Residuals are differences of numbers of some times their size.
            (sums.rr, at.rr, at.rr.max(tolerance * t * t)),
            (sums.rx, at.rx, at.rr.sqrt() * x),
            (sums.r, at.r, (at.rr * at.weight_sum).sqrt()),
        ],
    );
}

/// The tolerance of few elements: those of `fast` are rounded to f32.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::Fast => F32_MOMENTS,
        // The elements of these tests are rounded to f32 on their way.
        Precision::Compensated | Precision::F64 => DEVICE_FITS,
    }
}

fn each_fit_is_its_own(grouping: &Grouping, given: Given, settings: &GpuSettings) {
    let n = grouping.shape.iter().product::<u64>() as usize;
    let (x, t) = values(n, 1.7);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(&grouping.shape, x.clone(), t.clone(), &all, given);
    let data = data.grouped(grouping.groups.clone()).unwrap();
    let (members, points) = (members(grouping), points(grouping.fits));
    let (moments, sums) = results(open(&data, settings).as_mut(), &points);
    let looked_at = (0..grouping.fits).filter(|fit| grouping.fits < 200 || fit % 1_009 == 17);
    let mut seen = 0;
    for fit in looked_at {
        let want = single(&x, &t, &members[fit], given, points[fit]);
        let name = format!("{}, {given:?}, {:?}, fit {fit}", grouping.name, settings.precision);
        compare(&name, tolerance(settings.precision), (&moments[fit], &sums[fit]), want.as_ref());
        seen += u32::from(want.is_some());
    }
    assert!(seen > 0, "{}", grouping.name);
}

#[test]
fn each_fit_on_a_device_is_that_of_its_elements() {
    for grouping in groupings() {
        each_fit_is_its_own(&grouping, Given::Nothing, &settings(Precision::Fast, u64::MAX));
    }
}

#[test]
fn missing_elements_and_weights_on_a_device() {
    for given in [Given::Missing, Given::Weights, Given::Both] {
        for grouping in few() {
            each_fit_is_its_own(&grouping, given, &settings(Precision::Fast, u64::MAX));
        }
    }
}

#[test]
fn every_precision_and_data_that_are_streamed() {
    for precision in [Precision::Fast, Precision::Compensated, Precision::F64] {
        for memory_bytes in [u64::MAX, 0] {
            for grouping in few() {
                each_fit_is_its_own(&grouping, Given::Both, &settings(precision, memory_bytes));
            }
        }
    }
}

fn few() -> Vec<Grouping> {
    vec![
        along(&[67, 1_301], &[0]),
        along(&[3, 2, 1_500], &[0, 2]),
        along(&[40_001, 3], &[0]),
        tiled(&[1, 70, 211], 20, 33),
        labelled(100_000, 30_000, |k| if k % 4 < 3 { 17 } else { k * 7 % 30_000 }),
    ]
}

/// Elements that f32 holds, in numbers that keep twice its digits: nothing but
/// rounding of those is left.
#[test]
fn compensated_sums_of_pixels_keep_their_digits() {
    let (frames, pixels) = (64u64, 37u64);
    let n = (frames * pixels) as usize;
    let (x, t) = values(n, 1.7);
    let [x, t] = [x, t].map(|values| values.into_iter().map(|v| v as f32).collect::<Vec<_>>());
    let [wide_x, wide_t] = [&x, &t].map(|values| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
    let grouping = along(&[frames, pixels], &[0]);
    let shape = [frames, pixels];
    let data = Problem::pair(Array::from_vec("x", &shape, x), Array::from_vec("t", &shape, t)).unwrap();
    let data = data.grouped(grouping.groups.clone()).unwrap();
    let (members, points) = (members(&grouping), points(grouping.fits));
    for (precision, tolerance) in [(Precision::Compensated, COMPENSATED_MOMENTS), (Precision::F64, GROUPED)] {
        let (moments, sums) = results(open(&data, &settings(precision, u64::MAX)).as_mut(), &points);
        for fit in 0..grouping.fits {
            let want = single(&wide_x, &wide_t, &members[fit], Given::Nothing, points[fit]);
            let name = format!("{precision:?}, fit {fit}");
            compare(&name, tolerance, (&moments[fit], &sums[fit]), want.as_ref());
        }
    }
}

/// Rows of no multiple of 4, each pixel about a number of its own far from 0.
fn stack_of<E: Element>(convert: impl Fn(usize) -> E) {
    let (frames, pixels) = (9u64, 1_037u64);
    let n = (frames * pixels) as usize;
    let shape = [frames, pixels];
    let x: Vec<E> = (0..n).map(&convert).collect();
    let t: Vec<E> = (0..n).map(|k| convert(k * 5 + 1)).collect();
    let [wide_x, wide_t] = [&x, &t].map(|values| values.iter().map(|x| x.to_f64()).collect::<Vec<_>>());
    let grouping = along(&shape, &[0]);
    let data = Problem::pair(Array::from_vec("x", &shape, x), Array::from_vec("t", &shape, t)).unwrap();
    let data = data.grouped(grouping.groups.clone()).unwrap();
    let (members, points) = (members(&grouping), points(grouping.fits));
    let (moments, sums) = results(open(&data, &GpuSettings::default()).as_mut(), &points);
    for fit in [0, 1, 2, 3, 7, 1_023, 1_024, 1_036] {
        let want = single(&wide_x, &wide_t, &members[fit], Given::Nothing, points[fit]);
        let name = format!("{:?}, fit {fit}", E::TYPE);
        compare(&name, F32_MOMENTS, (&moments[fit], &sums[fit]), want.as_ref());
    }
}

#[test]
fn stacks_of_every_kind_of_element_on_a_device() {
    stack_of(|k| (k * 37 % 251) as u8);
    stack_of(|k| (k * 37 % 251) as i8);
    stack_of(|k| (k * 379 % 60_000) as u16);
    stack_of(|k| (k * 379) as i16);
    stack_of(|k| (k * 379) as u32);
    stack_of(|k| (k * 379) as i32);
    stack_of(|k| (k * 379) as i64);
    stack_of(|k| (k * 379) as u64);
    stack_of(|k| half::f16::from_f64(spread(k, 0.618)));
    stack_of(|k| half::bf16::from_f64(spread(k, 0.618)));
    stack_of(|k| spread(k, 0.618) as f32);
    stack_of(|k| spread(k, 0.618));
}

/// Each pixel about a number of its own that takes all digits of f32.
#[test]
fn pixels_far_from_0_keep_their_digits() {
    let (frames, pixels) = (12u64, 50u64);
    let n = (frames * pixels) as usize;
    let about = |k: usize| 1e7 * (1 + k % pixels as usize) as f64;
    let x: Vec<f64> = (0..n).map(|k| about(k) + spread(k, 0.618_034)).collect();
    let slope = |pixel: usize| 2.0 + pixel as f64;
    let t: Vec<f64> =
        x.iter().enumerate().map(|(k, x)| slope(k % pixels as usize) * (x - about(k)) - about(k)).collect();
    let grouping = along(&[frames, pixels], &[0]);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(&grouping.shape, x, t, &all, Given::Nothing).grouped(grouping.groups).unwrap();
    let mut engine = open(&data, &GpuSettings::default());
    let over = data.grid().chunks();
    let (_, moments) = engine.moments(over).unwrap().into_totals().unwrap();
    for (fit, moments) in moments.iter().enumerate() {
        let weight = moments.least_squares().unwrap().weight;
        assert!((weight - slope(fit)).abs() < F32_MOMENTS * slope(fit), "fit {fit}: {weight}");
    }
}

/// T = k·X + 1 for pixel k, more of them than a device has workgroups.
#[test]
fn seventy_thousand_fits_on_a_device() {
    let (frames, pixels) = (3u64, 70_001u64);
    let n = (frames * pixels) as usize;
    let slope = |pixel: usize| (pixel % 1_000) as f32;
    let x: Vec<f32> = (0..n).map(|k| (k / pixels as usize) as f32).collect();
    let t: Vec<f32> = (0..n).map(|k| slope(k % pixels as usize) * x[k] + 1.0).collect();
    let ids: Vec<u32> = (0..n).map(|k| (k % pixels as usize) as u32).collect();
    let shape = [frames, pixels];
    let labels = Labels::new(Array::from_vec("g", &shape, ids), pixels).unwrap();
    let data = Problem::pair(Array::from_vec("x", &shape, x), Array::from_vec("t", &shape, t)).unwrap();
    for groups in [Groups::Axes(vec![0]), Groups::Labels(labels)] {
        let data = data.clone().grouped(groups).unwrap();
        let mut engine = open(&data, &GpuSettings::default());
        let (_, moments) = engine.moments(data.grid().chunks()).unwrap().into_totals().unwrap();
        assert_eq!(moments.len(), pixels as usize);
        let fits = ManyFits::exact(engine.as_mut(), data.fits().shape().clone(), &moments).unwrap();
        for (pixel, row) in fits.rows.iter().enumerate() {
            let want = f64::from(slope(pixel));
            let tolerance = F32_MOMENTS * want.max(1.0);
            assert!((row.weight - want).abs() <= tolerance, "{pixel}: {}", row.weight);
            assert!((row.bias - 1.0).abs() <= tolerance, "{pixel}: {}", row.bias);
        }
    }
}

/// Steps of all fits together are those of the host, and each stops for itself: fits
/// of an even number of elements have a tolerance, and others take all steps.
#[test]
fn descents_of_many_on_a_device_are_those_of_the_host() {
    let n = 12 * 37;
    let (x, t) = values(n, 1.3);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(&[12, 37], x, t, &all, Given::Missing).grouped(Groups::Axes(vec![0])).unwrap();
    let descent =
        GradientDescent { learning_rate: 0.03, steps: 60, tolerance: 0.0, ..GradientDescent::default() };
    let fit = |engine: &mut dyn Engine| {
        let (_, moments) = engine.moments(data.grid().chunks()).unwrap().into_totals().unwrap();
        let shape = data.fits().shape().clone();
        let settings = |moments: &Moments| {
            let tolerance = if moments.n.is_multiple_of(2) { 0.2 } else { 0.0 };
            Ok(GradientDescent { tolerance, ..descent })
        };
        let go_on = &mut |_, _| ControlFlow::Continue(());
        GradientDescent::fit_many(engine, shape, &moments, &settings, go_on).unwrap()
    };
    let settings = settings(Precision::Compensated, u64::MAX);
    let (device, host) = (fit(open(&data, &settings).as_mut()), fit(&mut Cpu::new(&data)));
    assert!(host.stopped.len() > 1, "some stop before the others: {:?}", host.stopped);
    assert_eq!((device.steps, device.stopped), (host.steps, host.stopped));
    for (fit, (got, want)) in device.rows.iter().zip(&host.rows).enumerate() {
        near(
            &format!("fit {fit}"),
            DEVICE_FITS,
            &[(got.weight, want.weight, 1.0), (got.bias, want.bias, 1.0), (got.loss, want.loss, want.loss)],
        );
    }
}

/// Passes over some chunks are the host's, and those over all have the same bits
/// again.
#[test]
fn parts_of_chunks_are_the_hosts() {
    let n = 3 * (1 << 16);
    let (x, t) = values(n, 2.0);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(&[48, 1 << 12], x, t, &all, Given::Nothing).grouped(Groups::Axes(vec![0])).unwrap();
    let mut engine = open(&data, &GpuSettings::default());
    let mut host = Cpu::new(&data);
    assert_eq!(engine.moments(1..3).unwrap(), host.moments(1..3).unwrap());
    let points = points(1 << 12);
    let first = results(engine.as_mut(), &points);
    assert_eq!(results(open(&data, &GpuSettings::default()).as_mut(), &points), first);
    assert!(matches!(engine.moments(2..4), Err(EngineError::Chunks { .. })));
    assert!(matches!(engine.loss_sums(&points[1..], Loss::Squared, 0..3), Err(EngineError::Points { .. })));
}

/// By another engine, of which nothing is rounded to f32: what is gathered are the
/// elements of each fit.
#[test]
fn gathered_fits_have_the_digits_of_their_engine() {
    for grouping in few() {
        let n = grouping.shape.iter().product::<u64>() as usize;
        let (x, t) = values(n, 1.7);
        let all: Vec<usize> = (0..n).collect();
        let data = problem(&grouping.shape, x.clone(), t.clone(), &all, Given::Both);
        let data = data.grouped(grouping.groups.clone()).unwrap();
        let (members, points) = (members(&grouping), points(grouping.fits));
        let mut engine = Gathered::open(&data, |runs| Ok(Cpu::new(runs))).unwrap();
        let (moments, sums) = results(&mut engine, &points);
        for fit in (0..grouping.fits).step_by(1 + grouping.fits / 50) {
            let want = single(&x, &t, &members[fit], Given::Both, points[fit]);
            let name = format!("{}, fit {fit}", grouping.name);
            compare(&name, GROUPED, (&moments[fit], &sums[fit]), want.as_ref());
        }
    }
}

/// An element that f32 does not hold is named by its place in the data.
#[test]
fn an_element_beyond_f32_is_named_by_its_place() {
    let mut x: Vec<f64> = (0..12).map(f64::from).collect();
    x[7] = 1e300;
    let shape = [3u64, 4];
    let t = Array::from_vec("t", &shape, vec![1f64; 12]);
    let data = Problem::pair(Array::from_vec("x", &shape, x), t).unwrap();
    let data = data.grouped(Groups::Axes(vec![0])).unwrap();
    let settings = GpuSettings::default();
    let error = Gpu::engine(&software_adapter(), &data, &settings).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("1e300") && error.contains("(1, 3)"), "{error}");
}

#[test]
fn groups_without_valid_elements_are_an_error() {
    let ids = vec![linfit::array::NO_GROUP; 4];
    let labels = Labels::new(Array::from_vec("g", &[4], ids), 2).unwrap();
    let column = |label| Array::from_vec(label, &[4], vec![1f32, 2.0, 3.0, 4.0]);
    let data = Problem::pair(column("x"), column("t")).unwrap().grouped(Groups::Labels(labels)).unwrap();
    let opened = Gpu::engine(&software_adapter(), &data, &GpuSettings::default());
    assert!(opened.map(|_| ()).unwrap_err().to_string().contains("no valid element"));
}
