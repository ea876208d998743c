//! The histograms that pictures are drawn from.

use linfit::array::{Array, Element, MaskedArray, Problem, ValidityRules};
use linfit::engine::{BinPlan, Binned, Cpu, Engine, Reference};
use linfit::math::{Affine, BinAxis, Bins};

const N: u32 = 40;

fn x(k: u32) -> f64 {
    f64::from(k * 37 % 41) / 8.0
}

fn t(k: u32) -> f64 {
    f64::from(k * k % 29) / 4.0 - 3.0
}

fn w(k: u32) -> f64 {
    f64::from(k % 5 + 1) / 4.0
}

fn column<E: Element>(label: &str, of: impl Fn(u32) -> f64) -> Array {
    let values: Vec<E> = (0..N).map(|k| E::from_f64(of(k))).collect();
    Array::from_vec(label, &[5, 8], values)
}

/// Five columns and four rows of bins over the extremes, as `numpy.histogram2d`
/// chooses them, at W = 0.5, b = −1.
fn binned(problem: &Problem) -> Binned {
    let mut engine = Cpu::new(problem);
    let at = Affine::new(0.5, -1.0);
    let extremes = engine.extremes(at).unwrap();
    let axis = |[low, high]: [f64; 2], bins| BinAxis::new(low, high, bins);
    let plan = BinPlan {
        at,
        t_of_x: [axis(extremes.x, 5), axis(extremes.t, 4)],
        residual_of_x: [axis(extremes.x, 5), axis(extremes.residual, 4)],
        residuals: axis(extremes.residual, 4000),
        blocks: [2, 4],
    };
    engine.binned(&plan).unwrap()
}

/// `numpy.histogram2d(x, t, bins=[5, 4])`, `(x, 0.5·x − 1 − t)`, transposed.
const T_OF_X: [u64; 20] = [3, 4, 1, 0, 5, 2, 1, 2, 3, 1, 0, 1, 2, 1, 2, 2, 2, 3, 4, 1];
const RESIDUAL_OF_X: [u64; 20] = [2, 3, 3, 3, 1, 2, 1, 2, 2, 1, 2, 3, 3, 2, 2, 1, 1, 0, 1, 5];

/// The same without the pairs of which k mod 7 = 3, and with `weights=w`.
const MASKED: [u64; 20] = [3, 4, 1, 0, 4, 1, 1, 2, 2, 1, 0, 1, 2, 1, 2, 2, 0, 3, 3, 1];
const WEIGHTED: [f64; 20] = [
    1.75, 3.75, 0.75, 0.0, 2.25, 1.25, 1.25, 1.0, 1.25, 0.75, 0.0, 0.75, 0.75, 1.25, 1.75, 1.5, 0.0, 1.0,
    3.5, 0.75,
];

fn sizes(bins: &Bins) -> Vec<f64> {
    let rows = 0..bins.y().bins();
    rows.flat_map(|row| (0..bins.x().bins()).map(move |column| bins.size(column, row))).collect()
}

#[test]
fn bins_are_those_of_numpy() {
    fn check<E: Element>() {
        let binned = binned(&Problem::pair(column::<E>("x", x), column::<E>("t", t)).unwrap());
        assert_eq!(binned.t_of_x.counts(), T_OF_X, "{}", E::TYPE);
        assert_eq!(binned.residual_of_x.counts(), RESIDUAL_OF_X, "{}", E::TYPE);
        assert_eq!(binned.t_of_x.y().edges(), [-3.0, -1.25, 0.5, 2.25, 4.0]);
        assert_eq!((binned.t_of_x.outside(), binned.beyond), (0, [0.0; 2]));
    }
    check::<f64>();
    check::<f32>();
    check::<half::f16>();
}

#[test]
fn missing_pairs_are_in_no_bin_and_weights_add_up() {
    let nodata = |k: u32| if k % 7 == 3 { -99.0 } else { x(k) };
    let rules = |weights| ValidityRules { x_nodata: Some(-99.0), weights, ..ValidityRules::default() };
    let build = |weights: Option<MaskedArray>| {
        let x = Problem::builder(column::<f64>("x", nodata)).target(column::<f64>("t", t));
        binned(&x.rules(rules(weights)).build().unwrap())
    };
    let masked = build(None);
    assert_eq!(masked.t_of_x.counts(), MASKED);
    let weighted = build(Some(column::<f64>("w", w).into()));
    assert_eq!(weighted.t_of_x.counts(), MASKED);
    assert_eq!(sizes(&weighted.t_of_x), WEIGHTED);
}

