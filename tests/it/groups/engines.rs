use linfit::array::{Array, Element, Groups, Labels, MaskedArray, NO_GROUP, Nodata, Problem, ValidityRules};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::math::{Affine, Loss, LossSums, Moments};

use crate::common::tolerances::GROUPED;

/// Numbers without a pattern that repeats, from 0 to 1.
pub fn spread(k: usize, step: f64) -> f64 {
    (k as f64 * step).fract()
}

pub fn values(n: usize, slope: f64) -> (Vec<f64>, Vec<f64>) {
    let x: Vec<f64> = (0..n).map(|k| 3.0 + spread(k, 0.618_034)).collect();
    let t = x.iter().enumerate().map(|(k, x)| slope * x - 1.0 + spread(k, 0.414_213_56) / 7.0).collect();
    (x, t)
}

/// The index along each axis of an element, row by row.
fn index(shape: &[u64], mut k: usize) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (place, &extent) in index.iter_mut().zip(shape).rev() {
        *place = k % extent as usize;
        k /= extent as usize;
    }
    index
}

/// The fit of the element of an index.
type FitOf = Box<dyn Fn(&[usize]) -> usize>;

/// A grouping, and the fit of an element of each index, as it is meant.
pub struct Grouping {
    pub name: String,
    pub shape: Vec<u64>,
    pub groups: Groups,
    pub fits: usize,
    fit: FitOf,
}

pub fn along(shape: &[u64], axes: &[usize]) -> Grouping {
    let numbering: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let extents: Vec<usize> = numbering.iter().map(|&axis| shape[axis] as usize).collect();
    let groups = Groups::Axes(axes.iter().map(|&axis| axis as isize).collect());
    Grouping {
        name: format!("{shape:?} along {axes:?}"),
        shape: shape.to_vec(),
        groups,
        fits: extents.iter().product(),
        fit: Box::new(move |index| {
            numbering.iter().zip(&extents).fold(0, |fit, (&axis, extent)| fit * extent + index[axis])
        }),
    }
}

pub fn tiled(shape: &[u64], rows: usize, columns: usize) -> Grouping {
    let [planes, height, width] = shape[..] else { panic!("three axes") };
    let (down, across) = ((height as usize).div_ceil(rows), (width as usize).div_ceil(columns));
    Grouping {
        name: format!("{shape:?} in tiles of {rows}×{columns}"),
        shape: shape.to_vec(),
        groups: Groups::Tiles { rows: rows as u64, columns: columns as u64 },
        fits: planes as usize * down * across,
        fit: Box::new(move |index| (index[0] * down + index[1] / rows) * across + index[2] / columns),
    }
}

pub fn labelled(n: usize, fits: usize, label: impl Fn(usize) -> usize + Copy + 'static) -> Grouping {
    let ids: Vec<u32> = (0..n).map(|k| label(k) as u32).collect();
    let labels = Labels::new(Array::from_vec("g", &[n as u64], ids), fits as u64).unwrap();
    Grouping {
        name: format!("{n} labels of {fits}"),
        shape: vec![n as u64],
        groups: Groups::Labels(labels),
        fits,
        fit: Box::new(move |index| label(index[0])),
    }
}

/// Groupings of every kind, small and such as engines share out in several ways.
pub fn groupings() -> Vec<Grouping> {
    let mut all = vec![
        along(&[5, 3, 4], &[0]),
        along(&[5, 3, 4], &[1]),
        along(&[5, 3, 4], &[2]),
        along(&[5, 3, 4], &[0, 2]),
        along(&[5, 3, 4], &[0, 1]),
        along(&[2, 3, 2, 5, 3], &[1, 3]),
        along(&[2, 3, 2, 5, 3], &[0, 2, 4]),
        // More rows than are added at once, and more fits than lie side by side.
        along(&[67, 1_301], &[0]),
        along(&[1_301, 67], &[0]),
        along(&[40_001, 3], &[0]),
        along(&[1_100, 1_000], &[0]),
        along(&[3, 2, 1_500], &[0, 2]),
        along(&[2, 2, 140_000], &[0, 2]),
        tiled(&[2, 7, 11], 3, 4),
        tiled(&[1, 70, 2_100], 20, 33),
        tiled(&[1, 70, 2_100], 2, 1_500),
        tiled(&[1, 5, 7], 9, 9),
        labelled(10, 4, |k| k * k % 4),
        labelled(300_000, 7, |k| k * 13 / 5 % 7),
        // Many groups, of one element, of two, and of most of all.
        labelled(200_000, 100_000, |k| k / 2),
        labelled(200_000, 70_000, |k| if k % 4 < 3 { 17 } else { k * 7 % 70_000 }),
    ];
    // Labels in the order of elements far apart.
    all.push(labelled(100_000, 100_000, |k| k * 99_989 % 100_000));
    all
}

