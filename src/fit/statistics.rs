use serde::Serialize;
use statrs::function::beta::checked_beta_reg;

use super::refine::{hides, refined, resolved_squares};
use crate::engine::{Engine, EngineError};
use crate::math::{Affine, Curvature, Line, LineKind, Moments, scaled};

/// Statistics of the least-squares line of the data, and the learning rates
/// that the curvature of the loss allows.
///
/// All but the rates are of the least-squares line, or of that of another kind,
/// whatever W and b a fit ended at, and defined as in `scipy.stats.linregress`; with weights as in
/// weighted least squares, for which a weight is the inverse of the variance
/// of its T, up to a common factor (R's `lm(…, weights)`, statsmodels' `WLS`).
/// A number that the data do not determine is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Statistics {
    /// W of the least-squares line.
    pub weight: Option<f64>,
    /// b of the least-squares line.
    pub bias: Option<f64>,
    /// R², the share of the variance of T that the line explains.
    pub r2: Option<f64>,
    /// Pearson's correlation of X and T.
    pub r: Option<f64>,
    /// The standard deviation of the residuals, with n − 2 degrees of freedom;
    /// of weighted pairs that of a residual of weight 1.
    pub residual_std: Option<f64>,
    /// The standard error of W.
    pub stderr_weight: Option<f64>,
    /// The standard error of b.
    pub stderr_bias: Option<f64>,
    /// W over its standard error.
    pub t_weight: Option<f64>,
    /// The probability of a W as far from 0 as this or farther, if the true
    /// one is 0 and the residuals are normal: two-sided, Student's t
    /// distribution with n − 2 degrees of freedom.
    pub p_value: Option<f64>,
    /// The learning rate below which descent converges.
    pub lr_max: Option<f64>,
    /// The learning rate with which it converges fastest.
    pub lr_best: Option<f64>,
    /// λmax/λmin.
    pub condition: Option<f64>,
    /// The smallest curvature of the loss.
    pub lambda_min: Option<f64>,
    /// The largest curvature of the loss.
    pub lambda_max: Option<f64>,
}

impl Statistics {
    /// The statistics of data with these moments, and the curvature in the coordinates
    /// that a descent goes in. Costs a pass where the line explains T almost
    /// completely, and some, with twice the digits of f64, where so little is
    /// left that the engine's own can't tell it.
    ///
    /// # Errors
    /// The errors of the passes.
    pub fn measure(
        engine: &mut dyn Engine,
        moments: &Moments,
        curvature: Option<Curvature>,
    ) -> Result<Self, EngineError> {
        let Least { moments, line, rr } = Least::of(engine, moments)?;
        Ok(Self::of(&moments, line.map(|line| line.affine()), rr, curvature))
    }

    /// The same of the line of a kind instead: see [`LineKind::statistics`], and,
    /// for the probability of a W through a point, [`p_value`](Self::p_value), with
    /// n − 1 degrees of freedom.
    ///
    /// # Errors
    /// The errors of the passes.
    pub fn measure_line(
        engine: &mut dyn Engine,
        moments: &Moments,
        kind: LineKind,
        curvature: Option<Curvature>,
    ) -> Result<Self, EngineError> {
        if kind == LineKind::LeastSquares {
            return Self::measure(engine, moments, curvature);
        }
        let Least { moments, rr, .. } = Least::of(engine, moments)?;
        Ok(Self::of_kind(&moments, kind, rr, curvature))
    }

