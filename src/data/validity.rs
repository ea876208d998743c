use std::fmt;
use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use super::{DataError, ElementType, Matrix, Order};
use crate::math::Compensated;

/// Elements looked at by a thread at a time, a multiple of [`WORD`].
const CHUNK_ELEMENTS: usize = 1 << 16;

/// Elements that share a word.
const WORD: usize = 32;

/// What makes an element a hole, one that doesn't count, and how much the
/// others count.
#[derive(Debug, Default)]
pub struct HoleRules {
    /// The value of X that stands for nothing, a NaN for all NaNs; where there
    /// is none, that of X's file, if it has one.
    pub x_nodata: Option<f64>,
    /// The same for T.
    pub t_nodata: Option<f64>,
    /// The least and the greatest value of X and of T that counts.
    pub valid_range: Option<[f64; 2]>,
    /// A matrix of X's shape: where it is 0, NaN, nodata or null, nothing counts.
    pub mask: Option<Matrix>,
    /// A matrix of X's shape: how much each pair counts, a number of 0 or more;
    /// 0 is a hole. Without it each counts once.
    pub weights: Option<Matrix>,
}

/// How many elements don't count, each by the first reason of these that it
/// has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// The mask is 0 there.
    pub mask: u64,
    /// The weight is 0, nodata or null there.
    pub weight: u64,
    /// X is nodata or null.
    pub x_nodata: u64,
    /// T is nodata or null.
    pub t_nodata: u64,
    /// X or T is outside the valid range.
    pub range: u64,
}