/// The elements of each fit.
pub fn members(grouping: &Grouping) -> Vec<Vec<usize>> {
    let n = grouping.shape.iter().product::<u64>() as usize;
    let mut members = vec![Vec::new(); grouping.fits];
    for k in 0..n {
        let fit = (grouping.fit)(&index(&grouping.shape, k));
        if fit != NO_GROUP as usize {
            members[fit].push(k);
        }
    }
    members
}

fn far(got: f64, want: f64, size: f64) -> bool {
    let is_near = (got - want).abs() <= GROUPED * size;
    !is_near
}

pub fn compare_moments(name: &str, got: &Moments, want: &Moments) {
    assert_eq!(got.n, want.n, "{name}");
    if want.n == 0 {
        return;
    }
    let cross = (want.xx * want.tt).sqrt();
    let numbers = [
        (got.weight_sum, want.weight_sum, want.weight_sum),
        (got.x_mean(), want.x_mean(), want.x_mean().abs()),
        (got.t_mean(), want.t_mean(), want.t_mean().abs()),
        (got.xx, want.xx, want.xx),
        (got.xt, want.xt, cross),
        (got.tt, want.tt, want.tt),
    ];
    // Of sums that cancel to nothing, rounding is left.
    let floor = f64::EPSILON * want.weight_sum * want.x_mean().abs().max(want.t_mean().abs()).powi(2);
    for (got, want, size) in numbers {
        assert!(!far(got, want, size + floor), "{name}: {got:e} for {want:e}");
    }
}

fn compare_sums(name: &str, got: &LossSums, want: &LossSums) {
    assert_eq!(got.n, want.n, "{name}");
    let root = (want.rr * want.weight_sum).sqrt();
    for (got, want, size) in [
        (got.weight_sum, want.weight_sum, want.weight_sum),
        (got.rr, want.rr, want.rr),
        (got.rx, want.rx, 4.0 * root),
        (got.r, want.r, root),
    ] {
        assert!(!far(got, want, size), "{name}: {got:e} for {want:e}");
    }
}

pub fn points(fits: usize) -> Vec<Affine> {
    (0..fits).map(|k| Affine::new(1.0 + spread(k, 0.37), 0.5 - spread(k, 0.73))).collect()
}

/// Rules for some elements: missing ones, weights, both or neither.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given {
    Nothing,
    Missing,
    Weights,
    Both,
}

pub fn is_missing(k: usize) -> bool {
    k % 7 == 3 || (20..29).contains(&k)
}

pub fn weight(k: usize) -> f64 {
    if k % 11 == 5 { 0.0 } else { 0.25 + spread(k, 0.271_828) }
}

/// X, T, and what is given for some of their elements.
pub fn problem(shape: &[u64], x: Vec<f64>, t: Vec<f64>, places: &[usize], given: Given) -> Problem {
    let mask = matches!(given, Given::Missing | Given::Both).then(|| {
        let mask: Vec<u8> = places.iter().map(|&k| u8::from(!is_missing(k))).collect();
        MaskedArray::from(Array::from_vec("m", shape, mask))
    });
    let weights = matches!(given, Given::Weights | Given::Both).then(|| {
        let weights: Vec<f64> = places.iter().map(|&k| weight(k)).collect();
        MaskedArray::from(Array::from_vec("w", shape, weights))
    });
    let rules = ValidityRules { mask, weights, ..ValidityRules::default() };
    let (x, t) = (Array::from_vec("x", shape, x), Array::from_vec("t", shape, t));
    Problem::builder(x).target(t).rules(rules).build().unwrap()
}