/// Means of blocks by hand: of the residuals of row 0 and columns 0, 1, and of the
/// columns in the order of memory where that is another.
#[test]
fn blocks_are_means_of_neighbours() {
    let (x, t) = (column::<f64>("x", x), column::<f64>("t", t));
    let straight = binned(&Problem::pair(x.clone(), t.clone()).unwrap()).blocks;
    assert_eq!((straight.extents, straight.blocks), ([5, 8], [2, 4]));
    let residual = |k: u32| self::x(k) * 0.5 - 1.0 - self::t(k);
    // Rows 0, 1, 2 of 5 are in the first of two blocks.
    let first: f64 = [0, 1, 8, 9, 16, 17].map(residual).iter().sum::<f64>() / 6.0;
    let last: f64 = [30, 31, 38, 39].map(residual).iter().sum::<f64>() / 4.0;
    assert!((straight.mean(0, 0).unwrap() - first).abs() < 1e-12);
    assert!((straight.mean(1, 3).unwrap() - last).abs() < 1e-12);
    let turned = binned(&Problem::pair(x.transposed(), t.transposed()).unwrap());
    assert_eq!(turned.t_of_x.counts(), T_OF_X);
    assert_eq!(turned.blocks.extents, [8, 5]);
    assert!(
        (turned.blocks.mean(0, 0).unwrap()
            - [0, 1, 2, 3, 8, 9, 10, 11].map(residual).iter().sum::<f64>() / 8.0)
            .abs()
            < 1e-12
    );
}

/// Over many chunks, weighted, on one thread and on several: to the last bit.
#[test]
fn threads_do_not_matter() {
    let n = 5 * 65_536 + 77u32;
    let values = |seed: u32| -> Vec<f32> {
        (0..n).map(|k| f32::from((k.wrapping_mul(2_654_435_761 + 2 * seed) >> 17) as u16) / 7.0).collect()
    };
    let matrix = |label, seed| Array::from_vec(label, &[u64::from(n)], values(seed));
    let rules = ValidityRules {
        valid_range: Some([3.0, 4500.0]),
        weights: Some(matrix("w", 5).into()),
        ..ValidityRules::default()
    };
    let problem = Problem::builder(matrix("x", 0)).target(matrix("t", 1)).rules(rules).build().unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| binned(&problem))
    };
    let one = on(1);
    assert!(one.t_of_x.total() == problem.valid_len() && problem.valid_len() < u64::from(n));
    for threads in [2, 3, 7] {
        let other = on(threads);
        assert_eq!(other.t_of_x, one.t_of_x);
        assert_eq!(other.residuals, one.residuals);
        assert_eq!(other.blocks, one.blocks);
    }
    let median = one.quantile(0.5).unwrap();
    let mut pairs: Vec<(f64, f64)> = Vec::new();
    let each = |_, _, w, r| pairs.push((r, w));
    Reference::new(&problem).each_residual(Affine::new(0.5, -1.0), each).unwrap();
    let all: f64 = pairs.iter().map(|pair| pair.1).sum();
    let below: f64 = pairs.iter().filter(|pair| pair.0 <= median).map(|pair| pair.1).sum();
    assert!((below / all - 0.5).abs() < 1e-3, "{median} {below} {all}");
}

/// Whole numbers that f64 does not hold: their residuals are exact.
#[test]
fn far_whole_numbers_have_exact_residuals() {
    let far = 1i64 << 60;
    let values = |step: i64| (0..i64::from(N)).map(|k| far + step * k).collect::<Vec<i64>>();
    let x = Array::from_vec("x", &[u64::from(N)], values(1));
    let t = Array::from_vec("t", &[u64::from(N)], values(1));
    let problem = Problem::pair(x, t).unwrap();
    let extremes = Cpu::new(&problem).extremes(Affine::new(1.0, 0.25)).unwrap();
    assert_eq!(extremes.residual, [0.25, 0.25]);
}
