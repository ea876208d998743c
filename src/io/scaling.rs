//! The scale and the offset that a file has for the elements of an array.

use super::note::Note;
use crate::array::Scaling;

/// The scaling of attributes of the CF conventions, of which the first name of each pair
/// that is there counts. `None` if there is none, or it changes nothing.
pub(super) fn find<'a>(
    names: &[[&str; 2]],
    attribute: impl Fn(&str) -> Option<&'a String>,
) -> Option<Scaling> {
    let number = |place: usize| {
        let text = names.iter().find_map(|pair| attribute(pair[place]))?;
        text.trim().parse().ok()
    };
    of(number(0), number(1))
}

/// The scaling of a scale and an offset, as far as they are there.
pub(super) fn of(scale: Option<f64>, offset: Option<f64>) -> Option<Scaling> {
    let scaling = Scaling { scale: scale.unwrap_or(1.0), offset: offset.unwrap_or(0.0) };
    let is_one = scaling.scale.is_finite() && scaling.offset.is_finite();
    Some(scaling).filter(|scaling| is_one && *scaling != Scaling::NONE)
}

/// The note of a scaling that is not applied.
pub(super) fn note(scaling: Scaling) -> Note {
    Note::NotScaled { scale: scaling.scale, offset: scaling.offset }
}
