//! The lines that moments determine, without another pass: least squares, through
//! a point, of a fixed slope, and the symmetric ones.

use std::fmt;
use std::str::FromStr;

use super::{Double, Line, Moments, scaled};

/// A line through data, by what it makes least or what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum LineKind {
    /// The least squares of residuals of T.
    #[default]
    LeastSquares,
    /// The least squares with this b: W alone is fitted, and the line goes through
    /// (0, b).
    ThroughOrigin {
        /// b.
        bias: f64,
    },
    /// The least squares with this W: b alone is fitted.
    Offset {
        /// W.
        weight: f64,
    },
    /// The reduced major axis, |W| = σt/σx with the sign of the correlation: the
    /// geometric mean of the least-squares lines of T on X and of X on T (W. E.
    /// Ricker, 1973).
    ReducedMajorAxis,
    /// Deming's line: the least squares of errors of X and T together, of which
    /// those of T have δ times the variance of those of X (C. H. Kummell, 1879;
    /// W. E. Deming, 1943).
    Deming {
        /// δ > 0, in units of T² over X².
        delta: f64,
    },
}

impl LineKind {
    /// The major axis: the least squares of distances from the line, which is
    /// Deming's with δ = 1 (K. Pearson, 1901).
    pub const MAJOR_AXIS: Self = Self::Deming { delta: 1.0 };

    /// Whether X and T have the same part: swapped, and δ inverted, they give the
    /// inverse of the line.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::ReducedMajorAxis | Self::Deming { .. })
    }

    /// The number of parameters that are fitted.
    #[must_use]
    pub fn parameters(self) -> u32 {
        match self {
            Self::ThroughOrigin { .. } | Self::Offset { .. } => 1,
            Self::LeastSquares | Self::ReducedMajorAxis | Self::Deming { .. } => 2,
        }
    }

    /// The line of data with these moments; `None` where no line is better than
    /// every other of its kind, or where it is beyond f64.
    ///
    /// Those that are found by their W go through (x̄, t̄): b = t̄ − W·x̄.
    #[must_use]
    pub fn of(self, moments: &Moments) -> Option<Line> {
        if self == Self::LeastSquares {
            return moments.line();
        }
        if moments.n == 0 || !moments.is_finite() {
            return None;
        }
        let [x, t] = moments.units();
        let through_means = |weight: f64| Line {
            weight: weight.into(),
            x: moments.x_mean_double(),
            y: moments.t_mean_double(),
            units: [x, t],
        };
        let line = match self {
            Self::LeastSquares => return moments.line(),
            Self::ThroughOrigin { bias } => {
                let weight = through_origin(moments, bias)?;
                Line { weight: weight.into(), x: Double::default(), y: bias.into(), units: [x, t] }
            }
            Self::Offset { weight } => through_means(weight),
            Self::ReducedMajorAxis => {
                let is_one = moments.n > 1 && moments.xx > 0.0 && moments.xt != 0.0;
                let weight = (moments.tt.sqrt() / moments.xx.sqrt()).copysign(moments.xt);
                through_means(is_one.then(|| scaled(weight, x - t))?)
            }
            Self::Deming { delta } => {
                // δ in the units of the moments.
                let weight = deming(moments, scaled(delta, 2 * (t - x)))?;
                through_means(scaled(weight, x - t))
            }
        };
        line.affine().is_finite().then_some(line)
    }
}

/// W = Σ w·x·(t − b) / Σ w·x², from the moments about the means:
/// Σ w·x² = Mxx + S·x̄². Twice the digits of f64, as both parts may be large.
fn through_origin(moments: &Moments, bias: f64) -> Option<f64> {
    let [x, t] = moments.units();
    let x_mean = moments.x_mean_double().scaled(x);
    let t_mean = moments.t_mean_double().minus(bias).scaled(t);
    let xt = x_mean.times(t_mean).times(moments.weight_sum).plus(moments.xt);
    let xx = x_mean.times(x_mean).times(moments.weight_sum).plus(moments.xx);
    (xx.value() > 0.0).then(|| scaled(xt.over(xx).value(), x - t))
}

