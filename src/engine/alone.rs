//! Fits of which the numbers come near the ends of the range of f64: their
//! elements are taken out, and passed over alone.

use std::collections::BTreeMap;
use std::ops::Range;

use super::EngineError;
use crate::array::{Array, ElementType, MaskedArray, Problem, ValidityRules, with_element};

/// The valid elements of a few fits, a problem for each.
pub(super) fn alone(
    data: &Problem,
    elements: Range<usize>,
    fits: impl IntoIterator<Item = u64>,
) -> Result<Vec<(u64, Problem)>, EngineError> {
    let mut places: BTreeMap<u64, Vec<usize>> = fits.into_iter().map(|fit| (fit, Vec::new())).collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let first = data.fits().range().start;
    for (fit, run) in data.fits().runs(elements) {
        if let Some(places) = places.get_mut(&(fit - first)) {
            places.extend(run.filter(|&k| data.validity().is_none_or(|validity| validity.contains(k))));
        }
    }
    let mut problems = Vec::new();
    for (fit, places) in places.into_iter().filter(|(_, places)| !places.is_empty()) {
        let gathered = |array: &Array| gathered(data, array, &places);
        let Some(t) = data.t() else { return Err(EngineError::NoTarget) };
        let weights = data.weights().map(|weights| MaskedArray::from(gathered(weights)));
        let rules = ValidityRules { weights, ..ValidityRules::default() };
        problems.push((fit, Problem::builder(gathered(data.x())).target(gathered(t)).rules(rules).build()?));
    }
    Ok(problems)
}

/// Some elements of an array, in their own type.
fn gathered(data: &Problem, array: &Array, places: &[usize]) -> Array {
    with_element!(array.element(), E => {
        let mut values = vec![<E as bytemuck::Zeroable>::zeroed(); places.len()];
        for (value, &k) in values.iter_mut().zip(places) {
            array.copy(data.order(), k, std::slice::from_mut(value));
        }
        Array::from_vec(array.label(), &[places.len() as u64], values)
    })
}

/// Whether numbers of the problem's types, and weights, may leave the range of f64
/// when they are squared.
pub(super) fn may_leave_range(data: &Problem) -> bool {
    data.weights().is_some() || data.matrices().any(|array| array.element() == ElementType::F64)
}
