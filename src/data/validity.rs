use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use super::{DataError, ElementType, Matrix, Order};

/// Elements looked at by a thread at a time, a multiple of [`WORD`].
const CHUNK_ELEMENTS: usize = 1 << 16;

/// Elements that share a word.
const WORD: usize = 32;

/// What makes an element a hole, one that doesn't count.
#[derive(Debug, Default)]
pub struct HoleRules {
    /// The value of X that stands for nothing, a NaN for all NaNs; where there
    /// is none, that of X's file, if it has one.
    pub x_nodata: Option<f64>,
    /// The same for T.
    pub t_nodata: Option<f64>,
    /// The least and the greatest value of X and of T that counts.
    pub valid_range: Option<[f64; 2]>,
    /// A matrix of X's shape: where it is 0, NaN or null, nothing counts.
    pub mask: Option<Matrix>,
}

/// How many elements don't count, each by the first reason of these that it
/// has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// The mask is 0 there.
    pub mask: u64,
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
        self.mask + self.x_nodata + self.t_nodata + self.range
    }

    fn combine(self, other: Self) -> Self {
        Self {
            mask: self.mask + other.mask,
            x_nodata: self.x_nodata + other.x_nodata,
            t_nodata: self.t_nodata + other.t_nodata,
            range: self.range + other.range,
        }
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

    /// Looks at every element once. `None` if all count.
    ///
    /// # Errors
    /// [`DataError::NotFinite`] for a NaN or an infinity that is no hole;
    /// [`DataError::NoneValid`]; [`DataError::MaskShape`];
    /// [`DataError::UnclearNodata`].
    pub(super) fn of(
        x: &Matrix,
        t: Option<&Matrix>,
        order: Order,
        rules: &HoleRules,
    ) -> Result<Option<Self>, DataError> {
        let nodata = |matrix: &Matrix, given| {
            let value = matrix.nodata_unless(given)?;
            Ok::<_, DataError>(value.map(|value| Nodata::of(value, matrix.element())))
        };
        let x_nodata = nodata(x, rules.x_nodata)?;
        let t_nodata = t.map(|t| nodata(t, rules.t_nodata)).transpose()?.flatten();
        let has_nulls = x.has_nulls() || t.is_some_and(Matrix::has_nulls);
        let has_nodata = x_nodata.is_some() || t_nodata.is_some();
        if !has_nulls && !has_nodata && rules.valid_range.is_none() && rules.mask.is_none() {
            x.check_finite()?;
            t.iter().try_for_each(|t| t.check_finite())?;
            return Ok(None);
        }
        if let Some(mask) = rules.mask.as_ref().filter(|mask| mask.shape() != x.shape()) {
            return Err(DataError::MaskShape {
                mask: mask.label().to_owned(),
                mask_shape: mask.shape().clone(),
                x_shape: x.shape().clone(),
            });
        }
        let look =
            Look { x, t, order, mask: rules.mask.as_ref(), x_nodata, t_nodata, range: rules.valid_range };
        let starts: Vec<usize> = (0..x.len()).step_by(CHUNK_ELEMENTS).collect();
        let chunks: Vec<Chunk> =
            starts.into_par_iter().map(|start| look.at(start..x.len().min(start + CHUNK_ELEMENTS))).collect();
        x.check_intact()?;
        t.iter().try_for_each(|t| t.check_intact())?;
        look.refuse_infinite(&chunks)?;
        let excluded = chunks.iter().fold(Excluded::default(), |sum, chunk| sum.combine(chunk.excluded));
        let validity = Self {
            words: chunks.into_iter().flat_map(|chunk| chunk.words).collect(),
            elements: x.len(),
            excluded,
        };
        match (validity.count(), excluded.total()) {
            (0, _) => Err(DataError::NoneValid { label: x.label().to_owned(), excluded }),
            (_, 0) => Ok(None),
            _ => Ok(Some(validity)),
        }
    }
}

/// A value that stands for nothing.
#[derive(Debug, Clone, Copy)]
enum Nodata {
    Nan,
    /// As elements have it: the f32 nearest to -3.4e38 is what stands for
    /// nothing in a raster that says so, however many digits it gives.
    Value(f64),
}

impl Nodata {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is the meaning")]
    fn of(value: f64, element: ElementType) -> Self {
        if value.is_nan() {
            return Self::Nan;
        }
        Self::Value(match element {
            ElementType::F32 => f64::from(value as f32),
            ElementType::F16 => half::f16::from_f64(value).to_f64(),
            ElementType::Bf16 => half::bf16::from_f64(value).to_f64(),
            _ => value,
        })
    }

