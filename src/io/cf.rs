//! The attributes by which a variable of NetCDF, of HDF5 or of Zarr says which of its
//! elements are missing and how they were packed: the conventions of the NetCDF Users'
//! Guide (Attribute Conventions), which CF (2.5.1, 8.1) takes over.
//!
//! Missing are elements equal to `_FillValue` or to one of `missing_value`, and those
//! outside `valid_range`, or below `valid_min` or above `valid_max`. Without `_FillValue`
//! the value that the NetCDF library puts where nothing was written is one, if the file
//! says that it was put there, but for types of one byte: as netCDF4 for Python masks
//! them. `scale_factor` and `add_offset` are noted, not applied.

use std::collections::BTreeMap;

use super::listing::Listed;
use super::metadata::Opened;
use super::note::Note;
use super::{nodata, pieces, scaling};
use crate::array::{Array, Bitmap, DataError, Element, ElementType, Nodata, Order, Scaling};
use crate::with_element;

/// The attributes of a variable that are numbers or text, by their names.
pub(super) type Attributes = BTreeMap<String, Value>;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Numbers, and whether they are whole ones by their type.
    Numbers(Vec<Number>, bool),
    Text(String),
}

/// A number of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    fn nearest(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "asked for")]
            Self::Whole(whole) => whole as f64,
            Self::Float(value) => value,
        }
    }

    /// The number as a nodata value.
    #[expect(clippy::cast_possible_truncation, reason = "the question is what is lost")]
    fn nodata(self) -> Nodata {
        match self {
            Self::Whole(whole) if self.nearest() as i128 != whole => Nodata::Whole(whole),
            number => Nodata::Number(number.nearest()),
        }
    }
}

impl Value {
    /// The numbers that bytes of a file are, of whole elements.
    pub(super) fn of(bytes: &[u8], element: ElementType, big_endian: bool) -> Self {
        let numbers = with_element!(element, E => {
            let number = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                if big_endian != cfg!(target_endian = "big") {
                    bytes.reverse();
                }
                let value = bytemuck::pod_read_unaligned::<E>(&bytes);
                whole(value).map_or_else(|| Number::Float(value.to_f64()), Number::Whole)
            };
            bytes.chunks_exact(size_of::<E>()).map(number).collect()
        });
        Self::Numbers(numbers, !element.is_float())
    }
}

/// A whole number, if elements are.
#[expect(clippy::cast_possible_truncation, reason = "whole numbers of 32 bits and less are f64s")]
fn whole<E: Element>(value: E) -> Option<i128> {
    let bytes = bytemuck::bytes_of(&value);
    match E::TYPE {
        ElementType::I64 => Some(bytemuck::pod_read_unaligned::<i64>(bytes).into()),
        ElementType::U64 => Some(bytemuck::pod_read_unaligned::<u64>(bytes).into()),
        element if element.is_float() => None,
        _ => Some(value.to_f64() as i128),
    }
}

/// The text of an attribute.
pub(super) fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    match attributes.get(name)? {
        Value::Text(text) => Some(text),
        Value::Numbers(..) => None,
    }
}

/// The numbers of an attribute, and whether they are whole ones.
fn numbers<'a>(attributes: &'a Attributes, name: &str) -> Option<(&'a [Number], bool)> {
    match attributes.get(name)? {
        Value::Numbers(numbers, whole) if !numbers.is_empty() => Some((numbers, *whole)),
        _ => None,
    }
}

/// The type of elements that are stored as signed numbers for want of unsigned ones.
pub(super) fn element(stored: ElementType, attributes: &Attributes) -> ElementType {
    if !text(attributes, "_Unsigned").is_some_and(|text| text.trim().eq_ignore_ascii_case("true")) {
        return stored;
    }
    match stored {
        ElementType::I8 => ElementType::U8,
        ElementType::I16 => ElementType::U16,
        ElementType::I32 => ElementType::U32,
        ElementType::I64 => ElementType::U64,
        other => other,
    }
}