/// The results of a problem of these elements alone, if any of them is valid.
pub fn single(
    x: &[f64],
    t: &[f64],
    places: &[usize],
    given: Given,
    at: Affine,
) -> Option<(Moments, LossSums)> {
    let is_excluded = |k: usize| {
        matches!(given, Given::Missing | Given::Both) && is_missing(k)
            || matches!(given, Given::Weights | Given::Both) && weight(k) == 0.0
    };
    let places: Vec<usize> = places.iter().copied().filter(|&k| !is_excluded(k)).collect();
    if places.is_empty() {
        return None;
    }
    let of = |values: &[f64]| places.iter().map(|&k| values[k]).collect::<Vec<_>>();
    let data = problem(&[places.len() as u64], of(x), of(t), &places, given);
    let mut reference = Reference::new(&data);
    Some((reference.all_moments().unwrap(), reference.loss_sums_at(at).unwrap()))
}

/// Every engine of the host finds for each fit what a problem of its elements has.
fn each_fit_is_its_own(grouping: &Grouping, given: Given) {
    let n = grouping.shape.iter().product::<u64>() as usize;
    let (x, t) = values(n, 1.7);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(&grouping.shape, x.clone(), t.clone(), &all, given);
    let data = data.grouped(grouping.groups.clone()).unwrap();
    let (members, points) = (members(grouping), points(grouping.fits));
    // Of very many fits, some.
    let looked_at: Vec<usize> =
        (0..grouping.fits).filter(|fit| grouping.fits < 3_000 || fit % 1_009 == 17).collect();
    let wanted: Vec<_> =
        looked_at.iter().map(|&fit| single(&x, &t, &members[fit], given, points[fit])).collect();
    assert!(wanted.iter().any(Option::is_some));
    let engines: [Box<dyn Engine>; 2] = [Box::new(Cpu::new(&data)), Box::new(Reference::new(&data))];
    for mut engine in engines {
        let over = data.grid().chunks();
        let (first, moments) = engine.moments(over.clone()).unwrap().into_totals().unwrap();
        let (_, sums) = engine.loss_sums(&points, Loss::Squared, over).unwrap().into_totals().unwrap();
        assert_eq!((first, moments.len(), sums.len()), (0, grouping.fits, grouping.fits));
        for (&fit, want) in looked_at.iter().zip(&wanted) {
            let name = format!("{}, {given:?}, {:?}, fit {fit}", grouping.name, engine.info().kind);
            match want {
                Some((want_moments, want_sums)) => {
                    compare_moments(&name, &moments[fit], want_moments);
                    compare_sums(&name, &sums[fit], want_sums);
                }
                None => assert_eq!((moments[fit].n, sums[fit].n), (0, 0), "{name}"),
            }
        }
    }
}

#[test]
fn each_fit_is_that_of_its_elements() {
    groupings().iter().for_each(|grouping| each_fit_is_its_own(grouping, Given::Nothing));
}

#[test]
fn missing_elements_are_in_no_fit() {
    groupings().iter().for_each(|grouping| each_fit_is_its_own(grouping, Given::Missing));
}

#[test]
fn weights_count_in_each_fit() {
    groupings().iter().for_each(|grouping| each_fit_is_its_own(grouping, Given::Weights));
    groupings().iter().for_each(|grouping| each_fit_is_its_own(grouping, Given::Both));
}

/// The results of a stack of so many frames of another type, of which X is
/// stored as it is and T as f64, so that both ways to read it are taken.
fn stack_of<E: Element>(convert: impl Fn(usize) -> E) {
    // Rows of no multiple of 4, or of a vector.
    let (frames, pixels) = (9u64, 1_037u64);
    let n = (frames * pixels) as usize;
    let x: Vec<E> = (0..n).map(&convert).collect();
    let as_f64: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
    let t: Vec<f64> = as_f64.iter().enumerate().map(|(k, x)| 0.5 * x + spread(k, 0.3)).collect();
    let same: Vec<E> = (0..n).map(|k| convert(k * 5 + 1)).collect();
    let grouping = along(&[frames, pixels], &[0]);
    let members = members(&grouping);
    for t in [Array::from_vec("t", &[frames, pixels], t), Array::from_vec("t", &[frames, pixels], same)] {
        let mut t_values = vec![0f64; n];
        t.read(linfit::array::Order::C, 0, &mut t_values);
        let data = Problem::pair(Array::from_vec("x", &[frames, pixels], x.clone()), t).unwrap();
        let data = data.grouped(grouping.groups.clone()).unwrap();
        let moments = Cpu::new(&data).moments(data.grid().chunks()).unwrap().into_totals().unwrap().1;
        for fit in [0, 1, 7, 1_023, 1_024, 1_036] {
            let at = Affine::new(1.0, 0.0);
            let (want, _) = single(&as_f64, &t_values, &members[fit], Given::Nothing, at).unwrap();
            compare_moments(&format!("{:?}, fit {fit}", E::TYPE), &moments[fit], &want);
        }
    }
}

