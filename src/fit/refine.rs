//! The least-squares line and its Σr² with digits that the moments have not.

use crate::engine::{Digits, Engine, EngineError, RESOLVED_SHARE};
use crate::math::{Affine, Line, Moments, scaled};

/// The least share of Mtt that the residuals of a line can tell. Below it is
/// the rounding of the numbers that they are computed with, (2⁻⁹⁸)²: as far as
/// can be told, the line goes through every point.
const ROUNDING_SHARE: f64 = f64::from_bits((1023 - 2 * 98) << 52);

/// The rounding of the point itself is (2⁻¹⁰⁴)², as no data have residuals between that
/// and 0 that have 53 bits, or 64, themselves.
const ROUNDING_OF_POINT: f64 = 1.0 / 64.0;

/// True if the rounding of W·x + b − t to f64 hides more than 1e-10 of the
/// residuals of a line.
pub(super) fn hides(moments: &Moments, model: Affine) -> bool {
    /// The share of the residuals that rounding may be.
    const VISIBLE: f64 = 1e-10;
    if moments.units() != [0; 2] {
        return true;
    }
    let parts = model.bias.abs() + (model.weight * moments.x_mean()).abs() + moments.t_mean().abs();
    let residual = (moments.least_squares_rr() / moments.weight_sum).sqrt();
    f64::EPSILON / 2.0 * parts > VISIBLE * residual && moments.tt > 0.0
}

/// Σr² of the least-squares line, in the units of the moments, if the engine's
/// own passes have the digits for it.
pub(super) fn resolved_squares(
    engine: &mut dyn Engine,
    moments: &Moments,
    line: &Line,
) -> Result<Option<f64>, EngineError> {
    let rr = moments.least_squares_rr();
    if rr >= RESOLVED_SHARE * moments.tt {
        return Ok(Some(rr));
    }
    let resolved = engine.resolved_share();
    if resolved >= RESOLVED_SHARE {
        return Ok(None);
    }
    let rr = engine.sums_about(line, Digits::Usual)?.rr;
    Ok(Some(rr).filter(|&rr| rr >= resolved * moments.tt))
}

/// Σr² of the least-squares line, in the units of the moments, and the line,
/// from residuals with twice the digits of f64. W of the moments has not enough
/// of them: what is left of Σr and Σr·(x − x̄) tells by how much it and the
/// height of the line are off (Gauss–Newton, here exact), and what that adds to
/// Σr².
pub(super) fn refined(
    engine: &mut dyn Engine,
    moments: &Moments,
    mut line: Line,
) -> Result<(f64, Line), EngineError> {
    const MOST_PASSES: u32 = 4;
    /// The rest of Σr² is known to about 1e-15 of the part that is taken off.
    const SETTLED: f64 = 1e-4;
    let mut least = 0.0;
    for _ in 0..MOST_PASSES {
        let sums = engine.sums_about(&line, Digits::Double)?;
        let (weight, height) = (sums.rx / moments.xx, sums.r / sums.weight_sum);
        let gained = weight * sums.rx + height * sums.r;
        least = (sums.rr - gained).max(0.0);
        let [x, t] = line.units;
        line.weight = line.weight.minus(scaled(weight, x - t));
        line.y = line.y.minus(scaled(height, -t));
        if gained.is_nan() || gained <= SETTLED * sums.rr {
            break;
        }
    }
    // A point far off for the spread has as many digits, and no more.
    let [x, t] = line.units;
    let parts = scaled(line.y.value().abs(), t) + (scaled(line.x.value(), x) * moments.xt / moments.xx).abs();
    let hidden = ROUNDING_SHARE * (moments.tt + moments.weight_sum * (ROUNDING_OF_POINT * parts).powi(2));
    Ok((if least <= hidden { 0.0 } else { least }, line))
}