/// The value that the NetCDF library puts where nothing was written (`NC_FILL_…` of
/// netcdf.h), but for types of which all values are data.
pub(super) fn default_fill(element: ElementType) -> Option<Number> {
    Some(match element {
        ElementType::I16 => Number::Whole(-32_767),
        ElementType::U16 => Number::Whole(65_535),
        ElementType::I32 => Number::Whole(-2_147_483_647),
        ElementType::U32 => Number::Whole(4_294_967_295),
        ElementType::I64 => Number::Whole(-9_223_372_036_854_775_806),
        ElementType::U64 => Number::Whole(18_446_744_073_709_551_614),
        // 15 · 2¹¹⁹, of f32 and of f64.
        ElementType::F32 | ElementType::F64 => Number::Float(9.969_209_968_386_869e36),
        _ => return None,
    })
}

/// What attributes say of an array, in a list.
pub(super) fn listed(listed: Listed, attributes: &Attributes) -> Listed {
    let missing = ["_FillValue", "missing_value"].iter().find_map(|name| match attributes.get(*name)? {
        Value::Numbers(values, _) => values.first().map(|number| number.nodata()),
        Value::Text(_) => None,
    });
    let remarks = scaling_of(attributes).map(|scaling| scaling::note(scaling).to_string());
    Listed { remarks: remarks.into_iter().collect(), ..listed.missing(missing.as_ref()) }
}

/// An array with what its attributes say of it. `fill` are the bytes, in this machine's
/// order, that stand where nothing was written.
pub(super) fn opened(
    array: Array,
    attributes: &Attributes,
    fill: Option<&[u8]>,
) -> Result<Opened, DataError> {
    let element = array.element();
    let mut markers: Vec<Nodata> = Vec::new();
    for name in ["_FillValue", "missing_value"] {
        match attributes.get(name) {
            Some(Value::Numbers(values, _)) => {
                markers.extend(values.iter().map(|&number| of_type(number, element).nodata()));
            }
            Some(Value::Text(text)) => markers.push(match nodata::nodata(text) {
                Ok(number) => Nodata::Number(number),
                Err(_) => Nodata::Unclear { name: name.to_owned(), text: text.clone() },
            }),
            None => {}
        }
    }
    if !attributes.contains_key("_FillValue")
        && let (Some(default), Some(fill)) = (default_fill(element), fill)
        && let Value::Numbers(values, _) = Value::of(fill, element, cfg!(target_endian = "big"))
        && values == [default]
    {
        markers.push(default.nodata());
    }
    let mut distinct: Vec<Nodata> = Vec::new();
    for marker in markers {
        let is_nan = |marker: &Nodata| matches!(marker, Nodata::Number(value) if value.is_nan());
        if !distinct.iter().any(|other| *other == marker || is_nan(other) && is_nan(&marker)) {
            distinct.push(marker);
        }
    }
    let scaling = scaling_of(attributes);
    let range = Range::of(attributes, element, scaling);
    let is_unclear = distinct.iter().any(|marker| matches!(marker, Nodata::Unclear { .. }));
    if range.is_none() && (distinct.len() <= 1 || is_unclear) {
        let unclear =
            distinct.iter().position(|marker| matches!(marker, Nodata::Unclear { .. })).unwrap_or(0);
        let marker = distinct.into_iter().nth(unclear);
        return Ok(Opened::from(array).with_nodata(marker).with_scaling(scaling));
    }
    let (valid, outside) = valid(&array, &distinct, range.as_ref())?;
    let excluded =
        range.filter(|_| outside > 0).map(|range| Note::OutOfRange { by: range.by, count: outside });
    let opened = Opened::from(array).with_nulls(valid).with_fill(distinct.first());
    Ok(opened.with_scaling(scaling).noted(excluded))
}

/// A number as elements have it that are unsigned in its place.
fn of_type(number: Number, element: ElementType) -> Number {
    match (number, element) {
        (Number::Whole(whole @ ..0), ElementType::U8) => Number::Whole(whole + (1 << 8)),
        (Number::Whole(whole @ ..0), ElementType::U16) => Number::Whole(whole + (1 << 16)),
        (Number::Whole(whole @ ..0), ElementType::U32) => Number::Whole(whole + (1 << 32)),
        (Number::Whole(whole @ ..0), ElementType::U64) => Number::Whole(whole + (1 << 64)),
        _ => number,
    }
}

/// How packed numbers become those that are meant, if they are packed.
fn scaling_of(attributes: &Attributes) -> Option<Scaling> {
    let number = |name| numbers(attributes, name).map(|(numbers, _)| numbers[0].nearest());
    scaling::of(number("scale_factor"), number("add_offset"))
}