/// W = (Mtt − δ·Mxx + h) / (2·Mxt) with h² = (Mtt − δ·Mxx)² + 4·δ·Mxt², from the
/// side on which nothing cancels.
fn deming(moments: &Moments, delta: f64) -> Option<f64> {
    let Moments { n, xx, xt, tt, .. } = *moments;
    let off = (-delta).mul_add(xx, tt);
    let h = off.hypot(2.0 * delta.sqrt() * xt);
    let weight = if off >= 0.0 { (off + h) / (2.0 * xt) } else { 2.0 * delta * xt / (h - off) };
    // A vertical line has none, and of data that scatter alike in all directions
    // every line is one.
    (n > 1 && weight.is_finite()).then_some(weight)
}

/// Standard errors and other statistics of a line; `None` where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LineStatistics {
    /// The share of T's squares that the line explains: of those about their mean,
    /// or, where b is fixed, about b. Of a symmetric line the square of the
    /// correlation. With a fixed W there is no such share: a line may explain less
    /// than nothing.
    pub r2: Option<f64>,
    /// The standard deviation of the residuals of T, √(Σ w·r² / (n − p)) with p
    /// parameters; of weighted pairs that of a residual of weight 1. Times a power
    /// of two for each of the units of T.
    pub residual_std: Option<f64>,
    /// The standard error of W.
    pub stderr_weight: Option<f64>,
    /// The standard error of b.
    pub stderr_bias: Option<f64>,
    /// W over its standard error, where W = 0 can be tested so: of the lines of
    /// least squares.
    pub t_weight: Option<f64>,
}

impl LineKind {
    /// The statistics of the line of this kind, from the moments and Σ w·r² of the
    /// least-squares line in their units. With s² = Σ w·r²/(n − p) of the line:
    ///
    /// | line | variance of W | variance of b |
    /// |---|---|---|
    /// | through (0, b) | s²/Σw·x² | – |
    /// | of a fixed W | – | s²/S |
    /// | reduced major axis | that of least squares (W. E. Ricker, 1973): (Mtt/Mxx)·(1 − r²)/(n − 2) | s²/S + x̄²·var W |
    /// | Deming | W²·(1 − r²)/r²/(n − 2) | s²/S + x̄²·var W |
    ///
    /// Those of Deming's line are W. A. Fuller's (Measurement Error Models, 1987,
    /// 1.3.12) with n − 2 throughout, which in these terms does not depend on δ.
    /// That of b of the reduced major axis is R. L. Miller's and J. S. Kahn's
    /// (1962), σt²·(1 − |r|)/n·(2 + x̄²·(1 + |r|)/σx²), with n − 2 in the variances.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an element count beyond 2^53 cannot be stored anywhere")]
    pub fn statistics(self, moments: &Moments, least_rr: f64) -> LineStatistics {
        let Some(line) = self.of(moments) else { return LineStatistics::default() };
        let Moments { n, weight_sum, xx, xt, tt, .. } = *moments;
        let [x_unit, t_unit] = moments.units();
        let weight = scaled(line.weight.value(), t_unit - x_unit);
        // The line lies by so much above the point of the means.
        let rise = moments.x_mean_double().minus(line.x).times(line.weight);
        let high = scaled(line.y.minus(moments.t_mean_double()).plus(rise).value(), t_unit);
        let off = if xx > 0.0 { weight - xt / xx } else { 0.0 };
        let rr = least_rr + xx * off * off + weight_sum * high * high;
        let x_mean = scaled(moments.x_mean(), x_unit);
        let squares = weight_sum.mul_add(x_mean * x_mean, xx);
        let freedom = n as f64 - f64::from(self.parameters());
        let is_known = freedom > 0.0;
        let variance = rr / freedom;
        let least_variance = least_rr / freedom;
        let weight_error = match self {
            Self::LeastSquares | Self::ReducedMajorAxis => Some((least_variance / xx).sqrt()),
            Self::Deming { .. } => Some(weight.abs() * (least_variance * xx).sqrt() / xt.abs()),
            Self::ThroughOrigin { .. } => Some((variance / squares).sqrt()),
            Self::Offset { .. } => None,
        };
        let bias_error = match self {
            Self::ThroughOrigin { .. } => None,
            _ => Some((variance / weight_sum).sqrt().hypot(x_mean * weight_error.unwrap_or(0.0))),
        };
        let r2 = match self {
            Self::Offset { .. } => None,
            Self::ThroughOrigin { bias } => {
                let t_mean = scaled(moments.t_mean_double().minus(bias).value(), t_unit);
                Some(1.0 - rr / weight_sum.mul_add(t_mean * t_mean, tt))
            }
            _ => Some(1.0 - least_rr / tt),
        };
        let t_weight = match self {
            Self::LeastSquares | Self::ThroughOrigin { .. } => weight_error.map(|error| weight / error),
            _ => None,
        };
        let known = |value: Option<f64>, exponent: i32| {
            value.filter(|_| is_known).map(|value| scaled(value, exponent)).filter(|value| value.is_finite())
        };
        LineStatistics {
            r2: r2.filter(|r2| r2.is_finite()).map(|r2| r2.clamp(0.0, 1.0)),
            residual_std: known(Some(variance.sqrt()), -t_unit - moments.weight_exponent() / 2),
            stderr_weight: known(weight_error, x_unit - t_unit),
            stderr_bias: known(bias_error, -t_unit),
            t_weight: known(t_weight, 0),
        }
    }
}