#[test]
fn stacks_of_every_kind_of_element() {
    stack_of(|k| (k * 37 % 251) as u8);
    stack_of(|k| (k * 37 % 251) as i8);
    stack_of(|k| (k * 379 % 60_000) as u16);
    stack_of(|k| k as i16);
    stack_of(|k| (k * 379) as u32);
    stack_of(|k| (k * 379) as i64);
    stack_of(|k| half::f16::from_f64(spread(k, 0.618)));
    stack_of(|k| half::bf16::from_f64(spread(k, 0.618)));
    stack_of(|k| spread(k, 0.618) as f32);
}

/// Whole numbers that f64 does not hold: each 2⁶⁰ and a few.
#[test]
fn wide_whole_numbers_keep_their_digits() {
    let shape = [5u64, 3];
    let far = 1i64 << 60;
    let x: Vec<i64> = (0..15).map(|k| far + k * k % 7).collect();
    let t: Vec<f64> = (0..15).map(|k| f64::from(k % 4)).collect();
    let data =
        Problem::pair(Array::from_vec("x", &shape, x.clone()), Array::from_vec("t", &shape, t)).unwrap();
    let data = data.grouped(Groups::Axes(vec![0])).unwrap();
    let engines: [Box<dyn Engine>; 2] = [Box::new(Cpu::new(&data)), Box::new(Reference::new(&data))];
    for mut engine in engines {
        let moments = engine.moments(0..1).unwrap().into_totals().unwrap().1;
        for (fit, moments) in moments.iter().enumerate() {
            let near: Vec<i64> = (0..5).map(|row| x[3 * row + fit] - far).collect();
            let mean = near.iter().sum::<i64>() as f64 / 5.0;
            let want: f64 = near.iter().map(|&x| (x as f64 - mean).powi(2)).sum();
            assert!((moments.xx - want).abs() <= 1e-12 * want, "{fit}: {} for {want}", moments.xx);
        }
    }
}

/// One fit of numbers whose squares f64 does not hold, beside ordinary ones.
#[test]
fn numbers_near_the_ends_of_f64_are_passed_over_alone() {
    let x = vec![1.0, 1e200, 1e-200, 2.0, 3e200, 4e-200, 4.0, 4e200, 2e-200];
    let t: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
    let shape = [3u64, 3];
    let data = Problem::pair(Array::from_vec("x", &shape, x), Array::from_vec("t", &shape, t)).unwrap();
    let labels = Labels::new(Array::from_vec("g", &shape, vec![0u32, 1, 2, 0, 1, 2, 0, 1, 2]), 3).unwrap();
    for groups in [Groups::Axes(vec![0]), Groups::Labels(labels)] {
        let data = data.clone().grouped(groups).unwrap();
        let engines: [Box<dyn Engine>; 2] = [Box::new(Cpu::new(&data)), Box::new(Reference::new(&data))];
        for mut engine in engines {
            let moments = engine.moments(0..1).unwrap().into_totals().unwrap().1;
            for moments in &moments {
                let line = moments.least_squares().unwrap();
                assert!((line.weight - 2.0).abs() < 1e-12, "{:?}: {line:?}", engine.info().kind);
            }
        }
    }
}

/// Exact to the bit on any number of threads.
#[test]
fn threads_do_not_change_a_bit() {
    for grouping in groupings() {
        let n = grouping.shape.iter().product::<u64>() as usize;
        let (x, t) = values(n, 0.3);
        let all: Vec<usize> = (0..n).collect();
        for given in [Given::Nothing, Given::Both] {
            let data = problem(&grouping.shape, x.clone(), t.clone(), &all, given);
            let data = data.grouped(grouping.groups.clone()).unwrap();
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| Cpu::new(&data).moments(data.grid().chunks()).unwrap().into_totals().unwrap())
            };
            assert!(on(1) == on(3), "{}, {given:?}", grouping.name);
        }
    }
}