impl Excluded {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.mask + self.weight + self.x_nodata + self.t_nodata + self.range
    }

    /// Each number that isn't 0, and its reason.
    pub fn reasons(self) -> impl Iterator<Item = (u64, &'static str)> {
        [
            (self.mask, "masked"),
            (self.weight, "of weight 0"),
            (self.x_nodata, "nodata in X"),
            (self.t_nodata, "nodata in T"),
            (self.range, "outside the valid range"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
    }

    fn combine(self, other: Self) -> Self {
        Self {
            mask: self.mask + other.mask,
            weight: self.weight + other.weight,
            x_nodata: self.x_nodata + other.x_nodata,
            t_nodata: self.t_nodata + other.t_nodata,
            range: self.range + other.range,
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (number, reason)) in self.reasons().enumerate() {
            write!(f, "{}{number} {reason}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Which pairs of elements count, a bit for each, in the dataset's order.
#[derive(Debug)]
pub struct Validity {
    words: Vec<u32>,
    elements: usize,
    excluded: Excluded,
}

impl Validity {
    /// Whether element number `k` counts.
    #[must_use]
    pub fn contains(&self, k: usize) -> bool {
        self.words[k / WORD] >> (k % WORD) & 1 == 1
    }

    /// Whether all of these count; `range` must not be empty.
    #[must_use]
    pub fn contains_all(&self, range: &Range<usize>) -> bool {
        // Blocks begin with a word, so that this is rarely the slow way.
        if range.start.is_multiple_of(WORD) {
            let (whole, rest) = (range.start / WORD..range.end / WORD, range.end % WORD);
            self.words[whole.clone()].iter().all(|&word| word == u32::MAX)
                && (rest == 0 || self.words[whole.end].trailing_ones() as usize >= rest)
        } else {
            range.clone().all(|k| self.contains(k))
        }
    }

    /// The first that counts from number `k` on.
    #[must_use]
    pub fn next_from(&self, k: usize) -> Option<usize> {
        // In the first word, those before `k` are behind.
        let first = self.words.get(k / WORD)? & (u32::MAX << (k % WORD));
        let rest = self.words.iter().copied().enumerate().skip(k / WORD + 1);
        let (word, bits) = std::iter::once((k / WORD, first)).chain(rest).find(|(_, bits)| *bits != 0)?;
        Some(word * WORD + bits.trailing_zeros() as usize)
    }

    /// How many count.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.elements as u64 - self.excluded.total()
    }

    /// How many don't, and why.
    #[must_use]
    pub fn excluded(&self) -> Excluded {
        self.excluded
    }

    /// The bits of a range that begins with a word, 32 to a word, the first
    /// element's the lowest.
    #[must_use]
    pub fn words(&self, range: &Range<usize>) -> &[u32] {
        &self.words[range.start / WORD..range.end.div_ceil(WORD)]
    }
}

/// What counts of a dataset.
#[derive(Debug)]
pub(super) struct Counted {
    /// Which pairs, unless all do.
    pub(super) validity: Option<Validity>,
    /// Σ w over them: their number, where there are no weights.
    pub(super) weight_sum: f64,
}

impl Counted {
    /// Looks at every element once.
    ///
    /// # Errors
    /// [`DataError::NotFinite`] for a NaN or an infinity that is no hole;
    /// [`DataError::Weights`] for what is no weight, [`DataError::WeightsScale`];
    /// [`DataError::NoneValid`];
    /// [`DataError::OtherShape`]; [`DataError::UnclearNodata`].
    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    pub(super) fn of(
        x: &Matrix,
        t: Option<&Matrix>,
        order: Order,
        rules: &HoleRules,
    ) -> Result<Self, DataError> {
        let HoleRules { mask, weights, .. } = rules;
        let nodata = |matrix: Option<&Matrix>, given| {
            let Some(matrix) = matrix else { return Ok(None) };
            let value = matrix.nodata_unless(given)?;
            Ok::<_, DataError>(value.map(|value| Nodata::of(value, matrix.element())))
        };
        let (x_nodata, t_nodata) = (nodata(Some(x), rules.x_nodata)?, nodata(t, rules.t_nodata)?);
        let has_nulls = x.has_nulls() || t.is_some_and(Matrix::has_nulls);
        let has_nodata = x_nodata.is_some() || t_nodata.is_some();
        let has_companions = mask.is_some() || weights.is_some();
        if !has_nulls && !has_nodata && !has_companions && rules.valid_range.is_none() {
            x.check_finite()?;
            t.iter().try_for_each(|t| t.check_finite())?;
            return Ok(Self { validity: None, weight_sum: x.len() as f64 });
        }
        for (what, matrix) in [("mask", mask), ("weights", weights)] {
            if let Some(matrix) = matrix.as_ref().filter(|matrix| matrix.shape() != x.shape()) {
                return Err(DataError::OtherShape {
                    label: matrix.label().to_owned(),
                    what,
                    shape: matrix.shape().clone(),
                    x_shape: x.shape().clone(),
                });
            }
        }
        let (mask, weights, range) = (mask.as_ref(), weights.as_ref(), rules.valid_range);
        let (mask_nodata, weights_nodata) = (nodata(mask, None)?, nodata(weights, None)?);
        let look =
            Look { x, t, order, mask, mask_nodata, weights, weights_nodata, x_nodata, t_nodata, range };
        let starts: Vec<usize> = (0..x.len()).step_by(CHUNK_ELEMENTS).collect();
        let chunks: Vec<Chunk> =
            starts.into_par_iter().map(|start| look.at(start..x.len().min(start + CHUNK_ELEMENTS))).collect();
        [Some(x), t, mask, weights].into_iter().flatten().try_for_each(Matrix::check_intact)?;
        look.refuse_weights(&chunks)?;
        look.refuse_infinite(&chunks)?;
        let excluded = chunks.iter().fold(Excluded::default(), |sum, chunk| sum.combine(chunk.excluded));
        let mut weight_sum = Compensated::default();
        chunks.iter().for_each(|chunk| weight_sum.add(chunk.weight_sum.value()));
        let validity = Validity {
            words: chunks.into_iter().flat_map(|chunk| chunk.words).collect(),
            elements: x.len(),
            excluded,
        };
        if validity.count() == 0 {
            return Err(DataError::NoneValid { label: x.label().to_owned(), excluded });
        }
        let weight_sum = weight_sum.value();
        if let Some(weights) = weights {
            check_scale(weights, weight_sum / validity.count() as f64)?;
        }
        Ok(Self { validity: (excluded.total() > 0).then_some(validity), weight_sum })
    }
}

/// Refuses weights so large or so small, by their mean, that products with them
/// could leave f64 where the data alone do not.
fn check_scale(weights: &Matrix, mean: f64) -> Result<(), DataError> {
    const LEAST: f64 = 1e-60;
    if (LEAST..=1.0 / LEAST).contains(&mean) {
        return Ok(());
    }
    Err(DataError::WeightsScale { label: weights.label().to_owned(), mean })
}

/// A value that stands for nothing.
#[derive(Debug, Clone, Copy)]
enum Nodata {
    Nan,
    /// As elements have it: the f32 nearest to -3.4e38 is what stands for
    /// nothing in a raster that says so, however many digits it gives.
    Value(f64),
    /// One of the whole numbers of 64 bits of which f64 has not all.
    Whole(i128),
}

impl Nodata {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounding is the meaning, and beyond the greatest whole number its text was that"
    )]
    fn of(value: f64, element: ElementType) -> Self {
        /// 2^53, up to which f64 has all whole numbers, and 2^63.
        const DENSE: f64 = 9_007_199_254_740_992.0;
        const TOP: f64 = 9_223_372_036_854_775_808.0;
        if value.is_nan() {
            return Self::Nan;
        }
        let is_sparse = value.abs() >= DENSE;
        Self::Value(match element {
            ElementType::I64 if is_sparse && value.abs() <= TOP => return Self::Whole((value as i64).into()),
            ElementType::U64 if is_sparse && (0.0..=2.0 * TOP).contains(&value) => {
                return Self::Whole((value as u64).into());
            }
            ElementType::F32 => f64::from(value as f32),
            ElementType::F16 => half::f16::from_f64(value).to_f64(),
            ElementType::Bf16 => half::bf16::from_f64(value).to_f64(),
            _ => value,
        })
    }

    #[expect(clippy::float_cmp, reason = "the question is whether it is that very number")]
    fn is(self, value: f64) -> bool {
        match self {
            // Whole numbers that were found to be it are read as NaN.
            Self::Nan | Self::Whole(_) => value.is_nan(),
            Self::Value(nodata) => value == nodata,
        }
    }
}

/// What is looked at.
struct Look<'a> {
    x: &'a Matrix,
    t: Option<&'a Matrix>,
    order: Order,
    mask: Option<&'a Matrix>,
    mask_nodata: Option<Nodata>,
    weights: Option<&'a Matrix>,
    weights_nodata: Option<Nodata>,
    x_nodata: Option<Nodata>,
    t_nodata: Option<Nodata>,
    range: Option<[f64; 2]>,
}

/// What was found.
struct Chunk {
    words: Vec<u32>,
    excluded: Excluded,
    weight_sum: Compensated,
    /// In X and in T: NaNs and infinities that count.
    not_finite: [Culprits; 2],
    /// Weights that are negative, NaN or infinite.
    no_weights: Culprits,
}

/// Elements that must not be there.
#[derive(Debug, Clone, Copy, Default)]
struct Culprits {
    count: u64,
    first: Option<usize>,
}

impl Culprits {
    fn add(&mut self, place: usize) {
        self.count += 1;
        self.first.get_or_insert(place);
    }

    /// All of them, those of later chunks after those of earlier ones.
    fn of(chunks: impl Iterator<Item = Self>) -> Self {
        chunks.fold(Self::default(), |sum, chunk| Self {
            count: sum.count + chunk.count,
            first: sum.first.or(chunk.first),
        })
    }
}

impl Look<'_> {
    fn at(&self, range: Range<usize>) -> Chunk {
        let read = |matrix: Option<&Matrix>, nodata: Option<Nodata>| {
            matrix.map(|matrix| {
                let mut values = vec![0f64; range.len()];
                matrix.read(self.order, range.start, &mut values);
                if let Some(Nodata::Whole(whole)) = nodata {
                    let places = matrix.places_of(whole, self.order, range.clone());
                    places.into_iter().for_each(|k| values[k] = f64::NAN);
                }
                matrix.release(self.order, range.clone());
                values
            })
        };
        let (xs, ts) = (read(Some(self.x), self.x_nodata), read(self.t, self.t_nodata));
        let (mask, ws) = (read(self.mask, self.mask_nodata), read(self.weights, self.weights_nodata));
        let mut chunk = Chunk {
            words: vec![0; range.len().div_ceil(WORD)],
            excluded: Excluded::default(),
            weight_sum: Compensated::default(),
            not_finite: [Culprits::default(); 2],
            no_weights: Culprits::default(),
        };
        let value = |values: &Option<Vec<f64>>, k: usize| values.as_ref().map_or(0.0, |values| values[k]);
        for k in 0..range.len() {
            let (x, t) = (value(&xs, k), value(&ts, k));
            let is = |nodata: Option<Nodata>, value| nodata.is_some_and(|nodata| nodata.is(value));
            let is_null = |matrix: Option<&Matrix>| {
                matrix.is_some_and(|matrix| matrix.is_null_in(self.order, range.start + k))
            };
            let outside = |value: f64| self.range.is_some_and(|[low, high]| value < low || value > high);
            let masked = is_null(self.mask)
                || mask
                    .as_ref()
                    .is_some_and(|mask| mask[k] == 0.0 || mask[k].is_nan() || is(self.mask_nodata, mask[k]));
            let w = ws.as_ref().map_or(1.0, |ws| ws[k]);
            if masked {
                chunk.excluded.mask += 1;
            } else if is(self.weights_nodata, w) || w == 0.0 || is_null(self.weights) {
                chunk.excluded.weight += 1;
            } else if !(w >= 0.0 && w.is_finite()) {
                chunk.no_weights.add(range.start + k);
            } else if is(self.x_nodata, x) || is_null(Some(self.x)) {
                chunk.excluded.x_nodata += 1;
            } else if is(self.t_nodata, t) || is_null(self.t) {
                chunk.excluded.t_nodata += 1;
            } else if outside(x) || (self.t.is_some() && outside(t)) {
                chunk.excluded.range += 1;
            } else if !(x.is_finite() && t.is_finite()) {
                for (value, culprits) in [x, t].iter().zip(&mut chunk.not_finite) {
                    if !value.is_finite() {
                        culprits.add(range.start + k);
                    }
                }
            } else {
                chunk.words[k / WORD] |= 1 << (k % WORD);
                chunk.weight_sum.add(w);
            }
        }
        chunk
    }

    fn refuse_infinite(&self, chunks: &[Chunk]) -> Result<(), DataError> {
        for (side, matrix) in [Some(self.x), self.t].into_iter().enumerate() {
            let Some(matrix) = matrix else { continue };
            let found = Culprits::of(chunks.iter().map(|chunk| chunk.not_finite[side]));
            if let Culprits { count, first: Some(first) } = found {
                return Err(DataError::NotFinite {
                    label: matrix.label().to_owned(),
                    count,
                    n: matrix.len() as u64,
                    position: matrix.position(first as u64, self.order),
                });
            }
        }
        Ok(())
    }

    fn refuse_weights(&self, chunks: &[Chunk]) -> Result<(), DataError> {
        let found = Culprits::of(chunks.iter().map(|chunk| chunk.no_weights));
        let (Some(weights), Culprits { count, first: Some(first) }) = (self.weights, found) else {
            return Ok(());
        };
        let mut value = [0f64];
        weights.read(self.order, first, &mut value);
        Err(DataError::Weights {
            label: weights.label().to_owned(),
            count,
            n: weights.len() as u64,
            value: value[0],
            position: weights.position(first as u64, self.order),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn matrix(values: &[f64]) -> Matrix {
        Matrix::from_vec("m", &[values.len() as u64], values.to_vec())
    }

    fn of(
        x: &Matrix,
        t: Option<&Matrix>,
        order: Order,
        rules: &HoleRules,
    ) -> Result<Option<Validity>, DataError> {
        Counted::of(x, t, order, rules).map(|counted| counted.validity)
    }

    fn bits(validity: &Validity) -> Vec<bool> {
        (0..validity.elements).map(|k| validity.contains(k)).collect()
    }

    /// As f64, all of these are the same number.
    #[test]
    fn whole_numbers_beyond_f64_are_compared_as_they_are() {
        let x = |values: [i64; 4]| Matrix::from_vec("x", &[4], values.to_vec());
        let holes = |x: &Matrix, text: &str| {
            let rules =
                HoleRules { x_nodata: Some(crate::data::nodata(text).unwrap()), ..HoleRules::default() };
            of(x, None, Order::C, &rules).unwrap().map(|validity| bits(&validity))
        };
        let near = (1 << 53) + 1;
        assert_eq!(
            holes(&x([near, near - 1, near, 0]), "9007199254740992").unwrap(),
            [true, false, true, true]
        );
        assert_eq!(holes(&x([near, near, near, 0]), "9007199254740992"), None);
        let greatest = x([i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1]);
        assert_eq!(holes(&greatest, "9223372036854775807").unwrap(), [false, true, true, true]);
        assert_eq!(holes(&greatest, "-9223372036854775808").unwrap(), [true, true, false, true]);
        assert_eq!(holes(&greatest, "18446744073709551615"), None);
        assert_eq!(holes(&greatest, "-1e30"), None);
        let unsigned = Matrix::from_vec("x", &[3], vec![u64::MAX, u64::MAX - 1, 1 << 63]);
        assert_eq!(holes(&unsigned, "18446744073709551615").unwrap(), [false, true, true]);
        assert_eq!(holes(&unsigned, "9223372036854775808").unwrap(), [true, true, false]);
        assert_eq!(holes(&unsigned, "-9223372036854775808"), None);
    }

    #[test]
    fn the_first_reason_counts() {
        let x = matrix(&[1.0, NAN, 3.0, -1.0, 5.0, NAN, 7.0, 9.0]);
        let t = matrix(&[1.0, -9.0, -9.0, 2.0, 99.0, 2.0, 7.0, 9.0]);
        let mask = matrix(&[1.0, 1.0, 1.0, 2.0, -1.0, 0.0, NAN, 0.5]);
        let rules = HoleRules {
            x_nodata: Some(NAN),
            t_nodata: Some(-9.0),
            valid_range: Some([0.0, 50.0]),
            mask: Some(mask),
            weights: None,
        };
        let validity = of(&x, Some(&t), Order::C, &rules).unwrap().unwrap();
        assert_eq!(bits(&validity), [true, false, false, false, false, false, false, true]);
        assert_eq!(validity.excluded(), Excluded { mask: 2, weight: 0, x_nodata: 1, t_nodata: 1, range: 2 });
        assert_eq!((validity.count(), validity.words(&(0..8))), (2, &[0b1000_0001][..]));
    }

    #[test]
    fn nothing_excluded_is_nothing_to_look_up() {
        let x = matrix(&[1.0, 2.0]);
        let rules = HoleRules { x_nodata: Some(-1.0), ..HoleRules::default() };
        assert!(of(&x, None, Order::C, &rules).unwrap().is_none());
        assert!(of(&x, None, Order::C, &HoleRules::default()).unwrap().is_none());
    }

    #[test]
    fn a_nan_is_a_hole_only_if_it_is_said_to_be() {
        let x = matrix(&[1.0, NAN, f64::INFINITY]);
        let rules = HoleRules { x_nodata: Some(NAN), ..HoleRules::default() };
        let error = of(&x, None, Order::C, &rules).unwrap_err();
        assert!(
            matches!(error, DataError::NotFinite { count: 1, .. }) && error.to_string().contains("index 2")
        );
        assert!(of(&x, None, Order::C, &HoleRules::default()).is_err());
        let rules = HoleRules { x_nodata: Some(1.0), ..HoleRules::default() };
        assert!(matches!(of(&x, None, Order::C, &rules).unwrap_err(), DataError::NotFinite { count: 2, .. }));
    }

    #[test]
    fn an_infinity_is_outside_every_range_and_a_nan_outside_none() {
        let x = matrix(&[1.0, f64::INFINITY, -f64::INFINITY, 2.0]);
        let ranged = |x: &Matrix| {
            let rules = HoleRules { valid_range: Some([0.0, 100.0]), ..HoleRules::default() };
            of(x, None, Order::C, &rules)
        };
        assert_eq!(ranged(&x).unwrap().unwrap().excluded().range, 2);
        assert!(matches!(ranged(&matrix(&[1.0, NAN])), Err(DataError::NotFinite { count: 1, .. })));
    }

    /// What a mask or weights say stands for nothing is no reason to count.
    #[test]
    fn companions_have_holes_of_their_own() {
        let x = matrix(&[1.0, 2.0, 3.0]);
        let with_nodata = |values: &[f64]| {
            let mut matrix = matrix(values);
            matrix.set_nodata(Some(255.0));
            Some(matrix)
        };
        let rules = HoleRules { mask: with_nodata(&[1.0, 255.0, 0.0]), ..HoleRules::default() };
        assert_eq!(of(&x, None, Order::C, &rules).unwrap().unwrap().excluded().mask, 2);
        let rules = HoleRules { weights: with_nodata(&[2.0, 255.0, 3.0]), ..HoleRules::default() };
        let counted = Counted::of(&x, None, Order::C, &rules).unwrap();
        assert_eq!((counted.weight_sum, counted.validity.unwrap().excluded().weight), (5.0, 1));
    }

    #[test]
    fn none_valid_is_an_error() {
        let x = matrix(&[0.0, 0.0]);
        let rules = HoleRules { x_nodata: Some(0.0), ..HoleRules::default() };
        let error = of(&x, None, Order::C, &rules).unwrap_err();
        assert!(matches!(error, DataError::NoneValid { .. }), "{error}");
    }

    /// Where the weight is 0, X and T may be anything; what is left weighs 0.5 + 3.
    #[test]
    fn no_weight_is_a_hole() {
        let (x, t) = (matrix(&[1.0, NAN, 3.0, 4.0]), matrix(&[1.0, 2.0, 3.0, f64::INFINITY]));
        let rules = HoleRules { weights: Some(matrix(&[0.5, 0.0, 3.0, 0.0])), ..HoleRules::default() };
        let counted = Counted::of(&x, Some(&t), Order::C, &rules).unwrap();
        let validity = counted.validity.unwrap();
        assert_eq!(bits(&validity), [true, false, true, false]);
        assert_eq!((validity.excluded().weight, counted.weight_sum), (2, 3.5));
    }

    #[test]
    fn what_is_no_weight_is_an_error_unless_masked() {
        let x = matrix(&[1.0, 2.0, 3.0, 4.0]);
        let weighted = |weights: &[f64], mask| {
            let rules = HoleRules { weights: Some(matrix(weights)), mask, ..HoleRules::default() };
            Counted::of(&x, None, Order::C, &rules)
        };
        for bad in [-1.0, NAN, f64::INFINITY] {
            let error = weighted(&[1.0, 2.0, bad, bad], None).unwrap_err();
            assert!(matches!(error, DataError::Weights { count: 2, .. }), "{error}");
            assert!(error.to_string().contains("index 2"), "{error}");
            let mask = Some(matrix(&[1.0, 1.0, 0.0, 0.0]));
            assert_eq!(weighted(&[1.0, 2.0, bad, bad], mask).unwrap().weight_sum, 3.0);
        }
        let error = weighted(&[1.0, 2.0], None).unwrap_err().to_string();
        assert!(error.contains("weights of shape"), "{error}");
    }

    /// -3.4028235e38, as GDAL writes it, is not the f64 of that name.
    #[test]
    fn nodata_is_rounded_as_the_elements_are() {
        let x = Matrix::from_vec("x", &[3], vec![f32::MIN, 0.1, 1.0]);
        for (nodata, place) in [(-3.402_823_5e38, 0), (0.1, 1)] {
            let rules = HoleRules { x_nodata: Some(nodata), ..HoleRules::default() };
            let validity = of(&x, None, Order::C, &rules).unwrap().unwrap();
            assert!(!validity.contains(place), "{nodata}");
        }
    }

    #[test]
    fn the_next_that_counts_is_found_across_words() {
        let values: Vec<f64> = (0..200).map(|k| f64::from(u8::from([3, 31, 32, 150].contains(&k)))).collect();
        let rules = HoleRules { x_nodata: Some(0.0), ..HoleRules::default() };
        let validity = of(&matrix(&values), None, Order::C, &rules).unwrap().unwrap();
        for (from, next) in [
            (0, Some(3)),
            (3, Some(3)),
            (4, Some(31)),
            (32, Some(32)),
            (33, Some(150)),
            (151, None),
            (500, None),
        ] {
            assert_eq!(validity.next_from(from), next, "{from}");
        }
    }

    #[test]
    fn all_of_a_range_however_it_lies_in_words() {
        let mut values = vec![1.0; 200];
        values[100] = 0.0;
        let rules = HoleRules { x_nodata: Some(0.0), ..HoleRules::default() };
        let validity = of(&matrix(&values), None, Order::C, &rules).unwrap().unwrap();
        for (range, all) in [
            (0..100, true),
            (0..101, false),
            (64..100, true),
            (96..128, false),
            (101..200, true),
            (99..100, true),
            (128..200, true),
            (5..99, true),
        ] {
            assert_eq!(validity.contains_all(&range), all, "{range:?}");
        }
    }
}
