//! The way to read all elements of a problem alike: neighbours belong to different fits.

use super::frame::Frame;
use super::scan::{first_whole, rounded_elements};
use crate::array::{Array, Problem};
use crate::math::{Reading, Readings};

/// One frame for all elements: of whole numbers of which f64 does not hold all, the first
/// valid one is taken off each.
pub(super) fn whole_frame(data: &Problem) -> Frame {
    let reading = |array: &Array| {
        let is_rounded = data.t().is_some() && rounded_elements(data, array, 0) > 0;
        let shift = is_rounded.then(|| first_whole(data, array, &(0..data.len()))).flatten();
        Reading { shift: shift.unwrap_or(0), exponent: 0 }
    };
    let readings = Readings { x: reading(data.x()), t: data.t().map(reading).unwrap_or_default() };
    Frame { readings, ..Frame::default() }
}