    #[expect(clippy::float_cmp, reason = "the question is whether it is that very number")]
    fn is(self, value: f64) -> bool {
        match self {
            Self::Nan => value.is_nan(),
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
    x_nodata: Option<Nodata>,
    t_nodata: Option<Nodata>,
    range: Option<[f64; 2]>,
}

/// What was found.
struct Chunk {
    words: Vec<u32>,
    excluded: Excluded,
    /// In X and in T: NaNs and infinities that count, and the first of them.
    not_finite: [(u64, Option<usize>); 2],
}

impl Look<'_> {
    fn at(&self, range: Range<usize>) -> Chunk {
        let read = |matrix: Option<&Matrix>| {
            matrix.map(|matrix| {
                let mut values = vec![0f64; range.len()];
                matrix.read(self.order, range.start, &mut values);
                matrix.release(self.order, range.clone());
                values
            })
        };
        let (xs, ts, mask) = (read(Some(self.x)), read(self.t), read(self.mask));
        let mut chunk = Chunk {
            words: vec![0; range.len().div_ceil(WORD)],
            excluded: Excluded::default(),
            not_finite: [(0, None); 2],
        };
        let value = |values: &Option<Vec<f64>>, k: usize| values.as_ref().map_or(0.0, |values| values[k]);
        for k in 0..range.len() {
            let (x, t) = (value(&xs, k), value(&ts, k));
            let is = |nodata: Option<Nodata>, value| nodata.is_some_and(|nodata| nodata.is(value));
            let is_null =
                |matrix: Option<&Matrix>| matrix.is_some_and(|matrix| matrix.is_null(range.start + k));
            let outside = |value: f64| self.range.is_some_and(|[low, high]| value < low || value > high);
            // Its nulls are read as 0.
            let masked = mask.as_ref().is_some_and(|mask| mask[k] == 0.0 || mask[k].is_nan());
            if masked {
                chunk.excluded.mask += 1;
            } else if is(self.x_nodata, x) || is_null(Some(self.x)) {
                chunk.excluded.x_nodata += 1;
            } else if is(self.t_nodata, t) || is_null(self.t) {
                chunk.excluded.t_nodata += 1;
            } else if !(x.is_finite() && t.is_finite()) {
                for (value, (count, first)) in [x, t].iter().zip(&mut chunk.not_finite) {
                    if !value.is_finite() {
                        *count += 1;
                        first.get_or_insert(range.start + k);
                    }
                }
            } else if outside(x) || (self.t.is_some() && outside(t)) {
                chunk.excluded.range += 1;
            } else {
                chunk.words[k / WORD] |= 1 << (k % WORD);
            }
        }
        chunk
    }

    fn refuse_infinite(&self, chunks: &[Chunk]) -> Result<(), DataError> {
        for (side, matrix) in [Some(self.x), self.t].into_iter().enumerate() {
            let Some(matrix) = matrix else { continue };
            let found = || chunks.iter().map(|chunk| chunk.not_finite[side]);
            let count = found().map(|(count, _)| count).sum();
            if count > 0 {
                let first = found().find_map(|(_, first)| first).unwrap_or(0);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn matrix(values: &[f64]) -> Matrix {
        Matrix::from_vec("m", &[values.len() as u64], values.to_vec())
    }

    fn bits(validity: &Validity) -> Vec<bool> {
        (0..validity.elements).map(|k| validity.contains(k)).collect()
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
        };
        let validity = Validity::of(&x, Some(&t), Order::C, &rules).unwrap().unwrap();
        assert_eq!(bits(&validity), [true, false, false, false, false, false, false, true]);
        assert_eq!(validity.excluded(), Excluded { mask: 2, x_nodata: 1, t_nodata: 1, range: 2 });
        assert_eq!((validity.count(), validity.words(&(0..8))), (2, &[0b1000_0001][..]));
    }

    #[test]
    fn nothing_excluded_is_nothing_to_look_up() {
        let x = matrix(&[1.0, 2.0]);
        let rules = HoleRules { x_nodata: Some(-1.0), ..HoleRules::default() };
        assert!(Validity::of(&x, None, Order::C, &rules).unwrap().is_none());
        assert!(Validity::of(&x, None, Order::C, &HoleRules::default()).unwrap().is_none());
    }

    #[test]
    fn a_nan_is_a_hole_only_if_it_is_said_to_be() {
        let x = matrix(&[1.0, NAN, f64::INFINITY]);
        let rules = HoleRules { x_nodata: Some(NAN), ..HoleRules::default() };
        let error = Validity::of(&x, None, Order::C, &rules).unwrap_err();
        assert!(
            matches!(error, DataError::NotFinite { count: 1, .. }) && error.to_string().contains("index 2")
        );
        assert!(Validity::of(&x, None, Order::C, &HoleRules::default()).is_err());
        let rules = HoleRules { x_nodata: Some(1.0), ..HoleRules::default() };
        assert!(matches!(
            Validity::of(&x, None, Order::C, &rules).unwrap_err(),
            DataError::NotFinite { count: 2, .. }
        ));
    }

    #[test]
    fn none_valid_is_an_error() {
        let x = matrix(&[0.0, 0.0]);
        let rules = HoleRules { x_nodata: Some(0.0), ..HoleRules::default() };
        let error = Validity::of(&x, None, Order::C, &rules).unwrap_err();
        assert!(matches!(error, DataError::NoneValid { .. }), "{error}");
    }

    /// -3.4028235e38, as GDAL writes it, is not the f64 of that name.
    #[test]
    fn nodata_is_rounded_as_the_elements_are() {
        let x = Matrix::from_vec("x", &[3], vec![f32::MIN, 0.1, 1.0]);
        for (nodata, place) in [(-3.402_823_5e38, 0), (0.1, 1)] {
            let rules = HoleRules { x_nodata: Some(nodata), ..HoleRules::default() };
            let validity = Validity::of(&x, None, Order::C, &rules).unwrap().unwrap();
            assert!(!validity.contains(place), "{nodata}");
        }
    }

    #[test]
    fn all_of_a_range_however_it_lies_in_words() {
        let mut values = vec![1.0; 200];
        values[100] = 0.0;
        let rules = HoleRules { x_nodata: Some(0.0), ..HoleRules::default() };
        let validity = Validity::of(&matrix(&values), None, Order::C, &rules).unwrap().unwrap();
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