    /// The same from the moments alone: with a share s of T's squares left, about
    /// 1e-16/s of it is unknown.
    #[must_use]
    pub fn of_moments(moments: &Moments, kind: LineKind, curvature: Option<Curvature>) -> Self {
        let rr = moments.least_squares_rr();
        match kind {
            LineKind::LeastSquares => Self::new(moments, rr, curvature),
            _ => Self::of_kind(moments, kind, rr, curvature),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an element count beyond 2^53 cannot be stored anywhere")]
    fn of_kind(moments: &Moments, kind: LineKind, least_rr: f64, curvature: Option<Curvature>) -> Self {
        let rates = Self::rates(curvature);
        let Some(line) = kind.of(moments).map(|line| line.affine()) else { return rates };
        let found = kind.statistics(moments, least_rr);
        let freedom = moments.n as f64 - f64::from(kind.parameters());
        let p_value = found.t_weight.and_then(|t| {
            let squares = t * t;
            p_value(freedom / (freedom + squares), squares / (freedom + squares), freedom)
        });
        Self {
            weight: Some(line.weight),
            bias: Some(line.bias),
            r2: found.r2,
            r: found.r2.filter(|_| kind.is_symmetric()).map(|r2| r2.sqrt().copysign(moments.xt)),
            residual_std: found.residual_std,
            stderr_weight: found.stderr_weight,
            stderr_bias: found.stderr_bias,
            t_weight: found.t_weight,
            p_value,
            ..rates
        }
    }

    /// The statistics from the moments and Σr² of the least-squares line, in
    /// their units.
    #[must_use]
    pub fn new(moments: &Moments, rr: f64, curvature: Option<Curvature>) -> Self {
        Self::of(moments, moments.least_squares(), rr, curvature)
    }

    fn of(moments: &Moments, line: Option<Affine>, rr: f64, curvature: Option<Curvature>) -> Self {
        let rates = Self::rates(curvature);
        match line {
            Some(line) if moments.is_finite() => Self::of_line(moments, line, rr, rates),
            _ => rates,
        }
    }

    /// The numbers that follow from the curvature alone.
    fn rates(curvature: Option<Curvature>) -> Self {
        curvature.map_or_else(Self::default, |curvature| Self {
            lr_max: finite(curvature.rate_bound()),
            lr_best: finite(curvature.best_rate()),
            condition: finite(curvature.condition()),
            lambda_min: finite(curvature.smallest),
            lambda_max: finite(curvature.largest),
            ..Self::default()
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "an element count beyond 2^53 cannot be stored anywhere")]
    fn of_line(moments: &Moments, line: Affine, rr: f64, rates: Self) -> Self {
        let known = Self { weight: Some(line.weight), bias: Some(line.bias), ..rates };
        let Moments { n, xx, xt, tt, .. } = *moments;
        // Of T alike everywhere there is nothing to explain.
        let unexplained = (tt > 0.0).then(|| if n > 2 { (rr / tt).min(1.0) } else { 0.0 });
        let r2 = unexplained.map(|share| explained(moments, share));
        let known = Self { r2, r: r2.map(|r2| r2.sqrt().copysign(xt)), ..known };
        // Two elements lie on their line; how they scatter is not known.
        if n <= 2 {
            return known;
        }
        let freedom = n as f64 - 2.0;
        let stderr_weight = (rr / freedom).sqrt() / xx.sqrt();
        let [residual_std, stderr_of_weight, stderr_bias] = errors(moments, rr);
        Self {
            residual_std: finite(residual_std),
            stderr_weight: finite(stderr_of_weight),
            stderr_bias: finite(stderr_bias),
            t_weight: finite(xt / xx / stderr_weight),
            p_value: unexplained.and_then(|share| p_value(share, explained(moments, share), freedom)),
            ..known
        }
    }
}

/// The standard deviation of the residuals of the least-squares line, and the standard
/// errors of its W and b, from the moments of more than two elements and Σr².
#[expect(clippy::cast_precision_loss, reason = "an element count beyond 2^53 cannot be stored anywhere")]
fn errors(moments: &Moments, rr: f64) -> [f64; 3] {
    let Moments { n, weight_sum, xx, .. } = *moments;
    let [x_unit, t_unit] = moments.units();
    let residual_std = (rr / (n as f64 - 2.0)).sqrt();
    let stderr_weight = residual_std / xx.sqrt();
    let x_root = (xx / weight_sum).sqrt().hypot(scaled(moments.x_mean(), x_unit));
    [
        scaled(residual_std, -t_unit - moments.weight_exponent() / 2),
        scaled(stderr_weight, x_unit - t_unit),
        scaled(stderr_weight * x_root, -t_unit),
    ]
}

/// R² of the least-squares line, the standard deviation of its residuals, and the standard
/// errors of its W and b; NaN where the data do not determine them.
pub(super) fn errors_of_line(moments: &Moments, rr: f64) -> [f64; 4] {
    let Moments { n, tt, .. } = *moments;
    let share = if n > 2 { (rr / tt).min(1.0) } else { 0.0 };
    let r2 = if tt > 0.0 { explained(moments, share) } else { f64::NAN };
    if n <= 2 {
        return [r2, f64::NAN, f64::NAN, f64::NAN];
    }
    let [residual_std, stderr_weight, stderr_bias] = errors(moments, rr);
    [r2, residual_std, stderr_weight, stderr_bias]
}

/// The least-squares line of data, if one is better than every other, Σr² of it in
/// the units of the moments, and the moments with all the digits that it took.
struct Least {
    moments: Moments,
    line: Option<Line>,
    rr: f64,
}

impl Least {
    fn of(engine: &mut dyn Engine, moments: &Moments) -> Result<Self, EngineError> {
        let rough = |line, rr| Self { moments: *moments, line, rr };
        let Some(line) = moments.line() else {
            return Ok(rough(None, moments.least_squares_rr()));
        };
        let is_hidden = hides(moments, line.affine());
        if !is_hidden && let Some(rr) = resolved_squares(engine, moments, &line)? {
            return Ok(rough(Some(line), rr));
        }
        let exact = engine.host_moments()?.unwrap_or(*moments);
        let (rr, refined) = refined(engine, &exact, exact.line().unwrap_or(line))?;
        // The line that `Exact` finds.
        Ok(Self { moments: exact, line: Some(if is_hidden { refined } else { line }), rr })
    }
}

/// R² from the products, which has digits of its own where it is small.
fn explained(moments: &Moments, unexplained: f64) -> f64 {
    if unexplained < 0.5 {
        1.0 - unexplained
    } else {
        (moments.xt / moments.xx * (moments.xt / moments.tt)).min(1.0)
    }
}

/// The two-sided p value of the slope, P(|t| ≥ t₀) = I_s(ν/2, ½) with
/// s = ν/(ν + t₀²), which is the unexplained share 1 − R²: the regularized
/// incomplete beta function (M. Abramowitz, I. A. Stegun, 1964, 26.7.1), in
/// which nothing cancels however small the value is.
fn p_value(unexplained: f64, explained: f64, freedom: f64) -> Option<f64> {
    if unexplained == 0.0 {
        return Some(0.0);
    }
    // The complement, where p is near 1.
    let value = if explained * freedom < unexplained {
        1.0 - checked_beta_reg(0.5, freedom / 2.0, explained).ok()?
    } else {
        checked_beta_reg(freedom / 2.0, 0.5, unexplained).ok()?
    };
    finite(value)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by 40-digit arithmetic (mpmath's `betainc`): ν, t, p.
    const P_VALUES: [(f64, f64, f64); 18] = [
        (1.0, 1.0, 0.5),
        (1.0, 1e8, 6.366_197_723_675_81e-9),
        (10.0, 1.0, 0.340_893_132_302_06),
        (34.0, 2331.6, 4.654_433_533_943_96e-90),
        (98.0, 0.3, 0.764_812_571_191_402),
        (98.0, 1.0, 0.319_773_287_508_588),
        (98.0, 1.7, 0.092_302_732_605_549_8),
        (98.0, 1.8, 0.074_937_481_124_935),
        (98.0, 30.0, 3.466_352_323_464_84e-51),
        (1000.0, 2.0, 0.045_770_346_493_251_6),
        (100_000.0, 0.5, 0.617_076_177_654_418),
        (100_000.0, 1.2, 0.230_142_183_319_612),
        (100_000.0, 5.0, 5.742_701_678_641_67e-7),
        (16_777_214.0, 0.1, 0.920_344_326_640_783),
        (16_777_214.0, 0.99, 0.322_174_133_299_305),
        (16_777_214.0, 1.01, 0.312_495_304_608_585),
        (16_777_214.0, 6.0, 1.973_215_489_176_01e-9),
        (16_777_214.0, 37.0, 1.177_591_029_280_44e-299),
    ];

    #[test]
    fn p_values_have_digits_from_one_to_the_end_of_f64() {
        for (freedom, t, want) in P_VALUES {
            let (unexplained, explained) = (freedom / (freedom + t * t), t * t / (freedom + t * t));
            let got = p_value(unexplained, explained, freedom).unwrap();
            // What the exponential is taken of has terms as large as ln Γ(ν/2),
            // about ν/2·ln ν, each rounded.
            let tolerance = 1e-11 + 4.0 * f64::EPSILON * freedom / 2.0 * freedom.ln();
            assert!((got / want - 1.0).abs() <= tolerance, "ν = {freedom}, t = {t}: {got:e} for {want:e}");
        }
        // Below the smallest f64.
        assert_eq!(p_value(1000.0 / 4600.0, 3600.0 / 4600.0, 1000.0).map(|p| p < 1e-300), Some(true));
    }
}
