use super::many::{GroupResult, ManyReport};
use super::numbers::{count, counted, near_one, short};
use crate::fit::{FitRow, ManyFits};
use crate::io::fits::Keys;
use crate::math::{BinAxis, Bins};

/// Rows and columns of a map, at most.
const BLOCKS: [usize; 2] = [48, 64];

/// Bars of a histogram, at least and at most.
const BARS: std::ops::RangeInclusive<usize> = 8..=48;

/// The groups that are listed as the worst.
const WORST: usize = 10;

/// Numbers within these shares are always within the range that is drawn.
const CENTRAL: [f64; 2] = [0.01, 0.99];

/// The range is that of all numbers, unless it is so many times as wide as that of
/// the central ones.
const WIDE: f64 = 4.0;

/// Everything that the pictures of many fits show.
#[derive(Debug, Clone)]
pub struct ManyView {
    /// The number of fits and their shape.
    pub heading: String,
    /// The medians, and the fits without a line.
    pub caption: String,
    /// W, b and R².
    pub numbers: Vec<NumberView>,
    /// The fits with the lowest R², or the greatest loss where none has one.
    pub worst: Vec<GroupResult>,
    /// The name of that list.
    pub worst_title: String,
}

/// One number of each fit.
#[derive(Debug, Clone)]
pub struct NumberView {
    /// Its name.
    pub name: &'static str,
    /// The range that is drawn.
    pub range: [f64; 2],
    /// The fits whose number is outside of it.
    pub beyond: u64,
    /// The numbers; `None` if no fit has one.
    pub shown: Option<Shown>,
}

/// A way to show the numbers of many fits.
#[derive(Debug, Clone)]
pub enum Shown {
    /// Over rows and columns, for fits in two dimensions.
    Map(FitMap),
    /// By their size.
    Histogram(Bins),
}

/// Means of a number over blocks of rows and columns of fits.
#[derive(Debug, Clone, PartialEq)]
pub struct FitMap {
    /// Rows and columns.
    pub extents: [usize; 2],
    /// Rows and columns of blocks.
    pub blocks: [usize; 2],
    means: Vec<Option<f64>>,
}

impl FitMap {
    /// The means of finite numbers, which are given row by row.
    fn new(extents: [usize; 2], values: impl Iterator<Item = f64>) -> Self {
        let blocks = [0, 1].map(|axis| extents[axis].min(BLOCKS[axis]).max(1));
        let mut sums = vec![(0.0, 0u32); blocks[0] * blocks[1]];
        for (k, value) in values.enumerate().filter(|(_, value)| value.is_finite()) {
            let places = [k / extents[1], k % extents[1]];
            let [row, column] = [0, 1].map(|axis| places[axis] * blocks[axis] / extents[axis]);
            let (sum, count) = &mut sums[row * blocks[1] + column];
            *sum += value;
            *count += 1;
        }
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
        Self { extents, blocks, means: sums.into_iter().map(mean).collect() }
    }

    /// The mean of a block; none where no fit has the number.
    #[must_use]
    pub fn mean(&self, row: usize, column: usize) -> Option<f64> {
        self.means[row * self.blocks[1] + column]
    }
}

