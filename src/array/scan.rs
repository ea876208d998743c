//! What counts of a dataset, found out by looking at every element once.

use std::ops::Range;

use rayon::prelude::*;

use super::validity::{Excluded, Validity, ValidityRules, WORD};
use super::{Array, DataError, ElementType, Order};
use crate::math::Compensated;

/// Elements looked at by a thread at a time, a multiple of [`WORD`].
const CHUNK_ELEMENTS: usize = 1 << 16;

/// What counts of a dataset.
#[derive(Debug)]
pub(crate) struct Counted {
    /// Which pairs, unless all do.
    pub(crate) validity: Option<Validity>,
    /// Σ w over them: their number, where there are no weights.
    pub(crate) weight_sum: f64,
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
    pub(crate) fn of<'m>(
        x: &'m Array,
        t: Option<&'m Array>,
        order: Order,
        rules: &'m ValidityRules,
    ) -> Result<Self, DataError> {
        let ValidityRules { mask, weights, .. } = rules;
        let nodata = |matrix: Option<&Array>, given| {
            let Some(matrix) = matrix else { return Ok(None) };
            let value = matrix.nodata_unless(given)?;
            let whole = matrix.whole_nodata().filter(|_| given.is_none()).map(Nodata::Whole);
            Ok::<_, DataError>(whole.or_else(|| value.map(|value| Nodata::of(value, matrix))))
        };
        let (x_nodata, t_nodata) = (nodata(Some(x), rules.x_nodata)?, nodata(t, rules.t_nodata)?);
        let has_nulls = x.has_nulls() || t.is_some_and(Array::has_nulls);
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
        let side = |matrix: Option<&'m Array>, nodata| matrix.map(|matrix| Side { matrix, nodata });
        let (mask, weights) = (mask.as_ref(), weights.as_ref());
        let look = Look {
            x: Side { matrix: x, nodata: x_nodata },
            t: side(t, t_nodata),
            mask: side(mask, nodata(mask, None)?),
            weights: side(weights, nodata(weights, None)?),
            order,
            range: rules.valid_range,
        };
        let starts: Vec<usize> = (0..x.len()).step_by(CHUNK_ELEMENTS).collect();
        let chunks: Vec<Chunk> = starts
            .into_par_iter()
            .map_init(Scratch::default, |scratch, start| {
                look.at(start..x.len().min(start + CHUNK_ELEMENTS), scratch)
            })
            .collect();
        [Some(x), t, mask, weights].into_iter().flatten().try_for_each(Array::check_intact)?;
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
        // From nothing nothing is predicted, which is no error.
        if validity.count() == 0 && t.is_some() {
            return Err(DataError::NoneValid { label: x.label().to_owned(), excluded });
        }
        let n = validity.count() as f64;
        let weight_sum = if weights.is_some() { weight_sum.value() } else { n };
        if let Some(weights) = weights {
            check_scale(weights, weight_sum / n)?;
        }
        Ok(Self { validity: (excluded.total() > 0).then_some(validity), weight_sum })
    }
}

/// Refuses weights so large or so small, by their mean, that products with them
/// could leave f64 where the data alone do not.
fn check_scale(weights: &Array, mean: f64) -> Result<(), DataError> {
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
    /// As elements have it: that of an f32 is the nearest to what the text says.
    Value(f64),
    /// Of an image of f32 or f16: what is as good as equal.
    NearF32(f32),
    /// The same of f64.
    NearF64(f64),
    /// One of the whole numbers of 64 bits of which f64 has not all; elements that
    /// are it are read as NaN.
    Whole(i128),
}

impl Nodata {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounding is the meaning, and beyond the greatest whole number its text was that"
    )]
    fn of(value: f64, matrix: &Array) -> Self {
        /// 2^53, up to which f64 has all whole numbers, and 2^63.
        const DENSE: f64 = 9_007_199_254_740_992.0;
        const TOP: f64 = 9_223_372_036_854_775_808.0;
        if value.is_nan() {
            return Self::Nan;
        }
        let is_sparse = value.abs() >= DENSE;
        let as_gdal = matrix.is_compared_as_gdal_does();
        match matrix.element() {
            ElementType::I64 if is_sparse && value.abs() <= TOP => Self::Whole((value as i64).into()),
            ElementType::U64 if is_sparse && (0.0..=2.0 * TOP).contains(&value) => {
                Self::Whole((value as u64).into())
            }
            ElementType::F16 | ElementType::F32 if as_gdal => Self::NearF32(value as f32),
            ElementType::F64 if as_gdal => Self::NearF64(value),
            ElementType::F32 => Self::Value(f64::from(value as f32)),
            ElementType::F16 => Self::Value(half::f16::from_f64(value).to_f64()),
            ElementType::Bf16 => Self::Value(half::bf16::from_f64(value).to_f64()),
            // GDAL casts it, once it is known to be in the type's range.
            element if as_gdal && is_in_range(value, element) => Self::Value(value.trunc()),
            _ => Self::Value(value),
        }
    }
}

