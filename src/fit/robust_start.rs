//! The first line of a robust fit: the repeated median line of a sample.

use super::FitError;
use crate::array::Problem;
use crate::engine::EngineError;
use crate::math::{Affine, LineKind};

/// Pairs of a sample: a sample's share of outliers is within 1.5 % of that of the
/// data, and its pairs of pairs take some milliseconds.
const SAMPLE: usize = 1024;

/// A line that outliers cannot move far while they are fewer than half: the repeated
/// median (A. F. Siegel, 1982), W = medᵢ medⱼ (tⱼ − tᵢ)/(xⱼ − xᵢ) and
/// b = medᵢ (tᵢ − W·xᵢ), of a sample of the valid pairs.
///
/// The sample has a pair from a random place of each of 1,024 parts of equal length,
/// the same in every run: outliers that lie together, as clouds in an image, have
/// their share in it and no more. It does not matter to the result, unless that
/// depends on where the rounds start.
pub(super) fn start(data: &Problem, line: LineKind) -> Result<Affine, FitError> {
    let pairs = sample(data)?;
    let weight = match line {
        LineKind::ThroughOrigin { bias } => {
            median(pairs.iter().filter(|(x, _)| *x != 0.0).map(|(x, t)| (t - bias) / x).collect())
        }
        LineKind::Offset { weight } => weight,
        LineKind::LeastSquares | LineKind::ReducedMajorAxis | LineKind::Deming { .. } => {
            median(pairs.iter().filter_map(|pair| median_slope(&pairs, *pair)).collect())
        }
    };
    let bias = match line {
        LineKind::ThroughOrigin { bias } => bias,
        _ => median(pairs.iter().map(|(x, t)| t - weight * x).collect()),
    };
    let model = Affine { weight, bias };
    Ok(if model.is_finite() { model } else { Affine::default() })
}

/// The median slope from a pair to the others; `None` where none has another x.
fn median_slope(pairs: &[(f64, f64)], (x, t): (f64, f64)) -> Option<f64> {
    let others = pairs.iter().filter(|other| other.0 != x);
    let slopes: Vec<f64> = others.map(|other| (other.1 - t) / (other.0 - x)).collect();
    (!slopes.is_empty()).then(|| median(slopes))
}

/// The median; 0 of nothing. Of an even number the upper one, which is enough for a
/// start.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Valid pairs of the data: all, or one from each part that has one.
fn sample(data: &Problem) -> Result<Vec<(f64, f64)>, EngineError> {
    let (n, t) = (data.len(), data.t().ok_or(EngineError::NoTarget)?);
    let parts = n.min(SAMPLE);
    let mut pairs = Vec::with_capacity(parts);
    for part in 0..parts {
        let bound = |part: usize| {
            let place = part as u128 * n as u128 / parts as u128;
            usize::try_from(place).unwrap_or(n)
        };
        let range = bound(part)..bound(part + 1);
        let within = usize::try_from(mixed(part as u64) % range.len().max(1) as u64).unwrap_or(0);
        let from = range.start + within;
        // Where the rest of a part has no valid pair, its beginning may.
        let place = data.first_valid(&(from..range.end)).or_else(|| data.first_valid(&range));
        let Some(place) = place else { continue };
        let mut pair = [[0.0]; 2];
        data.x().read(data.order(), place, &mut pair[0]);
        t.read(data.order(), place, &mut pair[1]);
        data.release(&(place..place + 1));
        pairs.push((pair[0][0], pair[1][0]));
    }
    data.check_intact()?;
    Ok(pairs)
}

/// SplitMix64's output for the k-th state (G. L. Steele, D. Lea, C. H. Flood, 2014).
fn mixed(k: u64) -> u64 {
    let mut z = k.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;

    fn problem(n: usize, pair: impl Fn(usize) -> (f64, f64)) -> Problem {
        let (x, t): (Vec<f64>, Vec<f64>) = (0..n).map(pair).unzip();
        let column = |label, values| Array::from_vec(label, &[n as u64], values);
        Problem::pair(column("x", x), column("t", t)).unwrap()
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn on_line(k: usize) -> (f64, f64) {
        let x = (k * 37 % 101) as f64;
        (x, 3.0 * x - 7.0)
    }

    /// The last 45 % of the pairs are wild, in a row.
    #[test]
    fn outliers_do_not_move_it_while_they_are_fewer_than_half() {
        for n in [40, 1000, 50_000] {
            let data = problem(n, |k| {
                let (x, t) = on_line(k);
                (x, if k * 20 >= n * 11 { 1e9 + t * t } else { t })
            });
            let got = start(&data, LineKind::LeastSquares).unwrap();
            assert_eq!(got, Affine::new(3.0, -7.0), "{n}");
            let got = start(&data, LineKind::ThroughOrigin { bias: -7.0 }).unwrap();
            assert_eq!(got, Affine::new(3.0, -7.0), "{n}");
            let got = start(&data, LineKind::Offset { weight: 3.0 }).unwrap();
            assert_eq!(got, Affine::new(3.0, -7.0), "{n}");
        }
    }

    #[test]
    fn a_sample_is_spread_over_the_data() {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let data = problem(1_000_000, |k| (k as f64, 0.0));
        let places: Vec<f64> = sample(&data).unwrap().into_iter().map(|(x, _)| x).collect();
        assert_eq!(places.len(), SAMPLE);
        assert!(places.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 2.0 * 977.0));
        // Not all of one column of an image.
        let columns: std::collections::BTreeSet<u64> =
            places.iter().map(|place| place.rem_euclid(64.0).to_bits()).collect();
        assert_eq!(columns.len(), 64);
    }

    #[test]
    fn data_without_a_line_have_a_start() {
        let same = problem(5, |_| (2.0, 4.0));
        assert_eq!(start(&same, LineKind::LeastSquares).unwrap(), Affine::new(0.0, 4.0));
        let zeros = problem(3, |_| (0.0, 4.0));
        assert_eq!(start(&zeros, LineKind::ThroughOrigin { bias: 1.0 }).unwrap(), Affine::new(0.0, 1.0));
    }
}