impl ManyView {
    /// The view of these fits and of their report.
    #[must_use]
    pub fn of(fits: &ManyFits, keys: &Keys, report: &ManyReport) -> Self {
        let plane = plane(&fits.shape.0);
        let columns: [(&'static str, Number); 3] =
            [("W", |row| row.weight), ("b", |row| row.bias), ("R²", |row| row.r2)];
        let numbers = columns.map(|(name, number)| NumberView::of(name, &fits.rows, number, plane));
        let has_r2 = fits.rows.iter().any(|row| row.r2.is_finite());
        let order = |row: &FitRow| if has_r2 { row.r2 } else { -row.loss };
        let mut ordered: Vec<usize> =
            (0..fits.rows.len()).filter(|&fit| order(&fits.rows[fit]).is_finite()).collect();
        let by_order =
            |a: &usize, b: &usize| order(&fits.rows[*a]).total_cmp(&order(&fits.rows[*b])).then(a.cmp(b));
        if ordered.len() > WORST {
            ordered.select_nth_unstable_by(WORST - 1, by_order);
            ordered.truncate(WORST);
        }
        ordered.sort_by(by_order);
        let extents: Vec<String> = fits.shape.0.iter().map(u64::to_string).collect();
        let which = if has_r2 { "lowest R²" } else { "greatest loss" };
        Self {
            heading: format!(
                "{} of Y = X·W + b, in shape {}",
                counted(report.fits.count, "fit"),
                extents.join("×")
            ),
            caption: caption(report),
            numbers: numbers.into(),
            worst_title: match ordered.len() {
                1 => format!("The fit with the {which}"),
                count => format!("The {count} fits with the {which}"),
            },
            worst: ordered
                .iter()
                .map(|&fit| GroupResult::of(&fits.rows[fit], keys, &fits.shape, fit))
                .collect(),
        }
    }
}

/// Rows and columns of fits in two dimensions, not counting those of one.
fn plane(shape: &[u64]) -> Option<[usize; 2]> {
    let long: Vec<usize> = shape
        .iter()
        .filter(|&&extent| extent > 1)
        .filter_map(|&extent| usize::try_from(extent).ok())
        .collect();
    <[usize; 2]>::try_from(long).ok()
}

fn caption(report: &ManyReport) -> String {
    let fits = &report.fits;
    let mut parts = vec![counted(report.n, "pair")];
    parts.push(format!("median W {}", short(fits.weight.median)));
    parts.push(format!("median b {}", short(fits.bias.median)));
    parts.extend(fits.r2.map(|r2| format!("median R² {}", near_one(r2.median))));
    if fits.degenerate > 0 {
        parts.push(format!("{} without a line", count(fits.degenerate)));
    }
    parts.join(", ")
}

impl NumberView {
    fn of(
        name: &'static str,
        rows: &[FitRow],
        number: impl Fn(&FitRow) -> f64,
        plane: Option<[usize; 2]>,
    ) -> Self {
        let finite: Vec<f64> = rows.iter().map(&number).filter(|value| value.is_finite()).collect();
        let range = drawn_range(finite.clone());
        let is_beyond = |value: &&f64| !(range[0]..=range[1]).contains(*value);
        let beyond = finite.iter().filter(is_beyond).count() as u64;
        let shown = match plane {
            _ if finite.is_empty() => None,
            Some(extents) => Some(Shown::Map(FitMap::new(extents, rows.iter().map(number)))),
            None => Some(Shown::Histogram(histogram(&finite, range))),
        };
        Self { name, range, beyond, shown }
    }
}

fn histogram(values: &[f64], [low, high]: [f64; 2]) -> Bins {
    // Twice the root, as the Rice rule has it for a few hundred.
    let bars = (2 * values.len().isqrt()).clamp(*BARS.start(), *BARS.end());
    let mut bins = Bins::new(BinAxis::new(low, high, bars), BinAxis::new(0.0, 0.0, 1), false);
    for &value in values {
        bins.add(value, 0.0, 1.0);
    }
    bins
}

/// A number of a fit.
type Number = fn(&FitRow) -> f64;

/// The range of finite numbers, without those that are far out.
fn drawn_range(mut values: Vec<f64>) -> [f64; 2] {
    let Some(last) = values.len().checked_sub(1) else { return [0.0, 1.0] };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Of fewer than a hundred fits none is far out.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a vector"
    )]
    let places = [(CENTRAL[0] * last as f64).floor() as usize, (CENTRAL[1] * last as f64).ceil() as usize];
    let [first, second] = places.map(|place| *values.select_nth_unstable_by(place, f64::total_cmp).1);
    let width = second - first;
    if width > 0.0 && high - low > WIDE * width {
        [low.max(first - width / 2.0), high.min(second + width / 2.0)]
    } else {
        [low, high]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_means_of_blocks_and_no_number_where_there_is_none() {
        let map = FitMap::new([2, 3], [1.0, f64::NAN, 3.0, 4.0, 5.0, f64::INFINITY].into_iter());
        assert_eq!((map.extents, map.blocks), ([2, 3], [2, 3]));
        let rows = [0, 1].map(|row| [0, 1, 2].map(|column| map.mean(row, column)));
        assert_eq!(rows, [[Some(1.0), None, Some(3.0)], [Some(4.0), Some(5.0), None]]);
        // 96 × 128 fits are 48 × 64 blocks of 2 × 2: of row·1000 + column the first
        // has 0, 1, 1000, 1001.
        let wide = FitMap::new([96, 128], (0..96 * 128).map(|k| f64::from(k / 128 * 1000 + k % 128)));
        assert_eq!((wide.blocks, wide.mean(0, 0)), ([48, 64], Some(500.5)));
        assert_eq!(wide.mean(47, 63), Some(94_626.5));
    }

    #[test]
    fn two_dimensions_are_those_that_are_longer_than_one() {
        assert_eq!(plane(&[3, 4]), Some([3, 4]));
        assert_eq!(plane(&[1, 3, 4]), Some([3, 4]));
        assert_eq!((plane(&[7]), plane(&[2, 3, 4]), plane(&[1, 1])), (None, None, None));
    }

    #[test]
    fn a_range_is_without_numbers_that_are_far_out() {
        assert_eq!(drawn_range(vec![3.0, 1.0, 2.0]), [1.0, 3.0]);
        assert_eq!(drawn_range(vec![]), [0.0, 1.0]);
        assert_eq!(drawn_range(vec![5.0; 4]), [5.0, 5.0]);
        assert_eq!(drawn_range(vec![0.0, 1.0, 1000.0]), [0.0, 1000.0]);
        // Of 0, 1, … 998 and a million, the central numbers are 9 to 990.
        let mut values: Vec<f64> = (0..999).map(f64::from).collect();
        values.push(1e6);
        assert_eq!(drawn_range(values), [0.0, 990.0 + 490.5]);
    }
}