/// Whether GDAL takes a nodata value for one of elements of this type
/// (`GDALNoDataMaskBand::IsNoDataInRange`): it may have a fraction, which is
/// then cut off, but must not be beyond the type's range.
pub(crate) fn is_in_range(value: f64, element: ElementType) -> bool {
    let (low, high) = match element {
        ElementType::Bool => (0.0, 1.0),
        ElementType::U8 => (0.0, u8::MAX.into()),
        ElementType::I8 => (i8::MIN.into(), i8::MAX.into()),
        ElementType::U16 => (0.0, u16::MAX.into()),
        ElementType::I16 => (i16::MIN.into(), i16::MAX.into()),
        ElementType::U32 => (0.0, u32::MAX.into()),
        ElementType::I32 => (i32::MIN.into(), i32::MAX.into()),
        ElementType::U64 => (0.0, 18_446_744_073_709_551_616.0),
        ElementType::I64 => (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0),
        ElementType::F16 | ElementType::Bf16 | ElementType::F32 | ElementType::F64 => return true,
    };
    (low..=high).contains(&value)
}

/// GDAL's ARE_REAL_EQUAL (gcore/gdal_priv.h, `ulp` = 2), by which its nodata
/// mask compares f32 (gcore/gdalnodatamaskband.cpp): equal, or nearer than
/// 2·2⁻²³·|a + b|, which is 4.8e-7 of the value, computed in f32. There the sum
/// of two that are beyond half of f32's range is infinite, so that all such
/// numbers of one sign are the same: -3.4e38 in any spelling. That is meant to
/// be so: whoever writes it has no measurements there.
fn is_near_f32(a: f32, b: f32) -> bool {
    a == b || (a - b).abs() < f32::EPSILON * (a + b).abs() * 2.0
}

/// The same of f64, with the same relative distance: GDAL takes f32's epsilon
/// here too, "for backward compatibility", so that the nodata value of an f64
/// raster may have been written with the digits of an f32.
fn is_near_f64(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < f64::from(f32::EPSILON) * (a + b).abs() * 2.0
}

/// A matrix and what stands for nothing in it.
#[derive(Clone, Copy)]
struct Side<'a> {
    matrix: &'a Array,
    nodata: Option<Nodata>,
}

/// What is looked at.
struct Look<'a> {
    x: Side<'a>,
    t: Option<Side<'a>>,
    mask: Option<Side<'a>>,
    weights: Option<Side<'a>>,
    order: Order,
    range: Option<[f64; 2]>,
}

/// What was found.
struct Chunk {
    words: Vec<u32>,
    excluded: Excluded,
    /// Σ w, if there are weights.
    weight_sum: Compensated,
    /// In X and in T: NaNs and infinities that count.
    not_finite: [Culprits; 2],
    /// Weights that are negative, NaN or infinite.
    no_weights: Culprits,
}

/// Room for the elements of a chunk, and for what is found of each.
#[derive(Default)]
struct Scratch {
    xs: Vec<f64>,
    ts: Vec<f64>,
    ws: Vec<f64>,
    mask: Vec<f64>,
    verdicts: Vec<u8>,
}

/// What is found of an element; of several, the one that is marked last.
mod verdict {
    pub(crate) const COUNTS: u8 = 0;
    pub(crate) const NOT_FINITE: u8 = 1;
    pub(crate) const RANGE: u8 = 2;
    pub(crate) const T_NODATA: u8 = 3;
    pub(crate) const X_NODATA: u8 = 4;
    pub(crate) const NO_WEIGHT: u8 = 5;
    pub(crate) const WEIGHT: u8 = 6;
    pub(crate) const MASK: u8 = 7;
}

