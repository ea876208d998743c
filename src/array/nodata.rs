use super::element::{Element, ElementType, with_element};

/// The nodata value of an array: the one that marks missing elements.
#[derive(Debug, Clone, PartialEq)]
pub enum Nodata {
    /// The value; a NaN for all NaNs.
    Number(f64),
    /// A whole number of the elements' type, of 64 bits, that f64 has not.
    Whole(i128),
    /// A text that is not a number, or one that f64 has not. The missing elements
    /// are not known then, unless the user gives another value.
    Unclear {
        /// The name of the attribute.
        name: String,
        /// The text.
        text: String,
    },
}

impl Nodata {
    /// The value, or the f64 nearest to it, if it is clear.
    #[must_use]
    pub fn nearest(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            #[expect(clippy::cast_precision_loss, reason = "rounding is the documented meaning")]
            Self::Whole(value) => Some(*value as f64),
            Self::Unclear { .. } => None,
        }
    }
}

/// The rule by which elements equal a nodata value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Comparison {
    /// Elements equal the value as their type has it.
    #[default]
    AsStored,
    /// Elements of images equal the value where GDAL says so.
    AsGdal,
}

/// A nodata value as it is compared with elements of one type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Marker {
    Nan,
    /// The value as elements have it: that of an f32 is the nearest to the text's.
    Value(f64),
    /// The value of an image of f32 or f16, which equals what is as good as equal.
    NearF32(f32),
    /// The value of an image of f64, compared as loosely.
    NearF64(f64),
    /// One of the whole numbers of 64 bits of which f64 has not all; elements that
    /// are it are read as NaN.
    Whole(i128),
}

impl Marker {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounding is the meaning, and beyond the greatest whole number its text was that"
    )]
    pub(super) fn of(value: f64, element: ElementType, comparison: Comparison) -> Self {
        /// 2^53, up to which f64 has all whole numbers, and 2^63.
        const DENSE: f64 = 9_007_199_254_740_992.0;
        const TOP: f64 = 9_223_372_036_854_775_808.0;
        if value.is_nan() {
            return Self::Nan;
        }
        let is_sparse = value.abs() >= DENSE;
        let as_gdal = comparison == Comparison::AsGdal;
        match element {
            ElementType::I64 if is_sparse && value.abs() <= TOP => Self::Whole((value as i64).into()),
            ElementType::U64 if is_sparse && (0.0..=2.0 * TOP).contains(&value) => {
                Self::Whole((value as u64).into())
            }
            ElementType::F16 | ElementType::F32 if as_gdal => Self::NearF32(value as f32),
            ElementType::F64 if as_gdal => Self::NearF64(value),
            float if float.is_float() => Self::Value(with_element!(float, E => E::from_f64(value).to_f64())),
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
/// numbers of one sign are the same: -3.4e38 in any spelling. That is
/// intended: files that use such a marker have no measurements there.
pub(super) fn is_near_f32(a: f32, b: f32) -> bool {
    a == b || (a - b).abs() < f32::EPSILON * (a + b).abs() * 2.0
}

/// The comparison of f64, with the same relative distance: GDAL takes f32's epsilon
/// here too, "for backward compatibility", so that the nodata value of an f64
/// raster may have been written with the digits of an f32.
pub(super) fn is_near_f64(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < f64::from(f32::EPSILON) * (a + b).abs() * 2.0
}