/// The range of elements that are not missing.
#[derive(Debug)]
struct Range {
    low: f64,
    high: f64,
    /// What is compared with the limits: elements as they are stored, or scaled.
    scaling: Option<Scaling>,
    by: &'static str,
}

impl Range {
    fn of(attributes: &Attributes, element: ElementType, scaling: Option<Scaling>) -> Option<Self> {
        let one = |name| numbers(attributes, name).map(|(numbers, whole)| (numbers[0], whole));
        let (low, high, by) = match numbers(attributes, "valid_range") {
            Some(([low, high], whole)) => (Some((*low, whole)), Some((*high, whole)), "its valid_range"),
            _ => match (one("valid_min"), one("valid_max")) {
                (None, None) => return None,
                (low, None) => (low, None, "its valid_min"),
                (None, high) => (None, high, "its valid_max"),
                (low, high) => (low, high, "its valid_min and valid_max"),
            },
        };
        // Limits that are of the packed type are meant for packed numbers.
        let is_of_unpacked = |limit: Option<(Number, bool)>| limit.is_some_and(|(_, whole)| !whole);
        let unpacks =
            !element.is_float() && scaling.is_some() && (is_of_unpacked(low) || is_of_unpacked(high));
        let limit = |limit: Option<(Number, bool)>, none| {
            limit
                .map_or(none, |(number, _)| if unpacks { number } else { of_type(number, element) }.nearest())
        };
        let (low, high) = (limit(low, f64::NEG_INFINITY), limit(high, f64::INFINITY));
        // A float limit is as f32 has it where the elements are f32.
        let rounded = |limit: f64| {
            with_element!(element, E => {
                if E::TYPE.is_float() { E::from_f64(limit).to_f64() } else { limit }
            })
        };
        let (low, high) = if unpacks { (low, high) } else { (rounded(low), rounded(high)) };
        Some(Self { low, high, scaling: scaling.filter(|_| unpacks), by })
    }

    fn excludes(&self, value: f64) -> bool {
        let value = self.scaling.map_or(value, |scaling| value * scaling.scale + scaling.offset);
        value < self.low || value > self.high
    }
}

/// The elements that are neither equal to a marker nor out of range, and the number of
/// those that only the range excludes.
fn valid(array: &Array, markers: &[Nodata], range: Option<&Range>) -> Result<(Bitmap, u64), DataError> {
    const PART: usize = 1 << 18;
    let starts = (0..array.len()).step_by(PART);
    let decode = |values: &mut Vec<f64>, start: usize| {
        let count = PART.min(array.len() - start);
        let (mut part, mut outside) = (Bitmap::default(), 0);
        let mut note = |k: usize, is_marker: bool, value: f64| {
            let is_outside = !is_marker && range.is_some_and(|range| range.excludes(value));
            outside += u64::from(is_outside);
            if is_marker || is_outside {
                part.exclude(k);
            }
        };
        if array.is_wide_integer() {
            let wholes: Vec<i128> = markers.iter().filter_map(as_whole).collect();
            for (k, whole) in array.wholes(Order::C, start, count).into_iter().enumerate() {
                note(k, wholes.contains(&whole), Number::Whole(whole).nearest());
            }
        } else {
            let markers: Vec<f64> = with_element!(array.element(), E => {
                let as_stored = |value: f64| if E::TYPE.is_float() { E::from_f64(value).to_f64() } else { value };
                markers.iter().filter_map(Nodata::nearest).map(as_stored).collect()
            });
            let has_nan = markers.iter().any(|marker| marker.is_nan());
            values.resize(count, 0.0);
            array.read(Order::C, start, values);
            for (k, &value) in values.iter().enumerate() {
                note(k, markers.contains(&value) || has_nan && value.is_nan(), value);
            }
        }
        array.release(Order::C, start..start + count);
        (start, part, outside)
    };
    let (mut valid, mut outside) = (Bitmap::default(), 0);
    pieces::in_order(starts, 2 * pieces::threads(), decode, |(start, part, of_part)| {
        valid.append(start, &part);
        outside += of_part;
        Ok::<(), DataError>(())
    })?;
    array.check_intact()?;
    Ok((valid, outside))
}