/// Σ w of what counts: short sums side by side, merged with compensation.
fn weight_sum(ws: &[f64], verdicts: &[u8]) -> Compensated {
    const LANES: usize = 8;
    const BLOCK: usize = 64 * LANES;
    let mut sum = Compensated::default();
    for (ws, verdicts) in ws.chunks(BLOCK).zip(verdicts.chunks(BLOCK)) {
        let mut lanes = [0f64; LANES];
        for (ws, verdicts) in ws.chunks(LANES).zip(verdicts.chunks(LANES)) {
            for ((lane, w), verdict) in lanes.iter_mut().zip(ws).zip(verdicts) {
                *lane += if *verdict == verdict::COUNTS { *w } else { 0.0 };
            }
        }
        lanes.into_iter().for_each(|lane| sum.add(lane));
    }
    sum
}

/// Marks the elements of which something holds. One such loop for each rule,
/// without branches, is several times as fast as one loop over all rules.
fn mark(verdicts: &mut [u8], values: &[f64], verdict: u8, holds: impl Fn(f64) -> bool) {
    for (slot, &value) in verdicts.iter_mut().zip(values) {
        *slot = if holds(value) { verdict } else { *slot };
    }
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

impl Side<'_> {
    /// The elements of a range; whole numbers of 64 bits that stand for nothing
    /// as NaN.
    fn read(&self, order: Order, range: &Range<usize>, values: &mut Vec<f64>) {
        values.resize(range.len(), 0.0);
        self.matrix.read(order, range.start, values);
        if let Some(Nodata::Whole(whole)) = self.nodata {
            let places = self.matrix.places_of(whole, order, range.clone());
            places.into_iter().for_each(|k| values[k] = f64::NAN);
        }
        self.matrix.release(order, range.clone());
    }

    /// Marks what is nodata or null.
    fn mark_nothing(&self, order: Order, start: usize, values: &[f64], verdicts: &mut [u8], verdict: u8) {
        match self.nodata {
            None => {}
            Some(Nodata::Value(nodata)) => mark(verdicts, values, verdict, |value| value == nodata),
            #[expect(clippy::cast_possible_truncation, reason = "elements of this kind are f32")]
            Some(Nodata::NearF32(nodata)) => {
                mark(verdicts, values, verdict, |value| is_near_f32(value as f32, nodata));
            }
            Some(Nodata::NearF64(nodata)) => {
                mark(verdicts, values, verdict, |value| is_near_f64(value, nodata));
            }
            Some(Nodata::Nan | Nodata::Whole(_)) => mark(verdicts, values, verdict, f64::is_nan),
        }
        if self.matrix.has_nulls() {
            for (k, slot) in verdicts.iter_mut().enumerate() {
                if self.matrix.is_null_in(order, start + k) {
                    *slot = verdict;
                }
            }
        }
    }
}

