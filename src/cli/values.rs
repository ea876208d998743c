//! Values that options of several commands take.

use std::str::FromStr;
use std::time::Duration;

use crate::array::{ElementType, Shape};
use crate::io::synthetic::Recipe;

/// A positive number, such as a tolerance.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a positive number".to_owned())
}

/// A number of seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "expected a number of seconds".to_owned())
}

/// A shape, as `8192x8192`.
#[derive(Debug, Clone)]
pub(super) struct ShapeArgument(pub(super) Shape);

impl FromStr for ShapeArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let extents: Result<Vec<u64>, _> =
            text.split(['x', 'X', '×']).map(|extent| extent.trim().parse()).collect();
        let shape = Shape(extents.map_err(|_| "give counts joined by x, like 8192x8192".to_owned())?);
        match shape.elements() {
            Some(0) => Err("a shape without elements".to_owned()),
            None => Err("more elements than can be counted".to_owned()),
            Some(_) => Ok(Self(shape)),
        }
    }
}

/// An element type that synthetic data can have, as `u8`.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeArgument(pub(super) ElementType);

impl FromStr for TypeArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ElementType::ALL
            .into_iter()
            .find(|element| element.name() == text && Recipe::supports(*element))
            .map(Self)
            .ok_or_else(|| "give one of u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64".to_owned())
    }
}