/// The reason why a text names no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected least-squares, through-origin, offset, rma, major-axis, or deming:DELTA with a positive number for \
     DELTA, the variance of T's errors over that of X's"
)]
pub struct LineKindError;

/// A fixed b is 0 then, and a fixed W 1.
impl FromStr for LineKind {
    type Err = LineKindError;

    fn from_str(text: &str) -> Result<Self, LineKindError> {
        Ok(match text {
            "least-squares" => Self::LeastSquares,
            "through-origin" => Self::ThroughOrigin { bias: 0.0 },
            "offset" => Self::Offset { weight: 1.0 },
            "rma" => Self::ReducedMajorAxis,
            "major-axis" => Self::MAJOR_AXIS,
            _ => {
                let delta = text.strip_prefix("deming:").and_then(|delta| delta.parse().ok());
                let delta = delta.filter(|delta: &f64| *delta > 0.0 && delta.is_finite());
                Self::Deming { delta: delta.ok_or(LineKindError)? }
            }
        })
    }
}

/// The name without a fixed parameter.
impl fmt::Display for LineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeastSquares => f.write_str("least-squares"),
            Self::ThroughOrigin { .. } => f.write_str("through-origin"),
            Self::Offset { .. } => f.write_str("offset"),
            Self::ReducedMajorAxis => f.write_str("rma"),
            &Self::MAJOR_AXIS => f.write_str("major-axis"),
            Self::Deming { delta } => write!(f, "deming:{delta:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Affine, ShiftedSums};

    /// The moments of pairs about their first, and with X and T swapped.
    fn moments(pairs: &[(f64, f64)]) -> Moments {
        let (x_shift, t_shift) = pairs[0];
        let mut sums = ShiftedSums { x_shift, t_shift, ..ShiftedSums::default() };
        for (x, t) in pairs.iter().map(|(x, t)| (x - x_shift, t - t_shift)) {
            sums.n += 1;
            sums.weight_sum += 1.0;
            sums.x += x;
            sums.t += t;
            sums.xx += x * x;
            sums.xt += x * t;
            sums.tt += t * t;
        }
        Moments::from_shifted_sums(&sums)
    }

    fn model(kind: LineKind, pairs: &[(f64, f64)]) -> Affine {
        kind.of(&moments(pairs)).unwrap().affine()
    }

    /// X = 0, 1, 2, 3 and T = 1, 4, 3, 8: x̄ = 1.5, t̄ = 4, Mxx = 5, Mxt = 10,
    /// Mtt = 9 + 0 + 1 + 16 = 26.
    const PAIRS: [(f64, f64); 4] = [(0.0, 1.0), (1.0, 4.0), (2.0, 3.0), (3.0, 8.0)];

    /// Least squares 10/5; through (0, 1) Σx·(t − 1) = 3 + 4 + 21 = 28 over Σx² = 14;
    /// with W = 3, b = 4 − 4.5; the reduced major axis √(26/5); the major axis
    /// (21 + √(441 + 400))/20 = (21 + 29)/20 = 2.5; with δ = 26/5 both variances are
    /// alike and Deming's line is the reduced major axis.
    #[test]
    fn lines_by_hand() {
        let rma = (26f64 / 5.0).sqrt();
        for (kind, weight, bias) in [
            (LineKind::LeastSquares, 2.0, 1.0),
            (LineKind::ThroughOrigin { bias: 1.0 }, 2.0, 1.0),
            (LineKind::ThroughOrigin { bias: 0.0 }, 34.0 / 14.0, 0.0),
            (LineKind::Offset { weight: 3.0 }, 3.0, -0.5),
            (LineKind::ReducedMajorAxis, rma, 4.0 - 1.5 * rma),
            (LineKind::MAJOR_AXIS, 2.5, 0.25),
            (LineKind::Deming { delta: 5.2 }, rma, 4.0 - 1.5 * rma),
        ] {
            let got = model(kind, &PAIRS);
            let off = (got.weight - weight).abs().max((got.bias - bias).abs());
            assert!(off <= 1e-15, "{kind}: {got:?}");
        }
    }

    /// Errors of X alone are the least squares of X on T, of T alone those of T on X.
    #[test]
    fn deming_goes_from_one_least_squares_to_the_other() {
        let of_x = model(LineKind::Deming { delta: 1e-12 }, &PAIRS);
        let of_t = model(LineKind::Deming { delta: 1e12 }, &PAIRS);
        assert!((of_x.weight - 2.6).abs() < 1e-11 && (of_t.weight - 2.0).abs() < 1e-11, "{of_x:?} {of_t:?}");
    }

    #[test]
    fn swapped_data_have_the_inverse_of_a_symmetric_line() {
        for sign in [1.0, -1.0] {
            let pairs = PAIRS.map(|(x, t)| (x + 7.0, sign * t));
            let swapped = pairs.map(|(x, t)| (t, x));
            for (kind, inverse) in [
                (LineKind::ReducedMajorAxis, LineKind::ReducedMajorAxis),
                (LineKind::MAJOR_AXIS, LineKind::MAJOR_AXIS),
                (LineKind::Deming { delta: 0.3 }, LineKind::Deming { delta: 1.0 / 0.3 }),
            ] {
                let (line, back) = (model(kind, &pairs), model(inverse, &swapped));
                assert_eq!(line.weight.signum(), sign, "{kind}");
                let off = [line.weight * back.weight - 1.0, line.bias + line.weight * back.bias];
                assert!(kind.is_symmetric() && off.iter().all(|off| off.abs() < 1e-13), "{kind}: {off:?}");
            }
        }
        let least = model(LineKind::LeastSquares, &PAIRS.map(|(x, t)| (t, x))).weight;
        assert!((least * 2.0 - 1.0).abs() > 0.1 && !LineKind::LeastSquares.is_symmetric());
    }

    /// Data far from 0 and data of other units have the same line, moved and scaled.
    #[test]
    fn lines_move_and_scale_with_the_data() {
        let kinds = [
            (LineKind::ReducedMajorAxis, LineKind::ReducedMajorAxis),
            (LineKind::Deming { delta: 2.0 }, LineKind::Deming { delta: 2.0 * 16.0 }),
        ];
        for (kind, scaled) in kinds {
            let (want, got) =
                (model(kind, &PAIRS), model(scaled, &PAIRS.map(|(x, t)| (x + 1_048_576.0, 4.0 * t - 64.0))));
            let bias = 4.0 * want.bias - 64.0 - 1_048_576.0 * 4.0 * want.weight;
            let off = ((got.weight / want.weight / 4.0 - 1.0).abs()).max((got.bias / bias - 1.0).abs());
            assert!(off < 1e-14, "{kind}: {got:?} for {want:?}");
        }
    }

    /// Moments in units, of x/8 and 4·t: W is 32 times as large, b 4 times, and a
    /// variance of T over one of X 1,024 times.
    #[test]
    fn lines_of_moments_in_units_are_those_of_the_data() {
        let mut readings = crate::math::Readings::default();
        (readings.x.exponent, readings.t.exponent) = (3, -2);
        let in_units = moments(&PAIRS).of_readings(&readings, 0);
        for (kind, of_data) in [
            (LineKind::ReducedMajorAxis, LineKind::ReducedMajorAxis),
            (LineKind::Deming { delta: 2.0 }, LineKind::Deming { delta: 2048.0 }),
            (LineKind::ThroughOrigin { bias: 1.0 }, LineKind::ThroughOrigin { bias: 4.0 }),
            (LineKind::Offset { weight: 3.0 }, LineKind::Offset { weight: 96.0 }),
        ] {
            let (want, got) = (model(kind, &PAIRS), of_data.of(&in_units).unwrap().affine());
            assert_eq!(got, Affine::new(32.0 * want.weight, 4.0 * want.bias), "{kind}");
            let plain = moments(&PAIRS);
            let want = kind.statistics(&plain, plain.least_squares_rr());
            let got = of_data.statistics(&in_units, in_units.least_squares_rr());
            assert_eq!(got.residual_std, want.residual_std.map(|std| 4.0 * std), "{kind}");
            assert_eq!(got.stderr_weight, want.stderr_weight.map(|error| 32.0 * error), "{kind}");
            assert_eq!(got.stderr_bias, want.stderr_bias.map(|error| 4.0 * error), "{kind}");
            assert_eq!((got.r2, got.t_weight), (want.r2, want.t_weight), "{kind}");
        }
    }

    /// A square scatters alike in all directions; a vertical line has no W.
    #[test]
    fn where_no_line_is_the_best_there_is_none() {
        let square = moments(&[(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]);
        let upright = moments(&[(2.0, 0.0), (2.0, 1.0), (2.0, 5.0)]);
        let one = moments(&[(2.0, 3.0)]);
        for (kind, lines) in [
            (LineKind::ReducedMajorAxis, [false, false, false]),
            (LineKind::MAJOR_AXIS, [false, false, false]),
            (LineKind::LeastSquares, [true, false, false]),
            (LineKind::ThroughOrigin { bias: 0.0 }, [true, true, true]),
            (LineKind::Offset { weight: 1.0 }, [true, true, true]),
        ] {
            assert_eq!([square, upright, one].map(|data| kind.of(&data).is_some()), lines, "{kind}");
        }
        let zeros = moments(&[(0.0, 1.0), (0.0, 2.0)]);
        assert_eq!(LineKind::ThroughOrigin { bias: 0.0 }.of(&zeros), None);
        let flat = moments(&[(0.0, 1.0), (1.0, 1.0), (4.0, 1.0)]);
        assert_eq!(LineKind::MAJOR_AXIS.of(&flat).map(|line| line.affine()), Some(Affine::new(0.0, 1.0)));
    }

    /// Through (0, 1) with W = 2: r = 0, −1, 2, −1, s² = 6/3, Σx² = 14; with W = 3,
    /// b = −½: r = −1.5, −1.5, 2.5, 0.5, s² = 11/3, over n = 4.
    #[test]
    fn statistics_by_hand() {
        let data = moments(&PAIRS);
        let through = LineKind::ThroughOrigin { bias: 1.0 }.statistics(&data, data.least_squares_rr());
        let near =
            |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-14, "{got:?} {want}");
        near(through.residual_std, 2f64.sqrt());
        near(through.stderr_weight, (2f64 / 14.0).sqrt());
        // Σ (t − 1)² = 9 + 4 + 49 = 62.
        near(through.r2, 56.0 / 62.0);
        assert_eq!(through.stderr_bias, None);
        let offset = LineKind::Offset { weight: 3.0 }.statistics(&data, data.least_squares_rr());
        near(offset.residual_std, (11f64 / 3.0).sqrt());
        near(offset.stderr_bias, (11f64 / 12.0).sqrt());
        assert_eq!((offset.stderr_weight, offset.r2, offset.t_weight), (None, None, None));
    }

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        for text in ["least-squares", "through-origin", "offset", "rma", "major-axis", "deming:0.25"] {
            assert_eq!(text.parse::<LineKind>().unwrap().to_string(), text);
        }
        for text in
            ["", "ols", "deming", "deming:", "deming:0", "deming:-1", "deming:nan", "deming:inf", "rma:1"]
        {
            assert!(text.parse::<LineKind>().is_err(), "{text}");
        }
    }
}