impl Look<'_> {
    fn at(&self, range: Range<usize>, scratch: &mut Scratch) -> Chunk {
        let (order, start) = (self.order, range.start);
        let Scratch { xs, ts, ws, mask, verdicts } = scratch;
        verdicts.clear();
        verdicts.resize(range.len(), verdict::COUNTS);
        self.x.read(order, &range, xs);
        ts.clear();
        self.t.iter().for_each(|t| t.read(order, &range, ts));
        for values in [&*xs, &*ts] {
            mark(verdicts, values, verdict::NOT_FINITE, |value| !value.is_finite());
        }
        for values in [&*xs, &*ts] {
            if let Some([low, high]) = self.range {
                mark(verdicts, values, verdict::RANGE, |value| value < low || value > high);
            }
        }
        self.t.iter().for_each(|t| t.mark_nothing(order, start, ts, verdicts, verdict::T_NODATA));
        self.x.mark_nothing(order, start, xs, verdicts, verdict::X_NODATA);
        if let Some(weights) = self.weights {
            weights.read(order, &range, ws);
            mark(verdicts, ws, verdict::NO_WEIGHT, |w| !(w >= 0.0 && w.is_finite()));
            mark(verdicts, ws, verdict::WEIGHT, |w| w == 0.0);
            weights.mark_nothing(order, start, ws, verdicts, verdict::WEIGHT);
        }
        if let Some(side) = self.mask {
            side.read(order, &range, mask);
            mark(verdicts, mask, verdict::MASK, |value| value == 0.0 || value.is_nan());
            side.mark_nothing(order, start, mask, verdicts, verdict::MASK);
        }
        self.sum_up(start, scratch)
    }

    /// What the verdicts come to.
    fn sum_up(&self, start: usize, scratch: &Scratch) -> Chunk {
        let Scratch { xs, ts, ws, verdicts, .. } = scratch;
        // In runs whose sum fits into a byte, which compilers make vectors of.
        let count_run = |run: &[u8], verdict| run.iter().map(|slot| u8::from(*slot == verdict)).sum::<u8>();
        let count = |verdict| verdicts.chunks(255).map(|run| u64::from(count_run(run, verdict))).sum::<u64>();
        let culprits = |verdict, is: &dyn Fn(usize) -> bool| {
            let mut culprits = Culprits::default();
            if count(verdict) > 0 {
                let found = (0..verdicts.len()).filter(|&k| verdicts[k] == verdict && is(k));
                found.for_each(|k| culprits.add(start + k));
            }
            culprits
        };
        let is_infinite = |values: &[f64], k: usize| values.get(k).is_some_and(|value| !value.is_finite());
        let bits = |slots: &[u8]| {
            slots
                .iter()
                .enumerate()
                .fold(0, |word, (k, slot)| word | u32::from(*slot == verdict::COUNTS) << k)
        };
        Chunk {
            words: verdicts.chunks(WORD).map(bits).collect(),
            excluded: Excluded {
                mask: count(verdict::MASK),
                weight: count(verdict::WEIGHT),
                x_nodata: count(verdict::X_NODATA),
                t_nodata: count(verdict::T_NODATA),
                range: count(verdict::RANGE),
            },
            weight_sum: if self.weights.is_some() {
                weight_sum(ws, verdicts)
            } else {
                Compensated::default()
            },
            not_finite: [
                culprits(verdict::NOT_FINITE, &|k| is_infinite(xs, k)),
                culprits(verdict::NOT_FINITE, &|k| is_infinite(ts, k)),
            ],
            no_weights: culprits(verdict::NO_WEIGHT, &|_| true),
        }
    }

    fn refuse_infinite(&self, chunks: &[Chunk]) -> Result<(), DataError> {
        for (k, side) in [Some(self.x), self.t].into_iter().enumerate() {
            let Some(Side { matrix, .. }) = side else { continue };
            let found = Culprits::of(chunks.iter().map(|chunk| chunk.not_finite[k]));
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
        let (Some(Side { matrix: weights, .. }), Culprits { count, first: Some(first) }) =
            (self.weights, found)
        else {
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

    fn matrix(values: &[f64]) -> Array {
        Array::from_vec("m", &[values.len() as u64], values.to_vec())
    }

    fn of(
        x: &Array,
        t: Option<&Array>,
        order: Order,
        rules: &ValidityRules,
    ) -> Result<Option<Validity>, DataError> {
        Counted::of(x, t, order, rules).map(|counted| counted.validity)
    }

    fn bits(validity: &Validity) -> Vec<bool> {
        (0..validity.elements).map(|k| validity.contains(k)).collect()
    }

    /// As f64, all of these are the same number.
    #[test]
    fn whole_numbers_beyond_f64_are_compared_as_they_are() {
        let x = |values: [i64; 4]| Array::from_vec("x", &[4], values.to_vec());
        let holes = |x: &Array, text: &str| {
            let rules = ValidityRules {
                x_nodata: Some(crate::array::nodata(text).unwrap()),
                ..ValidityRules::default()
            };
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
        let unsigned = Array::from_vec("x", &[3], vec![u64::MAX, u64::MAX - 1, 1 << 63]);
        assert_eq!(holes(&unsigned, "18446744073709551615").unwrap(), [false, true, true]);
        assert_eq!(holes(&unsigned, "9223372036854775808").unwrap(), [true, true, false]);
        assert_eq!(holes(&unsigned, "-9223372036854775808"), None);
    }

    #[test]
    fn the_first_reason_counts() {
        let x = matrix(&[1.0, NAN, 3.0, -1.0, 5.0, NAN, 7.0, 9.0]);
        let t = matrix(&[1.0, -9.0, -9.0, 2.0, 99.0, 2.0, 7.0, 9.0]);
        let mask = matrix(&[1.0, 1.0, 1.0, 2.0, -1.0, 0.0, NAN, 0.5]);
        let rules = ValidityRules {
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
        let rules = ValidityRules { x_nodata: Some(-1.0), ..ValidityRules::default() };
        assert!(of(&x, None, Order::C, &rules).unwrap().is_none());
        assert!(of(&x, None, Order::C, &ValidityRules::default()).unwrap().is_none());
    }

    #[test]
    fn a_nan_is_a_hole_only_if_it_is_said_to_be() {
        let x = matrix(&[1.0, NAN, f64::INFINITY]);
        let rules = ValidityRules { x_nodata: Some(NAN), ..ValidityRules::default() };
        let error = of(&x, None, Order::C, &rules).unwrap_err();
        assert!(
            matches!(error, DataError::NotFinite { count: 1, .. }) && error.to_string().contains("index 2")
        );
        assert!(of(&x, None, Order::C, &ValidityRules::default()).is_err());
        let rules = ValidityRules { x_nodata: Some(1.0), ..ValidityRules::default() };
        assert!(matches!(of(&x, None, Order::C, &rules).unwrap_err(), DataError::NotFinite { count: 2, .. }));
    }

    #[test]
    fn an_infinity_is_outside_every_range_and_a_nan_outside_none() {
        let x = matrix(&[1.0, f64::INFINITY, -f64::INFINITY, 2.0]);
        let ranged = |x: &Array| {
            let rules = ValidityRules { valid_range: Some([0.0, 100.0]), ..ValidityRules::default() };
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
        let rules = ValidityRules { mask: with_nodata(&[1.0, 255.0, 0.0]), ..ValidityRules::default() };
        assert_eq!(of(&x, None, Order::C, &rules).unwrap().unwrap().excluded().mask, 2);
        let rules = ValidityRules { weights: with_nodata(&[2.0, 255.0, 3.0]), ..ValidityRules::default() };
        let counted = Counted::of(&x, None, Order::C, &rules).unwrap();
        assert_eq!((counted.weight_sum, counted.validity.unwrap().excluded().weight), (5.0, 1));
    }

    #[test]
    fn none_valid_is_an_error() {
        let x = matrix(&[0.0, 0.0]);
        let rules = ValidityRules { x_nodata: Some(0.0), ..ValidityRules::default() };
        let error = of(&x, Some(&x), Order::C, &rules).unwrap_err();
        assert!(matches!(error, DataError::NoneValid { .. }), "{error}");
        // There is no target, so nothing is fitted.
        assert_eq!(of(&x, None, Order::C, &rules).unwrap().unwrap().count(), 0);
    }

    /// Where the weight is 0, X and T may be anything; what is left weighs 0.5 + 3.
    #[test]
    fn no_weight_is_a_hole() {
        let (x, t) = (matrix(&[1.0, NAN, 3.0, 4.0]), matrix(&[1.0, 2.0, 3.0, f64::INFINITY]));
        let rules =
            ValidityRules { weights: Some(matrix(&[0.5, 0.0, 3.0, 0.0])), ..ValidityRules::default() };
        let counted = Counted::of(&x, Some(&t), Order::C, &rules).unwrap();
        let validity = counted.validity.unwrap();
        assert_eq!(bits(&validity), [true, false, true, false]);
        assert_eq!((validity.excluded().weight, counted.weight_sum), (2, 3.5));
    }

    #[test]
    fn what_is_no_weight_is_an_error_unless_masked() {
        let x = matrix(&[1.0, 2.0, 3.0, 4.0]);
        let weighted = |weights: &[f64], mask| {
            let rules = ValidityRules { weights: Some(matrix(weights)), mask, ..ValidityRules::default() };
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
        let x = Array::from_vec("x", &[3], vec![f32::MIN, 0.1, 1.0]);
        for (nodata, place) in [(-3.402_823_5e38, 0), (0.1, 1)] {
            let rules = ValidityRules { x_nodata: Some(nodata), ..ValidityRules::default() };
            let validity = of(&x, None, Order::C, &rules).unwrap().unwrap();
            assert!(!validity.contains(place), "{nodata}");
        }
    }

    #[test]
    fn the_next_that_counts_is_found_across_words() {
        let values: Vec<f64> = (0..200).map(|k| f64::from(u8::from([3, 31, 32, 150].contains(&k)))).collect();
        let rules = ValidityRules { x_nodata: Some(0.0), ..ValidityRules::default() };
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
        let rules = ValidityRules { x_nodata: Some(0.0), ..ValidityRules::default() };
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
