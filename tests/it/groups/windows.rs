//! The neighbourhood of every element against problems of its elements.

use linfit::array::{Array, GroupsError, MaskedArray, Problem, Shape, ValidityRules, Window};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::math::Moments;

use super::engines::{Given, compare_moments, is_missing, problem, single, values, weight};

fn all_windows(engine: &mut dyn Engine, window: Window) -> Vec<Moments> {
    let mut all = Vec::new();
    engine
        .window_moments(window, &mut |moments| {
            all.extend_from_slice(moments);
            Ok(())
        })
        .unwrap();
    all
}

/// The elements of a neighbourhood, cut off at the borders.
fn members(shape: &[u64], window: [usize; 2], k: usize) -> Vec<usize> {
    let [.., height, width] = shape[..] else { panic!("an image") };
    let (height, width) = (height as usize, width as usize);
    let plane = k / (height * width) * height * width;
    let (row, column) = (k % (height * width) / width, k % width);
    let [down, across] = window.map(|extent| extent / 2);
    let rows = row.saturating_sub(down)..height.min(row + down + 1);
    let columns = column.saturating_sub(across)..width.min(column + across + 1);
    rows.flat_map(|row| columns.clone().map(move |column| plane + row * width + column)).collect()
}

fn compare(shape: &[u64], window: [usize; 2], given: Given) {
    let n = shape.iter().product::<u64>() as usize;
    let (x, t) = values(n, 1.7);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(shape, x.clone(), t.clone(), &all, given);
    let windows = all_windows(&mut Cpu::new(&data), Window::new(window[0], window[1]).unwrap());
    assert_eq!(windows.len(), n);
    for k in (0..n).filter(|k| n < 2_000 || k % 101 == 5) {
        let name = format!("{shape:?}, {window:?}, {given:?}, element {k}");
        let at = linfit::math::Affine::new(1.0, 0.0);
        match single(&x, &t, &members(shape, window, k), given, at) {
            Some((want, _)) => compare_moments(&name, &windows[k], &want),
            None => assert_eq!(windows[k].n, 0, "{name}"),
        }
    }
    if n < 500 {
        let reference = all_windows(&mut Reference::new(&data), Window::new(window[0], window[1]).unwrap());
        for (k, (got, want)) in windows.iter().zip(&reference).enumerate() {
            compare_moments(&format!("reference, {k}"), got, want);
        }
    }
}

#[test]
fn each_window_is_that_of_its_elements() {
    for (shape, window) in [
        (&[9u64, 11][..], [3, 3]),
        (&[9, 11], [1, 5]),
        (&[9, 11], [9, 11]),
        (&[2, 5, 6], [3, 5]),
        (&[140, 300], [15, 15]),
        (&[90, 300], [71, 201]),
    ] {
        for given in [Given::Nothing, Given::Missing, Given::Weights, Given::Both] {
            compare(shape, window, given);
        }
    }
}

/// An outlier of 10⁸ that has left a window leaves nothing there, and neither does a
/// step of 10⁶ beside it.
#[test]
fn nothing_of_what_has_left_a_window_remains() {
    let shape = [80u64, 200];
    let n = 16_000;
    let (mut x, mut t) = values(n, 1.7);
    for k in 0..n {
        if k % 200 >= 120 {
            x[k] += 1e6;
            t[k] -= 1e6;
        }
    }
    (x[3_050], t[3_050]) = (1e8, -1e8);
    // Equal numbers have no spread, to the last bit.
    (6_000..9_000).for_each(|k| x[k] = 0.1);
    let all: Vec<usize> = (0..n).collect();
    let data = problem(&shape, x.clone(), t.clone(), &all, Given::Nothing);
    let windows = all_windows(&mut Cpu::new(&data), Window::new(5, 5).unwrap());
    for (k, got) in windows.iter().enumerate() {
        let members = members(&shape, [5, 5], k);
        let at = linfit::math::Affine::new(1.0, 0.0);
        let (want, _) = single(&x, &t, &members, Given::Nothing, at).unwrap();
        // Six digits may cancel, beside sixteen there are.
        assert!((got.xx - want.xx).abs() <= 1e-9 * want.xx, "{k}: {} for {}", got.xx, want.xx);
        assert!((got.tt - want.tt).abs() <= 1e-9 * want.tt, "{k}: {} for {}", got.tt, want.tt);
        assert_eq!(got.least_squares().is_none(), want.least_squares().is_none(), "{k}");
    }
}

#[test]
fn a_window_is_odd_and_within_the_image() {
    assert!(matches!(Window::new(2, 3), Err(GroupsError::EvenWindow { .. })));
    let window = Window::new(3, 5).unwrap();
    assert!(matches!(window.within(&Shape(vec![9, 4])), Err(GroupsError::LargeWindow { .. })));
    assert!(matches!(window.within(&Shape(vec![9])), Err(GroupsError::NoRows { .. })));
    let missing = (0..30).filter(|&k| is_missing(k)).count();
    assert!(missing > 0 && weight(5) == 0.0);
    // All are missing around some.
    let mask = MaskedArray::from(Array::from_vec("m", &[1, 5], vec![0u8, 0, 0, 1, 1]));
    let x = Array::from_vec("x", &[1, 5], vec![1.0, 2.0, 3.0, 4.0, 5.0]);
    let rules = ValidityRules { mask: Some(mask), ..ValidityRules::default() };
    let data = Problem::builder(x.clone()).target(x).rules(rules).build().unwrap();
    let windows = all_windows(&mut Cpu::new(&data), Window::new(1, 3).unwrap());
    assert_eq!(windows.iter().map(|moments| moments.n).collect::<Vec<_>>(), [0, 0, 1, 2, 2]);
}