/// Parts of a stack, each of so many frames that a chunk ends with it.
#[test]
fn parts_of_a_stack_merge() {
    let (frames, pixels) = (12u64, 1u64 << 15);
    let n = (frames * pixels) as usize;
    let (x, t) = values(n, 2.0);
    let whole = |from: usize, to: usize| {
        let shape = [(to - from) as u64, pixels];
        let cut = |values: &[f64]| values[from * pixels as usize..to * pixels as usize].to_vec();
        let (x, t) = (Array::from_vec("x", &shape, cut(&x)), Array::from_vec("t", &shape, cut(&t)));
        let first_chunk = (from as u64 * pixels) >> 16;
        let data = Problem::pair(x, t).unwrap().grouped(Groups::Axes(vec![0])).unwrap();
        data.starting_at(first_chunk).unwrap()
    };
    let of = |data: &Problem| Cpu::new(data).moments(data.grid().chunks()).unwrap();
    let merged = of(&whole(4, 8)).merge(of(&whole(0, 4))).unwrap().merge(of(&whole(8, 12))).unwrap();
    let (_, merged) = merged.into_totals().unwrap();
    let data = whole(0, 12);
    let (_, all) = of(&data).into_totals().unwrap();
    let (_, halves) = {
        let mut engine = Cpu::new(&data);
        let parts = engine.moments(0..2).unwrap().merge(engine.moments(2..6).unwrap()).unwrap();
        parts.into_totals().unwrap()
    };
    assert_eq!(all.len(), pixels as usize);
    for fit in (0..all.len()).step_by(997) {
        compare_moments("parts", &merged[fit], &all[fit]);
        compare_moments("ranges of chunks", &halves[fit], &all[fit]);
    }
}

/// A fit is the same whatever its number.
#[test]
fn permuted_groups_have_permuted_results() {
    let n = 50_000;
    let (x, t) = values(n, 1.0);
    let fits = 10_000u32;
    let ids: Vec<u32> = (0..n as u32).map(|k| k * 7 % fits).collect();
    let permuted: Vec<u32> = ids.iter().map(|id| id * 3 % fits).collect();
    let of = |ids: Vec<u32>| {
        let shape = [n as u64];
        let labels = Labels::new(Array::from_vec("g", &shape, ids), fits.into()).unwrap();
        let (x, t) = (Array::from_vec("x", &shape, x.clone()), Array::from_vec("t", &shape, t.clone()));
        let data = Problem::pair(x, t).unwrap().grouped(Groups::Labels(labels)).unwrap();
        Cpu::new(&data).moments(data.grid().chunks()).unwrap().into_totals().unwrap().1
    };
    let (one, other) = (of(ids), of(permuted));
    assert!((0..fits as usize).all(|fit| one[fit] == other[fit * 3 % fits as usize]));
}

#[test]
fn elements_of_no_group_are_left_out() {
    let (x, t) = values(8, 1.0);
    let ids = vec![0u32, NO_GROUP, 0, NO_GROUP, 0, 2, 2, NO_GROUP];
    let labels = Labels::new(Array::from_vec("g", &[8], ids), 3).unwrap();
    let data = Problem::pair(Array::from_vec("x", &[8], x), Array::from_vec("t", &[8], t)).unwrap();
    let data = data.grouped(Groups::Labels(labels)).unwrap();
    let engines: [Box<dyn Engine>; 2] = [Box::new(Cpu::new(&data)), Box::new(Reference::new(&data))];
    for mut engine in engines {
        let moments = engine.moments(0..1).unwrap().into_totals().unwrap().1;
        assert_eq!(moments.iter().map(|moments| moments.n).collect::<Vec<_>>(), [3, 0, 2]);
    }
    // The marker of missing labels.
    let mut labels = MaskedArray::from(Array::from_vec("g", &[3], vec![4i16, -1, 4]));
    labels.missing.nodata = Some(Nodata::Number(-1.0));
    assert_eq!(Labels::of(&labels, u64::MAX).unwrap().0.ids(), [0, NO_GROUP, 0]);
}