fn as_whole(marker: &Nodata) -> Option<i128> {
    match marker {
        Nodata::Whole(whole) => Some(*whole),
        #[expect(clippy::cast_possible_truncation, reason = "it is a whole number within their range")]
        Nodata::Number(value) if value.fract() == 0.0 && value.abs() < 1e19 => Some(*value as i128),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes<const N: usize>(values: [(&str, Value); N]) -> Attributes {
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn whole<const N: usize>(numbers: [i128; N]) -> Value {
        Value::Numbers(numbers.map(Number::Whole).to_vec(), true)
    }

    fn float<const N: usize>(numbers: [f64; N]) -> Value {
        Value::Numbers(numbers.map(Number::Float).to_vec(), false)
    }

    fn missing(array: &Array, attributes: &Attributes) -> Vec<usize> {
        let opened = opened(array.clone(), attributes, None).unwrap();
        assert_eq!(opened.metadata().nodata(), None);
        (0..array.len()).filter(|&k| opened.metadata().is_null(k)).collect()
    }

    #[test]
    fn one_marker_is_a_nodata_value() {
        let array = Array::from_vec("x", &[3], vec![1i16, -99, 3]);
        let opened =
            opened(array, &attributes([("_FillValue", whole([-99])), ("missing_value", whole([-99]))]), None);
        let opened = opened.unwrap();
        assert_eq!(opened.metadata().nodata(), Some(-99.0));
        assert!(!opened.metadata().has_nulls());
    }

    #[test]
    fn several_markers_and_a_range_exclude_elements() {
        let array = Array::from_vec("x", &[6], vec![1i16, -99, 3, -98, 200, -5]);
        let markers = ("missing_value", whole([-99, -98]));
        assert_eq!(missing(&array, &attributes([markers.clone()])), [1, 3]);
        assert_eq!(
            missing(&array, &attributes([markers.clone(), ("valid_range", whole([0, 100]))])),
            [1, 3, 4, 5]
        );
        assert_eq!(missing(&array, &attributes([("valid_max", whole([100]))])), [4]);
        assert_eq!(missing(&array, &attributes([("valid_min", whole([-5]))])), [1, 3]);
    }

    /// Limits of a floating-point type are of numbers that are not packed.
    #[test]
    fn limits_are_compared_with_what_they_are_of() {
        let array = Array::from_vec("x", &[3], vec![1i16, 20, 300]);
        let scale = ("scale_factor", float([0.1]));
        assert_eq!(
            missing(&array, &attributes([scale.clone(), ("valid_range", float([1.0, 10.0]))])),
            [0, 2]
        );
        assert_eq!(missing(&array, &attributes([scale, ("valid_range", whole([0, 30]))])), [2]);
        let floats = Array::from_vec("x", &[2], vec![0.1f32, 0.2]);
        assert_eq!(missing(&floats, &attributes([("valid_min", float([0.1]))])), [0usize; 0]);
    }

    #[test]
    fn whole_numbers_of_64_bits_keep_their_digits() {
        let values = vec![i64::MAX - 1, i64::MAX, 5, i64::MIN];
        let array = Array::from_vec("x", &[4], values);
        let markers = whole([i128::from(i64::MAX), i128::from(i64::MIN)]);
        assert_eq!(missing(&array, &attributes([("missing_value", markers)])), [1, 3]);
    }

    #[test]
    fn signed_markers_of_unsigned_elements_are_unsigned() {
        let attributes = attributes([("_Unsigned", Value::Text("true".into())), ("_FillValue", whole([-1]))]);
        assert_eq!(element(ElementType::I8, &attributes), ElementType::U8);
        let array = Array::from_vec("x", &[2], vec![255u8, 1]);
        assert_eq!(opened(array, &attributes, None).unwrap().metadata().nodata(), Some(255.0));
    }

    /// What the library puts there is told by the dataset's own value.
    #[test]
    fn what_was_never_written_is_missing() {
        let array = Array::from_vec("x", &[2], vec![9.969_21e36_f32, 1.0]);
        let fill = 9.969_21e36_f32.to_ne_bytes();
        let nodata = |fill: Option<&[u8]>| {
            opened(array.clone(), &Attributes::new(), fill).unwrap().metadata().nodata()
        };
        assert_eq!(nodata(Some(&fill)), Some(9.969_209_968_386_869e36));
        assert_eq!(nodata(None), None);
        assert_eq!(nodata(Some(&0f32.to_ne_bytes())), None);
    }
}
